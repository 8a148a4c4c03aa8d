"""What becomes of a removed category (SPEC §6)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from feedhub.model.item import Item, StoredItem
from feedhub.model.output import Category, OutputSettings, RemovedCategory, Site
from feedhub.rules.select import (
    REMOVED_FOR,
    Removal,
    read_removals,
    removal_at,
    removed_feed,
    with_last_entry,
    written_removals,
)

NOW = datetime(2026, 11, 1, 8, tzinfo=UTC)
SITE = Site(title="News & more", url="https://news.example")
TECH = RemovedCategory(slug="tech", title="Tech", removed_at=NOW)
ENTRY = StoredItem(
    id="urn:uuid:1", item=Item(title="One"), source="a", source_title="A", published_at=NOW, updated_at=NOW
)


def test_a_removal_ends_the_feeds_for_thirty_days() -> None:
    assert removal_at(TECH, NOW) is Removal.ENDED
    assert removal_at(TECH, NOW + REMOVED_FOR - timedelta(seconds=1)) is Removal.ENDED
    assert removal_at(TECH, NOW + REMOVED_FOR) is Removal.GONE


def test_a_folder_remembers_how_far_removals_have_come() -> None:
    states = {"tech": Removal.ENDED, "arts": Removal.GONE}
    assert read_removals(written_removals(states)) == states


@pytest.mark.parametrize("note", [None, b"", b"{", b"[1]", b'{"tech": "lost"}', b"\xff", b"[" * 100_000])
def test_a_missing_or_damaged_note_says_nothing(note: bytes | None) -> None:
    assert read_removals(note) == {}


def test_the_feed_of_a_removed_category_stays_as_it_was() -> None:
    settings = OutputSettings(dir="/output", entries=50)
    assert removed_feed(TECH, settings).entries == 50
    assert removed_feed(replace(TECH, entries=7), settings).entries == 7
    assert removed_feed(TECH, settings).title == "Tech"


@pytest.mark.parametrize(("language", "title"), [("en", "“Tech” has ended"), ("zh-Hans", "“Tech”已停止更新")])
def test_the_last_entry_says_so_above_all_others_with_one_id_and_date(language: str, title: str) -> None:
    last, *rest = with_last_entry(TECH, replace(SITE, language=language), [ENTRY])
    assert rest == [ENTRY]
    assert last.item.title == title
    assert last.published_at == last.updated_at == NOW
    assert "News &amp; more" in (last.item.content or "")
    assert last.id == with_last_entry(TECH, SITE, ())[0].id
    assert last.id != with_last_entry(replace(TECH, slug="arts"), SITE, ())[0].id


@pytest.mark.parametrize(("language", "title"), [("en", "“Tech” has moved"), ("zh", "“Tech”已迁移")])
def test_the_last_entry_of_a_renamed_category_says_where_it_is_now(language: str, title: str) -> None:
    now = Category(slug="it", title="IT & <more>", formerly=("tech",))
    addresses = ("https://news.example/category/it.html", "https://news.example/feeds/it.atom?a&b")
    last, *rest = with_last_entry(TECH, replace(SITE, language=language), [ENTRY], now, addresses)
    assert rest == [ENTRY]
    assert (last.item.title, last.item.link) == (title, addresses[0])
    assert "IT &amp; &lt;more&gt;" in (last.item.content or "")
    assert '<a href="https://news.example/feeds/it.atom?a&amp;b">' in (last.item.content or "")
    assert last.published_at == NOW
    assert last.id != with_last_entry(TECH, SITE, ())[0].id
    assert last.id != with_last_entry(TECH, SITE, (), replace(now, slug="computers"), addresses)[0].id
