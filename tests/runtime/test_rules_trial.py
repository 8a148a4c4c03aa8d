"""Rules are tried on all cores, which gives what one process gives."""

from dataclasses import replace
from pathlib import Path

from feedhub.model.source import Condition, Rule
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings
from feedhub.runtime.refiling import try_rules
from support.cli_runs import rss, write_project

SOURCES = "  - {name: paper, url: in/paper.xml, category: news}\n  - {name: gone, url: in/gone.xml, category: news}\n"


def test_several_processes_find_what_one_does(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("paper", "gone"):
        items = [(f"{name} {number}", f"https://{name}.example/{number}") for number in range(1, 26)]
        (tmp_path / "in" / f"{name}.xml").write_bytes(rss(*items))
    config = str(write_project(tmp_path, SOURCES, "output: {pages: false}"))
    rules = (
        Rule(name="ends in 1", when=Condition(kind="title", values=("1$",)), drop=True),
        Rule(name="paper", when=Condition(kind="source", values=("paper",)), categories=("news",), tags=("x",)),
        Rule(name="gone", when=Condition(kind="source", values=("gone",)), tags=("gone",)),
    )
    with Hub(load_settings(config)) as hub:
        hub.poll(everything=True, and_publish=False)
        # One source is configured no more.
        settings = replace(hub.settings, rules=rules, sources=hub.settings.sources[:1])
        alone = try_rules(hub.store, settings)
        together = try_rules(hub.store, settings, one_process=0, size=9)
    assert (alone.items, alone.leave, alone.otherwise) == (50, 6, 44)
    assert together == alone
