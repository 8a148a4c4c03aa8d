"""Entries are written once a publish, and again only when they changed."""

from dataclasses import replace

import pytest

from feedhub.publish.entry import MAX_BYTES, Entry, EntryCache
from support.output_views import rich_view


class Pen:
    """Writes the title of an entry, and remembers whose."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def __call__(self, entry: Entry) -> bytes:
        self.written.append(entry.title)
        return entry.title.encode()


def test_an_entry_is_written_once_for_each_format_in_a_publish() -> None:
    cache, pen, view = EntryCache(), Pen(), rich_view()
    first = cache.written(view, "atom", pen)
    assert cache.written(replace(view, items=view.items[::-1]), "atom", pen) == first[::-1]
    assert len(pen.written) == len(view.items)
    cache.written(view, "rss", pen)
    assert len(pen.written) == 2 * len(view.items)


def test_what_is_shown_again_by_the_next_publish_is_not_written_again() -> None:
    cache, pen, view = EntryCache(), Pen(), rich_view()
    first = cache.written(view, "atom", pen)
    for _ in range(3):
        pen.written.clear()
        cache.end_publish()
        assert cache.written(view, "atom", pen) == first
        assert pen.written == []


def test_what_one_publish_did_not_show_is_forgotten() -> None:
    cache, pen, view = EntryCache(), Pen(), rich_view()
    cache.written(view, "atom", pen)
    cache.end_publish()
    cache.end_publish()
    pen.written.clear()
    cache.written(view, "atom", pen)
    assert len(pen.written) == len(view.items)


@pytest.mark.parametrize("change", ["item", "categories", "source_title"])
def test_an_item_that_changed_is_written_again_and_the_others_are_not(change: str) -> None:
    cache, pen, view = EntryCache(), Pen(), rich_view()
    cache.written(view, "atom", pen)
    cache.end_publish()
    pen.written.clear()
    stored = view.items[0]
    new = {
        "item": replace(stored, item=replace(stored.item, title="Another headline")),
        "categories": replace(stored, categories=("Other",)),
        "source_title": replace(stored, source_title="Renamed"),
    }[change]
    cache.written(replace(view, items=(new, *view.items[1:])), "atom", pen)
    assert len(pen.written) == 1


def test_much_is_not_kept_until_the_next_publish() -> None:
    cache, pen, view = EntryCache(max_bytes_between=3), Pen(), rich_view()
    cache.written(view, "atom", pen)
    cache.end_publish()
    pen.written.clear()
    cache.written(view, "atom", pen)
    assert len(pen.written) == len(view.items)


def test_what_fits_is_kept_however_many_publishes_there_were() -> None:
    pen, view = Pen(), rich_view()
    cache = EntryCache(max_bytes_between=sum(map(len, EntryCache().written(view, "atom", pen))))
    for _ in range(4):
        cache.written(view, "atom", pen)
        cache.end_publish()
    assert len(pen.written) == 2 * len(view.items)


def test_what_does_not_fit_is_written_anew_for_every_document() -> None:
    cache, view, written = EntryCache(), rich_view(), []

    def write(entry: Entry) -> bytes:
        written.append(entry.id)
        return bytes(MAX_BYTES // 2)

    cache.written(view, "atom", write)
    cache.written(replace(view, items=view.items[:3]), "atom", write)
    assert written == [*(item.id for item in view.items), view.items[2].id]
