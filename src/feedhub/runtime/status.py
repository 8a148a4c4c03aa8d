"""The state of feedhub, read from its store, for ``status``, ``health`` and the web server; nothing polls or writes."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from feedhub.errors import NoStoreError, StoreInUseError
from feedhub.model.report import HubStatus, SourceStatus
from feedhub.model.settings import ConfigFault, Problem, Settings
from feedhub.rules.health import complaints, duration_text, source_status

if TYPE_CHECKING:
    from feedhub.ports.store import Store
    from feedhub.runtime.hub import Hub
    from feedhub.store.status import StatusReader

_RATE_DAYS: Final = 14


def status_of(
    store: "Store | StatusReader | None", settings: Settings, now: datetime, *, no_store: str = ""
) -> HubStatus:
    """Describe every source and category; ``no_store`` says why there is no store yet.

    Raises:
        StoreError: it cannot be used.
    """
    states = {} if store is None else {state.name: state for state in store.states()}
    counts = {} if store is None else store.source_counts(now - timedelta(days=_RATE_DAYS))
    entries = {one.slug: one.entries or settings.output.entries for one in settings.categories}
    categories = (
        ()
        if store is None
        else (
            replace(one, changed_at=store.changed_at(one.slug, entries.get(one.slug, settings.output.entries)))
            for one in store.categories()
        )
    )
    return HubStatus(
        sources=tuple(
            source_status(source, states.get(source.name), counts.get(source.name), now) for source in settings.sources
        ),
        categories=tuple(categories),
        no_store=no_store,
    )


def status_json(status: HubStatus) -> dict[str, object]:
    """Return the status as JSON values. They still contain secrets: see ``masked_values``."""
    return {
        "sources": [_source_json(source) for source in status.sources],
        "categories": [
            {
                "slug": category.slug,
                "title": category.title,
                "items": category.items,
                "changed_at": category.changed_at.isoformat() if category.changed_at else None,
            }
            for category in status.categories
        ],
    }


def _source_json(source: SourceStatus) -> dict[str, object]:
    return {
        "name": source.name,
        "title": source.title,
        "url": source.url,
        "state": source.state.value,
        "reason": source.reason,
        "current_url": source.current_url,
        "next_poll_in": None if source.next_poll_in is None else round(source.next_poll_in, 3),
        "last_success": source.last_success.isoformat() if source.last_success else None,
        "last_error": source.last_error,
        "http_status": source.http_status,
        "items": source.items,
        "items_per_day": round(source.items_per_day, 3),
        "failures": source.failures,
        "warnings": list(source.warnings),
    }


def fault_json(fault: ConfigFault | None) -> dict[str, object] | None:
    """Return what is wrong with the saved configuration as JSON values that anybody may see."""
    if fault is None:
        return None
    names = ("file", "line", "column", "key", "message")
    problems = [{name: getattr(each, name) for name in names} for each in map(public_problem, fault.problems)]
    return {"since": fault.since.isoformat(), "count": fault.count, "problems": problems}


def public_problem(problem: Problem) -> Problem:
    """Return a problem without what was found instead, which may be a secret in the wrong place."""
    return replace(problem, message=problem.message.partition(", found ")[0])


def fault_place(fault: ConfigFault) -> str:
    """Return where the first problem is, as ``FILE:LINE``."""
    first = fault.problems[0]
    return f"{first.file}:{first.line}" if first.line else first.file


DAYS: Final = 30
"""Days of the series that ``/status`` draws."""


def daily_series(hub: "Hub") -> Mapping[str, tuple[int, ...]]:
    """Return for each source how many new items it had in each of the last ``DAYS`` times 24 hours, oldest first."""
    return hub.store.new_items_per_day(hub.now() - timedelta(days=DAYS), DAYS)


def polling_complaints(hub: "Hub") -> tuple[str, ...]:
    """Return what is wrong with polling as a whole.

    Raises:
        StoreError: the store cannot be read.
    """
    states = {state.name: state for state in hub.store.states()}
    return complaints(hub.settings.sources, states, hub.settings.poll.every, hub.now())


# Longer than a poll with its further pages and a wait for the disk.
_STUCK: Final = timedelta(minutes=15)


def daemon_fault(hub: "Hub") -> str | None:
    """Return what is wrong with the daemon of this configuration, or None when one runs and polls what is due.

    Raises:
        StoreError: the store cannot be used.
    """
    try:
        with hub.store.task_lock("run", wait=0):
            return "no daemon runs on this store"
    except NoStoreError as error:
        return f"no daemon runs: {error}"
    except StoreInUseError:
        pass  # the daemon holds it
    now, due = hub.now(), hub.store.next_due_at()
    polled = [state.last_poll_at for state in hub.store.states() if state.last_poll_at]
    # While the network is down, few sources are polled and the others become overdue: that is no fault of the daemon.
    if due is None or now - due < _STUCK or (polled and now - max(polled) < _STUCK):
        return None
    waiting = duration_text((now - due).total_seconds())
    return f"a daemon runs, but the source that is due has been waiting for {waiting}"
