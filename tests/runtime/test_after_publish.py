"""``output.after``: it is told what changed, told again after a failure, and harms nothing whatever it does."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedhub.model.report import PublishReport
from feedhub.model.settings import AfterPublish
from feedhub.runtime.after_publish import RunAfterPublish, run_hook
from feedhub.runtime.hub import Hub
from feedhub.runtime.plugins import load_settings
from support.cli_runs import rss, run, write_project
from support.daemons import until

TELL = """#!/bin/sh
tr '\\0' '\\n' < "$FEEDHUB_CHANGED" > "$0.told"
env | cut -d= -f1 | sort > "$0.env"
cat "$0.before" 2>/dev/null && exit 3
exit 0
"""


def write_hook(folder: Path, text: str = TELL) -> Path:
    path = folder / "hook"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def project(folder: Path, after: str, *titles: str) -> Path:
    items = [(title, f"https://a.example/{title}") for title in titles or ("One",)]
    (folder / "a.xml").write_bytes(rss(*items))
    return write_project(folder, "  - {name: a, url: a.xml, category: news}\n", f"output: {{after: {after}}}")


def told(folder: Path) -> list[str]:
    return (folder / "hook.told").read_text("utf-8").split()


def test_it_is_told_the_paths_that_changed_and_gets_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s3cr3t")
    monkeypatch.setenv("DEPLOY_TO", "there")
    write_hook(tmp_path)
    config = project(tmp_path, "{run: [./hook], env: [DEPLOY_TO]}")
    ran = run("poll", "--json", "-c", config)
    assert ran.code == 0, ran.err
    assert set(told(tmp_path)) == set(ran.json["published"]["written"])
    names = set((tmp_path / "hook.env").read_text("utf-8").split())
    assert names <= {"PATH", "HOME", "LANG", "DEPLOY_TO", "FEEDHUB_CHANGED", "PWD", "OLDPWD", "SHLVL", "_"}
    assert "DEPLOY_TO" in names
    (tmp_path / "hook.told").unlink()
    assert run("publish", "-c", config).code == 0
    assert not (tmp_path / "hook.told").exists(), "nothing changed"


def test_a_failure_is_told_and_the_next_publish_tries_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "t0ken-value")
    hook = write_hook(tmp_path)
    config = project(tmp_path, "{run: [./hook, '${TOKEN}']}")
    (tmp_path / "hook.before").write_text("cannot push with t0ken-value", encoding="utf-8")
    ran = run("poll", "-c", config)
    assert ran.code == 1
    assert "output.after failed" in ran.out
    assert "ended with exit code 3: cannot push with " in ran.out
    assert "t0ken-value" not in ran.out
    first = told(tmp_path)
    assert "feeds/news.atom" in first
    (tmp_path / "hook.before").unlink()
    assert run("publish", "-c", config).code == 0
    assert set(told(tmp_path)) >= set(first)
    assert run("publish", "-c", config).code == 0
    health = (tmp_path / "output" / "feeds" / "health.atom").read_text("utf-8")
    assert "ended with exit code 3" in health
    assert "it ends well again" in health
    hook.unlink()
    (tmp_path / "a.xml").write_bytes(rss(("Two", "https://a.example/2")))
    ran = run("poll", "--all", "-c", config)
    assert (ran.code, "cannot be started: No such file" in ran.out) == (1, True)


def test_each_output_folder_has_its_own_program_told_of_it(tmp_path: Path) -> None:
    write_hook(tmp_path)
    config = project(tmp_path, "[./hook]")
    (tmp_path / "hook.before").write_text("cannot push", encoding="utf-8")
    assert run("poll", "-c", config).code == 1
    pending = set(told(tmp_path))
    (tmp_path / "hook.before").unlink()
    assert run("publish", "--set", "output.dir=other", "--set", "output.pages=false", "-c", config).code == 0
    assert "feeds/news.atom" in told(tmp_path)
    assert not [path for path in told(tmp_path) if path.endswith(".html")]
    assert run("publish", "-c", config).code == 0
    assert set(told(tmp_path)) >= pending


def git(*arguments: str | Path, folder: Path) -> str:
    ran = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return ran.stdout


PUSH = """#!/bin/sh
set -e
git add --all
git diff --cached --quiet || git -c user.name=feeds -c user.email=feeds@example.org commit --quiet -m "New items"
git push --quiet origin HEAD:main
"""


def files_in(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.relative_to(folder).parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_git_has_at_the_other_end_what_is_published(tmp_path: Path) -> None:
    bare, output = tmp_path / "bare.git", tmp_path / "output"
    git("init", "--quiet", "--bare", "--initial-branch=main", bare, folder=tmp_path)
    git("init", "--quiet", "--initial-branch=main", output, folder=tmp_path)
    git("remote", "add", "origin", bare, folder=output)
    write_hook(tmp_path, PUSH)
    config = project(tmp_path, "[./hook]", "One", "Two")
    assert run("poll", "-c", config).code == 0
    project(tmp_path, "[./hook]", "One", "Two", "Three")
    assert run("poll", "--all", "-c", config).code == 0
    git("clone", "--quiet", bare, "clone", folder=tmp_path)
    assert files_in(tmp_path / "clone") == files_in(output)
    assert b"Three" in files_in(output)["feeds/news.atom"]
    assert git("log", "--format=%s", folder=tmp_path / "clone").split("\n")[:-1] == ["New items"] * 2


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[Path]:
    """A file to which children of a hook write their numbers; none of these is left in the end."""
    pids = tmp_path / "pids"
    yield pids
    for pid in map(int, pids.read_text("utf-8").split()):
        until(
            lambda pid=pid: (
                not Path(f"/proc/{pid}").exists() or b"\nState:\tZ" in Path(f"/proc/{pid}/status").read_bytes()
            )
        )


@pytest.mark.parametrize("ending", ["wait", "exit 0", "sleep 60"])
def test_all_that_it_started_ends_with_it(tmp_path: Path, lonely: Path, ending: str) -> None:
    script = f"for n in 1 2 3; do sleep 60 & echo $! >> {lonely}; done; trap '' TERM; {ending}"
    began = time.monotonic()
    ended = run_hook(AfterPublish(run=("sh", "-c", script)), str(tmp_path), ["a"], seconds=1)
    assert time.monotonic() - began < 5
    assert ended.fault == ("" if ending == "exit 0" else "took too long and was ended")


def test_a_flood_is_cut(tmp_path: Path) -> None:
    before = time.process_time()
    ended = run_hook(AfterPublish(run=("yes", "x" * 1000)), str(tmp_path), ["a"], seconds=1)
    assert ended.fault == "took too long and was ended"
    assert len(ended.output) <= 301
    assert time.process_time() - before < 0.7


def test_what_is_published_during_a_run_is_told_by_the_next(tmp_path: Path) -> None:
    hook = write_hook(
        tmp_path, '#!/bin/sh\ntr "\\0" "," < "$FEEDHUB_CHANGED" >> "$0.told"\necho >> "$0.told"\nsleep 0.5\n'
    )
    config = project(tmp_path, "[./hook]")
    observer = RunAfterPublish(lambda text: text)
    with Hub(load_settings(str(config))) as hub:
        Path(hub.settings.output.dir).mkdir()
        observer.reloaded(hub)
        observer.published(PublishReport(written=("a",)))
        until(lambda: Path(f"{hook}.told").exists())
        observer.published(PublishReport(written=("b",)))
        observer.published(PublishReport(removed=("c",)))
        observer.close()
    assert Path(f"{hook}.told").read_text("utf-8").split() == ["a,", "b,c,"]


def test_only_the_main_file_names_a_program(tmp_path: Path) -> None:
    config = write_project(tmp_path, "  - {name: a, url: a.xml}\n", "include: [more.yaml]")
    (config.parent / "more.yaml").write_text("output: {after: [touch, /tmp/x]}\n", encoding="utf-8")
    ran = run("check", "-c", config)
    assert ran.code == 2
    assert "more.yaml:1:1: output:" in ran.out


def test_a_program_is_words_and_no_line_for_a_shell(tmp_path: Path) -> None:
    config = project(tmp_path, "git push && echo done")
    ran = run("check", "-c", config)
    assert (ran.code, "output.after" in ran.out) == (2, True)
