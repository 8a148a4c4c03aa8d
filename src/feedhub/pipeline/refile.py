"""Filing stored items anew when the rules change (docs/decisions/0014): outputs show what the present rules make."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from feedhub.model.settings import Settings
from feedhub.model.source import Source
from feedhub.pipeline.filing import ItemFiler
from feedhub.ports.store import Store
from feedhub.ports.world import Cleaner

_MOST: Final = 100
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
                has_more = transaction.refile(source, digest, _MOST, filer.filing, now)
            yield source, filer.warning()


def _digest(source: Source, settings: Settings) -> str:
    """Return a digest of all that filing the items of a source depends on."""
    # Categories that records name are found by their titles.
    titles = sorted((one.title, one.slug) for one in settings.categories) if source.category_map else ()
    facts = (source.categories, source.content, source.category_map, titles)
    return f"{settings.rules_digest}:{hashlib.sha256(repr(facts).encode()).hexdigest()[:16]}"
