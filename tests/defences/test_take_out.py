"""The list of defences names code as it is now; whether a test misses each of them, ``make defences`` says."""

import pytest

from defences.take_out import DEFENCES, ROOT, Defence


@pytest.mark.parametrize("defence", DEFENCES, ids=lambda defence: defence.guarantee)
def test_what_is_taken_out_is_there_once(defence: Defence) -> None:
    for file, old, _ in ((defence.file, defence.old, defence.new), *defence.also):
        text = (ROOT / "src" / "feedhub" / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file} holds {old!r} {text.count(old)} times"
