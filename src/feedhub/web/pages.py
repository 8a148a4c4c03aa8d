"""The pages that are made when somebody asks: search, status, and what is said instead of a page."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from feedhub.model.report import HubStatus, SearchHit, SourceStatus
from feedhub.model.settings import Settings
from feedhub.publish.addresses import MEDIA_TYPES, SEARCH_FEED, SEARCH_PAGE, feed_path
from feedhub.publish.safe import safe_line, safe_url
from feedhub.rules.search_terms import marked
from feedhub.rules.select import ALL
from feedhub.rules.urls import public_url
from feedhub.runtime.logs import Masker
from feedhub.runtime.looking import Found
from feedhub.web.sparkline import WIDTH, bars
from feedhub.web.words import Words

LONGEST_QUERY: Final = 200
HITS: Final = 20
LAST_PAGE: Final = 10
_MOST_ROWS: Final = 500
_NAMES: Final = {"atom": "Atom", "rss": "RSS", "json": "JSON"}
_STATES: Final = ("failing", "broken", "gone", "stale", "new", "ok", "paused")
_TROUBLE: Final = frozenset({"failing", "broken", "gone", "stale"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A search as it was asked for: ``text`` clean and of bounded length, ``page`` from 1."""

    text: str
    page: int = 1
    was_cut: bool = False

    @property
    def first(self) -> int:
        """The number of the first hit, from 0."""
        return (self.page - 1) * HITS


def query_of(text: str, page: str = "1") -> Query:
    """Return what a request asks for; anything can be asked."""
    line = safe_line(text[: 4 * LONGEST_QUERY])
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 4 else 1
    return Query(
        text=line[:LONGEST_QUERY].strip(),
        page=min(max(1, number), LAST_PAGE),
        was_cut=len(line) > LONGEST_QUERY or len(text) > 4 * LONGEST_QUERY,
    )


class Pages:
    """Makes pages. The settings come with each call: a reload may exchange them. Safe for many threads."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("feedhub.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def search(self, settings: Settings, query: Query, found: Found | None) -> bytes:
        """Return the page of a search; None was found when it could not be done."""
        words = _words(settings)
        hits = found.hits if found else ()
        more = query.first + len(hits) < (found.total if found else 0) and query.page < LAST_PAGE
        values = {
            "query": query.text,
            "first": query.first,
            "was_cut": query.was_cut,
            "longest": LONGEST_QUERY,
            "failed": found is None,
            "feed": f"{SEARCH_FEED}?q={quote(query.text, safe='')}",
            "total": words.results(found.total, found.most) if found else "",
            "hits": [_hit(hit, query.text, settings, words) for hit in hits],
            "newer": _page_address(query, query.page - 1) if query.page > 1 else None,
            "older": _page_address(query, query.page + 1) if more else None,
        }
        return self._page("search.html", settings, words, "search", values)

    def status(
        self,
        settings: Settings,
        status: HubStatus,
        series: Mapping[str, tuple[int, ...]],
        items: int,
        complaints: Sequence[str],
        now: datetime,
    ) -> bytes:
        """Return the page of the status; ``items`` are all in the store."""
        words = _words(settings)
        masked = Masker()
        masked.hide(settings.secrets)
        sources = sorted(status.sources, key=lambda source: _rank(source.state))
        values = {
            "complaints": [masked(each) for each in complaints],
            "has_trouble": any(source.state in _TROUBLE for source in sources),
            "tally": _tally(sources, words),
            "items": f"{items:,}",
            "rows": [
                _row(each, series.get(each.name, ()), settings, words, masked, now) for each in sources[:_MOST_ROWS]
            ],
            "left_out": max(0, len(sources) - _MOST_ROWS),
            "categories": [
                {
                    "title": safe_line(each.title) or each.slug,
                    "count": f"{each.items:,}",
                    "changed": words.ago(each.changed_at, now) if each.items else words.texts["never"],
                    "page": _if_published(settings, f"category/{each.slug}.html"),
                    "feeds": _feeds(settings, each.slug),
                }
                for each in status.categories
            ],
            "machine": now.replace(microsecond=0).isoformat(),
            "moment": words.moment(now),
        }
        return self._page("status.html", settings, words, "status", values)

    def message(self, settings: Settings, name: str, root: str = "") -> bytes:
        """Return a page that says one thing: ``missing`` or ``failed``."""
        words = _words(settings)
        values = {"title": words.texts[name], "hint": words.texts[f"{name}_hint"]}
        return self._page("message.html", settings, words, "", {**values, "root": root})

    def _page(self, template: str, settings: Settings, words: Words, here: str, values: Mapping[str, object]) -> bytes:
        site = {
            "title": safe_line(settings.site.title),
            "style": _if_published(settings, "assets/style.css"),
            "icon": _if_published(settings, "assets/icon.svg"),
            "home": _if_published(settings, "index.html"),
            "feeds": _feeds(settings, ALL),
        }
        text = self._templates.get_template(template).render(
            {"root": "", "site": site, "words": words, "here": here, **values}
        )
        return text.encode("utf-8", "replace")


def _words(settings: Settings) -> Words:
    return Words(settings.site.language, settings.site.timezone)


def _if_published(settings: Settings, path: str) -> str | None:
    return path if os.path.isfile(os.path.join(settings.output.dir, path)) else None  # noqa: PTH113, PTH118 - one stat


def _feeds(settings: Settings, slug: str) -> list[dict[str, str]]:
    return [
        {"name": _NAMES[kind], "path": quote(feed_path(slug, kind)), "media_type": MEDIA_TYPES[kind]}
        for kind in MEDIA_TYPES
        if kind in settings.output.formats
    ]


def _page_address(query: Query, page: int) -> str:
    return f"{SEARCH_PAGE}?q={quote(query.text, safe='')}" + (f"&page={page}" if page > 1 else "")


def _hit(hit: SearchHit, query: str, settings: Settings, words: Words) -> dict[str, object]:
    original = safe_url(hit.link)
    ours = _item_page(hit, settings)
    return {
        "title": marked(safe_line(hit.title) or words.texts["untitled"], query),
        "snippet": marked(safe_line(hit.snippet), query),
        "href": ours or original,
        "is_ours": ours is not None,
        "original": original if ours else None,
        "host": (urlsplit(original).hostname or "").removeprefix("www.") if original else "",
        "source": safe_line(hit.source),
        "machine": hit.published_at.replace(microsecond=0).isoformat(),
        "moment": words.moment(hit.published_at),
    }


def _item_page(hit: SearchHit, settings: Settings) -> str | None:
    """Return the page of an item (SPEC §6) if there is one: under the whole id where eight digits are another's."""
    try:
        local = hit.published_at.astimezone(ZoneInfo(settings.site.timezone))
    except OverflowError:
        local = hit.published_at
    digits = "".join(char for char in hit.id.removeprefix("urn:uuid:") if char in "0123456789abcdef")
    folder = f"items/{local.year:04}/{local.month:02}"
    return _if_published(settings, f"{folder}/{digits}.html") or _if_published(settings, f"{folder}/{digits[:8]}.html")


def _rank(state: str) -> int:
    return _STATES.index(state) if state in _STATES else 0


def _tally(sources: Sequence[SourceStatus], words: Words) -> list[dict[str, str]]:
    states = dict.fromkeys(source.state for source in sources)
    counts = {state: sum(source.state == state for source in sources) for state in states}
    return [{"state": state, "word": words.state(state), "number": f"{count:,}"} for state, count in counts.items()]


def _row(
    source: SourceStatus, series: tuple[int, ...], settings: Settings, words: Words, masked: Masker, now: datetime
) -> dict[str, object]:
    moved = source.current_url if source.current_url not in (None, source.url) else None
    moved = public_url(moved, settings.secrets)
    notes = (source.reason, f"{words.texts['now_at']} {moved}" if moved else "")
    success = source.last_success
    return {
        "name": safe_line(masked(source.name)),
        "link": safe_url(public_url(source.url, settings.secrets)),
        "state": source.state,
        "word": words.state(source.state),
        "reason": safe_line(masked("; ".join(note for note in notes if note))),
        "count": f"{source.items:,}",
        "per_day": f"{source.items_per_day:.1f}",
        "bars": bars(series),
        "width": WIDTH,
        "series": ", ".join(map(str, series)),
        "success": words.ago(success, now),
        "success_machine": success.replace(microsecond=0).isoformat() if success else None,
        "next": words.until(source.next_poll_in),
    }
