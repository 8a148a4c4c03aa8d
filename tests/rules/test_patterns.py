import time

import pytest

from feedhub.rules.patterns import Room, as_read, compile_pattern, compile_reading, replaced_as_read, unbroken


def test_a_pattern_is_found_anywhere_in_the_text() -> None:
    assert compile_pattern("芯片|半导体").search("国产芯片出货").group() == "芯片"
    assert compile_pattern("^芯片").search("国产芯片") is None


def test_case_counts_unless_the_pattern_says_otherwise() -> None:
    assert compile_pattern("news").search("NEWS") is None
    assert compile_pattern("(?i)news").search("NEWS") is not None


def test_the_value_is_the_first_group_or_else_the_whole_match() -> None:
    assert compile_pattern(r"infoCode=(\d{3})").value("x?infoCode=123&b") == "123"
    assert compile_pattern(r"\d{3}").value("a 456 b") == "456"
    assert compile_pattern(r"\d{3}").value("none") is None
    assert compile_pattern("(a)?b").value("b") is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("(?!x)y", id="negative lookahead"),
        pytest.param("(?<=x)y", id="lookbehind"),
        pytest.param(r"(a)\1", id="backreference"),
        pytest.param(r"(?P<a>x)(?P=a)", id="named backreference"),
    ],
)
def test_what_re2_does_not_have_is_explained_with_the_way_round(text: str) -> None:
    with pytest.raises(ValueError, match=r"lookaround and backreferences do not exist.*`not:`"):
        compile_pattern(text)


def test_a_slip_in_a_pattern_is_told_without_a_lecture() -> None:
    with pytest.raises(ValueError, match=r"not a usable pattern: missing \): \(a$"):
        compile_pattern("(a")


def test_half_a_character_is_no_pattern() -> None:
    with pytest.raises(ValueError, match="lone surrogate"):
        compile_pattern("\ud800")


def test_a_bad_pattern_writes_nothing_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="missing"):
        compile_pattern("(never seen before")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("pattern", "replacement", "text", "expected"),
    [
        pytest.param("【[^】]*】", "", "【快讯】正文", "正文", id="taken out"),
        pytest.param("a", "中文é", "bab", "b中文éb", id="characters outside ASCII stay whole"),
        pytest.param(r"(\w+)-(\w+)", r"\2_\1", "a-b", "b_a", id="numbered groups"),
        pytest.param(r"(?P<x>\w+)!", r"\g<x>?\g<1>", "hey!", "hey?hey", id="named groups"),
        pytest.param("x", r"\0\0", "x", "xx", id="the whole match"),
        pytest.param("(a)?b", r"[\1]", "b", "[]", id="a group that took no part is empty"),
        pytest.param("x", r"\n\t\\1\.", "x", "\n\t\\1.", id="escapes"),
    ],
)
def test_replacing(pattern: str, replacement: str, text: str, expected: str) -> None:
    assert compile_pattern(pattern).sub(replacement, text) == expected


@pytest.mark.parametrize("replacement", [r"\2", r"\g<2>", r"\g<nobody>"])
def test_a_replacement_cannot_name_a_group_that_is_not_there(replacement: str) -> None:
    with pytest.raises(ValueError, match="stands for a group that the pattern does not have"):
        compile_pattern("(?P<some>a)").check_replacement(replacement)


def test_a_replacement_may_name_the_groups_there_are() -> None:
    compile_pattern("(?P<some>a)").check_replacement(r"\0\1\g<some>\g<1>\\9")


def test_a_pattern_that_hangs_other_engines_ends_at_once() -> None:
    started = time.process_time()
    assert compile_pattern("(a+)+$").search("a" * 50_000 + "!") is None
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("Schadsoftware", "Schad\u00adsoftware"),
        ("Météo", "Me\u0301te\u0301o"),
        ("Me\u0301te\u0301o", "Météo"),
        ("breaking news", "breaking\u00a0news"),
        ("AI 7", "ＡＩ\u3000７"),
        ("ＡＩ", "AI"),
        ("[Ａ-Ｃ]{2}", "BC"),
        ("한", "\u1112\u1161\u11ab"),
        ("（", "（"),
        ("thin space", "thin\u2009spa\u200bce"),
    ],
    ids=ascii,
)
def test_a_pattern_of_a_rule_finds_what_people_read(pattern: str, text: str) -> None:
    assert compile_reading(pattern).search(as_read(text))


def test_punctuation_of_full_width_is_not_folded() -> None:
    assert not compile_reading(r"\(").search(as_read("（"))
    assert not compile_reading("a{２}").search(as_read("aa"))


@pytest.mark.parametrize(
    ("pattern", "replacement", "text", "expected"),
    [
        ("AI", "X", "ＢＣ ＡＩ（Ｄ）", "ＢＣ X（Ｄ）"),
        ("Météo", "Wetter", "Re\u0301gion: Me\u0301te\u0301o", "Re\u0301gion: Wetter"),
        ("(AI) chip", r"\1-chip", "ＡＩ\u00a0chip ｏｋ", "ＡＩ-chip ｏｋ"),
        ("x", "y", "a\u00adx\u00adb", "a\u00ady\u00adb"),
        ("^", ">", "Ａ", ">Ａ"),
    ],
    ids=ascii,
)
def test_replacing_changes_the_text_at_the_place_matched_alone(
    pattern: str, replacement: str, text: str, expected: str
) -> None:
    assert replaced_as_read(pattern, replacement, text, Room(100)) == expected


def test_a_no_break_space_in_markup_is_a_space() -> None:
    markup = "<p>some&nbsp;news&nbsp;é</p>"
    assert replaced_as_read("some news", "x", markup, Room(100), is_markup=True) == "<p>x&nbsp;é</p>"
    assert replaced_as_read("&nbsp;é", "", markup, Room(100), is_markup=True) == "<p>some&nbsp;news</p>"


def test_line_breaks_and_references_in_markup_are_what_people_read() -> None:
    markup = "<p>breaking\n  news,\tR&amp;D &lt;b&gt;</p>"

    assert unbroken(markup) == "<p>breaking news, R&amp;D &lt;b&gt;</p>"
    assert replaced_as_read("breaking news", "x", markup, Room(100), is_markup=True) == "<p>x,\tR&amp;D &lt;b&gt;</p>"
    assert replaced_as_read("R&D", "x", markup, Room(100), is_markup=True) == "<p>breaking\n  news,\tx &lt;b&gt;</p>"
    assert (
        replaced_as_read("R&amp;D", "x", markup, Room(100), is_markup=True) == "<p>breaking\n  news,\tx &lt;b&gt;</p>"
    )


def test_a_group_that_took_no_part_stands_for_nothing_also_in_a_text_that_is_read_folded() -> None:
    assert replaced_as_read(r"(né\u0301?e)|(x)".replace("\\u0301?", ""), r"[\2]", "ne\u0301e", Room(100)) == "[]"
