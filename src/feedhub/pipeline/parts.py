"""The parts of one output, older than what it shows first: documents of its archive (RFC 5005 §4), pages of its list.

Parts go by month of the site's time zone and are counted from the oldest item (docs/decisions/0007). What was written
is remembered in the output folder, a file for each month with a digest for each part, so that a publish reads the
months that changed and no others.
"""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property, lru_cache
from typing import Final, Protocol

from feedhub.model.output import ItemVersion, Part
from feedhub.pipeline.writing import ReportingWriter
from feedhub.ports.store import Store
from feedhub.rules.select import month_bounds, month_of, parts_in, parts_of, versions_of_part

_NAME_OF_PART: Final = re.compile(r"(\d{4}-(?:0[1-9]|1[0-2]))(?:-([1-9]\d{0,8}))?", re.ASCII)
_FEW: Final = 3
_NO_PART: Final = 1_000_000_000
_INSTANT: Final = timedelta(microseconds=1)
_END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)


class StoredMonths:
    """The months in which an output has items, as the store has them. It is asked only for what is looked at."""

    def __init__(self, store: Store, slug: str, zone: tzinfo) -> None:
        self.store = store
        self.slug = slug
        self._zone = zone
        self._counts: dict[str, int] = {}
        self._older: dict[tuple[str, datetime], int] = {}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The months that have items, newest first."""
        found: list[str] = []
        moment = self.store.published_before(self.slug, _END_OF_TIME)
        while moment is not None:
            found.append(month_of(moment, self._zone))
            moment = self.store.published_before(self.slug, month_bounds(found[-1], self._zone)[0])
        return tuple(found)

    def count(self, month: str) -> int:
        """Return how many items a month has."""
        if month not in self._counts:
            self._counts[month] = self.store.count_between(self.slug, *month_bounds(month, self._zone))
        return self._counts[month]

    def count_before(self, month: str, moment: datetime) -> int:
        """Return how many items of a month are older than an instant."""
        key = month, moment
        if key not in self._older:
            self._older[key] = self.store.count_between(self.slug, month_bounds(month, self._zone)[0], moment)
        return self._older[key]

    def versions(self, month: str, skip: int, limit: int) -> tuple[ItemVersion, ...]:
        """Return items of a month, newest first, without the newest ``skip`` ones."""
        return self.store.item_versions(self.slug, *month_bounds(month, self._zone), limit=limit, skip=skip)

    def starts(self, month: str, limit: int, size: int) -> tuple[int, ...]:
        """Return with which item each of the newest parts of a month begins; see ``OutputStore.part_starts``."""
        return self.store.part_starts(self.slug, *month_bounds(month, self._zone), limit, size)


class StoredParts:
    """The months of an output in parts of ``size`` items, which ``opened`` divides in two.

    It gets the parts with their number of items, newest first, and returns the oldest one that is not written, because
    the feed or the first page of the list shows it.
    """

    def __init__(
        self, months: StoredMonths, size: int, opened: Callable[[Iterable[tuple[Part, int]]], Part | None]
    ) -> None:
        self.months = months
        self.size = size
        self._opened = opened
        self._written: dict[str, tuple[Part, ...]] = {}

    @cached_property
    def _first_open(self) -> Part | None:
        return self._opened(self._counted())

    def _counted(self) -> Iterator[tuple[Part, int]]:
        for month in self.months.names:
            rest = self.months.count(month)
            for number in range(parts_in(rest, self.size), 0, -1):
                older = (number - 1) * self.size
                yield Part(month=month, number=number), rest - older
                rest = older

    def open_count(self) -> int:
        """Return how many items the parts have that are not written."""
        first = self._first_open
        if first is None:
            return 0
        newer = sum(self.months.count(month) for month in self.months.names if month > first.month)
        return newer + self.months.count(first.month) - (first.number - 1) * self.size

    def written(self, month: str) -> tuple[Part, ...]:
        """Return the parts of a month that are written, oldest first."""
        if month not in self._written:
            parts, first_open = parts_of(month, self.months.count(month), self.size), self._first_open
            self._written[month] = tuple(part for part in parts if first_open is None or part < first_open)
        return self._written[month]

    @cached_property
    def newest(self) -> Part | None:
        """The newest part that is written: what the feed or the first page goes on to."""
        return next((parts[-1] for month in self.months.names if (parts := self.written(month))), None)

    def linked(self) -> tuple[Part, ...]:
        """Return what a page links to: the newest part, then the first one of every month, newest month first."""
        newest = self.newest
        if newest is None:
            return ()
        return (newest, *(Part(month=month) for month in self.months.names if month <= newest.month))

    def older(self, part: Part) -> Part | None:
        """Return what comes before a part."""
        if part.number > 1:
            return Part(month=part.month, number=part.number - 1)
        place = self.months.names.index(part.month) + 1
        return self.written(self.months.names[place])[-1] if place < len(self.months.names) else None

    def newer(self, part: Part) -> Part | None:
        """Return what comes after a part; None when nothing but what is shown first does."""
        parts = self.written(part.month)
        if part.number < len(parts):
            return parts[part.number]
        place = self.months.names.index(part.month) - 1
        following = self.written(self.months.names[place]) if place >= 0 else ()
        return following[0] if following else None

    def versions(self, parts: Sequence[Part]) -> dict[Part, tuple[ItemVersion, ...]]:
        """Return the items of some parts of a month, newest first."""
        if len(parts) <= _FEW:
            return {part: self._versions(part, part.number) for part in parts}
        found = self._versions(parts[0], parts_in(self.months.count(parts[0].month), self.size))
        return {part: versions_of_part(part, found, parts[0].number, self.size) for part in parts}

    def _versions(self, first: Part, last: int) -> tuple[ItemVersion, ...]:
        """Return the items from a part to another one of its month."""
        count = self.months.count(first.month)
        begin, end = (first.number - 1) * self.size, min(last * self.size, count)
        return self.months.versions(first.month, count - end, end - begin)

    def places(self, month: str, first: int) -> dict[Part, str]:
        """Return of each part of a month from one on a digest of its begin and end, and of the parts to which it links.

        Where that is the same, no item came or went but those that changed.
        """
        count, older = self.months.count(month), (first - 1) * self.size
        starts = (*map(str, self.months.starts(month, count - older, self.size)), f"{count} in all")
        return {
            part: _digest_of([starts[place : place + 2], _name(self.older(part)), _name(self.newer(part))])
            for place, part in enumerate(self.written(month)[first - 1 :])
        }

    def holding(self, month: str, moments: Iterable[datetime]) -> set[int]:
        """Return the numbers of the parts of a month in which something was published at one of some instants."""
        found: set[int] = set()
        for moment in moments:
            first = self.months.count_before(month, moment)
            end = self.months.count_before(month, moment + _INSTANT)
            found.update(range(first // self.size + 1, parts_in(end, self.size) + 1))
        return found

    def first_changed(self, changed_months: Mapping[str, datetime], newest_before: Part | None) -> dict[str, int]:
        """Return the months to look at, each with the number of the first part that may have changed.

        ``changed_months`` maps months to their earliest changed item; ``newest_before`` is the newest part that was
        written. What is older keeps its place, but a part also changes when its neighbours do, to which it links.
        """
        first: dict[str, int] = {}

        def look(month: str, number: int) -> None:
            first[month] = min(first.get(month, _NO_PART), max(number, 1))

        for month, earliest in changed_months.items():
            look(month, self.months.count_before(month, earliest) // self.size)
            self._look_beside(month, look)
        if newest_before != self.newest:
            # Parts between the two were written or are now; the one before them links to them.
            ends = sorted(part for part in (newest_before, self.newest) if part is not None)
            if len(ends) == 2:
                look(ends[0].month, ends[0].number)
            for month in {*self.months.names, ends[-1].month}:
                if (len(ends) == 1 or ends[0].month < month) and month <= ends[-1].month:
                    look(month, 1)
        return first

    def _look_beside(self, month: str, look: Callable[[str, int], None]) -> None:
        """Look at the edges of the neighbouring months, which link to the first and to the last part of this one."""
        for newer in [newer for newer in self.months.names if newer > month][-1:]:
            look(newer, 1)
        for older in [older for older in self.months.names if older < month][:1]:
            look(older, parts_in(self.months.count(older), self.size))


@dataclass(slots=True)
class ChangedItems:
    """When the items were published that changed since the last publish: by month, and by output and month."""

    months: dict[str, datetime] = field(default_factory=dict)
    """The published time of the earliest item that changed in a month, wherever it is or was shown."""
    _moments: dict[tuple[str, str], set[datetime]] = field(default_factory=dict)

    def add(self, slugs: Iterable[str], month: str, published_at: datetime) -> None:
        """Add an item that these outputs show."""
        self.months[month] = min(self.months.get(month, published_at), published_at)
        for slug in slugs:
            self._moments.setdefault((slug, month), set()).add(published_at)

    def moments(self, slug: str, month: str) -> Collection[datetime]:
        """Return when the items of an output were published that changed in a month."""
        return self._moments.get((slug, month), ())


class PartWriter(Protocol):
    """Writes the files of a part; see ``PartFiles``."""

    def __call__(self, part: Part, own: Sequence[ItemVersion], /, *, is_same: bool) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFiles:
    """Writes and removes the files of the parts of one output, named ``output`` in reports.

    ``write`` is told whether only what all outputs share may have changed, and returns False when it could not;
    ``folder`` is where the files lie, ``notes`` where digests do.
    """

    output: str
    parts: StoredParts
    writer: ReportingWriter
    folder: str
    notes: str
    write: PartWriter
    remove: Callable[[Part], None]
    _noted: dict[str, dict[Part, str]] = field(default_factory=dict)

    def publish(self, changed: ChangedItems | None) -> None:
        """Write the parts that changed, or all of them when ``changed`` is None.

        When digests are lost, parts are rendered again; their bytes are the same, and no file is written.
        """
        months = self._all_months() if changed is None else self._changed_months(changed.months)
        wanted: set[Part] = set()
        for month in sorted(months):
            moments = None if changed is None else changed.moments(self.parts.months.slug, month)
            wanted |= self._publish_month(month, months[month], moments)
        if changed is None:
            for part in sorted(set(self._present()) - wanted):
                self.remove(part)

    def remove_all(self) -> None:
        """Remove all parts, and what is remembered of them."""
        for part in self._present():
            self.remove(part)
        for month in self._known_months():
            self.writer.write_note(self.output, self._note(month), None)

    def _publish_month(self, month: str, first: int, moments: Collection[datetime] | None) -> set[Part]:
        """Write what changed from part ``first`` of a month on; return the parts that it has.

        ``moments`` are when items were published that changed, None when all parts are written.
        """
        parts, known = self.parts, self._digests(month)
        written = parts.written(month)
        digests = {part: known[part] for part in written[: first - 1] if part in known}
        if len(written) >= first:
            touched = set() if moments is None else parts.holding(month, moments)
            places = parts.places(month, first)
            for part in written[first - 1 :]:
                noted, _, place = known.get(part, "").partition(" ")
                if moments is not None and noted and place == places[part] and part.number not in touched:
                    digests[part] = known[part]
            looked = [part for part in written[first - 1 :] if part not in digests]
            for part, own in parts.versions(looked).items():
                digest, noted = (
                    _digest(own, parts.older(part), parts.newer(part)),
                    known.get(part, "").partition(" ")[0],
                )
                is_current = noted == digest and moments is not None
                is_good = is_current or self.write(part, own, is_same=noted == digest)
                digests[part] = f"{digest} {places[part]}" if is_good else ""
        for part in sorted(known.keys() - digests.keys()):
            self.remove(part)
        if digests != known:
            lines = {part.name: digest for part, digest in sorted(digests.items())}
            body = json.dumps(lines, indent=0).encode() if lines else None
            self.writer.write_note(self.output, self._note(month), body)
        return set(digests)

    def _changed_months(self, changed_months: Mapping[str, datetime]) -> dict[str, int]:
        newest_note = self._known_months()[-1:]
        newest_before = max((part for month in newest_note for part in self._digests(month)), default=None)
        return self.parts.first_changed(changed_months, newest_before)

    def _all_months(self) -> dict[str, int]:
        return dict.fromkeys([*self._known_months(), *self.parts.months.names], 1)

    def _known_months(self) -> list[str]:
        names = (name.removesuffix(".json") for name in self.writer.writer.names(self.notes))
        return [month for month in names if (part := part_of(month)) and part.name == part.month]

    def _present(self) -> list[Part]:
        """Return the parts of which files are there, by their names."""
        names = (name.partition(".")[0] for name in self.writer.writer.names(self.folder))
        return sorted({part for name in names if (part := part_of(name))})

    def _note(self, month: str) -> str:
        return f"{self.notes}/{month}.json"

    def _digests(self, month: str) -> dict[Part, str]:
        """Return for each part of a month the digest of all that its files depend on, but for what all outputs do.

        From a file that is not ours or was damaged it is nothing.
        """
        if month not in self._noted:
            try:
                lines = json.loads(self.writer.writer.read(self._note(month)) or b"{}")
                found = {part_of(str(name)): str(digest) for name, digest in lines.items()}
            except (ValueError, TypeError, AttributeError, RecursionError):
                found = {}
            self._noted[month] = {part: digest for part, digest in found.items() if part and part.month == month}
        return self._noted[month]


def _digest(own: Sequence[ItemVersion], older: Part | None, newer: Part | None) -> str:
    return _digest_of([[[version.id, version.change_number] for version in own], _name(older), _name(newer)])


def _digest_of(facts: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _name(part: Part | None) -> str | None:
    return part.name if part else None


@lru_cache(maxsize=4096)  # every publish reads the same names
def part_of(name: str) -> Part | None:
    """Return the part that has a name; None for what is the name of none."""
    found = _NAME_OF_PART.fullmatch(name)
    part = Part(month=found[1], number=int(found[2] or 1)) if found else None
    return part if part and part.name == name else None
