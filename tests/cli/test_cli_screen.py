"""Tables on terminals of any width and in pipes; words for times; nothing that a terminal would obey."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from feedhub.cli.screen import Row, Screen, count, due_text, own_command, relative_time
from feedhub.cli.views import print_reports
from feedhub.model.report import Outcome, PollReport
from feedhub.rules.health import duration_text
from feedhub.runtime.logs import Masker

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
REASON = "a page instead of a feed; it offers: " + ", ".join(f"https://example.org/feeds/{n}.xml" for n in range(8))


def screen(width: int, *, terminal: bool) -> tuple[Screen, io.StringIO, io.StringIO]:
    made, out, err = Screen(Masker()), io.StringIO(), io.StringIO()
    for name, file in (("out", out), ("err", err)):
        made.__dict__[name] = Console(
            file=file, width=width, force_terminal=terminal, color_system=None, markup=False, highlight=False
        )
    return made, out, err


def printed(width: int, *, terminal: bool) -> str:
    made, out, _ = screen(width, terminal=terminal)
    failed = PollReport(source="界面新闻", outcome=Outcome.FAILED, reason=REASON)
    print_reports(made, (PollReport(source="a", outcome=Outcome.STORED, new=12), failed))
    return out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_long_reason_wraps_below_its_row_on_a_terminal(width: int) -> None:
    lines = printed(width, terminal=True).splitlines()
    assert max(len(line) for line in lines[:-1]) <= width
    told = " ".join(line.strip() for line in lines if line.startswith("    "))
    assert told == REASON


def test_a_row_is_one_line_in_a_pipe() -> None:
    lines = printed(80, terminal=False).splitlines()
    assert len(lines) == 4
    assert lines[2].endswith(REASON)


def test_columns_align_with_wide_characters() -> None:
    title, stored, failed, _ = printed(80, terminal=False).splitlines()
    end = title.index("new") + len("new")
    assert stored[:end].endswith(" 12")
    assert failed[: end - 4].endswith("  0")


def test_a_short_note_stays_on_its_row() -> None:
    made, out, _ = screen(80, terminal=True)
    made.table(("a", "b"), [Row(cells=("x", "y"), note="fine")])
    assert out.getvalue().splitlines() == ["a  b", "x  y  fine"]


def test_a_terminal_command_in_a_title_is_shown_and_not_obeyed() -> None:
    made, out, err = screen(80, terminal=False)
    made.table(("a", "b"), [Row(cells=("\x1b[31mred", "x\ny"), note="\u202eevil")])
    made.print("[bold]no markup[/] \x1b]0;title\x07 :smile:")
    made.print_err("\x9b2J")
    assert out.getvalue().splitlines()[1:] == [
        "\\x1b[31mred  x\\ny  \\u202eevil",
        "[bold]no markup[/] \\x1b]0;title\\x07 :smile:",
    ]
    assert err.getvalue() == "\\x9b2J\n"


def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere() -> None:
    made, out, err = screen(80, terminal=True)
    with made.progress("polling") as steps:
        steps.begin(2)
        steps.step("first")
        steps.step("[red]second[/]")
    shown = err.getvalue()
    assert out.getvalue() == ""
    assert "[red]second[/]" in shown
    assert "2/2" in shown
    assert "[2/2]" not in shown
    plain, out, err = screen(80, terminal=False)
    with plain.progress("polling") as steps:
        steps.begin(2)
        steps.step("first")
        steps.step("second")
    assert (out.getvalue(), err.getvalue()) == ("", "[1/2] first\n[2/2] second\n")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        pytest.param(0.2, "now", id="now"),
        pytest.param(-40, "40 s ago", id="seconds ago"),
        pytest.param(720, "in 12 min", id="minutes"),
        pytest.param(-3 * 3600, "3 h ago", id="hours ago"),
        pytest.param(5 * 86400, "in 5 days", id="days"),
        pytest.param(-30 * 86400, "2026-10-24 20:00", id="long ago, in the zone of the site"),
    ],
)
def test_times_are_words_a_person_reads(seconds: float, words: str) -> None:
    assert relative_time(NOW + timedelta(seconds=seconds), NOW, "Asia/Shanghai") == words


def test_other_words() -> None:
    assert relative_time(None, NOW, "UTC") == "never"
    assert (due_text(None), due_text(-5), due_text(90)) == ("–", "due", "in 2 min")
    assert (duration_text(59), duration_text(86400)) == ("59 s", "24 h")
    assert (count(1, "source"), count(2, "category", "categories")) == ("1 source", "2 categories")


def test_the_next_step_can_be_typed_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert own_command().endswith(" -m feedhub")
