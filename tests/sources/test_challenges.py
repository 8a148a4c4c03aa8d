"""A challenge that comes with status 200 is named, whatever was to be read from it."""

import pytest

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.source import DetailMap, FieldMap, RecordMap, Source
from feedhub.sources.mapped.full_text import read_detail
from support.reading import read_document

WALL = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body><a href=/x>Why?</a></body></html>"
CAPTCHA = "<html><body><p>Please solve this</p><div class=g-recaptcha></div></body></html>"
FIELDS = (("title", FieldMap(paths=("a",))), ("link", FieldMap(paths=("a@href",))))
JSON_FIELDS = (("title", FieldMap(paths=("title",))),)


def document(text: str) -> Document:
    return Document(url="https://a.example/", body=text.encode(), digest="", content_type="text/html")


def source(kind: str, items: str | None = None, detail: DetailMap | None = None) -> Source:
    fields = FIELDS if kind == "html" else JSON_FIELDS
    records = RecordMap(items=items, fields=fields) if kind != "feed" else None
    return Source(name="a", url="https://a.example/", kind=kind, records=records, detail=detail)


@pytest.mark.parametrize(
    ("kind", "items", "text", "words"),
    [
        ("feed", None, WALL, "challenge page instead of a feed"),
        ("feed", None, CAPTCHA, "challenge page instead of a feed"),
        ("json", "items", WALL, "challenge page instead of JSON"),
        ("html", "ul li", CAPTCHA, "challenge page instead of the page that was asked for"),
        # Its own selector would find something there.
        ("html", "body", WALL, "challenge page instead of the page that was asked for"),
    ],
)
def test_a_challenge_is_named_for_every_kind(kind: str, items: str | None, text: str, words: str) -> None:
    with pytest.raises(ParseError) as caught:
        read_document(document(text), source(kind, items))
    assert str(caught.value) == words


def test_a_page_with_a_captcha_in_it_is_read_all_the_same() -> None:
    page = CAPTCHA.replace("<p>Please solve this</p>", "<a href=/1>One</a>")
    feed = read_document(document(page), source("html", "body"))
    assert [item.title for item in feed.items] == ["One"]


def test_a_page_that_offers_feeds_is_no_challenge() -> None:
    page = CAPTCHA.replace("<body>", '<head><link rel=alternate type="application/rss+xml" href="/f"></head><body>')
    with pytest.raises(ParseError, match=r"a web page instead of a feed; it offers: https://a.example/f"):
        read_document(document(page), source("feed"))


@pytest.mark.parametrize("detail", [DetailMap(extract="article"), DetailMap(css="body")], ids=["article", "selector"])
def test_a_challenge_never_becomes_the_text_of_an_item(detail: DetailMap) -> None:
    with pytest.raises(ParseError, match=r"^detail: challenge page instead of the page that was asked for$"):
        read_detail(document(WALL), source("feed", detail=detail))


def test_a_selector_that_finds_nothing_behind_a_captcha_says_so() -> None:
    with pytest.raises(ParseError, match=r"^detail: challenge page"):
        read_detail(document(CAPTCHA), source("feed", detail=DetailMap(css="article")))
