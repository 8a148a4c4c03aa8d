"""Exit codes and error lines (SPEC §2), help, and where options may stand."""

import json
import logging
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path

import pytest

from feedhub.cli.main import exit_code, main
from feedhub.errors import FolderInUseError, PublishError
from support.cli_runs import rss, run, write_project
from support.server import Wire, serve, unused_port

COMMANDS = (
    "init check schema demo poll publish status preview explain discover import export search prune backup "
    "migrate-store".split()
)
FILE_SOURCE = "  - {name: local, url: in/feed.xml, category: news}\n"


def program(*arguments: str, cwd: Path | None = None, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "feedhub", *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )


def test_the_version_is_printed() -> None:
    assert run("--version").out == f"feedhub {version('feedhub')}\n"


def test_no_command_shows_the_help_and_is_misuse() -> None:
    ran = run()
    assert ran.code == 2
    assert ran.out == ""
    assert all(re.search(rf"^  {name} ", ran.err, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_ends_with_an_example(command: str) -> None:
    ran = run(command, "--help")
    assert ran.code == 0
    assert ran.out.splitlines()[-1].startswith(f"  Example: feedhub {command}")


def test_the_summary_of_every_command_fits_its_line() -> None:
    assert "..." not in run("--help").out.replace("[ARGS]...", "")


def test_help_loads_nothing_slow() -> None:
    code = "import sys; from feedhub.cli.main import main\ntry: main(['--help'])\nfinally: print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pydantic", "sqlalchemy", "requests", "feedparser", "lxml", "rich", "yaml"} & set(loaded)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        pytest.param(["pol"], "feedhub: No such command 'pol'. Did you mean 'poll'?", id="unknown command"),
        pytest.param(["poll", "--al"], "feedhub: No such option: --al", id="unknown option"),
        pytest.param(["explain"], "feedhub: Missing argument 'REF'.", id="missing argument"),
        pytest.param(["search", "x", "--limit", "0"], "--limit", id="limit of nothing"),
        pytest.param(["poll", "--all", "local"], "feedhub: give names of sources or --all, not both", id="both"),
    ],
)
def test_misuse_is_one_line_and_exit_2(arguments: list[str], line: str) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert line in ran.err
    assert ran.err.count("\n") == 1
    assert ran.out == ""


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    ran = run("status", "-c", tmp_path / "nowhere.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"{tmp_path}/nowhere.yaml: ")
    assert ran.err.count("\n") == 1


def test_every_problem_of_the_configuration_has_its_line(tmp_path: Path) -> None:
    config = write_project(tmp_path, "  - {name: a, url: ftp://example.org/x}\n  - {name: b, urll: x}\n")
    ran = run("poll", "-c", config)
    assert ran.code == 2
    places = re.findall(rf"^{re.escape(str(config))}:(\d+):\d+: sources\[(\d)\]\.", ran.err, re.MULTILINE)
    assert ("5", "0") in places
    assert ("6", "1") in places
    assert "did you mean" in ran.err.lower()
    checked = run("check", "-c", config)
    assert (checked.code, checked.out, checked.err) == (2, ran.err, "")


def test_check_json_lists_problems_with_their_places(tmp_path: Path) -> None:
    config = write_project(tmp_path, "  - {name: a, urll: in.xml}\n")
    ran = run("check", "--json", "-c", config)
    assert ran.code == 2
    (unknown,) = (problem for problem in ran.json if problem["key"] == "sources[0].urll")
    assert {"file": str(config), "line": 5, "column": 15}.items() <= unknown.items()
    assert "did you mean" in unknown["message"]
    unread = run("check", "--json", "-c", tmp_path / "gone.yaml")
    assert unread.json[0]["file"] == f"{tmp_path}/gone.yaml"
    assert (unread.json[0]["line"], unread.json[0]["key"]) == (0, "")


def test_check_counts_what_is_configured(tmp_path: Path) -> None:
    rule = "rules: [{name: r, when: {title: x}, then: {drop: true}}]"
    config = write_project(tmp_path, FILE_SOURCE, rule)
    ran = run("check", "-c", config)
    assert (ran.code, ran.out, ran.err) == (0, "ok: 1 source, 1 category, 1 rule\n", "")
    assert run("check", "--json", "-c", config).json == []


def test_options_may_stand_before_and_after_the_command(tmp_path: Path) -> None:
    config = str(write_project(tmp_path, FILE_SOURCE))
    before = run("-c", config, "--set", "site.title=Before", "export")
    after = run("export", "--config", config, "--set", "site.title=After")
    both = run("-c", "nowhere.yaml", "--set", "site.title=Before", "export", "-c", config, "--set", "site.title=After")
    assert "<title>Before</title>" in before.out
    assert "<title>After</title>" in after.out
    assert "<title>After</title>" in both.out


def test_a_bad_override_is_a_problem(tmp_path: Path) -> None:
    ran = run("check", "-c", write_project(tmp_path, FILE_SOURCE), "--set", "poll.timeout=soon", "--set", "nonsense")
    assert ran.code == 2
    assert "poll.timeout" in ran.out
    assert "KEY=VALUE" in ran.out


def test_the_configuration_comes_from_the_environment(tmp_path: Path) -> None:
    config = write_project(tmp_path, FILE_SOURCE)
    ran = program("check", cwd=tmp_path, FEEDHUB_CONFIG=str(config))
    assert (ran.returncode, ran.stdout) == (0, "ok: 1 source, 1 category, 0 rules\n")


def test_a_source_that_cannot_be_reached_is_exit_1_for_preview(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{unused_port()}/feed.xml"
    ran = run("preview", address, "-c", write_project(tmp_path, FILE_SOURCE))
    assert ran.code == 1
    assert "refused" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("command", ["preview", "discover"])
def test_an_error_names_the_address_and_not_its_password(tmp_path: Path, command: str) -> None:
    config = write_project(tmp_path, FILE_SOURCE)
    with serve({}) as server:
        address = server.url("/gone.xml")
        ran = run(command, address.replace("//", "//me:hunter2@"), "-c", config)
    assert (ran.code, ran.err) == (1, f"feedhub: {address}: 404 Not Found (there is nothing at this address)\n")


def test_verbose_adds_traceback_and_log_and_no_more(tmp_path: Path) -> None:
    config = write_project(tmp_path, FILE_SOURCE)
    quiet = run("preview", "nobody", "-c", config)
    loud = run("preview", "nobody", "-c", config, "-v")
    assert (quiet.code, loud.code) == (2, 2)
    assert "Traceback" not in quiet.err
    assert "Traceback" in loud.err
    assert loud.err.endswith(quiet.err)


def test_debug_log_goes_to_stderr_only_when_asked(tmp_path: Path) -> None:
    handlers = list(logging.getLogger().handlers)
    with serve({}) as server:
        config = write_project(tmp_path, FILE_SOURCE)
        quiet = run("preview", server.url("/x"), "-c", config)
        loud = run("-v", "preview", server.url("/x"), "-c", config)
    assert "DEBUG" not in quiet.err
    assert re.search(r"^DEBUG urllib3\S*: .*GET /x", loud.err, re.MULTILINE)
    assert logging.getLogger().handlers == handlers


def test_a_store_of_a_newer_schema_is_exit_3(tmp_path: Path) -> None:
    config = write_project(tmp_path, FILE_SOURCE)
    assert run("poll", "--no-publish", "-c", config).code == 1
    with sqlite3.connect(tmp_path / "var" / "feedhub.db") as store:
        tables = [name for (name,) in store.execute("select name from sqlite_master where type = 'table'")]
        migrations = next(name for name in tables if "migration" in name)
        columns = [row[1] for row in store.execute(f"pragma table_info({migrations})")]
        values = ", ".join("999" if index == 0 else column for index, column in enumerate(columns))
        store.execute(f"insert into {migrations} select {values} from {migrations} limit 1")
    store.close()
    ran = run("status", "-c", config)
    assert ran.code == 3
    assert "newer" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [["backup", "copy.db"], ["explain", "x"], ["search", "x"], ["prune"], ["publish"], ["serve"]],
    ids=lambda arguments: arguments[0],
)
def test_what_needs_a_store_names_the_one_that_is_missing_and_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    config = write_project(tmp_path, FILE_SOURCE)
    monkeypatch.chdir(tmp_path)
    ran = run(*arguments, "-c", config)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith(f"feedhub: no store yet at {tmp_path}/var/feedhub.db: ")
    assert ran.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["config"]


def test_health_without_a_store_says_that_no_daemon_runs(tmp_path: Path) -> None:
    ran = run("health", "-c", write_project(tmp_path, FILE_SOURCE))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"feedhub: no daemon runs: no store yet at {tmp_path}/var/feedhub.db")


def test_preview_and_status_make_no_store(tmp_path: Path) -> None:
    config = write_project(tmp_path, FILE_SOURCE)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "feed.xml").write_bytes(rss(("Story", "https://a.example/1")))
    assert "Story" in run("preview", "local", "-c", config).out
    assert run("status", "-c", config).code == 0
    assert not (tmp_path / "var").exists()


def test_a_held_store_is_exit_3(tmp_path: Path) -> None:
    config = write_project(tmp_path, FILE_SOURCE)
    (tmp_path / "var").mkdir()
    held = sqlite3.connect(tmp_path / "var" / "feedhub.db", isolation_level=None)
    held.execute("begin immediate")
    held.execute("create table t (x)")
    try:
        ran = run("poll", "-c", config)
    finally:
        held.close()
    assert (ran.code, ran.out) == (3, "")
    assert "in use" in ran.err
    assert str(tmp_path / "var" / "feedhub.db") in ran.err
    assert ran.err.count("\n") == 1


def test_a_folder_that_another_process_publishes_into_is_exit_3() -> None:
    assert exit_code(FolderInUseError("output: process 7 has been publishing into it")) == 3
    assert exit_code(PublishError("output: no permission")) == 1


def test_what_nobody_expected_is_one_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder is gone: nothing of ours foresees it."""
    doomed = tmp_path / "doomed"
    doomed.mkdir()
    monkeypatch.chdir(doomed)
    doomed.rmdir()
    quiet, loud = run("check"), run("check", "-v")
    assert (quiet.code, loud.code, quiet.out) == (1, 1, "")
    assert re.fullmatch(r"feedhub: unexpected error: FileNotFoundError: .*\(run with -v for details\)\n", quiet.err)
    assert loud.err.startswith("Traceback")
    assert loud.err.splitlines()[-1].startswith("feedhub: unexpected error: FileNotFoundError: ")


def test_secrets_are_masked_wherever_they_would_be_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cr3t-t0k3n")
    address = f"http://127.0.0.1:{unused_port()}/feed?key=${{TOKEN}}"
    source = f'  - {{name: keyed, url: "{address}", headers: {{Authorization: "Bearer ${{TOKEN}}"}}}}\n'
    config = write_project(tmp_path, source)
    for arguments in (["poll", "-v"], ["poll", "--all", "--json"], ["status"], ["status", "--json"], ["export"]):
        ran = run(*arguments, "-c", config)
        assert "s3cr3t" not in ran.out + ran.err, arguments
    assert "key=***" in run("status", "--json", "-c", config).json["sources"][0]["url"]


def test_who_stops_reading_gets_no_complaint(tmp_path: Path) -> None:
    config = write_project(tmp_path, "".join(f"  - {{name: s{n}, url: in/{n}.xml}}\n" for n in range(1500)))
    command = [sys.executable, "-m", "feedhub", "status", "-c", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as ran:
        assert ran.stdout is not None
        assert ran.stderr is not None
        ran.stdout.readline()
        ran.stdout.close()
        assert ran.stderr.read() == ""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGINT")
def test_an_interrupt_is_exit_130_without_traceback(tmp_path: Path) -> None:
    answer = threading.Event()

    def slow(wire: Wire) -> None:
        answer.wait(60)
        wire.answer(404)

    with serve({"/slow": slow}) as server:
        config = write_project(tmp_path, f"  - {{name: slow, url: '{server.url('/slow')}'}}\n")
        command = [sys.executable, "-m", "feedhub", "poll", "-c", str(config)]
        # A shell in the background starts what it runs deaf to interrupts, and that is inherited.
        hearing = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, **pipes, text=True, preexec_fn=hearing) as ran:
            deadline = time.monotonic() + 60
            while not server.log and time.monotonic() < deadline:
                time.sleep(0.02)
            assert server.log, "it has not begun in a minute"
            ran.send_signal(signal.SIGINT)
            time.sleep(0.2)
            answer.set()
            _, err = ran.communicate(timeout=60)
    assert ran.returncode == 130, err
    assert "Traceback" not in err


def test_output_into_a_closed_pipe_ends_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        with pytest.raises(SystemExit) as ended:
            main(["schema"])
    assert ended.value.code == 1


def test_output_that_cannot_show_chinese_gets_escapes(tmp_path: Path) -> None:
    config = write_project(tmp_path, FILE_SOURCE, "categories: {news: {title: 新闻}}")
    assert run("poll", "--no-publish", "-c", config).code == 1
    ran = program("status", "-c", str(config), PYTHONIOENCODING="ascii")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "  \\u65b0\\u95fb\n" in ran.stdout


def test_shells_complete_names_of_sources_and_categories(tmp_path: Path) -> None:
    config = str(write_project(tmp_path, "  - {name: wire, url: a.xml, category: world}\n"))
    for words, number, found in (("pause w", 2, ["wire"]), ("publish w", 2, ["world"]), ("pause x", 2, [])):
        ran = program(
            _FEEDHUB_COMPLETE="complete_bash",
            COMP_WORDS=f"feedhub {words}",
            COMP_CWORD=str(number),
            FEEDHUB_CONFIG=config,
        )
        assert ran.stdout.split() == found
        assert ran.stderr == ""


def test_shells_complete_commands() -> None:
    ran = program(_FEEDHUB_COMPLETE="complete_bash", COMP_WORDS="feedhub p", COMP_CWORD="1")
    assert ran.stdout.split() == ["poll", "publish", "preview", "pause", "prune"]


def test_the_schema_is_json() -> None:
    ran = run("schema")
    assert ran.code == 0
    assert "sources" in json.loads(ran.out)["properties"]
