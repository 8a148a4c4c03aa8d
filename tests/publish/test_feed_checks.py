"""The checkers themselves: each broken feed is complained about, so that their silence means something."""

import json
from typing import Any

import pytest

from feedhub.publish.formats import renderers
from support.feed_checks import check_atom, check_json_feed, check_rss
from support.output_views import rich_view

ATOM, RSS, JSON = (renderer.render(rich_view()).body for renderer in renderers(("atom", "rss", "json")))
ID = b"urn:uuid:00000000-0000-5000-8000-000000000001"
OTHER_ID = b"urn:uuid:00000000-0000-5000-8000-000000000002"


def test_sound_feeds_give_no_complaint() -> None:
    assert check_atom(ATOM) == check_rss(RSS) == check_json_feed(JSON) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        pytest.param(b"<id>" + ID, b"<id>" + OTHER_ID, "more than once", id="same id twice"),
        pytest.param(b"<id>" + ID + b"</id>", b"", "grammar", id="no id"),
        pytest.param(b"<id>" + ID, b"<id>not an address", "no valid address", id="id no address"),
        pytest.param(b"03:59:00+00:00</updated>", b"03:59:00</updated>", "grammar", id="date without zone"),
        pytest.param(b"<updated>2026-11-23T06", b"<updated>2026-13-23T06", "grammar", id="no such date"),
        pytest.param(b"<name>The editors</name>", b"", "grammar", id="author without name"),
        pytest.param(b"<author>\n    <name>The editors</name>\n  </author>", b"", "no author", id="no author anywhere"),
        pytest.param(b'rel="self" type="application/atom+xml"', b'rel="via"', "no link rel=self", id="no self link"),
        pytest.param(b' rel="replies"', b"", "alternate link", id="two alternate links"),
        pytest.param(
            b'href="https://wire.example.com/a/1"', b'href="https://wire.example.com/a 1"', "no valid", id="blank"
        ),
        pytest.param(b'length="1234567"', b'length="many"', "grammar", id="length no number"),
        pytest.param(b"ann@wire.example.com", b"ann", "grammar", id="email no address"),
        pytest.param(b'<title type="text">Same', b'<title type="plain">Same', "grammar", id="unknown text type"),
        pytest.param(b"<published>", b"<pubDate/><published>", "grammar", id="element of another format"),
        pytest.param(b'<content type="html"/>', b"", "neither content", id="neither content nor link"),
        pytest.param(b'term="Markets"', b'term=" "', "grammar", id="empty category"),
        pytest.param(b'xml:lang="he"', b'xml:lang="he brew"', "", id="language"),
        pytest.param(b"&amp;", b"&", "not well-formed", id="bare ampersand"),
        pytest.param(b"Emoji", b"\x01", "not well-formed", id="control character"),
        pytest.param(b"encoding='UTF-8'", b"encoding='GBK'", "", id="other encoding"),
        pytest.param(b"</feed>\n", b"</feed>", "line end", id="no line end"),
    ],
)
def test_broken_atom_gives_a_complaint(old: bytes, new: bytes, complaint: str) -> None:
    broken = ATOM.replace(old, new, 1)
    assert broken != ATOM
    assert any(complaint in line for line in check_atom(broken))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        pytest.param(b'version="2.0"', b'version="0.91"', "not an <rss", id="other version"),
        pytest.param(b"<description>Chips &amp; more</description>", b"", "no description", id="no description"),
        pytest.param(b"<link>https://news", b"<link>news", "channel: link", id="channel link no address"),
        pytest.param(b'rel="self" ', b"", "atom:link", id="no self link"),
        pytest.param(b"<language>zh-CN", b"<language>Chinese!", "language", id="language"),
        pytest.param(b"Mon, 23 Nov 2026 06", b"2026-11-23T06", "RFC 822", id="date of another format"),
        pytest.param(b"Mon, 23 Nov 2026 03", b"Tue, 23 Nov 2026 03", "day of the week", id="wrong weekday"),
        pytest.param(ID, OTHER_ID, "more than once", id="same guid twice"),
        pytest.param(b'<guid isPermaLink="false">', b"<guid>", "permalink", id="guid that is no link"),
        pytest.param(b"ann@wire.example.com (", b"Ann (", "no e-mail", id="author without address"),
        pytest.param(b'length="1234567"', b'length=""', "length", id="enclosure without length"),
        pytest.param(b' type="audio/mpeg"', b"", "enclosure type", id="enclosure without type"),
        pytest.param(
            b"<enclosure", b'<enclosure url="https://a.example/"/><enclosure', "more than once", id="two enclosures"
        ),
        pytest.param(b"<title>No link, no text</title>", b"", "neither title", id="nothing to show"),
        pytest.param(b"<comments>", b"<dc:date>x</dc:date><comments>", "unknown", id="unknown element"),
        pytest.param(b"<category>R&amp;D<", b"<category><", "empty", id="empty category"),
        pytest.param(b"01:02:05", b"about an hour", "duration", id="duration"),
        pytest.param(b'source url="https://wire.example.com/rss.xml"', b'source url=""', "source", id="source"),
        pytest.param(b"</rss>", b"", "not well-formed", id="cut off"),
    ],
)
def test_broken_rss_gives_a_complaint(old: bytes, new: bytes, complaint: str) -> None:
    broken = RSS.replace(old, new, 1)
    assert broken != RSS
    assert any(complaint in line for line in check_rss(broken))


@pytest.mark.parametrize(
    ("place", "value", "complaint"),
    [
        pytest.param(("version",), "https://jsonfeed.org/version/1", "version", id="other version"),
        pytest.param(("title",), None, "NoneType", id="null"),
        pytest.param(("expired",), True, "unknown", id="unknown key"),
        pytest.param(("feed_url",), "news/feed.json", "no valid address", id="relative address"),
        pytest.param(
            ("items", 1, "id"), "urn:uuid:00000000-0000-5000-8000-000000000002", "more than once", id="same id"
        ),
        pytest.param(("items", 1, "id"), 7, "is a int", id="number for an id"),
        pytest.param(("items", 1, "date_published"), "23 Nov 2026", "RFC 3339", id="date"),
        pytest.param(("items", 0, "attachments", 0, "mime_type"), "mp3", "mime_type", id="media type"),
        pytest.param(("items", 0, "authors", 0), {}, "without anything", id="empty author"),
        pytest.param(("items", 0, "tags", 0), "", "tag", id="empty tag"),
        pytest.param(("items", 0, "language"), "English!", "language", id="language"),
    ],
)
def test_broken_json_feed_gives_a_complaint(place: tuple[Any, ...], value: Any, complaint: str) -> None:
    document = json.loads(JSON)
    within = document
    for step in place[:-1]:
        within = within[step]
    within[place[-1]] = value
    assert any(complaint in line for line in check_json_feed(json.dumps(document).encode()))


def test_json_feed_without_what_it_must_have_gives_complaints() -> None:
    document = json.loads(JSON)
    del document["title"]
    del document["items"][0]["id"], document["items"][1]["content_html"]
    complaints = check_json_feed(json.dumps(document).encode())
    assert len(complaints) == 3
    assert check_json_feed(b"[]") == ["the document is no object"]
    assert "not JSON" in check_json_feed("{}".encode("utf-16"))[0]
