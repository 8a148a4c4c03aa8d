"""When a certificate is valid: asked for once more, only to tell a person since when it is not."""

import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

from feedhub.errors import FetchError
from feedhub.fetch.dial import Dialer

# OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the ssl module has no name for.
_NO_CHECK_TIME = 0x200000
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_EXPIRED, _TOO_EARLY = 10, 9


def words_about_time(
    error: ssl.SSLCertVerificationError, dates: Callable[[], dict[str, datetime]], now: datetime
) -> str:
    """Say what is wrong with the time of a certificate; "" if that is not what is wrong with it.

    ``dates`` gives ``notBefore`` and ``notAfter``, or nothing when they cannot be had.
    """
    if error.verify_code == _EXPIRED:
        ended = dates().get("notAfter")
        # It may also be one of those that vouch for it that expired.
        return "certificate expired" + (f" {_ago((now - ended).total_seconds())}" if ended and ended < now else "")
    if error.verify_code == _TOO_EARLY:
        begins = dates().get("notBefore")
        return "certificate not valid " + (f"before {begins:%Y-%m-%d %H:%M} UTC" if begins and begins > now else "yet")
    return ""


def certificate_dates(dialer: Dialer, url: str, bundle: str) -> dict[str, datetime]:
    """Return from when to when the certificate of ``url`` is valid; empty when it cannot be had.

    A second connection under the guard and the deadline of the exchange; everything but the time is verified, and no
    request is sent over it.
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
