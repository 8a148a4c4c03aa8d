"""Through the pipeline and a real SQLite file: order and batching of the same documents make no difference."""

from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from feedhub.model.item import ParsedItem
from feedhub.model.source import Source
from support.examples import examples
from support.library import INFO_CODE, day, record
from support.world import World

CATEGORIES = {"alpha": ("economy",), "beta": ("economy", "all-news"), "gamma": ("tech",)}
SOURCES = tuple(
    Source(name=name, url=f"https://{name}.example/feed", categories=slugs, identity=(INFO_CODE,))
    for name, slugs in CATEGORIES.items()
)
SPELLINGS = (
    "https://news.example/story?{}",
    "http://news.example/story?{}",
    "https://NEWS.example:443/story?utm_source=rss&{}#top",
    "http://news.example/story?fbclid=1&{}",
)

Told = tuple[int, int]
"""The number of an article, and how it is spelt."""
Batch = Sequence[tuple[str, Sequence[Told]]]


def told_by(source: str, told: Iterable[Told]) -> list[ParsedItem]:
    return [
        record(
            f"{source} on {number}",
            link=SPELLINGS[spelling].format(_query(number)),
            guid=f"{source}-{number}",
            published=day(number + 1),
        )
        for number, spelling in told
    ]


def _query(number: int) -> str:
    return f"infoCode={202400000000000000 + number}" if number % 2 else f"n={number}"


documents = st.lists(
    st.tuples(
        st.sampled_from(sorted(CATEGORIES)),
        st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), max_size=5, unique_by=lambda one: one[0]),
    ),
    max_size=5,
)


def shown(batch: Batch) -> dict[str, set[str]]:
    """Poll a batch, and tell which output holds which ids."""
    world = World(SOURCES)
    for source, told in batch:
        world.answer(source, *told_by(source, told))
        world.poll(source)
        world.pass_time(minutes=1)
    slugs = ["all", *(category.slug for category in world.store.categories())]
    return {slug: {item.id for item in world.store.newest(slug, 100)} for slug in slugs}


@settings(max_examples=examples(15))
@given(documents, st.randoms(use_true_random=False))
def test_any_order_of_documents_gives_the_same_outputs_in_a_real_store(batch: Any, random: Any) -> None:
    assert shown(random.sample(batch, len(batch))) == shown(batch)


@settings(max_examples=examples(15))
@given(documents)
def test_any_batching_of_documents_gives_the_same_outputs_in_a_real_store(batch: Any) -> None:
    one_by_one = [(source, [one]) for source, told in batch for one in told]
    assert shown(one_by_one) == shown(batch)
