"""The pages of a site: what each shows, as values for its template (``templates/``)."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import tzinfo
from typing import Final
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from markupsafe import Markup

from feedhub.model.item import StoredItem
from feedhub.model.output import (
    FrontView,
    ItemView,
    OutputFile,
    OutputFormat,
    OutputSettings,
    OutputView,
    Part,
    Site,
    SourceLine,
)
from feedhub.model.policy import PAGE_POLICY
from feedhub.publish.addresses import (
    ICON_PATH,
    MISSING_PATH,
    SEARCH_PAGE,
    SOURCES_PATH,
    STYLE_PATH,
    feed_path,
    feed_url,
    item_path,
    page_path,
    page_url,
    public,
)
from feedhub.publish.entry import (
    HEADING_ENDS,
    LONGEST_HEADING,
    Entry,
    cut_between_words,
    entries_of,
    host_of,
    language_tag,
    plain_text,
    safe_line,
    safe_url,
)
from feedhub.publish.formats import ATOM_FORMAT, FORMATS
from feedhub.publish.index import OPML_PATH
from feedhub.publish.page_texts import PageTexts
from feedhub.publish.templating import PageTemplates
from feedhub.rules.select import ALL, HEALTH_SLUG

_PICTURE: Final = re.compile(r"<img(?![^>]*\salt=)(?=[\s>])", re.IGNORECASE)
_FRAME: Final = re.compile(r"<iframe(?![^>]*\stitle=)(?=[\s>])", re.IGNORECASE)
_OUTER_HEADING: Final = re.compile(r"<(/?)h1(?=[\s>])", re.IGNORECASE)


def content_of(entry: Entry) -> Markup | None:
    """Return the sanitised text of an item, its headings below the page's, its pictures and frames with a name."""
    text = entry.content or entry.summary
    if not text:
        return None
    text = _OUTER_HEADING.sub(r"<\1h2", text)
    text = _PICTURE.sub('<img alt=""', text)
    return Markup(_FRAME.sub(lambda match: f'{match[0]} title="{_player(text, match.end())}"', text))  # noqa: S704


def _player(text: str, start: int) -> str:
    found = re.match(r'[^>]*\ssrc="https://([a-z0-9.-]+)', text[start : start + 500])
    return found[1] if found else "player"


_EXCERPT: Final = 220
_KANA: Final = re.compile("[\u3040-\u30ff]")
_HANGUL: Final = re.compile("[\uac00-\ud7af]")
_HAN: Final = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One item in a list. ``page`` is its path, ``link`` the original; ``lang`` is None for that of the site."""

    title: str
    page: str
    link: str | None
    lang: str | None
    source: str
    excerpt: str
    machine_time: str
    day: str
    date: str
    clock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardsOfDay:
    """The items of one day."""

    title: str
    cards: tuple[Card, ...]


def cards_of(view: OutputView, words: PageTexts, zone: tzinfo) -> tuple[Card, ...]:
    """Return the items of a view, in its order."""
    pairs = zip(entries_of(view), view.items, strict=True)
    return tuple(_card(entry, stored, view.site.language, words, zone) for entry, stored in pairs)


def days_of(cards: Iterable[Card]) -> tuple[CardsOfDay, ...]:
    """Return cards by day; they come newest first."""
    days: dict[str, list[Card]] = {}
    for card in cards:
        days.setdefault(card.day, []).append(card)
    return tuple(CardsOfDay(title=title, cards=tuple(some)) for title, some in days.items())


def shown_title(entry: Entry, words: PageTexts) -> str:
    """Return the title of an item, or the beginning of its text."""
    return entry.title or cut_between_words(text_of(entry), LONGEST_HEADING, HEADING_ENDS) or words.texts["untitled"]


def text_of(entry: Entry) -> str:
    """Return what an item says, as text on one line."""
    return plain_text(entry.summary or entry.content or "")


def shown_language(entry: Entry, site_language: str) -> str | None:
    """Return the language of an item where it is not that of the site: as it says, else by its script.

    Chinese, Japanese and Korean share characters that each writes in another form; without a language, browsers guess.
    """
    if entry.language:
        return entry.language
    text = entry.title or text_of(entry)[:LONGEST_HEADING]
    found = "ja" if _KANA.search(text) else "ko" if _HANGUL.search(text) else "zh" if _HAN.search(text) else None
    known = site_language.lower().partition("-")[0]
    if found is None:
        return None if known not in {"zh", "ja", "ko"} or not text.isascii() else "en"
    return None if found == known or (found == "zh" and known == "ja") else found


def source_name(entry: Entry) -> str:
    """Return what a source calls itself, else what we call it."""
    return safe_line(entry.source.title) or entry.source.name


def _card(entry: Entry, stored: StoredItem, site_language: str, words: PageTexts, zone: tzinfo) -> Card:
    title = shown_title(entry, words)
    excerpt = cut_between_words(text_of(entry), _EXCERPT, HEADING_ENDS)
    return Card(
        title=title,
        page=item_path(stored, zone),
        link=entry.link,
        lang=shown_language(entry, site_language),
        source=source_name(entry),
        excerpt="" if excerpt.rstrip("…").startswith(title.rstrip("…")) and not entry.title else excerpt,
        machine_time=words.machine(entry.published_at),
        day=words.day(entry.published_at),
        date=words.date(entry.published_at),
        clock=words.clock(entry.published_at),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLink:
    """A feed on a page: ``path`` from the root of the site, ``url`` to be copied."""

    name: str
    title: str
    path: str
    url: str
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFrame:
    """What templates call ``page``: the part that all pages have. ``root`` leads from it to the root of the site."""

    title: str
    description: str
    root: str
    canonical: str
    kind: str = "website"
    image: str | None = None
    feeds: tuple[FeedLink, ...] = ()


class HtmlSite:
    """Renders the pages of one site. Safe to call from many threads at once."""

    def __init__(self, site: Site, output: OutputSettings, added: Sequence[OutputFormat] = ()) -> None:
        """``added`` are formats of other packages."""
        self._site = site
        self._formats = tuple(one for one in (*FORMATS.formats, *added) if one.name in output.formats)
        self._zone = ZoneInfo(site.timezone)
        self._words = PageTexts(site.language, self._zone)
        self._templates = PageTemplates(output.templates)
        self._shared = {
            "site": _site_values(site),
            "words": self._words.texts,
            "policy": PAGE_POLICY,
            "style": STYLE_PATH,
            "icon": ICON_PATH,
            "sources_path": SOURCES_PATH,
            "opml_path": OPML_PATH,
            "search_path": SEARCH_PAGE if output.search else None,
        }
        texts, facts = sorted(self._templates.texts.items()), sorted(asdict(site).items())
        names = tuple(one.name for one in self._formats)
        shown = repr((texts, facts, names, PAGE_POLICY, output.search))
        self.design = hashlib.sha256(shown.encode("utf-8", "replace")).hexdigest()

    def item(self, view: ItemView) -> OutputFile:
        """Return the page of an item."""
        (entry,) = entries_of(view.view)
        page, words = view.page, self._words
        path = item_path(page.item, self._zone)
        title = shown_title(entry, words)
        slugs = tuple(zip(page.slugs, map(safe_line, page.item.categories), strict=True))
        feeds = [feed for slug, name in slugs for feed in self._feeds(slug, name)[:1]]
        frame = PageFrame(
            title=title,
            description=cut_between_words(text_of(entry), _EXCERPT, HEADING_ENDS),
            root=_root(path),
            canonical=public(self._site, path),
            kind="article",
            image=entry.image,
            feeds=(*feeds, *self._feeds(ALL, self._site.title)[:1]),
        )
        values = {
            "title": title,
            "lang": shown_language(entry, self._site.language),
            "source": {"title": source_name(entry), "link": entry.source.link},
            "authors": [person.name for person in entry.authors if person.name != source_name(entry)],
            "link": entry.link,
            "host": host_of(entry.link) if entry.link else "",
            "content": content_of(entry),
            "image": entry.image if entry.image and entry.image not in (entry.content or "") else None,
            "enclosures": entry.enclosures,
            "comments": entry.comments,
            "tags": entry.tags,
            "categories": [{"title": name, "path": page_path(slug)} for slug, name in slugs],
            "also": [
                {
                    "title": safe_line(one.title) or safe_line(one.source),
                    "link": link,
                    "host": host_of(link) if link else "",
                }
                for one in page.also
                for link in [safe_url(one.link)]
            ],
            "published": self._instant(entry),
        }
        return self._page("item.html", path, frame, values)

    def category(self, view: OutputView, archive: Sequence[Part]) -> OutputFile:
        """Return the page of a category, or one of its older pages."""
        slug, part = view.feed.slug, view.part
        name = safe_line(view.feed.title) or slug
        path = page_path(slug, part)
        cards = cards_of(view, self._words, self._zone)
        frame = PageFrame(
            title=f"{name} · {self._part_title(part)}" if part else name,
            description=safe_line(view.feed.description),
            root=_root(path),
            canonical=page_url(self._site, slug, part),
            feeds=self._feeds(slug, name),
        )
        values = {
            "name": name,
            "days": days_of(cards),
            "part": self._part_title(part) if part else None,
            "first": page_path(slug),
            "older": page_path(slug, view.older) if view.older else None,
            "newer": page_path(slug, view.newer) if view.newer else None,
            "archive": self._archive(slug, archive),
        }
        return self._page("category.html", path, frame, values)

    def front(self, view: FrontView) -> OutputFile:
        """Return the front page."""
        categories = [
            {
                "title": safe_line(each.summary.title) or each.summary.slug,
                "path": page_path(each.summary.slug),
                "feed": next((feed.path for feed in self._feeds(each.summary.slug, "")), None),
                "cards": cards_of(_of(view.latest, each.items), self._words, self._zone),
            }
            for each in view.categories
        ]
        frame = PageFrame(
            title=safe_line(self._site.title),
            description=safe_line(self._site.description),
            root="",
            canonical=page_url(self._site, ALL),
            feeds=self._feeds(ALL, self._site.title),
        )
        values = {
            "latest": cards_of(view.latest, self._words, self._zone),
            "categories": categories,
            "older": page_path(ALL, view.archive[0]) if view.archive else None,
            "archive": self._archive(ALL, view.archive),
        }
        return self._page("index.html", page_path(ALL), frame, values)

    def sources(self, lines: Sequence[SourceLine]) -> OutputFile:
        """Return the page of the sources."""
        words = self._words
        frame = PageFrame(
            title=words.texts["sources"],
            description=words.texts["about_sources"],
            root="",
            canonical=public(self._site, SOURCES_PATH),
            feeds=(self._feed(HEALTH_SLUG, words.texts["health_feed"], ATOM_FORMAT),),
        )
        rows = [
            {
                "title": safe_line(line.title) or safe_line(line.name),
                "link": safe_url(line.link),
                "feed": feed,
                "feed_name": host_of(feed) if feed else "",
                "categories": [{"title": safe_line(title), "path": page_path(slug)} for slug, title in line.slugs],
                "state": line.state.value,
                "state_text": words.state(line.state),
                "since": words.date(line.failing_since) if line.failing_since else None,
                "newest": words.date(line.newest_at) if line.newest_at else None,
                "newest_machine": words.local(line.newest_at).date().isoformat() if line.newest_at else None,
            }
            for line in lines
            for feed in [safe_url(line.url)]
        ]
        return self._page("sources.html", SOURCES_PATH, frame, {"rows": rows})

    def fixed(self) -> tuple[OutputFile, ...]:
        """Return the style sheet, the icon, and the page for a wrong address."""
        # It is shown at any address, so its links begin at the host.
        root = quote(urlsplit(self._site.url).path.rstrip("/"), safe="/%") + "/"
        frame = PageFrame(
            title=self._words.texts["missing"],
            description="",
            root=root,
            canonical=public(self._site, MISSING_PATH),
            feeds=self._feeds(ALL, self._site.title)[:1],
        )
        texts = self._templates.texts
        return (
            OutputFile(path=STYLE_PATH, body=texts["style.css"].encode()),
            OutputFile(path=ICON_PATH, body=texts["icon.svg"].encode()),
            self._page("404.html", MISSING_PATH, frame, {}),
        )

    def _page(self, template: str, path: str, frame: PageFrame, values: Mapping[str, object]) -> OutputFile:
        body = self._templates.render(template, {**self._shared, "page": frame, "root": frame.root, **values})
        return OutputFile(path=path, body=body)

    def _feeds(self, slug: str, name: str) -> tuple[FeedLink, ...]:
        return tuple(self._feed(slug, name, one) for one in self._formats)

    def _feed(self, slug: str, name: str, of: OutputFormat) -> FeedLink:
        return FeedLink(
            name=of.title,
            title=safe_line(name) or slug,
            path=feed_path(slug, of.name),
            url=feed_url(self._site, slug, of.name),
            media_type=of.media_type,
        )

    def _instant(self, entry: Entry) -> dict[str, str]:
        words, at = self._words, entry.published_at
        return {"machine": words.machine(at), "day": words.day(at), "clock": words.clock(at)}

    def _archive(self, slug: str, parts: Sequence[Part]) -> list[dict[str, str]]:
        """Return the months of an archive; the first part is only there to be linked as what comes next."""
        return [{"title": self._part_title(part), "path": page_path(slug, part)} for part in parts[1:]]

    def _part_title(self, part: Part) -> str:
        month = self._words.month(part.month)
        return month if part.number == 1 else f"{month} ({part.number})"


def _of(view: OutputView, items: Sequence[StoredItem]) -> OutputView:
    """Return a view of other items, without their texts, which the lists of the front page do not show.

    Only where an item has no title are they needed, for the beginning of its text.
    """
    content = "none" if all(safe_line(item.item.title) for item in items) else view.content
    return replace(view, items=tuple(items), content=content)


def _site_values(site: Site) -> dict[str, str]:
    return {
        "title": safe_line(site.title),
        "url": site.url,
        "language": language_tag(site.language) or "en",
        "author": safe_line(site.author),
        "description": safe_line(site.description),
    }


def _root(path: str) -> str:
    return "../" * path.count("/")
