"""Whatever the order and batching of the same documents: the same items, memberships and ids."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import combinations, permutations

from hypothesis import example, given
from hypothesis import strategies as st

from feedhub.model.item import ParsedItem
from support.library import Library, day, midnight, record

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


ADDRESSES = (None, "https://a.example/", "https://a.example/1", "https://a.example/2", "https://a.example/1#x")
GUIDS = (None, "0", "a", "b", "https://a.example/1#0", "https://a.example/1#1", "https://a.example/1#x")
FILES = (None, "https://a.example/1.mp3", "https://a.example/1.mp3?t=1", "https://a.example/2.mp3")
SPARSE = st.builds(
    record,
    st.sampled_from(["One", "Two", ""]),
    guid=st.sampled_from(GUIDS),
    link=st.sampled_from(ADDRESSES),
    text=st.sampled_from(["", "x", "y", '<img src="/1.png">', '<img src="/2.png">']),
    published=st.sampled_from([None, day(1), day(2), midnight(1), midnight(2)]),
    enclosure=st.sampled_from(FILES),
)
DOCUMENT = st.lists(SPARSE, max_size=6)


def place(link: str | None) -> str | None:
    """Return what an address is besides its fragment."""
    return link and link.partition("#")[0]


# Every record has a guid and an address of its own: nothing has to be told apart by other evidence.
WELL_NAMED = DOCUMENT.filter(
    lambda records: all(
        None not in names and len(names) == len(set(names))
        for names in ([one.guid for one in records], [place(one.link) for one in records])
    )
)


def ids(library: Library, source: str, records: Sequence[ParsedItem]) -> dict[int, str]:
    """Poll a document; return which record became which item."""
    decisions = library.poll(source, *records).decisions
    return {id(decision.keyed.item): decision.item_id for decision in decisions}


@given(DOCUMENT, DOCUMENT, st.randoms(use_true_random=False))
def test_any_order_of_the_records_of_a_document_gives_the_same_items_and_ids(first, then, random) -> None:  # type: ignore[no-untyped-def]
    one, other = Library(), Library()
    assert ids(one, "a", first) == ids(other, "a", random.sample(first, len(first)))
    other = deepcopy(one)
    assert ids(one, "a", then) == ids(other, "a", random.sample(then, len(then)))


def test_a_page_and_places_on_it_with_the_same_words_are_the_same_items_in_any_order() -> None:
    records = [record("One", link=f"https://a.example/1{fragment}", text="y") for fragment in ("", "#x", "#y")]
    for few in (records[:2], records):
        assert len({tuple(sorted(ids(Library(), "a", order).items())) for order in permutations(few)}) == 1


FILE = "https://a.example/1.mp3"
OTHER_FILE = "https://a.example/2.mp3"


@given(DOCUMENT, WELL_NAMED)
@example(
    [record("Two", guid="0", published=day(1), enclosure=FILE)],
    [record("Two", guid="0", link="https://a.example/", published=day(2), enclosure=OTHER_FILE)],
)
@example(
    [
        record("Two", guid="b", link="https://a.example/1"),
        record("Two", guid="https://a.example/1#0", link="https://a.example/1", text="x", enclosure=f"{FILE}?t=1"),
    ],
    [
        record("Two", guid="0", link="https://a.example/2"),
        record("Two", guid="a", link="https://a.example/1", text="x", enclosure=FILE),
    ],
)
def test_a_document_that_is_given_again_is_made_of_the_same_items(first, then) -> None:  # type: ignore[no-untyped-def]
    library = Library()
    library.poll("a", *first)
    given_once = ids(library, "a", then)
    assert ids(library, "a", then) == given_once
    assert ids(library, "a", then) == given_once


@given(DOCUMENT, DOCUMENT)
def test_a_document_that_is_given_again_and_again_comes_to_rest(first, then) -> None:  # type: ignore[no-untyped-def]
    library = Library()
    for document in (first, then, then):
        library.poll("a", *document)
    assert "new" not in library.verdicts("a", *then)


@given(DOCUMENT, DOCUMENT)
def test_a_record_that_becomes_no_item_of_its_own_leaves_a_row_in_the_ledger(first, then) -> None:  # type: ignore[no-untyped-def]
    library = Library()
    for document in (first, then):
        judgement = library.poll("a", *document)
        verdicts = [decision.verdict.value for decision in judgement.decisions]
        kinds = [note.kind for note in judgement.notes]
        assert kinds.count("repeat") == verdicts.count("repeat")
        assert kinds.count("rejected") == verdicts.count("unidentified")
        items = {decision.item_id for decision in judgement.decisions} - {""}
        assert len(document) == len(items) + kinds.count("repeat") + kinds.count("rejected")


@given(st.lists(SPARSE, max_size=6, unique_by=lambda one: one.guid))
def test_records_that_differ_in_guid_and_in_date_text_or_file_are_different_items(records) -> None:  # type: ignore[no-untyped-def]
    records = [one for one in records if one.guid and "#" not in one.guid]
    found = ids(Library(), "a", records)
    for one, other in combinations(records, 2):
        dates = one.published_at, other.published_at
        files = one.enclosures, other.enclosures
        if (None not in dates and dates[0] != dates[1]) or one.text_digest != other.text_digest or files[0] != files[1]:
            assert found[id(one)] != found[id(other)]


@given(st.lists(st.tuples(st.sampled_from(SOURCES), DOCUMENT), max_size=6), st.randoms(use_true_random=False))
def test_sources_without_a_common_address_do_not_touch_each_other(polls, random) -> None:  # type: ignore[no-untyped-def]
    def told(source: str, document: Sequence[ParsedItem]) -> list[ParsedItem]:
        return [replace(one, link=one.link and one.link.replace("a.example", f"{source}.example")) for one in document]

    given_by = {source: [told(source, document) for name, document in polls if name == source] for source in SOURCES}
    turns = [source for source, _ in polls]
    outcomes = []
    for order in (turns, random.sample(turns, len(turns))):
        library, left = Library(), {source: iter(documents) for source, documents in given_by.items()}
        verdicts = {source: [] for source in SOURCES}
        for source in order:
            verdicts[source].append(library.verdicts(source, *next(left[source])))
        outcomes.append((library.items, verdicts))
    assert outcomes[0] == outcomes[1]


@given(st.lists(st.sampled_from([("a", 1), ("b", 1), ("b", 2), ("c", 2), ("c", 3)]), unique=True))
def test_any_order_of_sources_that_give_addresses_to_one_article_each_gives_the_same_number_of_items(polls) -> None:  # type: ignore[no-untyped-def]
    library = Library()
    for source, number in polls:
        link, guid = f"https://news.example/{number}", f"{source}{number}"
        library.poll(source, record(f"{source} on {number}", link=link, guid=guid, published=day(number)))
    assert len(library.items) == len({number for _, number in polls})
