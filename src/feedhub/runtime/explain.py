"""From what a person pastes to what the store knows: URL, infoCode or item id (SPEC §2, ``explain``)."""

from collections.abc import Iterator
from dataclasses import replace

from feedhub.model.identity import KeyPattern
from feedhub.model.report import Explanation
from feedhub.model.settings import Settings
from feedhub.ports.store import Store
from feedhub.rules.identity import key_text
from feedhub.rules.patterns import compile_pattern
from feedhub.rules.select import ALL, output_feed
from feedhub.rules.urls import canonical_url


def explained(ref: str, store: Store, settings: Settings) -> tuple[Explanation, ...]:
    """Return every item (or ledger trace) that ``ref`` may mean, with the output files that hold it now."""
    found = store.explain(tuple(dict.fromkeys(_references(ref.strip(), settings))))
    return tuple(replace(one, outputs=tuple(_holding(one, store, settings))) for one in found)


def _references(ref: str, settings: Settings) -> Iterator[str]:
    yield ref
    url = canonical_url(ref)
    if url:
        yield key_text("url", url)
    for pattern in _patterns(settings):
        yield key_text(pattern.name, ref)
        value = compile_pattern(pattern.pattern).value(ref)
        if value:
            yield key_text(pattern.name, value)
    for source in settings.sources:
        yield f"guid:{source.name}:{ref}"


def _patterns(settings: Settings) -> Iterator[KeyPattern]:
    seen = set()
    for source in settings.sources:
        for pattern in source.identity:
            if pattern not in seen:
                seen.add(pattern)
                yield pattern


def _holding(explanation: Explanation, store: Store, settings: Settings) -> Iterator[str]:
    if explanation.item_id is None or explanation.removed_at is not None:
        return
    for slug in (ALL, *(slug for slug, _, _ in explanation.memberships)):
        feed = output_feed(slug, settings.site, settings.categories, settings.output)
        if any(item.id == explanation.item_id for item in store.newest(slug, feed.entries)):
            yield from (f"feeds/{slug}.{form}" for form in settings.output.formats)
