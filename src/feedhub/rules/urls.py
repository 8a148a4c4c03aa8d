"""Canonical URLs: what makes two addresses one (SPEC §4, key 2)."""

import re
from collections.abc import Collection
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urlsplit

# Names that only say how the reader came to the page. A name belongs here when leaving it out can never
# change the page; `ref`, `source`, `from` and the like carry meaning on some sites and stay.
_TRACKERS: Final = """
    fbclid gclid gclsrc dclid gbraid wbraid msclkid yclid ysclid twclid ttclid li_fat_id igshid igsh epik
    srsltid mc_cid mc_eid mkt_tok vero_id vero_conv oly_anon_id oly_enc_id rb_clickid s_cid wickedid
    wickedsource ml_subscriber ml_subscriber_hash _openstat _ga _gl _hsenc _hsmi __hssc __hstc __hsfp
    hsctatracking hss_channel at_medium at_campaign at_link_id at_link_type at_link_origin at_format at_ptr_name
    at_bbc_team at_custom1 at_custom2 at_custom3 at_custom4 ns_source ns_mchannel ns_campaign ns_linkname ns_fee
    ncid cmpid icid ftag ito xtor wt_mc wt.mc_id wt_zmc __twitter_impression guce_referrer guce_referrer_sig
    guccounter sr_share zanpid irclickid irgwc elqtrackid elqtrack trk_contact trk_msg trk_module trk_sid spm
    spm_id_from vd_source scm share_source share_medium share_plat share_session_id share_tag buvid unique_k
    isappinstalled
"""
TRACKING_NAMES: Final = frozenset(_TRACKERS.split())
TRACKING_PREFIXES: Final = ("utm_", "pk_", "piwik_", "mtm_", "matomo_", "hsa_", "stm_")

_CREDENTIAL_WORDS: Final = ("auth", "token", "key", "secret", "pass", "pwd", "sig", "session", "sid")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_FEED_SCHEME: Final = re.compile(
    r"(?P<scheme>feeds?|rss|itpc|pcast|podcast):(?:(?://)?(?P<web>https?://.*)|(?P<rest>//.*))",
    re.IGNORECASE | re.DOTALL,
)
_PERCENT: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_WRITTEN_OUT: Final = re.compile(r"[A-Za-z0-9_.~!$&'()*+,;=:@/?\[\]-]*")
_SAFE: Final = "!$&'()*+,;=:@/?%[]"
# What most addresses are: nothing of them is written otherwise in another one of the same page, but for the query.
_USUAL: Final = re.compile(
    r"https?://((?:[a-z0-9-]+\.)+[a-z0-9-]+)(/[A-Za-z0-9_.~!$&'()*+,;=:@/-]*)(?:\?([A-Za-z0-9_.~!$&'()*+,;=:@/?-]*))?"
)


@lru_cache(maxsize=1024)  # the keys of a record are asked for again when it is compared
def canonical_url(url: str, ignored: tuple[str, ...] = ()) -> str | None:
    """Return the address without scheme, fragment, default port and trackers, parameters sorted; the URL key.

    Parameters whose names match one of ``ignored`` (globs) are left out as trackers are.

    None for anything but http(s), for addresses that cannot be read, and for a front page (neither path nor
    query), which identifies a site and not an item. Percent-encoding is normalised as in RFC 3986 §6.2.2.
    """
    if usual := _USUAL.fullmatch(url):
        host, path, written = usual.groups()
        query = "&".join(sorted(_kept_parameters(written, ignored))) if written else ""
        return f"{host}{path}?{query}" if query else None if path == "/" else f"{host}{path}"
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    host = ascii_host(parts.hostname or "")
    if scheme not in _DEFAULT_PORTS or not host:
        return None
    query = "&".join(sorted(_kept_parameters(parts.query, ignored)))
    path = _encoded(parts.path) or "/"
    if path == "/" and not query:
        return None
    shown_port = "" if port is None or port in _DEFAULT_PORTS.values() else f":{port}"
    return f"{host}{shown_port}{path}" + (f"?{query}" if query else "")


def comparable_url(url: str) -> str:
    """Return what two addresses of one feed have in common: the canonical form, which a front page has not."""
    return canonical_url(url) or url.rstrip("/").lower()


def without_feed_scheme(url: str) -> str:
    """Return the web address that ``feed://host/…`` or ``feed:https://host/…`` stands for; any other as it is.

    ``itpc``, ``pcast`` and ``podcast`` are what programs for podcasts called it.
    """
    found = _FEED_SCHEME.fullmatch(url.strip())
    if found is None:
        return url
    return found["web"] or f"{'https' if found['scheme'].lower() == 'feeds' else 'http'}:{found['rest']}"


def is_web_url(url: str | None) -> bool:
    """Tell whether an address is http(s) with a host."""
    if not url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme.lower() in _DEFAULT_PORTS and bool(parts.hostname)
    except ValueError:
        return False


def public_url(url: str | None, secrets: Collection[str]) -> str | None:
    """Return an address of a source as it may be shown to everybody.

    None when it holds one of ``secrets``; without its query when a parameter is named like a credential.
    """
    if url is None or any(secret in url for secret in secrets):
        return None
    query = url.partition("?")[2]
    names = (parameter.partition("=")[0].lower() for parameter in query.split("&"))
    return without_query(url) if any(word in name for name in names for word in _CREDENTIAL_WORDS) else url


def without_query(url: str) -> str:
    """Return the address up to its query: what stays the same when only a token changes."""
    return url.partition("#")[0].partition("?")[0]


def _kept_parameters(query: str, ignored: tuple[str, ...]) -> list[str]:
    return [_encoded(parameter) for parameter in query.split("&") if parameter and not _is_noise(parameter, ignored)]


def _is_noise(parameter: str, ignored: tuple[str, ...]) -> bool:
    name = parameter.partition("=")[0].lower()
    if name in TRACKING_NAMES or name.startswith(TRACKING_PREFIXES):
        return True
    return any(fnmatchcase(name, pattern.lower()) for pattern in ignored)


def ascii_host(host: str) -> str:
    """Return a host name in lower case, without trailing dot, international letters in their ASCII form."""
    host = host.rstrip(".").lower()
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host


def _encoded(text: str) -> str:
    if _WRITTEN_OUT.fullmatch(text):
        return text
    # Lone surrogates cannot be encoded; "replace" keeps one bad character from costing the key.
    encoded = quote(text.encode("utf-8", "replace"), safe=_SAFE)
    return _PERCENT.sub(_normal_octet, encoded)


def _normal_octet(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()
