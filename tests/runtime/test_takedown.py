"""What is hidden, dropped or forgotten leaves no trace in anything that is published or served, and what is shown
again has the bytes from before.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cli_runs import Ran, run
from support.web import Site, served

WORD = "zebrafish"
LINK = f"https://aquarium.example/{WORD}"
MARKED = f"""<item><title>A {WORD} swims</title><link>{LINK}</link><guid isPermaLink="false">{WORD}-1</guid>
<pubDate>01 Jun 2026 08:00:00 GMT</pubDate><author>{WORD}@aquarium.example ({WORD})</author>
<category>{WORD}</category><description>&lt;p&gt;The {WORD} has stripes.&lt;/p&gt;</description>
<enclosure url="https://aquarium.example/{WORD}.mp3" type="audio/mpeg" length="7"/></item>"""
OTHERS = "".join(
    f"<item><title>Story {number}</title><link>https://aquarium.example/{number}</link><guid>{number}</guid>"
    f"<pubDate>0{number} May 2026 08:00:00 GMT</pubDate><description>Text {number}</description></item>"
    for number in range(1, 6)
)
MORE = """output:
  dir: output
  entries: 1
  jekyll: {filename: "{date}-{guid}.md"}
"""
SOURCES = (
    "[{name: tank, url: tank.xml, category: [fish, news]}, {name: pond, url: pond.xml, category: news}, "
    "{name: wire, url: wire.xml, category: news}]"
)
NO_FISH = f"rules: [{{name: no fish, when: {{title: {WORD}}}, then: {{drop: true}}}}]\n"


def feed(*parts: str) -> str:
    return f"<rss version='2.0'><channel><title>Feed</title>{''.join(parts)}</channel></rss>"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site on which the marked item is everywhere: two sources gave it, and it is in the archives."""
    (tmp_path / "tank.xml").write_text(feed(MARKED, OTHERS))
    (tmp_path / "pond.xml").write_text(feed(MARKED.replace(f"{WORD}-1", f"{WORD}-2")))
    (tmp_path / "wire.xml").write_text(feed(OTHERS.replace("aquarium", "wire").replace("May", "Jul")))
    with served(tmp_path, sources=SOURCES, more=MORE) as running:
        running.hub.poll(everything=True)
        yield running


def tree(site: Site) -> dict[str, bytes]:
    """All that is published, and what feedhub notes beside it."""
    return {
        path.relative_to(site.output).as_posix(): path.read_bytes() for path in site.output.rglob("*") if path.is_file()
    }


def published(site: Site) -> dict[str, bytes]:
    return {path: body for path, body in tree(site).items() if not path.startswith(".feedhub/")}


def traces(site: Site) -> set[str]:
    """The files and answers that tell of the marked item."""
    found = {path for path, body in tree(site).items() if WORD in path or WORD in body.decode("utf-8", "replace")}
    pages = (
        "/",
        "/status",
        "/api/status.json",
        "/metrics",
        "/healthz",
        "/feeds/all.json",
        "/category/fish.html",
        "/log",
    )
    found |= {path for path in pages if WORD in site.ask(path).text}
    # A search repeats what was asked for.
    answer = site.ask("/search?q=stripes").text + site.ask("/search.atom?q=stripes").text
    found |= {"search"} if WORD in answer else set()
    return found


def command(site: Site, *arguments: str) -> Ran:
    return run(*arguments, "-c", site.folder / "feedhub.yaml")


def test_the_marked_item_is_in_every_kind_of_output(site: Site) -> None:
    found = traces(site)
    assert "/log" in found  # it tells that two sources gave the item
    assert {"index.html", "feeds/fish.atom", "feeds/fish.json", "category/fish.html", "search", "/"} <= found
    for beginning in ("items/", "_posts/", "feeds/archive/", ".feedhub/posts/"):
        assert any(path.startswith(beginning) for path in found), beginning


def test_a_hidden_item_leaves_no_trace_and_comes_back_with_the_bytes_from_before(site: Site) -> None:
    before = published(site)
    ran = command(site, "hide", LINK, "--reason", "asked by its author")
    assert (ran.code, f"“A {WORD} swims”" in ran.out) == (0, True)
    assert traces(site) == set()
    ran = command(site, "unhide", LINK, "--json")
    assert (ran.code, ran.json["state"]) == (0, "shown again")
    assert published(site) == before


def test_a_hidden_item_that_its_sources_edit_and_give_again_stays_hidden(site: Site) -> None:
    assert command(site, "hide", LINK).code == 0
    for name in ("tank", "pond"):
        path = site.folder / f"{name}.xml"
        path.write_text(path.read_text().replace("stripes", "many stripes"))
    site.hub.poll(everything=True)
    assert command(site, "publish").code == 0
    assert traces(site) == set()
    assert command(site, "unhide", LINK).code == 0
    assert b"many stripes" in published(site)["feeds/fish.json"]


@pytest.mark.parametrize("publish", ["publish", "poll"])
def test_a_dropped_item_leaves_no_trace_and_comes_back_with_the_bytes_from_before(site: Site, publish: str) -> None:
    before = published(site)
    config = site.folder / "feedhub.yaml"
    text = config.read_text()
    config.write_text(text + NO_FISH)
    assert command(site, publish).code == 0
    assert traces(site) == set()
    config.write_text(text)
    assert command(site, publish).code == 0
    assert published(site) == before


def test_what_a_source_said_is_forgotten_and_what_it_says_again_is_not_shown(site: Site) -> None:
    assert command(site, "forget", "tank").code == 0
    # Another source gave the item too.
    assert "feeds/all.json" in traces(site) or any(path.startswith("items/") for path in traces(site))
    assert "feeds/fish.json" not in traces(site)
    ran = command(site, "forget", "pond")
    assert (ran.code, "forgotten: what pond said of 1 item" in ran.out) == (0, True)
    assert traces(site) == set()
    (site.folder / "tank.xml").write_text(
        feed(MARKED.replace("stripes", "many stripes"), OTHERS, "<item><title>New</title><guid>new</guid></item>")
    )
    site.hub.poll(everything=True)
    assert traces(site) == set()
    assert [item["title"] for item in json.loads(site.ask("/feeds/fish.json").body)["items"]] == ["New"]


def refused(site: Site, *arguments: str) -> str:
    ran = command(site, *arguments)
    assert ran.code == 2
    return ran.err


def test_what_names_no_item_or_no_source_is_refused_with_a_hint(site: Site) -> None:
    assert "no stored item is named https://a.example/; give its link" in refused(site, "hide", "https://a.example/")
    assert "no stored item is named swims" in refused(site, "hide", "swims")
    assert f"{LINK} is not hidden" in refused(site, "unhide", LINK)
    assert command(site, "hide", LINK, "--no-publish").code == 0
    assert f"{LINK} is hidden already" in refused(site, "hide", LINK)
    assert "index.html" in traces(site)
    assert 'no source "tanks" is in the store; did you mean "tank"?' in refused(site, "forget", "tanks")


def test_explain_tells_that_an_item_is_hidden_and_why(site: Site) -> None:
    assert command(site, "hide", LINK, "--reason", "asked by its author").code == 0
    told = command(site, "explain", LINK).out
    assert "reason        asked by its author" in told
    assert "no output: it is hidden" in told
    assert "hidden, asked by its author" in told
    assert command(site, "explain", LINK, "--json").json[0]["hidden_reason"] == "asked by its author"


@pytest.mark.parametrize("take_down", [("hide", LINK), ("forget", "tank")], ids=["hide", "forget"])
def test_what_is_taken_down_leaves_the_feed_of_a_removed_category_too(site: Site, take_down: tuple[str, str]) -> None:
    config = site.folder / "feedhub.yaml"
    config.write_text(config.read_text().replace("[fish, news]", "news"))
    assert command(site, "publish").code == 0
    assert "feeds/fish.json" in traces(site)
    assert command(site, *take_down).code == 0
    assert not [path for path in traces(site) if "/fish" in path]
