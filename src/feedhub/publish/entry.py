"""An item as a feed shows it: the one door through which items enter any format, so that all formats agree."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from html import escape

from feedhub.model.item import Enclosure, Person, StoredItem
from feedhub.model.output import Content, OutputView
from feedhub.publish.safe import email_address, language_tag, media_type, safe_line, safe_text, safe_url
from feedhub.rules.text import visible_text

OCTETS = "application/octet-stream"
"""What an enclosure is when nobody says: RSS and JSON Feed demand a media type."""

_EXCERPT_LENGTH = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Where an item came from: our name for the source, its own title, its page and its feed."""

    name: str
    title: str
    link: str | None
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An item with every string safe to write and every address valid. Instants are UTC, to the second.

    ``tags`` never repeat ``categories``. ``language`` is None when it is that of the feed. ``summary`` is None when
    it says the same as ``content``. An entry has a title, a summary or a content.
    """

    id: str
    title: str
    published_at: datetime
    updated_at: datetime
    link: str | None
    summary: str | None
    content: str | None
    authors: tuple[Person, ...]
    tags: tuple[str, ...]
    categories: tuple[str, ...]
    language: str | None
    image: str | None
    comments: str | None
    enclosures: tuple[Enclosure, ...]
    source: Upstream


def entries_of(view: OutputView) -> tuple[Entry, ...]:
    """Return the items of ``view`` in its order, with as much text as ``view.content`` says."""
    return tuple(entry_of(stored, view.content, view.site.language) for stored in view.items)


@lru_cache(maxsize=512)  # every format and the page of an output ask for the same
def entry_of(stored: StoredItem, texts: Content, site_language: str) -> Entry:
    """Return an item with as much text as ``texts`` says, for a feed in ``site_language``."""
    item = stored.item
    summary, content = _texts(stored, texts)
    link = safe_url(item.link)
    categories = _distinct(stored.categories)
    language = language_tag(item.language)
    return Entry(
        id=safe_line(stored.id),
        # RSS needs something to show; so all formats give the same.
        title=safe_line(item.title) or ("" if summary or content else link or safe_line(stored.id)),
        published_at=whole_second(stored.published_at),
        updated_at=whole_second(stored.updated_at),
        link=link,
        summary=summary,
        content=content,
        authors=tuple(_person(person) for person in item.authors if safe_line(person.name)),
        tags=tuple(tag for tag in _distinct(item.tags) if tag not in categories),
        categories=categories,
        language=language if language != language_tag(site_language) else None,
        image=safe_url(item.image),
        comments=safe_url(item.comments),
        enclosures=_enclosures(item.enclosures),
        source=_upstream(stored.source, stored.source_title, stored.source_link, stored.source_url),
    )


def whole_second(instant: datetime) -> datetime:
    """Return ``instant`` as RSS can say it: in UTC, without the fraction."""
    return instant.astimezone(UTC).replace(microsecond=0)


def plain_text(markup: str) -> str:
    """Return what a reader sees of an HTML fragment, on one line; its entities may stand for unsafe characters."""
    return safe_line(visible_text(markup))


def _texts(stored: StoredItem, texts: Content) -> tuple[str | None, str | None]:
    if texts == "none":
        return None, None
    summary, content = (_markup(stored.item.summary), _markup(stored.item.content))
    if texts == "full":
        return (None if summary == content else summary), content
    if summary is None and content is not None:
        # Text without its markup: the escaping makes it markup again.
        summary = escape(_excerpt(plain_text(content)), quote=False) or None
    return summary, None


def _excerpt(text: str) -> str:
    """Return the beginning of ``text``, cut between words where it has any."""
    if len(text) <= _EXCERPT_LENGTH:
        return text
    cut = text[: _EXCERPT_LENGTH - 1]
    whole_words = cut.rpartition(" ")[0]
    return (whole_words if len(whole_words) > _EXCERPT_LENGTH // 2 else cut).rstrip() + "…"


def _markup(html: str | None) -> str | None:
    text = safe_text(html)
    return text if text.strip() else None


def _person(person: Person) -> Person:
    return Person(name=safe_line(person.name), uri=safe_url(person.uri), email=email_address(person.email))


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line for line in map(safe_line, names) if line))


def _enclosures(enclosures: Iterable[Enclosure]) -> tuple[Enclosure, ...]:
    by_url: dict[str, Enclosure] = {}
    for enclosure in enclosures:
        url = safe_url(enclosure.url)
        if url is None or url in by_url:
            continue
        by_url[url] = Enclosure(
            url=url,
            media_type=media_type(enclosure.media_type),
            length=_natural(enclosure.length),
            duration=_natural(enclosure.duration),
            title=safe_line(enclosure.title) or None,
        )
    return tuple(by_url.values())


def _natural(number: int | None) -> int | None:
    return number if number is not None and number > 0 else None


@lru_cache(maxsize=256)  # neighbours have the same few sources
def _upstream(source: str, title: str, link: str | None, url: str | None) -> Upstream:
    name = safe_line(source)
    return Upstream(name=name, title=safe_line(title) or name, link=safe_url(link), url=safe_url(url))
