"""Bringing the store in line with a configuration: categories, filings, and who is polled when."""

from datetime import datetime
from hashlib import sha256

from feedhub.model.settings import Settings
from feedhub.model.source import PlannedPoll
from feedhub.pipeline.categorize import refile
from feedhub.pipeline.store import Scheduled
from feedhub.ports.store import Store
from feedhub.rules.hosts import host_key
from feedhub.rules.pacing import first_poll_at, replanned_at, usual_interval


def sync_store(store: Store, settings: Settings, now: datetime) -> None:
    """Make the stored categories those of the configuration, and file stored items by its rules."""
    from_records = any(source.category_map for source in settings.sources)
    store.sync_categories(settings.categories, settings.output_digest, now, from_records=from_records)
    refile(store, settings.sources, settings.rules, digest=_filing_digest(settings), now=now)


def plan(store: Store, settings: Settings, scheduled: Scheduled, now: datetime, *, set_by: float = 0.0) -> None:
    """Write down when each source is due: new ones spread out from now on, others when they were.

    ``set_by``: by how many seconds the clock was set just now.
    """
    states = {state.name: state for state in store.states()}
    planned: list[PlannedPoll] = []
    new = 0
    for source in settings.sources:
        if source.paused:
            continue
        state = states.get(source.name)
        if state is None or (state.last_poll_at is None and state.next_poll_at is None):
            at: datetime | None = first_poll_at(now, position=new, interval=usual_interval(source, settings.poll))
            new += 1
        else:
            cron = scheduled(source, now)
            at = replanned_at(source, state, now=now, scheduled=cron, settings=settings.poll, set_by=set_by)
        planned.append(PlannedPoll(name=source.name, host=host_key(source.url, settings.poll), at=at))
    store.plan_polls(planned)


def _filing_digest(settings: Settings) -> str:
    """Return what decides where stored items are filed: rules, and titles that records may be filed under."""
    titles = {category.title: category.slug for category in settings.categories}
    return f"{settings.rules_digest}:{sha256(repr(sorted(titles.items())).encode()).hexdigest()[:16]}"
