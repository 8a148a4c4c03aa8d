"""Filing stored items again after the rules, or a source's categories, have changed."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from feedhub.model.item import Item
from feedhub.model.source import Rule, Source
from feedhub.ports.store import Store
from feedhub.rules.categorize import brought_categories, file_item


def refile(store: Store, sources: Sequence[Source], rules: Sequence[Rule], *, digest: str, now: datetime) -> int:
    """File what every source gave by the rules of ``digest``; return how many sources had to be looked at.

    A new drop rule is for items to come: one that is stored already keeps the categories of its source, since
    nothing that was published once is taken away without retention.
    """
    filed = store.filed_digests()
    store.mark_filed([source.name for source in sources if source.name not in filed], digest)
    outdated = [source for source in sources if filed.get(source.name, digest) != digest]
    slugs = {category.title: category.slug for category in store.categories()} if outdated else {}
    for source in outdated:
        filings = [(item_id, _categories(item, source, rules, slugs)) for item_id, item in store.wordings(source.name)]
        store.refile(source.name, filings, digest=digest, now=now)
    return len(outdated)


def _categories(
    item: Item, source: Source, rules: Sequence[Rule], slugs: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    brought = [slugs[title] for title, _ in brought_categories(item, source) if title in slugs]
    filing = file_item(item, source, rules, brought)[1]
    if filing.dropped_by:
        return (*((category, "source") for category in source.categories), *((slug, "record") for slug in brought))
    return filing.categories
