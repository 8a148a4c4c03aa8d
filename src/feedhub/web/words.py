"""What our own pages say, in the language of the site: English, or Chinese for every ``zh``."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

_ENGLISH: Final[Mapping[str, str]] = MappingProxyType(
    {
        "all_well": "Everything is well",
        "as_of": "As of",
        "as_feed": "Follow this search in a feed reader",
        "categories": "Categories",
        "category": "Category",
        "days": "new items a day, last 30 days",
        "due": "due",
        "failed": "This page cannot be shown at the moment.",
        "failed_hint": "The feeds are not affected. Try again in a minute.",
        "failed_search": "The search took too long or could not be done. Try again in a minute.",
        "feeds": "Feeds",
        "home": "Home",
        "item_count": "Items",
        "last_change": "Last change",
        "last_days": "30 days",
        "last_success": "Last success",
        "missing": "There is no such page.",
        "missing_hint": "The address may be wrong, or the item was removed after its time.",
        "more_results": "More results",
        "fewer_results": "Back",
        "more_sources": "More sources are in",
        "needs_look": "Needs a look",
        "never": "never",
        "next_poll": "Next poll",
        "no_results": "Nothing was found.",
        "no_results_hint": "Every word must occur in an item. Try fewer words, or shorter ones.",
        "no_sources": "No sources are configured.",
        "now_at": "now at",
        "original": "Original",
        "per_day": "Per day",
        "results.1": "1 result",
        "results.n": "{} results",
        "results.most": "More than {} results",
        "search": "Search",
        "search_hint": "Words that must all occur. Chinese needs no spaces.",
        "skip": "Skip to the content",
        "source": "Source",
        "sources": "Sources",
        "state": "State",
        "state.broken": "misconfigured",
        "state.failing": "failing",
        "state.gone": "gone",
        "state.new": "not polled yet",
        "state.ok": "ok",
        "state.paused": "paused",
        "state.stale": "silent",
        "status": "Status",
        "too_long": "The query was cut to {} characters.",
        "untitled": "Untitled",
    }
)
_CHINESE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "all_well": "一切正常",
        "as_of": "截至",
        "as_feed": "在阅读器中订阅此搜索",
        "categories": "分类",
        "category": "分类",
        "days": "最近 30 天每日新增",
        "due": "即将抓取",
        "failed": "此页面暂时无法显示。",
        "failed_hint": "订阅源不受影响，请稍后再试。",
        "failed_search": "搜索超时或无法完成，请稍后再试。",
        "feeds": "订阅",
        "home": "首页",
        "item_count": "条目",
        "last_change": "最近变动",
        "last_days": "近 30 天",
        "last_success": "上次成功",
        "missing": "没有这个页面。",
        "missing_hint": "地址可能有误，或者该内容已过保留期。",
        "more_results": "更多结果",
        "fewer_results": "返回",
        "more_sources": "其余来源见",
        "needs_look": "需要留意",
        "never": "从未",
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
        "search": "搜索",
        "search_hint": "输入的词须全部出现；中文无需空格。",
        "skip": "跳到正文",
        "source": "来源",
        "sources": "来源",
        "state": "状态",
        "state.broken": "配置有误",
        "state.failing": "失败",
        "state.gone": "已下线",
        "state.new": "尚未抓取",
        "state.ok": "正常",
        "state.paused": "已暂停",
        "state.stale": "沉默",
        "status": "状态",
        "too_long": "搜索词已截短为 {} 个字符。",
        "untitled": "无标题",
    }
)
_UNITS: Final = ((86_400, "day", "天"), (3_600, "h", "小时"), (60, "min", "分钟"), (1, "s", "秒"))
_RELATIVE: Final = 14 * 86_400


class Words:
    """The words and times of one site. Dates are in its time zone."""

    def __init__(self, language: str, timezone: str) -> None:
        self._is_chinese = language.lower().replace("_", "-").partition("-")[0] == "zh"
        self._zone = ZoneInfo(timezone)
        self.language = "zh-CN" if self._is_chinese else "en"
        self.texts = _CHINESE if self._is_chinese else _ENGLISH

    def state(self, word: str) -> str:
        """Return what the state of a source is called; an unknown one by itself."""
        return self.texts.get(f"state.{word}", word)

    def results(self, total: int, most: int) -> str:
        """Return how many results there are."""
        if total >= most:
            return self.texts["results.most"].format(f"{most:,}")
        return self.texts["results.1" if total == 1 else "results.n"].format(f"{total:,}")

    def ago(self, at: datetime | None, now: datetime) -> str:
        """Return ``3 h ago``; the date for what is long past."""
        if at is None:
            return self.texts["never"]
        seconds = max(0.0, (now - at).total_seconds())
        if seconds > _RELATIVE:
            return self.moment(at)[:10]
        return f"{self._span(seconds)}前" if self._is_chinese else f"{self._span(seconds)} ago"

    def until(self, seconds: float | None) -> str:
        """Return ``in 12 min``, or that the moment has come; a dash for never."""
        if seconds is None:
            return "–"
        if seconds < 1:
            return self.texts["due"]
        return f"{self._span(seconds)}后" if self._is_chinese else f"in {self._span(seconds)}"

    def moment(self, at: datetime) -> str:
        """Return date and time; at the edges of the calendar, where zones end, in UTC."""
        try:
            local = at.astimezone(self._zone)
        except OverflowError:
            local = at.astimezone(UTC)
        return f"{local:%Y-%m-%d %H:%M}"

    def _span(self, seconds: float) -> str:
        # As the command does: one unit, and it changes when it would say too little.
        size, short, chinese = next(
            (unit for unit in _UNITS if seconds >= unit[0] * (2 if unit[0] > 60 else 1)), _UNITS[-1]
        )
        number = round(seconds / size)
        if self._is_chinese:
            return f"{number} {chinese}"
        return f"{number} {short}s" if short == "day" else f"{number} {short}"
