"""Which outputs are published, what each shows, the parts of its archive (RFC 5005 §4); how a removed category ends."""

import json
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import Enum
from html import escape
from types import MappingProxyType
from typing import Final

from feedhub.model.item import Item, StoredItem
from feedhub.model.output import (
    Category,
    ItemVersion,
    OutputChoice,
    OutputFeed,
    OutputSettings,
    OutputView,
    Part,
    PublishReason,
    RemovedCategory,
    Site,
)
from feedhub.rules.urls import public_url

ALL: Final = "all"
HEALTH_SLUG: Final = "health"
"""The slug of the feed that tells of sources which fail, recover or move."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def output_feed(slug: str, site: Site, categories: Sequence[Category], settings: OutputSettings) -> OutputFeed:
    """Return the output that owns ``feeds/<slug>.*``: the combined one for ``all``, else a category's."""
    if slug == ALL:
        return OutputFeed(
            slug=ALL,
            title=site.title,
            description=site.description,
            entries=settings.entries,
            per_source=settings.per_source,
        )
    category = next((one for one in categories if one.slug == slug), Category(slug=slug, title=slug))
    return OutputFeed(
        slug=slug,
        title=category.title,
        description=category.description,
        entries=category.entries or settings.entries,
        per_source=category.per_source or settings.per_source,
    )


def chosen_outputs(
    present: Sequence[str], *, due: Collection[str], named: Collection[str], renewal: PublishReason | None
) -> tuple[OutputChoice, ...]:
    """Decide which outputs are published: those ``named``, or else all for a ``renewal``, or else those ``due``."""

    def reason(slug: str) -> PublishReason:
        if named:
            return PublishReason.NAMED if slug in named else PublishReason.NOT_NAMED
        return renewal or (PublishReason.CHANGED if slug in due else PublishReason.UNCHANGED)

    return tuple(OutputChoice(slug=slug, reason=reason(slug)) for slug in present)


def output_view(
    feed: OutputFeed,
    site: Site,
    settings: OutputSettings,
    items: Sequence[StoredItem],
    added_at: datetime = EPOCH,
    addresses: Mapping[str, str] = MappingProxyType({}),
    secrets: Collection[str] = (),
    *,
    part: Part | None = None,
    older: Part | None = None,
    newer: Part | None = None,
) -> OutputView:
    """Make the view of what an output shows: its newest items, or those of one ``part`` of what is older.

    What is shown changed when the newest of its items did; an empty output when it was added. The address of a source
    is shown while ``addresses`` (by name) holds it, and without credentials (guarantee 4): of an address that is not
    configured any more nobody knows what in it is secret.
    """
    urls = {(item.source, item.source_url) for item in items}
    public = {(source, url): public_url(url, secrets) if addresses.get(source) == url else None for source, url in urls}
    shown = tuple(_with_url(item, public[item.source, item.source_url]) for item in items)
    return OutputView(
        site=site,
        feed=feed,
        items=shown,
        updated_at=max((item.updated_at for item in shown), default=added_at),
        content=settings.content,
        part=part,
        older=older,
        newer=newer,
        hub=settings.hub,
        has_pages=settings.pages,
        archive_formats=settings.archived_in,
    )


def _with_url(item: StoredItem, url: str | None) -> StoredItem:
    return item if item.source_url == url else replace(item, source_url=url)


def settled_published(published_at: datetime | None, now: datetime) -> datetime:
    """Return the published time that an item keeps for ever: its own, unless missing or in the future (SPEC §3.2)."""
    return now if published_at is None or published_at > now else published_at


PART_SIZE: Final = 100
PAGE_SIZE: Final = 30
"""Items in one part of an archive, and on one page of a list. Other numbers would rename the files of all of them."""
_DECEMBER: Final = 12
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


def local_day(instant: datetime, zone: tzinfo) -> date:
    """Return the day of an instant in a zone; at the edges of the calendar, where zones end, in UTC."""
    try:
        return instant.astimezone(zone).date()
    except OverflowError:
        return instant.astimezone(UTC).date()


def whole_days(newest_first: Sequence[StoredItem], zone: tzinfo) -> Sequence[StoredItem]:
    """Return items without those of the oldest day, of which some may be missing."""
    if not newest_first:
        return ()
    oldest = local_day(newest_first[-1].published_at, zone)
    return [item for item in newest_first if local_day(item.published_at, zone) != oldest]


def within_limit(newest_first: Sequence[StoredItem], per_source: int, zone: tzinfo) -> list[StoredItem]:
    """Return of each source the first so many items that it published on each day, newest first.

    The first ones, and not the newest, because what a feed has shown stays in it.
    """
    shown: Counter[tuple[str, date]] = Counter()
    kept: list[StoredItem] = []
    for item in reversed(newest_first):
        day = item.source, local_day(item.published_at, zone)
        shown[day] += 1
        if shown[day] <= per_source:
            kept.append(item)
    return kept[::-1]


def month_of(instant: datetime, zone: tzinfo) -> str:
    """Return the month of an instant, ``YYYY-MM``."""
    day = local_day(instant, zone)
    return f"{day.year:04}-{day.month:02}"


def month_bounds(month: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return when a month begins and when the next one does, in UTC."""
    year, number = int(month[:4]), int(month[5:])
    begins = _in_utc(year, number, zone)
    if (year, number) == (_LAST.year, _DECEMBER):
        return begins, _LAST
    return begins, _in_utc(*((year + 1, 1) if number == _DECEMBER else (year, number + 1)), zone)


def _in_utc(year: int, month: int, zone: tzinfo) -> datetime:
    if (year, month) == (_FIRST.year, 1):
        return _FIRST
    return datetime(year, month, 1, tzinfo=zone).astimezone(UTC)


def parts_in(count: int, size: int) -> int:
    """Return into how many parts of ``size`` items a month of ``count`` items is divided."""
    return -(-count // size)


def parts_of(month: str, count: int, size: int) -> tuple[Part, ...]:
    """Return the parts of a month of ``count`` items, oldest first."""
    return tuple(Part(month=month, number=number) for number in range(1, parts_in(count, size) + 1))


def open_in_feed(newest_first: Iterable[tuple[Part, int]], *, feed: OutputFeed) -> Part | None:
    """Return the oldest part that the feed shows whole, with all newer ones; parts come with their number of items.

    What it shows is not written again in its archive: the feed and the other parts together have everything. A feed
    with a limit may leave out any item.
    """
    found, left = None, 0 if feed.per_source else feed.entries
    for part, count in newest_first:
        left -= count
        if left < 0:
            break
        found = part
    return found


def open_in_list(newest_first: Iterable[tuple[Part, int]]) -> Part | None:
    """Return the oldest part that the first page of a list shows; parts come with their number of items.

    The first page shows whole parts, and so many that it is full: no other page shows one of them, and every item
    stands on one page.
    """
    found, shown = None, 0
    for part, count in newest_first:
        found, shown = part, shown + count
        if shown >= PAGE_SIZE:
            break
    return found


def versions_of_part(part: Part, versions: Sequence[ItemVersion], first: int, size: int) -> tuple[ItemVersion, ...]:
    """Return the items of a part; ``versions`` are those of its month from part ``first`` on, both newest first."""
    oldest_first = versions[::-1]
    return tuple(oldest_first[(part.number - first) * size : (part.number - first + 1) * size][::-1])


REMOVED_FOR: Final = timedelta(days=30)
"""How long the feeds of a removed category stay."""


class Removal(Enum):
    """How far the removal of a category has come in an output folder."""

    ENDED = "ended"
    """Its feeds keep their entries and say that they end."""
    GONE = "gone"
    """Its files are removed."""


REMOVALS_PATH: Final = ".feedhub/removed.json"
"""Where an output folder remembers how far each removal has come in it."""


def written_removals(states: Mapping[str, Removal]) -> bytes:
    """Return the note of an output folder: by slug, how far each removal has come."""
    return json.dumps({slug: state.value for slug, state in sorted(states.items())}, indent=0).encode()


def read_removals(note: bytes | None) -> dict[str, Removal]:
    """Return what ``written_removals`` wrote; nothing from a note that is missing or damaged."""
    try:
        lines = json.loads(note or b"{}")
        return {str(slug): Removal(state) for slug, state in lines.items()}
    except (ValueError, AttributeError, RecursionError):
        return {}


_ENDED: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "en": (
            "“{}” has ended",
            "{} has no such category any more. Nothing new will come in this feed; it is removed after 30 days.",
        ),
        "zh": ("“{}”已停止更新", "{}不再有这个分类。此订阅源不会再有新内容，30 天后将被删除。"),
    }
)
_MOVED: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "en": (
            "“{}” has moved",
            "It is “{}” now. Nothing new will come in this feed, which is removed after 30 days. Subscribe here:",
        ),
        "zh": ("“{}”已迁移", "现为“{}”。此订阅源不会再有新内容，30 天后将被删除。请改订："),
    }
)


def words_of(site: Site) -> str:
    """Return in which language a site says what is ours to say: ``zh`` or ``en``."""
    return "zh" if site.language.lower().partition("-")[0] == "zh" else "en"


def removal_at(category: RemovedCategory, now: datetime) -> Removal:
    """Return how far a removal has to have come now."""
    return Removal.GONE if now - category.removed_at >= REMOVED_FOR else Removal.ENDED


def removed_feed(category: RemovedCategory, settings: OutputSettings) -> OutputFeed:
    """Return the feed of a removed category, as it was."""
    return OutputFeed(
        slug=category.slug,
        title=category.title,
        description=category.description,
        entries=category.entries or settings.entries,
    )


def with_last_entry(
    category: RemovedCategory,
    site: Site,
    entries: Sequence[StoredItem],
    successor: Category | None = None,
    addresses: Sequence[str] = (),
) -> tuple[StoredItem, ...]:
    """Return the entries that a removed category shows, and before them the one that says that it ended.

    Where it is another category now, its ``successor``, that one tells the ``addresses`` of that one's feeds, the first
    of which is its link. It has the same id and date in every output folder.
    """
    words = words_of(site)
    title, text = (_MOVED if successor else _ENDED)[words]
    text = escape(text.format(successor.title if successor else site.title), quote=False)
    links = "".join(f'<li><a href="{escape(address)}">{escape(address)}</a></li>' for address in addresses)
    last = StoredItem(
        id=uuid.uuid5(
            uuid.NAMESPACE_URL,
            f"{site.url.rstrip('/')}/feeds/{category.slug}#{f'moved-to-{successor.slug}' if successor else 'removed'}",
        ).urn,
        item=Item(
            title=title.format(category.title or category.slug),
            content=f"<p>{text}</p>{f'<ul>{links}</ul>' if links else ''}",
            link=addresses[0] if addresses else f"{site.url.rstrip('/')}/",
        ),
        source=site.title,
        source_title=site.title,
        published_at=category.removed_at,
        updated_at=category.removed_at,
    )
    return (last, *entries)
