"""How well reprints and stories are recognised: ``python benchmarks/stories.py [FOLDER]``.

FOLDER (``../shared/data/stories``) holds labelled sets as JSON lines, whose texts belong to their publishers. Items
arrive in the order of their times, and each is placed among at most 32 that share a key with it, looked up as
``stories test`` does. Sets without times (ECB+) are one moment; items of an unknown source have one each. Prints
precision and recall of reprints, B-cubed and pair figures of stories, how far other orders of arrival agree, and the
time that the features of an item take. Ends with 1 if a figure is below what is promised; without the folder it says so
and ends.
"""

import json
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

from feedhub.rules.stories.events import StoryItem, kept_keys, place
from feedhub.rules.stories.features import StoryFeatures, is_digest, story_features
from feedhub.rules.stories.reprints import judge_reprint
from feedhub.rules.stories.trial import StoryWindow

Row = dict[str, Any]
Pairs = set[tuple[int, int]]
FOLDER = Path(__file__).parent.parent.parent / "shared" / "data" / "stories"
LABELLED = ("wikinews-en", "basil-en", "ecbplus-en")
ORDERS = 6
MONTHLY = "On the campaign trail"  # wikinews: all that happened in a month of a campaign, under one label
FAILED: list[str] = []


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    if not folder.is_dir():
        print(f"There is no folder {folder}: the labelled sets are not part of the project.")
        return
    reprints(folder)
    series(folder)
    across(folder)
    for name, rows in story_sets(folder):
        stories(folder, name, rows)
    cost(folder)
    sys.exit(f"Below what is promised: {', '.join(FAILED)}" if FAILED else 0)


def reprints(folder: Path) -> None:
    rows = read(folder, "reprints-synthetic")
    gold = by_label(rows)
    plain = [group for group in gold if not any(is_digest(rows[number]["title"]) for number in group)]
    wanted, told = pairs_in(gold), pairs_in(plain)
    found = pairs_in(groups(len(rows), (link for link in linked(rows) if link[2])))
    precision = len(found & wanted) / len(found)
    recall, of_all = len(found & told) / len(told), len(found & wanted) / len(wanted)
    print(f"reprints: P {precision:.3f}, R {recall:.3f} without digests, {of_all:.3f} with them")
    promise("reprints", precision >= 0.985 and recall >= 0.92)


def series(folder: Path) -> None:
    """Count pairs of one series that would be joined: as they are, and if another source had published one of them."""
    pairs = [(pair["a"], pair["b"]) for pair in lines(folder / "series-real-negatives.dev.jsonl")]
    joined = of_others = 0
    for one, other in pairs:
        here, there = featured(one), featured(other)
        is_alike = judge_reprint(here, there, timedelta()).joined
        of_others += is_alike
        may = one["source"] != other["source"] or one["title"] == other["title"]
        joined += may and judge_reprint(here, there, moment(one) - moment(other)).joined
    print(f"series: {joined} of {len(pairs)} pairs joined, {of_others} by their texts alone")
    promise("series", not joined)


def across(folder: Path) -> None:
    inside = outside = 0
    for name in LABELLED:
        rows = [row | {"source": row["id"], "time": 0} for row in read(folder, name)]
        for one, other in pairs_in(groups(len(rows), (link for link in linked(rows) if link[2]))):
            inside += rows[one]["story"] == rows[other]["story"]
            outside += rows[one]["story"] != rows[other]["story"]
    print(f"reprints of {', '.join(LABELLED)}: {inside} pairs inside stories, {outside} across two")
    promise("reprints across stories", not outside)


def story_sets(folder: Path) -> Iterator[tuple[str, list[Row]]]:
    wikinews, basil = read(folder, "wikinews-en"), read(folder, "basil-en")
    yield "English news", wikinews + basil
    yield "English news without months", [row for row in wikinews + basil if MONTHLY not in row["story"]]
    yield "ECB+", [row | {"time": 0} for row in read(folder, "ecbplus-en")]
    yield "headlines", read(folder, "uci-headlines-en")
    yield "Chinese finance stream", read(folder, "finstream-zh")
    yield "Chinese headlines", read(folder, "readhub-titles-zh")


PROMISED = {
    "English news without months": (0.96, 0.82),
    "ECB+": (0.0, 0.83),
    "headlines": (0.94, 0.66),
    "Chinese finance stream": (0.85, 0.40),
}


def stories(folder: Path, name: str, rows: list[Row]) -> None:
    is_stream = name == "Chinese finance stream"
    ignored = {frozenset(pair) for pair in json.loads((folder / "finstream-zh.ignore-pairs.json").read_text())}
    wanted = judged(pairs_in(by_label(rows)), rows, ignored)
    found = groups(len(rows), linked(rows))
    pairs = judged(pairs_in(found), rows, ignored)
    precision, recall = len(pairs & wanted) / len(pairs), len(pairs & wanted) / len(wanted)
    b_precision, b_recall = b_cubed(found, [row["story"] for row in rows])
    agreed = min(
        f_measure(pairs, judged(pairs_in(groups(len(rows), linked(rows, Random(seed)))), rows, ignored))
        for seed in range(ORDERS)
    )
    print(
        f"stories, {name} ({len(rows)} items): B3 P {b_precision:.3f} R {b_recall:.3f} "
        f"F {harmonic(b_precision, b_recall):.3f}, pairs P {precision:.3f} R {recall:.3f}, "
        f"{ORDERS} other orders agree {agreed:.2f} at least"
    )
    promise(f"orders of {name}", agreed >= 0.90)
    if name in PROMISED:
        least, other = PROMISED[name]
        figures = (precision, recall) if is_stream else (b_precision, harmonic(b_precision, b_recall))
        promise(name, figures[0] >= least and figures[1] >= other)


def cost(folder: Path) -> None:
    """Print how long the features of an item take, in CPU time, for texts of both scripts."""
    for name in ("wikinews-en", "finstream-zh", "reprints-synthetic"):
        rows = read(folder, name)
        texts = [(row["title"], f"<p>{row['text']}</p>") for row in rows]
        began = time.process_time()
        for title, text in texts:
            story_features(title, text)
        spent = (time.process_time() - began) / len(rows) * 1_000
        print(f"features, {name}: {spent:.2f} ms an item of {sum(len(text) for _, text in texts) // len(rows)} letters")


def linked(rows: Sequence[Row], shuffled: Random | None = None) -> Iterator[tuple[int, int, bool]]:
    """Place items one after the other. Yield the links of each: to which earlier one, and whether it is a reprint.

    Stories that became one by an item are linked to it too.
    """
    order = sorted(range(len(rows)), key=lambda number: (moment(rows[number]), number))
    if shuffled:
        shuffled.shuffle(order)
    window = StoryWindow(len(rows))
    for number in order:
        row = rows[number]
        if is_digest(row["title"]):
            continue
        source = row["id"] if row["source"] in ("", "unknown") else row["source"]
        item = StoryItem(number=number, source=source, published_at=moment(row), features=featured(row), story=number)
        placement = place(item, window.candidates(item.features, item.published_at))
        if placement.reprint:
            yield number, placement.reprint.number, True
        if placement.link and not placement.link.is_reprint:
            yield number, placement.link.number, False
        for story in placement.merged:
            yield number, story, False
        window.add(item, kept_keys(item.features, placement))


def groups(count: int, links: Iterable[tuple[int, int, bool]]) -> list[list[int]]:
    parents = list(range(count))

    def root(number: int) -> int:
        while parents[number] != number:
            number = parents[number]
        return number

    for one, other, _ in links:
        parents[root(one)] = root(other)
    found: defaultdict[int, list[int]] = defaultdict(list)
    for number in range(count):
        found[root(number)].append(number)
    return list(found.values())


def by_label(rows: Sequence[Row]) -> list[list[int]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        found[row["story"]].append(number)
    return list(found.values())


def pairs_in(found: Iterable[Collection[int]]) -> Pairs:
    return {pair for group in found for pair in combinations(sorted(group), 2)}


def judged(pairs: Pairs, rows: Sequence[Row], ignored: Collection[frozenset[str]]) -> Pairs:
    return {pair for pair in pairs if frozenset(rows[number]["id"] for number in pair) not in ignored}


def b_cubed(found: Iterable[Sequence[int]], labels: Sequence[str]) -> tuple[float, float]:
    sizes = Counter(labels)
    precision = recall = 0.0
    for group in found:
        for label, count in Counter(labels[number] for number in group).items():
            precision += count * count / len(group)
            recall += count * count / sizes[label]
    return precision / len(labels), recall / len(labels)


def harmonic(one: float, other: float) -> float:
    return 2 * one * other / (one + other) if one + other else 0.0


def f_measure(found: Pairs, others: Pairs) -> float:
    return 2 * len(found & others) / (len(found) + len(others)) if found or others else 1.0


def promise(what: str, holds: bool) -> None:
    if not holds:
        FAILED.append(what)


def featured(row: Row) -> StoryFeatures:
    return cached(row["title"], row["text"])


cached = cache(story_features)


def moment(row: Row) -> datetime:
    said = row["time"]
    if isinstance(said, str):
        at = datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", said)) if said else datetime.fromtimestamp(0, UTC)
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    return datetime.fromtimestamp(said, UTC)


def read(folder: Path, name: str) -> list[Row]:
    return list(lines(folder / f"{name}.dev.jsonl"))


def lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


if __name__ == "__main__":
    main()
