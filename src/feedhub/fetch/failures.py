"""Our errors for exceptions of libraries, in plain words.

The texts of those exceptions are never shown: they contain addresses, and addresses may contain secrets.
"""

import http.client
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError
from urllib3.exceptions import InvalidHeader as InvalidLength

from feedhub.errors import DeadlineError, FetchError, TruncatedError
from feedhub.fetch.connections import Dialer

# OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the ssl module has no name for.
_NO_CHECK_TIME = 0x200000
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_EXPIRED, _TOO_EARLY = 10, 9


def certificate_time_fault(
    error: ssl.SSLCertVerificationError, dates: Callable[[], dict[str, datetime]], now: datetime
) -> str:
    """Return what is wrong with the time of a certificate; "" if something else is wrong.

    ``dates`` returns ``notBefore`` and ``notAfter``, or nothing when they are not known.
    """
    if error.verify_code == _EXPIRED:
        ended = dates().get("notAfter")
        # The certificate that expired may also be one of its issuers'.
        return "certificate expired" + (f" {_ago((now - ended).total_seconds())}" if ended and ended < now else "")
    if error.verify_code == _TOO_EARLY:
        begins = dates().get("notBefore")
        return "certificate not valid " + (f"before {begins:%Y-%m-%d %H:%M} UTC" if begins and begins > now else "yet")
    return ""


def certificate_dates(dialer: Dialer, url: str, bundle: str) -> dict[str, datetime]:
    """Return ``notBefore`` and ``notAfter`` of the certificate of ``url``; empty when it cannot be read.

    This makes a second connection under the guard and the deadline of the exchange. Everything but the time is
    verified, and no request is sent.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=bundle)
    context.verify_flags |= _NO_CHECK_TIME
    with suppress(FetchError, OSError, ValueError):
        sock = dialer.dial(host, parts.port or 443, (), is_trusted=False)
        sock.settimeout(dialer.exchange.remaining())
        with sock, context.wrap_socket(sock, server_hostname=host) as tls:
            shown = tls.getpeercert() or {}
        return {name: _instant(shown[name]) for name in ("notBefore", "notAfter") if name in shown}
    return {}


def _instant(text: object) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(text)), UTC)


def _ago(seconds: float) -> str:
    for unit, name in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        count = int(seconds // unit)
        if count:
            return f"{count} {name}{'' if count == 1 else 's'} ago"
    return "just now"


LIBRARY_ERRORS = (requests.RequestException, HTTPError, http.client.HTTPException, OSError, ValueError)

TimeFault = Callable[[ssl.SSLCertVerificationError], str]

_CERTIFICATE_FAULTS = {
    18: "certificate not trusted: signed by itself",
    19: "certificate not trusted: unknown authority",
    20: "certificate not trusted: unknown authority",
    21: "certificate not trusted: unknown authority",
    23: "certificate revoked",
}
_NAME_MISMATCHES = frozenset({62, 64})
# What a status means for a reader who does not know the phrases of the standard.
_MEANINGS = {
    400: "the server does not understand the request",
    401: "a user name, password or token is needed",
    403: "the server does not let us in",
    404: "there is nothing at this address",
    406: "the server has no form of it that we can read",
    410: "removed for good",
    429: "the server was asked too often",
    500: "an error on the server's side",
    502: "an error on the server's side",
    503: "the server is overloaded or under maintenance",
    504: "an error on the server's side",
}
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")


def fetch_error(
    error: BaseException, host: str, *, is_reading: bool, deadline_error: DeadlineError, time_fault: TimeFault
) -> FetchError:
    """Return our error for one of a library. ``is_reading``: the header had come, and the body was being read.

    ``time_fault`` returns what is wrong with the time of a certificate, "" if something else is.
    """
    causes = list(_causes(error))
    return (
        _timeout(causes, deadline_error)
        or _tls_fault(causes, host, time_fault, is_reading=is_reading)
        or _proxy_fault(causes)
        or _broken_transfer(causes, host, is_reading=is_reading)
        or _anything_else(causes, host)
    )


def status_text(status: int) -> str:
    """Return a status with the phrase of the standard; the phrase that the server sent is not trusted."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} (unknown status)"


def status_meaning(status: int) -> str:
    """Return what a status means, in brackets; "" where its phrase says it."""
    meaning = _MEANINGS.get(status)
    return f" ({meaning})" if meaning else ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all that it wraps: requests and urllib3 put causes into ``args`` and ``reason``."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]


def _timeout(causes: list[BaseException], deadline_error: DeadlineError) -> FetchError | None:
    # The timeout of the socket was what was left of the whole, so the whole time is over.
    return deadline_error if any(isinstance(each, TimeoutError | requests.Timeout) for each in causes) else None


def _tls_fault(causes: list[BaseException], host: str, time_fault: TimeFault, *, is_reading: bool) -> FetchError | None:
    for each in causes:
        if isinstance(each, ssl.SSLCertVerificationError):
            if each.verify_code in _NAME_MISMATCHES:
                return FetchError(f"certificate of another site, not of {host}")
            fault = time_fault(each) or _CERTIFICATE_FAULTS.get(each.verify_code, "certificate not valid")
            return FetchError(f"{fault} ({host})")
    if any(isinstance(each, ssl.SSLError) for each in causes):
        return _broken_off() if is_reading else FetchError(f"no secure connection (https) with {host} came about")
    return None


def _broken_off() -> TruncatedError:
    return TruncatedError("the connection broke off in the middle of the document")


def _proxy_fault(causes: list[BaseException]) -> FetchError | None:
    for each in causes:
        found = _TUNNEL.search(str(each)) if isinstance(each, OSError) else None
        if found:
            return FetchError(f"the proxy refused to connect: {status_text(int(found[1]))}")
    return None


def _broken_transfer(causes: list[BaseException], host: str, *, is_reading: bool) -> FetchError | None:
    if is_reading:
        if any(isinstance(each, http.client.IncompleteRead | ConnectionError) for each in causes):
            return _broken_off()
        return None
    for each in causes:
        match each:
            case http.client.RemoteDisconnected():
                return FetchError(f"{host} closed the connection without an answer")
            case ConnectionError():
                return FetchError(f"{host} broke off the connection")
            case http.client.BadStatusLine():
                return FetchError(f"what answers at {host} is no web server")
            case http.client.LineTooLong():
                return FetchError("the header of the answer is too large")
    return None


def _anything_else(causes: list[BaseException], host: str) -> FetchError:
    if any(isinstance(each, InvalidLength) for each in causes):
        return FetchError("the answer contradicts itself about its length")
    if any(isinstance(each, ValueError) for each in causes):
        # InvalidURL, InvalidHeader and UnicodeError are ValueErrors, and nothing was sent.
        return FetchError("the address or a configured header cannot be sent")
    if any(type(each) is http.client.HTTPException for each in causes):
        return FetchError("the header of the answer is too large")
    return FetchError(f"no usable answer from {host}")
