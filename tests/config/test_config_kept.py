"""The settled configuration that is kept beside the store: used when loading would give just that, and never else."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from feedhub.config.kept import kept_or_loaded
from feedhub.config.load import load
from feedhub.config.reading import LimitedReader
from feedhub.errors import ConfigError
from feedhub.model.settings import Settings
from feedhub.publish.formats import FORMATS
from feedhub.sources.kinds import KINDS

CONFIG = r"""
site: {title: T, url: "https://example.org"}
include: ["sources/*.yaml"]
output: {templates: theme, jekyll: {template: post.md}}
categories: {tech: {title: Tech}}
sources:
  - {name: a, url: "https://${USER}:${PASSWORD}@a.example/f?token=${TOKEN}", category: tech}
  - name: b
    url: "${BASE}/b.json"
    kind: json
    headers: {Authorization: "Bearer ${TOKEN}", X-Where: "${PLACE:-here}"}
    fields: {title: t, published: {path: p, format: [epoch]}}
    detail: {url: "https://b.example/{id}", content: text, headers: {X-Key: "${TOKEN}"}}
    stale_after: never
  - {name: c, url: c.xml, category: "a/../b"}
notify: {desk: {to: "${DESK}", categories: [tech], rules: [r]}}
rules:
  - {name: r, when: {any: [{title: x}, {not: {source: nobody}}]}, then: {category: tech}}
"""
SECRETS = {
    "USER": "me",
    "PASSWORD": "pass-word-1",
    "TOKEN": "tok-en-2",
    "BASE": "https://base.example/x",
    "DESK": "ntfys://de-sk-3@n.example/topic",
}


class Kept:
    """A project with all kinds of files and a folder for the store; counts how often it was loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ: Mapping[str, str] = SECRETS
        self.overrides: tuple[str, ...] = ()
        self.cwd = str(folder)
        self.loads = 0
        for name in ("var", "theme", "sources", "other"):
            (folder / name).mkdir()
        self.write("feedhub.yaml", CONFIG)
        self.write("theme/item.html", "{% extends 'feedhub/item.html' %}")
        self.write("post.md", "{{ title }}")
        self.write("sources/one.yaml", "sources: [{name: d, url: d.xml, category: tehc}]")
        self.file = folder / "var" / "feedhub.db.settings.json"

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, "utf-8")

    def anew(self, main: str, environ: Mapping[str, str], reader: LimitedReader) -> Settings:
        self.loads += 1
        return load(
            main, self.overrides, environ, self.cwd, kinds=lambda _: KINDS, formats=lambda _: FORMATS, reader=reader
        )

    def settings(self) -> Settings:
        path = str(self.folder / "feedhub.yaml")
        return kept_or_loaded(path, self.overrides, self.environ, self.cwd, load=self.anew)

    def was_loaded(self) -> bool:
        """Tell whether the configuration is loaded now, and check that it is the same whether it is or not."""
        before = self.loads
        assert self.settings() == self.anew(str(self.folder / "feedhub.yaml"), self.environ, LimitedReader())
        return self.loads - before > 1


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    made = Kept(tmp_path)
    assert made.was_loaded()
    assert not made.was_loaded()
    return made


def test_what_is_kept_is_what_was_loaded_with_warnings_and_problems(kept: Kept) -> None:
    settings = kept.settings()
    assert any("tehc" in str(warning) for warning in settings.warnings)
    assert settings.problems
    assert dict(settings.sources[0].headers)["Authorization"].startswith("Basic ")
    assert "pass-word-1" in settings.secrets


def test_no_value_of_the_environment_is_kept_and_nobody_else_may_read_the_rest(kept: Kept) -> None:
    content = kept.file.read_text("utf-8")
    tokens = [secret for secret in kept.settings().secrets if secret not in SECRETS.values()]
    assert not [value for value in (*SECRETS.values(), *tokens) if value != "me" and value in content]
    assert '["PASSWORD"]' in content
    assert stat.S_IMODE(kept.file.stat().st_mode) == 0o600
    assert [path.name for path in (kept.folder / "var").iterdir()] == [kept.file.name]


def _override(kept: Kept) -> None:
    kept.overrides = ("output.entries=7",)


def _environ(**changed: str) -> Callable[[Kept], None]:
    def change(kept: Kept) -> None:
        kept.environ = {**SECRETS, **changed}

    return change


def _folder(kept: Kept) -> None:
    kept.cwd = str(kept.folder / "other")


def _relink(kept: Kept) -> None:
    (kept.folder / "sources" / "one.yaml").unlink()
    kept.write("other/one.yaml", "sources: [{name: d, url: d.xml, category: tehc}]")
    (kept.folder / "sources" / "one.yaml").symlink_to("../other/one.yaml")


def _same_size_and_time(kept: Kept) -> None:
    file = kept.folder / "feedhub.yaml"
    status = file.stat()
    file.write_text(CONFIG.replace("title: Tech", "title: Teck"), "utf-8")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


CHANGES: dict[str, Callable[[Kept], None]] = {
    "the file": lambda kept: kept.write("feedhub.yaml", CONFIG.replace("stale_after: never", "paused: true")),
    "the file, of one size and time": _same_size_and_time,
    "an included file": lambda kept: kept.write("sources/one.yaml", "sources: [{name: e, url: d.xml}]"),
    "a new file that a pattern matches": lambda kept: kept.write("sources/two.yaml", "sources: [{name: e, url: e}]"),
    "a file that is gone": lambda kept: (kept.folder / "sources" / "one.yaml").unlink(),
    "a file that became a link": _relink,
    "a template": lambda kept: kept.write("theme/item.html", "{% extends 'feedhub/item.html' %} "),
    "a new template": lambda kept: kept.write("theme/style.css", "body {}"),
    "the template of posts": lambda kept: kept.write("post.md", "{{ link }}"),
    "--set": _override,
    "a variable": _environ(TOKEN="tok-en-3"),
    "a variable that was not set": _environ(PLACE="there"),
    "the folder of messages": _folder,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_noticed(kept: Kept, change: Callable[[Kept], None]) -> None:
    change(kept)
    assert kept.was_loaded()
    assert not kept.was_loaded()


def test_a_variable_that_nothing_names_changes_nothing(kept: Kept) -> None:
    _environ(ELSE="x")(kept)
    assert not kept.was_loaded()


def test_what_became_unusable_is_told(kept: Kept) -> None:
    kept.write("feedhub.yaml", CONFIG + "nonsense: true\n")
    with pytest.raises(ConfigError):
        kept.settings()


def _damaged(content: bytes) -> bytes:
    return content.replace(b'"title":"T"', b'"title":"U"')


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "one letter": _damaged,
    "no JSON": lambda content: b"\0" + content,
    "of another form": lambda content: content.replace(b'"form": 1', b'"form": 0'),
    "of other code": lambda content: content.replace(b'"program": "', b'"program": "0'),
    "another shape": lambda content: b'{"made of": [], "settings": 1}\n[]',
    "deeper than Python goes": lambda content: b"[" * 200_000,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_as_if_it_were_not_there(kept: Kept, damage: Callable[[bytes], bytes]) -> None:
    content = kept.file.read_bytes()
    assert damage(content) != content
    kept.file.write_bytes(damage(content))
    assert kept.was_loaded()
    assert not kept.was_loaded()


def _link(kept: Kept) -> None:
    kept.file.rename(kept.folder / "elsewhere")
    kept.file.symlink_to(kept.folder / "elsewhere")


def _pipe(kept: Kept) -> None:
    kept.file.unlink()
    os.mkfifo(kept.file, 0o600)


def _of_somebody_else(kept: Kept) -> None:
    if os.geteuid():
        pytest.skip("only root may give files away")
    os.chown(kept.file, 65_534, 65_534)


@pytest.mark.parametrize(
    "distrusted",
    [
        pytest.param(lambda kept: kept.file.chmod(0o640), id="the group may read it"),
        pytest.param(lambda kept: kept.file.chmod(0o602), id="everybody may write it"),
        pytest.param(_of_somebody_else, id="of another user"),
        pytest.param(_link, id="a link"),
        pytest.param(_pipe, id="a pipe"),
    ],
)
def test_what_others_might_have_written_is_not_read(kept: Kept, distrusted: Callable[[Kept], None]) -> None:
    distrusted(kept)
    assert kept.was_loaded()
    assert kept.file.is_file()
    assert not kept.file.is_symlink()
    assert not kept.was_loaded()


def test_a_place_that_cannot_be_written_costs_nothing_but_time(kept: Kept) -> None:
    kept.file.unlink()
    kept.file.mkdir()
    assert kept.was_loaded()
    assert kept.was_loaded()
    assert list((kept.folder / "var").iterdir()) == [kept.file]


@pytest.mark.parametrize(
    ("config", "environ"),
    [
        pytest.param("poll: {every: '${A}'}", {"A": "15m"}, id="a duration"),
        pytest.param("output: {entries: '${A}'}", {"A": "7"}, id="a number"),
        pytest.param("sources: [{name: a, url: x, category: '${A}'}]", {"A": "Tech News"}, id="a category"),
        pytest.param("sources: [{name: a, url: '${A}'}]", {"A": "a%20b.xml"}, id="the path of a file"),
        pytest.param(
            "sources: [{name: a, url: 'https://u:${A}@x.example/'}]", {"A": "a%40b-c"}, id="an encoded password"
        ),
        pytest.param("output: {dir: .}", {}, id="a store in the output"),
        pytest.param("store: 'sqlite:///elsewhere/${A}.db'", {"A": "x"}, id="a store that only YAML finds"),
    ],
)
def test_what_is_more_than_words_around_values_is_not_kept(kept: Kept, config: str, environ: dict[str, str]) -> None:
    kept.file.unlink()
    (kept.folder / "elsewhere").mkdir()
    kept.write("feedhub.yaml", 'site: {title: T, url: "https://example.org"}\n' + config)
    kept.environ = environ
    assert kept.was_loaded()
    assert kept.was_loaded()
    assert not list(kept.folder.rglob("*.settings.json"))


def test_it_is_kept_beside_a_store_elsewhere(kept: Kept) -> None:
    kept.file.unlink()
    kept.write("feedhub.yaml", CONFIG + "store: 'sqlite:///other/x.db?timeout=5'  # here\n")
    assert kept.was_loaded()
    assert not kept.was_loaded()
    assert (kept.folder / "other" / "x.db.settings.json").is_file()


def test_the_folder_of_a_store_that_is_about_to_be_made_is_made(kept: Kept) -> None:
    path, other = str(kept.folder / "feedhub.yaml"), kept.folder / "new" / "x.db"
    kept.overrides = (f"store=sqlite:///{other}",)
    for makes_folder in (False, True, True):
        kept_or_loaded(path, kept.overrides, kept.environ, kept.cwd, load=kept.anew, makes_folder=makes_folder)
        assert other.parent.exists() == makes_folder
    assert [each.name for each in other.parent.iterdir()] == ["x.db.settings.json"]


def test_with_what_is_kept_no_library_of_the_configuration_is_imported(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "feedhub.yaml").write_text('site: {title: T, url: "https://example.org"}\nsources: [{name: a, url: b}]')
    code = (
        "import sys; from feedhub.runtime.plugins import load_settings; load_settings('feedhub.yaml');"
        "print(*({'pydantic', 'yaml', 'sqlalchemy', 'feedhub.config.load'} & set(sys.modules)))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert [len(run.stdout.split()) for run in runs] == [3, 0]
