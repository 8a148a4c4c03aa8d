"""Several polls are stored in one transaction, and one that breaks costs itself."""

from datetime import timedelta

from feedhub.errors import PollError
from feedhub.model.item import Item, ParsedItem
from feedhub.model.report import Outcome
from feedhub.model.source import Source, SourceState
from feedhub.pipeline.fetch import Fetched, fetch_source
from feedhub.pipeline.ingest import IngestContext
from feedhub.runtime.poller import Ingester
from support.library import record
from support.world import PlainCleaner, World

A, B, C = (Source(name=name, url=f"https://{name}.example/feed", categories=("cn",)) for name in "abc")


class Fragile(PlainCleaner):
    """Breaks on what one source gives."""

    def clean(self, parsed: ParsedItem, source: Source) -> Item:
        if source.name == "b":
            raise ZeroDivisionError("of the cleaner")
        return super().clean(parsed, source)


def ingested_together(world: World, *batch: Fetched) -> tuple[Ingester, list[Outcome]]:
    context = IngestContext(
        settings=world.settings, store=world.store, cleaner=world.cleaner, scheduled=lambda source, now: None
    )
    ingester = Ingester(context, now=lambda: world.now)
    return ingester, [report.outcome for report in ingester.ingest_all(batch)]


def fetched(world: World, source: Source) -> Fetched:
    return fetch_source(source, SourceState(name=source.name), context=world.fetch_context, now=world.now)


def test_one_that_breaks_while_it_is_stored_costs_itself() -> None:
    world = World((A, B, C), cleaner=Fragile())
    for source in (A, B, C):
        world.answer(source.name, record("Story", guid="1", link=f"{source.url}/1"))
    _, outcomes = ingested_together(world, *(fetched(world, source) for source in (A, B, C)))
    assert outcomes == [Outcome.STORED, Outcome.FAILED, Outcome.STORED]
    assert {item.source for item in world.store.newest("all", 9)} == {"a", "c"}
    assert [world.state(name).failures for name in "abc"] == [0, 1, 0]
    assert "ZeroDivisionError: of the cleaner" in (world.state("b").last_error or "")


def test_a_host_that_wants_to_be_left_alone_is_held_for_those_stored_with_it() -> None:
    world = World((A, B))
    later = world.now + timedelta(hours=1)
    refused = Fetched(source=A, error=PollError("too many requests", retry_at=later))
    ingester, outcomes = ingested_together(world, refused, Fetched(source=B, error=PollError("gone astray")))
    assert outcomes == [Outcome.FAILED, Outcome.FAILED]
    assert ingester.held_until(B) is None
    assert world.state("a").next_poll_at is not None
    assert world.state("b").failures == 1
