"""What is done to what is stored without a poll: filing anew (docs/decisions/0014), retention (SPEC §4), titles."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from feedhub.model.report import HealthEvent, PruneReport
from feedhub.model.settings import Settings
from feedhub.model.source import Source, SourceState
from feedhub.pipeline.filing import ItemFiler
from feedhub.ports.store import Store, Transaction
from feedhub.ports.world import Cleaner
from feedhub.rules.health import shown_title

KEYS_REMEMBERED_DAYS: Final = 2 * 365
_MOST_AT_ONCE: Final = 100
"""Sightings that are filed in one transaction, for which polls have to wait."""


def refile(
    store: Store, settings: Settings, cleaner: Cleaner, now: datetime
) -> Iterator[tuple[Source, tuple[str, ...]]]:
    """File the stored items of every source by the present rules, also of sources that are configured no more.

    After each transaction its source is yielded, with what is to be said of it. One that does not get to the end goes
    on where it was the next time.
    """
    sources, filed = settings.sources, store.filed_digests()
    store.mark_filed([(source, _digest(source, settings)) for source in sources if source.name not in filed])
    for source in (*sources, *store.departed_sources({source.name for source in sources})):
        digest = _digest(source, settings)
        has_more = filed.get(source.name, digest) != digest
        while has_more:
            with store.transaction() as transaction:
                filer = ItemFiler(transaction, source, settings.rules, cleaner, now)
                has_more = transaction.refile(source, digest, _MOST_AT_ONCE, filer.filing, now)
            yield source, filer.warning()


def _digest(source: Source, settings: Settings) -> str:
    """Return a digest of all that filing the items of a source depends on."""
    # Categories that records name are found by their titles.
    titles = sorted((one.title, one.slug) for one in settings.categories) if source.category_map else ()
    facts = (source.categories, source.content, source.category_map, titles)
    return f"{settings.rules_digest}:{hashlib.sha256(repr(facts).encode()).hexdigest()[:16]}"


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


def note_outcome(transaction: Transaction, name: str, fault: str, told: str, now: datetime) -> None:
    """Add a health event when work of a name fails for the first time, and when it ends well again.

    ``told`` is what is said of it then.
    """
    failing = f"{name}: failing"
    if bool(transaction.note(failing)) == bool(fault):
        return
    transaction.set_note(failing, fault)
    kind = "failing" if fault else "recovered"
    transaction.add_health_events([HealthEvent(at=now, source=name, kind=kind, text=told)])


def tell_stories(store: Store, settings: Settings, now: datetime) -> None:
    """Let the store tell stories as the configuration says, or no more."""
    if settings.stories is None:
        store.sync_stories("", lambda _: False)
    else:
        from feedhub.pipeline.stories import sync_stories  # most configurations have none

        sync_stories(store, settings.stories, now)


def rename(store: Store, sources: Sequence[Source]) -> None:
    """Give what is stored under former names of sources to them, if nothing is stored under the new name yet."""
    if not any(source.formerly for source in sources):
        return
    configured = {source.name for source in sources}
    stored = {state.name for state in store.states()}
    for source in sources:
        for old in source.formerly:
            if old in stored - configured and source.name not in stored:
                with store.transaction() as transaction:
                    transaction.rename_source(old, source.name)
                stored = stored - {old} | {source.name}


def retitle(store: Store, sources: Sequence[Source]) -> dict[str, SourceState]:
    """Let the store say of each source what the configuration calls it; where that says nothing, its own title.

    Before that, what is stored under former names passes on to them. Return what is remembered of sources then, by
    name.
    """
    rename(store, sources)
    configured = {source.name: source for source in sources}
    states = {state.name: state for state in store.states()}
    renamed = []
    for state in states.values():
        source = configured.get(state.name)
        if source is None or state.title == (title := shown_title(source, state)):
            continue
        own = state.title if state.own_title is None else state.own_title
        renamed.append(replace(state, title=title, own_title=own if source.title else None))
    if renamed:
        with store.transaction() as transaction:
            for state in renamed:
                transaction.save_state(state)
    return states | {state.name: state for state in renamed}
