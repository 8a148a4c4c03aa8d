"""SPEC §9, GUARANTEES 8, 10, 12 and 18: feeds are hostile input."""

import gzip
import json
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.item import ParsedFeed, ParsedItem
from feedhub.model.source import Source
from feedhub.sources.feed.raw_feed import person_in
from feedhub.sources.markup import http_url
from feedhub.sources.records import read_records, seconds_of
from support.examples import examples
from support.reading import read_document

URL = "https://feeds.example/f"


def read(body: bytes | str, **settings_of_source: object) -> ParsedFeed:
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    source = Source(name="s", url=URL, **settings_of_source)  # type: ignore[arg-type]
    return read_document(Document(url=URL, body=raw, digest=""), source)


def rss(*items: str) -> str:
    records = "".join(f"<item>{item}</item>" for item in items)
    return f'<rss version="2.0"><channel><title>T</title>{records}</channel></rss>'


@pytest.mark.parametrize("foreign", ["", "<unheard>of</unheard>"], ids=["plain", "read by feedparser"])
def test_an_author_of_48000_characters_is_read_at_once(foreign: str) -> None:
    started = time.process_time()
    feed = read(rss(f"<title>x</title>{foreign}<author>{'a' * 48_000}</author>"))

    assert time.process_time() - started < 2
    assert len(feed.items[0].authors[0].name) <= 300


def test_a_local_file_named_by_an_entity_is_not_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("canary", encoding="utf-8")
    doctype = f'<!DOCTYPE rss [<!ENTITY c SYSTEM "{secret.as_uri()}"><!ENTITY % p SYSTEM "{secret.as_uri()}">%p;]>\n'
    feed = read(doctype + rss("<title>a &c; b</title>"))

    assert "canary" not in repr(feed)
    assert feed.items[0].title == "a &c; b"


@pytest.mark.parametrize("before", ["", '<?xml version="1.0"?>', "<!-- > -->\n", '<?xml version="1.0"?>\n\n'])
def test_declared_entities_are_not_expanded(before: str) -> None:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'{before}<!DOCTYPE rss [<!ENTITY l0 "ha">{levels}]>' + rss("<title>&l9;</title>")
    started = time.process_time()

    assert read(bomb).items[0].title == "&l9;"
    assert time.process_time() - started < 2


def test_a_doctype_that_cannot_be_understood_expands_nothing_either() -> None:
    bomb = '<!DOCTYPE rss [<!ENTITY a "]>"><!ENTITY b "hahaha">]>' + rss("<title>x &b; y</title>")

    try:
        assert "hahaha" not in read(bomb).items[0].title
    except ParseError as exc:
        assert str(exc)  # noqa: PT017 - either is right: nothing was expanded


def test_a_gzip_bomb_is_refused_at_the_bound() -> None:
    bomb = gzip.compress(b"<rss>" + b" " * 5_000_000)

    with pytest.raises(ParseError, match="holds more than 1000000 bytes"):
        read(bomb, max_size=1_000_000)


def test_a_gzip_bomb_is_not_inflated_beyond_the_bound() -> None:
    bomb = gzip.compress(b"<rss>" + b" " * 60_000_000, compresslevel=1)
    tracemalloc.start()
    try:
        with pytest.raises(ParseError, match="holds more than 1000000 bytes"):
            read(bomb, max_size=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_damaged_gzip_is_told() -> None:
    with pytest.raises(ParseError, match="gzip file that is damaged"):
        read(b"\x1f\x8b\x08\x00garbage that is no deflate stream")


def test_records_beyond_the_bound_of_10000_are_rejected_by_name() -> None:
    feed = read(rss(*(f"<guid>{number}</guid>" for number in range(10_003))))

    assert len(feed.items) == 10_000
    assert {record.reason for record in feed.rejected} == {"over the limit of 10000"}
    assert [record.guid for record in feed.rejected] == ["10000", "10001", "10002"]


def test_a_document_of_100000_records_is_not_read_to_its_end() -> None:
    started = time.process_time()
    feed = read(rss(*(f"<guid>{number}</guid>" for number in range(100_000))))

    assert len(feed.items) == 10_000
    assert len(feed.rejected) == 2_000
    assert feed.notes == ("the rest was not read: it has more than 12000 records",)
    assert time.process_time() - started < 40


@pytest.mark.parametrize("broken", ["", "<", "</b>"], ids=["well-formed", "an open tag", "a stray end"])
def test_a_million_nested_elements_end_the_reading_and_keep_what_came_before(broken: str) -> None:
    started = time.process_time()
    feed = read(f"{rss('<title>ok</title>')[:-16]}{broken}<item><title>x</title>{'<a>' * 1_000_000}")

    assert [item.title for item in feed.items] == ["ok"]
    assert time.process_time() - started < 20


@pytest.mark.parametrize("reference", ["&#xFFFFFFFF;", "&#99999999999999;", "&#x110000;", "&#-1;", "&#xD800;"])
@pytest.mark.parametrize("broken", ["", "<b>"])
def test_a_reference_to_no_character_costs_nothing(reference: str, broken: str) -> None:
    feed = read(rss(f"{broken}<title>a {reference} b</title>", "<title>ok</title>"))

    assert [item.title[:1] + item.title[-1:] for item in feed.items] == ["ab", "ok"]


def test_a_text_beyond_a_million_characters_is_cut_with_a_note() -> None:
    feed = read(rss(f"<title>long</title><description>{'x' * 1_000_005}</description>", "<title>short</title>"))

    assert feed.items[0].summary is not None
    assert len(feed.items[0].summary.value) == 1_000_000
    assert feed.notes == ("1 texts were longer than 1000000 characters and were cut",)


def test_tags_people_and_enclosures_are_bounded() -> None:
    tags = "".join(
        f"<category>{'t' * 300}{number}</category><category>tag {number}</category>" for number in range(200)
    )
    files = "".join(f'<enclosure url="https://f.example/{number}"/>' for number in range(200))
    item = read(rss(f"<title>x</title>{tags}{files}")).items[0]

    assert len(item.tags) == 100
    assert max(map(len, item.tags)) == 200
    assert len(item.enclosures) == 100


def test_json_nested_too_deeply_is_told() -> None:
    with pytest.raises(ParseError, match="broken JSON: nested too deeply"):
        read('{"items":' + "[" * 200_000)


def test_json_with_an_endless_number_loses_only_that() -> None:
    with pytest.raises(ParseError, match="not a JSON Feed"):
        read('{"items": [' + "9" * 10_000 + "]}")
    assert read('{"items": [{"id": 1, "title": "One", "views": ' + "9" * 10_000 + "}]}").items[0].title == "One"


@pytest.mark.parametrize("value", ["a", 1, 1.5, True, None, [], {}, [[]], [{}], {"a": []}], ids=repr)
def test_any_field_of_a_json_feed_may_be_of_any_type(value: object) -> None:
    fields = (
        "id url external_url title content_html content_text summary image banner_image date_published date_modified "
        "author authors tags language attachments"
    ).split()
    record = {**dict.fromkeys(fields, value), "title": "kept"}
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        **dict.fromkeys(("title", "home_page_url", "authors", "author", "language"), value),
        "items": [record],
    }

    assert [item.title for item in read(json.dumps(document)).items] == ["kept"]


@given(st.text(alphabet="<>&;/!?[]- \n\"'=rssitemchanltx#0\ud800\x00", max_size=200))
@settings(max_examples=examples(50))
def test_any_text_gives_a_feed_or_a_parse_error(text: str) -> None:
    for body in (text, rss(text), f"<feed><entry>{text}</entry></feed>", '{"items": [' + text):
        try:
            assert isinstance(read(body), ParsedFeed)
        except ParseError as exc:
            assert str(exc)  # noqa: PT017 - a value is as good as an error with a reason


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://a.example/x", "https://a.example/x"),
        ("HTTP://A.example", "HTTP://A.example"),
        (" \n/x y\t", "https://feeds.example/x%20y"),
        ("?q=1", "https://feeds.example/f?q=1"),
        ("https://a.example/新闻", "https://a.example/新闻"),
        ("https://a.example/a\u2028b\u3000c", "https://a.example/a%E2%80%A8b%E3%80%80c"),
        ("java\nscript:alert(1)", None),
        ("\x01javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("file:///etc/passwd", None),
        ("ftp://a.example/", None),
        ("https://", None),
        ("https://[bad", None),
        ("https://a.example:port/", None),
        ("https://a.example/" + "x" * 9_000, None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_only_absolute_http_addresses_leave_a_document(value: object, expected: str | None) -> None:
    assert http_url(value, URL) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ann@x.photography (Ann Lee)", {"name": "Ann Lee", "email": "ann@x.photography"}),
        ("Ann Lee <ann@x.example>", {"name": "Ann Lee", "email": "ann@x.example"}),
        ("ann@x.example", {"email": "ann@x.example"}),
        ("Ann (the captain)", {"name": "Ann (the captain)"}),
        ("  ", {}),
    ],
)
def test_people_are_read_in_the_forms_of_rss(text: str, expected: dict[str, str]) -> None:
    assert person_in(text) == expected


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1:02:03", 3723),
        ("62:03", 3723),
        ("3723", 3723),
        (" 3723.4 ", 3723),
        (3723, 3723),
        (61.5, 61),
        ("1h 2m 3s", 3723),
        ("PT1H2M3S", 3723),
        ("62 minutes 3 seconds", 3723),
        ("45 min", 2700),
        ("0", None),
        ("-5", None),
        ("", None),
        ("soon", None),
        ("99999:00:00", None),
        ("9" * 40, None),
        (float("nan"), None),
        (True, 1),
        (None, None),
        ([], None),
    ],
    ids=repr,
)
def test_durations_in_all_their_forms(value: object, seconds: int | None) -> None:
    assert seconds_of(value) == (None if value is True else seconds)


def test_a_date_in_greek_is_read_by_the_reader_that_knows_it() -> None:
    feed = read(rss("<title>g</title><pubDate>Κυρ, 11 Ιούλ 2004 12:00:00 EST</pubDate>"))

    assert str(feed.items[0].published_at) == "2004-07-11 17:00:00+00:00"


def test_a_record_that_breaks_its_reader_costs_itself() -> None:
    def read_one(position: int, record: str) -> ParsedItem:
        if record == "evil":
            raise KeyError("surprise")
        return ParsedItem(position=position, title=record, text_digest="")

    reading = read_records(["one", "evil", "two"], read_one, lambda record: (record, None, None), None)

    assert [item.title for item in reading.items] == ["one", "two"]
    assert [(record.title, record.reason) for record in reading.rejected] == [
        ("evil", "cannot be read: KeyError: 'surprise'")
    ]


def test_of_a_document_nested_too_deeply_the_rest_is_not_read_and_that_is_said() -> None:
    feed = read(rss("<title>first</title>", f"<title>second</title>{'<x>' * 5_000}{'</x>' * 5_000}"))

    assert feed.items[0].title == "first"
    assert "the rest was not read: it is nested more than 1000 levels deep" in feed.notes
