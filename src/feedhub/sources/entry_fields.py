"""The fields of one entry as feedparser names them: text, links, people, media."""

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from feedhub.model.item import Enclosure, Markup, Person
from feedhub.rules.text import plain, visible_text
from feedhub.sources import records
from feedhub.sources.addresses import http_url

Entry = Mapping[str, Any]

_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_REFERENCE = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|\w{2,31});", re.IGNORECASE)
_VOID_TAG = re.compile(r"<(?:br|hr|img|wbr)\b[^<>]*>", re.IGNORECASE)
_PICTURE = re.compile(r"\.(?:jpe?g|png|gif|webp|avif|bmp)$", re.IGNORECASE)
_SOUND_OR_FILM = re.compile(r"\.(?:mp3|m4a|aac|ogg|oga|opus|flac|wav|mp4|m4v|mov|webm|ogv|mkv)$", re.IGNORECASE)


def raw(entry: Entry, key: str) -> Any:
    """Return what was written under ``key``, without feedparser's mapping of one key to another."""
    return dict.get(entry, key) if isinstance(entry, dict) else None


def title_text(entry: Entry, *, is_atom: bool) -> str:
    """Return a title as plain text, decoded once as its type says; in RSS markup is recognised by its looks."""
    detail = raw(entry, "title_detail") or {}
    value = raw(entry, "title") or raw(entry, "itunes_title")
    if not isinstance(value, str):
        return ""
    is_markup = detail.get("type") in _HTML_TYPES or (not is_atom and _VOID_TAG.search(value) is not None)
    return records.title_of(visible_text(value) if is_markup else value)


def base_of(entry: Entry, default: str) -> str:
    """Return the address that relative addresses of ``entry`` are relative to (xml:base, else the document's)."""
    for key in ("title_detail", "summary_detail"):
        base = (raw(entry, key) or {}).get("base")
        if base:
            return str(base)
    return default


def best_link(entry: Entry, base: str) -> str | None:
    """Return the address of the article: the HTML alternate first, a feedburner link undone, else the permalink."""
    original = http_url(raw(entry, "feedburner_origlink"), base)
    if original:
        return original
    links = [
        link for link in raw(entry, "links") or () if link.get("rel", "alternate") == "alternate" and link.get("href")
    ]
    pages = [link for link in links if link.get("type") in _HTML_TYPES]
    candidates = [link["href"] for link in (*pages, *links)]
    for value in (*candidates, raw(entry, "link"), raw(entry, "permalink")):
        # A permalink is an address already; resolving `12345` against the feed would invent one.
        address = http_url(value, "" if value is raw(entry, "permalink") else base)
        if address:
            return address
    return None


def text_of(entry: Entry, base: str) -> tuple[Markup | None, Markup | None]:
    """Return (summary, content). The longest content wins; captions and podcast notes stand in where text lacks."""
    contents = [found for part in raw(entry, "content") or () if (found := _markup(part, base))]
    content = max(contents, key=lambda found: len(found.value)) if contents else None
    summary = _markup(raw(entry, "summary_detail"), base)
    if content is None and summary is None:
        content = _markup(raw(entry, "media_description_detail"), base)
    if summary is None:
        summary = _markup(raw(entry, "itunes_summary_detail"), base)
    if content and summary and content.value == summary.value:
        summary = None
    return summary, content


def people_in(entry: Entry) -> tuple[Person, ...]:
    """Return the authors of an entry or a feed."""
    return records.people_of(
        Person(
            name=str(author.get("name") or author.get("email") or ""),
            uri=http_url(author.get("href")),
            email=plain(str(author.get("email") or ""))[: records.LONGEST_NAME] or None,
        )
        for author in raw(entry, "authors") or ()
    )


def tags_in(entry: Entry) -> tuple[str, ...]:
    """Return labels, else terms; a term that is an address of a scheme says nothing to a reader."""
    return records.tags_of(
        html.unescape(value) if _REFERENCE.search(value) else value
        for tag in raw(entry, "tags") or ()
        if (value := tag.get("label") or tag.get("term") or "") and not value.startswith(("http://", "https://"))
    )


def language_in(entry: Entry) -> str | None:
    """Return the language an entry gives for itself or inherits."""
    own = records.language_of(raw(entry, "language"))
    return own or records.language_of((raw(entry, "title_detail") or {}).get("language"))


def enclosures_in(entry: Entry, base: str) -> tuple[Enclosure, ...]:
    """Return attached files: enclosures of RSS and Atom, and sound and film of Media RSS."""
    links = (link for link in raw(entry, "links") or () if link.get("rel") == "enclosure")
    found = records.enclosures_of((*_enclosures(links, base), *_media(entry, base)))
    duration = records.seconds_of(raw(entry, "itunes_duration"))
    if duration and found and found[0].duration is None:
        first = found[0]
        head = Enclosure(
            url=first.url, media_type=first.media_type, length=first.length, duration=duration, title=first.title
        )
        found = (head, *found[1:])
    return found


def image_in(entry: Entry, base: str, enclosures: Iterable[Enclosure]) -> str | None:
    """Return the picture an entry names outside its text."""
    thumbnails = [thumbnail.get("url") for thumbnail in raw(entry, "media_thumbnail") or ()]
    media = [content.get("url") for content in raw(entry, "media_content") or () if _is_picture(content)]
    attached = [enclosure.url for enclosure in enclosures if (enclosure.media_type or "").startswith("image/")]
    for value in (*thumbnails, *media, (raw(entry, "image") or {}).get("href"), *attached):
        address = http_url(value, base)
        if address:
            return address
    return None


def comments_in(entry: Entry, base: str) -> str | None:
    """Return the page where an entry is discussed."""
    replies = [
        link.get("href")
        for link in raw(entry, "links") or ()
        if link.get("rel") == "replies" and link.get("type") in _HTML_TYPES
    ]
    for value in (raw(entry, "comments"), *replies):
        address = http_url(value, base)
        if address:
            return address
    return None


def _markup(detail: Any, base: str) -> Markup | None:
    if not detail:
        return None
    kind = str(detail.get("type") or "text/html")
    if kind not in _HTML_TYPES and kind != "text/plain":
        return None
    return records.markup(
        detail.get("value"), "text" if kind == "text/plain" else "html", str(detail.get("base") or base)
    )


def _enclosures(links: Iterable[Entry], base: str) -> Iterator[Enclosure]:
    for link in links:
        address = http_url(link.get("href"), base)
        if address:
            yield Enclosure(
                url=address,
                media_type=records.media_type_of(link.get("type")),
                length=records.whole_number(link.get("length")),
                title=records.title_of(link.get("title")) or None,
            )


def _media(entry: Entry, base: str) -> Iterator[Enclosure]:
    for content in raw(entry, "media_content") or ():
        address = http_url(content.get("url"), base)
        if address and _is_sound_or_film(content):
            yield Enclosure(
                url=address,
                media_type=records.media_type_of(content.get("type")),
                length=records.whole_number(content.get("filesize")),
                duration=records.seconds_of(content.get("duration")),
            )


def _is_picture(content: Entry) -> bool:
    kind = str(content.get("type") or content.get("medium") or "")
    return kind.startswith("image") or (not kind and _PICTURE.search(_path(content)) is not None)


def _is_sound_or_film(content: Entry) -> bool:
    kind = str(content.get("type") or content.get("medium") or "")
    return kind.startswith(("audio", "video")) or (not kind and _SOUND_OR_FILM.search(_path(content)) is not None)


def _path(content: Entry) -> str:
    return str(content.get("url") or "").partition("?")[0]
