"""``feedhub explain``: the evidence of every sighting, why two are two, own pages, words of titles."""

import re
import shutil
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
import yaml

from support.cli_runs import Ran, run, write_project

Record = dict[str, str]
TAGS = {"title": "title", "link": "link", "guid": "guid", "text": "description", "at": "pubDate"}
MORE = r"identity: {infoCode: {from: [id], pattern: '^(\d{18})$'}}" + "\n"
RULES = "rules: [{name: no advertising, when: {title: '广告'}, then: {drop: true}}]\n"
STORY = "https://news.example/s?id=7"
DOCUMENTS: dict[str, list[Record]] = {
    "wire": [
        {"title": "Rates fall", "link": STORY, "guid": "w7", "text": "To two percent."},
        {"title": "Ferry reopens", "link": "https://news.example/s?id=8", "guid": "w8", "at": "2026-11-22"},
        {"title": "广告：开户有礼", "link": "https://news.example/s?id=9", "guid": "w9"},
        {"title": "Museum opens", "link": "https://www.museum.example/open", "guid": "w10"},
    ],
    "portal": [
        {"title": "Rates fall", "link": STORY + "&ref=home", "guid": "p1", "text": "To two percent."},
        {"title": "The ferry sails", "link": "http://news.example/s?id=8&utm_source=portal", "guid": "p2"},
        {"title": "Museum opens", "link": "https://m.museum.example/open", "guid": "p3"},
    ],
    "codes": [
        {"title": "Flash", "link": "https://codes.example/flash", "guid": "202112272227369128", "text": "One."},
        {"title": "Flash", "link": "https://codes.example/flash", "guid": "202205302396671645", "text": "Two."},
    ],
    "alerts": [
        {"title": "Power is back", "link": "https://grid.example/now", "guid": "a1", "text": "All works."},
        {"title": "Power is back", "link": "https://grid.example/now", "guid": "a2", "text": "All works."},
        {"title": "On tides", "link": "https://grid.example/tides", "guid": "a3", "file": "https://grid.example/t.mp3"},
        {"title": "Quiet", "text": "Nothing to report.", "at": "3 hours ago"},
        {"title": "Silent", "text": "Nothing at all.", "at": ""},
    ],
}


def write_feed(folder: Path, name: str, *records: Record) -> None:
    """Write what a source says, an hour between records that give no date."""
    entries = ""
    for number, record in enumerate(records):
        whole = {"at": f"2026-11-23 {9 + number:02}:00:00", **record}
        entry = "".join(f"<{tag}>{escape(whole[key])}</{tag}>" for key, tag in TAGS.items() if whole.get(key))
        enclosure = f"<enclosure url='{record['file']}' type='audio/mpeg'/>" if "file" in record else ""
        entries += f"<item>{entry}{enclosure}</item>"
    (folder / "in").mkdir(exist_ok=True)
    document = f"<rss version='2.0'><channel><title>{name}</title>{entries}</channel></rss>"
    (folder / "in" / f"{name}.xml").write_text(document, encoding="utf-8")


def made(folder: Path, more: str = MORE + RULES) -> Path:
    """Write and poll a small configuration."""
    folder.mkdir(exist_ok=True)
    for name, records in DOCUMENTS.items():
        write_feed(folder, name, *records)
    sources = "".join(f"  - {{name: {name}, url: in/{name}.xml, category: news}}\n" for name in DOCUMENTS)
    config = write_project(folder, sources, more)
    assert run("poll", "-c", config).code == 0
    return config


@pytest.fixture(scope="module")
def polled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("polled"))


@pytest.fixture
def polled(polled_once: Path, tmp_path: Path) -> Path:
    shutil.copytree(polled_once.parent.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / polled_once.relative_to(polled_once.parent.parent)


def explained(config: Path, *refs: str) -> list[str]:
    """What a command prints, line by line, without margins."""
    ran = run("explain", *refs, "-c", config)
    assert ran.code == 0, ran.err
    return [re.sub(r"\s+", " ", line).strip() for line in ran.out.splitlines()]


def answer(config: Path, *refs: str) -> dict:
    ran = run("explain", *refs, "--json", "-c", config)
    assert ran.code == 0, ran.err
    return ran.json["answer"]


# --- the evidence of a sighting --------------------------------------------------------------------------------------


def test_every_sighting_shows_its_evidence(polled: Path) -> None:
    lines = explained(polled, "w8")
    assert "guid w8; address news.example/s?id=8" in lines
    assert "dated 2026-11-22, a day only" in lines
    assert "guid p2; address news.example/s?id=8" in lines
    assert "dated 2026-11-23 10:00:00, to the second" in lines
    assert "dated 2026-11-23 11:00:00, to the second; with files" in explained(polled, "a3")
    quiet = explained(polled, "quiet")
    assert "guid none; address none that names an item" in quiet
    assert any(re.fullmatch(r"dated about 20[\d-]+ [\d:]+, not to the second", line) for line in quiet)
    assert "no date" in explained(polled, "silent")
    assert "shared url:grid.example/now: several items have it, it names none of them" in explained(polled, "a1")


def test_programs_get_the_evidence_without_digests(polled: Path) -> None:
    ran = run("explain", "w8", "--json", "-c", polled)
    (found,) = ran.json
    wire, portal = found["sightings"]
    assert (wire["guid"], wire["address"], wire["date_precision"]) == ("w8", "news.example/s?id=8", "day")
    assert (portal["date"], portal["date_precision"]) == ("2026-11-23T02:00:00+00:00", "second")
    assert (wire["files"], wire["pictures"]) == (False, False)
    assert set(found["known_since"]) == set(found["keys"])
    assert (found["by_title"], found["shared"]) == (False, [])
    assert "digest" not in ran.out
    assert run("explain", "a3", "--json", "-c", polled).json[0]["sightings"][0]["files"] is True


def test_what_an_older_version_stored_is_said_to_be_unknown(polled: Path) -> None:
    import sqlite3

    with sqlite3.connect(polled.parent.parent / "var" / "feedhub.db") as store:
        store.execute("UPDATE sightings SET evidence = NULL")
    store.close()
    assert "dated 2026-11-23 11:00, how exactly is not known" in explained(polled, "a3")
    sighting = run("explain", "a3", "--json", "-c", polled).json[0]["sightings"][0]
    assert (sighting["files"], sighting["pictures"], sighting["date_precision"]) == (None, None, "unknown")


def test_keys_that_only_lead_to_an_item_are_not_said_to_recognise_it(polled: Path) -> None:
    assert not any(re.search(r"\b(words|files|signature):", line) for line in explained(polled, "quiet"))


# --- why two are two -------------------------------------------------------------------------------------------------


def test_two_addresses_that_differ_in_a_parameter(polled: Path) -> None:
    lines = explained(polled, STORY, "p1")
    assert lines[0] == "two items"
    assert "dates, titles and texts alike; addresses differ in the parameter ref" in lines
    assert "would join dedupe.ignore_parameters: [ref]" in lines
    assert "records that come from now on; these two stay two" in lines
    found = answer(polled, STORY, "p1")
    assert (found["one_item"], found["kept_apart_by"]) == (False, "across_sources")
    assert found["address"] == {"parts": ["parameters"], "parameters": ["ref"]}
    assert (found["parts"]["titles"], found["parts"]["addresses"], found["parts"]["guids"]) == (
        "alike",
        "differ",
        "unknown",
    )


@pytest.mark.parametrize(
    ("refs", "key"),
    [
        pytest.param((STORY, "p1"), "dedupe.ignore_parameters", id="parameters"),
        pytest.param((STORY, "p1"), "dedupe.same_title", id="title, across"),
        pytest.param(("a1", "a2"), "dedupe.same_title", id="title"),
        pytest.param(("w10", "p3"), "rules", id="host"),
    ],
)
def test_a_setting_that_is_suggested_joins_such_records_in_a_new_store(
    tmp_path: Path, refs: tuple[str, str], key: str
) -> None:
    before = made(tmp_path / "before")
    (setting,) = (one for one in answer(before, *refs)["settings"] if one["key"] == key)
    given = {"rules": yaml.safe_load(RULES)["rules"]}
    value = yaml.safe_load(setting["value"])
    if key == "rules":
        given["rules"] += value
    else:
        given["dedupe"] = {key.partition(".")[2]: value}
    after = made(tmp_path / "after", MORE + yaml.safe_dump(given, allow_unicode=True))
    assert answer(after, *refs)["one_item"]
    config = before.read_text("utf-8").replace(RULES, yaml.safe_dump(given, allow_unicode=True))
    before.write_text(config, "utf-8")
    if key != "rules":
        lines = explained(before, *refs)
        assert any(line.endswith(", which is set") for line in lines)
        assert any("stored before" in line for line in lines)


def test_two_values_of_a_named_key(polled: Path) -> None:
    lines = explained(polled, "202112272227369128", "202205302396671645")
    assert "because infoCode differs: 202112272227369128 and 202205302396671645" in lines
    assert lines[-2:] == ["two values of one named key are always two items", "would join no setting"]


def test_alerts_of_one_page(polled: Path) -> None:
    lines = explained(polled, "a1", "a2")
    assert "addresses, titles and texts alike; guids differ; dates differ by 60 min" in lines
    assert "because several items have url:grid.example/now, so it names none of them" in lines


def test_two_that_have_nothing_in_common(polled: Path) -> None:
    lines = explained(polled, "w7", "a3")
    assert lines[-2:] == ["because nothing that they say is alike", "would join no setting that is safe to suggest"]
    assert answer(polled, "w7", "a3")["settings"] == []


def test_a_record_that_was_dropped_is_an_item_of_which_that_is_said(polled: Path) -> None:
    lines = explained(polled, "w7", "https://news.example/s?id=9")
    assert lines[0] == "two items"
    assert "2026-11-23 11:00 wire https://news.example/s?id=9 (dropped by rule “no advertising”)" in lines
    assert explained(polled, "广告", "w9")[0] == "one item"


def test_a_guid_that_came_back_for_another_item(polled: Path) -> None:
    folder = polled.parent.parent
    zoo = {"title": "Zoo closes", "link": "https://news.example/zoo", "guid": "w7", "at": "2026-11-24 09:30:00"}
    write_feed(folder, "wire", zoo)
    assert run("poll", "wire", "-c", polled).code == 0
    lines = explained(polled, STORY, "zoo closes")
    assert "because within one source this is not enough to take one record for the other" in lines
    assert any("wire: reused, guid:wire:w7 came back for another item" in line for line in lines)


# --- why two are one -------------------------------------------------------------------------------------------------


def test_one_item_says_by_what_and_when_it_was_joined(polled: Path) -> None:
    lines = explained(polled, "https://news.example/s?id=8", "p2")
    assert lines[0] == "one item"
    assert "named https://news.example/s?id=8 is its url:news.example/s?id=8" in lines
    assert "p2 is its guid:portal:p2" in lines
    (joined,) = (line for line in lines if line.startswith("joined"))
    assert re.fullmatch(r"joined 20[\d-]+ [\d:]+ portal: the same item as one of wire, by url \[url:.*\]", joined)
    assert "addresses alike; titles differ" in lines
    found = answer(polled, "https://news.example/s?id=8", "p2")
    assert (found["one_item"], found["kept_apart_by"], found["joins"][0]["source"]) == (True, None, "portal")


def test_a_guid_that_changed_says_what_it_was_recognised_by(polled: Path) -> None:
    folder = polled.parent.parent
    again = [{**record, "guid": record["guid"].replace("p3", "p3b")} for record in DOCUMENTS["portal"]]
    write_feed(folder, "portal", *again)
    assert run("poll", "portal", "-c", polled).code == 0
    lines = explained(polled, "p3", "p3b")
    assert any(line.endswith("by url:m.museum.example/open [guid:portal:p3b]") for line in lines)


def test_two_guids_that_count_revisions_of_one_address(polled: Path) -> None:
    link = "https://codes.example/storm"
    for number in range(2):
        write_feed(
            polled.parent.parent, "codes", {"title": f"Storm {number}", "link": link, "guid": f"{link}#{number}"}
        )
        assert run("poll", "codes", "-c", polled).code == 0
    lines = explained(polled, f"{link}#0", f"{link}#1")
    assert f"named {link}#0 is its guid:codes:{link}#0" in lines
    assert any(line.endswith(f"by url:codes.example/storm [guid:codes:{link}#1]") for line in lines)


@pytest.mark.parametrize("ref", ["on tides", "a3", "https://grid.example/tides"])
def test_one_item_by_its_id_and_another_name(polled: Path, ref: str) -> None:
    (found,) = run("explain", "a3", "--json", "-c", polled).json
    lines = explained(polled, found["item_id"], ref)
    assert lines[0] == "one item"
    assert any(line.endswith("is its id") for line in lines)
    assert "joined nothing had to be joined" in lines


def test_an_address_that_names_no_item_by_itself_is_where_it_was_seen(polled: Path) -> None:
    assert run("explain", "a1", "https://grid.example/now", "-c", polled).code == 0
    write_feed(polled.parent.parent, "alerts", *DOCUMENTS["alerts"][:2])
    for wanted, refs in (("two items", ("a1", "https://grid.example/now")), ("one item", ("a1", "a1"))):
        assert explained(polled, *refs)[0] == wanted


# --- what a reference may be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("around", ["https://news.example.org/{}", "/{}", "{}", "output/{}", "https://a.example/{}#x"])
def test_the_own_page_of_an_item_is_understood(polled: Path, around: str) -> None:
    (page,) = (
        path.relative_to(polled.parent.parent / "output").as_posix()
        for path in (polled.parent.parent / "output" / "items").rglob("*.html")
        if "On tides" in path.read_text("utf-8")
    )
    assert explained(polled, around.format(page))[0] == "On tides"


def test_an_own_page_with_all_digits_of_the_id_is_understood(polled: Path) -> None:
    (found,) = run("explain", "a3", "--json", "-c", polled).json
    digits = found["item_id"].removeprefix("urn:uuid:").replace("-", "")
    assert explained(polled, f"https://news.example.org/items/2026/11/{digits}.html")[0] == "On tides"
    assert run("explain", f"/items/2026/11/{digits[::-1]}.html", "-c", polled).code == 1


def test_addresses_are_found_without_the_parameters_that_a_source_leaves_out(tmp_path: Path) -> None:
    config = made(tmp_path, MORE + RULES + "dedupe: {ignore_parameters: ref}")
    assert explained(config, STORY + "&ref=elsewhere")[0] == "Rates fall"
    assert run("explain", STORY + "&from=elsewhere", "-c", config).code == 1


def test_a_fragment_that_names_a_record_is_found(polled: Path) -> None:
    folder = polled.parent.parent
    write_feed(
        folder,
        "codes",
        {"title": "Oil jumps", "link": "https://live.example/#1", "text": "x"},
        {"title": "Gold falls", "link": "https://live.example/#2", "text": "y"},
    )
    assert run("poll", "codes", "-c", polled).code == 0
    assert explained(polled, "https://live.example/#2")[0] == "Gold falls"
    assert "compared codes" in explained(polled, "https://live.example/#1", "https://live.example/#2")


def test_one_title_that_holds_the_words_is_explained_whole(polled: Path) -> None:
    assert explained(polled, "TIDES on") == explained(polled, "a3")
    assert explained(polled, "ferry sails")[0] == "Ferry reopens"
    dropped = explained(polled, "开户")
    assert dropped[0] == "广告：开户有礼"
    assert "owned by wire" in dropped
    assert "dropped by rule “no advertising”" in dropped
    assert "shown in no output: rules drop it" in dropped
    assert dropped[-1].endswith('wire: dropped, rule "no advertising": “广告：开户有礼”')


def test_several_titles_that_hold_the_words_are_listed_with_their_ids(polled: Path) -> None:
    found = run("explain", "power", "--json", "-c", polled).json
    assert [one["title"] for one in found] == ["Power is back", "Power is back"]
    assert all(one["by_title"] for one in found)
    ids = [one["item_id"].removeprefix("urn:uuid:")[:8] for one in found]
    lines = explained(polled, "power")
    assert lines[::2] == [f"{each} Power is back" for each in ids]
    assert lines[1] == "2026-11-23 10:00 alerts https://grid.example/now"


def test_words_of_dropped_records_are_listed_too(polled: Path) -> None:
    write_feed(polled.parent.parent, "codes", {"title": "广告 more", "link": "https://codes.example/ad", "guid": "c"})
    assert run("poll", "codes", "-c", polled).code == 0
    lines = explained(polled, "广")
    assert [line.partition(" ")[2] for line in lines[::2]] == ["广告：开户有礼", "广告 more"]
    assert lines[3].endswith("codes https://codes.example/ad (dropped by rule “no advertising”)")


def refused(*arguments: str | Path) -> Ran:
    ran = run("explain", *arguments)
    assert ran.code == 1
    return ran


def test_a_reference_that_may_mean_several_is_said_so_with_their_ids(polled: Path) -> None:
    ran = refused("power", "w7", "-c", polled)
    assert "feedhub: power may mean any of 2; give the id or the link of one\n" in ran.err
    assert ran.out.count("Power is back") == 2
    as_json = refused("power", "w7", "--json", "-c", polled)
    assert (as_json.json["answer"], len(as_json.json["first"]), len(as_json.json["second"])) == (None, 2, 1)
    assert refused("w7", "w7 unheard of", "-c", polled).err.startswith("feedhub: nothing is known of w7 unheard of;")


def test_no_more_than_ten_of_many_are_listed(polled: Path) -> None:
    link = "https://codes.example/ticker"
    ticker = [{"title": f"Tick {number}", "link": link, "guid": f"t{number}"} for number in range(12)]
    write_feed(polled.parent.parent, "codes", *ticker)
    assert run("poll", "codes", "-c", polled).code == 0
    ran = refused(link, "w7", "-c", polled)
    assert (ran.out.count(link), ran.out.splitlines()[-1].strip()) == (10, "and 2 more")
    assert len(run("explain", "tick", "--json", "-c", polled).json) == 10


def test_items_of_one_address_come_with_what_to_ask_next(polled: Path) -> None:
    ran = run("explain", "https://grid.example/now", "-c", polled)
    asked = re.fullmatch(r"why are they not one\? feedhub explain (\w{8}) (\w{8})\n", ran.err)
    assert asked
    assert explained(polled, asked[1], asked[2])[0] == "two items"


def test_words_that_no_title_holds_are_unknown(polled: Path) -> None:
    assert "or words of a title" in refused("nobody said this", "-c", polled).err
    assert refused("https://power.example/is/back", "--json", "-c", polled).json == []
