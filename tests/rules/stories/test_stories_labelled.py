"""A small labelled stream of our own in both languages: what is joined, and what is kept apart."""

from datetime import UTC, datetime, timedelta

import pytest

from feedhub.rules.stories.events import StoryItem, place
from feedhub.rules.stories.features import is_digest, story_features

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
FERRY = (
    "The ferry Northern Star ran aground off the island of Kelsay early on Monday with 214 passengers aboard. All of "
    "them were taken off by lifeboats within three hours, the coastguard said. The ship had left Dunmore harbour at "
    "23:40 and struck a sandbank in thick fog. Two members of the crew were treated for cold in the hospital of "
    "Portwick. The company Kelsay Lines said that it would pay for hotels and for the way home."
)
BRIDGE = (
    "临江市交通局3月2日宣布，横跨白鹭湖的新大桥将于4月18日通车。大桥全长6625米，双向六车道，总投资41亿元，"
    "建成后从老城到机场的车程由50分钟缩短为18分钟。交通局局长在发布会上说，通车首月免收通行费，"
    "公交27路和31路将改道经过大桥。工程于2022年开工，期间因洪水停工两次。"
)
RATE = (
    "The central bank of Ardania set its key rate at {rate} per cent on {day}, its governor said after the meeting of "
    "the council. Prices rose {prices} per cent over the year, and unemployment stood at {jobless} per cent. The next "
    "meeting of the council takes place in {weeks} weeks, when new forecasts of growth and of prices are presented."
)
RESCUE = (
    "Wrapped in blankets, passengers of the Northern Star spoke of calm aboard as lifeboats came out of the fog off "
    "Kelsay. The ferry lies on a sandbank; Kelsay Lines hopes to float it at high tide."
)
MUSEUM = (
    "A museum of four hundred clocks opened in the old customs house of Velden. Its founder, a retired watchmaker, "
    "winds each of them himself on Sundays."
)
TRADITIONAL = str.maketrans(
    "临交横鹭桥将长总资亿为场车钟缩说费绕过经于开间洪机对",
    "臨交橫鷺橋將長總資億為場車鐘縮說費繞過經於開間洪機對",
)
# Story, source, hours after the start, title, text, and the number of the item that it reprints.
STREAM = (
    ("ferry", "agency", 0, "Ferry Northern Star runs aground off Kelsay, all rescued", FERRY, None),
    ("bridge", "临江日报", 1, "白鹭湖大桥4月18日通车", BRIDGE, None),
    ("rate march", "agency", 1, "Ardania sets key rate at 4.25 per cent",
     RATE.format(rate="4.25", day="Monday", prices="2.8", jobless="6.1", weeks="six"), None),
    ("ferry", "post", 2, "Passengers saved from stranded ship in fog", f"KELSAY, March 2 (Reuters) - {FERRY}", 0),
    ("ferry", "gazette", 3, "Ferry Northern Star runs aground off Kelsay", FERRY[:240], 0),
    ("bridge", "早间新闻网", 3, "从老城到机场只要18分钟", f"临江3月2日电（记者 王小明）{BRIDGE}", 1),
    ("bridge", "港聞", 4, "白鷺湖大橋將於4月18日通車", BRIDGE.translate(TRADITIONAL), 1),
    ("ferry", "herald", 5, "Kelsay ferry aground: how 214 passengers of Northern Star were rescued",
     RESCUE, None),
    ("bridge", "财经周末", 6, "临江白鹭湖大桥通车在即 首月免费",
     "白鹭湖大桥即将通车，临江老城居民去机场更方便。记者从临江市交通局了解到，大桥通车首月免收通行费。", None),
    ("rate other", "bulletin", 7, "Borland sets key rate at 1.50 per cent",
     RATE.format(rate="1.50", day="Tuesday", prices="0.9", jobless="3.7", weeks="eight").replace("Ardania", "Borland"),
     None),
    ("museum", "herald", 8, "Museum of clocks opens in Velden", MUSEUM, None),
    ("weather", "港聞", 9, "周末多云转晴", "气象台预计本周末多云转晴，气温回升，早晚温差较大，请注意添衣。", None),
)  # fmt: skip


def placed() -> list[tuple[int | None, int]]:
    """Place the items of the stream one after the other. Return what each reprints, and the first of its story."""
    items: list[StoryItem] = []
    found: list[tuple[int | None, int]] = []
    for number, (_, source, hours, title, text, _reprint) in enumerate(STREAM):
        item = StoryItem(
            number=number,
            source=source,
            published_at=START + timedelta(hours=hours),
            features=story_features(title, text),
            story=number,
        )
        placement = place(item, items)
        story = placement.link.story if placement.link else number
        assert not placement.merged
        found.append((placement.reprint and placement.reprint.number, story))
        items.append(
            StoryItem(number=number, source=source, published_at=item.published_at, features=item.features, story=story)
        )
    return found


PLACED = placed()


@pytest.mark.parametrize("number", range(len(STREAM)), ids=[f"{row[1]}: {row[3]}" for row in STREAM])
def test_an_item_joins_its_story_and_no_other(number: int) -> None:
    names = [row[0] for row in STREAM]
    assert PLACED[number][1] == names.index(names[number])


@pytest.mark.parametrize("number", range(len(STREAM)), ids=[f"{row[1]}: {row[3]}" for row in STREAM])
def test_a_reprint_is_told_from_another_report(number: int) -> None:
    reprint, wanted = PLACED[number][0], STREAM[number][5]
    assert (reprint is None) == (wanted is None)
    if reprint is not None:
        assert STREAM[reprint][0] == STREAM[number][0]


@pytest.mark.parametrize(
    "title", ["财经早餐：今日看点", "周末要聞", "Daily Digest", "ＬＩＶＥ updates: the vote", "The Roundup"]
)
def test_the_title_of_a_digest_is_recognised_in_any_case_width_and_script(title: str) -> None:
    assert is_digest(title)


@pytest.mark.parametrize("title", ["白鹭湖大桥通车", "Ferry aground off Kelsay", "", "Lives of others"])
def test_other_titles_are_no_digests(title: str) -> None:
    assert not is_digest(title)


def test_parts_of_titles_can_be_others() -> None:
    assert is_digest("Kelsay weekly letter", ["Weekly Letter"])
    assert not is_digest("Daily Digest", ["weekly letter"])
