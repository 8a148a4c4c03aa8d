"""What a store in memory holds: one dictionary per table, values never changed in place."""

from collections.abc import Collection, Iterable
from copy import copy
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from itertools import takewhile

from feedhub.model.identity import IdentityKey, LedgerNote, Sighting
from feedhub.model.item import Item, StoredItem
from feedhub.model.output import Category
from feedhub.model.report import HealthEvent, LedgerEntry
from feedhub.model.source import SourceState
from feedhub.rules.categorize import unique_slug
from feedhub.store.tables import EPOCH

ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An item; what it says is in its sightings."""

    id: str
    owner: str
    published_at: datetime
    first_seen_at: datetime
    position: int
    removed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A sighting with its wording."""

    said: Sighting
    wording: Item
    first_seen_at: datetime
    updated_at: datetime
    left_at: datetime | None = None
    touched: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A category and how far it was published."""

    category: Category
    place: int = -1
    version: int = 1
    published_version: int = 0
    changed_at: datetime = EPOCH
    from_records: bool = False


@dataclass(slots=True, kw_only=True)
class Data:
    """All tables. Keys of two parts are (item id, source) and (slug, item id)."""

    sources: dict[str, None] = field(default_factory=dict)
    states: dict[str, SourceState] = field(default_factory=dict)
    saved: dict[str, None] = field(default_factory=dict)
    planned: dict[str, str] = field(default_factory=dict)
    events: list[HealthEvent] = field(default_factory=list)
    told: int = 0
    filed_digests: dict[str, str] = field(default_factory=dict)
    items: dict[str, Stored] = field(default_factory=dict)
    keys: dict[str, tuple[IdentityKey, str]] = field(default_factory=dict)
    distrusted: dict[tuple[str, str], None] = field(default_factory=dict)
    sightings: dict[tuple[str, str], Seen] = field(default_factory=dict)
    filings: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    memberships: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    outputs: dict[str, Output] = field(default_factory=lambda: {ALL: Output(category=Category(slug=ALL, title=""))})
    ledger: dict[tuple[str, LedgerNote], LedgerEntry] = field(default_factory=dict)
    output_digest: str | None = None
    changes: int = 0
    posted: int = 0
    paged: int = -1

    def copied(self) -> "Data":
        """Return a copy to go back to."""
        return Data(**{each.name: copy(getattr(self, each.name)) for each in fields(self)})

    def become(self, other: "Data") -> None:
        """Hold what ``other`` holds, and nothing else."""
        for each in fields(self):
            setattr(self, each.name, getattr(other, each.name))

    def ordered_outputs(self) -> list[tuple[str, Output]]:
        """Return all outputs, ``all`` first, in the order of the configuration."""
        return sorted(self.outputs.items(), key=lambda pair: pair[1].place)

    def note(self, source: str, notes: Iterable[LedgerNote], now: datetime) -> None:
        """Write ledger entries; the first one of a fact stays."""
        for note in notes:
            entry = LedgerEntry(
                at=now,
                source=source,
                kind=note.kind,
                reason=note.reason,
                key=note.key,
                item_id=note.item_id,
                title=note.title,
                link=note.link,
            )
            self.ledger.setdefault((source, note), entry)

    def holding(self, item_id: str) -> dict[str, str]:
        """Return slug → source whose wording is shown, for one item."""
        return {slug: source for (slug, item), (source, _) in self.memberships.items() if item == item_id}

    def file(self, item_id: str, source: str, pairs: Iterable[tuple[str, str]]) -> set[str]:
        """Replace a source's filing of an item; return the outputs that show a difference."""
        said: dict[str, str] = {}
        for slug, rule in pairs:
            said.setdefault(slug, rule)
        self.filings[item_id, source] = said
        before = self.holding(item_id)
        offers = [(seen, name) for (item, name), seen in self.sightings.items() if item == item_id]
        order = list(self.sources)
        offers.sort(key=lambda offer: (offer[0].first_seen_at, order.index(offer[1])))
        for slug in before:
            if slug not in self.filings.get((item_id, before[slug]), {}):
                del self.memberships[slug, item_id]
        for _, name in offers:
            for slug, rule in self.filings.get((item_id, name), {}).items():
                holder = self.memberships.get((slug, item_id), (name, rule))[0]
                if holder == name:
                    self.memberships[slug, item_id] = (name, rule)
        after = self.holding(item_id)
        return {ALL, *before, *after} if before != after else set()

    def bump(self, slugs: Collection[str], item_ids: Collection[str]) -> None:
        """Make outputs due; they changed when the newest change of these items, as shown there, happened."""
        for slug in self.outputs.keys() & set(slugs):
            output = self.outputs[slug]
            shown = [seen.updated_at for item_id in item_ids if (seen := self._shown_in(slug, item_id))]
            changed_at = max([output.changed_at, *shown])
            self.outputs[slug] = replace(output, version=output.version + 1, changed_at=changed_at)
        if slugs:
            self.stamp(item_ids)

    def stamp(self, item_ids: Collection[str]) -> None:
        """Give items the next change number."""
        if not item_ids:
            return
        self.changes += 1
        for place, seen in self.sightings.items():
            if place[0] in item_ids:
                self.sightings[place] = replace(seen, touched=self.changes)

    def _shown_in(self, slug: str, item_id: str) -> Seen | None:
        source = self.items[item_id].owner if slug == ALL else self.holding(item_id).get(slug)
        return self.sightings.get((item_id, source)) if source else None

    def newest(self, slug: str) -> list[tuple[Stored, str]]:
        """Return the items of an output with the source whose wording it shows, in order."""
        if slug == ALL:
            found = [(item, item.owner) for item in self.items.values() if item.removed_at is None]
        else:
            found = [(self.items[item], source) for (of, item), (source, _) in self.memberships.items() if of == slug]
        found.sort(key=lambda pair: (pair[0].position, pair[0].id))
        found.sort(key=lambda pair: (pair[0].published_at, pair[0].first_seen_at), reverse=True)
        return found

    def shown(self, item: Stored, source: str) -> StoredItem:
        """Return an item in the wording of ``source``."""
        seen = self.sightings[item.id, source]
        state = self.states.get(source) or SourceState(name=source)
        holding = self.holding(item.id)
        return StoredItem(
            id=item.id,
            item=seen.wording,
            source=source,
            published_at=item.published_at,
            updated_at=seen.updated_at,
            source_title=state.title,
            source_link=state.link,
            source_url=state.configured_url,
            categories=tuple(output.category.title for slug, output in self.ordered_outputs() if slug in holding),
            is_twin=any(other.startswith(item.id[:17]) for other in takewhile(item.id.__ne__, self.items)),
        )

    def slug_of_title(self, title: str, wanted: str) -> str:
        """Return the slug that a title has, making a category of a new one."""
        found = self.slug_of_known_title(title)
        if found is not None:
            return found
        slug = unique_slug(wanted, self.outputs.keys())
        place = max(1_000_000, *(output.place + 1 for output in self.outputs.values()))
        self.outputs[slug] = Output(category=Category(slug=slug, title=title), place=place, from_records=True)
        return slug

    def slug_of_known_title(self, title: str) -> str | None:
        """Return the slug that a title has; None for one that was never given."""
        return next((slug for slug, output in self.ordered_outputs() if output.category.title == title), None)

    def drop_category(self, slug: str) -> None:
        """Forget a category with everything filed there."""
        del self.outputs[slug]
        self.memberships = {place: held for place, held in self.memberships.items() if place[0] != slug}
        self.filings = {
            place: {of: rule for of, rule in said.items() if of != slug} for place, said in self.filings.items()
        }
