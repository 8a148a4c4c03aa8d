"""Which reports an output lists, and what sketches keep."""

import pytest

from feedhub.model.item import Item
from feedhub.model.story import Fold, Report, StoryChoice, StorySettings
from feedhub.rules.stories.features import keys_in, read_sketch, sketch_of, sketch_of_item, story_features
from feedhub.rules.stories.folding import belongs_to_stories, folds, folds_of

ONCE = StorySettings()
GROUPED = StorySettings(choice=StoryChoice(reprints="off", same_event="group"))


def report(number: int, *outputs: str, text: int = 1, story: int = 1, is_new: bool = True, source: str = "") -> Report:
    return Report(
        number=number,
        story=story,
        text=text,
        source=source or f"s{number}",
        outputs=frozenset(outputs or ("all",)),
        is_new=is_new,
    )


def told(reports: list[Report], settings: StorySettings = ONCE) -> set[tuple[str, int, int]]:
    return {(fold.output, fold.number, fold.shown) for fold in folds_of(reports, settings)}


def test_of_new_reports_of_a_text_the_first_is_listed() -> None:
    assert folds_of([report(1), report(3), report(2)], ONCE) == (
        Fold(output="all", number=3, shown=1),
        Fold(output="all", number=2, shown=1),
    )


def test_what_is_listed_already_is_never_folded() -> None:
    listed = [report(1, is_new=False), report(2, is_new=False)]
    assert told(listed) == set()
    assert told([*listed, report(3)]) == {("all", 3, 1)}
    assert told([report(9, is_new=False), report(3)]) == {("all", 3, 9)}


def test_each_output_lists_what_it_has_not_listed_yet() -> None:
    assert told([report(1, "all", "tech"), report(2, "all", "cn")]) == {("all", 2, 1)}


def test_other_reports_of_an_event_are_folded_where_a_story_is_one_entry() -> None:
    reports = [report(1, text=1), report(2, text=2), report(3, text=2)]
    assert told(reports) == {("all", 3, 2)}
    assert told(reports, GROUPED) == {("all", 2, 1), ("all", 3, 1)}


def test_a_category_may_choose_otherwise() -> None:
    reports = [report(1, "all", "cn"), report(2, "all", "cn")]
    settings = StorySettings(by_category=(("cn", StoryChoice(reprints="off")),))
    assert told(reports, settings) == {("all", 2, 1)}


@pytest.mark.parametrize(("prefer", "shown"), [((), 1), (("s3", "s2"), 3), (("x", "s[23]"), 2), (("none",), 1)])
def test_preferred_sources_are_listed_before_others(prefer: tuple[str, ...], shown: int) -> None:
    found = told([report(number) for number in (1, 2, 3)], StorySettings(prefer=prefer))
    assert found == {("all", number, shown) for number in (1, 2, 3) if number != shown}


def test_an_output_folds_reprints_or_stories_or_nothing() -> None:
    assert folds(StoryChoice())
    assert folds(StoryChoice(reprints="off", same_event="group"))
    assert not folds(StoryChoice(reprints="off", same_event="mark"))


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (ONCE, False),
        (StorySettings(choice=StoryChoice(reprints="off")), None),
        (StorySettings(choice=StoryChoice(reprints="off", same_event="mark")), True),
        (StorySettings(by_category=(("cn", StoryChoice(same_event="mark")),)), True),
    ],
)
def test_items_name_others_of_their_text_or_of_their_event_or_none(settings: StorySettings, names: bool | None) -> None:
    assert settings.names_events is names


@pytest.mark.parametrize(
    ("title", "source", "belongs"),
    [
        ("Ferry aground", "agency", True),
        ("财经早报：三大指数收跌", "agency", False),
        ("Markets Wrap: a quiet day", "agency", False),
        ("Ferry aground", "quotes-velden", False),
    ],
)
def test_digests_and_what_the_configuration_names_belong_to_no_story(title: str, source: str, belongs: bool) -> None:
    settings = StorySettings(never_titles=("markets wrap",), never_sources=("quotes-*",))
    assert belongs_to_stories(title, source, settings) is belongs


@pytest.mark.parametrize("title", ["Ferry “Northern Star” aground, 214 saved", "白鹭湖大桥4月18日通车\n", ""])
@pytest.mark.parametrize(
    "text", ["", "大桥全长6625米，总投资41亿元。" * 30, "On 7 May 12 of 214 passengers left. " * 40]
)
def test_a_sketch_gives_back_the_features_of_which_it_was_made(title: str, text: str) -> None:
    features = story_features(title, text)
    sketch = sketch_of(features)
    assert read_sketch(sketch) == features
    assert list(read_sketch(sketch).vector) == list(features.vector)
    assert keys_in(sketch) == features.keys
    assert len(features.keys) <= 28
    assert sketch_of_item(Item(title=title, content=text or None)) == sketch
