"""From a parsed document to what one transaction stores: identity, verdict, clean markup, categories."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from feedhub.model.identity import Decision, Ingest, IngestPlan, Judgement, LedgerNote, Verdict
from feedhub.model.item import ParsedFeed, Rejected
from feedhub.model.report import Outcome, PollReport
from feedhub.model.settings import Settings
from feedhub.model.source import Source
from feedhub.ports import Cleaner, Transaction
from feedhub.rules.categorize import file_item
from feedhub.rules.dedupe import judge
from feedhub.rules.identity import keyed_document, lookup_keys
from feedhub.rules.select import settled_published

_REWRITTEN: Final = frozenset({Verdict.NEW, Verdict.CHANGED, Verdict.DUPLICATE, Verdict.REFRESHED})
_UNSTORED: Final = frozenset({Verdict.UNIDENTIFIED, Verdict.REMOVED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan, the report that is true once it is stored, and what ``status`` should say about the source."""

    plan: IngestPlan
    report: PollReport
    warnings: tuple[str, ...]


def plan_document(
    transaction: Transaction,
    feed: ParsedFeed,
    source: Source,
    *,
    settings: Settings,
    cleaner: Cleaner,
    now: datetime,
) -> Planned:
    """Judge every record against the store; clean and file only those that will be written."""
    document = keyed_document(feed.items, source.identity, source.name)
    known = transaction.known(source.name, lookup_keys(document.items))
    judgement = judge(document, known, source=source.name, site_url=settings.site.url)
    prepared = [_prepare(decision, source, settings, cleaner, now) for decision in judgement.decisions]
    dropped = [ingest for ingest in prepared if ingest.filing and ingest.filing.dropped_by]
    notes = (
        *judgement.notes,
        *(_dropped_note(ingest) for ingest in dropped),
        *(_rejected_note(rejected) for rejected in feed.rejected),
    )
    plan = IngestPlan(
        ingests=tuple(_kept(prepared, {ingest.decision.item_id for ingest in dropped})),
        notes=notes,
        distrusted=judgement.distrusted,
    )
    warnings = (*feed.notes, *judgement.warnings)
    report = _report(source.name, judgement, dropped, rejected=len(feed.rejected), warnings=warnings)
    return Planned(plan=plan, report=report, warnings=warnings)


def _prepare(decision: Decision, source: Source, settings: Settings, cleaner: Cleaner, now: datetime) -> Ingest:
    if decision.verdict not in _REWRITTEN:
        return Ingest(decision=decision)
    parsed = decision.keyed.item
    item, filing = file_item(cleaner.clean(parsed, source), source, settings.rules)
    return Ingest(decision=decision, item=item, filing=filing, published_at=settled_published(parsed.published_at, now))


def _kept(prepared: Sequence[Ingest], dropped: set[str]) -> list[Ingest]:
    """Leave out records that a rule dropped, and repeats of them; a stored item keeps the wording it had."""
    kept = []
    for ingest in prepared:
        verdict = ingest.decision.verdict
        if verdict in _UNSTORED:
            continue
        if ingest.decision.item_id not in dropped:
            kept.append(ingest)
        elif verdict in (Verdict.CHANGED, Verdict.REFRESHED):
            kept.append(Ingest(decision=replace(ingest.decision, verdict=Verdict.SEEN)))
    return kept


def _report(
    source: str, judgement: Judgement, dropped: Sequence[Ingest], *, rejected: int, warnings: tuple[str, ...]
) -> PollReport:
    verdicts = Counter(decision.verdict for decision in judgement.decisions)
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


def _dropped_note(ingest: Ingest) -> LedgerNote:
    keys = ingest.decision.keyed.keys
    parsed = ingest.decision.keyed.item
    return LedgerNote(
        kind="dropped",
        reason=f'rule "{ingest.filing.dropped_by if ingest.filing else ""}"',
        key=keys[0].text if keys else None,
        title=parsed.title,
        link=parsed.link,
    )


def _rejected_note(rejected: Rejected) -> LedgerNote:
    return LedgerNote(
        kind="rejected",
        reason=rejected.reason,
        key=f"guid:{rejected.guid}" if rejected.guid else None,
        title=rejected.title,
        link=rejected.link,
    )
