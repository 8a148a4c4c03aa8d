"""Logs the reasons of decisions at debug level (``-v``). This module is imported only where that level is on."""

import logging
from collections.abc import Iterator
from typing import Final

from feedhub.model.identity import Decision, Filing, IdentityKey, Ingest, Verdict
from feedhub.model.report import Outcome, PollReport, PublishReport
from feedhub.model.source import NextPoll, Source
from feedhub.pipeline.ingest import StoredPoll

log = logging.getLogger(__name__)

_RECOGNISED: Final = {
    Verdict.CHANGED: "its text is another",
    Verdict.DUPLICATE: "an item of {owner}",
    Verdict.SEEN: "nothing is different",
    Verdict.REFRESHED: "its link or enclosures are others",
    Verdict.REPEAT: "a second record of one item in the document",
    Verdict.REMOVED: "it was taken out earlier",
}
_WRITTEN: Final = frozenset({Verdict.NEW, Verdict.CHANGED, Verdict.DUPLICATE, Verdict.REFRESHED})
_NOT_MODIFIED: Final = 304


def log_poll_decisions(source: Source, stored: StoredPoll) -> None:
    """Log what was decided about every record of a document, and when the source is polled next."""
    if stored.report.outcome is Outcome.NOT_MODIFIED:
        log.debug("%s: not read, since %s", source.name, _unchanged_text(stored.report))
    for ingest in stored.ingests:
        log.debug("%s: %s", source.name, _item_text(ingest))
    log.debug("%s: %s", source.name, _next_poll_text(stored.next_poll))


def log_publish_decisions(report: PublishReport) -> None:
    """Log of every output why it was published or was not, and what became of the files."""
    for choice in report.choices:
        done = "published" if choice.is_published else "not published"
        log.debug("%s: %s, since %s", choice.slug, done, choice.reason.value)
    for path in report.written:
        log.debug("%s: written", path)
    for path in report.removed:
        log.debug("%s: removed", path)
    for path, reason in report.failed:
        log.debug("%s: not written: %s", path, reason)
    if report.unchanged:
        log.debug("files not written, since they hold these bytes already: %s", report.unchanged)


def _unchanged_text(report: PollReport) -> str:
    return "the server says that it did not change" if report.status == _NOT_MODIFIED else "it says what it said before"


def _item_text(ingest: Ingest) -> str:
    decision = ingest.decision
    parts = [_verdict_text(decision), *_filing_texts(ingest.filing)]
    if ingest.item is None and decision.verdict in _WRITTEN:
        parts.append("waits for its full text")
    return f"“{decision.keyed.item.title}” is {decision.verdict.value}: {'; '.join(parts)}"


def _verdict_text(decision: Decision) -> str:
    doubted = f"; {_keys_text(decision.doubted)} not believed" if decision.doubted else ""
    if decision.matched is not None:
        reason = _RECOGNISED[decision.verdict].format(owner=decision.owner)
        evidence = "" if decision.reason == decision.matched.name else f"{decision.reason}, key "
        return f"known by {evidence}{decision.matched.text}, {reason}{doubted}"
    if decision.verdict is Verdict.UNIDENTIFIED:
        return "nothing to recognise it by"
    return f"no item is known by {_keys_text(decision.keyed.keys)}{doubted}"


def _keys_text(keys: tuple[IdentityKey, ...]) -> str:
    return " or ".join(key.text for key in keys)


def _filing_texts(filing: Filing | None) -> Iterator[str]:
    if filing is None:
        return
    if filing.dropped_by is not None:
        yield f'dropped by rule "{filing.dropped_by}"'
        return
    yield from (f"in {slug} by {_filed_by(by)}" for slug, by in filing.categories)
    filing_rules = {by for _, by in filing.categories}
    yield from (f'rule "{rule}" held' for rule in filing.applied if rule not in filing_rules)


def _filed_by(by: str) -> str:
    return {"source": "its source", "record": "the record"}.get(by, f'rule "{by}"')


def _next_poll_text(due: NextPoll) -> str:
    if due.at is None:
        return f"not polled again: {due.reason.value}"
    limit = f", held to poll.{due.limit}" if due.limit else ""
    return f"next poll at {due.at:%Y-%m-%d %H:%M:%S} UTC: {due.reason.value}{limit}"
