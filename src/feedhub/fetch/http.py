"""HTTP: one polite, bounded, conditional GET, or a POST (SPEC §8, §9)."""

import base64
import hashlib
import re
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from urllib.parse import SplitResult, quote, unquote, urldefrag, urljoin, urlsplit, urlunsplit

import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPResponse

from feedhub.errors import FetchError, HttpStatusError, RedirectError, UnreachableError
from feedhub.fetch.body import ACCEPT_ENCODING, read_body, release
from feedhub.fetch.connections import DialedAdapter, Dialer, Lookup
from feedhub.fetch.failures import FOREIGN, certificate_dates, in_words, status_meaning, status_words, words_about_time
from feedhub.fetch.guard import AddressGuard
from feedhub.fetch.throttle import Slot, Throttle
from feedhub.fetch.watchdog import Exchange, Watchdog
from feedhub.model.document import Document, Freshness, NotModified, Redirect, Request, Validators
from feedhub.model.source import PollSettings
from feedhub.rules.challenges import is_challenge
from feedhub.rules.pacing import group_key, host_name, host_pace, most_concurrent

# RFC 9111 §1.2.2: a number of seconds too big to hold counts as 2^31.
_MAX_SECONDS = 2**31
_MAX_VALIDATOR = 2_048
_MAX_AGE = re.compile(r'(?:^|[,\s])max-age\s*=\s*"?(\d{1,20})', re.ASCII | re.IGNORECASE)
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?\s*([A-Za-z0-9._:+-]{1,40})", re.IGNORECASE)
_SECONDS = re.compile(r"\d{1,20}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def validators_of(headers: Mapping[str, str]) -> Validators:
    """Return ``ETag`` and ``Last-Modified`` exactly as received; what cannot be sent back counts as missing."""
    return Validators(etag=_opaque(headers.get("ETag")), last_modified=_opaque(headers.get("Last-Modified")))


def freshness_of(headers: Mapping[str, str], now: datetime) -> Freshness:
    """Return ``Cache-Control: max-age``, ``Expires`` and ``Retry-After``; garbage and the past are left out.

    Dates are read against the server's own ``Date``, so that a wrong clock over there does no harm.
    """
    server_now = http_date(headers.get("Date")) or now
    return Freshness(
        max_age=_max_age(headers.get("Cache-Control")),
        expires_at=_later(http_date(headers.get("Expires")), server_now, now),
        retry_at=_retry_at(headers.get("Retry-After"), server_now, now),
    )


def charset_of(content_type: str | None) -> str | None:
    """Return the charset that a ``Content-Type`` field declares."""
    found = _CHARSET.search(content_type or "")
    return found[1] if found else None


def http_date(text: str | None) -> datetime | None:
    """Read a date in any of the three forms of RFC 9110 §5.6.7; None for anything else."""
    if not text:
        return None
    try:
        parsed = parsedate_to_datetime(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _opaque(value: str | None) -> str | None:
    if not value or len(value) > _MAX_VALIDATOR or _CONTROL.search(value):
        return None
    return value


def _max_age(cache_control: str | None) -> int | None:
    found = _MAX_AGE.search(cache_control or "")
    return min(int(found[1]), _MAX_SECONDS) if found else None


def _retry_at(value: str | None, server_now: datetime, now: datetime) -> datetime | None:
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        seconds = min(int(text), _MAX_SECONDS)
        return now + timedelta(seconds=seconds) if seconds else None
    return _later(http_date(text), server_now, now)


def _later(instant: datetime | None, server_now: datetime, now: datetime) -> datetime | None:
    if instant is None or instant <= server_now:
        return None
    return now + min(instant - server_now, timedelta(seconds=_MAX_SECONDS))


MAX_REDIRECTS = 5
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})

_SAME_METHOD = frozenset({307, 308})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_LOCATION = 8_192
_PRINTABLE = "".join(chr(code) for code in range(33, 127))


class Trail:
    """The hops of one fetch, from the address that was asked for; ``url`` is where we are."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.hops: tuple[Redirect, ...] = ()
        self._visited = {urldefrag(url).url}

    @property
    def keeps_method(self) -> bool:
        """Whether method and body are still the request's: 301, 302 and 303 make a POST a GET (RFC 9110 §15.4)."""
        return all(hop.status in _SAME_METHOD for hop in self.hops)

    def follow(self, status: int, headers: Mapping[str, str]) -> None:
        """Go where ``Location`` says (RFC 9110 §10.2.2).

        Raises:
            RedirectError: no usable target, a place that was visited already, or more hops than allowed.
        """
        if len(self.hops) == MAX_REDIRECTS:
            raise RedirectError(f"more than {MAX_REDIRECTS} redirects", status=status)
        target = _target(self.url, status, headers.get("Location"))
        if target in self._visited:
            raise RedirectError(f"redirect loop after {len(self.hops) + 1} hops", status=status)
        self._visited.add(target)
        self.hops = (*self.hops, Redirect(status=status, url=target))
        self.url = target


def _target(current: str, status: int, location: str | None) -> str:
    if not location or not location.strip():
        raise RedirectError(f"{status} redirect without a target", status=status)
    if len(location) > _MAX_LOCATION:
        raise RedirectError(f"{status} redirect to an address of more than {_MAX_LOCATION} characters", status=status)
    if "\\" in location:
        # Readers of URLs disagree about which part of it is the host.
        raise RedirectError(f"{status} redirect to an address that cannot be read", status=status)
    try:
        target = urldefrag(urljoin(current, _readable(location.strip()))).url
        target = _as_ascii(without_userinfo(target))
        parts = urlsplit(target)
        _ = parts.port
    except ValueError as exc:
        raise RedirectError(f"{status} redirect to an address that cannot be read", status=status) from exc
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise RedirectError(f"{status} redirect to something other than http or https", status=status)
    return target


def _readable(location: str) -> str:
    """Undo the Latin-1 in which header fields arrive; many servers write UTF-8."""
    try:
        return location.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return location


def _as_ascii(url: str) -> str:
    """Encode what no URL may hold; a target that is encoded already stays as it is."""
    parts = urlsplit(url)
    netloc = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode("ascii")
    path, query = (quote(part, safe=_PRINTABLE) for part in (parts.path, parts.query))
    return urlunsplit(parts._replace(netloc=netloc, path=path, query=query))


def without_userinfo(url: str) -> str:
    """Return ``url`` without ``user:password@``, so that it can be stored and shown (GUARANTEES 4)."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def keeps_credentials(origin: str, target: str) -> bool:
    """Whether what was given for ``origin`` may be sent to ``target``.

    The same scheme, host and port; or the step from http to https on one host and the usual ports.
    """
    first, second = _origin(urlsplit(origin)), _origin(urlsplit(target))
    if first == second:
        return True
    return first[0] == second[0] and first[1:] == ("http", 80) and second[1:] == ("https", 443)


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    return (parts.hostname or "").rstrip("."), parts.scheme, parts.port or _DEFAULT_PORTS.get(parts.scheme)


_ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.3"
)
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
