"""Where an answer sends us, and what may be taken along. Pure."""

from collections.abc import Mapping
from urllib.parse import SplitResult, quote, urldefrag, urljoin, urlsplit, urlunsplit

from feedhub.errors import RedirectError
from feedhub.model.document import Redirect

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
