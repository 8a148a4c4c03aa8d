"""Whether published feeds are what their formats demand. Each check returns its complaints; none means valid.

Used on everything that is rendered in tests, and on published folders.
"""

import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from support.check_values import LANGUAGE, MEDIA_TYPE, address, repeated
from support.json_feed_checks import check_json_feed

__all__ = ["check_atom", "check_feed", "check_json_feed", "check_rss"]

HISTORY = "{http://purl.org/syndication/history/1.0}"
ATOM = "{http://www.w3.org/2005/Atom}"
_ATOM_GRAMMAR = Path(__file__).parent.parent / "publish" / "atom.rng"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_DC = "{http://purl.org/dc/elements/1.1/}"
_MEDIA = "{http://search.yahoo.com/mrss/}"
_CONTENT = "{http://purl.org/rss/1.0/modules/content/}"
_ITUNES = "{http://www.itunes.com/dtds/podcast-1.0.dtd}"

_RFC822 = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
    r"\d{2}:\d{2}:\d{2} ([+-]\d{4}|GMT)"
)
_RSS_MAIL = re.compile(r"[^@\s]+@[^@\s]+( \(.+\))?", re.DOTALL)
_DURATION = re.compile(r"(\d+:)?\d{1,2}:\d{2}|\d+")

_CHANNEL = re.compile(
    "title|link|description|language|copyright|managingEditor|webMaster|pubDate|lastBuildDate|category|generator|"
    "docs|cloud|ttl|image|textInput|skipHours|skipDays|item"
)
_ITEM_ONCE = re.compile("title|link|description|comments|enclosure|guid|pubDate|source")
_ITEM_OFTEN = re.compile("author|category")
_EXTENSIONS_ONCE = {f"{_CONTENT}encoded", f"{_DC}language", f"{_ITUNES}duration", f"{_MEDIA}thumbnail"}
_EXTENSIONS_OFTEN = {f"{_DC}creator", f"{_MEDIA}content"}


def check_feed(name: str, body: bytes) -> list[str]:
    """Check a published file by the ending of its name."""
    return {"atom": check_atom, "rss": check_rss, "json": check_json_feed}[name.rpartition(".")[2]](body)


def check_atom(body: bytes) -> list[str]:
    """Check an Atom feed: RFC 4287 by grammar, then what a grammar cannot say."""
    root, complaints = _xml(body)
    if root is None:
        return complaints
    grammar = _atom_grammar()
    if not grammar.validate(root):
        complaints += [f"grammar: line {error.line}: {error.message}" for error in grammar.error_log]
        return complaints
    complaints += _atom_links(root, "feed")
    if not _atom_links_of(root, "self"):
        complaints.append("feed: no link rel=self")
    complaints += _place_in_archive(root, "feed")
    entries = root.findall(f"{ATOM}entry")
    complaints += repeated("entry id", (entry.findtext(f"{ATOM}id") for entry in entries))
    has_author = root.find(f"{ATOM}author") is not None
    for entry in entries:
        complaints += _atom_entry(entry, has_author)
    for element in root.iter(f"{ATOM}id", f"{ATOM}uri", f"{ATOM}icon", f"{ATOM}logo"):
        complaints += address(element.text or "", element.tag.removeprefix(ATOM))
    complaints += [f"xml:lang {tag!r}" for tag in root.xpath("//@xml:lang") if not LANGUAGE.fullmatch(tag)]
    return complaints


def check_rss(body: bytes) -> list[str]:
    """Check an RSS 2.0 feed: the specification of the RSS Advisory Board and what its validators add."""
    root, complaints = _xml(body)
    if root is None:
        return complaints
    channel = root.find("channel")
    if root.tag != "rss" or root.get("version") != "2.0" or len(root) != 1 or channel is None:
        return [*complaints, "not an <rss version='2.0'> with one channel"]
    complaints += _rss_channel(channel)
    items = channel.findall("item")
    complaints += repeated("guid", (item.findtext("guid") for item in items))
    for position, item in enumerate(items):
        complaints += [f"item {position}: {complaint}" for complaint in _rss_item(item)]
    return complaints


def _place_in_archive(feed: Any, place: str) -> Iterator[str]:
    """RFC 5005 §4: a document of an archive says so, leads to the feed, and is not the feed."""
    links = {link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")}
    if feed.find(f"{HISTORY}archive") is None:
        yield from (
            f"{place}: link rel={rel} outside of an archive" for rel in ("current", "next-archive") if rel in links
        )
    elif "current" not in links:
        yield f"{place}: an archive without link rel=current"
    if len({links.get(rel) for rel in ("self", "current", "prev-archive", "next-archive") if rel in links}) != len(
        links.keys() & {"self", "current", "prev-archive", "next-archive"}
    ):
        yield f"{place}: two relations with one address: {links}"


@cache
def _atom_grammar() -> etree.RelaxNG:
    return etree.RelaxNG(etree.parse(_ATOM_GRAMMAR))


def _xml(body: bytes) -> tuple[Any, list[str]]:
    complaints = []
    if not re.match(rb"<\?xml version=['\"]1\.0['\"] encoding=['\"]UTF-8['\"]\?>", body, re.IGNORECASE):
        complaints.append("no XML declaration that says UTF-8")
    if not body.endswith(b"\n"):
        complaints.append("no line end at the end")
    try:
        return etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True)), complaints
    except etree.XMLSyntaxError as error:
        return None, [f"not well-formed: {error}"]


def _atom_entry(entry: Any, feed_has_author: bool) -> Iterator[str]:
    place = f"entry {entry.findtext(f'{ATOM}id')}"
    yield from _atom_links(entry, place)
    content = entry.find(f"{ATOM}content")
    if content is None and not _atom_links_of(entry, "alternate"):
        yield f"{place}: neither content nor link rel=alternate"
    if content is not None and content.get("src") and entry.find(f"{ATOM}summary") is None:
        yield f"{place}: content elsewhere without a summary"
    source = entry.find(f"{ATOM}source")
    own = entry.find(f"{ATOM}author")
    if own is None and not feed_has_author and (source is None or source.find(f"{ATOM}author") is None):
        yield f"{place}: no author, nor has the feed one"
    if source is not None:
        yield from _atom_links(source, f"{place}, source")
    terms = ((category.get("term"), category.get("scheme")) for category in entry.findall(f"{ATOM}category"))
    yield from repeated(f"{place}: category", terms)


def _atom_links_of(element: Any, rel: str) -> list[Any]:
    return [link for link in element.findall(f"{ATOM}link") if link.get("rel", "alternate") == rel]


def _atom_links(element: Any, place: str) -> Iterator[str]:
    links = element.findall(f"{ATOM}link")
    for link in links:
        yield from address(link.get("href"), f"{place}: link")
    alternates = ((link.get("type"), link.get("hreflang")) for link in _atom_links_of(element, "alternate"))
    yield from repeated(f"{place}: alternate link of one type and language", alternates)
    yield from repeated(f"{place}: link", ((link.get("rel"), link.get("href")) for link in links))


def _rss_channel(channel: Any) -> Iterator[str]:
    for name in ("title", "link", "description"):
        if not (channel.findtext(name) or "").strip():
            yield f"channel: no {name}"
    yield from address(channel.findtext("link") or "", "channel: link")
    for name in ("pubDate", "lastBuildDate"):
        yield from _rfc822(channel.find(name), f"channel: {name}")
    language = channel.findtext("language")
    if language is not None and not LANGUAGE.fullmatch(language):
        yield f"channel: language {language!r}"
    own = [link for link in channel.findall(f"{ATOM}link") if link.get("rel") == "self"]
    if len(own) != 1 or own[0].get("type") != "application/rss+xml":
        yield "channel: not one atom:link rel=self of type application/rss+xml"
    for link in channel.findall(f"{ATOM}link"):
        yield from address(link.get("href") or "", "channel: atom:link")
    tags = [child.tag for child in channel]
    extensions = (f"{ATOM}link", f"{HISTORY}archive")
    yield from (
        f"channel: unknown element {tag}" for tag in tags if not _CHANNEL.fullmatch(tag) and tag not in extensions
    )
    yield from repeated("channel: element", (tag for tag in tags if tag not in ("item", "category", f"{ATOM}link")))
    yield from repeated("channel: atom:link", (link.get("rel") for link in channel.findall(f"{ATOM}link")))
    yield from _place_in_archive(channel, "channel")


def _rss_item(item: Any) -> Iterator[str]:
    tags = [child.tag for child in item]
    once = [tag for tag in tags if _ITEM_ONCE.fullmatch(tag) or tag in _EXTENSIONS_ONCE]
    often = [tag for tag in tags if _ITEM_OFTEN.fullmatch(tag) or tag in _EXTENSIONS_OFTEN]
    yield from (f"unknown element {tag}" for tag in tags if tag not in once and tag not in often)
    yield from repeated("element", once)
    if not item.findtext("title") and not item.findtext("description"):
        yield "neither title nor description"
    for name in ("link", "comments"):
        if item.find(name) is not None:
            yield from address(item.findtext(name), name)
    guid = item.find("guid")
    if guid is None or not guid.text:
        yield "no guid"
    elif guid.get("isPermaLink", "true") != "false":
        yield from address(guid.text, "guid that is a permalink", schemes=("http", "https"))
    yield from _rfc822(item.find("pubDate"), "pubDate")
    for author in item.findall("author"):
        if not _RSS_MAIL.fullmatch(author.text or ""):
            yield f"author {author.text!r} is no e-mail address"
    yield from (f"empty {child.tag}" for child in item if child.tag in ("category", f"{_DC}creator") and not child.text)
    yield from _rss_attached(item)


def _rss_attached(item: Any) -> Iterator[str]:
    source = item.find("source")
    if source is not None:
        yield from address(source.get("url") or "", "source url")
    enclosure = item.find("enclosure")
    if enclosure is not None:
        yield from address(enclosure.get("url") or "", "enclosure url", schemes=("http", "https"))
        if not (enclosure.get("length") or "").isdecimal():
            yield f"enclosure length {enclosure.get('length')!r}"
        if not MEDIA_TYPE.fullmatch(enclosure.get("type") or ""):
            yield f"enclosure type {enclosure.get('type')!r}"
    for media in item.iter(f"{_MEDIA}thumbnail", f"{_MEDIA}content"):
        yield from address(media.get("url") or "", media.tag, schemes=("http", "https"))
    duration = item.findtext(f"{_ITUNES}duration")
    if duration is not None and not _DURATION.fullmatch(duration):
        yield f"itunes:duration {duration!r}"


def _rfc822(element: Any, place: str) -> Iterator[str]:
    if element is None:
        return
    text = element.text or ""
    if not _RFC822.fullmatch(text):
        yield f"{place}: {text!r} is no RFC 822 date"
    elif parsedate_to_datetime(text).strftime("%w") != str(_WEEKDAYS.index(text[:3])):
        yield f"{place}: {text!r} names the wrong day of the week"


_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
