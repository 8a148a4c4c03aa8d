"""Whether a source is well, in words a person understands."""

from datetime import datetime

from feedhub.model.report import SourceCounts, SourceStatus
from feedhub.model.source import Source, SourceState


def source_status(
    source: Source, state: SourceState | None, counts: SourceCounts | None, now: datetime
) -> SourceStatus:
    """Describe one source at ``now`` from its configuration, what is remembered of it, and what it gave."""
    state = state or SourceState(name=source.name)
    word, reason = _state(source, state)
    stopped = source.paused or state.gone or source.broken
    return SourceStatus(
        name=source.name,
        url=source.url,
        state=word,
        reason=reason,
        current_url=state.current_url,
        next_poll_in=None if stopped or not state.next_poll_at else (state.next_poll_at - now).total_seconds(),
        last_success=state.last_success_at,
        last_error=state.last_error,
        http_status=state.http_status,
        items=counts.items if counts else 0,
        items_per_day=counts.items_per_day if counts else 0.0,
        failures=state.failures,
        warnings=state.warnings,
    )


def is_due(source: Source, state: SourceState | None, now: datetime) -> bool:
    """Tell whether a source is to be polled: never polled, or its time has come; not when paused or gone."""
    if source.broken:
        return True
    if source.paused or (state and state.gone):
        return False
    return state is None or state.next_poll_at is None or state.next_poll_at <= now


def _state(source: Source, state: SourceState) -> tuple[str, str]:
    if source.broken:
        return "broken", source.broken
    if source.paused:
        return "paused", "paused in the configuration"
    if state.gone:
        return "gone", "the server says that this feed is gone for good; poll it by name to try again"
    if state.failures:
        times = "once" if state.failures == 1 else f"{state.failures} times in a row"
        return "failing", f"failed {times}: {state.last_error}"
    if state.last_poll_at is None:
        return "new", "not polled yet"
    return "ok", "; ".join(state.warnings)
