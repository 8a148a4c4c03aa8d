import re
import unicodedata
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedhub.model.item import Enclosure, Item
from feedhub.publish.entry import email_address, entry_of, language_tag, media_type, safe_line, safe_text, safe_url
from support.output_views import stored

ANY = st.text(st.characters())
URI = re.compile(r"https?://(?:[A-Za-z0-9._~:/?#@!$&'()*+,;=-]|\[[0-9a-f:.]+\]|%[0-9A-Fa-f]{2})+")


@given(ANY)
def test_safe_text_keeps_everything_that_a_person_can_write(text: str) -> None:
    kept = [letter for letter in text if letter == "\n" or unicodedata.category(letter) not in ("Cc", "Cs", "Cn")]
    remains = iter(safe_text(text))
    assert all(letter in remains for letter in kept)


@given(ANY)
def test_safe_line_is_one_line_and_safe_text_is_stable(text: str) -> None:
    assert safe_line(text) == " ".join(safe_line(text).split())
    assert safe_text(safe_text(text)) == safe_text(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a\x00b\x0bc\x1f", "abc", id="controls"),
        pytest.param("a\r\nb\rc", "a\nb\nc", id="line ends"),
        pytest.param("x\ud800y\ufffe", "xy", id="surrogates and noncharacters"),
        pytest.param("  a\t]]> & <b>  ", "  a\t]]> & <b>  ", id="markup is left for the writer to escape"),
        pytest.param(None, "", id="nothing"),
    ],
)
def test_safe_text(text: str | None, expected: str) -> None:
    assert safe_text(text) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example/x", "https://a.example/x"),
        ("HTTPS://A.Example/X", "https://a.example/X"),
        ("  https://a.example/x\n", "https://a.example/x"),
        ("https://a.example/two\nlines", "https://a.example/twolines"),
        ("https://a.example/a b\"<>'c", "https://a.example/a%20b%22%3C%3E'c"),
        ("https://a.example/中?q=文#尾", "https://a.example/%E4%B8%AD?q=%E6%96%87#%E5%B0%BE"),
        ("https://a.example/%e4%b8%ad%zz%", "https://a.example/%e4%b8%ad%25zz%25"),
        ("https://a.example/[x]?y[]=1", "https://a.example/%5Bx%5D?y%5B%5D=1"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://user:secret@a.example:8443/x", "https://a.example:8443/x"),
        ("http://[2001:DB8::1]:80/", "http://[2001:db8::1]:80/"),
        ("https://a.example?q", "https://a.example?q"),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("file:///etc/passwd", None),
        ("ftp://a.example/x", None),
        ("//a.example/x", None),
        ("/relative", None),
        ("https://", None),
        ("https://a b.example/", None),
        ("https://a.example:port/", None),
        ("https://a.example:99999/", None),
        ("http://[::1", None),
        ("http://[::1]]>", None),
        ("http://[::1]x/", None),
        ("https://a.example:/x", "https://a.example/x"),
        ("https://a.example:080/x", "https://a.example:80/x"),
        ("https://<script>.example/", None),
        ("https://" + "ä" * 80 + ".example/", None),
        ("https://a.example/" + "x" * 5000, None),
        ("", None),
        (None, None),
    ],
)
def test_safe_url(url: str | None, expected: str | None) -> None:
    assert safe_url(url) == expected


@given(ANY.map("https://a.example".__add__) | ANY.map("https://a.example/".__add__) | ANY.map("http://".__add__) | ANY)
def test_any_safe_url_is_a_valid_web_address_and_stable(url: str) -> None:
    result = safe_url(url)
    if result is not None:
        assert URI.fullmatch(result)
        assert urlsplit(result).hostname
        assert safe_url(result) == result


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("zh-CN", "zh-CN"),
        ("zh_cn", "zh-CN"),
        ("ZH-hans-cn", "zh-Hans-CN"),
        ("zh-yue-HK", "zh-yue-HK"),
        ("en", "en"),
        ("es-419", "es-419"),
        ("de-CH-1996", "de-CH-1996"),
        ("english", None),
        ("zh-CN; q=1", None),
        ("x", None),
        ("<b>", None),
        ("", None),
        (None, None),
    ],
)
def test_language_tag(tag: str | None, expected: str | None) -> None:
    assert language_tag(tag) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ann@wire.example", "ann@wire.example"),
        (" ann.o'x+y@a.b-c.example ", "ann.o'x+y@a.b-c.example"),
        ("ann@localhost", None),
        ("ann (at) wire.example", None),
        ("ann@@wire.example", None),
        ("安@wire.example", None),
        ("ann@wire.example (Ann)", None),
        (None, None),
    ],
)
def test_email_address(text: str | None, expected: str | None) -> None:
    assert email_address(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("audio/mpeg", "audio/mpeg"),
        ("Audio/MPEG; codecs=mp3", "audio/mpeg"),
        ("application/vnd.a+xml", "application/vnd.a+xml"),
        ("audio", None),
        ("audio/", None),
        ("a/b/c", None),
        ('a/"b"', None),
        (None, None),
    ],
)
def test_media_type(text: str | None, expected: str | None) -> None:
    assert media_type(text) == expected


def test_an_attachment_that_is_named_twice_is_one() -> None:
    given = (Enclosure(url="https://a.example/1.mp3", title="first"), Enclosure(url="https://a.example/1.mp3 "))
    entry = entry_of(stored(0, Item(title="T", enclosures=given)), "full", "en")
    assert [(one.url, one.title) for one in entry.enclosures] == [("https://a.example/1.mp3", "first")]


def test_a_text_of_nothing_but_blanks_is_none() -> None:
    entry = entry_of(stored(0, Item(title="T", summary=" \n", content="<p>text</p>")), "full", "en")
    assert (entry.summary, entry.content) == (None, "<p>text</p>")
