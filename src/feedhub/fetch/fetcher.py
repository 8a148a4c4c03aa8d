"""The fetchers: for HTTP (SPEC §8, §9), and one that has it and that for local files behind one port."""

import base64
import hashlib
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from urllib.parse import unquote, urlsplit

import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPResponse

from feedhub.errors import FetchError, HttpStatusError, RedirectError, UnreachableError
from feedhub.fetch.connections import DialedAdapter, Dialer, Lookup
from feedhub.fetch.failures import (
    LIBRARY_ERRORS,
    certificate_dates,
    certificate_time_fault,
    fetch_error,
    status_meaning,
    status_text,
)
from feedhub.fetch.guard import AddressGuard
from feedhub.fetch.http import (
    ACCEPT_ENCODING,
    DEFAULT_PORTS,
    REDIRECT_STATUSES,
    RedirectChain,
    charset_of,
    freshness_of,
    keeps_credentials,
    read_body,
    release,
    validators_of,
    without_userinfo,
)
from feedhub.fetch.local import LocalFetcher, Reads
from feedhub.fetch.throttle import Slot, Throttle
from feedhub.fetch.watchdog import Exchange, Watchdog
from feedhub.model.document import Document, NotModified, Request, Validators
from feedhub.model.source import PollSettings
from feedhub.ports.world import Fetcher
from feedhub.rules.pacing import group_key, host_name, host_pace, most_concurrent
from feedhub.rules.requests import is_challenge

_ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.3"
)
_MAX_WAIT_FOR_SLOT = 600.0
# Of the successes (RFC 9110 §15.3), these come with the whole document, as 226 of RFC 3229 does: no part was asked for.
_COMPLETE_STATUSES = frozenset({200, 202, 203, 226})
_CHALLENGE_STATUSES = frozenset({403, 429, 503})
_CHALLENGE_SIZE = 65_536
# Header fields, and what frames the chunks of a body.
_BESIDE_THE_BODY = 262_144
_BODY_FIELDS = frozenset({"content-type", "content-encoding", "content-language"})
_PRIVATE_FIELDS = frozenset({"set-cookie", "set-cookie2"})


class _StaleConnectionError(Exception):
    """A kept connection was closed by the server: the request is to be sent again over a new one."""


class HttpFetcher:
    """``Fetcher`` for http and https: polite, bounded, conditional.

    ``now`` returns the current instant in aware UTC. ``ca_bundle`` is a file of certificates to trust instead of
    those that requests brings, ``lookup`` resolves names instead of the operating system. ``throttle`` is taken over
    from an earlier fetcher. Waiting for the host's slot does not count against a request's time. With ``most_requests``
    it sends so many in all, those for redirects included, and is for one thread.
    """

    def __init__(
        self,
        settings: PollSettings,
        *,
        now: Callable[[], datetime],
        ca_bundle: str | None = None,
        lookup: Lookup | None = None,
        throttle: Throttle | None = None,
        most_requests: int | None = None,
    ) -> None:
        self._now = now
        self._requests_left = most_requests
        self._ca_bundle = ca_bundle or DEFAULT_CA_BUNDLE_PATH
        self._guard = AddressGuard(settings.allow_private)
        self._dialer = Dialer(self._guard, lookup)
        most = most_concurrent(settings)
        self._adapter = DialedAdapter(self._dialer, connections_per_host=most, ca_bundle=ca_bundle)
        pace, group = partial(host_pace, settings=settings), partial(group_key, settings=settings)
        self.throttle = throttle or Throttle(pace, group)
        self.throttle.reconfigure(pace, group)
        self._watchdog = Watchdog()
        self._is_closed = False

    def fetch(self, request: Request) -> Document | NotModified:
        """See ``Fetcher.fetch``."""
        self._guard.check_url(request.url)
        chain = RedirectChain(without_userinfo(request.url))
        left, is_repeat = request.timeout, False
        while True:
            self._guard.check_url(chain.url)
            _check_body_target(request, chain)
            self._count_request()
            with self.throttle.slot(host_name(chain.url), _MAX_WAIT_FOR_SLOT, lambda: self._is_closed) as slot:
                started = time.monotonic()
                try:
                    answer = self._exchange(request, chain, left, slot, is_repeat=is_repeat)
                    is_repeat = False
                except _StaleConnectionError:
                    # The repeated request waits for a slot of its own, as any other.
                    is_repeat, answer = True, None
            if answer is not None:
                return answer
            left -= time.monotonic() - started

    def _count_request(self) -> None:
        if self._requests_left is None:
            return
        if not self._requests_left:
            raise FetchError("no further request is made")
        self._requests_left -= 1

    def close(self) -> None:
        """End fetches under way and close all connections."""
        self._is_closed = True
        self._watchdog.close()
        self.throttle.wake()
        self._adapter.close()

    def _exchange(
        self, request: Request, chain: RedirectChain, left: float, slot: Slot, *, is_repeat: bool
    ) -> Document | NotModified | None:
        """Send one request. None: the answer was a redirect, which ``chain`` has followed."""
        response: requests.Response | None = None
        with self._watchdog.watch(left, request.timeout, slot.sent) as exchange, self._dialer.during(exchange):
            try:
                exchange.needs_new_connection = is_repeat
                exchange.most_received = request.max_size + _BESIDE_THE_BODY
                response = self._send(request, chain, exchange)
                return self._answer(request, chain, response, exchange)
            except FetchError as exc:
                # After the watchdog has shut a connection down, any error may come of it.
                if exchange.expired and not isinstance(exc, UnreachableError):
                    raise exchange.deadline_error() from exc
                raise
            except LIBRARY_ERRORS as exc:
                if exchange.expired:
                    raise exchange.deadline_error() from exc
                is_reading = response is not None
                # That the server closed a kept connection meanwhile says nothing about the source.
                if exchange.reused and not is_reading and isinstance(exc, requests.ConnectionError):
                    raise _StaleConnectionError from exc
                time_fault = partial(self._time_fault, request, chain.url)
                host, late = urlsplit(chain.url).hostname or "", exchange.deadline_error()
                raise fetch_error(exc, host, is_reading=is_reading, deadline_error=late, time_fault=time_fault) from exc
            finally:
                if response is not None:
                    response.raw.close()

    def _send(self, request: Request, chain: RedirectChain, exchange: Exchange) -> requests.Response:
        url = chain.url
        is_whole = chain.keeps_method
        prepared = requests.PreparedRequest()
        prepared.prepare_method(request.method if is_whole else "GET")
        prepared.prepare_url(url, None)
        headers = _headers(request, url, is_whole=is_whole)
        if cookies := chain.cookies.field(url, headers.get("Cookie", "")):
            headers["Cookie"] = cookies
        prepared.prepare_headers(headers)
        prepared.prepare_body(request.body if is_whole else None, None)
        proxies = self._proxies(request, prepared.url or url)
        return self._adapter.send(prepared, stream=True, timeout=exchange.remaining(), proxies=proxies)

    def _time_fault(self, request: Request, url: str, error: ssl.SSLCertVerificationError) -> str:
        # Through a proxy the certificate is not looked at a second time: the connection is not ours.
        ask = partial(certificate_dates, self._dialer, url, self._ca_bundle)
        return certificate_time_fault(error, dict if request.proxy else ask, self._now())

    def _proxies(self, request: Request, url: str) -> dict[str, str] | None:
        if not request.proxy:
            return None
        if urlsplit(request.proxy).scheme not in {"http", "https"}:
            raise FetchError("the proxy's address must begin with http:// or https://")
        parts = urlsplit(url)
        self._dialer.check_target(parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme])
        return {parts.scheme: request.proxy}

    def _answer(
        self, request: Request, chain: RedirectChain, response: requests.Response, exchange: Exchange
    ) -> Document | NotModified | None:
        status = response.status_code
        exchange.remaining()
        if "Content-Length" in response.headers and "Transfer-Encoding" in response.headers:
            # RFC 9112 §6.3: whoever is between may have read another answer than we would.
            raise FetchError("the answer contradicts itself about its length", status=status)
        if status in _COMPLETE_STATUSES:
            if _says_challenge(response.raw):
                raise FetchError("challenge page instead of a feed", status=status)
            return self._document(request, chain, response, exchange)
        if status == 304 and request.validators != Validators():
            release(response.raw)
            return self._not_modified(request, chain, response)
        if status in REDIRECT_STATUSES:
            release(response.raw)
            chain.cookies.take(chain.url, response)
            chain.follow(status, response.headers)
            return None
        retry_at = freshness_of(response.headers, self._now()).retry_at
        raise HttpStatusError(_status_reason(response, exchange), status=status, retry_at=retry_at)

    def _document(
        self, request: Request, chain: RedirectChain, response: requests.Response, exchange: Exchange
    ) -> Document:
        body = read_body(response.raw, exchange, request.max_size)
        if not body:
            raise FetchError("empty answer", status=response.status_code)
        headers = response.headers
        content_type = headers.get("Content-Type")
        return Document(
            url=chain.url,
            body=body,
            digest=hashlib.sha256(body).hexdigest(),
            content_type=content_type,
            charset=charset_of(content_type),
            validators=validators_of(headers),
            freshness=freshness_of(headers, self._now()),
            redirects=chain.hops,
            headers=tuple(pair for pair in headers.items() if pair[0].lower() not in _PRIVATE_FIELDS),
            fetched_at=self._now(),
        )

    def _not_modified(self, request: Request, chain: RedirectChain, response: requests.Response) -> NotModified:
        received, sent = validators_of(response.headers), request.validators
        return NotModified(
            url=chain.url,
            validators=Validators(
                etag=received.etag or sent.etag, last_modified=received.last_modified or sent.last_modified
            ),
            freshness=freshness_of(response.headers, self._now()),
            redirects=chain.hops,
        )


def _check_body_target(request: Request, chain: RedirectChain) -> None:
    if request.body and chain.keeps_method and not keeps_credentials(request.origin or request.url, chain.url):
        status = chain.hops[-1].status if chain.hops else None
        raise RedirectError("redirect to another site, which must not get the body of the request", status=status)


def _headers(request: Request, url: str, *, is_whole: bool) -> CaseInsensitiveDict[str]:
    """Return the header fields for one hop; fields that are for the origin only are left out at any other host.

    ``is_whole``: the body is sent too, if there is one, and with it the fields that describe it.
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
        headers.update(pair for pair in request.headers if is_whole or pair[0].lower() not in _BODY_FIELDS)
    return headers


def _status_reason(response: requests.Response, exchange: Exchange) -> str:
    status = response.status_code
    if status == 304:
        return "304 Not Modified, although nothing was asked about"
    words = status_text(status)
    if status in _CHALLENGE_STATUSES and _is_challenge_page(response.raw, exchange):
        return f"{words}: challenge page instead of a feed"
    return words + status_meaning(status)


def _says_challenge(raw: HTTPResponse) -> bool:
    return bool(raw.headers.get("cf-mitigated") == "challenge")


def _is_challenge_page(raw: HTTPResponse, exchange: Exchange) -> bool:
    if _says_challenge(raw):
        return True
    # The status has decided already, so an error while the page is read does not matter.
    with suppress(FetchError, *LIBRARY_ERRORS):
        return is_challenge(read_body(raw, exchange, _CHALLENGE_SIZE).decode("latin-1"))
    return False


@dataclass(frozen=True, slots=True)
class SharedParts:
    """What the fetcher of the next configuration takes over: limits of hosts, and files that are still waited for."""

    throttle: Throttle
    reads: Reads


class SchemeFetcher:
    """Gives each request to the fetcher for its scheme; the one for HTTP refuses all schemes but http(s)."""

    def __init__(self, *, local: Fetcher, http: Fetcher, shared: SharedParts) -> None:
        self.shared = shared
        self._local = local
        self._http = http

    def fetch(self, request: Request) -> Document | NotModified:
        """See ``Fetcher.fetch``."""
        is_file = urlsplit(request.url).scheme == "file"
        return self._local.fetch(request) if is_file else self._http.fetch(request)

    def close(self) -> None:
        """Close both."""
        self._local.close()
        self._http.close()


def build_fetcher(
    settings: PollSettings,
    now: Callable[[], datetime],
    shared: SharedParts | None = None,
    *,
    most_requests: int | None = None,
) -> SchemeFetcher:
    """Return the fetcher for a configuration. ``now`` returns the current instant in aware UTC.

    ``shared`` are parts of the fetcher before this one. They go on under the new limits, and still count the requests
    that the other has under way. ``most_requests``: see ``HttpFetcher``.
    """
    http = HttpFetcher(settings, now=now, throttle=shared.throttle if shared else None, most_requests=most_requests)
    reads = shared.reads if shared else Reads()
    return SchemeFetcher(local=LocalFetcher(reads), http=http, shared=SharedParts(http.throttle, reads))
