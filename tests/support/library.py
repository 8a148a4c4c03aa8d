"""A few lines that stand for the store in tests of the rules: judge documents, remember what was decided."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from feedhub.model.identity import (
    IdentityKey,
    Judgement,
    KeyPattern,
    KeyStrength,
    KnownItem,
    KnownKeys,
    Sighting,
    Verdict,
)
from feedhub.model.item import Enclosure, Markup, ParsedItem
from feedhub.model.source import DedupeSettings, Source
from feedhub.rules.dedupe import judge
from feedhub.rules.identity import keyed_document, lookup_keys
from feedhub.rules.text import text_digest, visible_text

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SITE = "https://site.example"
INFO_CODE = KeyPattern(name="infoCode", fields=("id", "link"), pattern=r"(?:infoCode=|/a/|^)(?:NW)?(\d{18})")
STORED = (Verdict.NEW, Verdict.CHANGED, Verdict.REFRESHED, Verdict.DUPLICATE)


def record(
    title: str = "Title",
    *,
    link: str | None = None,
    guid: str | None = None,
    text: str = "",
    published: datetime | None = None,
    enclosure: str | None = None,
    position: int = 0,
) -> ParsedItem:
    """Return one record as a reader gives it."""
    return ParsedItem(
        position=position,
        title=title,
        link=link,
        guid=guid,
        published_at=published,
        content=Markup(value=text) if text else None,
        text_digest=text_digest(title, visible_text(text)),
        enclosures=(Enclosure(url=enclosure),) if enclosure else (),
    )


def day(number: int) -> datetime:
    """Return noon of a day of January 2024, UTC."""
    return datetime(2024, 1, number, 12, tzinfo=UTC)


def midnight(number: int) -> datetime:
    """Return the beginning of a day of January 2024, UTC: a date without a time."""
    return datetime(2024, 1, number, tzinfo=UTC)


def source_with(*patterns: KeyPattern) -> Source:
    """Return a source with named keys."""
    return Source(name="a", url="https://a.example/feed", identity=patterns)


@dataclass(slots=True)
class Library:
    """What a store would remember: keys, items, sightings, distrusted keys."""

    patterns: tuple[KeyPattern, ...] = (INFO_CODE,)
    dedupe: DedupeSettings = field(default_factory=DedupeSettings)
    categories: tuple[str, ...] = ("news",)
    published: dict[str, datetime] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    named: dict[str, set[IdentityKey]] = field(default_factory=dict)
    sightings: dict[tuple[str, str], Sighting] = field(default_factory=dict)
    distrusted: dict[str, set[str]] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    sections: set[str] = field(default_factory=set)
    changing: dict[str, frozenset[str]] = field(default_factory=dict)

    def poll(self, source: str, *records: ParsedItem) -> Judgement:
        """Judge a document of ``source`` and remember the outcome."""
        given = replace(source_with(*self.patterns), name=source, categories=self.categories, dedupe=self.dedupe)
        document = keyed_document(records, given)
        asked = lookup_keys(document.items)
        # Keys of one item lead to one object, as those of the store do.
        found = {
            item: self._known(item, source) for item in {self.keys[key.text] for key in asked if key.text in self.keys}
        }
        known = KnownKeys(
            items={key.text: found[self.keys[key.text]] for key in asked if key.text in self.keys},
            distrusted=frozenset(key.text for key in asked if key.text in self.distrusted.get(source, set())),
            sections=frozenset(key.text for key in asked if key.text in self.sections),
        )
        changing = self.changing.get(source, frozenset())
        judgement = judge(document, known, source=given, site_url=SITE, now=NOW, changing=changing)
        self._remember(judgement, source)
        return judgement

    def verdicts(self, source: str, *records: ParsedItem) -> list[str]:
        """Judge a document and return the verdicts in its order."""
        return [decision.verdict.value for decision in self.poll(source, *records).decisions]

    @property
    def items(self) -> set[str]:
        """The ids of all items."""
        return set(self.owners)

    def _known(self, item: str, source: str) -> KnownItem:
        return KnownItem(
            id=item,
            owner=self.owners[item],
            named=tuple(sorted(self.named.get(item, set()))),
            sighting=self.sightings.get((item, source)),
            removed=item in self.removed,
            published_at=self.published[item],
        )

    def _remember(self, judgement: Judgement, source: str) -> None:
        self.distrusted.setdefault(source, set()).update(key.text for key in judgement.distrusted)
        self.sections.update(key.text for key in judgement.sections)
        self.changing[source] = judgement.changing
        for decision in judgement.decisions:
            if decision.verdict is Verdict.UNIDENTIFIED:
                continue
            item, keyed = decision.item_id, decision.keyed
            if decision.verdict is Verdict.NEW:
                assert item not in self.owners, "an id was given twice"
                self.owners[item] = source
                self.published[item] = keyed.item.published_at or NOW
            for key in decision.gained + decision.moved:
                self.keys[key.text] = item
                if key.strength is KeyStrength.NAMED:
                    self.named.setdefault(item, set()).add(key)
            if decision.verdict in STORED:
                self.keys[keyed.signature.text] = item
            if decision.verdict in STORED or decision.has_new_evidence:
                self.sightings[item, source] = keyed.said
            elif (item, source) in self.sightings:
                self.sightings[item, source] = replace(self.sightings[item, source], offered=True)
