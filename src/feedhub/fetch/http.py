"""Reading an HTTP response: validators, freshness, redirects, cookies, and a body that is decoded within its limit."""

import re
import sys
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import SplitResult, quote, urldefrag, urljoin, urlsplit, urlunsplit

import brotli
import requests
from requests.cookies import RequestsCookieJar, extract_cookies_to_jar, get_cookie_header
from urllib3 import HTTPResponse

from feedhub.errors import FetchError, RedirectError, TooLargeError, TruncatedError
from feedhub.fetch.watchdog import Exchange
from feedhub.model.document import Freshness, Redirect, Validators

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# RFC 9111 §1.2.2: a number of seconds too big to hold counts as 2^31.
_MAX_SECONDS = 2**31
_MAX_VALIDATOR = 2_048
_MAX_AGE = re.compile(r'(?:^|[,\s])max-age\s*=\s*"?(\d{1,20})', re.ASCII | re.IGNORECASE)
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?\s*([A-Za-z0-9._:+-]{1,40})", re.IGNORECASE)
_SECONDS = re.compile(r"\d{1,20}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def validators_of(headers: Mapping[str, str]) -> Validators:
    """Return ``ETag`` and ``Last-Modified`` exactly as received; a value that cannot be sent back counts as missing."""
    return Validators(etag=_opaque(headers.get("ETag")), last_modified=_opaque(headers.get("Last-Modified")))


def freshness_of(headers: Mapping[str, str], now: datetime) -> Freshness:
    """Return ``Cache-Control: max-age``, ``Expires`` and ``Retry-After``; invalid values and past times are left out.

    Dates are compared with the ``Date`` of the server, so that its clock may be wrong.
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
DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_LOCATION = 8_192
# RFC 6265 §6.1 asks for 50 cookies of a domain; many servers refuse header fields of more than 8 KB.
_MOST_COOKIES = 50
_LONGEST_COOKIES = 8_192
_PRINTABLE = "".join(chr(code) for code in range(33, 127))


class ReceivedCookies:
    """The cookies that the answers of one fetch set (RFC 6265), each sent to the origin that set it and to no other.

    Servers set a cookie and redirect to the same address, or to one that redirects back: without it, that has no end.
    ``Domain`` widens nothing, since which domains have one owner is not known here.
    """

    def __init__(self) -> None:
        self._jars: dict[str, RequestsCookieJar] = {}

    def take(self, url: str, response: requests.Response) -> None:
        """Keep what the answer of ``url`` sets, under the rules for path, expiry and ``Secure``."""
        if "Set-Cookie" not in response.headers:
            return
        own = next((jar for origin, jar in self._jars.items() if is_same_origin(origin, url)), None)
        jar = self._jars.setdefault(url, RequestsCookieJar()) if own is None else own
        extract_cookies_to_jar(jar, _prepared(url), response.raw)  # type: ignore[no-untyped-call]

    def field(self, url: str, configured: str = "") -> str:
        """Return the ``Cookie`` field for ``url``; a received cookie replaces a configured one of the same name."""
        if not self._jars:
            return configured
        pairs = dict(_cookie_pairs(configured))
        for origin, jar in self._jars.items():
            if keeps_credentials(origin, url):
                sent = get_cookie_header(jar, _prepared(url))  # type: ignore[no-untyped-call]
                pairs.update(_cookie_pairs(sent or ""))
        field = ""
        for name, value in list(pairs.items())[:_MOST_COOKIES]:
            longer = f"{field}; {name}{value}" if field else f"{name}{value}"
            field = longer if len(longer) <= _LONGEST_COOKIES else field
        return field


def _prepared(url: str) -> requests.PreparedRequest:
    prepared = requests.PreparedRequest()
    prepared.prepare_method("GET")
    prepared.prepare_url(url, None)
    prepared.prepare_headers({})
    return prepared


def _cookie_pairs(field: str) -> Iterator[tuple[str, str]]:
    """Yield the cookies of a ``Cookie`` field; a name includes its sign of equality, which may be missing."""
    for pair in field.split(";"):
        name, equals, value = pair.strip().partition("=")
        if name or value:
            yield name + equals, value


class RedirectChain:
    """The redirects that one fetch has followed so far; ``url`` is the address to be asked now."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.hops: tuple[Redirect, ...] = ()
        self.cookies = ReceivedCookies()
        self._visited = {(urldefrag(url).url, "")}

    @property
    def keeps_method(self) -> bool:
        """Whether method and body stay those of the request: 301, 302 and 303 make a POST a GET (RFC 9110 §15.4)."""
        return all(hop.status in _SAME_METHOD for hop in self.hops)

    def follow(self, status: int, headers: Mapping[str, str]) -> None:
        """Take the address in ``Location`` as the next one (RFC 9110 §10.2.2).

        Raises:
            RedirectError: no usable target, an address asked with the same cookies before, or more hops than allowed.
        """
        if len(self.hops) == MAX_REDIRECTS:
            raise RedirectError(f"more than {MAX_REDIRECTS} redirects", status=status)
        target = _target(self.url, status, headers.get("Location"))
        visit = (target, self.cookies.field(target))
        if visit in self._visited:
            raise RedirectError(f"redirect loop after {len(self.hops) + 1} hops", status=status)
        self._visited.add(visit)
        self.hops = (*self.hops, Redirect(status=status, url=target))
        self.url = target


def _target(current: str, status: int, location: str | None) -> str:
    if not location or not location.strip():
        raise RedirectError(f"{status} redirect without a target", status=status)
    if len(location) > _MAX_LOCATION:
        raise RedirectError(f"{status} redirect to an address of more than {_MAX_LOCATION} characters", status=status)
    if "\\" in location:
        # Parsers of URLs disagree about which part of such an address is the host.
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
    """Read as UTF-8, which many servers write, what arrives as Latin-1 as all header fields do."""
    try:
        return location.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return location


def _as_ascii(url: str) -> str:
    """Encode characters that no URL may contain; a target that is encoded already stays as it is."""
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
    """Tell whether credentials for ``origin`` may be sent to ``target``.

    They may if scheme, host and port are the same, or for the step from http to https on one host and the usual ports.
    """
    if is_same_origin(origin, target):
        return True
    first, second = _origin(urlsplit(origin)), _origin(urlsplit(target))
    return first[0] == second[0] and first[1:] == ("http", 80) and second[1:] == ("https", 443)


def is_same_origin(first: str, second: str) -> bool:
    """Tell whether scheme, host and port of two addresses are the same."""
    return first == second or _origin(urlsplit(first)) == _origin(urlsplit(second))


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    return (parts.hostname or "").rstrip("."), parts.scheme, parts.port or DEFAULT_PORTS.get(parts.scheme)


# Content codings (RFC 9110 §8.4), decoded piece by piece, with a known end. urllib3 can decode them too, but it does
# not tell when a gzip stream ends early, and a cut stream must be an error (GUARANTEES 9). Every decoder gives pieces
# of bounded size, so that a bomb is stopped while it inflates.

ACCEPT_ENCODING = "gzip, deflate, br, zstd"
PIECE = 65_536

# Servers write these for "none"; some write a charset into this header by mistake.
_NO_CODINGS = frozenset({"", "identity", "none", "binary", "8bit", "utf-8", "utf8"})
# RFC 9659: the window that a decoder of zstd over HTTP has to support, which bounds its memory.
_ZSTD_WINDOW_LOG = 23


class Decoder(Protocol):
    """Decodes one coding. ``is_complete`` tells whether the end of the stream was seen."""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Decode the next part of the stream into pieces of about ``PIECE`` bytes at most.

        Raises:
            FetchError: this is not a stream of this coding.
        """
        ...

    @property
    def is_complete(self) -> bool: ...


def decoder_for(content_encoding: str | None) -> Decoder | None:
    """Return the decoder for a ``Content-Encoding`` header; None when the body is sent as it is.

    Raises:
        FetchError: a coding that was not asked for.
    """
    names = [name.strip().lower() for name in (content_encoding or "").split(",")]
    names = [name for name in names if name not in _NO_CODINGS]
    # Only one coding: the bytes between two could not be counted, and a bomb could hide there.
    match ",".join(names):
        case "":
            return None
        case "gzip" | "x-gzip":
            return _Gzip()
        case "deflate":
            return _Deflate()
        case "br":
            return _Brotli()
        case "zstd":
            return _Zstd()
        case _:
            raise FetchError("the answer has a content coding that was not asked for")


class _Gzip:
    """RFC 1952; members may follow each other, and anything after the last one is ignored, as in browsers."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(16 + zlib.MAX_WBITS)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._stream.eof:
                if not data.startswith(b"\x1f"):
                    return
                self._stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
            yield from _inflate(self._stream, data, "gzip")
            data = self._stream.unused_data

    @property
    def is_complete(self) -> bool:
        return self._stream.eof


class _Deflate:
    """RFC 9110 §8.4.1.2 says zlib, but many servers send raw deflate; the first two bytes show which it is."""

    def __init__(self) -> None:
        self._head = b""
        self._stream: zlib._Decompress | None = None

    def pieces(self, data: bytes) -> Iterator[bytes]:
        if self._stream is None:
            data = self._head + data
            if len(data) < 2:
                self._head = data
                return
            is_zlib = data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)
        if not self._stream.eof:
            yield from _inflate(self._stream, data, "deflate")

    @property
    def is_complete(self) -> bool:
        return self._stream is not None and self._stream.eof


def _inflate(stream: "zlib._Decompress", data: bytes, name: str) -> Iterator[bytes]:
    try:
        while True:
            piece = stream.decompress(data, PIECE)
            if piece:
                yield piece
            data = stream.unconsumed_tail
            # Without input left there may still be output inside, as long as pieces come out at full size.
            if stream.eof or (not data and len(piece) < PIECE):
                return
    except zlib.error as exc:
        raise FetchError(f"the body is not the {name} that its header says") from exc


class _Brotli:
    """RFC 7932."""

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    def pieces(self, data: bytes) -> Iterator[bytes]:
        if self._stream.is_finished():
            return
        try:
            while True:
                piece = self._stream.process(data, output_buffer_limit=PIECE)
                data = b""
                if piece:
                    yield piece
                # That it can take more input does not mean that it gave all output; only an empty piece does.
                if self._stream.is_finished() or (not piece and self._stream.can_accept_more_data()):
                    return
        except brotli.error as exc:
            raise FetchError("the body is not the br that its header says") from exc

    @property
    def is_complete(self) -> bool:
        return bool(self._stream.is_finished())


class _Zstd:
    """RFC 8878; frames may follow each other."""

    def __init__(self) -> None:
        self._stream = _new_zstd()

    def pieces(self, data: bytes) -> Iterator[bytes]:
        try:
            while data or not (self._stream.needs_input or self._stream.eof):
                if self._stream.eof:
                    self._stream = _new_zstd()
                piece = self._stream.decompress(data, PIECE)
                data = self._stream.unused_data if self._stream.eof else b""
                if piece:
                    yield piece
        except zstd.ZstdError as exc:
            raise FetchError("the body is not the zstd that its header says") from exc

    @property
    def is_complete(self) -> bool:
        return self._stream.eof


def _new_zstd() -> zstd.ZstdDecompressor:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})


_SHORT = 16_384


def read_body(raw: HTTPResponse, exchange: Exchange, max_size: int) -> bytes:
    """Return the whole body, decoded.

    Raises:
        TooLargeError: more than ``max_size`` decoded bytes; the rest is not decoded.
        TruncatedError: the stream ended inside its coding.
        DeadlineError: the watchdog ended the exchange.
        FetchError: the coding is not what the header says.
    """
    decoder = decoder_for(raw.headers.get("content-encoding"))
    if decoder is None and (raw.length_remaining or 0) > max_size:
        raise _too_large(max_size)
    parts: list[bytes] = []
    received = decoded = 0
    # Compressed data may go on after the end of its stream, and empty members decode to nothing: the exchange counts.
    while chunk := raw.read1(PIECE, decode_content=False):
        exchange.remaining()
        received += len(chunk)
        for piece in decoder.pieces(chunk) if decoder else (chunk,):
            decoded += len(piece)
            if decoded > max_size:
                raise _too_large(max_size)
            parts.append(piece)
    if exchange.expired:
        raise exchange.deadline_error()
    if decoder and received and not decoder.is_complete:
        raise TruncatedError("the compressed body ends in the middle")
    return b"".join(parts)


def release(raw: HTTPResponse) -> None:
    """Read what little is left of an answer, so that the connection can be used again; else close it."""
    if raw.length_remaining is not None and raw.length_remaining <= _SHORT:
        while raw.read1(_SHORT, decode_content=False):
            pass
    raw.close()


def _too_large(max_size: int) -> TooLargeError:
    return TooLargeError(f"the body is larger than {max_size} bytes")
