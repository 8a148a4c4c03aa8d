"""Whatever the order and batching of the same documents: the same items, memberships and ids."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from feedhub.model.item import ParsedItem
from support.library import Library, day, record

SOURCES = ("alpha", "beta", "gamma")
CATEGORY = {"alpha": "economy", "beta": "economy", "gamma": "tech"}


@dataclass(frozen=True)
class Article:
    """A story that sources report under addresses that differ in everything but what matters."""

    number: int

    @property
    def coded(self) -> bool:
        return self.number % 2 == 0

    def as_told_by(self, source: str, noise: int) -> ParsedItem:
        scheme = ("http", "https")[noise % 2]
        tracker = ("", "utm_source=rss", "fbclid=9&utm_medium=x")[noise % 3]
        code = f"infoCode=NW{202400000000000000 + self.number}" if self.coded else f"n={self.number}"
        query = "&".join(part for part in (tracker, code) if part)
        link = f"{scheme}://news.example/story?{query}" + ("#top" if noise % 5 == 0 else "")
        return record(f"{source} on {self.number}", link=link, guid=f"{source}-{self.number}", text=f"{source} text")


articles = st.builds(Article, number=st.integers(0, 12))
documents = st.lists(
    st.tuples(
        st.sampled_from(SOURCES),
        st.lists(st.tuples(articles, st.integers(0, 29)), min_size=1, max_size=8, unique_by=lambda one: one[0]),
    ),
    min_size=1,
    max_size=8,
)


def outcome(library: Library) -> tuple[set[str], set[tuple[str, str]]]:
    """The ids, and which category holds which item."""
    return library.items, {(item, CATEGORY[source]) for item, source in library.sightings}


def poll(library: Library, batch: list[tuple[str, list[tuple[Article, int]]]]) -> None:
    for source, told in batch:
        library.poll(source, *(article.as_told_by(source, noise) for article, noise in told))


@given(documents, st.randoms(use_true_random=False))
def test_any_order_of_the_same_documents_gives_the_same_items_memberships_and_ids(batch, random) -> None:  # type: ignore[no-untyped-def]
    one, other = Library(), Library()
    poll(one, batch)
    shuffled = list(batch)
    random.shuffle(shuffled)
    poll(other, shuffled)
    assert outcome(one) == outcome(other)


@given(documents)
def test_polling_everything_again_gives_nothing_new(batch) -> None:  # type: ignore[no-untyped-def]
    library = Library()
    poll(library, batch)
    before = outcome(library)
    poll(library, batch)
    assert outcome(library) == before


@given(documents)
def test_every_article_is_one_item_and_no_two_articles_are_one(batch) -> None:  # type: ignore[no-untyped-def]
    library = Library()
    poll(library, batch)
    told = {article for _, document in batch for article, _ in document}
    assert len(library.items) == len(told)


@given(
    st.lists(
        st.builds(
            record,
            st.sampled_from(["One", "Two", "Three", ""]),
            guid=st.sampled_from([None, "0", "a", "b", "202112272227369128"]),
            link=st.sampled_from([None, "https://a.example/", "https://a.example/1", "https://a.example/2?utm_id=1"]),
            text=st.sampled_from(["", "x", "y"]),
        ),
        max_size=6,
    )
)
def test_no_document_however_odd_loses_a_record_or_gives_an_id_twice(records) -> None:  # type: ignore[no-untyped-def]
    library = Library()
    judgement = library.poll("a", *records)
    assert [decision.keyed.item for decision in judgement.decisions] == records
    assert {decision.verdict.value for decision in judgement.decisions} <= {"new", "repeat", "unidentified"}
    assert "new" not in library.verdicts("a", *records)


SPARSE = st.lists(
    st.builds(
        record,
        st.sampled_from(["One", "Two", ""]),
        guid=st.sampled_from([None, "0", "a", "b"]),
        link=st.sampled_from([None, "https://a.example/1", "https://a.example/2", "https://a.example/1#x"]),
        text=st.sampled_from(["", "x", "y"]),
        published=st.sampled_from([None, day(1), day(2)]),
        enclosure=st.sampled_from([None, "https://a.example/1.mp3", "https://a.example/2.mp3"]),
    ),
    max_size=6,
)


@given(SPARSE, st.randoms(use_true_random=False))
def test_any_order_of_the_records_of_a_document_gives_the_same_items_and_ids(records, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = random.sample(records, len(records))
    one, other = Library(), Library()
    one.poll("a", *records)
    other.poll("a", *shuffled)
    assert one.items == other.items
    assert "new" not in one.verdicts("a", *shuffled), "in another order"
    assert "new" not in one.verdicts("a", *records), "again"


@given(SPARSE)
def test_a_record_that_becomes_no_item_of_its_own_leaves_a_row_in_the_ledger(records) -> None:  # type: ignore[no-untyped-def]
    judgement = Library().poll("a", *records)
    told = sum(note.kind in ("repeat", "rejected") for note in judgement.notes)
    assert told == sum(decision.verdict.value in ("repeat", "unidentified") for decision in judgement.decisions)


@given(st.lists(st.sampled_from([("a", 1), ("b", 1), ("b", 2), ("c", 2), ("c", 3)]), unique=True))
def test_any_order_of_sources_that_give_addresses_to_one_article_each_gives_the_same_number_of_items(polls) -> None:  # type: ignore[no-untyped-def]
    library = Library()
    for source, number in polls:
        link, guid = f"https://news.example/{number}", f"{source}{number}"
        library.poll(source, record(f"{source} on {number}", link=link, guid=guid, published=day(number)))
    assert len(library.items) == len({number for _, number in polls})
