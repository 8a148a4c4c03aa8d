"""A document that differs only in what nobody uses is not stored again; whatever an item can come from counts."""

import re
from pathlib import Path

import pytest

from feedhub.model.report import Outcome, PollReport
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings
from feedhub.sources.feed import web_feed
from feedhub.sources.feed.raw_feed import USED_OF_ENTRIES, USED_OF_FEEDS

# The second is left to feedparser.
FEEDS = {
    "fast": "<rss version='2.0'><channel><title>A</title><lastBuildDate>{date}</lastBuildDate><ttl>{ttl}</ttl>"
    "<item><title>{title}</title><guid>1</guid><comments>/c</comments></item></channel></rss>",
    "by feedparser": "<rss version='2.0'><channel><title>A</title><lastBuildDate>{date}</lastBuildDate><ttl>{ttl}</ttl>"
    "<item><title>{title}</title><guid>1</guid><odd/><votes>{date}</votes></item></channel></rss>",
}
FIRST = {"date": "Fri, 05 Jan 2024 08:00:00 GMT", "ttl": "60", "title": "One"}


class Paper:
    """One source in a file, polled at will."""

    def __init__(self, folder: Path, feed: str) -> None:
        self.folder, self.feed = folder, feed
        (folder / "feedhub.yaml").write_text(
            "site: {title: T, url: https://news.example.org}\n"
            "sources:\n  - {name: paper, url: in.xml, category: news, timezone: UTC}\n"
        )

    def poll(self, **said: str) -> PollReport:
        (self.folder / "in.xml").write_text(self.feed.format(**{**FIRST, **said}))
        with Hub(load_settings(str(self.folder / "feedhub.yaml"))) as hub:
            return hub.poll(everything=True).reports[0]


@pytest.fixture(params=FEEDS)
def paper(request: pytest.FixtureRequest, tmp_path: Path) -> Paper:
    return Paper(tmp_path, FEEDS[request.param])


def test_a_new_build_date_alone_stores_nothing(paper: Paper) -> None:
    assert paper.poll().new == 1
    assert paper.poll(date="Sat, 06 Jan 2024 09:00:00 GMT").outcome is Outcome.NOT_MODIFIED
    again = paper.poll(date="Sat, 06 Jan 2024 09:00:00 GMT")
    assert again.outcome is Outcome.NOT_MODIFIED


@pytest.mark.parametrize("said", [{"title": "Two"}, {"ttl": "90"}], ids=str)
def test_what_is_used_counts(paper: Paper, said: dict[str, str]) -> None:
    paper.poll()
    assert paper.poll(**said).outcome is Outcome.STORED


def test_settings_of_the_source_that_changed_make_it_read_again(paper: Paper) -> None:
    paper.poll()
    config = paper.folder / "feedhub.yaml"
    config.write_text(config.read_text().replace("timezone: UTC", "timezone: Asia/Shanghai"))
    assert paper.poll(date="Sat, 06 Jan 2024 09:00:00 GMT").outcome is Outcome.STORED


def test_every_name_that_is_asked_for_is_in_the_digest() -> None:
    source = "".join(Path(str(module.__file__)).read_text("utf-8") for module in (web_feed,))
    asked = set(re.findall(r'raw\([\w.]+, "(\w+)"\)', source))
    assert asked - {*USED_OF_FEEDS, *USED_OF_ENTRIES} == set()
