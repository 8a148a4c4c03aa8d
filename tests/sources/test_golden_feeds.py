"""The captured feeds give the same items as they always did, field by field, parsed and cleaned."""

import json
from pathlib import Path

import pytest

from support.golden_feeds import GOLDEN, captured_feeds, digests_of, name_of

EXPECTED = json.loads(GOLDEN.read_text(encoding="utf-8"))
FILES = captured_feeds()


@pytest.mark.skipif(not FILES, reason="no captured feeds beside the project")
@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_captured_feed_gives_the_items_it_always_gave(path: Path) -> None:
    assert digests_of(path) == EXPECTED[name_of(path)]


@pytest.mark.skipif(not FILES, reason="no captured feeds beside the project")
def test_the_golden_list_is_of_the_captured_feeds() -> None:
    assert set(EXPECTED) == {name_of(path) for path in FILES}
    assert sum(feed.get("count", 0) for feed in EXPECTED.values()) > 600
