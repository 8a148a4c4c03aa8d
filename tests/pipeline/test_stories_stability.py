"""Stories do not depend on how items come: in other orders or parts, to several who publish, cut in between."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from feedhub.ports.store import Store
from feedhub.store.sql import open_store
from support.builders import NOW, categories
from support.daemons import until
from support.stores import STORES
from support.stories import AGROUND, FERRY, MUSEUM, RESCUE, SAVED, TOLD, Place


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with STORES[request.param]() as made:
        made.sync_categories(categories("tech"), NOW)
        yield made


def stream() -> list[tuple[str, str, int]]:
    """Return titles, texts and hours of 24 items: reprints, reports of two events, and what stands alone."""
    bank = (
        "The central bank of Ardania set its key rate at 4.25 per cent on Monday, its governor said after the meeting."
    )
    items = [
        (AGROUND, FERRY, 0),
        (SAVED, FERRY, 2),
        (TOLD, RESCUE, 5),
        ("Ardania sets key rate at 4.25 per cent", bank, 1),
    ]
    items += [("Key rate in Ardania: 4.25 per cent, says its governor", f"{bank} Prices rose 2.8 per cent.", 3)]
    items += [
        (f"Notice {number} of the parish of Velden", f"{MUSEUM} {number} of them strike. " * 2, number)
        for number in range(3)
    ]
    items += [(f"{AGROUND}: part {number}", f"{FERRY[:180]} {RESCUE[:60]}", number) for number in range(4)]
    words = "copper barley lantern granite orchard velvet harbour saddle meadow compass thimble walnut".split()
    items += [
        (
            f"{one.title()} and {other} at the fair",
            f"Of {one} and {other} there was plenty at the fair, said its keeper. " * 4,
            6,
        )
        for one, other in pairwise(words)
    ]
    return items


def pairs_told(store: Store, count: int) -> set[frozenset[int]]:
    """Return which items are in one story."""
    place = Place(store)
    return {
        frozenset((number, other))
        for number in range(1, count + 1)
        for other, _ in place.members(number)
        if other != number
    }


def test_other_orders_of_arrival_tell_nearly_the_same() -> None:
    items = stream()
    found: list[set[frozenset[int]]] = []
    for seed in range(7):
        with STORES["sqlite"]() as other:
            other.sync_categories(categories("tech"), NOW)
            place = Place(other)
            numbers = list(range(1, len(items) + 1))
            if seed:
                Random(seed).shuffle(numbers)
            for number in numbers:
                title, text, hours = items[number - 1]
                place.put(number, title, text, hours=hours)
            place.decide()
            found.append(pairs_told(other, len(items)))
    first, *others = found
    assert len(first) >= 8
    for pairs in others:
        assert 2 * len(pairs & first) / (len(pairs) + len(first)) >= 0.9


def test_it_makes_no_difference_how_many_are_placed_at_once() -> None:
    items = stream()
    told = []
    for is_stepwise in (False, True):
        with STORES["sqlite"]() as other:
            other.sync_categories(categories("tech"), NOW)
            place = Place(other)
            for number, (title, text, hours) in enumerate(items, start=1):
                place.put(number, title, text, hours=hours)
                if is_stepwise:
                    place.decide()
            place.decide()
            told.append((place.listed(), place.listed("tech"), pairs_told(other, len(items)), place.named()))
    assert told[0] == told[1]


def test_two_who_publish_from_one_store_tell_the_same(store: Store) -> None:
    place, other = Place(store), Place(store)
    items = stream()
    with ThreadPoolExecutor() as threads:
        deciding = [threads.submit(lambda one=one: [one.decide() for _ in range(20)]) for one in (place, other)]
        for number, (title, text, hours) in enumerate(items, start=1):
            place.put(number, title, text, hours=hours)
        for one in deciding:
            one.result()
    other.decide()
    place.decide()
    assert place.listed() == other.listed() == place.listed("tech")
    assert 2 not in place.listed()
    assert not store.has_undecided()


_DECIDES = """
from feedhub.model.story import StorySettings
from feedhub.pipeline.stories import StoryTeller
from feedhub.store.sql import open_store
store = open_store({url!r})
print("begun", flush=True)
StoryTeller(StorySettings(), most_at_once=1).decide(store)
"""


@pytest.mark.nightly
def test_who_is_killed_while_stories_are_found_leaves_what_a_quiet_run_ends(tmp_path: Path) -> None:
    items = stream() * 5
    told = []
    for is_killed in (False, True):
        url = f"sqlite:///{tmp_path}/{is_killed}.db"
        with closing(open_store(url)) as opened:
            opened.sync_categories(categories("tech"), NOW)
            place = Place(opened)
            for number, (title, text, hours) in enumerate(items, start=1):
                place.put(number, title, text, hours=hours)
            if is_killed:
                script = _DECIDES.format(url=url)
                process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
                assert process.stdout
                process.stdout.readline()
                until(opened.item_count)
                process.send_signal(signal.SIGKILL)
                process.wait()
                process.stdout.close()
                assert opened.item_count() < 120
            place.decide()
            told.append((place.listed(), place.listed("tech"), pairs_told(opened, len(items))))
    assert told[0] == told[1]
