"""What a change of the rules means for a document that stays the same, and for what is published of it."""

from pathlib import Path

import pytest

from feedhub.model.report import Outcome
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings

FEED = """<rss version='2.0'><channel><title>A</title>
<item><title>One</title><guid>1</guid></item><item><title>AD</title><guid>2</guid></item></channel></rss>"""
SITE = "site: {title: T, url: https://news.example.org}\nsources: [{name: paper, url: in.xml, category: news}]\n"
NO_ADS = "rules: [{name: no ads, when: {title: AD}, then: {drop: true}}]\n"
TAGS = "rules: [{name: tagged, when: {title: One}, then: {tag: [first]}}]\n"
EDIT = "rules: [{name: edit, when: {title: One}, then: {replace: {field: title, pattern: One, with: Two}}}]\n"
LINKS = "rules: [{name: links, when: {source: x}, then: {replace: {field: link, pattern: a, with: b}}}]\n"


def poll(folder: Path, rules: str) -> tuple[Outcome, int]:
    (folder / "feedhub.yaml").write_text(SITE + rules)
    with Hub(load_settings(str(folder / "feedhub.yaml"))) as hub:
        (report,) = hub.poll(everything=True).reports
        return report.outcome, report.new


def outputs(folder: Path) -> dict[str, bytes]:
    """Everything that is published, without what feedhub notes for itself."""
    files = (path for path in sorted((folder / "output").rglob("*")) if path.is_file())
    return {str(path): path.read_bytes() for path in files if ".feedhub" not in path.parts}


@pytest.mark.parametrize("rules", [NO_ADS, TAGS, EDIT], ids=["drop", "tag", "replace"])
def test_a_rule_holds_for_what_is_stored_and_taking_it_out_gives_the_bytes_from_before(
    tmp_path: Path, rules: str
) -> None:
    (tmp_path / "in.xml").write_text(FEED)
    assert poll(tmp_path, "") == (Outcome.STORED, 2)
    before = outputs(tmp_path)
    assert poll(tmp_path, rules) == (Outcome.NOT_MODIFIED, 0)
    with_rule = outputs(tmp_path)
    assert with_rule != before
    assert poll(tmp_path, "") == (Outcome.NOT_MODIFIED, 0)
    assert outputs(tmp_path) == before
    poll(tmp_path, rules)
    assert outputs(tmp_path) == with_rule


def test_what_a_rule_drops_from_the_first_poll_on_comes_when_the_rule_is_gone(tmp_path: Path) -> None:
    (tmp_path / "in.xml").write_text(FEED)
    assert poll(tmp_path, NO_ADS) == (Outcome.STORED, 1)
    assert b"AD" not in b"".join(outputs(tmp_path).values())
    assert poll(tmp_path, "") == (Outcome.NOT_MODIFIED, 0)
    assert b"<title>AD</title>" in outputs(tmp_path)[str(tmp_path / "output/feeds/news.rss")]


def test_only_rules_by_which_records_are_recognised_let_a_document_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "in.xml").write_text(FEED)
    assert poll(tmp_path, "") == (Outcome.STORED, 2)
    assert poll(tmp_path, LINKS) == (Outcome.STORED, 0)
    assert poll(tmp_path, LINKS) == (Outcome.NOT_MODIFIED, 0)
