import re
import time
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedhub.rules.categorize import MAX_SLUG_LENGTH, RESERVED_SLUGS, UniqueSlugs, category_slug, slug_fault


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        pytest.param("界面新闻", "jiemianxinwen", id="Chinese is joined"),
        pytest.param("银行", "yinhang", id="read as a word"),
        pytest.param("重庆", "chongqing", id="read as a place"),
        pytest.param("女性", "nvxing", id="the u with dots"),
        pytest.param("Tech News", "tech-news", id="blank between Latin words"),
        pytest.param("tech_news -- daily", "tech-news-daily", id="several separators"),
        pytest.param("Tech 新闻 Daily", "techxinwendaily", id="no hyphen beside Chinese"),
        pytest.param("Top 10", "top-10", id="digits are kept"),
        pytest.param("3·15晚会", "315wanhui", id="the middle dot goes"),
        pytest.param("Économie & Santé", "economie-sante", id="accents are folded"),
        pytest.param("Straße Łódź Ærø", "strasse-lodz-aero", id="letters that do not decompose"),
        pytest.param("ＡＩ", "ai", id="full width"),
        pytest.param("R&D", "rd", id="other signs vanish"),
        pytest.param("  -x-  ", "x", id="no hyphen at the ends"),
        pytest.param("Новости дня", "novosti-dnya", id="Cyrillic"),
        pytest.param("بی بی سی اردو", "by-by-sy-rdw", id="Urdu"),
        pytest.param("हिन्दी समाचार", "hindi-smacar", id="Hindi"),
        pytest.param("ニュース", "niyusu", id="Japanese"),
        pytest.param("뉴스", "nyuseu", id="Korean"),
        pytest.param("新闻 новости", "xinwen", id="what is Latin or Chinese counts alone"),
        pytest.param("☂ ☀", "", id="pictures"),
        pytest.param("../..", "", id="only signs"),
        pytest.param("", "", id="empty"),
    ],
)
def test_slug_of_a_name(name: str, slug: str) -> None:
    assert category_slug(name) == slug


@pytest.mark.parametrize(("readings", "slug"), [("pinyin", "chongqingyinhang"), ("pinyin-chars", "zhongqingyinxing")])
def test_characters_are_read_in_words_or_one_by_one(readings: Literal["pinyin", "pinyin-chars"], slug: str) -> None:
    assert category_slug("重庆银行", readings=readings) == slug


@given(st.text(max_size=80))
def test_a_slug_is_always_a_safe_file_name(name: str) -> None:
    assert re.fullmatch(rf"(?:[a-z0-9][a-z0-9-]{{0,{MAX_SLUG_LENGTH - 1}}})?", category_slug(name))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("  ", "is empty"),
        ("a/b", "contains a path separator"),
        ("../../etc/x", "contains a path separator"),
        ("a\\b", "contains a path separator"),
        ("a..b", 'contains ".."'),
        (".hidden", "begins with a dot"),
        ("a\x00b", "contains a control character"),
        ("a\u2028b", "contains a control character"),
        ("☂", "has no letter or digit that can be written in ASCII"),
        ("CON", "is a reserved name"),
        ("Lpt9", "is a reserved name"),
        ("com¹", "is a reserved name"),
        ("all", "is a reserved name"),
        ("Health", "is a reserved name"),
    ],
)
def test_names_that_cannot_be_files_are_refused_with_a_reason(name: str, reason: str) -> None:
    assert slug_fault(name) == reason


@pytest.mark.parametrize("name", ["Tech News", "界面新闻", "a.b", "com10", "console"])
def test_ordinary_names_are_safe(name: str) -> None:
    assert slug_fault(name) is None


def test_our_own_outputs_and_device_names_are_reserved() -> None:
    assert {"all", "health", "index", "feeds", "con", "prn", "aux", "nul", "com1", "lpt9"} <= RESERVED_SLUGS


def test_a_taken_slug_gets_the_first_free_number() -> None:
    slugs = UniqueSlugs({"news-3"})
    assert [slugs.take(wish) for wish in ("news", "news", "news-2", "news")] == ["news", "news-2", "news-2-2", "news-4"]


def test_a_suffix_never_makes_a_slug_too_long() -> None:
    slug = "a" * (MAX_SLUG_LENGTH - 2) + "-b"
    assert UniqueSlugs({slug}).take(slug) == "a" * (MAX_SLUG_LENGTH - 2) + "-2"


def test_thousands_that_wish_for_one_slug_get_theirs_in_little_time() -> None:
    slugs = UniqueSlugs()
    began = time.process_time()
    assert [slugs.take("news") for _ in range(10_000)][-1] == "news-10000"
    assert time.process_time() - began < 3
