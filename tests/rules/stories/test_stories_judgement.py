"""Reprints and stories: each rule, its bounds and its words."""

from datetime import UTC, datetime, timedelta

from feedhub.rules.stories.events import StoryItem, judge_event, place, similarity
from feedhub.rules.stories.features import StoryFeatures, story_features
from feedhub.rules.stories.reprints import judge_reprint, said_apart

NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
SOON = timedelta(minutes=192)
WORDS = (
    "quarry harbour lantern meadow orchard pepper saddle thunder velvet walnut yonder zephyr anchor basket candle "
    "dragon ember falcon garnet hollow island jasper kettle ladder marble needle oyster pebble quiver ribbon silver "
    "timber urchin violin willow yarrow acorn bramble cedar dahlia"
).split()
TEXT = " ".join(WORDS)
FORM = (
    "The index of {city} closed at {level} points on Monday after a session of {hours} hours, and {rise} of its shares "
    "rose. Traders of the exchange spoke of a quiet day, with little news from companies and none from the ministry."
)


def report(city: str, *numbers: int) -> StoryFeatures:
    level, hours, rise = numbers
    return story_features(
        f"{city}: the index at closing time", FORM.format(city=city, level=level, hours=hours, rise=rise)
    )


def item(number: int, title: str, text: str, hours: float = 0, **other: object) -> StoryItem:
    values = {
        "number": number,
        "source": f"s{number}",
        "published_at": NOW + timedelta(hours=hours),
        "features": story_features(title, text),
        "story": number,
    }
    return StoryItem(**(values | other))  # type: ignore[arg-type]


def test_a_reprint_says_how_many_runs_and_numbers_it_has_in_common() -> None:
    judgement = judge_reprint(report("Velden", 6625, 7, 31), report("Velden", 6625, 7, 31), SOON)
    assert judgement.joined
    assert judgement.reason == "38 of 38 runs (1.00), 3 numbers alike, none otherwise, 3 h 12 min apart"


def test_reports_of_one_form_are_told_apart_by_their_numbers() -> None:
    judgement = judge_reprint(report("Velden", 6625, 7, 31), report("Velden", 3705, 7, 12), SOON)
    assert not judgement.joined
    assert judgement.reason.startswith("kept apart: 6625 here, 3705 there, 31 here, 12 there; ")


def test_one_corrected_number_among_many_is_no_other_report() -> None:
    lines = " ".join(
        f"{word} {number} {other}" for number, (word, other) in enumerate(zip(WORDS, WORDS[::-1], strict=True))
    )
    judgement = judge_reprint(story_features("A", lines), story_features("A", lines.replace(" 12 ", " 13 ")), SOON)
    assert judgement.joined
    assert "1 otherwise" in judgement.reason


def test_reports_of_one_form_are_told_apart_by_what_only_one_title_and_text_has() -> None:
    judgement = judge_reprint(report("Velden", 6625, 7, 31), report("Kelsay", 6625, 7, 31), SOON)
    assert not judgement.joined
    assert judgement.reason.startswith("kept apart: the titles have velden here, kelsay there; ")


def test_a_title_that_only_says_more_is_that_of_a_reprint() -> None:
    longer = story_features("Velden: the index at closing time, calm", TEXT)
    assert judge_reprint(longer, story_features("Velden: the index at closing time", TEXT), SOON).joined


def test_short_texts_and_texts_of_two_scripts_are_not_compared() -> None:
    few = judge_reprint(story_features("A", "one two three"), story_features("A", "one two three"), SOON)
    scripts = judge_reprint(
        story_features("A", TEXT), story_features("甲", "的一是在不了有和人这中大为上个国" * 4), SOON
    )
    assert few.reason == scripts.reason == "too short to be told from others"


def test_what_has_little_in_common_is_kept_apart() -> None:
    other = " ".join((*WORDS[:20], *WORDS[:-21:-1]))
    judgement = judge_reprint(story_features("A", TEXT), story_features("B", other), SOON)
    assert not judgement.joined
    assert judgement.reason == "kept apart: only 17 of 37 runs (0.46) are shared"


def test_a_reprint_comes_within_three_days() -> None:
    text = story_features("A", TEXT)
    assert judge_reprint(text, text, timedelta(hours=72)).joined
    assert judge_reprint(text, text, timedelta(hours=-73)).reason.startswith("kept apart: 73 h 0 min apart; ")


def test_a_shortened_text_is_a_reprint_and_a_quotation_is_none() -> None:
    letters = "abcdefghijklmnopqrstuvwx"
    long = " ".join(f"{letters[at // 24]}{letters[at % 24]}word" for at in range(300))
    tail, head = " ".join(long.split()[200:240]), " ".join(long.split()[:60])
    whole = story_features("Something else of note", long)
    assert judge_reprint(story_features("Cut", head), whole, SOON).joined
    quotation = judge_reprint(story_features("Quoted", tail), whole, SOON)
    assert quotation.reason.startswith("kept apart: the shorter stands in a text about something else; ")
    told = story_features("Something else of note", f"{tail} something else of note")
    assert judge_reprint(whole, told, SOON).joined


def test_the_time_between_items_is_said_in_hours_or_minutes() -> None:
    assert said_apart(timedelta(minutes=-59)) == "59 min apart"
    assert said_apart(timedelta(minutes=60)) == "1 h 0 min apart"


def test_reports_with_common_terms_are_one_story_and_say_the_terms_of_the_title() -> None:
    one = story_features("Walnut harvest in Velden", "The walnut harvest of Velden is the best of ten years.")
    other = story_features("Velden reaps walnuts", "Farmers near Velden bring in more walnuts than in a decade.")
    judgement = judge_event(one, other, SOON)
    assert judgement.joined
    assert judgement.reason.endswith(" alike (walnut velden), 3 h 12 min apart")
    assert 0 < similarity(one, other) < similarity(one, one) < 1.001


def test_two_reports_need_to_be_more_alike_the_longer_they_are_apart_and_none_joins_after_the_window() -> None:
    one = story_features("Walnut harvest in Velden", "The walnut harvest of Velden is the best of ten years.")
    now, later = judge_event(one, one, timedelta()), judge_event(one, one, timedelta(hours=48))
    assert now.score - later.score > 0.19
    assert judge_event(one, one, timedelta(hours=49)).reason == "kept apart: 49 h 0 min apart"
    assert judge_event(one, one, timedelta(hours=49), window=timedelta(hours=96)).joined


def test_other_numbers_in_the_same_places_of_titles_tell_daily_reports_apart() -> None:
    one = story_features("Velden index gains 12 points", "A quiet day at the exchange of Velden.")
    other = story_features("Velden index gains 47 points", "A quiet day at the exchange of Velden.")
    assert judge_event(one, other, SOON).reason == "kept apart: 12 here, 47 there in the titles"


def test_what_shares_nothing_is_no_story() -> None:
    one, other = story_features("Walnut orchard", "velvet saddle"), story_features("Thunder", "lantern pepper quarry")
    assert similarity(one, other) == 0
    assert judge_event(one, other, SOON).reason == "kept apart: only 0.00 alike, 3 h 12 min apart"


def test_a_title_of_few_words_alone_makes_no_story() -> None:
    one = story_features("First item of three", "")
    assert judge_event(one, one, SOON).joined
    short = story_features("The first item", "")
    assert judge_event(short, short, SOON).reason == "too short to be told from others"


def test_less_care_joins_more() -> None:
    one = story_features("Velden walnut festival draws crowds", "orchard saddle candle")
    other = story_features("Velden council meets", "velvet pepper lantern walnut quiver meadow needle")
    score = judge_event(one, other, timedelta()).score
    assert 0.25 <= score < 0.30, score
    assert not judge_event(one, other, timedelta()).joined
    assert judge_event(one, other, timedelta(), "normal").joined


def test_an_item_by_itself_has_no_link() -> None:
    placement = place(item(1, "Walnut", TEXT), [])
    assert (placement.reprint, placement.link, placement.merged, placement.misses) == (None, None, (), ())


def test_of_two_that_are_alike_the_earlier_stored_is_linked() -> None:
    first, second = item(1, "Walnut", TEXT), item(2, "Walnut", TEXT)
    placement = place(item(3, "Walnut", TEXT, hours=1), [second, first])
    assert placement.reprint
    assert placement.reprint.number == 1
    assert placement.link == placement.reprint


def test_one_source_reprints_itself_under_an_equal_title_only() -> None:
    old = item(1, "Walnut", TEXT)
    assert place(item(2, "WALNUT", TEXT, source="s1"), [old]).reprint
    assert place(item(2, "Hazel", TEXT, source="s1"), [old]).link is None


def test_near_misses_are_named_the_closest_first() -> None:
    old = item(1, "Velden: the index at closing time", FORM.format(city="Velden", level=6625, hours=7, rise=31))
    new = item(2, "Velden: the index at closing time", FORM.format(city="Velden", level=3705, hours=8, rise=12))
    placement = place(new, [old])
    assert placement.reprint is None
    assert [miss.judgement.reason.partition(";")[0] for miss in placement.misses] == [
        "kept apart: 3705 here, 6625 there, 8 here, 7 there, 12 here, 31 there"
    ]


def test_two_stories_become_one_by_a_report_that_is_much_like_both() -> None:
    one = item(1, "Walnut harvest of Velden", "orchard ladder basket walnut velden")
    other = item(2, "Thunder over Kelsay", "harbour lantern anchor thunder kelsay")
    both = item(
        3, "Walnut harvest of Velden, thunder over Kelsay",
        "orchard ladder basket walnut velden harbour lantern anchor thunder kelsay",
    )  # fmt: skip
    assert place(other, [one]).link is None
    placement = place(both, [one, other])
    assert placement.link
    assert {placement.link.story, *placement.merged} == {1, 2}


def test_a_weak_link_merges_nothing() -> None:
    one = item(1, "Velden walnut festival draws crowds", "orchard saddle candle")
    other = item(2, "Velden walnut festival", "orchard saddle candle", story=9)
    weak = item(3, "Velden council meets", "velvet pepper lantern walnut quiver meadow needle")
    placement = place(weak, [one, other], "normal")
    assert placement.link
    assert placement.merged == ()
