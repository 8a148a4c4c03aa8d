"""Filing stored items again after the rules, or a source's categories, have changed."""

from collections.abc import Sequence
from datetime import datetime

from feedhub.model.item import Item
from feedhub.model.source import Rule, Source
from feedhub.ports import Store
from feedhub.rules.categorize import file_item


def refile(store: Store, sources: Sequence[Source], rules: Sequence[Rule], *, digest: str, now: datetime) -> int:
    """File what every source gave by the rules of ``digest``; return how many sources had to be looked at.

    A new drop rule is for items to come: one that is stored already keeps the categories of its source, since
    nothing that was published once is taken away without retention.
    """
    outdated = [source for source in sources if store.filed_digest(source.name) != digest]
    for source in outdated:
        filings = [(item_id, _categories(item, source, rules)) for item_id, item in store.wordings(source.name)]
        store.refile(source.name, filings, digest=digest, now=now)
    return len(outdated)


def _categories(item: Item, source: Source, rules: Sequence[Rule]) -> tuple[tuple[str, str], ...]:
    filing = file_item(item, source, rules)[1]
    if filing.dropped_by:
        return tuple((category, "source") for category in source.categories)
    return filing.categories
