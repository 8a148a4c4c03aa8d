"""What a change of the rules means for a document that stays the same."""

from pathlib import Path

from feedhub.model.report import Outcome
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings

FEED = """<rss version='2.0'><channel><title>A</title>
<item><title>One</title><guid>1</guid></item><item><title>AD</title><guid>2</guid></item></channel></rss>"""
SITE = "site: {title: T, url: https://news.example.org}\nsources: [{name: paper, url: in.xml, category: news}]\n"
NO_ADS = "rules: [{name: no ads, when: {title: AD}, then: {drop: true}}]\n"
TAGS = "rules: [{name: tagged, when: {title: One}, then: {tag: [first]}}]\n"


def poll(folder: Path, rules: str) -> tuple[Outcome, int]:
    (folder / "feedhub.yaml").write_text(SITE + rules)
    with Hub(load_settings(str(folder / "feedhub.yaml"))) as hub:
        (report,) = hub.poll(everything=True).reports
        return report.outcome, report.new


def test_what_a_rule_dropped_comes_when_the_rule_is_gone_although_the_document_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "in.xml").write_text(FEED)
    assert poll(tmp_path, NO_ADS) == (Outcome.STORED, 1)
    assert poll(tmp_path, NO_ADS) == (Outcome.NOT_MODIFIED, 0)
    assert poll(tmp_path, "") == (Outcome.STORED, 1)


def test_rules_that_drop_nothing_let_no_document_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "in.xml").write_text(FEED)
    assert poll(tmp_path, "") == (Outcome.STORED, 2)
    assert poll(tmp_path, TAGS) == (Outcome.NOT_MODIFIED, 0)
