"""The categories of a store in memory."""

from collections.abc import Sequence
from dataclasses import replace

from feedhub.model.output import Category
from feedhub.store.memory_data import ALL, Data, Output


def sync_categories(data: Data, categories: Sequence[Category], output_digest: str, *, from_records: bool) -> None:
    """See ``Store.sync_categories``."""
    wanted = {category.slug: category for category in categories}
    places = {category.slug: place for place, category in enumerate(categories)}
    stored = {slug: output for slug, output in data.outputs.items() if slug != ALL and not output.from_records}
    same = all(output.category == wanted.get(slug) and output.place == places[slug] for slug, output in stored.items())
    if data.output_digest != output_digest or not same:
        data.bump(data.outputs.keys(), ())
        data.posted = 0
        data.told = -1
        data.paged = -1
    for slug in (stored.keys() - wanted.keys()) | _left_over(data, wanted, from_records=from_records):
        data.drop_category(slug)
    for slug, category in wanted.items():
        before = data.outputs.get(slug, Output(category=category))
        data.outputs[slug] = replace(before, category=category, place=places[slug], from_records=False)
    data.output_digest = output_digest


def _left_over(data: Data, wanted: dict[str, Category], *, from_records: bool) -> set[str]:
    """Return categories of records that the configuration now gives another slug, or that hold nothing any more."""
    held = {slug for slug, _ in data.memberships}
    titles = {category.title for category in wanted.values()}
    brought = {slug: output for slug, output in data.outputs.items() if output.from_records and slug not in wanted}
    return {
        slug
        for slug, output in brought.items()
        if output.category.title in titles or not (from_records or slug in held)
    }
