"""What pages say, in the language of the site: English, or Chinese for every ``zh``."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from typing import Final

from feedhub.model.source import Health

_MONTHS: Final = "January February March April May June July August September October November December".split()
_DAYS: Final = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_DAYS_ZH: Final = "一二三四五六日"

ENGLISH: Final[Mapping[str, str]] = MappingProxyType(
    {
        "about_feed": "This is a feed. Copy its address into a feed reader, and new items come to you. It holds:",
        "about_sources": "The publishers whose news appears here.",
        "also": "Also reported by",
        "archive": "Archive",
        "attachments": "Attachments",
        "categories": "Categories",
        "comments": "Comments",
        "earlier": "Earlier items",
        "empty": "Nothing here yet.",
        "everything": "Everything",
        "feed": "Feed",
        "health_feed": "Sources that fail, recover or move",
        "home": "Home",
        "how_1": "Copy one of these addresses into a feed reader. New items then come to you; no account is needed.",
        "how_2": "Any reader takes any of them. When in doubt, take Atom.",
        "last_new": "Last new item",
        "latest": "Latest",
        "missing": "There is no such page.",
        "missing_hint": "The address may be wrong, or the item was removed after its time.",
        "items.1": "1 item",
        "items.n": "{} items",
        "more": "All of it",
        "newer": "Newer items",
        "opml": "All feeds of this site, as one list for your reader (OPML)",
        "open_in": "Open in",
        "original": "Read the original at",
        "places": "Places",
        "reports": "{} sources report this",
        "search": "Search",
        "skip": "Skip to the content",
        "source": "Source",
        "sources": "Sources",
        "since": "since",
        "never": "never",
        "subscribe": "Subscribe",
        "table": "Table",
        "tags": "Tags",
        "untitled": "Untitled",
        "watch": "Watch at",
    }
)
CHINESE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "about_feed": "这是订阅源。把它的地址复制到阅读器中，新内容就会自动送达。它的内容：",
        "about_sources": "本站内容来自以下发布者。",
        "also": "其他报道",
        "archive": "归档",
        "attachments": "附件",
        "categories": "分类",
        "comments": "评论",
        "earlier": "更早的内容",
        "empty": "暂无内容。",
        "everything": "全部内容",
        "feed": "订阅源",
        "health_feed": "来源状态变化",
        "home": "首页",
        "how_1": "把下面任意一个地址复制到阅读器中，新内容就会自动送达，无需注册账号。",
        "how_2": "各种阅读器都能识别这些格式；不确定时请选 Atom。",
        "last_new": "最近更新",
        "latest": "最新",
        "missing": "没有这个页面。",
        "missing_hint": "地址可能有误，或者该内容已过保留期。",
        "items.1": "1 条",
        "items.n": "{} 条",
        "more": "查看全部",
        "newer": "更新的内容",
        "opml": "本站全部订阅源列表（OPML），可导入阅读器",
        "open_in": "用以下阅读器打开：",
        "original": "阅读原文：",
        "places": "导航",
        "reports": "{} 个来源报道",
        "search": "搜索",
        "skip": "跳到正文",
        "source": "来源",
        "sources": "来源",
        "since": "自",
        "never": "从未",
        "subscribe": "订阅",
        "table": "表格",
        "tags": "标签",
        "untitled": "无标题",
        "watch": "观看视频：",
    }
)


_HEALTH: Final[Mapping[Health, tuple[str, str]]] = MappingProxyType(
    {
        Health.OK: ("ok", "正常"),
        Health.FAILING: ("failing", "失败"),
        Health.STALE: ("silent", "沉默"),
        Health.GONE: ("gone", "已下线"),
        Health.PAUSED: ("paused", "已暂停"),
        Health.BROKEN: ("misconfigured", "配置有误"),
        Health.NEW: ("not polled yet", "尚未抓取"),
    }
)


def texts_in(language: str) -> Mapping[str, str]:
    """Return the texts of a site in this language."""
    return CHINESE if language.lower().partition("-")[0] == "zh" else ENGLISH


class PageTexts:
    """The texts and dates of one site. Dates are in its time zone."""

    def __init__(
        self,
        language: str,
        zone: tzinfo,
        english: Mapping[str, str] = ENGLISH,
        chinese: Mapping[str, str] = CHINESE,
    ) -> None:
        self._is_chinese = language.lower().partition("-")[0] == "zh"
        self._zone = zone
        self.language = language if self._is_chinese else "en"
        self.texts = chinese if self._is_chinese else english

    def state(self, health: Health) -> str:
        """Return what the health of a source is called."""
        english, chinese = _HEALTH[health]
        return chinese if self._is_chinese else english

    def local(self, instant: datetime) -> datetime:
        """Return an instant in the zone of the site; at the edges of the calendar in UTC."""
        try:
            return instant.astimezone(self._zone)
        except OverflowError:
            return instant.astimezone(UTC)

    def day(self, instant: datetime) -> str:
        """Return ``Wednesday, 25 November 2026`` or ``2026年11月25日 星期三``."""
        local = self.local(instant)
        if self._is_chinese:
            return f"{self.date(instant)} 星期{_DAYS_ZH[local.weekday()]}"
        return f"{_DAYS[local.weekday()]}, {self.date(instant)}"

    def date(self, instant: datetime) -> str:
        """Return ``25 November 2026`` or ``2026年11月25日``."""
        local = self.local(instant)
        if self._is_chinese:
            return f"{local.year}年{local.month}月{local.day}日"
        return f"{local.day} {_MONTHS[local.month - 1]} {local.year}"

    def moment(self, instant: datetime) -> str:
        """Return date and time, as every page that is not by days says them."""
        return f"{self.date(instant)} {self.clock(instant)}"

    def clock(self, instant: datetime) -> str:
        """Return ``16:25``."""
        local = self.local(instant)
        return f"{local.hour:02}:{local.minute:02}"

    def items(self, count: int) -> str:
        """Return how many items there are."""
        return self.texts["items.1" if count == 1 else "items.n"].format(f"{count:,}")

    def reports(self, count: int) -> str:
        """Return how many sources report the same; nothing for one."""
        return self.texts["reports"].format(f"{count:,}") if count > 1 else ""

    def month(self, month: str) -> str:
        """Return ``November 2026`` or ``2026年11月`` for ``2026-11``."""
        year, number = int(month[:4]), int(month[5:])
        return f"{year}年{number}月" if self._is_chinese else f"{_MONTHS[number - 1]} {year}"

    def machine(self, instant: datetime) -> str:
        """Return an instant for programs, as in ``datetime`` attributes, with the offset of the zone."""
        return self.local(instant).replace(microsecond=0).isoformat()
