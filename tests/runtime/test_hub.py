"""The composition root: names, errors that nobody expected, and what is looked at without a store."""

from dataclasses import replace
from pathlib import Path

import pytest

from feedhub.errors import ParseError, UsageError
from feedhub.model.report import Outcome
from feedhub.model.settings import Settings
from feedhub.model.source import Condition, Health, Rule
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings

FEED = "<rss version='2.0'><channel><title>A</title><item><title>One</title><guid>1</guid></item></channel></rss>"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "in.xml").write_text(FEED)
    (tmp_path / "feedhub.yaml").write_text(
        "site: {title: T, url: https://news.example.org}\nsources:\n"
        "  - {name: paper, url: in.xml, category: news}\n  - {name: wire, url: in.xml, category: news, paused: true}\n"
    )
    return load_settings(str(tmp_path / "feedhub.yaml"))


def test_a_misspelt_source_is_answered_with_the_nearest(settings: Settings) -> None:
    with Hub(settings) as hub, pytest.raises(UsageError, match='no source "papper"; did you mean "paper"'):
        hub.poll(["papper"])


def test_an_unknown_category_is_answered_with_those_there_are(settings: Settings) -> None:
    with Hub(settings) as hub, pytest.raises(UsageError, match="there are: all, news"):
        hub.publish(["sport"])


def test_a_paused_source_is_polled_only_by_name(settings: Settings) -> None:
    with Hub(settings) as hub:
        assert [report.source for report in hub.poll(everything=True).reports] == ["paper"]
        assert [report.source for report in hub.poll(["wire"]).reports] == ["wire"]


def test_what_nobody_expected_while_storing_costs_one_source(settings: Settings) -> None:
    riddle = Rule(name="riddle", when=Condition(kind="title", values=("(",)), drop=True)
    with Hub(replace(settings, rules=(riddle,))) as hub:
        (report,) = hub.poll(["paper"]).reports
        assert report.outcome is Outcome.FAILED
        assert "not a usable pattern" in report.reason
        status = {source.name: source for source in hub.status().sources}["paper"]
        assert (status.state, status.failures) == (Health.FAILING, 1)


def test_the_second_poll_of_an_untouched_file_is_not_due_and_when_asked_for_not_modified(settings: Settings) -> None:
    with Hub(settings) as hub:
        first = hub.poll()
        assert (first.reports[0].new, first.published is not None) == (1, True)
        again = hub.poll()
        assert (again.reports, again.not_due) == ((), 2)
        assert again.next_due_at is not None
        assert hub.poll(everything=True).reports[0].outcome is Outcome.NOT_MODIFIED


def test_a_preview_stores_nothing(settings: Settings) -> None:
    with Hub(settings) as hub:
        assert [parsed.title for parsed, _ in hub.preview("paper", 5).items] == ["One"]
        assert hub.store.item_count() == 0
        with pytest.raises(UsageError, match="neither the name of a source nor an http"):
            hub.preview("nothing", 5)


def test_a_signer_that_nobody_offers_costs_its_source_and_is_named(settings: Settings) -> None:
    source = replace(settings.sources[0], sign="cls")
    with Hub(replace(settings, sources=(source,))) as hub:
        (report,) = hub.poll(everything=True).reports
    assert report.reason == 'sign: no installed package offers the signer "cls"; offered: none'


MAPPED = """site: {title: T, url: https://news.example.org}
sources:
  - name: api
    kind: json
    url: list.json
    items: data
    fields: {id: id, title: title, published: {path: at, format: "%Y-%m-%d"}}
  - name: page
    kind: html
    url: list.html
    items: li
    fields: {title: a, link: a@href}
"""


def test_a_preview_of_a_mapped_source_tells_what_each_path_gave(tmp_path: Path) -> None:
    (tmp_path / "feedhub.yaml").write_text(MAPPED)
    (tmp_path / "list.json").write_text('{"data": [{"id": 1, "title": "One", "at": "tomorrow"}]}')
    (tmp_path / "list.html").write_text("<ul><li><a href='https://a.example/1'>One</a></li></ul>")
    with Hub(load_settings(str(tmp_path / "feedhub.yaml"))) as hub:
        refused = hub.preview("api", 5)
        assert refused.items == ()
        states = {field.field: field.state for field in refused.traces[0].fields}
        assert states == {"id": "gave", "title": "gave", "published": "failed"}
        assert "does not match" in refused.notes[0]
        (tmp_path / "list.json").write_text("[]")
        with pytest.raises(ParseError, match="items"):
            hub.preview("api", 5)
        page = hub.preview("page", 5)
        assert [parsed.title for parsed, _ in page.items] == ["One"]
        assert {field.field for field in page.traces[0].fields} == {"title", "link"}
