"""What other packages offer through entry points, and what a broken one costs."""

import subprocess
import sys
from pathlib import Path

import pytest

from feedhub.errors import PollError
from feedhub.model.document import Request
from feedhub.model.source import Source
from feedhub.runtime.plugins import Signers, load_plugins

GROUP = "feedhub.tests"


def install(folder: Path, name: str, code: str, **entries: str) -> None:
    """Lay a package down as pip does, as far as entry points need it."""
    (folder / f"{name}.py").write_text(code)
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    groups = "".join(f"[{group}]\n{line}\n" for group, line in entries.items())
    (about / "entry_points.txt").write_text(groups.replace("_tests", ".tests").replace("_signers", ".signers"))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_plugin_is_loaded_by_name_and_only_when_it_is_wanted(site: Path) -> None:
    install(site, "plug_good", "VALUE = 7", feedhub_tests="good = plug_good:VALUE")
    install(site, "plug_other", "raise SystemError", feedhub_tests="other = plug_other:VALUE")
    found = load_plugins(GROUP, {"good", "unknown"})
    assert (found.loaded, found.broken, found.names) == ({"good": 7}, {}, ("good", "other"))


def test_a_broken_plugin_is_told_by_name_and_costs_no_other(site: Path) -> None:
    install(site, "plug_bad", "import no_such_module", feedhub_tests="bad = plug_bad:VALUE")
    install(site, "plug_fine", "VALUE = 7", feedhub_tests="fine = plug_fine:VALUE\nlost = plug_fine:LOST")
    found = load_plugins(GROUP)
    assert found.loaded == {"fine": 7}
    assert found.broken["bad"].startswith("plug_bad:VALUE cannot be loaded: ModuleNotFoundError: ")
    assert found.broken["lost"].startswith("plug_fine:LOST cannot be loaded: AttributeError: ")


def test_nothing_installed_is_no_plugin() -> None:
    assert load_plugins(GROUP).names == ()


def test_a_source_whose_signer_is_broken_fails_with_the_reason(site: Path) -> None:
    install(site, "plug_sign", "import no_such_module", feedhub_signers="s = plug_sign:sign")
    source = Source(name="a", url="https://example.org/", sign="s")
    with pytest.raises(PollError, match=r"^sign: the signer plug_sign:sign cannot be loaded: ModuleNotFoundError"):
        Signers([source]).sign(Request(url=source.url), source)
    absent = Source(name="b", url="https://example.org/", sign="t")
    with pytest.raises(PollError, match=r'offers the signer "t"; offered: s$'):
        Signers([absent]).sign(Request(url=absent.url), absent)


def test_the_configuration_is_read_without_importing_a_reader_or_a_renderer(tmp_path: Path) -> None:
    config = tmp_path / "feedhub.yaml"
    sources = "[{name: a, url: a.xml}, {name: b, kind: json, url: b.json, fields: {title: t}}]"
    config.write_text(f"site: {{title: T, url: https://example.org}}\nsources: {sources}\n")
    code = (
        "import sys, feedhub.runtime.hub; from feedhub.runtime.plugins import load_settings;"
        "load_settings(sys.argv[1]); print(*(name for name in sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(config)], capture_output=True, text=True, check=True)
    loaded = {name for name in ran.stdout.split() if name.startswith(("feedhub.sources.", "feedhub.publish.", "lxml"))}
    assert loaded <= {"feedhub.sources.kinds", "feedhub.publish.formats", "feedhub.publish.addresses"}
