"""``notify:``: people are told of what is new, once, over a real connection to a service on this machine."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from feedhub.model.report import PublishReport
from feedhub.runtime.hub import Hub, utc_now
from feedhub.runtime.notifications import NotifyAfterPublish, notify_of_new
from feedhub.runtime.plugins import load_settings
from support.cli_runs import Ran, rss, run, write_project
from support.daemons import until
from support.server import LoopbackServer, Wire, serve

TOKEN = "s3cr3t-t0ken"


class Desk:
    """A configuration that tells one target, and the service that the target is told by."""

    def __init__(self, folder: Path, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.server = server
        self.answers: list[Callable[[Wire], None]] = []
        server.routes["*"] = self.answer
        monkeypatch.setenv("DESK", server.url(f"/{TOKEN}").replace("http:", "json:"))
        self.tells("{to: '${DESK}', categories: [tech], health: true, every: 1h}")

    def tells(self, target: str) -> None:
        """Write the configuration with this target."""
        rules = "rules:\n  - {name: no advertising, when: {title: Advertising}, then: {drop: true}}\n"
        self.config = write_project(
            self.folder,
            "  - {name: a, url: a.xml, category: tech}\n",
            f"{rules}output: {{pages: false}}\nnotify: {{desk: {target}}}",
        )

    def offers(self, *titles: str, publish: bool = True) -> Ran:
        """Let the source offer these items, and poll it."""
        now = format_datetime(utc_now())
        items = "".join(
            f"<item><title>{title}</title><link>https://a.example/{title}</link><pubDate>{now}</pubDate></item>"
            for title in titles
        )
        feed = f"<rss version='2.0'><channel><title>A feed</title>{items}</channel></rss>"
        (self.folder / "a.xml").write_text(feed, "utf-8")
        return run("poll", "--all", *([] if publish else ["--no-publish"]), "-c", self.config)

    def answer(self, wire: Wire) -> None:
        """Answer as the next of ``answers`` does, or take the message."""
        (self.answers.pop(0) if self.answers else (lambda wire: wire.answer(200, b"{}")))(wire)

    @property
    def told(self) -> list[str]:
        """The texts of all messages that came."""
        return [json.loads(one.body)["message"] for one in self.server.log]

    def store(self, question: str) -> str:
        with sqlite3.connect(self.folder / "var" / "feedhub.db") as store:
            return str(store.execute(question).fetchall())


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with serve({}) as server:
        yield Desk(tmp_path, server, monkeypatch)


def test_new_items_are_told_once_and_the_address_nowhere(desk: Desk) -> None:
    assert desk.offers("One").code == 0
    assert desk.told == [], "what was there before is no news"
    ran = desk.offers("One", "Two", "Advertising", "Three")
    assert ran.code == 0, ran.out
    assert desk.told == ["Two (A feed)\nhttps://a.example/Two\n\nThree (A feed)\nhttps://a.example/Three"]
    assert json.loads(desk.server.log[0].body)["title"] == "Test: 2 new"
    assert desk.offers("One", "Two", "Three").code == 0
    assert desk.offers("One", "Two", "Three", "Four").code == 0
    assert len(desk.told) == 1, "the next message has to wait for an hour"
    for command in (("status",), ("check",), ("log",), ("explain", "Two"), ("poll", "-v", "--all")):
        ran = run(*command, "-c", desk.config)
        assert TOKEN not in ran.out + ran.err
    kept = [path for path in desk.folder.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert kept == []


def test_a_refusal_is_tried_again_with_what_is_new_meanwhile(desk: Desk) -> None:
    desk.offers("One")
    desk.answers = [lambda wire: wire.answer(503)]
    ran = desk.offers("One", "Two")
    assert ran.code == 1
    assert "notify.desk failed: the service answered 503; it is tried again" in " ".join(ran.out.split())
    desk.offers("One", "Two", "Three")
    assert len(desk.told) == 1
    with Hub(load_settings(str(desk.config))) as hub:
        telling = notify_of_new(hub.store, hub.settings, utc_now() + timedelta(hours=2))
        assert telling.faults == []
        first, second, _ = desk.told[1].split("\n\n")
        assert (first.split()[0], second.split()[0]) == ("Two", "Three")
        assert "notify.desk: what is new was not told: the service answered 503" in desk.told[1]
        notify_of_new(hub.store, hub.settings, utc_now() + timedelta(hours=4))
        assert desk.told[2:] == ["notify.desk: what is new is told again"]
        notify_of_new(hub.store, hub.settings, utc_now() + timedelta(hours=6))
        assert len(desk.told) == 3


def test_a_message_is_noted_before_it_is_sent_and_not_sent_again_after_an_unknown_end(desk: Desk) -> None:
    noted: list[str] = []

    def vanish(wire: Wire) -> None:
        noted.append(desk.store("SELECT value FROM meta WHERE key = 'note:notify.desk'"))
        wire.reset()

    desk.offers("One")
    desk.answers = [vanish]
    ran = desk.offers("One", "Two")
    assert "may have arrived; it is not sent again" in " ".join(ran.out.split())
    assert noted == ["[('[2, 0, {}, 0, null, true]',)]"]
    with Hub(load_settings(str(desk.config))) as hub:
        notify_of_new(hub.store, hub.settings, utc_now() + timedelta(hours=2))
    assert not any("Two" in text for text in desk.told[1:])


def test_one_that_was_cut_off_while_it_was_sending_is_told_and_not_sent_again(desk: Desk) -> None:
    desk.offers("One")
    with Hub(load_settings(str(desk.config))) as hub:
        with hub.store.transaction() as transaction:
            transaction.set_note("notify.desk", "[1, 0, {}, 0, null, true]")
        telling = notify_of_new(hub.store, hub.settings, utc_now())
    assert [fault for _, fault in telling.faults] == [
        "was cut off while it was sending, so the message may have arrived"
    ]
    assert desk.told == []


def test_who_is_told_of_rules_alone_gets_what_they_hold_for(desk: Desk) -> None:
    desk.tells("{to: '${DESK}', rules: [gold], every: 1s}")
    rule = "rules:\n  - {name: gold, when: {title: Gold}, then: {tag: gold}}\n"
    desk.config.write_text(desk.config.read_text("utf-8").replace("rules:\n", rule), encoding="utf-8")
    desk.offers("One")
    desk.offers("One", "Silver", "Gold")
    assert desk.told == ["Gold (A feed)\nhttps://a.example/Gold"]


def test_a_digest_is_told_once_when_its_day_has_ended(desk: Desk) -> None:
    desk.tells("{to: '${DESK}', digests: [tech], every: 1s}")
    digest = "categories: {tech: {digest: {at: '23:00'}}}\nrules:\n"
    desk.config.write_text(desk.config.read_text("utf-8").replace("rules:\n", digest), encoding="utf-8")
    assert run("poll", "--all", "--no-publish", "-c", desk.config).code == 1, "there is no file yet"
    end = datetime(2026, 1, 2, 15, tzinfo=UTC)  # 23:00 in Shanghai; the items are of 8:00 on days in a row
    with Hub(load_settings(str(desk.config))) as hub:
        notify_of_new(hub.store, hub.settings, end - timedelta(days=1))
        (desk.folder / "a.xml").write_bytes(rss(*((title, f"https://a.example/{title}") for title in ("One", "Two"))))
        assert run("poll", "--all", "--no-publish", "-c", desk.config).code == 0
        for moment in (end - timedelta(seconds=1), end, end - timedelta(days=1), end + timedelta(hours=23)):
            notify_of_new(hub.store, hub.settings, moment)
    assert [json.loads(one.body)["title"] for one in desk.server.log] == ["Test: tech 2026-01-02 (1)"]
    assert desk.told == ["Two (A feed)\nhttps://a.example/Two"]


def test_the_daemon_tells_what_is_new_once_it_is_published(desk: Desk) -> None:
    desk.offers("One")
    desk.offers("One", "Two", publish=False)
    observer = NotifyAfterPublish(lambda text: text, pause=0.05)
    with Hub(load_settings(str(desk.config))) as hub:
        observer.reloaded(hub)
        observer.published(PublishReport())
        until(lambda: len(desk.told) == 1)
        observer.close()
    assert "Two" in desk.told[0]


def test_it_can_be_tried(desk: Desk) -> None:
    ran = run("notify", "test", "-c", desk.config)
    assert (ran.code, ran.out) == (0, "desk: sent\n")
    desk.answers = [lambda wire: wire.answer(401)]
    ran = run("notify", "test", "desk", "-c", desk.config)
    assert (ran.code, ran.out) == (1, "desk: refused: the service answered 401\n")
    ran = run("notify", "test", "dekc", "-c", desk.config)
    assert (ran.code, ran.err) == (2, 'feedhub: notify names no "dekc"; did you mean "desk"?\n')
