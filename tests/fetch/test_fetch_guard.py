import pytest

from feedhub.errors import RefusedAddressError, UsageError
from feedhub.fetch.guard import AddressGuard

REFUSED = [
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("::1", "loopback"),
    ("0.0.0.0", "unspecified"),
    ("::", "unspecified"),
    ("0.1.2.3", "this network"),
    ("10.0.0.1", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.1.1", "private"),
    ("fc00::1", "private"),
    ("fd00:ec2::254", "private"),
    ("169.254.169.254", "link-local"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("100.64.0.1", "carrier-grade NAT"),
    ("100.100.100.200", "carrier-grade NAT"),
    ("168.63.129.16", "cloud metadata"),
    ("192.0.0.192", "protocol assignment"),
    ("192.0.2.1", "documentation"),
    ("198.51.100.1", "documentation"),
    ("203.0.113.1", "documentation"),
    ("2001:db8::1", "documentation"),
    ("3fff::1", "documentation"),
    ("198.18.0.1", "benchmarking"),
    ("198.19.255.255", "benchmarking"),
    ("2001:2::1", "benchmarking"),
    ("192.88.99.1", "6to4"),
    ("2002:7f00:1::", "6to4"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.250", "multicast"),
    ("ff02::1", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"),
    ("::ffff:127.0.0.1", "IPv4-mapped"),
    ("::ffff:8.8.8.8", "IPv4-mapped"),
    ("::ffff:0:127.0.0.1", "IPv4-translated"),
    ("::127.0.0.1", "IPv4-compatible"),
    ("64:ff9b::7f00:1", "NAT64"),
    ("64:ff9b:1::1", "NAT64"),
    ("100::1", "discard-only"),
    ("2001::1", "Teredo"),
    ("2001:20::1", "protocol assignment"),
    ("fec0::1", "site-local"),
    ("4000::1", "reserved"),
    ("5f00::1", "reserved"),
]


@pytest.mark.parametrize(("ip", "kind"), REFUSED, ids=[ip for ip, _ in REFUSED])
def test_an_address_that_is_not_public_is_refused_by_name(ip: str, kind: str) -> None:
    assert AddressGuard().refusal("host.example", 80, ip) == kind


@pytest.mark.parametrize(
    "ip",
    (
        "8.8.8.8 1.1.1.1 172.15.255.255 172.32.0.1 100.63.255.255 100.128.0.1 169.253.1.1 223.255.255.255"
        " 192.169.0.1 2606:4700::1111 2a00:1450::1 2001:200::1 2400:3200::1"
    ).split(),
)
def test_a_public_address_is_allowed(ip: str) -> None:
    assert AddressGuard().refusal("host.example", 443, ip) is None


ENTRIES = [
    ("name", "intranet.example", "intranet.example", 80, "10.0.0.1", True),
    ("name in capitals with a dot", "Intranet.Example.", "intranet.example", 80, "10.0.0.1", True),
    ("name asked with a dot", "intranet.example", "INTRANET.example.", 80, "10.0.0.1", True),
    ("other name", "intranet.example", "sub.intranet.example", 80, "10.0.0.1", False),
    ("name that is only a prefix", "intranet", "intranet.example", 80, "10.0.0.1", False),
    ("Chinese name", "内网.example", "xn--3iqu3d.example", 80, "10.0.0.1", None),
    ("name and port", "intranet:8080", "intranet", 8080, "10.0.0.1", True),
    ("name and other port", "intranet:8080", "intranet", 80, "10.0.0.1", False),
    ("address", "127.0.0.1", "any.example", 1, "127.0.0.1", True),
    ("other address", "127.0.0.1", "any.example", 1, "127.0.0.2", False),
    ("address and port", "127.0.0.1:8099", "127.0.0.1", 8099, "127.0.0.1", True),
    ("address and other port", "127.0.0.1:8099", "127.0.0.1", 8098, "127.0.0.1", False),
    ("network", "10.1.0.0/16", "any.example", 443, "10.1.255.1", True),
    ("outside the network", "10.1.0.0/16", "any.example", 443, "10.2.0.1", False),
    ("network with host bits", "10.1.2.3/16", "any.example", 443, "10.1.255.1", True),
    ("network and port", "10.1.0.0/16:81", "any.example", 81, "10.1.0.1", True),
    ("network and other port", "10.1.0.0/16:81", "any.example", 82, "10.1.0.1", False),
    ("IPv6", "::1", "any.example", 80, "::1", True),
    ("IPv6 in brackets", "[::1]", "any.example", 80, "::1", True),
    ("IPv6 and port", "[::1]:81", "any.example", 81, "::1", True),
    ("IPv6 and other port", "[::1]:81", "any.example", 80, "::1", False),
    ("IPv6 network", "fd00::/8", "any.example", 80, "fd12::1", True),
    ("IPv6 network and port", "[fd00::/8]:80", "any.example", 80, "fd12::1", True),
    ("IPv4 network and IPv6 address", "0.0.0.0/0", "any.example", 80, "::1", False),
    ("mapped address under a plain entry", "127.0.0.1", "any.example", 80, "::ffff:127.0.0.1", True),
    ("mapped address under another entry", "127.0.0.1", "any.example", 80, "::ffff:10.0.0.1", False),
]


@pytest.mark.parametrize(
    ("entry", "host", "port", "ip", "expected"), [row[1:] for row in ENTRIES], ids=[row[0] for row in ENTRIES]
)
def test_the_allow_list_knows_hosts_networks_and_ports(
    entry: str, host: str, port: int, ip: str, expected: bool | None
) -> None:
    if expected is None:
        host, expected = entry.encode("idna").decode(), True
    assert (AddressGuard([entry]).refusal(host, port, ip) is None) is expected


def test_an_entry_refuses_nothing_that_is_public() -> None:
    assert AddressGuard(["127.0.0.1:8099"]).refusal("host.example", 80, "8.8.8.8") is None


@pytest.mark.parametrize(
    "entry", ["", ":80", "host:0", "host:99999", "host:http", "http://host/", "a b", "10.0.0.0/99", "ü" * 80]
)
def test_an_entry_that_is_nothing_is_an_error(entry: str) -> None:
    with pytest.raises(UsageError, match=r"^poll\.allow_private: .* is no host, address or network"):
        AddressGuard([entry])


BAD_URLS = [
    ("ftp://host.example/feed", "only http and https are asked, not ftp"),
    ("file:///etc/passwd", "only http and https are asked, not file"),
    ("gopher://host.example/", "only http and https are asked, not gopher"),
    ("javascript:alert(1)", "only http and https are asked, not javascript"),
    ("//host.example/feed", "only http and https are asked, not an address without scheme"),
    ("http:///feed", "the address has no host"),
    ("http://:80/feed", "the address has no host"),
    ("http://host.example:0/", "the address has port 0"),
    ("http://host.example:99999/", "the address is not a valid URL"),
    ("http://[::1/", "the address is not a valid URL"),
    ("http://host.example/a b", "the address contains spaces, control characters or backslashes"),
    ("http://host.example\\@10.0.0.1/", "the address contains spaces, control characters or backslashes"),
    ("http://host.example/\r\nX: y", "the address contains spaces, control characters or backslashes"),
]


@pytest.mark.parametrize(("url", "words"), BAD_URLS, ids=[ascii(url) for url, _ in BAD_URLS])
def test_an_address_that_is_never_asked_is_refused(url: str, words: str) -> None:
    with pytest.raises(RefusedAddressError) as caught:
        AddressGuard().check_url(url)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    "url", ["http://host.example", "HTTPS://host.example:8443/x?y=1#z", "http://主机.example/新闻"]
)
def test_an_ordinary_address_may_be_asked(url: str) -> None:
    AddressGuard().check_url(url)
