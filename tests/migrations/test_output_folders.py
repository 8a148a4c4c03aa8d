"""Output folders of the version before are taken over."""

import json
import tarfile
from pathlib import Path

import pytest

from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings

BEFORE = Path(__file__).parent / "output_of_three_archives.tar.gz"
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
