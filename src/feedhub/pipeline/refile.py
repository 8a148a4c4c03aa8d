"""Filing stored items anew when the rules change (docs/decisions/0014): outputs show what the present rules make."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from feedhub.model.source import Rule, Source
from feedhub.pipeline.filing import ItemFiler
from feedhub.ports.store import Store
from feedhub.ports.world import Cleaner

_MOST: Final = 100
"""Sightings that are filed in one transaction, for which polls have to wait."""


def refile(
    store: Store, sources: Sequence[Source], rules: Sequence[Rule], cleaner: Cleaner, now: datetime, *, digest: str
) -> Iterator[tuple[Source, tuple[str, ...]]]:
    """File the stored items of every source by the rules of ``digest``.

    After each transaction its source is yielded, with what is to be said of it.

    One that does not get to the end goes on where it was the next time.
    """
    filed = store.filed_digests()
    store.mark_filed([source.name for source in sources if source.name not in filed], digest)
    for source in sources:
        has_more = filed.get(source.name, digest) != digest
        while has_more:
            with store.transaction() as transaction:
                filer = ItemFiler(transaction, source, rules, cleaner, now)
                has_more = transaction.refile(source.name, digest, _MOST, filer.filing, now)
            yield source, filer.warning()
