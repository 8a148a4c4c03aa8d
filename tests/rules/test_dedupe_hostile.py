"""GUARANTEES 34-36 under attack: a source changes only what it owns (SPEC §4)."""

from copy import deepcopy

import pytest

from feedhub.model.item import ParsedItem
from support.library import Library, day, record

CODE = "202411230000000001"


def story(number: int, **more: object) -> ParsedItem:
    facts = {
        "link": f"https://victim.example/{number}",
        "guid": f"v{number}",
        "text": f"Text {number}",
        "published": day(number),
        **more,
    }
    return record(f"Story {number}", **facts)  # type: ignore[arg-type]


def test_an_address_that_another_source_reuses_stays_with_its_item() -> None:
    library = Library()
    library.poll("victim", story(1))
    library.poll("evil", story(1, guid="e1"))
    before = dict(library.keys)

    assert library.verdicts("evil", record("Buy now", link="https://victim.example/1", guid="e2")) == ["new"]
    assert before.items() <= library.keys.items()
    assert library.verdicts("victim", story(1)) == ["seen"]


def test_an_address_that_its_owner_reuses_names_the_new_item() -> None:
    library = Library()
    library.poll("a", record("One", link="https://a.example/live", guid="1"))

    assert library.verdicts("a", record("Two", link="https://a.example/live", guid="2")) == ["new"]
    assert library.verdicts("a", record("Two", link="https://a.example/live")) == ["seen"]


@pytest.mark.parametrize("guid", ["v2", None])
def test_a_code_that_another_source_tied_to_an_item_does_not_swallow_the_article_it_is_of(guid: str | None) -> None:
    library = Library()
    library.poll("victim", story(1))
    library.poll("evil", story(1, guid=CODE))
    second = story(2, link=f"https://victim.example/news?infoCode={CODE}", guid=guid)

    assert library.verdicts("victim", story(1), second) == ["seen", "new"]
    assert library.verdicts("victim", story(1), second) == ["seen", "seen"]
    assert len(library.items) == 2


@pytest.mark.parametrize(
    ("link", "guid"),
    [("https://victim.example/1", CODE), (f"https://victim.example/news?infoCode={CODE}", "v1")],
    ids=["by its address", "by its guid"],
)
def test_a_code_that_another_source_tied_to_an_item_is_believed_of_the_same_article(link: str, guid: str) -> None:
    library = Library()
    library.poll("victim", story(1))
    library.poll("evil", story(1, guid=CODE))

    assert library.verdicts("victim", record("Story 1, corrected", link=link, guid=guid)) == ["changed"]


@pytest.mark.parametrize("dated", [{}, {"published": None}], ids=["dated", "undated"])
def test_an_address_that_another_source_tied_to_an_item_does_not_swallow_the_article_it_is_of(
    dated: dict[str, None],
) -> None:
    library = Library()
    first = story(1, link=f"https://victim.example/1?infoCode={CODE}", guid=None, **dated)
    second = story(2, guid=None, **dated)
    library.poll("victim", first)
    library.poll("evil", story(1, link="https://victim.example/2", guid=CODE))

    beside = deepcopy(library)
    assert beside.verdicts("victim", first, second) == ["seen", "new"]
    assert beside.verdicts("victim", second) == ["seen"]
    assert library.verdicts("victim", second) == ["new"]


def test_a_code_that_an_item_gained_elsewhere_is_believed_with_its_own_headline() -> None:
    library = Library()
    library.poll("a", record("One", link="https://a.example/1"))
    library.poll("b", record("Uno", link="https://a.example/1", guid=CODE))

    assert library.verdicts("a", record("One", link=f"https://a.example/news?infoCode={CODE}")) == ["refreshed"]


def test_a_source_that_copies_everything_of_another_changes_nothing_of_it() -> None:
    library = Library()
    stories = [story(number, guid=f"{CODE[:-1]}{number}") for number in range(1, 6)]
    library.poll("victim", *stories)
    keys, owners = dict(library.keys), dict(library.owners)
    for round_ in range(3):
        copies = [
            record(f"Evil {round_} {item.title}", link=item.link, guid=item.guid, text="evil", published=day(28))
            for item in stories
        ]
        library.poll("evil", *copies)

    assert library.owners == owners
    assert keys.items() <= library.keys.items()
    assert library.verdicts("victim", *stories) == ["seen"] * 5


def test_a_source_that_renames_everything_it_copied_takes_no_key_along() -> None:
    library = Library()
    stories = [story(number) for number in range(1, 6)]
    library.poll("victim", *stories)
    library.poll("evil", *(story(number, guid=f"e{number}") for number in range(1, 6)))
    keys = {key: item for key, item in library.keys.items() if "evil" not in key}
    library.poll(
        "evil",
        *(
            record(f"Other {number}", link=f"https://victim.example/{number}", guid=f"x{number}")
            for number in range(1, 6)
        ),
    )

    assert keys.items() <= library.keys.items()
    assert library.verdicts("victim", *stories) == ["seen"] * 5


def test_one_link_500_times_is_500_items_and_takes_nothing_from_its_owner() -> None:
    library = Library()
    library.poll("victim", story(1))
    flood = [record(f"Spam {number}", link="https://victim.example/1", guid=f"s{number}") for number in range(500)]

    assert library.verdicts("evil", *flood) == ["new"] * 500
    assert library.verdicts("victim", story(1)) == ["seen"]


def test_equal_guids_of_two_sources_are_two_items() -> None:
    library = Library()
    library.poll("victim", record("One", guid="1"))

    assert library.verdicts("evil", record("Two", guid="1")) == ["new"]
    assert library.verdicts("victim", record("One", guid="1")) == ["seen"]


def test_a_constant_guid_names_nothing_and_loses_nothing() -> None:
    library = Library()
    stories = [record(f"Story {number}", guid="1", text=f"{number}") for number in range(20)]

    assert library.verdicts("a", *stories) == ["new"] * 20
    assert library.verdicts("a", *stories) == ["seen"] * 20
