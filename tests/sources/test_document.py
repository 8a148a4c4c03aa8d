"""SPEC §8, GUARANTEES 40: from bytes to text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedhub.sources.document import decode

CHINESE = "界面新闻：上证指数今日上涨，市场交易活跃"
RUSSIAN = "Новости дня и другие события страны. Президент подписал указ"


def rss(text: str, charset: str = "") -> str:
    declaration = f' encoding="{charset}"' if charset else ""
    return f'<?xml version="1.0"{declaration}?><rss><title>{text}</title></rss>'


@pytest.mark.parametrize("http", [None, "ISO-8859-1", "utf-8", "windows-1252", "no-such-charset", ""])
@pytest.mark.parametrize(
    ("text", "declared", "codec"),
    [
        (CHINESE, "gb2312", "gb18030"),
        (CHINESE, "GBK", "gb18030"),
        (CHINESE, "utf-8", "utf-8"),
        (CHINESE, "ISO-8859-1", "utf-8"),
        ("臺灣新聞與市場", "big5", "big5"),
        ("日本のニュース", "Shift_JIS", "cp932"),
        ("日本のニュース", "euc-jp", "euc_jp"),
        ("오늘의 뉴스", "euc-kr", "cp949"),
        (RUSSIAN, "windows-1251", "cp1251"),
        (RUSSIAN, "koi8-r", "koi8-r"),
        ("Łódź i Gdańsk", "iso-8859-2", "iso8859-2"),
    ],
)
def test_a_declaration_that_holds_wins_over_a_wrong_http_header(
    text: str, declared: str, codec: str, http: str | None
) -> None:
    decoded = decode(rss(text, declared).encode(codec), http_charset=http)

    assert decoded.text == rss(text, declared)


@pytest.mark.parametrize(
    ("text", "codec"),
    [(CHINESE, "gb18030"), (RUSSIAN, "cp1251"), (RUSSIAN, "koi8-r"), ("Ελληνικά νέα και ειδήσεις", "cp1253")],
)
@pytest.mark.parametrize("http", [None, "ISO-8859-1"])
def test_without_a_declaration_that_can_be_believed_the_charset_is_detected(
    text: str, codec: str, http: str | None
) -> None:
    assert decode(rss(text).encode(codec), http_charset=http).text == rss(text)


@pytest.mark.parametrize("text", ["Café", "Anaïs et Jürgen, naïveté", "Größe"])
@pytest.mark.parametrize("declared", ["", "utf-8", "iso-8859-1"])
def test_single_accents_are_western(text: str, declared: str) -> None:
    assert decode(rss(text, declared).encode("cp1252")).text == rss(text, declared)


def test_http_charset_is_used_when_nothing_else_is_declared() -> None:
    assert decode(rss(RUSSIAN).encode("koi8-r"), http_charset="koi8-r").encoding == "koi8-r"


def test_the_encoding_of_the_source_overrides_every_declaration() -> None:
    body = rss(CHINESE, "utf-8").encode("gb18030")

    assert decode(body, override="gb2312", http_charset="utf-8").text == rss(CHINESE, "utf-8")


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_or_wide_first_character_settles_it(codec: str) -> None:
    decoded = decode(rss(CHINESE).encode(codec), override="gbk", http_charset="iso-8859-1")

    assert decoded.text == rss(CHINESE)


def test_a_declared_utf_16_that_is_not_is_ignored() -> None:
    assert decode(rss(CHINESE, "utf-16").encode()).text == rss(CHINESE, "utf-16")


def test_iso_2022_jp_is_read_although_it_is_ascii() -> None:
    assert decode(rss("日本", "iso-2022-jp").encode("iso-2022-jp")).text == rss("日本", "iso-2022-jp")


def test_utf_7_is_never_used() -> None:
    assert decode(b"+ADw-script+AD4-", http_charset="utf-7").text == "+ADw-script+AD4-"


def test_a_page_declares_in_meta() -> None:
    page = f'<html><head><meta http-equiv="Content-Type" content="text/html; charset=gb2312"></head>{CHINESE}'

    assert decode(page.encode("gb18030")).text == page


@pytest.mark.parametrize(
    ("codec", "declared"),
    [("utf-8", "utf-8"), ("utf-8", ""), ("gb18030", "gb2312")],
    ids=["utf-8", "undeclared", "gbk"],
)
def test_one_broken_character_does_not_garble_the_rest(codec: str, declared: str) -> None:
    whole = rss(CHINESE + "！", declared).encode(codec)
    last = "！".encode(codec)
    decoded = decode(whole.replace(last, last[:-1]), http_charset="iso-8859-1")

    assert CHINESE in decoded.text
    assert decoded.notes == (f"1 byte sequences are not valid {codec}",)


def test_a_few_gbk_characters_that_look_like_utf_8_are_read_as_declared() -> None:
    text = rss("联通", "gbk")

    assert decode(text.encode("gb18030")).text == text


def test_unknown_charsets_are_noted() -> None:
    decoded = decode(rss("é", "x-invented").encode(), override="also-invented", http_charset="third")

    assert decoded.text == rss("é", "x-invented")
    assert decoded.notes == tuple(f"unknown charset '{name}'" for name in ("also-invented", "third", "x-invented"))


def test_bytes_that_fit_nothing_still_give_text() -> None:
    decoded = decode(b"<rss>" + bytes(range(0x80, 0x100)) * 3 + b"\x81\x8d</rss>")

    assert decoded.text.startswith("<rss>")
    assert "not valid" in decoded.notes[0]


@given(st.binary(max_size=300), st.sampled_from([None, "gb2312", "utf-8", "latin-1", "\x00", "hex", "rot13"]))
def test_any_bytes_give_text_that_xml_allows(body: bytes, charset: str | None) -> None:
    text = decode(body, override=charset, http_charset=charset).text

    assert not set(text) & set("\x00\x01\x08\x0b\x0c\x1f\ufffe\uffff")
    assert text.encode() is not None
