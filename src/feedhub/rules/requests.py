"""What is requested of a source, page by page and for new items, and at which address once the source has moved.

Some answers are not what was asked for but pages that keep programs out: challenges, captchas, blocks.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

from feedhub.model.document import Document, Redirect, Request, Validators
from feedhub.model.item import ParsedFeed, ParsedItem
from feedhub.model.source import DetailMap, PageMap, Source, SourceState
from feedhub.rules.lazy_patterns import lazy_pattern
from feedhub.rules.text import visible_text
from feedhub.rules.urls import is_web_url

_PLACEHOLDER: Final = re.compile(r"\{(now_ms|now_s|page|cursor)\}")
_OWN_HOST: Final = re.compile(r"https?://[^/?#{}]+(?:[/?#]|$)", re.IGNORECASE)
_HEADERS_FOR_ANYBODY: Final = frozenset(
    {"accept", "accept-language", "origin", "referer", "user-agent", "x-requested-with"}
)
_NEXT_LINK: Final = re.compile(r'<([^<>]{1,2000})>[^,<]{0,500};\s*rel="?(?:[\w-]+ )*next\b', re.IGNORECASE)


def first_request(source: Source, validators: Validators, now: datetime) -> Request:
    """Return the request for a source's document, or for the first page of its list."""
    values = _times(now)
    if source.pages:
        values |= {"page": str(source.pages.start), "cursor": ""}
    url = _filled_in(source.url, values)
    if source.pages and source.pages.param and source.pages.cursor is None:
        url = _with_parameter(url, source.pages.param, str(source.pages.start))
    return _request(source, url, values, validators)


def next_request(source: Source, document: Document, feed: ParsedFeed, number: int, now: datetime) -> Request | None:
    """Return the request for page ``number`` (the second is 2), or None when ``document`` was the last one wanted."""
    pages = source.pages
    if pages is None or number > pages.max or not feed.items:
        return None
    values = _times(now)
    if pages.link:
        url = _next_link(document)
        return _request(source, url, values, Validators()) if url else None
    page = feed.cursor if pages.cursor else str(pages.start + (number - 1) * pages.step)
    if not page:
        return None
    values |= {"page": page, "cursor": quote(page, safe="")}
    url = _filled_in(source.url, values)
    return _request(source, _at_page(url, pages, page), values, Validators())


def detail_request(source: Source, detail: DetailMap, item: ParsedItem, now: datetime) -> Request | None:
    """Return the second request for an item; None when the item lacks what its address is made of."""
    from feedhub.rules.mapping import filled_request  # few sources have one, and every start would pay for it

    author = item.authors[0].name if item.authors else ""
    values = {"id": item.guid, "link": item.link, "title": item.title, "author": author}
    known = {name: value for name, value in values.items() if value}
    template = _filled_in(detail.url, _times(now)) if detail.url else None
    named = filled_request(template, known) if template else item.link
    url = _joined(source.url, named) if named else None
    if not url:
        return None
    request = _request(source, url, _times(now), Validators())
    headers = _detail_headers(source, detail, request.url)
    return replace(request, headers=headers, method="GET", body=None, origin="")


def _detail_headers(source: Source, detail: DetailMap, url: str) -> tuple[tuple[str, str], ...]:
    """Return the headers for a second request: credentials stay with the origin they were given for (guarantee 4).

    The headers of ``detail`` are for the host that its address names, or for the source's host where a record names it.
    """
    if urlsplit(url)[:2] == urlsplit(source.url)[:2]:
        return (*source.headers, *detail.headers)
    if detail.url and _OWN_HOST.match(detail.url):
        return detail.headers
    return tuple(pair for pair in detail.headers if pair[0].lower() in _HEADERS_FOR_ANYBODY)


def _request(source: Source, url: str, values: Mapping[str, str], validators: Validators) -> Request:
    return Request(
        url=url,
        # The address of a further page is named by the answer, and may lead to another site.
        origin=source.url,
        validators=validators,
        headers=tuple((name, _filled_in(value, values)) for name, value in source.headers),
        proxy=source.proxy,
        timeout=source.timeout,
        max_size=source.max_size,
        user_agent=source.user_agent,
        method=source.method,
        body=_filled_in(source.body, values).encode() if source.body is not None else None,
    )


def _times(now: datetime) -> dict[str, str]:
    seconds = now.timestamp()
    return {"now_ms": str(int(seconds * 1000)), "now_s": str(int(seconds))}


def _filled_in(text: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


def _at_page(url: str, pages: PageMap, page: str) -> str:
    return _with_parameter(url, pages.param, page) if pages.param else url


def _with_parameter(url: str, name: str, value: str) -> str:
    parts = urlsplit(url)
    kept = [(key, old) for key, old in parse_qsl(parts.query, keep_blank_values=True) if key != name]
    return urlunsplit(parts._replace(query=urlencode([*kept, (name, value)])))


def _next_link(document: Document) -> str | None:
    """Return the ``rel=next`` address of the Link header (RFC 8288)."""
    for name, value in document.headers:
        match = _NEXT_LINK.search(value) if name.lower() == "link" else None
        if match:
            return _joined(document.url, str(match[1]))
    return None


def _joined(base: str, url: str) -> str | None:
    """Return an address that others wrote, absolute; None unless it is http(s), so that nobody makes us read a file."""
    try:
        address = urljoin(base, url)
    except ValueError:
        return None
    return address if is_web_url(address) else None


_PERMANENT: Final = frozenset({301, 308})
_SIGHTINGS_BELIEVED: Final = 3
_FAILURES_BELIEVED: Final = 3


def asked_url(source: Source, state: SourceState) -> str:
    """Return the address that is asked for a source: where it moved to, unless its configuration changed since."""
    return state.moved_to if state.moved_to and state.configured_url == source.url else source.url


def redirected_request(request: Request, source: Source, state: SourceState) -> Request:
    """Return the request with the address that a source moved to. Credentials stay with the configured origin."""
    url = asked_url(source, state)
    # Of an address with placeholders, and of a POST, nobody can say that it moved.
    if url == source.url or request.url != source.url or request.method != "GET":
        return request
    return replace(request, url=url, origin=source.url)


def move_after_success(state: SourceState, asked: str, redirects: Sequence[Redirect]) -> SourceState:
    """Return the state after a poll that gave a feed; a target is believed when three polls in a row led there."""
    target = permanent_target(redirects)
    if target is None or target == asked:
        return state.but(move_target=None, move_sightings=0) if state.move_target or state.move_sightings else state
    sightings = state.move_sightings + 1 if target == state.move_target else 1
    if sightings < _SIGHTINGS_BELIEVED:
        return replace(state, move_target=target, move_sightings=sightings)
    return replace(state, moved_to=target, move_target=None, move_sightings=0)


def move_after_failure(state: SourceState) -> SourceState:
    """Return the state after a failed poll; a new address that goes on failing is given up again."""
    state = replace(state, move_target=None, move_sightings=0)
    if state.moved_to and (state.failures >= _FAILURES_BELIEVED or state.gone):
        return replace(state, moved_to=None, gone=False)
    return state


def permanent_target(redirects: Sequence[Redirect]) -> str | None:
    """Return where the permanent redirects from the asked address lead, up to the first that is not permanent."""
    target = None
    for redirect in redirects:
        if redirect.status not in _PERMANENT:
            break
        target = redirect.url
    return target if target and urlsplit(target).scheme in ("http", "https") else None


_BEGINS_AS_PAGE: Final = lazy_pattern(
    r"[\s\ufeff]*<(?:!doctype\s+html|html|head|body|title|meta|script|!--)", re.IGNORECASE
)
_HINTS: Final = lazy_pattern(
    r"cf-chl|challenge-platform|just a moment\.\.\.|attention required!|ddos-guard|_incapsula_|px-captcha"
    r"|captcha|datadome|sucuri website firewall|checking your browser|enable javascript and cookies"
    r"|verify (?:that )?you are (?:a )?human|are you a robot|unusual traffic|awswaf|access denied",
    re.IGNORECASE,
)
# What only a challenge has: its title, or the script that runs it. On ordinary pages the same services have another
# script.
_PROOFS: Final = lazy_pattern(
    r"<title>\s*(?:just a moment\.\.\.|attention required! \| cloudflare|ddos-guard|checking your browser"
    r"|access denied\s*</title>|security check|are you a robot\?|human verification|robot check"
    r"|please wait\.\.\. \| cloudflare|vercel security checkpoint)"
    r"|_cf_chl_opt|/cdn-cgi/challenge-platform/h/|captcha-delivery\.com|id=[\"']px-captcha[\"']|window\.awswafcookiedomainlist"
    r"|/_incapsula_resource\?swudnsai",
    re.IGNORECASE,
)
_HEAD: Final = 65_536
_FEW_WORDS: Final = 2_000


def is_challenge(text: str) -> bool:
    """Tell whether a page that is not what was asked for looks like a challenge."""
    return bool(_HINTS.search(text[:_HEAD]) or _PROOFS.search(text[:_HEAD])) and _is_short_page(text)


def is_surely_challenge(text: str) -> bool:
    """Tell whether a page is a challenge, whatever was asked for; an ordinary page with a captcha in a form is none."""
    return bool(_PROOFS.search(text[:_HEAD])) and _is_short_page(text)


def _is_short_page(text: str) -> bool:
    """Tell whether a page has little text, as challenges do; a page that only mentions one has more."""
    return bool(_BEGINS_AS_PAGE.match(text)) and len(visible_text(text[: 4 * _HEAD]).strip()) < _FEW_WORDS
