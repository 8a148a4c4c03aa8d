"""What is built to be published: its description can be read elsewhere, and it brings what a service needs."""

import email
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNKNOWN = {"FEEDHUB_REPOSITORY": "", "GITHUB_SERVER_URL": "", "GITHUB_REPOSITORY": ""}
ADDRESS = re.compile(r"\]\(([^)]+)\)|src=\"([^\"]+)\"")


@pytest.fixture
def built(tmp_path: Path) -> Callable[[str], tuple[Message, dict[str, bytes]]]:
    def build(repository: str) -> tuple[Message, dict[str, bytes]]:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
        given = {**os.environ, **UNKNOWN, "FEEDHUB_REPOSITORY": repository}
        given = {name: value for name, value in given.items() if value}
        subprocess.run(command, cwd=ROOT, env=given, check=True, capture_output=True)
        (wheel,) = tmp_path.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        (metadata,) = (body for name, body in files.items() if name.endswith("/METADATA"))
        return email.message_from_bytes(metadata), files

    return build


def test_the_wheel_says_what_an_index_shows_and_contains_the_unit(
    built: Callable[[str], tuple[Message, dict[str, bytes]]],
) -> None:
    metadata, files = built("https://git.example.org/you/feedhub/")
    text = str(metadata.get_payload())
    found = [one or other for one, other in ADDRESS.findall(text)]
    assert "https://git.example.org/you/feedhub/raw/main/docs/images/front-light.png" in found
    assert "https://git.example.org/you/feedhub/blob/main/docs/quickstart.md" in found
    assert [address for address in found if not address.startswith("https://")] == []
    for address in found:
        assert (ROOT / address.split("/main/")[1].partition("#")[0]).exists(), address
    assert metadata["Description-Content-Type"] == "text/markdown"
    for name in ("Author", "License-Expression", "Keywords", "Summary", "Requires-Python"):
        assert metadata[name]
    assert {"Homepage", "Documentation", "Changelog", "Source", "Issues"} == {
        address.partition(",")[0] for address in metadata.get_all("Project-URL", ())
    }
    assert len(metadata.get_all("Classifier", ())) > 10
    (unit,) = (body for name, body in files.items() if name.endswith(".data/data/share/feedhub/feedhub.service"))
    assert unit == (ROOT / "config" / "feedhub.service").read_bytes()


def test_who_does_not_say_where_the_repository_lies_gets_no_address_that_leads_nowhere(
    built: Callable[[str], tuple[Message, dict[str, bytes]]],
) -> None:
    metadata, _ = built("")
    text = str(metadata.get_payload())
    assert ADDRESS.findall(text) == []
    assert "Quick start" in text
    assert metadata["Project-URL"] is None
