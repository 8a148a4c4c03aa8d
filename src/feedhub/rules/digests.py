"""The digest of a category: a feed of its own, with one entry for each day that tells what came, by source.

A day ends at the time that the configuration names, in the time zone of the site. What stands in an entry follows from
the items alone, so that a replay gives the same bytes.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from html import escape
from types import MappingProxyType
from typing import Final

from feedhub.model.item import Item, StoredItem
from feedhub.model.output import Category, OutputFeed, Site
from feedhub.rules.select import words_of

DIGEST_ENTRIES: Final = 14
"""So many days are in the feed of a digest."""
DIGEST_ITEMS: Final = 300
"""So many of the newest items of a day are named in its entry."""
_TITLES: Final[Mapping[str, str]] = MappingProxyType({"en": "{}: daily digest", "zh": "{}：每日摘要"})
_COUNTS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {"en": ("{} items", "and {} more"), "zh": ("{} 条", "还有 {} 条")}
)


def digest_slug(slug: str) -> str:
    """Return the slug under which the digest of a category is published."""
    return f"{slug}-digest"


def day_end(moment: datetime, at: str, zone: tzinfo) -> datetime:
    """Return the end of the day that a moment is in, in UTC: the first ``at`` (``HH:MM``) after it."""
    ends = time.fromisoformat(at)
    day = moment.astimezone(zone).date()
    found = (datetime.combine(day + timedelta(days=more), ends, tzinfo=zone).astimezone(UTC) for more in (0, 1, 2))
    return next(end for end in found if end > moment)


def day_start(end: datetime, at: str, zone: tzinfo) -> datetime:
    """Return when the day began that ends then, in UTC."""
    return last_end(end - timedelta(seconds=1), at, zone)


def last_end(now: datetime, at: str, zone: tzinfo) -> datetime:
    """Return when the newest day ended that is over, in UTC."""
    ends = time.fromisoformat(at)
    day = now.astimezone(zone).date()
    found = (datetime.combine(day - timedelta(days=back), ends, tzinfo=zone).astimezone(UTC) for back in (0, 1, 2))
    return next(end for end in found if end <= now)


def day_name(end: datetime, zone: tzinfo) -> str:
    """Return the date of the day that ends then; one that ends at midnight has the date of its hours."""
    return (end - timedelta(microseconds=1)).astimezone(zone).date().isoformat()


def digest_feed(category: Category, site: Site) -> OutputFeed:
    """Return the feed of a category's digest."""
    title = _TITLES[words_of(site)].format(category.title)
    return OutputFeed(
        slug=digest_slug(category.slug), title=title, description=category.description, entries=DIGEST_ENTRIES
    )


def digest_entry(
    category: Category, site: Site, end: datetime, zone: tzinfo, items: Sequence[StoredItem], count: int, link: str
) -> StoredItem:
    """Return the entry of the day that ended then: its newest ``items``, of ``count`` in all.

    Its id follows from the day. It changes when an item of the day comes late.
    """
    day = day_name(end, zone)
    counted, more = _COUNTS[words_of(site)]
    rest = f"<p>{more.format(count - len(items))}</p>" if count > len(items) else ""
    return StoredItem(
        id=uuid.uuid5(uuid.NAMESPACE_URL, f"{site.url.rstrip('/')}/feeds/{digest_slug(category.slug)}#{day}").urn,
        item=Item(
            title=f"{category.title} {day}",
            content=f"<p>{counted.format(count)}</p>{''.join(_groups(items))}{rest}",
            link=f"{link}#{day}",
        ),
        source=site.title,
        source_title=site.title,
        published_at=end,
        updated_at=max(end, *(item.updated_at for item in items)),
    )


def by_source(items: Iterable[StoredItem]) -> list[tuple[str, list[StoredItem]]]:
    """Return items by the title of their source, each source's oldest first."""
    groups: dict[str, list[StoredItem]] = defaultdict(list)
    for item in sorted(items, key=lambda item: (item.published_at, item.id)):
        groups[item.source_title or item.source].append(item)
    return sorted(groups.items())


def _groups(items: Sequence[StoredItem]) -> Iterable[str]:
    for source, some in by_source(items):
        lines = "".join(f"<li>{_line(item.item)}</li>" for item in some)
        yield f"<h3>{escape(source)}</h3><ul>{lines}</ul>"


def _line(item: Item) -> str:
    title = escape(item.title or item.link or "…")
    return f'<a href="{escape(item.link)}">{title}</a>' if item.link else title
