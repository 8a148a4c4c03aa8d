"""SPEC §8, GUARANTEES 40: from bytes to text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedhub.sources.charset import decode

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


GERMAN, QUOTED = "Größe ändert sich für Straße", "It’s what they’ve said"


@pytest.mark.parametrize("http", ["utf-8", None])
@pytest.mark.parametrize(
    ("good", "bad", "expected"),
    [
        (QUOTED, b"Don\x92t panic", "Don’t panic"),
        ("é", b"\x93a\x94 \x96 b\x85", "“a” – b…"),
        (GERMAN, b"Zur\xfcck \x81", "Zurück \ufffd"),
        (GERMAN, b"Stra\xdfe \xe2\x82", "Straße \ufffd"),
        (CHINESE, "价格上涨".encode()[:-1], "价格上\ufffd"),
        (CHINESE, "价格上".encode() + b"\xe6...", "价格上\ufffd..."),
        (CHINESE * 3, CHINESE.encode("gb18030"), CHINESE),
        (RUSSIAN * 2, RUSSIAN.encode("cp1251"), RUSSIAN),
        ("é", b"Smile \xed\xa0\xbd\xed\xb8\x80", "Smile 😀"),
        ("é", b"Smile \xed\xa0\xbd", "Smile \ufffd"),
        ("é", b"a\xc0\x80b", "a\ufffdb"),
    ],
    ids=[
        *("quote", "more bad than good", "german", "cut", "cut in chinese", "first byte", "gbk", "cp1251"),
        *("pair of surrogates", "half of a pair", "long nul"),
    ],
)
def test_only_bad_bytes_of_utf_8_are_read_otherwise(good: str, bad: bytes, expected: str, http: str | None) -> None:
    body = rss(f"{good}</title><title>MARK", "utf-8").encode().replace(b"MARK", bad)

    decoded = decode(body, http_charset=http)

    assert decoded.text == rss(f"{good}</title><title>{expected}", "utf-8")
    assert decoded.encoding == "utf-8"
    assert len(decoded.notes) == 1


@pytest.mark.parametrize(
    ("charset", "text"),
    [("iso-8859-1", GERMAN), ("windows-1251", RUSSIAN), ("gb2312", CHINESE), ("shift_jis", "日本語の記事を読む")],
)
def test_a_document_in_its_charset_and_in_utf_8_is_read_as_both(charset: str, text: str) -> None:
    body = rss(f"{text}</title><title>MARK", charset).encode(charset).replace(b"MARK", f"{text} – {text}".encode())

    assert decode(body).text == rss(f"{text}</title><title>{text} – {text}", charset)


@pytest.mark.parametrize(
    ("charset", "text", "other"),
    [
        ("iso-8859-1", GERMAN, "It’s"),
        ("windows-1252", "L’été à Orléans", "Été"),
        ("windows-1251", RUSSIAN, "Привет"),
        ("gb2312", CHINESE, "今日上涨"),
    ],
)
def test_a_short_part_in_utf_8_is_read_as_such(charset: str, text: str, other: str) -> None:
    codec = {"iso-8859-1": "cp1252"}.get(charset, charset)
    body = rss(f"{text * 3}</title><title>MARK", charset).encode(codec).replace(b"MARK", other.encode())

    decoded = decode(body)

    assert decoded.text == rss(f"{text * 3}</title><title>{other}", charset)
    assert len(decoded.notes) == 1


def test_a_few_letters_that_look_like_utf_8_by_chance_are_read_as_declared() -> None:
    western = rss("CAFÉ…</title><title>« Déjà vu à l’été »", "windows-1252")
    thai = rss("แผน</title><title>เช้าวันนี้ตลาดน้ำเปิดแล้ว", "windows-874")

    assert decode(western.encode("cp1252")).text == western
    assert decode(thai.encode("cp874")).text == thai


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("x-cp1251", "cp1251", RUSSIAN),
        ("win-1251", "cp1251", RUSSIAN),
        ("CP_1251", "cp1251", RUSSIAN),
        ("dos-866", "cp866", RUSSIAN),
        ("latin-9", "iso8859-15", "Œuvre à 5 €"),
        ("x-mac-cyrillic", "mac_cyrillic", RUSSIAN),
        ("iso88595", "iso8859-5", RUSSIAN),
        ("koi", "koi8_r", RUSSIAN),
        ("iso-8859-8-i", "iso8859-8", "שלום עולם"),
        ("logical", "iso8859-8", "שלום עולם"),
        ("windows-874", "cp874", "ข่าววันนี้"),
        ("windows-949", "cp949", "오늘의 뉴스"),
        ("ks_c_5601-1989", "cp949", "오늘의 뉴스"),
        ("windows-31j", "cp932", "朝のニュース"),
        ("x-x-big5", "big5hkscs", "今日新聞"),
        ("gb_2312-80", "gb18030", CHINESE),
        ("x-mac-roman", "mac_roman", GERMAN),
    ],
)
def test_labels_of_browsers_are_known(label: str, codec: str, text: str) -> None:
    assert decode(rss(text, label).encode(codec)).text == rss(text, label)


@pytest.mark.parametrize("label", ["unicode-escape", "unicode_escape", "raw-unicode-escape", "Unicode-Escape", "utf_7"])
def test_a_codec_that_is_no_charset_is_refused(label: str) -> None:
    body = rss("\\u003cscript\\u003e", label)

    assert decode(body.encode(), override=label, http_charset=label).text == body


@pytest.mark.parametrize("declared", ["", "utf-8"])
def test_western_text_that_looks_like_a_character_of_utf_8_stays_western(declared: str) -> None:
    text = rss("« doué\xa0», « surdoué\xa0» : " + "l'été à Besançon, où l'hôtel est fermé " * 8, declared)

    assert decode(text.encode("cp1252")).text == text


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("cp1250", "Dziś w mieście otwarto nową wystawę znanych malarzy, przyszło dużo gości, żółty śnieg"),
        ("iso8859-2", "Dziś w mieście otwarto nową wystawę znanych malarzy, przyszło dużo gości, żółty śnieg"),
        ("cp1250", "Dnes se ve městě otevřela nová výstava známých malířů, přišlo mnoho návštěvníků"),
        ("cp1250", "Ma új kiállítás nyílt a városban, ahol híres festők képei láthatók, őszi ülés délután"),
        ("cp1254", "Bugün şehirde ünlü ressamların yeni sergisi açıldı, çok ziyaretçi geldi, ığdır güneşli"),
        ("cp1257", "Šiandien mieste atidaryta nauja žinomų dailininkų paroda, atvyko daug svečių, žiūrėjo paveikslų"),
        ("cp1252", "L’été dernier à la fête, où les élèves étaient venus très tôt, ça va, Noël, cœur"),
        ("cp1252", "A população não está contente com a situação das eleições e da educação, à noite"),
        ("cp1252", "På øen blev åbnet en ny udstilling, mange gæster kom fra København og Århus"),
        ("cp1252", "Í dag var opnuð ný sýning í bænum þar sem verk þekktra málara eru til sýnis og það er gaman"),
        ("cp1252", "¿Cómo está el niño en España? El año pasado la economía subió más — «sí»"),
        ("cp1252", "Größe, Übung, Élysée, São Paulo, Malmö, Ørsted, Señor: names from everywhere"),
    ],
)
@pytest.mark.parametrize("declared", ["", "utf-8"])
def test_latin_letters_are_of_one_language(codec: str, text: str, declared: str) -> None:
    body = rss(f"{text}. {text}.", declared)

    assert decode(body.encode(codec)).text == body


def test_thai_is_recognised_without_a_declaration() -> None:
    text = rss("เช้าวันนี้ตลาดน้ำเปิดแล้ว ชาวบ้านพายเรือมาขายผลไม้และขนมหวาน")

    assert decode(text.encode("cp874")).text == text


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


def test_a_long_line_in_a_document_of_two_charsets_is_read_at_once() -> None:
    started = time.process_time()
    text = decode(b"\xc3\xa9<b>\x92<b>" + b"a" * 2_000_000, http_charset="utf-8").text

    assert text.startswith("\u00e9<b>\u2019<b>a")
    assert time.process_time() - started < 4
