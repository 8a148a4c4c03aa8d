"""What is written is read again, by a feed parser of others, and compared with the items field by field."""

import json
from calendar import timegm
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from typing import Any

import feedparser
import pytest

from feedhub.model.item import Item, StoredItem
from feedhub.model.output import OutputView, Part
from feedhub.publish.entry import plain_text
from feedhub.publish.formats import renderers
from support.feed_checks import check_feed
from support.output_views import NOON, SITE, rich_view, stored, view, wordy_view

XML_FORMATS: tuple[str, ...] = ("atom", "rss")
FORMATS: tuple[str, ...] = (*XML_FORMATS, "json")
LINKS = {
    0: "https://wire.example.com/a/0?x=1&y=2#top",
    1: "https://wire.example.com/a/1",
    2: "https://wire.example.com/a/2",
    5: "https://wire.example.com/%D7%A2?q=%D7%90%20%D7%91",
    7: "https://wire.example.com/a/7",
}
TAGS = {0: ["科技", "Markets", "芯片", "R&D"], 2: ["R&D"], 9: ["科技"]}


def body_of(kind: str, given: OutputView) -> bytes:
    (renderer,) = renderers((kind,))
    file = renderer.render(given)
    assert file.path == f"feeds/{given.feed.slug}.{kind}"
    assert check_feed(file.path, file.body) == []
    return file.body


def parsed(kind: str, given: OutputView) -> Any:
    result = feedparser.parse(body_of(kind, given), sanitize_html=False, resolve_relative_uris=False)
    assert not result.bozo
    return result


def document(given: OutputView) -> Any:
    return json.loads(body_of("json", given))


def instant(parsed_time: Any) -> datetime:
    return datetime.fromtimestamp(timegm(parsed_time), UTC)


def shown_title(item: StoredItem, kind: str = "rss") -> str:
    if kind == "atom" and not item.item.title:
        # RFC 4287 §4.1.2 demands a title.
        text = plain_text(item.item.summary or item.item.content or "")
        return text or ("wire.example.com" if item.item.link else "")
    # Number 7 has nothing but its link, and RSS demands something to show.
    return item.item.title or {7: LINKS[7]}.get(int(item.id[-2:]), "")


@pytest.mark.parametrize("kind", XML_FORMATS)
def test_ids_titles_links_and_order_are_those_of_the_items(kind: str) -> None:
    given = rich_view()
    entries = parsed(kind, given).entries
    assert [entry.id for entry in entries] == [item.id for item in given.items]
    assert [entry.get("title", "") for entry in entries] == [shown_title(item, kind) for item in given.items]
    alternates = [[link.href for link in entry.get("links", []) if link.rel == "alternate"] for entry in entries]
    assert alternates == [[LINKS[number]] if number in LINKS else [] for number in range(len(entries))]


@pytest.mark.parametrize("kind", XML_FORMATS)
def test_dates_are_those_of_the_items(kind: str) -> None:
    given = rich_view()
    result = parsed(kind, given)
    assert [instant(entry.published_parsed) for entry in result.entries] == [item.published_at for item in given.items]
    assert instant(result.feed.updated_parsed) == given.updated_at
    if kind == "atom":
        assert [instant(entry.updated_parsed) for entry in result.entries] == [item.updated_at for item in given.items]


@pytest.mark.parametrize("kind", XML_FORMATS)
def test_content_and_summary_come_back_unaltered(kind: str) -> None:
    given = rich_view()
    for item, entry in zip(given.items, parsed(kind, given).entries, strict=True):
        texts = [content.value for content in entry.get("content", [])] + [entry.get("summary", "")]
        for text in filter(None, (item.item.content, item.item.summary)):
            assert text in texts
    full = parsed(kind, given).entries[0]
    assert [content.value for content in full.content] == [given.items[0].item.content]
    assert full.summary == given.items[0].item.summary


@pytest.mark.parametrize("kind", XML_FORMATS)
def test_authors_and_tags_come_back(kind: str) -> None:
    given = rich_view()
    entries = parsed(kind, given).entries
    expected = [[person.name for person in item.item.authors] for item in given.items]
    assert [[author.get("name") for author in entry.get("authors", [])] for entry in entries] == expected
    assert entries[0].authors[0].email == "ann@wire.example.com"
    assert {number: [tag.term for tag in entry.tags] for number, entry in enumerate(entries) if "tags" in entry} == TAGS
    assert [tag.scheme for tag in entries[0].tags] == ["https://news.example.org/category/"] * 2 + [None] * 2


@pytest.mark.parametrize("kind", XML_FORMATS)
def test_source_image_comments_and_language_come_back(kind: str) -> None:
    entry = parsed(kind, rich_view()).entries[0]
    assert entry.source.title == "The Wire & Sons"
    assert entry.media_thumbnail == [{"url": "https://wire.example.com/i/0.jpg?w=800&h=600"}]
    if kind == "atom":
        assert entry.source.id == "https://wire.example.com/rss.xml"
        assert [link.href for link in entry.links if link.rel == "replies"] == ["https://wire.example.com/a/0#comments"]
        assert entry.title_detail.language == "en-US"
    else:
        assert entry.source.href == "https://wire.example.com/rss.xml"
        assert entry.comments == "https://wire.example.com/a/0#comments"
        assert entry.language == "en-US"


def test_atom_holds_every_enclosure_that_has_a_web_address() -> None:
    (first, second, third) = parsed("atom", rich_view()).entries[0].enclosures
    assert (first.href, first.type, first.length) == ("https://wire.example.com/e/0.mp3", "audio/mpeg", "1234567")
    assert (first.title, second.title) == ("Listen & learn", "The report")
    assert second.href == "https://wire.example.com/e/0%20final.pdf"
    assert third.href == "https://wire.example.com/e/0.bin"
    assert "length" not in third


def test_rss_holds_one_enclosure_and_offers_the_others_as_media() -> None:
    entry = parsed("rss", rich_view()).entries[0]
    (enclosure,) = entry.enclosures
    assert (enclosure.href, enclosure.type, enclosure.length) == (
        "https://wire.example.com/e/0.mp3",
        "audio/mpeg",
        "1234567",
    )
    assert entry.itunes_duration == "01:02:05"
    urls = [media["url"] for media in entry.media_content]
    assert urls == ["https://wire.example.com/e/0%20final.pdf", "https://wire.example.com/e/0.bin"]


def test_json_feed_holds_the_same_as_the_items() -> None:
    given = rich_view()
    items = document(given)["items"]
    assert [item["id"] for item in items] == [stored.id for stored in given.items]
    assert [item.get("title", "") for item in items] == [shown_title(stored) for stored in given.items]
    assert {number: item["url"] for number, item in enumerate(items) if "url" in item} == LINKS
    assert {number: item["tags"] for number, item in enumerate(items) if "tags" in item} == TAGS
    for item, shown in zip(items, given.items, strict=True):
        assert datetime.fromisoformat(item["date_published"]) == shown.published_at
        assert datetime.fromisoformat(item.get("date_modified", item["date_published"])) == shown.updated_at
        assert item.get("content_html", "") == (shown.item.content or shown.item.summary or "")


def test_formats_agree_on_ids_titles_and_order() -> None:
    given = rich_view()
    seen = [[(item["id"], item.get("title", "")) for item in document(given)["items"]]]
    seen += [[(entry.id, entry.get("title", "")) for entry in parsed(kind, given).entries] for kind in XML_FORMATS]
    assert seen[0] == seen[2]
    untitled = {item.id for item in given.items if not item.item.title}
    assert [pair for pair in seen[0] if pair[0] not in untitled] == [
        pair for pair in seen[1] if pair[0] not in untitled
    ]
    assert [pair[0] for pair in seen[0]] == [pair[0] for pair in seen[1]]


@pytest.mark.parametrize("kind", XML_FORMATS)
def test_feed_speaks_of_itself(kind: str) -> None:
    feed = parsed(kind, rich_view()).feed
    assert (feed.title, feed.subtitle, feed.generator) == ("科技", "Chips & more", "feedhub")
    assert feed.link == "https://news.example.org/category/tech.html"
    assert [link.href for link in feed.links if link.rel == "self"] == [f"https://news.example.org/feeds/tech.{kind}"]
    assert feed.language == "zh-CN"


@pytest.mark.parametrize("kind", FORMATS)
def test_a_part_of_an_archive_leads_to_the_page_of_its_feed_where_there_are_pages(kind: str) -> None:
    for has_pages, page in ((True, "category/tech.html"), (False, "")):
        given = replace(rich_view(), part=Part(month="2026-10", number=2), has_pages=has_pages)
        (file,) = (renderer.render(given) for renderer in renderers((kind,)))
        feed = {"link": json.loads(file.body)["home_page_url"]} if kind == "json" else feedparser.parse(file.body).feed
        assert feed["link"] == f"https://news.example.org/{page}"
        assert has_pages or b"category/" not in file.body


@pytest.mark.parametrize("kind", FORMATS)
def test_a_slash_at_the_end_of_the_address_of_the_site_changes_nothing(kind: str) -> None:
    given = rich_view()
    assert body_of(kind, replace(given, site=replace(SITE, url=f"{SITE.url}/"))) == body_of(kind, given)


def test_atom_ids_stay_and_differ_between_feeds() -> None:
    ids = {slug: parsed("atom", view(slug=slug)).feed.id for slug in ("tech", "all", "markets")}
    assert ids["tech"] == "urn:uuid:1c2b4915-6e0e-56c6-8ab6-0899dd7d293d"
    assert len(set(ids.values())) == 3


@pytest.mark.parametrize("kind", FORMATS)
def test_view_that_shows_no_text_still_shows_every_item(kind: str) -> None:
    given = replace(rich_view(), content="none")
    body = body_of(kind, given).decode()
    assert all(item.id in body for item in given.items)
    assert "At length" not in body
    assert "In short" not in body


@pytest.mark.parametrize("kind", XML_FORMATS)
def test_summary_view_cuts_one_from_the_content_where_there_is_none(kind: str) -> None:
    given = replace(wordy_view(2), content="summary")
    without = replace(given.items[1], item=replace(given.items[1].item, summary=None))
    entries = parsed(kind, replace(given, items=(given.items[0], without))).entries
    assert entries[0].summary == "<p>摘要</p>"
    assert entries[1].summary.startswith("半导体 chips &amp; 股市 bold 半导体")
    assert entries[1].summary.endswith("…")
    assert 250 < len(entries[1].summary.replace("&amp;", "&")) <= 300
    assert not any("content" in entry for entry in entries)


@pytest.mark.parametrize("kind", XML_FORMATS)
def test_fractions_of_seconds_and_other_zones_do_not_show(kind: str) -> None:
    item = replace(rich_view().items[1], published_at=NOON.replace(microsecond=999_999))
    (entry,) = parsed(kind, view(item)).entries
    assert instant(entry.published_parsed) == NOON
    assert "999" not in entry.published


HEBREW, ARABIC = "<p>שלום עולם</p>", "<p>مرحبا بالعالم</p>"


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    ("language", "text", "declared", "written"),
    [
        ("en", HEBREW, None, f'<div dir="rtl">{HEBREW}</div>'),
        ("en", ARABIC, "en-US", f'<div dir="rtl">{ARABIC}</div>'),
        ("en", f'<div dir="rtl">{ARABIC}</div>', "ar", f'<div dir="rtl">{ARABIC}</div>'),
        ("he", HEBREW, None, HEBREW),
        ("he", "<p>Hello</p>", None, '<div dir="ltr"><p>Hello</p></div>'),
        ("en", "<p>Hello</p>", "he", "<p>Hello</p>"),
        ("en", "<p>12:30</p>", None, "<p>12:30</p>"),
    ],
)
def test_a_text_says_its_direction_where_that_is_not_the_one_of_the_feed(
    kind: str, language: str, text: str, declared: str | None, written: str
) -> None:
    for facts in ({"content": text}, {"summary": text}, {"content": text, "summary": text.replace("<p>", "<p>1 ")}):
        item = stored(0, Item(title="T", link="https://x.example/", language=declared, **facts))  # type: ignore[arg-type]
        given = view(item, site=replace(SITE, language=language))
        body = body_of(kind, given).decode()
        if kind == "json":
            assert json.loads(body)["items"][0]["content_html"] == written
        else:
            assert escape(written, quote=False) in body
