"""What of a document need not be read again: how it is cut into records, and which of them follow from the store."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from feedhub.model.document import Document
from feedhub.model.identity import KeyPattern, OfferedRecord
from feedhub.model.item import Enclosure, ParsedItem
from feedhub.model.source import Source
from feedhub.rules.identity import keyed_document
from feedhub.rules.pruning import as_offered, cut_document, follows_from_store, may_prune

SOURCE = Source(name="paper", url="https://paper.example/feed")
AT = datetime(2026, 11, 2, 8, tzinfo=UTC)
WHOLE = ParsedItem(
    position=0, title="Story", text_digest="t", guid="g1", link="https://paper.example/1", published_at=AT
)


def record(number: int) -> str:
    return f"<item><title>Story {number}</title></item>"


def feed(*records: str, tail: str = "") -> str:
    return f"<rss><channel><title>Paper</title>{''.join(records)}{tail}</channel></rss>"


@pytest.mark.parametrize(
    "body",
    [
        "<rss><channel><item><title><![CDATA[</item><item>]]></title></item></channel></rss>",
        "<rss><channel><!-- <item></item> --><item></item></channel></rss>",
        "<rss><channel><item a='b'><title/></item></channel></rss>",
        "<rss><channel><item><item></item></item></channel></rss>",
        "<rss><channel></channel></rss>",
        "<rss><channel><item></item><item></channel></rss>",
        "<rss><channel><description>]]> <![CDATA[</description><item></item></channel></rss>",
        "<rss><channel><item></item><!-- </channel></rss>",
        '{"items": []}',
        "",
    ],
)
def test_what_cannot_be_cut_for_sure_is_not_cut(body: str) -> None:
    assert cut_document(Document(url="https://x.example/", body=body.encode(), digest=""), SOURCE) is None


@pytest.mark.parametrize(
    ("said", "is_same"),
    [
        ("<pubDate>now</pubDate>", True),
        ("<![CDATA[ <pubDate>now</pubDate> ]]>", False),
        ("<!-- <pubDate>now</pubDate> -->", False),
        ("<ttl>1</ttl>", False),
    ],
)
def test_a_date_around_the_records_is_no_difference_but_a_text_is(said: str, is_same: bool) -> None:
    cut, other = (
        cut_document(Document(url="https://x.example/", body=feed(record(1), tail=text).encode(), digest=""), SOURCE)
        for text in (said, said.replace("now", "then").replace("1", "2"))
    )
    assert cut is not None
    assert other is not None
    assert (cut.digests == other.digests) == is_same


def test_the_records_that_are_left_stand_in_all_that_was_around_them() -> None:
    body = feed(record(1), "\n  ", record(2), record(3), tail="<ttl>5</ttl>").encode()
    cut = cut_document(Document(url="https://x.example/", body=body, digest=""), SOURCE)
    assert cut is not None
    assert cut.with_records({0, 1, 2}) == body
    assert cut.with_records({1}) == feed("\n  ", record(2), tail="<ttl>5</ttl>").encode()
    assert len(set(cut.digests)) == 3


@pytest.mark.parametrize(
    ("settings", "has_link_rules", "expected"),
    [
        ({}, False, True),
        ({"identity": (KeyPattern(name="code", fields=("link", "title"), pattern="x"),)}, False, True),
        ({"identity": (KeyPattern(name="code", fields=("text",), pattern="x"),)}, False, False),
        ({"kind": "json"}, False, False),
        ({}, True, False),
    ],
    ids=["plain", "keys of what is stored", "keys of the text", "another kind", "rules for links"],
)
def test_a_feed_of_which_the_record_alone_is_asked_for_may_be_read_in_part(
    settings: dict[str, Any], has_link_rules: bool, expected: bool
) -> None:
    assert may_prune(replace(SOURCE, **settings), has_link_rules=has_link_rules) is expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"title": ""}, False),
        ({"link": None}, False),
        ({"guid": None}, False),
        ({"received_link": "https://paper.example/old"}, False),
        ({"published_at": None}, False),
        ({"enclosures": (Enclosure(url="https://paper.example/a.mp3"),)}, True),
        ({"enclosures": (Enclosure(url="https://paper.example/a.mp3?token=1"),)}, False),
    ],
    ids=["all", "no title", "no link", "no guid", "a corrected link", "no date", "a file", "a file with a query"],
)
def test_a_record_follows_from_what_is_stored_of_it_if_that_tells_all(change: dict[str, Any], expected: bool) -> None:
    (keyed,) = keyed_document([replace(WHOLE, **change)], SOURCE).items
    assert follows_from_store(keyed) is expected


def test_what_stands_for_a_record_is_what_its_source_said_without_the_text() -> None:
    (keyed,) = keyed_document([WHOLE], SOURCE).items
    assert as_offered(OfferedRecord(said=keyed.said, link=WHOLE.link or ""), 3) == replace(WHOLE, position=3)
    unknown = replace(keyed.said, evidence=None)
    assert as_offered(OfferedRecord(said=unknown, link=WHOLE.link or ""), 0).published_at is None
