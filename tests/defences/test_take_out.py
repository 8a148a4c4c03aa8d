"""The list of defences names code as it is now; whether a test misses each of them, ``make defences`` says."""

from defences.take_out import DEFENCES, ROOT


def test_what_is_taken_out_is_there_once() -> None:
    wrong = []
    for defence in DEFENCES:
        for file, old, _ in ((defence.file, defence.old, defence.new), *defence.also):
            times = (ROOT / "src" / "feedhub" / file).read_text(encoding="utf-8").count(old)
            if times != 1:
                wrong.append(f"{defence.guarantee}: {file} holds {old!r} {times} times")
    assert not wrong, "\n".join(wrong)
