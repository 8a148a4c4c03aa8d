"""What is done to stored items without a poll: retention (SPEC §4), and filing anew when rules change (SPEC §5)."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from feedhub.model.item import Item
from feedhub.model.report import PruneReport
from feedhub.model.settings import Settings
from feedhub.model.source import Rule, Source
from feedhub.ports.store import Store
from feedhub.rules.categorize import file_item, record_categories

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


def refile(store: Store, sources: Sequence[Source], rules: Sequence[Rule], *, digest: str) -> int:
    """File the stored items of every source by the rules of ``digest``; return how many sources were out of date.

    A new drop rule is for items to come: one that is stored already keeps the categories of its source, since
    nothing that was published once is taken away without retention.
    """
    filed = store.filed_digests()
    store.mark_filed([source.name for source in sources if source.name not in filed], digest)
    outdated = [source for source in sources if filed.get(source.name, digest) != digest]
    slugs = {category.title: category.slug for category in store.categories()} if outdated else {}
    for source in outdated:
        filings = [(item_id, _categories(item, source, rules, slugs)) for item_id, item in store.wordings(source.name)]
        store.refile(source.name, filings, digest=digest)
    return len(outdated)


def _categories(
    item: Item, source: Source, rules: Sequence[Rule], slugs: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    of_record = [slugs[title] for title, _ in record_categories(item, source) if title in slugs]
    filing = file_item(item, source, rules, of_record, clean_again=lambda markup, _item, _source: markup)[1]
    if filing.dropped_by:
        return (*((category, "source") for category in source.categories), *((slug, "record") for slug in of_record))
    return filing.categories
