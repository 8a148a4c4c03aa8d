"""From a parsed document to what one transaction stores: identity, verdict, clean markup, categories."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from feedhub.model.identity import Decision, Filing, IdentityKey, Ingest, IngestPlan, LedgerNote, Verdict
from feedhub.model.item import Item, ParsedFeed, ParsedItem, Prepared, Rejected
from feedhub.model.report import Outcome, PollReport
from feedhub.model.settings import Settings
from feedhub.model.source import Rule, Source
from feedhub.pipeline.details import NO_DETAILS, UNSEEN, Details, completed
from feedhub.ports.store import Store, Transaction
from feedhub.ports.world import Cleaner
from feedhub.rules.categorize import file_item, record_categories
from feedhub.rules.dedupe import judge
from feedhub.rules.identity import keyed_document, lookup_keys
from feedhub.rules.select import settled_published

# Every category is some files in the output, a link on every page, and a feed that is rendered again when it changes.
MOST_BROUGHT: Final = 500


@dataclass(slots=True, kw_only=True)
class Brought:
    """Finds the categories of the records of one document. ``left_out`` are titles for which there was no room."""

    transaction: Transaction
    source: Source
    left_out: dict[str, None] = field(default_factory=dict)
    _room: int | None = None

    def slugs(self, item: Item) -> list[str]:
        """Return the categories that the record itself names; a new title begins one as long as there is room."""
        pairs = record_categories(item, self.source)
        found = [self._slug(title, wanted) for title, wanted in pairs]
        return [slug for slug in found if slug is not None]

    def words(self) -> tuple[str, ...]:
        """Return what to say of titles that were left out."""
        if not self.left_out:
            return ()
        count = "1 category" if len(self.left_out) == 1 else f"{len(self.left_out)} categories"
        first = next(iter(self.left_out))
        return (f"{count} not begun, the first “{first}”: the records of a source may bring {MOST_BROUGHT} in all",)

    def _slug(self, title: str, wanted: str) -> str | None:
        known = self.transaction.category_of_title(title)
        if known is not None:
            return known
        if self._room is None:
            self._room = MOST_BROUGHT - self.transaction.brought(self.source.name)
        if self._room <= 0:
            self.left_out[title] = None
            return None
        self._room -= 1
        return self.transaction.category_slug(title, wanted)


def dropped_notes(ingest: Ingest) -> Iterator[LedgerNote]:
    """Yield the notes on a record that a rule dropped."""
    keyed = ingest.decision.keyed
    rule = ingest.filing.dropped_by if ingest.filing else ""
    return _notes("dropped", f'rule "{rule}"', keyed.keys, keyed.item.title, keyed.item.link)


def rejected_notes(rejected: Rejected, source: Source) -> Iterator[LedgerNote]:
    """Yield the notes on a record that could not be read, or was one too many."""
    seen = ParsedItem(
        position=rejected.position, title=rejected.title, text_digest="", guid=rejected.guid, link=rejected.link
    )
    keys = keyed_document([seen], source.identity, source.name).items[0].keys if seen.guid or seen.link else ()
    return _notes("rejected", rejected.reason, keys, rejected.title, rejected.link)


def _notes(kind: str, reason: str, keys: tuple[IdentityKey, ...], title: str, link: str | None) -> Iterator[LedgerNote]:
    for key in keys or (None,):
        yield LedgerNote(kind=kind, reason=reason, key=key.text if key else None, title=title, link=link)


def refile(store: Store, sources: Sequence[Source], rules: Sequence[Rule], *, digest: str, now: datetime) -> int:
    """File what every source gave by the rules of ``digest``; return how many sources had to be looked at.

    A new drop rule is for items to come: one that is stored already keeps the categories of its source, since
    nothing that was published once is taken away without retention.
    """
    filed = store.filed_digests()
    store.mark_filed([source.name for source in sources if source.name not in filed], digest)
    outdated = [source for source in sources if filed.get(source.name, digest) != digest]
    slugs = {category.title: category.slug for category in store.categories()} if outdated else {}
    for source in outdated:
        filings = [(item_id, _categories(item, source, rules, slugs)) for item_id, item in store.wordings(source.name)]
        store.refile(source.name, filings, digest=digest, now=now)
    return len(outdated)


def _categories(
    item: Item, source: Source, rules: Sequence[Rule], slugs: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    brought = [slugs[title] for title, _ in record_categories(item, source) if title in slugs]
    filing = file_item(item, source, rules, brought)[1]
    if filing.dropped_by:
        return (*((category, "source") for category in source.categories), *((slug, "record") for slug in brought))
    return filing.categories


_REWRITTEN: Final = frozenset({Verdict.NEW, Verdict.CHANGED, Verdict.DUPLICATE, Verdict.REFRESHED})

_ASKED_FOR: Final = ("left out by where", "over the limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan, the report that is true once it is stored, and what ``status`` should say about the source.

    Not ``is_whole`` when items wait for a second request: the document must then be read again at the next poll.
    """

    plan: IngestPlan
    report: PollReport
    warnings: tuple[str, ...]
    is_whole: bool = True


def plan_document(
    transaction: Transaction,
    feed: ParsedFeed,
    source: Source,
    *,
    settings: Settings,
    cleaner: Cleaner,
    now: datetime,
    details: Details = NO_DETAILS,
) -> Planned:
    """Judge every record against the store; clean and file only those that will be written."""
    items = [completed(item, details) for item in feed.items]
    document = keyed_document(items, source.identity, source.name)
    known = transaction.known(source.name, lookup_keys(document.items))
    judgement = judge(document, known, source=source.name, site_url=settings.site.url)
    desk = _Desk(
        source=source,
        rules=settings.rules,
        cleaner=cleaner,
        details=details,
        prepared=feed.prepared,
        now=now,
        transaction=transaction,
        brought=Brought(transaction=transaction, source=source),
    )
    prepared = [desk.prepare(decision) for decision in judgement.decisions]
    dropped = [ingest for ingest in prepared if ingest.filing and ingest.filing.dropped_by]
    notes = (
        *judgement.notes,
        *(note for ingest in dropped for note in dropped_notes(ingest)),
        *(note for rejected in feed.rejected for note in rejected_notes(rejected, source)),
    )
    left_out = {ingest.decision.item_id for ingest in dropped} | desk.waiting.keys()
    plan = IngestPlan(ingests=tuple(_kept(prepared, left_out)), notes=notes, distrusted=judgement.distrusted)
    warnings = (*feed.notes, *judgement.warnings, *_waiting_words(desk.waiting), *desk.brought.words())
    given = [ingest for ingest in prepared if ingest.decision.item_id not in desk.waiting]
    shown = (*warnings, *_rejected_words(feed.rejected))
    report = _report(source.name, given, dropped, rejected=len(feed.rejected), warnings=shown)
    return Planned(plan=plan, report=report, warnings=warnings, is_whole=not desk.waiting)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """Prepares the records of one document. ``waiting`` collects items whose second request did not succeed yet."""

    transaction: Transaction
    source: Source
    rules: Sequence[Rule]
    cleaner: Cleaner
    details: Details
    prepared: Mapping[int, Prepared]
    now: datetime
    brought: Brought
    waiting: dict[str, str] = field(default_factory=dict)

    def prepare(self, decision: Decision) -> Ingest:
        """Clean and file a record that will be written."""
        if self._is_known_by_id_alone(decision):
            decision = replace(decision, verdict=Verdict.SEEN)
        if decision.verdict not in _REWRITTEN:
            return Ingest(decision=decision)
        parsed = decision.keyed.item
        prepared = self.prepared.get(parsed.position)
        cleaned = prepared.item if prepared else self._cleaned(decision)
        item, filing = self._filed(cleaned)
        terms = prepared.terms if prepared and item is prepared.item else None
        if filing.dropped_by is None and self._lacks_detail(decision):
            reason = self.details.waiting.get(parsed.position, "its second request has not been made yet")
            self.waiting[decision.item_id] = reason
            return Ingest(decision=decision)
        published_at = settled_published(parsed.published_at, self.now)
        return Ingest(decision=decision, item=item, terms=terms, filing=filing, published_at=published_at)

    def _cleaned(self, decision: Decision) -> Item:
        parsed = decision.keyed.item
        cleaned = self._with_stored_content(self.cleaner.clean(parsed, self.source), decision)
        return replace(cleaned, published_at=parsed.published_at)

    def _filed(self, item: Item) -> tuple[Item, Filing]:
        return file_item(item, self.source, self.rules, self.brought.slugs(item))

    def _is_known_by_id_alone(self, decision: Decision) -> bool:
        """Where the fields come from the second request, the list says nothing that could have changed."""
        detail = self.source.detail
        return bool(detail and detail.fields) and decision.verdict in (Verdict.CHANGED, Verdict.REFRESHED)

    def _lacks_detail(self, decision: Decision) -> bool:
        wanted = self.source.detail is not None and decision.verdict in UNSEEN
        return wanted and decision.keyed.item.position not in self.details.found

    def _with_stored_content(self, item: Item, decision: Decision) -> Item:
        """Keep the text of the second request, which is not made again, when the list's own text changes."""
        if self.source.detail is None or decision.verdict in UNSEEN:
            return item
        stored = self.transaction.wording(self.source.name, decision.item_id)
        return replace(item, content=stored.content) if stored and stored.content else item


def _rejected_words(rejected: Sequence[Rejected]) -> tuple[str, ...]:
    """Tell of records that were left out although nobody asked for it."""
    faulty = [record for record in rejected if not record.reason.startswith(_ASKED_FOR)]
    if not faulty:
        return ()
    count = "1 record left out" if len(faulty) == 1 else f"{len(faulty)} records left out, the first"
    return (f"{count}: {faulty[0].reason}",)


def _waiting_words(waiting: dict[str, str]) -> tuple[str, ...]:
    if not waiting:
        return ()
    count = "1 item waits" if len(waiting) == 1 else f"{len(waiting)} items wait"
    return (f"{count} for the full text: {next(iter(waiting.values()))}",)


def _kept(prepared: Sequence[Ingest], left_out: set[str]) -> list[Ingest]:
    """Leave out records that a rule dropped or that wait, and repeats of them; a stored item keeps its wording."""
    kept = []
    for ingest in prepared:
        verdict = ingest.decision.verdict
        if verdict is Verdict.UNIDENTIFIED:
            continue
        if ingest.decision.item_id not in left_out:
            kept.append(ingest)
        elif verdict in (Verdict.CHANGED, Verdict.REFRESHED):
            kept.append(Ingest(decision=replace(ingest.decision, verdict=Verdict.SEEN)))
    return kept


def _report(
    source: str, prepared: Sequence[Ingest], dropped: Sequence[Ingest], *, rejected: int, warnings: tuple[str, ...]
) -> PollReport:
    verdicts = Counter(ingest.decision.verdict for ingest in prepared)
    verdicts.subtract(Counter(ingest.decision.verdict for ingest in dropped))
    return PollReport(
        source=source,
        outcome=Outcome.STORED,
        new=verdicts[Verdict.NEW],
        changed=verdicts[Verdict.CHANGED],
        duplicate=verdicts[Verdict.DUPLICATE] + verdicts[Verdict.REPEAT],
        rejected=rejected + len(dropped) + verdicts[Verdict.UNIDENTIFIED],
        seen=verdicts[Verdict.SEEN] + verdicts[Verdict.REFRESHED] + verdicts[Verdict.REMOVED],
        warnings=warnings,
    )
