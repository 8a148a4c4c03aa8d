"""What ``stories test`` tells of a stream of items."""

from datetime import UTC, datetime, timedelta

from feedhub.rules.stories.events import BOILERPLATE, StoryItem
from feedhub.rules.stories.features import story_features
from feedhub.rules.stories.trial import StoryTrial, StoryWindow

NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
FERRY = (
    "The ferry Northern Star ran aground off the island of Kelsay early on Monday with 214 passengers aboard. All of "
    "them were taken off by lifeboats within three hours, the coastguard said. The ship struck a sandbank in thick fog."
)
FORM = (
    "The index of {city} closed at {level} points after {hours} hours, and {rise} of its shares rose. Traders of the "
    "exchange spoke of a quiet day, with little news from companies and none from the ministry of finance."
)


def item(number: int, text: str, at: datetime = NOW) -> StoryItem:
    features = story_features(f"title {number}", text)
    return StoryItem(number=number, source=f"s{number}", published_at=at, features=features, story=number)


def test_reprints_reports_digests_and_near_misses_are_told_with_their_reasons() -> None:
    trial = StoryTrial()
    for hours, (title, text) in enumerate(
        (
            ("Ferry Northern Star aground off Kelsay", FERRY),
            ("Passengers saved in fog", FERRY),
            ("Northern Star: ferry aground off Kelsay", "Passengers spoke of calm aboard the ferry off Kelsay."),
            ("Daily digest: ferry aground", FERRY),
            ("Velden: index at closing time", FORM.format(city="Velden", level=6625, hours=7, rise=31)),
            ("Velden: index at closing time", FORM.format(city="Velden", level=3705, hours=8, rise=12)),
            ("Museum of clocks", "Four hundred clocks are wound on Sundays in the old customs house of Portwick."),
        )
    ):
        trial.add(f"id{hours}", f"s{hours}", NOW + timedelta(hours=hours), title, text)
    found = trial.result(5)
    assert (found.items, found.digests, found.reprints) == (7, 1, 1)
    ferry = found.largest[0].members
    assert [(member.item_id, member.how) for member in ferry] == [("id0", ""), ("id1", "reprint"), ("id2", "event")]
    assert ferry[1].reason.endswith("1 h 0 min apart")
    assert found.grouped == sum(len(story.members) for story in found.largest)


def test_what_was_kept_apart_is_named_once_with_both_items() -> None:
    trial = StoryTrial()
    texts = [FORM.format(city="Velden", level=level, hours=7, rise=rise) for level, rise in ((6625, 31), (3705, 12))]
    for number, (title, text) in enumerate(
        zip(("Velden gains 12 points", "Velden gains 47 points"), texts, strict=True)
    ):
        trial.add(f"id{number}", f"s{number}", NOW, title, text)
    found = trial.result(5)
    assert (found.stories, found.grouped, found.largest) == (0, 0, ())
    (miss,) = found.misses
    assert (miss.one.item_id, miss.other.item_id) == ("id1", "id0")
    assert miss.reason.startswith("kept apart: 3705 here, 6625 there")


def test_an_item_that_is_much_like_two_stories_makes_them_one() -> None:
    trial = StoryTrial()
    texts = ("orchard ladder basket walnut velden", "harbour lantern anchor thunder kelsay")
    for number, (title, text) in enumerate(
        (
            ("Walnut harvest of Velden", texts[0]),
            ("Thunder over Kelsay", texts[1]),
            ("Walnut harvest of Velden, thunder over Kelsay", " ".join(texts)),
        )
    ):
        trial.add(f"id{number}", f"s{number}", NOW, title, text)
    found = trial.result(5)
    assert [len(story.members) for story in found.largest] == [3]


def test_as_many_stories_are_told_as_are_asked_for() -> None:
    trial = StoryTrial()
    for number in range(3):
        for source in ("a", "b"):
            words = " ".join(f"{letter}{number}{letter}word" for letter in "abcdefghijklmnopqrstuvwxyz")
            trial.add(f"{source}{number}", source, NOW, f"Title {number}", words.translate(str.maketrans("012", "xyz")))
    found = trial.result(2)
    assert found.stories == 3
    assert len(found.largest) == 2


def test_a_window_forgets_the_first_item_when_it_is_full() -> None:
    window = StoryWindow(2)
    for number in range(3):
        window.add(item(number, FERRY), item(number, FERRY).features.keys)
    assert [each.number for each in window.candidates(story_features("t", FERRY), NOW)] == [2, 1]


def test_what_is_far_apart_is_no_candidate() -> None:
    window = StoryWindow()
    window.add(item(1, FERRY), item(1, FERRY).features.keys)
    assert window.candidates(story_features("t", FERRY), NOW + timedelta(hours=72))
    assert not window.candidates(story_features("t", FERRY), NOW + timedelta(hours=73))


def test_a_key_that_many_items_have_finds_none() -> None:
    window = StoryWindow()
    for number in range(BOILERPLATE):
        window.add(item(number, FERRY), item(number, FERRY).features.keys)
    assert window.candidates(story_features("another", FERRY), NOW) == []
