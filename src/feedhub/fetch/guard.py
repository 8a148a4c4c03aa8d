"""Which addresses may be asked (SPEC §9): a pure decision, which ``connections.py`` enforces when it connects."""

import re
import socket
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import unquote, urlsplit

from feedhub.errors import RefusedAddressError, UsageError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# The ranges are listed because ``is_global`` of the standard library allows multicast, NAT64, 6to4 and fec0::/10.
_REFUSED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("loopback", ("127.0.0.0/8", "::1/128")),
    ("unspecified", ("0.0.0.0/32", "::/128")),
    ("this network", ("0.0.0.0/8",)),
    ("private", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")),
    ("link-local", ("169.254.0.0/16", "fe80::/10")),
    ("carrier-grade NAT", ("100.64.0.0/10",)),
    ("cloud metadata", ("168.63.129.16/32",)),
    ("protocol assignment", ("192.0.0.0/24",)),
    ("documentation", ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")),
    ("benchmarking", ("198.18.0.0/15", "2001:2::/48")),
    ("6to4", ("192.88.99.0/24", "2002::/16")),
    ("multicast", ("224.0.0.0/4", "ff00::/8")),
    ("reserved", ("240.0.0.0/4",)),
    ("IPv4-mapped", ("::ffff:0:0/96",)),
    ("IPv4-translated", ("::ffff:0:0:0/96",)),
    ("IPv4-compatible", ("::/96",)),
    ("NAT64", ("64:ff9b::/96", "64:ff9b:1::/48")),
    ("discard-only", ("100::/64",)),
    ("Teredo", ("2001::/32",)),
    ("protocol assignment", ("2001::/23",)),
    ("site-local", ("fec0::/10",)),
)
_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")

# Names that no public name server knows (RFC 6761, RFC 6762 appendix G, RFC 8375), but that of a proxy may.
_OWN_NAMES = frozenset("localhost localdomain local internal intranet private corp home lan home.arpa".split())
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_BAD_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")


def _named_networks() -> tuple[tuple[str, Network], ...]:
    return tuple((name, ip_network(text)) for name, texts in _REFUSED for text in texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Permission:
    """One entry of the allow-list: a name or a network, on one port or on all."""

    host: str | None = None
    network: Network | None = None
    port: int | None = None

    def covers(self, host: str, port: int, addresses: tuple[Address, ...]) -> bool:
        if self.port is not None and self.port != port:
            return False
        if self.network is None:
            return self.host == host
        return any(address in self.network for address in addresses if address.version == self.network.version)


class AddressGuard:
    """Decides which addresses may be connected to.

    ``allow_private`` holds ``host``, ``host:port``, an address, ``address:port``, ``[v6]:port``, a network, or
    ``network:port``. A host entry trusts whatever that name resolves to.

    Raises:
        UsageError: an entry is none of these.
    """

    def __init__(self, allow_private: Sequence[str] = ()) -> None:
        self._permissions = tuple(_parse_permission(entry) for entry in allow_private)
        self._networks = _named_networks()

    def check_url(self, url: str) -> None:
        """Refuse addresses that are never asked, whatever they resolve to (GUARANTEES 3).

        Raises:
            RefusedAddressError: not http or https, no host, a broken port, or control characters.
        """
        if _BAD_IN_URL.search(url):
            raise RefusedAddressError("the address contains spaces, control characters or backslashes")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as exc:
            raise RefusedAddressError("the address is not a valid URL") from exc
        if parts.scheme not in {"http", "https"}:
            raise RefusedAddressError(
                f"only http and https are asked, not {parts.scheme or 'an address without scheme'}"
            )
        if not host:
            raise RefusedAddressError("the address has no host")
        if port == 0:
            raise RefusedAddressError("the address has port 0")

    def refusal(self, host: str, port: int, ip: str) -> str | None:
        """Return the name of the range for which ``ip`` is refused, or None when it may be connected to."""
        address = ip_address(ip.partition("%")[0])
        kind = self._kind(address)
        if kind is None:
            return None
        # A mapped address leads to the same host as the plain one, so a permission for either holds for both.
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        forms = (address,) if mapped is None else (address, mapped)
        name = host.rstrip(".").lower()
        return None if any(each.covers(name, port, forms) for each in self._permissions) else kind

    def refusal_of_unknown(self, host: str, port: int) -> str | None:
        """Return why a proxy may not be asked for ``host``, a name that is unknown here; None when it may.

        The proxy resolves by itself, and may read a number, or know a name, that our own resolver does not.
        """
        name = unicodedata.normalize("NFKC", unquote(host)).lower().replace("\u3002", ".").strip("[]").rstrip(".")
        if any(each.network is None and each.covers(name, port, ()) for each in self._permissions):
            return None
        if ":" in name or _NUMBER.fullmatch(name):
            ip = _as_address(name)
            return "not a possible host name" if ip is None else self.refusal(name, port, ip)
        labels = name.split(".")
        is_own = len(labels) < 2 or {labels[-1], ".".join(labels[-2:])} & _OWN_NAMES
        return "a name of an own network" if is_own else None

    def _kind(self, address: Address) -> str | None:
        for name, network in self._networks:
            if address.version == network.version and address in network:
                return name
        if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST_V6:
            return "reserved"
        return None


def _parse_permission(entry: str) -> _Permission:
    text = entry.strip().lower().rstrip(".")
    network = _network(text.removeprefix("[").removesuffix("]"))
    if network is not None:
        return _Permission(network=network)
    head, colon, tail = text.rpartition(":")
    port: int | None = None
    if colon:
        if not (tail.isascii() and tail.isdigit() and 0 < int(tail) < 65_536):
            raise UsageError(f"poll.allow_private: {entry!r} is no host, address or network, with or without :port")
        text, port = head.rstrip("."), int(tail)
        network = _network(text.removeprefix("[").removesuffix("]"))
    if network is not None:
        return _Permission(network=network, port=port)
    host = _ascii_host(text)
    if host is None:
        raise UsageError(f"poll.allow_private: {entry!r} is no host, address or network, with or without :port")
    return _Permission(host=host, port=port)


def _as_address(name: str) -> str | None:
    """Return the address that a number stands for: decimal, octal or hexadecimal, with parts left out."""
    try:
        return str(ip_address(name.partition("%")[0])) if ":" in name else socket.inet_ntoa(socket.inet_aton(name))
    except (ValueError, OSError):
        return None


def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _ascii_host(text: str) -> str | None:
    try:
        name = text.encode("idna").decode("ascii") if not text.isascii() else text
    except UnicodeError:
        return None
    return name if _HOST.fullmatch(name) else None
