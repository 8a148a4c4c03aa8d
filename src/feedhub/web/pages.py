"""The pages that are made on request: search, status, and what says that a page is missing or failed."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from feedhub.errors import PublishError
from feedhub.model.report import HubStatus, LedgerEntry, SearchHit, SourceStatus
from feedhub.model.settings import ConfigFault, Settings
from feedhub.model.source import Health
from feedhub.publish.addresses import FRONT_PATH, ICON_PATH, SEARCH_FEED, SEARCH_PAGE, STYLE_PATH, feed_path, list_path
from feedhub.publish.entry import safe_line, safe_url
from feedhub.publish.formats import FORMATS
from feedhub.publish.page_frame import PageFrame, PageHead
from feedhub.publish.page_texts import CHINESE, ENGLISH, PageTexts
from feedhub.publish.templating import MakeTemplates, PageTemplates, templates_in
from feedhub.rules.health import duration_text
from feedhub.rules.select import ALL
from feedhub.rules.text import highlighted
from feedhub.rules.urls import public_url
from feedhub.runtime.inspection import SearchResult
from feedhub.runtime.logs import Masker
from feedhub.runtime.plugins import added_formats
from feedhub.runtime.status import DAYS, public_problem
from feedhub.web.log_page import LogRequest, log_values

log = logging.getLogger(__name__)

PAGES_STYLE: Final = "pages.css"
"""Where the style of the published pages is served, for a site that publishes none."""
_STEP: Final = 4
_HEIGHT: Final = 22
_TOP: Final = 2
WIDTH: Final = DAYS * _STEP - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of a small chart, in an SVG without style and script. Its lower edge is that of the chart."""

    x: int
    y: int
    height: int


def bars(series: Sequence[int]) -> tuple[Bar, ...]:
    """Return a bar for each number that is not 0, the largest as high as the chart and the smallest still visible."""
    highest = max(series, default=0)
    return tuple(
        Bar(x=place * _STEP, y=_TOP + _HEIGHT - height, height=height)
        for place, number in enumerate(series)
        if number > 0
        for height in [max(2, round(number / highest * _HEIGHT))]
    )


_ENGLISH: Final[Mapping[str, str]] = MappingProxyType(
    {
        **ENGLISH,
        "all_well": "Everything is well",
        "as_of": "As of",
        "as_feed": "Follow this search in a feed reader",
        "category": "Category",
        "config_fault": "The saved configuration cannot be used since {}. The one before it goes on.",
        "days": "new items a day, last 30 days",
        "due": "due",
        "failed": "This page cannot be shown at the moment.",
        "failed_hint": "The feeds are not affected. Try again in a minute.",
        "failed_search": "The search took too long or could not be done. Try again in a minute.",
        "feeds": "Feeds",
        "gone": "This category is gone.",
        "gone_hint": "It was removed, and nothing new will come here.",
        "item_count": "Items",
        "last_change": "Last change",
        "last_days": "30 days",
        "last_success": "Last success",
        "log": "Log",
        "log.dropped": "Dropped",
        "log.merged": "Merged",
        "log.rejected": "Rejected",
        "log_all": "Everything",
        "log_empty": "Nothing of that is noted.",
        "log_hint": "What was dropped, merged or rejected, and why. Newest first.",
        "log_kind": "Kind",
        "log_newer": "Newer",
        "log_older": "Older",
        "log_show": "Show",
        "log_words": "Words of a title",
        "more_results": "More results",
        "fewer_results": "Back",
        "more_sources": "More sources are in",
        "needs_look": "Needs a look",
        "next_poll": "Next poll",
        "no_results": "Nothing was found.",
        "no_results_hint": "Every word must occur in an item. Try fewer texts, or shorter ones.",
        "no_sources": "No sources are configured.",
        "now_at": "now at",
        "original": "Original",
        "per_day": "Per day",
        "results.1": "1 result",
        "results.n": "{} results",
        "results.most": "More than {} results",
        "search_hint": "Words that must all occur. Chinese needs no spaces.",
        "state": "State",
        "status": "Status",
        "too_long": "The query was cut to {} characters.",
    }
)
_CHINESE: Final[Mapping[str, str]] = MappingProxyType(
    {
        **CHINESE,
        "all_well": "一切正常",
        "as_of": "截至",
        "as_feed": "在阅读器中订阅此搜索",
        "category": "分类",
        "config_fault": "自 {} 起，已保存的配置无法使用，仍沿用之前的配置。",
        "days": "最近 30 天每日新增",
        "due": "即将抓取",
        "failed": "此页面暂时无法显示。",
        "failed_hint": "订阅源不受影响，请稍后再试。",
        "failed_search": "搜索超时或无法完成，请稍后再试。",
        "feeds": "订阅",
        "gone": "该分类已删除。",
        "gone_hint": "这里不会再有新内容。",
        "item_count": "条目",
        "last_change": "最近变动",
        "last_days": "近 30 天",
        "last_success": "上次成功",
        "log": "日志",
        "log.dropped": "丢弃",
        "log.merged": "合并",
        "log.rejected": "拒收",
        "log_all": "全部",
        "log_empty": "没有这样的记录。",
        "log_hint": "被丢弃、合并或拒收的内容及其原因，最新的在前。",
        "log_kind": "类型",
        "log_newer": "较新",
        "log_older": "较早",
        "log_show": "显示",
        "log_words": "标题中的词",
        "more_results": "更多结果",
        "fewer_results": "返回",
        "more_sources": "其余来源见",
        "needs_look": "需要留意",
        "next_poll": "下次抓取",
        "no_results": "没有找到相关内容。",
        "no_results_hint": "所有词都必须出现。可以减少词数，或换更短的词。",
        "no_sources": "尚未配置来源。",
        "now_at": "现地址",
        "original": "原文",
        "per_day": "日均",
        "results.1": "1 条结果",
        "results.n": "{} 条结果",
        "results.most": "超过 {} 条结果",
        "search_hint": "输入的词须全部出现；中文无需空格。",
        "state": "状态",
        "status": "状态",
        "too_long": "搜索词已截短为 {} 个字符。",
    }
)
_DATE_AFTER: Final = 14 * 86_400
_CHINESE_UNITS: Final = {"day": "天", "days": "天", "h": "小时", "min": "分钟", "s": "秒"}


class WebTexts(PageTexts):
    """The texts and times of the pages that are made on request."""

    def __init__(self, language: str, timezone: str) -> None:
        super().__init__(language, ZoneInfo(timezone), _ENGLISH, _CHINESE)

    def results(self, total: int, most: int) -> str:
        """Return how many results there are."""
        if total >= most:
            return self.texts["results.most"].format(f"{most:,}")
        return self.texts["results.1" if total == 1 else "results.n"].format(f"{total:,}")

    def ago(self, at: datetime | None, now: datetime) -> str:
        """Return ``3 h ago``; the date for an instant long past."""
        if at is None:
            return self.texts["never"]
        seconds = max(0.0, (now - at).total_seconds())
        if seconds > _DATE_AFTER:
            return self.date(at)
        return f"{self._duration(seconds)}前" if self._is_chinese else f"{self._duration(seconds)} ago"

    def until(self, seconds: float | None) -> str:
        """Return ``in 12 min``, or that the instant has come; a dash for never."""
        if seconds is None:
            return "–"
        if seconds < 1:
            return self.texts["due"]
        return f"{self._duration(seconds)}后" if self._is_chinese else f"in {self._duration(seconds)}"

    def _duration(self, seconds: float) -> str:
        text = duration_text(seconds)
        number, _, unit = text.partition(" ")
        return f"{number} {_CHINESE_UNITS[unit]}" if self._is_chinese else text


LONGEST_QUERY: Final = 200
HITS: Final = 20
LAST_PAGE: Final = 10
_MOST_ROWS: Final = 500
_MOST_PROBLEMS: Final = 10
_SHORT_NAMES: Final = {"json": "JSON"}
_TROUBLE: Final = (Health.FAILING, Health.BROKEN, Health.GONE, Health.STALE)
_WORST_FIRST: Final = (*_TROUBLE, Health.NEW, Health.OK, Health.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A search as requested: ``text`` clean and of limited length, ``page`` from 1."""

    text: str
    page: int = 1
    was_cut: bool = False

    @property
    def first(self) -> int:
        """The number of the first hit, from 0."""
        return (self.page - 1) * HITS


def parse_query(text: str, page: str = "1") -> Query:
    """Return the query of a request; never raises."""
    line = safe_line(text[: 4 * LONGEST_QUERY])
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 4 else 1
    return Query(
        text=line[:LONGEST_QUERY].strip(),
        page=min(max(1, number), LAST_PAGE),
        was_cut=len(line) > LONGEST_QUERY or len(text) > 4 * LONGEST_QUERY,
    )


class Pages:
    """Makes pages, in the frame of the published ones. The settings are arguments, because a reload may exchange them.

    Safe for many threads. An owner's template that fails here is left out.
    """

    def __init__(self, make: MakeTemplates = PageTemplates) -> None:
        """``make`` makes templates, as ``PageTemplates`` does."""
        self._make = make
        self._frames: tuple[Settings, PageFrame, PageFrame] | None = None

    def search(self, settings: Settings, query: Query, result: SearchResult | None) -> bytes:
        """Return the page of a search; ``result`` is None when the search failed."""
        texts = _texts_of(settings)
        hits = result.hits if result else ()
        more = query.first + len(hits) < (result.total if result else 0) and query.page < LAST_PAGE
        values = {
            "query": query.text,
            "first": query.first,
            "was_cut": query.was_cut,
            "longest": LONGEST_QUERY,
            "failed": result is None,
            "feed": f"{SEARCH_FEED}?q={quote(query.text, safe='')}",
            "total": texts.results(result.total, result.most) if result else "",
            "hits": [_hit(hit, query.text, settings, texts) for hit in hits],
            "newer": _page_address(query, query.page - 1) if query.page > 1 else None,
            "older": _page_address(query, query.page + 1) if more else None,
        }
        title = f"{query.text} · {texts.texts['search']}" if query.text else texts.texts["search"]
        return self._page("search.html", settings, title, values)

    def status(
        self,
        settings: Settings,
        status: HubStatus,
        series: Mapping[str, tuple[int, ...]],
        items: int,
        complaints: Sequence[str],
        now: datetime,
        fault: ConfigFault | None = None,
    ) -> bytes:
        """Return the page of the status; ``items`` is the number of items in the store."""
        texts = _texts_of(settings)
        masked = Masker()
        masked.hide(settings.secrets)
        sources = sorted(status.sources, key=lambda source: _WORST_FIRST.index(source.state))
        problems = fault.problems if fault else ()
        values = {
            "complaints": [masked(each) for each in complaints],
            "fault": texts.texts["config_fault"].format(texts.moment(fault.since)) if fault else "",
            "problems": [safe_line(masked(str(public_problem(each)))) for each in problems[:_MOST_PROBLEMS]],
            "problems_left_out": max(0, fault.count - _MOST_PROBLEMS) if fault else 0,
            "has_trouble": bool(fault) or any(source.state in _TROUBLE for source in sources),
            "state_counts": _state_counts(sources, texts),
            "items": f"{items:,}",
            "rows": [
                _row(each, series.get(each.name, ()), settings, texts, masked, now) for each in sources[:_MOST_ROWS]
            ],
            "left_out": max(0, len(sources) - _MOST_ROWS),
            "categories": [
                {
                    "title": safe_line(each.title) or each.slug,
                    "count": f"{each.items:,}",
                    "changed": texts.ago(each.changed_at, now) if each.changed_at else texts.texts["never"],
                    "page": _if_published(settings, list_path(each.slug)),
                    "feeds": _feeds(settings, each.slug),
                }
                for each in status.categories
            ],
            "machine": now.replace(microsecond=0).isoformat(),
            "moment": texts.moment(now),
        }
        return self._page("status.html", settings, texts.texts["status"], values)

    def log(self, settings: Settings, request: LogRequest, entries: Sequence[LedgerEntry]) -> bytes:
        """Return a page of the log; ``entries`` are one more than it holds where there are more."""
        texts = _texts_of(settings)
        return self._page("log.html", settings, texts.texts["log"], log_values(request, entries, settings, texts))

    def message(self, settings: Settings, name: str, root: str = "") -> bytes:
        """Return a page with one message: ``missing``, ``gone`` or ``failed``."""
        texts = _texts_of(settings)
        return self._page("message.html", settings, texts.texts[name], {"hint": texts.texts[f"{name}_hint"]}, root)

    def _page(
        self, template: str, settings: Settings, title: str, values: Mapping[str, object], root: str = ""
    ) -> bytes:
        own, ours = self._frames_of(settings)
        head = PageHead(
            title=title, description="", root=root, canonical="", feeds=ours.feeds(ALL, settings.site.title)
        )
        present = {
            "front_path": _if_published(settings, FRONT_PATH),
            "style": _if_published(settings, STYLE_PATH) or PAGES_STYLE,
            "icon": _if_published(settings, ICON_PATH),
            "search_path": SEARCH_PAGE,
        }
        try:
            return own.render(template, head, {**present, **values})
        except PublishError as error:
            log.warning("a template cannot be used", extra={"reason": str(error)})
            return ours.render(template, head, {**present, **values})

    def _frames_of(self, settings: Settings) -> tuple[PageFrame, PageFrame]:
        """Return the frame with the templates of the owner, and the one with ours alone."""
        if self._frames is None or self._frames[0] is not settings:
            texts, added = _texts_of(settings), added_formats(settings.output.formats)
            templates = templates_in("feedhub.web")
            own, ours = (
                PageFrame(settings.site, output, texts, settings.categories, added, templates, self._make)
                for output in (settings.output, replace(settings.output, templates=()))
            )
            self._frames = settings, own, ours
        return self._frames[1:]


def _texts_of(settings: Settings) -> WebTexts:
    return WebTexts(settings.site.language, settings.site.timezone)


def _if_published(settings: Settings, path: str) -> str | None:
    return path if os.path.isfile(os.path.join(settings.output.dir, path)) else None  # noqa: PTH113, PTH118 - one stat


def _feeds(settings: Settings, slug: str) -> list[dict[str, str]]:
    return [
        {
            "name": _SHORT_NAMES.get(one.name, one.title),
            "path": quote(feed_path(slug, one.name)),
            "media_type": one.media_type,
        }
        for one in (*FORMATS.formats, *added_formats(settings.output.formats))
        if one.name in settings.output.formats
    ]


def _page_address(query: Query, page: int) -> str:
    return f"{SEARCH_PAGE}?q={quote(query.text, safe='')}" + (f"&page={page}" if page > 1 else "")


def _hit(hit: SearchHit, query: str, settings: Settings, texts: WebTexts) -> dict[str, object]:
    original = safe_url(hit.link)
    ours = _item_page(hit, settings)
    return {
        "title": highlighted(safe_line(hit.title) or texts.texts["untitled"], query),
        "snippet": highlighted(safe_line(hit.snippet), query),
        "href": ours or original,
        "is_ours": ours is not None,
        "original": original if ours else None,
        "host": (urlsplit(original).hostname or "").removeprefix("www.") if original else "",
        "source": safe_line(hit.source_title) or safe_line(hit.source),
        "machine": hit.published_at.replace(microsecond=0).isoformat(),
        "moment": texts.moment(hit.published_at),
    }


def _item_page(hit: SearchHit, settings: Settings) -> str | None:
    """Return the page of an item (SPEC §6) if there is one: under its whole id where another has its eight digits."""
    try:
        local = hit.published_at.astimezone(ZoneInfo(settings.site.timezone))
    except OverflowError:
        local = hit.published_at
    digits = "".join(char for char in hit.id.removeprefix("urn:uuid:") if char in "0123456789abcdef")
    folder = f"items/{local.year:04}/{local.month:02}"
    return _if_published(settings, f"{folder}/{digits}.html") or _if_published(settings, f"{folder}/{digits[:8]}.html")


def _state_counts(sources: Sequence[SourceStatus], texts: WebTexts) -> list[dict[str, str]]:
    states = dict.fromkeys(source.state for source in sources)
    counts = {state: sum(source.state == state for source in sources) for state in states}
    return [
        {"state": state.value, "word": texts.state(state), "number": f"{count:,}"} for state, count in counts.items()
    ]


def _row(
    source: SourceStatus, series: tuple[int, ...], settings: Settings, texts: WebTexts, masked: Masker, now: datetime
) -> dict[str, object]:
    moved = source.current_url if source.current_url not in (None, source.url) else None
    moved = public_url(moved, settings.secrets)
    notes = (source.reason, f"{texts.texts['now_at']} {moved}" if moved else "")
    success = source.last_success
    return {
        "name": safe_line(masked(source.name)),
        "title": safe_line(masked(source.title)) or safe_line(masked(source.name)),
        "link": safe_url(public_url(source.url, settings.secrets)),
        "state": source.state.value,
        "word": texts.state(source.state),
        "reason": safe_line(masked("; ".join(note for note in notes if note))),
        "count": f"{source.items:,}",
        "per_day": f"{source.items_per_day:.1f}",
        "bars": bars(series),
        "width": WIDTH,
        "series": ", ".join(map(str, series)),
        "success": texts.ago(success, now),
        "success_machine": success.replace(microsecond=0).isoformat() if success else None,
        "next": texts.until(source.next_poll_in),
    }
