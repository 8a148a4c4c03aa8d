"""HTTP: one polite, bounded, conditional GET, or a POST (SPEC §8, §9)."""

import base64
import hashlib
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from urllib.parse import unquote, urlsplit

import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPResponse

from feedhub.errors import FetchError, HttpStatusError, RedirectError, UnreachableError
from feedhub.fetch.body import read_body, release
from feedhub.fetch.certificate import certificate_dates, words_about_time
from feedhub.fetch.decode import ACCEPT_ENCODING
from feedhub.fetch.dial import Dialer, Lookup
from feedhub.fetch.freshness import charset_of, freshness_of, validators_of
from feedhub.fetch.guard import AddressGuard
from feedhub.fetch.redirects import REDIRECT_STATUSES, Trail, keeps_credentials, without_userinfo
from feedhub.fetch.throttle import Slot, Throttle
from feedhub.fetch.transport import DialedAdapter
from feedhub.fetch.watchdog import Exchange, Watchdog
from feedhub.fetch.words import FOREIGN, in_words, status_meaning, status_words
from feedhub.model.document import Document, NotModified, Request, Validators
from feedhub.model.source import PollSettings
from feedhub.rules.hosts import group_key, host_name, host_pace
from feedhub.rules.walls import is_challenge

_ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.3"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_WAIT_FOR_SLOT = 600.0
_WALL_STATUSES = frozenset({403, 429, 503})
_WALL_SIZE = 65_536
_OF_THE_BODY = frozenset({"content-type", "content-encoding", "content-language"})
_NOT_HANDED_ON = frozenset({"set-cookie", "set-cookie2"})


class _StaleConnectionError(Exception):
    """A kept connection turned out to be closed: the request is to be sent again, over a new one."""


class HttpFetcher:
    """``Fetcher`` for http and https.

    ``now`` gives the current instant in aware UTC. ``ca_bundle`` is a file of certificates to trust instead of
    those that requests brings, ``lookup`` resolves names instead of the operating system. ``throttle`` is taken over
    from an earlier fetcher. Waiting for the host's slot does not count against a request's time.
    """

    def __init__(
        self,
        settings: PollSettings,
        *,
        now: Callable[[], datetime],
        ca_bundle: str | None = None,
        lookup: Lookup | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        self._now = now
        self._ca_bundle = ca_bundle or DEFAULT_CA_BUNDLE_PATH
        self._guard = AddressGuard(settings.allow_private)
        self._dialer = Dialer(self._guard, lookup)
        most = max(settings.host_concurrent, *(group.concurrent for group in settings.host_groups), 1)
        self._adapter = DialedAdapter(self._dialer, connections_per_host=most, ca_bundle=ca_bundle)
        pace, group = partial(host_pace, settings=settings), partial(group_key, settings=settings)
        self.throttle = throttle or Throttle(pace, group)
        self.throttle.reconfigure(pace, group)
        self._watchdog = Watchdog()
        self._is_closed = False

    def fetch(self, request: Request) -> Document | NotModified:
        """See ``Fetcher.fetch``."""
        self._guard.check_url(request.url)
        trail = Trail(without_userinfo(request.url))
        left, is_repeat = request.timeout, False
        while True:
            self._guard.check_url(trail.url)
            _check_body_may_go(request, trail)
            with self.throttle.slot(host_name(trail.url), _MAX_WAIT_FOR_SLOT, lambda: self._is_closed) as slot:
                started = time.monotonic()
                try:
                    answer = self._exchange(request, trail, left, slot, is_repeat=is_repeat)
                    is_repeat = False
                except _StaleConnectionError:
                    # Asked again as any other request is: with a slot of its own.
                    is_repeat, answer = True, None
            if answer is not None:
                return answer
            left -= time.monotonic() - started

    def close(self) -> None:
        """End fetches under way and close all connections."""
        self._is_closed = True
        self._watchdog.close()
        self.throttle.wake()
        self._adapter.close()

    def _exchange(
        self, request: Request, trail: Trail, left: float, slot: Slot, *, is_repeat: bool
    ) -> Document | NotModified | None:
        """Ask once. None: the answer was a redirect, and ``trail`` went there."""
        host = urlsplit(trail.url).hostname or ""
        response: requests.Response | None = None
        with self._watchdog.watch(left, request.timeout, slot.sent) as exchange, self._dialer.during(exchange):
            try:
                exchange.wants_new = is_repeat
                response = self._send(request, trail, exchange)
                return self._answer(request, trail, response, exchange)
            except FetchError as exc:
                # A connection that the watchdog shut down looks cut, reset, or complete.
                if exchange.expired and not isinstance(exc, UnreachableError):
                    raise exchange.too_late() from exc
                raise
            except FOREIGN as exc:
                if exchange.expired:
                    raise exchange.too_late() from exc
                is_reading = response is not None
                # A kept connection that the server closed meanwhile says nothing about the source.
                if exchange.reused and not is_reading and isinstance(exc, requests.ConnectionError):
                    raise _StaleConnectionError from exc
                about_time = partial(self._about_time, request, trail.url)
                late = exchange.too_late()
                raise in_words(exc, host, is_reading=is_reading, too_late=late, about_time=about_time) from exc
            finally:
                if response is not None:
                    response.raw.close()

    def _send(self, request: Request, trail: Trail, exchange: Exchange) -> requests.Response:
        url = trail.url
        is_whole = trail.keeps_method
        prepared = requests.PreparedRequest()
        prepared.prepare_method(request.method if is_whole else "GET")
        prepared.prepare_url(url, None)
        prepared.prepare_headers(_headers(request, url, is_whole=is_whole))
        prepared.prepare_body(request.body if is_whole else None, None)
        proxies = self._proxies(request, prepared.url or url)
        return self._adapter.send(prepared, stream=True, timeout=exchange.remaining(), proxies=proxies)

    def _about_time(self, request: Request, url: str, error: ssl.SSLCertVerificationError) -> str:
        # Through a proxy there is no second look: the way there is not ours.
        ask = partial(certificate_dates, self._dialer, url, self._ca_bundle)
        return words_about_time(error, dict if request.proxy else ask, self._now())

    def _proxies(self, request: Request, url: str) -> dict[str, str] | None:
        if not request.proxy:
            return None
        if urlsplit(request.proxy).scheme not in {"http", "https"}:
            raise FetchError("the proxy's address must begin with http:// or https://")
        parts = urlsplit(url)
        self._dialer.check_target(parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme])
        return {parts.scheme: request.proxy}

    def _answer(
        self, request: Request, trail: Trail, response: requests.Response, exchange: Exchange
    ) -> Document | NotModified | None:
        status = response.status_code
        exchange.remaining()
        if status == 200:
            if _says_challenge(response.raw):
                raise FetchError("challenge page instead of a feed", status=200)
            return self._document(request, trail, response, exchange)
        if status == 304 and request.validators != Validators():
            release(response.raw)
            return self._not_modified(request, trail, response)
        if status in REDIRECT_STATUSES:
            release(response.raw)
            trail.follow(status, response.headers)
            return None
        retry_at = freshness_of(response.headers, self._now()).retry_at
        raise HttpStatusError(_status_text(response, exchange), status=status, retry_at=retry_at)

    def _document(self, request: Request, trail: Trail, response: requests.Response, exchange: Exchange) -> Document:
        body = read_body(response.raw, exchange, request.max_size)
        if not body:
            raise FetchError("empty answer", status=200)
        headers = response.headers
        content_type = headers.get("Content-Type")
        return Document(
            url=trail.url,
            body=body,
            digest=hashlib.sha256(body).hexdigest(),
            content_type=content_type,
            charset=charset_of(content_type),
            validators=validators_of(headers),
            freshness=freshness_of(headers, self._now()),
            redirects=trail.hops,
            headers=tuple(pair for pair in headers.items() if pair[0].lower() not in _NOT_HANDED_ON),
            fetched_at=self._now(),
        )

    def _not_modified(self, request: Request, trail: Trail, response: requests.Response) -> NotModified:
        received, sent = validators_of(response.headers), request.validators
        return NotModified(
            url=trail.url,
            validators=Validators(
                etag=received.etag or sent.etag, last_modified=received.last_modified or sent.last_modified
            ),
            freshness=freshness_of(response.headers, self._now()),
            redirects=trail.hops,
        )


def _check_body_may_go(request: Request, trail: Trail) -> None:
    if request.body and trail.keeps_method and not keeps_credentials(request.origin or request.url, trail.url):
        status = trail.hops[-1].status if trail.hops else None
        raise RedirectError("redirect to another site, which must not get the body of the request", status=status)


def _headers(request: Request, url: str, *, is_whole: bool) -> CaseInsensitiveDict[str]:
    """The header fields for one hop; what is the origin's own is left out when we have left the origin.

    ``is_whole``: the body goes along, if there is one, and with it the fields that describe it.
    """
    headers = CaseInsensitiveDict(
        {"User-Agent": request.user_agent, "Accept": _ACCEPT, "Accept-Encoding": ACCEPT_ENCODING}
    )
    if request.validators.etag is not None:
        headers["If-None-Match"] = request.validators.etag
    if request.validators.last_modified is not None:
        headers["If-Modified-Since"] = request.validators.last_modified
    origin = request.origin or request.url
    if keeps_credentials(origin, url):
        parts = urlsplit(origin)
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
        headers.update(pair for pair in request.headers if is_whole or pair[0].lower() not in _OF_THE_BODY)
    return headers


def _status_text(response: requests.Response, exchange: Exchange) -> str:
    status = response.status_code
    if status == 304:
        return "304 Not Modified, although nothing was asked about"
    words = status_words(status)
    if status in _WALL_STATUSES and _is_wall(response.raw, exchange):
        return f"{words}: challenge page instead of a feed"
    return words + status_meaning(status)


def _says_challenge(raw: HTTPResponse) -> bool:
    return bool(raw.headers.get("cf-mitigated") == "challenge")


def _is_wall(raw: HTTPResponse, exchange: Exchange) -> bool:
    if _says_challenge(raw):
        return True
    # The status is what counts: whatever goes wrong with the page does not matter any more.
    with suppress(FetchError, *FOREIGN):
        return is_challenge(read_body(raw, exchange, _WALL_SIZE).decode("latin-1"))
    return False
