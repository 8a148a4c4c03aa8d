"""feedhub installed as a service in a folder of its own, by the unit and the commands of docs/running.md.

systemd itself is played by a script: it runs the unit's ExecStart with the unit's environment.
"""

import configparser
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cli_runs import rss
from support.daemons import running, until

ROOT = Path(__file__).parent.parent.parent
SYSTEM_FOLDERS = re.compile(r"/(?=(?:opt|etc|var/lib)/feedhub\b)")
LINK = "https://news.example.org/1.html"
WITH_SET = "--set store=sqlite:////var/lib/feedhub/feedhub.db --set output.dir=/var/lib/feedhub/output"

SYSTEMCTL = """#!/bin/sh
set -e
case "$1" in
start)
    : > {root}/log
    set -a; {environment}; . {root}/etc/feedhub/environment; set +a
    {command} >> {root}/log 2>&1 &
    echo $! > {root}/pid
    until grep -q ' started' {root}/log; do kill -0 $! || {{ cat {root}/log >&2; exit 1; }}; sleep 0.05; done ;;
stop)
    kill -TERM $(cat {root}/pid)
    while kill -0 $(cat {root}/pid) 2>/dev/null; do sleep 0.05; done ;;
esac
"""
RUNUSER = '#!/bin/sh\nshift 3\nexec "$@"\n'


def _blocks(heading: str, language: str) -> list[str]:
    """The code blocks of one language in a chapter of the page."""
    chapter = (ROOT / "docs" / "running.md").read_text("utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", chapter, re.DOTALL)


class Installation:
    """The folders of the system below a folder of the test, and the two commands that the page uses beside ours."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("opt/feedhub/bin", "etc/feedhub", "var/lib/feedhub", "bin"):
            (root / folder).mkdir(parents=True)
        unit = configparser.RawConfigParser(strict=False, interpolation=None)
        unit.optionxform = str  # type: ignore[assignment]
        unit.read_string((ROOT / "config" / "feedhub.service").read_text("utf-8"))
        systemctl = SYSTEMCTL.format(
            root=root,
            command=self.here(unit["Service"]["ExecStart"]),
            environment=unit["Service"]["Environment"],
        )
        self._write("bin/systemctl", systemctl)
        self._write("bin/runuser", RUNUSER)
        self._write("opt/feedhub/bin/feedhub", f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m feedhub "$@"\n')
        self.feed(("First", LINK))

    def _write(self, name: str, script: str) -> None:
        path = self.root / name
        path.write_text(script, "utf-8")
        path.chmod(0o755)

    def here(self, text: str) -> str:
        """Put the folders of the system where they are in this installation."""
        return SYSTEM_FOLDERS.sub(f"{self.root}/", text)

    def feed(self, *items: tuple[str, str]) -> None:
        (self.root / "feed.xml").write_bytes(rss(*items))

    def configure(self, lines: str) -> None:
        """Write the configuration of the service; the feed's address is a secret of its environment."""
        config = (
            "site: {title: News, url: https://news.example.org}\npoll: {every: 1s, min: 1s}\n"
            f"{lines}sources:\n  - {{name: wire, url: '${{WIRE}}', category: news}}\n"
        )
        (self.root / "etc/feedhub/feedhub.yaml").write_text(self.here(config), "utf-8")
        (self.root / "etc/feedhub/environment").write_text(f"WIRE={self.root}/feed.xml\n", "utf-8")

    def until_published(self, title: str) -> None:
        feed = self.root / "var/lib/feedhub/output/feeds/news.atom"
        until(lambda: feed.exists() and f">{title}<" in feed.read_text("utf-8"))

    def run(self, script: str) -> str:
        """Run lines of the page as root would; every one of them must succeed."""
        environment = {**os.environ, "PATH": f"{self.root}/bin:{os.environ['PATH']}"}
        ran = subprocess.run(
            ["sh", "-ec", self.here(script)],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )
        assert ran.returncode == 0, (script, ran.stdout, ran.stderr)
        return ran.stdout


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path)
    yield installation
    if (tmp_path / "pid").exists():
        subprocess.run(["sh", "-c", f"kill -KILL $(cat {tmp_path}/pid) 2>/dev/null"], check=False)


def test_commands_beside_the_service_work_on_its_store(installed: Installation) -> None:
    (lines,) = _blocks("As a systemd service", "yaml")
    _, beside = _blocks("As a systemd service", "sh")
    (restore,) = _blocks("Backup and restore", "sh")
    installed.configure(lines)
    store, copy = (installed.root / "var/lib/feedhub" / name for name in ("feedhub.db", "monday.db"))
    setting, commands = beside.splitlines()[:2], beside.splitlines()[2:]

    before = installed.run("\n".join((*setting, commands[0])))
    assert before.startswith(f"no store yet at {store}: ")
    assert not store.exists()

    installed.run("systemctl start feedhub")
    installed.until_published("First")
    said = installed.run(beside)
    for facts in (r"wire +ok +1 ", f"store +sqlite:///{store}\n", f"{LINK}\n", "source wire", f"wrote {copy}"):
        assert re.search(facts, said), (facts, said)

    installed.feed(("Second", "https://news.example.org/2.html"))
    installed.until_published("Second")
    (installed.root / "feed.xml").unlink()
    installed.run("\n".join((*setting, restore)))
    restored = installed.run("\n".join((*setting, commands[0])))
    assert re.search(r"wire +\w+ +1 ", restored), restored
    installed.run("systemctl stop feedhub")


def test_a_unit_of_before_goes_on_working_and_the_daemon_warns(installed: Installation) -> None:
    installed.configure("")
    config = installed.root / "etc/feedhub/feedhub.yaml"
    sets = shlex.split(installed.here(WITH_SET))
    with running(config, *sets, environment={"WIRE": f"{installed.root}/feed.xml"}) as daemon:
        assert (installed.root / "var/lib/feedhub/feedhub.db").is_file()
        warnings = [one["event"] for one in daemon.events if one["level"] == "warning"]
        assert [re.findall(r"this (\S+):.*write (\S+): (\S+)", one) for one in warnings] == [
            [("store", "store", installed.here("sqlite:////var/lib/feedhub/feedhub.db"))],
            [("output.dir", "output.dir", installed.here("/var/lib/feedhub/output"))],
        ]


def test_sets_that_say_what_the_file_says_are_no_reason_to_warn(installed: Installation) -> None:
    installed.configure(_blocks("As a systemd service", "yaml")[0])
    config = installed.root / "etc/feedhub/feedhub.yaml"
    sets = shlex.split(installed.here(WITH_SET))
    with running(config, *sets, environment={"WIRE": f"{installed.root}/feed.xml"}) as daemon:
        assert [one["event"] for one in daemon.events if one["level"] == "warning"] == []
