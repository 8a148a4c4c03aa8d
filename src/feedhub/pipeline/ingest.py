"""From a parsed document to what one transaction stores: identity, verdict, clean markup, categories."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from feedhub.model.identity import Decision, Filing, Ingest, IngestPlan, Verdict
from feedhub.model.item import Item, ParsedFeed, Prepared, Rejected
from feedhub.model.report import Outcome, PollReport
from feedhub.model.settings import Settings
from feedhub.model.source import Rule, Source
from feedhub.pipeline.brought import Brought
from feedhub.pipeline.details import NO_DETAILS, UNSEEN, Details, completed
from feedhub.pipeline.notes import dropped_notes, rejected_notes
from feedhub.ports.store import Transaction
from feedhub.ports.world import Cleaner
from feedhub.rules.categorize import file_item
from feedhub.rules.dedupe import judge
from feedhub.rules.identity import keyed_document, lookup_keys
from feedhub.rules.select import settled_published

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
