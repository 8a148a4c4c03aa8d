"""One poll: what is asked, what is stored, what is remembered."""

from dataclasses import replace
from datetime import timedelta

import pytest

from feedhub.errors import FetchError, HttpStatusError, ParseError
from feedhub.model.document import Freshness
from feedhub.model.identity import KeyPattern
from feedhub.model.item import Item, ParsedFeed, Rejected
from feedhub.model.output import Retention
from feedhub.model.report import Outcome
from feedhub.model.source import Condition, PageMap, Replacement, Rule, Source
from feedhub.pipeline.maintenance import prune
from support.following import due_outputs
from support.library import INFO_CODE, record
from support.world import START, World

A = Source(name="a", url="https://a.example/rss", categories=("economy",), settings_digest="1")
B = Source(name="b", url="https://b.example/rss", categories=("economy",), settings_digest="1")
C = Source(name="c", url="https://c.example/rss", categories=("tech",), settings_digest="1")
NO_ADS = Rule(name="no ads", when=Condition(kind="title", values=("AD",)), drop=True)
CODE = "202112272227369128"
STORY = "https://news.example/story?id=7"


def test_a_story_of_three_sources_is_one_item_and_each_category_speaks_in_its_own_words() -> None:
    world = World((A, B, C))
    world.answer("a", record("Rates fall", link=STORY))
    world.answer("b", record("Bank cuts rates", link=STORY + "&utm_source=rss"))
    world.answer("c", record("Cheap money for chips", link=STORY.replace("https", "http") + "#comments"))
    reports = [world.poll(name) for name in "abc"]
    assert [(report.new, report.duplicate) for report in reports] == [(1, 0), (0, 1), (0, 1)]
    assert world.titles("all") == ["Rates fall"]
    assert world.titles("economy") == ["Rates fall"]
    assert world.titles("tech") == ["Cheap money for chips"]
    ids = {stored.id for slug in ("all", "economy", "tech") for stored in world.store.newest(slug, 9)}
    assert len(ids) == 1


def test_the_same_bytes_again_are_neither_read_nor_stored() -> None:
    world = World((A,))
    world.answer("a", record("One", guid="1"), etag='"x"')
    assert world.poll("a").outcome is Outcome.STORED
    versions = due_outputs(world.store)
    report = world.poll("a")
    assert report.outcome is Outcome.NOT_MODIFIED
    assert world.parser.parsed == 1
    assert due_outputs(world.store) == versions


def test_validators_are_sent_back_exactly_and_kept_from_a_304() -> None:
    world = World((A,))
    world.answer("a", record("One", guid="1"), etag='W/"x y"')
    world.poll("a")
    world.answer("a", not_modified=True, etag='W/"x y"')
    assert world.poll("a").outcome is Outcome.NOT_MODIFIED
    assert world.fetcher.requests[0].validators.etag is None
    assert world.fetcher.requests[1].validators.etag == 'W/"x y"'
    assert world.state("a").validators.etag == 'W/"x y"'


def test_validators_of_a_document_that_could_not_be_read_are_not_kept() -> None:
    world = World((A,))
    world.answer("a", record("One", guid="1"), etag='"good"')
    world.poll("a")
    world.answer("a", body=b"<html>", etag='"bad"', parse_error=ParseError("a web page instead of a feed"))
    report = world.poll("a")
    assert (report.outcome, report.reason) == (Outcome.FAILED, "a web page instead of a feed")
    assert world.state("a").validators.etag == '"good"'
    assert world.titles("all") == ["One"]


BUILT = "<rss><channel><lastBuildDate>{0}</lastBuildDate><item><title>{1}</title></item></channel></rss>"


def test_a_document_with_only_another_build_date_is_not_read_and_its_validators_are_kept() -> None:
    world = World((A,))
    world.answer("a", record("One", guid="1"), body=BUILT.format("yesterday", "One").encode(), etag='"x"')
    world.poll("a")
    world.answer("a", record("One", guid="1"), body=BUILT.format("today", "One").encode(), etag='"y"')
    assert world.poll("a").outcome is Outcome.NOT_MODIFIED
    assert world.parser.parsed == 1
    assert world.state("a").validators.etag == '"y"'
    world.answer("a", record("Two", guid="2"), body=BUILT.format("today", "Two").encode())
    assert world.poll("a").outcome is Outcome.STORED


def test_the_first_of_several_pages_is_read_whatever_is_new_in_it() -> None:
    world = World((replace(A, pages=PageMap(max=1)),))
    for built in ("yesterday", "today"):
        world.answer("a", record("One", guid="1"), body=BUILT.format(built, "One").encode())
        world.poll("a")
    assert world.parser.parsed > 1


def test_a_changed_setting_reads_the_same_document_again() -> None:
    world = World((A,))
    world.answer("a", record("One", guid="1"), etag='"x"')
    world.poll("a")
    world.sources = (Source(name="a", url=A.url, categories=("economy",), settings_digest="2"),)
    world.poll("a")
    assert world.fetcher.requests[1].validators.etag is None
    assert world.parser.parsed == 2


def test_only_new_and_changed_records_are_cleaned() -> None:
    world = World((A,))
    world.answer("a", record("One", guid="1"), record("Two", guid="2"))
    world.poll("a")
    world.answer("a", record("One", guid="1"), record("Two", guid="2", text="now with text"), record("Three", guid="3"))
    report = world.poll("a")
    assert (report.new, report.changed, report.seen) == (1, 1, 1)
    assert world.cleaner.cleaned == 4


def test_a_dropped_record_is_shown_nowhere_and_leaves_its_reason() -> None:
    ads = Rule(name="no ads", when=Condition(kind="title", values=("广告",)), drop=True)
    world = World((A,), rules=(ads,))
    world.answer("a", record("广告: buy", guid="1"), record("News", guid="2"), record("广告: buy", guid="1"))
    report = world.poll("a")
    assert (report.new, report.rejected, report.dropped_by) == (1, 0, (("no ads", 1),))
    assert world.titles("all") == ["News"]
    assert [entry.reason for entry in world.store.explain(["guid:a:1"])[0].ledger if entry.kind == "dropped"] == [
        'rule "no ads"'
    ]


def test_an_item_that_is_edited_into_what_a_rule_drops_is_shown_no_longer() -> None:
    ads = Rule(name="no ads", when=Condition(kind="title", values=("广告",)), drop=True)
    world = World((A,), rules=(ads,))
    world.answer("a", record("News", guid="1"))
    world.poll("a")
    world.answer("a", record("广告", guid="1"))
    assert (world.poll("a").changed, world.titles("all")) == (0, [])
    assert world.store.explain(["guid:a:1"])[0].sightings[0].offered


def test_a_failed_poll_loses_nothing_and_backs_off() -> None:
    world = World((A,))
    world.answer("a", record("One", guid="1"))
    world.poll("a")
    world.answer("a", error=FetchError("connection refused by a.example"))
    waits = []
    for _ in range(3):
        assert world.poll("a").outcome is Outcome.FAILED
        state = world.state("a")
        assert state.next_poll_at
        waits.append(state.next_poll_at - world.now)
    assert waits == sorted(waits)
    assert world.state("a").failures == 3
    assert world.state("a").last_error == "connection refused by a.example"
    assert world.titles("all") == ["One"]
    world.answer("a", record("One", guid="1"))
    world.poll("a")
    assert (world.state("a").failures, world.state("a").last_error) == (0, None)


def test_gone_stops_the_source_and_a_success_revives_it() -> None:
    world = World((A,))
    world.answer("a", error=HttpStatusError("410 Gone", status=410))
    world.poll("a")
    assert (world.state("a").gone, world.state("a").next_poll_at) == (True, None)
    world.answer("a", record("One", guid="1"))
    world.poll("a")
    assert not world.state("a").gone


def test_an_empty_document_is_a_success_and_takes_nothing_away() -> None:
    world = World((A,))
    world.answer("a", record("One", guid="1"))
    world.poll("a")
    world.answer("a", body=b"empty")
    assert world.poll("a").outcome is Outcome.STORED
    assert world.titles("all") == ["One"]
    assert world.store.explain(["guid:a:1"])[0].sightings[0].offered


def test_a_record_that_leaves_the_document_stays_published() -> None:
    world = World((A,))
    world.answer("a", record("One", guid="1"), record("Two", guid="2"))
    world.poll("a")
    world.answer("a", record("Two", guid="2"))
    world.poll("a")
    assert set(world.titles("all")) == {"One", "Two"}
    assert not world.store.explain(["guid:a:1"])[0].sightings[0].offered


def test_rejected_records_are_counted_and_explained() -> None:
    world = World((A,))
    odd = Rejected(position=1, reason="its date is a riddle", title="Odd", link="https://a.example/odd", guid="odd")
    world.answer("a", feed=ParsedFeed(title="A", items=(record("One", guid="1"),), rejected=(odd,)))
    assert world.poll("a").rejected == 1
    assert world.store.explain(["guid:a:odd"])[0].ledger[0].reason == "its date is a riddle"


def test_every_key_of_a_record_that_became_no_item_leads_to_the_one_reason() -> None:
    world = World((replace(A, identity=(INFO_CODE,)),), rules=(NO_ADS,))
    link = f"https://a.example/ad?infoCode={CODE}"
    odd = Rejected(position=1, reason="over the limit of 1", title="Odd", link="https://a.example/odd", guid="odd")
    world.answer("a", feed=ParsedFeed(title="A", items=(record("AD", guid="1", link=link),), rejected=(odd,)))
    world.poll("a")
    dropped = (f"infoCode:{CODE}", f"url:a.example/ad?infoCode={CODE}", "guid:a:1", link)
    for ref in (*dropped, "url:a.example/odd", "guid:a:odd", "https://a.example/odd"):
        (told,) = world.store.explain([ref])
        assert [entry.kind for entry in told.ledger] == ["dropped" if ref in dropped else "rejected"]
        assert [seen.dropped_by for seen in told.sightings] == (["no ads"] if ref in dropped else [])


def test_dates_missing_or_in_the_future_become_the_first_sight_and_stay() -> None:
    world = World((A,))
    world.answer("a", record("Undated", guid="1"), record("Later", guid="2", published=START + timedelta(days=9)))
    world.poll("a")
    world.pass_time(hours=1)
    world.answer("a", record("Undated", guid="1", text="x"), record("Later", guid="2", text="x"))
    world.poll("a")
    assert {stored.published_at for stored in world.store.newest("all", 9)} == {START}
    assert {stored.updated_at for stored in world.store.newest("all", 9)} == {world.now}


def test_records_of_one_moment_keep_the_order_of_their_document() -> None:
    world = World((A,))
    world.answer("a", *(record(f"T{n}", guid=str(n), position=n) for n in range(5)))
    world.poll("a")
    assert world.titles("all") == ["T0", "T1", "T2", "T3", "T4"]


def test_the_next_poll_follows_the_largest_wish() -> None:
    world = World((A,))
    world.answer("a", record("One", guid="1"), freshness=Freshness(max_age=7200))
    world.poll("a")
    assert world.state("a").next_poll_at == START + timedelta(hours=2)


def test_a_cron_schedule_is_taken_as_given_unless_the_poll_failed() -> None:
    cron = Source(name="a", url="https://a.example/rss", schedule="0 8 * * *")
    world = World((cron,))
    world.answer("a", record("One", guid="1"), freshness=Freshness(max_age=7 * 86_400))
    world.poll("a")
    assert world.state("a").next_poll_at == START + timedelta(days=2)
    world.answer("a", error=FetchError("no"))
    world.poll("a")
    assert world.state("a").next_poll_at == START + timedelta(days=2)


def test_an_adaptive_source_that_gives_much_is_asked_often() -> None:
    auto = Source(name="a", url="https://a.example/rss", auto=True)
    world = World((auto,))
    world.answer("a", *(record(f"T{n}", guid=str(n)) for n in range(140)))
    world.poll("a")
    due = world.state("a").next_poll_at
    assert due
    assert due - START == timedelta(days=14) / (140 * 3)


def test_a_source_whose_configuration_is_broken_fails_alone_and_says_where() -> None:
    broken = Source(name="a", url="https://a.example/rss", broken="feedhub.yaml:3:5: sources[0].category: no")
    world = World((broken,))
    assert world.poll("a").reason == broken.broken
    assert not world.fetcher.requests


def test_what_does_not_discriminate_is_told_in_the_state() -> None:
    world = World((A,))
    world.answer("a", record("One", guid="0"), record("Two", guid="0"))
    report = world.poll("a")
    assert report.new == 2
    assert world.state("a").warnings == report.warnings != ()


def test_a_rule_that_lets_texts_grow_without_bound_is_left_out_and_told() -> None:
    double = Replacement(field="title", pattern="([a-z])", replacement=r"\1\1")
    rules = tuple(
        Rule(name=f"double {number}", when=Condition(kind="source", values=("a",)), replace=(double,))
        for number in range(28)
    )
    world = World((A,), rules=rules)
    world.answer("a", record("one", guid="0"), record("two", guid="1"))
    report = world.poll("a")
    assert report.new == 2
    assert world.state("a").warnings == report.warnings
    told = 'rule "double 27" was left out where it would have made a text several times as long'
    assert report.warnings[-1] == told
    assert 0 < max(map(len, world.titles("all"))) < 20_000


def test_one_info_code_under_two_addresses_is_published_once_for_each_category() -> None:
    code = KeyPattern(name="infoCode", fields=("id",), pattern=r"(?:NW)?(\d{18})")
    one = Source(name="a", url="https://a.example/rss", categories=("emnews",), identity=(code,))
    two = Source(name="c", url="https://c.example/rss", categories=("jiemian",), identity=(code,))
    world = World((one, two))
    world.answer("a", record("In full", guid="202112272227369128", link="https://a.example/1"))
    world.answer("c", record("In short", guid="NW202112272227369128", link="https://c.example/9"))
    world.poll("a")
    world.poll("c")
    assert (world.titles("all"), world.titles("emnews"), world.titles("jiemian")) == (
        ["In full"],
        ["In full"],
        ["In short"],
    )


def test_an_address_that_several_records_share_explains_all_of_them() -> None:
    world = World((A,))
    world.answer("a", record("One", guid="1", link=STORY), record("Two", guid="2", link=STORY))
    world.poll("a")
    assert {found.title for found in world.store.explain(["url:news.example/story?id=7"])} == {"One", "Two"}


def test_records_left_out_by_mistake_are_told_in_the_row_and_those_asked_for_are_not() -> None:
    world = World((A,))
    asked_for = Rejected(position=1, reason="left out by where: x", title="Ad")
    faulty = Rejected(position=2, reason="fields.published: nothing at time", title="Odd")
    world.answer(
        "a", feed=ParsedFeed(title="A", items=(record("One", guid="1"),), rejected=(asked_for, faulty, faulty))
    )
    assert world.poll("a").warnings == ("2 records left out, the first: fields.published: nothing at time",)
    assert world.state("a").warnings == ()


def test_records_that_cannot_be_told_apart_or_were_removed_are_counted_as_what_they_are() -> None:
    world = World((A,), retention=Retention(days=1))
    world.answer("a", record("One", guid="1"), record("", position=1))
    report = world.poll("a")
    assert (report.new, report.rejected, report.seen) == (1, 1, 0)
    world.answer("a", record("Two", guid="2"))
    world.poll("a")
    world.pass_time(days=3)
    world.poll("a")
    prune(world.store, world.settings, world.now)
    world.answer("a", record("One", guid="1"), record("Two", guid="2"))
    report = world.poll("a")
    assert (report.new, report.rejected, report.seen) == (0, 0, 2)


def test_records_over_the_limit_are_no_reason_to_warn() -> None:
    world = World((A,))
    over = Rejected(position=1, reason="over the limit of 1", title="Odd", guid="odd")
    world.answer("a", feed=ParsedFeed(title="A", items=(record("One", guid="1"),), rejected=(over,)))
    report = world.poll("a")
    assert (report.rejected, report.warnings) == (1, ())


def test_rejected_records_without_a_name_are_not_taken_for_each_other() -> None:
    world = World((A,))
    odd = [Rejected(position=number, reason="no date", title=f"Odd {number}") for number in range(2)]
    world.answer("a", feed=ParsedFeed(title="A", items=(record("One", guid="1"),), rejected=tuple(odd)))
    world.poll("a")
    assert world.store.explain(["text:a:"]) == ()


def test_an_item_that_a_rule_rewrites_is_found_as_it_was_rewritten() -> None:
    edit = Replacement(field="title", pattern="Chips", replacement="Fabs")
    world = World((A,), rules=(Rule(name="r", when=Condition(kind="title", values=("Chips",)), replace=(edit,)),))
    ready, other = Item(title="Chips today", guid="1"), Item(title="Bread today", summary="prepared", guid="2")
    items = (record("Chips today", guid="1"), record("Bread today", guid="2", position=1))
    world.answer("a", feed=ParsedFeed(title="A", items=items, cleaned={0: ready, 1: other}))
    world.poll("a")
    assert world.cleaner.cleaned == 0
    found = {query: [hit.title for hit in world.store.search(query, 9)] for query in ("fabs", "chips", "prepared")}
    assert found == {"fabs": ["Fabs today"], "chips": [], "prepared": ["Bread today"]}


@pytest.mark.parametrize(("pages", "outcome"), [(None, Outcome.NOT_MODIFIED), (PageMap(max=1), Outcome.STORED)])
def test_other_bytes_with_the_same_reading_are_not_stored_unless_there_are_further_pages(
    pages: PageMap | None, outcome: Outcome
) -> None:
    world = World((replace(A, pages=pages),))
    for body in (b"one", b"other"):
        feed = ParsedFeed(title="A", items=(record("One", guid="1"),), reading="same")
        world.answer("a", feed=feed, body=body, etag=f'"{body.decode()}"')
        report = world.poll("a")
    assert (report.outcome, world.state("a").validators.etag) == (outcome, '"other"')
    world.poll("a")
    assert world.parser.parsed == 2


def test_a_document_from_another_address_is_read_although_it_is_the_same() -> None:
    world = World((A,))
    world.answer("a", record("One", guid="1"), etag='"x"')
    world.poll("a")
    world.sources = (replace(A, url="https://a.example/feed"),)
    world.answer("a", record("One", guid="1"), etag='"x"')
    assert world.poll("a").outcome is Outcome.STORED
    assert world.fetcher.requests[-1].validators.etag is None
    assert world.state("a").configured_url == "https://a.example/feed"


def test_retry_after_of_a_failed_poll_is_obeyed() -> None:
    world = World((A,))
    later = START + timedelta(hours=9)
    world.answer("a", error=HttpStatusError("503", status=503, retry_at=later))
    world.poll("a")
    assert world.state("a").next_poll_at == later


def test_a_feed_may_ask_to_be_polled_less_often() -> None:
    world = World((A,))
    world.answer("a", feed=ParsedFeed(title="A", items=(record("One", guid="1"),), ttl=7200))
    world.poll("a")
    assert world.state("a").next_poll_at == START + timedelta(hours=2)


def test_since_when_a_source_fails_and_what_it_brought_last_is_remembered() -> None:
    world = World((A,))
    world.answer("a", record("One", guid="1"))
    world.poll("a")
    assert (world.state("a").first_success_at, world.state("a").last_new_at) == (START, START)
    world.answer("a", error=FetchError("no"))
    for _ in range(2):
        world.pass_time(hours=1)
        world.poll("a")
    assert world.state("a").failing_since == START + timedelta(hours=1)
    world.answer("a", record("Two", guid="2"))
    world.pass_time(hours=1)
    world.poll("a")
    assert (world.state("a").failing_since, world.state("a").last_new_at) == (None, START + timedelta(hours=3))
