"""The pages of a site: what each shows, as values for its template (``templates/``)."""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from html import escape
from typing import Final
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from markupsafe import Markup

from feedhub.model.item import StoredItem
from feedhub.model.output import (
    PAGE_POLICY,
    Category,
    CategorySummary,
    CategoryView,
    FrontView,
    ItemView,
    OtherSource,
    OutputFile,
    OutputFormat,
    OutputSettings,
    OutputView,
    Part,
    Site,
    SourceLine,
)
from feedhub.publish.addresses import (
    CATEGORIES_PATH,
    FEED_STYLE_PATH,
    FRONT_PATH,
    ICON_PATH,
    MISSING_PATH,
    ROBOTS_PATH,
    SITEMAP_PATH,
    SOURCES_PATH,
    STYLE_PATH,
    SUBSCRIBE_PATH,
    item_path,
    list_path,
    page_path,
    page_url,
    public,
)
from feedhub.publish.entry import Entry, EntryCache, RelatedReport, host_of, safe_line, safe_url
from feedhub.publish.formats import ATOM_FORMAT
from feedhub.publish.index import article_data, initials, robots, sitemap
from feedhub.publish.many_pages import ManyPages, Workers
from feedhub.publish.page_entries import (
    NO_MARKS,
    Card,
    CardsOfDay,
    card_of,
    content_of,
    days_of,
    excerpt_of,
    file_name,
    marks_of,
    media_of,
    policy_of,
)
from feedhub.publish.page_frame import ROOT, PageFrame, PageHead, readers_of
from feedhub.publish.page_texts import PageTexts
from feedhub.publish.templating import MakeTemplates, PageTemplates
from feedhub.rules.select import ALL, HEALTH_SLUG

_CARD: Final = "card"
_DATED_CARD: Final = "card with date"
_LINE: Final = "line"
_MANY: Final = frozenset({"item.html", "category.html"})
_DESIGN: Final = 4
"""Raised when code alone changes what pages show: then all of them are made anew, as for another template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    """A category on the front page; ``newest`` is None for an empty one. Either ``cards`` or ``html`` are its items."""

    summary: CategorySummary
    newest: datetime | None
    cards: tuple[Card, ...]
    html: Markup | None
    row: Mapping[str, object]
    """What the page of all categories shows of it."""


class HtmlSite:
    """Renders the pages of one site. Safe to call from many threads at once."""

    def __init__(
        self,
        site: Site,
        output: OutputSettings,
        categories: Sequence[Category] = (),
        added: Sequence[OutputFormat] = (),
        make: MakeTemplates = PageTemplates,
        cache: EntryCache | None = None,
        workers: Callable[[], Workers] | None = None,
    ) -> None:
        """``categories`` are those of the configuration, ``added`` formats of others; ``make`` as in ``PageFrame``.

        ``workers`` make pages of many items.
        """
        self._cache = cache or EntryCache()
        self._sections: dict[str, _Section] = {}
        self._source_rows: dict[SourceLine, Mapping[str, object]] = {}
        # Pages that there are once, each with what it was rendered of.
        self._singles: dict[str, tuple[PageHead, Mapping[str, object], bytes]] = {}
        self._categories = {each.slug: each for each in categories}
        self._site = site
        self._zone = ZoneInfo(site.timezone)
        self._words = PageTexts(site.language, self._zone)
        self._frame = PageFrame(site, output, self._words, categories, added, make=make)
        self._many = None
        if workers is not None and self._frame.templates.is_ours and not added:
            self._many = ManyPages(self.item, self._cache, workers, site, output, categories)
        texts, facts = sorted(self._frame.templates.texts.items()), sorted(asdict(site).items())
        names = tuple(one.name for one in self._frame.formats)
        shown = repr((_DESIGN, texts, facts, names, self._frame.places, PAGE_POLICY, output.search))
        self.design = hashlib.sha256(shown.encode("utf-8", "replace")).hexdigest()

    def item(self, view: ItemView) -> OutputFile:
        """Return the page of an item."""
        page, words = view.page, self._words
        (stored,) = view.view.items
        entry = self._cache.entry(view.view, stored)
        card = self._card(entry, stored)
        self._drawn(view.view, _CARD, "", lambda *_: card)  # a list shows it, too, and now its entry is at hand
        path, title, excerpt, media = card.page, card.title, excerpt_of(entry), media_of(entry)
        slugs = tuple(zip(page.slugs, map(safe_line, page.item.categories), strict=True))
        feeds = [feed for slug, name in slugs for feed in self._frame.feeds(slug, name)[:1]]
        head = PageHead(
            title=title,
            description=excerpt,
            root=_root(path),
            canonical=public(self._site, path),
            kind="article",
            image=media.picture or entry.image,
            feeds=tuple(feeds) or self._frame.feeds(ALL, self._site.title)[:1],
            slug=slugs[0][0] if slugs else ALL,
        )
        content = content_of(entry, words)
        values = {
            "title": title,
            "marks": card.marks if entry.title else marks_of(entry, stored.item.language, title, excerpt, self._site),
            "source": {"title": card.source, "link": entry.source.link},
            "authors": [person.name for person in entry.authors if person.name != card.source],
            "link": entry.link,
            "host": host_of(entry.link) if entry.link else "",
            "content": content,
            "media": media,
            "files": [{"url": one.url, "media_type": one.media_type, "title": file_name(one)} for one in media.files],
            "comments": entry.comments,
            "tags": entry.tags,
            "categories": [{"title": name, "path": list_path(slug)} for slug, name in slugs],
            "places": self._frame.places_of(slugs),
            "policy": self._frame.policy or policy_of(content, media),
            "also": [_other(one) for one in page.also],
            "reported": (card.reports or words.texts["also"], [self._report(one) for one in entry.reports]),
            "data": article_data(entry, title, head.canonical, head.image),
            "published": {"machine": card.machine_time, "moment": words.moment(entry.published_at)},
        }
        return self._page("item.html", path, head, values)

    def items(self, views: Iterator[ItemView], formats: Collection[str]) -> Iterator[Callable[[], OutputFile]]:
        """Return what renders the page of each item; see ``PageRenderer.items``."""
        return self._many.renders(views, formats) if self._many else (partial(self.item, view) for view in views)

    def _report(self, report: RelatedReport) -> dict[str, object]:
        at = report.published_at
        facts = {"title": report.title, "link": report.link, "source": report.source}
        return {**facts, "machine": self._words.machine(at), "moment": self._words.moment(at)}

    def list_page(self, view: OutputView, months: Sequence[Part]) -> OutputFile:
        """Return the first page of an output's list, or one of its older pages."""
        slug, part = view.feed.slug, view.part
        name = self._words.texts["everything"] if slug == ALL else safe_line(view.feed.title) or slug
        path = list_path(slug, part)
        head = PageHead(
            title=f"{name} · {self._part_title(part)}" if part else name,
            description=safe_line(view.feed.description),
            root=_root(path),
            canonical=public(self._site, path),
            feeds=self._frame.feeds(slug, name),
            slug=slug,
            place=list_path(slug),
        )
        values = {
            "name": name,
            "days": self._days(view, head.root),
            "part": self._part_title(part) if part else None,
            "first": list_path(slug),
            "older": list_path(slug, view.older) if view.older else None,
            "newer": list_path(slug, view.newer) if view.newer else None,
            "archive": self._archive(slug, months),
        }
        return self._page("category.html", path, head, values)

    def remembers(self, category: CategorySummary) -> bool:
        """See ``PageRenderer.remembers``: what an owner's templates show of an item, is not known."""
        kept = self._sections.get(category.slug)
        is_same = kept is not None and (kept.summary, kept.summary.version) == (category, category.version)
        return is_same and self._frame.templates.is_ours

    def _section(self, view: CategoryView, latest: OutputView) -> _Section:
        """Return a category as the front page shows it; ``latest`` is the list of all there."""
        slug, items = view.summary.slug, view.items
        if items is None:
            return self._sections[slug]
        shown = _of(latest, items)
        lines = self._drawn(shown, f"{_LINE} {shown.content}", "")
        newest = items[0].published_at if items else None
        section = _Section(
            summary=view.summary,
            newest=newest,
            cards=() if lines else self._cards(shown),
            html=lines,
            row=self._row(view.summary, newest),
        )
        self._sections[slug] = section
        return section

    def _row(self, summary: CategorySummary, newest: datetime | None) -> Mapping[str, object]:
        words, slug = self._words, summary.slug
        return {
            "title": safe_line(summary.title) or slug,
            "path": list_path(slug),
            "description": safe_line(self._categories[slug].description) if slug in self._categories else "",
            "count": words.items(summary.items),
            "newest": words.date(newest) if newest else None,
            "newest_machine": words.machine(newest) if newest else None,
            "feeds": self._frame.feeds(slug, ""),
        }

    def front(self, view: FrontView) -> OutputFile:
        """Return the front page."""
        categories = [
            {
                "title": safe_line(one.summary.title) or one.summary.slug,
                "path": page_path(one.summary.slug),
                "feed": next((feed.path for feed in self._frame.feeds(one.summary.slug, "")), None),
                "count": self._words.items(one.summary.items),
                "cards": one.cards,
                "html": one.html,
            }
            for one in (self._section(each, view.latest) for each in view.categories)
            if one.newest is not None
        ]
        latest = self._drawn(view.latest, _DATED_CARD, "")
        head = PageHead(
            title=safe_line(self._site.title),
            description=safe_line(self._site.description),
            root="",
            canonical=page_url(self._site, ALL),
            feeds=self._frame.feeds(ALL, self._site.title),
            place=FRONT_PATH,
        )
        values = {
            "latest": () if latest else self._cards(view.latest),
            "latest_html": latest,
            "categories": categories,
            "everything": list_path(ALL),
            "archive": self._archive(ALL, view.months),
        }
        return self._page("index.html", FRONT_PATH, head, values)

    def sources(self, lines: Sequence[SourceLine]) -> OutputFile:
        """Return the page of the sources."""
        words = self._words
        head = PageHead(
            title=words.texts["sources"],
            description=words.texts["about_sources"],
            root="",
            canonical=public(self._site, SOURCES_PATH),
            feeds=(self._frame.feed(HEALTH_SLUG, words.texts["health_feed"], ATOM_FORMAT),),
            slug=HEALTH_SLUG,
            place=SOURCES_PATH,
        )
        self._source_rows = rows = {line: self._source_rows.get(line) or self._source_row(line) for line in lines}
        return self._page("sources.html", SOURCES_PATH, head, {"rows": [*rows.values()]})

    def _source_row(self, line: SourceLine) -> Mapping[str, object]:
        words, feed = self._words, safe_url(line.url)
        return {
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

    def categories(self, view: FrontView) -> OutputFile:
        """Return the page of all categories, with what each holds."""
        words = self._words
        head = PageHead(
            title=words.texts["categories"],
            description="",
            root="",
            canonical=public(self._site, CATEGORIES_PATH),
            feeds=self._frame.feeds(ALL, self._site.title)[:1],
            place=CATEGORIES_PATH,
        )
        rows = [self._section(each, view.latest).row for each in view.categories]
        return self._page("categories.html", CATEGORIES_PATH, head, {"rows": rows, "no_marks": NO_MARKS})

    def subscribe(self, categories: Sequence[CategorySummary]) -> OutputFile:
        """Return the page that says how to subscribe, with the addresses of all feeds."""
        words = self._words
        head = PageHead(
            title=words.texts["subscribe"],
            description=words.texts["how_1"],
            root="",
            canonical=public(self._site, SUBSCRIBE_PATH),
            feeds=self._frame.feeds(ALL, self._site.title),
        )
        named = [(ALL, self._site.title), *((each.slug, each.title) for each in categories)]
        health = self._frame.feed(HEALTH_SLUG, words.texts["health_feed"], ATOM_FORMAT)
        feeds = [(slug, safe_line(title) or slug, self._frame.feeds(slug, title)) for slug, title in named]
        outputs = [
            {"slug": slug, "title": title, "path": page_path(slug), "feeds": some, "readers": readers_of(some[0].url)}
            for slug, title, some in (*feeds, (HEALTH_SLUG, health.title, (health,)))
            if some
        ]
        return self._page("subscribe.html", SUBSCRIBE_PATH, head, {"outputs": outputs})

    def sitemap(self, items: Sequence[StoredItem], slugs: Sequence[str]) -> OutputFile:
        """Return the sitemap: the lists of these outputs, and these items."""
        lists = [("", None), *((list_path(slug), None) for slug in (ALL, *slugs))]
        pages = [(item_path(item, self._zone), item.updated_at) for item in items]
        return OutputFile(path=SITEMAP_PATH, body=sitemap(self._site, [*lists, *pages]))

    def fixed(self) -> tuple[OutputFile, ...]:
        """Return the style sheets, the icon, ``robots.txt``, and the page for a wrong address."""
        # It is shown at any address, so its links begin at the host.
        root = quote(urlsplit(self._site.url).path.rstrip("/"), safe="/%") + "/"
        head = PageHead(
            title=self._words.texts["missing"],
            description="",
            root=root,
            canonical=public(self._site, MISSING_PATH),
            feeds=self._frame.feeds(ALL, self._site.title)[:1],
        )
        texts, sign = self._frame.templates.texts, escape(initials(self._site.title))
        return (
            OutputFile(path=STYLE_PATH, body=texts["style.css"].encode()),
            OutputFile(path=FEED_STYLE_PATH, body=self._feed_style().encode()),
            OutputFile(path=ICON_PATH, body=texts["icon.svg"].replace("{initials}", sign).encode()),
            OutputFile(path=ROBOTS_PATH, body=robots(self._site)),
            self._page("404.html", MISSING_PATH, head, {}),
        )

    def _feed_style(self) -> str:
        """Return the style sheet of feeds, with what it says of them as a string of CSS."""
        return self._frame.templates.texts["feed.css"].replace("{about}", self._words.texts["about_feed"])

    def _page(self, template: str, path: str, head: PageHead, values: Mapping[str, object]) -> OutputFile:
        if template in _MANY:
            return OutputFile(path=path, body=self._frame.fill(template, head, values))
        kept = self._singles.get(path)
        if kept is None or kept[:2] != (head, values):
            kept = self._singles[path] = head, values, self._frame.fill(template, head, values)
        return OutputFile(path=path, body=kept[2])

    def _days(self, view: OutputView, root: str) -> list[CardsOfDay]:
        """Return the items of a list by day."""
        return [
            CardsOfDay(title=title, cards=() if html else self._cards(shown), html=html)
            for title, items in days_of(view, self._words).items()
            for shown in [replace(view, items=tuple(items))]
            for html in [self._drawn(shown, _CARD, root)]
        ]

    def _card(self, entry: Entry, stored: StoredItem) -> Card:
        return card_of(entry, stored, self._site, self._words, self._zone)

    def _cards(self, view: OutputView) -> tuple[Card, ...]:
        """Return the items of a view as values for templates."""
        return tuple(self._card(self._cache.entry(view, stored), stored) for stored in view.items)

    def _drawn(
        self, view: OutputView, kind: str, root: str, card: Callable[[Entry, StoredItem], Card] | None = None
    ) -> Markup | None:
        """Return the items of a view as our macros render them, once; None where the owner has templates."""
        if not self._frame.templates.is_ours or not view.items:
            return None
        macro, *options = ("line",) if kind.startswith(_LINE) else ("card", kind == _DATED_CARD)
        card = card or self._card

        def draw(entry: Entry, stored: StoredItem) -> bytes:
            return self._frame.draw(macro, card(entry, stored), *options)

        html = b"\n".join(self._cache.made(view, kind, draw)).decode().replace(ROOT, root)
        return Markup(html)  # noqa: S704 - the macros escape

    def _archive(self, slug: str, parts: Sequence[Part]) -> list[dict[str, str]]:
        """Return the months of a list; the first part is only there to be linked as what comes next."""
        return [{"title": self._part_title(part), "path": list_path(slug, part)} for part in parts[1:]]

    def _part_title(self, part: Part) -> str:
        month = self._words.month(part.month)
        return month if part.number == 1 else f"{month} ({part.number})"


def _other(one: OtherSource) -> dict[str, str | None]:
    link = safe_url(one.link)
    return {"title": safe_line(one.title) or safe_line(one.source), "link": link, "host": host_of(link) if link else ""}


def _of(view: OutputView, items: Sequence[StoredItem]) -> OutputView:
    """Return a view of other items, without their texts, which the lists of the front page do not show.

    Only where an item has no title are they needed, for the beginning of its text.
    """
    content = "none" if all(safe_line(item.item.title) for item in items) else view.content
    return replace(view, items=tuple(items), content=content)


def _root(path: str) -> str:
    return "../" * path.count("/")
