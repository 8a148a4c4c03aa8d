"""Records that are the same as before are not read again; what is stored must be as if they were."""

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedhub.model.document import Document
from feedhub.model.identity import KeyPattern
from feedhub.model.item import ParsedFeed
from feedhub.model.report import Outcome, PollReport
from feedhub.model.source import Source
from feedhub.pipeline.fetch import fetch_source
from feedhub.sources.kinds import FEED
from feedhub.sources.markup import HtmlCleaner
from feedhub.sources.read import read_and_clean
from support.examples import examples
from support.stores import RAM_DISK, store_at
from support.world import Answer, World

CODE = KeyPattern(name="code", fields=("link", "title"), pattern=r"code=(\d+)")
PAPER = Source(name="paper", url="https://paper.example/feed", categories=("news",), settings_digest="1")
WIRE = Source(
    name="wire", url="https://wire.example/feed", categories=("wires",), settings_digest="1", identity=(CODE,)
)


class Reader:
    """Reads with the reader of feeds, and counts the records that it was given."""

    def __init__(self) -> None:
        self.records = 0

    def parse(self, document: Document, source: Source) -> ParsedFeed:
        self.records += document.body.count(b"<item>")
        return read_and_clean(document, source, FEED.reader)


class Polled:
    """Two sources, polled by the real reader. ``is_pruned``: what they said before is not read again."""

    def __init__(self, *, is_pruned: bool) -> None:
        self.folder = mkdtemp(prefix="feedhub-", dir=RAM_DISK)
        self.store = store_at(Path(self.folder) / "feedhub.db")
        self.world = World((PAPER, WIRE), store=self.store)
        self.world.cleaner = HtmlCleaner()  # type: ignore[assignment]
        self.reader = Reader()
        self.offered = self.store.offered_records if is_pruned else lambda _: {}

    def poll(self, source: Source, body: str) -> PollReport:
        world = self.world
        world.fetcher.answers[source.url] = replace(
            world.fetcher.answers.get(source.url, _ANSWER), body=body.encode(), etag=None
        )
        with self.store.transaction() as transaction:
            state = transaction.state(source.name)
        context = replace(world.fetch_context, parser=self.reader, offered_records=self.offered)
        context = replace(context, offered_texts=self.store.offered_texts)
        report = world.keep(fetch_source(source, state, context=context, now=world.now))
        world.pass_time(hours=1)
        return report

    def stored(self) -> dict[str, Any]:
        """Return all that is stored, but for what the next poll alone asks for."""
        connection = sqlite3.connect(f"{self.folder}/feedhub.db")
        tables = {
            "items": "*",
            "identity_keys": "*",
            "distrusted_keys": "*",
            "filings": "*",
            "memberships": "*",
            "categories": "*",
            "ledger": "*",
            "sightings": "item_pk, source_id, guid, url_key, title, text_digest, extras_digest, first_seen_at,"
            "updated_at, left_at, wording, touched, evidence, effect, dropped_by, received",
            "sources": "name, title, link, url, json_remove(state, '$.reading_digest', '$.warnings')",
        }
        found = {
            name: connection.execute(f"SELECT {columns} FROM {name} ORDER BY 1, 2").fetchall()
            for name, columns in tables.items()
        }
        connection.close()
        return found

    def close(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)


_ANSWER = Answer()


def record(number: int, **said: object) -> str:
    """Return a record of RSS; what is said of it is by number, so that records share what has one number."""
    says: dict[str, object] = {"title": number, "link": number, "guid": number, "text": number, "date": number, **said}
    parts = [
        f"<title>Story {says['title']}</title>" if says["title"] is not None else "",
        f"<link>https://paper.example/{says['link']}?utm_source={says.get('mark')}</link>"
        if says["link"] is not None
        else "",
        f"<guid>g{says['guid']}</guid>" if says["guid"] is not None else "",
        f"<pubDate>Mon, 02 Nov 2026 08:{int(str(says['date'])):02}:00 GMT</pubDate>"
        if says["date"] is not None
        else "",
        f"<description><![CDATA[<p>Words of {says['text']}.</p>]]></description>" if says["text"] is not None else "",
        f"<enclosure url='https://paper.example/{says['file']}?{says.get('token')}' type='audio/mpeg'/>"
        if says.get("file")
        else "",
        str(says.get("more", "")),
    ]
    return f"<item>{''.join(parts)}</item>"


def feed(*records: str, head: str = "", tail: str = "", title: str = "Paper", date: int = 0) -> str:
    built = f"<lastBuildDate>Mon, 02 Nov 2026 10:{date:02}:00 GMT</lastBuildDate>"
    start = f'<rss version="2.0"><channel><title>{title}</title><link>https://paper.example/</link>'
    return f"{start}<description>x</description>{built}{head}{''.join(records)}{tail}</channel></rss>"


def test_only_what_is_new_is_read_and_the_rest_counts_as_offered() -> None:
    polled = Polled(is_pruned=True)
    first = [record(number) for number in range(5)]
    assert polled.poll(PAPER, feed(*first)).new == 5
    polled.reader.records = 0
    report = polled.poll(PAPER, feed(record(9), *first[:4]))
    assert (polled.reader.records, report.new, report.seen, report.changed) == (1, 1, 4, 0)
    report = polled.poll(PAPER, feed(record(9), record(0, text=77), *first[1:4]))
    assert (polled.reader.records, report.new, report.seen, report.changed) == (2, 0, 4, 1)
    report = polled.poll(PAPER, feed(record(9), record(0, text=77), *first[1:4], tail="<pubDate>now</pubDate>"))
    assert (polled.reader.records, report.seen, report.outcome) == (2, 5, Outcome.STORED)
    report = polled.poll(PAPER, feed(*first[1:4], record(9)))
    assert (polled.reader.records, report.seen, report.outcome) == (2, 4, Outcome.STORED)
    report = polled.poll(PAPER, feed(*first[1:4], record(9), record(0, text=77)))  # it comes back, and is read
    assert (polled.reader.records, report.seen, report.new) == (3, 5, 0)
    polled.close()


@pytest.mark.parametrize(
    "body",
    [
        feed(record(1), record(2), title="Other paper"),
        feed(record(1), record(2), head="<language>de</language>"),
        feed(record(1), record(2)).replace("<rss ", '<rss xmlns:x="https://x.example/" '),
    ],
    ids=["title", "language", "namespaces"],
)
def test_everything_is_read_again_once_something_around_the_records_is_different(body: str) -> None:
    polled = Polled(is_pruned=True)
    polled.poll(PAPER, feed(record(1), record(2)))
    polled.reader.records = 0
    polled.poll(PAPER, body)
    assert polled.reader.records == 2
    polled.close()


@pytest.mark.parametrize(
    "more",
    [
        "<svg xmlns='http://www.w3.org/2000/svg'><a/></svg>",
        "<dc:title xmlns:dc='http://www.w3.org/2005/Atom'>q</dc:title>",
        "<image><title>t</title></image>",
        "<x xml:base='https://other.example/'/>",
        "<author>\x0b</author>",
        "<description>a < b</description>",
    ],
    ids=["picture", "odd name space", "image", "base", "control character", "broken"],
)
def test_all_records_of_a_document_that_is_not_read_one_by_one_are_read_again(more: str) -> None:
    polled = Polled(is_pruned=True)
    records = [record(1, more=more), record(2), record(3)]
    assert polled.poll(PAPER, feed(*records)).new == 3
    polled.reader.records = 0
    assert polled.poll(PAPER, feed(record(4), *records)).new == 1
    assert polled.reader.records == 4
    polled.close()


def test_all_is_read_after_all_where_a_record_turns_out_to_be_no_known_item() -> None:
    pruned, whole = Polled(is_pruned=True), Polled(is_pruned=False)
    for each in (pruned, whole):
        each.poll(PAPER, feed(record(1), record(2)))
        with sqlite3.connect(f"{each.folder}/feedhub.db") as connection:
            connection.execute("DELETE FROM identity_keys WHERE item_pk = 2")  # as if it had been forgotten meanwhile
        connection.close()
        each.reader.records = 0
        assert each.poll(PAPER, feed(record(2), record(1), record(3))).new == 2
    assert (pruned.reader.records, whole.reader.records) == (1 + 3, 3)
    assert pruned.stored() == whole.stored()
    for each in (pruned, whole):
        each.close()


NUMBERS = st.one_of(st.none(), st.integers(1, 4))
RECORDS = st.builds(
    lambda number, said: record(number, **said),
    st.integers(1, 5),
    st.dictionaries(
        st.sampled_from(["title", "link", "guid", "text", "date", "file", "mark", "token"]), NUMBERS, max_size=2
    ),
)
FEEDS = st.builds(
    lambda records, date, title: feed(*records, date=date, title=title),
    st.lists(RECORDS, min_size=1, max_size=6),
    st.integers(0, 9),
    st.sampled_from(["Paper", "Paper", "Paper", "Other"]),
)
POLLS = st.lists(st.tuples(st.sampled_from([PAPER, PAPER, WIRE]), FEEDS), min_size=2, max_size=5)


@given(polls=POLLS)
@settings(deadline=None, max_examples=examples(60))
def test_pruned_and_unpruned_reading_store_the_same(polls: list[tuple[Source, str]]) -> None:
    pruned, whole = Polled(is_pruned=True), Polled(is_pruned=False)
    try:
        for source, body in polls:
            reports = [each.poll(source, body) for each in (pruned, whole)]
            counts = [(one.new, one.changed, one.duplicate, one.rejected, one.reason) for one in reports]
            assert counts[0] == counts[1]
            assert pruned.stored() == whole.stored()
    finally:
        pruned.close()
        whole.close()
