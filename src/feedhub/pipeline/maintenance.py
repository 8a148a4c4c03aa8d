"""What is done to what is stored without a poll: retention (SPEC §4), titles of sources."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from feedhub.model.report import PruneReport
from feedhub.model.settings import Settings
from feedhub.model.source import Source
from feedhub.ports.store import Store
from feedhub.rules.health import shown_title

KEYS_REMEMBERED_DAYS: Final = 2 * 365


def prune(store: Store, settings: Settings, now: datetime) -> PruneReport:
    """Apply the configured retention; days begin at midnight in the site's time zone."""
    days = settings.retention.days
    midnight = now.astimezone(ZoneInfo(settings.site.timezone)).replace(hour=0, minute=0, second=0, microsecond=0)
    return store.prune(
        offered_before=None if days is None else midnight - timedelta(days=days),
        keep_per_category=settings.retention.items,
        forget_before=now - timedelta(days=KEYS_REMEMBERED_DAYS),
        now=now,
    )


def retitle(store: Store, sources: Sequence[Source]) -> None:
    """Let the store say of each source what the configuration calls it; where that says nothing, its own title."""
    configured = {source.name: source for source in sources}
    renamed = []
    for state in store.states():
        source = configured.get(state.name)
        if source is None or state.title == (title := shown_title(source, state)):
            continue
        own = state.title if state.own_title is None else state.own_title
        renamed.append(replace(state, title=title, own_title=own if source.title else None))
    if renamed:
        with store.transaction() as transaction:
            for state in renamed:
                transaction.save_state(state)
