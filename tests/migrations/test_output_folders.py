"""Output folders of the version before are taken over."""

import gzip
import json
import shutil
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from feedhub.pipeline.state import read_state
from feedhub.publish.html_site import HtmlSite
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings
from support.postgres import address_of, connected, new_database

HERE = Path(__file__).parent
BEFORE = HERE / "output_of_three_archives.tar.gz"
"""Three items of March 2024 and 104 of April in feeds of five entries, when archives were written in every format."""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    with tarfile.open(BEFORE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def archives(site: Path) -> set[str]:
    folder = site / "output/feeds/archive"
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def published(site: Path) -> None:
    with Hub(load_settings(str(site / "feedhub.yaml"), environ={})) as hub:
        report = hub.poll(everything=True)
    assert report.published is not None
    assert report.published.failed == ()


def test_archives_in_other_formats_stay_until_they_change_or_another_version_comes(site: Path) -> None:
    before = archives(site)
    assert len(before) == 12
    published(site)
    assert archives(site) == before
    feeds = site / "output/feeds"
    archived = "https://site.example/feeds/archive/economy/2024-04.atom"
    assert f'rel="prev-archive" href="{archived}" type="application/atom+xml"' in (feeds / "economy.rss").read_text()
    assert f'rel="prev-archive" href="{archived}"' in (feeds / "economy.atom").read_text()
    assert "next_url" not in json.loads((feeds / "economy.json").read_text())

    source = site / "wire.rss"
    source.write_text(source.read_text().replace("<title>3/1<", "<title>3/1 corrected<"))
    published(site)
    changed = {f"{slug}/2024-03.{kind}" for slug in ("all", "economy") for kind in ("rss", "json")}
    assert before - archives(site) == changed
    assert "3/1 corrected" in (feeds / "archive/economy/2024-03.atom").read_text()

    note = site / "output/.feedhub/leaving.json"
    noted = json.loads(note.read_text())
    assert noted["formats"] == ["json", "rss"]
    note.write_text(json.dumps({**noted, "version": "0.0.1"}))
    published(site)
    assert archives(site) == {f"{slug}/2024-{month}.atom" for slug in ("all", "economy") for month in ("03", "04")}
    assert not note.exists()


@pytest.mark.parametrize("note", ["", "[]", "{", '{"version": "0.0.1"}', '{"version": 1, "formats": 3}', "[" * 9_999])
def test_a_damaged_note_of_it_costs_nothing(site: Path, note: str) -> None:
    published(site)
    (site / "output/.feedhub/leaving.json").write_text(note)
    before = archives(site)
    published(site)
    assert archives(site) == before


@pytest.fixture(params=["sqlite", "postgresql"])
def site_of_schema_8(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """What schema 8 left: a store that knew what is published, and in which one item changed and one came since.

    Somebody wrote something into one of its posts, and removed another one. Its digests are made those of today.
    """
    with tarfile.open(HERE / "site_of_schema_8.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    config = tmp_path / "feedhub.yaml"
    if request.param == "postgresql":
        database = new_database("site")
        with connected(database) as dumped:
            dumped.execute(gzip.decompress((HERE / "site_of_schema_8.sql.gz").read_bytes()))
        config.write_text(config.read_text().replace("sqlite:///store.db", address_of(database)))
    settings = load_settings(str(config), environ={})
    with closing(sqlite3.connect(tmp_path / "store.db")) if request.param == "sqlite" else connected(database) as store:
        store.execute(f"UPDATE meta SET value = '{settings.output_digest}' WHERE key = 'output_digest'")
        store.commit()
    look = HtmlSite(settings.site, settings.output, settings.categories).design
    (tmp_path / "output/.feedhub/look").write_text(look)
    return tmp_path


def written_since(site: Path, run: Callable[[], object]) -> set[str]:
    """Return which files were written or removed meanwhile."""

    def found() -> dict[str, int]:
        paths = (path for path in (site / "output").rglob("*") if path.is_file() and ".feedhub" not in path.parts)
        return {path.relative_to(site / "output").as_posix(): path.stat().st_mtime_ns for path in paths}

    before = found()
    run()
    return {path for path, _ in before.items() ^ found().items()}


def publish_due(site: Path) -> None:
    """Publish what changed, as the daemon does when it begins."""
    with Hub(load_settings(str(site / "feedhub.yaml"), environ={})) as hub:
        hub.sync()
        assert hub.publish_due().failed == ()


def test_the_first_publish_takes_over_what_the_store_knew_of_its_folder(site_of_schema_8: Path) -> None:
    site = site_of_schema_8
    posts = {path.name: path.read_bytes() for path in (site / "output/_posts").iterdir()}
    written = written_since(site, lambda: publish_due(site))
    shown = {f"feeds/{slug}.{kind}" for slug in ("all", "news") for kind in ("atom", "rss", "json")}
    assert written >= {*shown, "feedhub.json", "index.html"}
    assert not [path for path in written if "wires" in path]
    assert len([path for path in written if path.startswith("items/")]) == 2
    after = {path.name: path.read_bytes() for path in (site / "output/_posts").iterdir()}
    changed = {name for name in after if after[name] != posts.get(name)}
    assert {name[:10] for name in changed} == {"2024-04-04", "2024-04-26"}
    assert posts.keys() - after.keys() == set()
    assert sum(body.endswith(b"edited\n") for body in after.values()) == 1
    assert not (site / "output/.feedhub/look").exists()
    with Hub(load_settings(str(site / "feedhub.yaml"), environ={})) as hub:
        assert hub.store.folder_before() is None
        state = read_state((site / "output/.feedhub/state.json").read_bytes())
        assert state is not None
        assert (state.number, state.posts) == (hub.store.change_number(),) * 2
    assert written_since(site, lambda: publish_due(site)) == set()


@pytest.mark.parametrize("site_of_schema_8", ["sqlite"], indirect=True)
def test_another_folder_than_the_one_that_the_store_knew_is_filled(site_of_schema_8: Path) -> None:
    site = site_of_schema_8
    shutil.rmtree(site / "output")
    published(site)
    assert len(list((site / "output/_posts").iterdir())) == 25
    assert (site / "output/feeds/wires.atom").exists()


@pytest.mark.parametrize("site_of_schema_8", ["sqlite"], indirect=True)
@pytest.mark.parametrize("note", [None, b"", b"[]", b"{}", b"[" * 10_000])
def test_a_lost_state_costs_a_comparison_and_no_byte(site_of_schema_8: Path, note: bytes | None) -> None:
    site = site_of_schema_8
    with Hub(load_settings(str(site / "feedhub.yaml"), environ={})) as hub:
        hub.publish()
        shutil.rmtree(site / "output/.feedhub")
        if note is not None:
            (site / "output/.feedhub").mkdir()
            (site / "output/.feedhub/state.json").write_bytes(note)
        assert written_since(site, hub.publish_due) == set()
