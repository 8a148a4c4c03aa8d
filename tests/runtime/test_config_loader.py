"""A configuration is read under limits, in a process of its own, and one after the other."""

import queue
import threading
import time
from pathlib import Path

from feedhub.model.settings import Settings
from feedhub.runtime.config_loader import BackgroundLoad, ConfigLoader, Loaded, Unusable, unusable
from support.blocking import blocking_mount

SITE = "site: {title: T, url: https://example.org}\n"


def loaded(path: Path, timeout: float = 20.0, memory: int = 2 << 30) -> Settings | Unusable:
    return ConfigLoader(str(path), timeout=timeout, memory=memory).load()


def test_what_is_loaded_crosses_processes(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(SITE + "sources: [{name: a, url: x}]\nrules: [{name: r, when: {title: x}, then: {drop: true}}]")
    settings = loaded(path)
    assert isinstance(settings, Settings)
    assert [source.name for source in settings.sources] == ["a"]


def test_problems_cross_processes_and_the_first_hundred_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(f"{SITE}include: [gone.yaml]\nsources:\n" + "  - {}\n" * 1_000)
    outcome = loaded(path)
    assert isinstance(outcome, Unusable)
    assert (len(outcome.problems), outcome.count) == (100, 2_001)
    assert outcome.problems[0].line == 2
    assert set(outcome.files) == {str(path), str(tmp_path / "gone.yaml")}


def test_one_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(SITE + "include: [gone/f.yaml]")
    began = time.monotonic()
    with blocking_mount(tmp_path / "gone"):
        assert loaded(path, timeout=1.0) == unusable(str(path), "it took longer than 1 s")
    assert time.monotonic() - began < 15


def test_one_that_needs_too_much_memory_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(SITE + "x: [" + "[a], " * 1_000_000 + "a]")
    outcome = loaded(path, memory=300 << 20, timeout=55)
    assert isinstance(outcome, Unusable)
    assert str(outcome.problems[0]) in (
        f"{path}: cannot be used: it needs too much memory",
        f"{path}: cannot be used: MemoryError",
        f"{path}: cannot be used: its process died; it may need too much memory",
    )


def test_loading_that_is_ended_is_no_configuration(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(SITE + "include: [gone/f.yaml]")
    loader = ConfigLoader(str(path))
    outcomes: list[Settings | Unusable] = []
    with blocking_mount(tmp_path / "gone"):
        thread = threading.Thread(target=lambda: outcomes.append(loader.load()))
        thread.start()
        time.sleep(1.0)
        loader.close()
        thread.join(20)
    assert outcomes == [unusable(str(path), "it was stopped")]


def test_what_is_asked_for_meanwhile_is_loaded_once_more_and_only_that_is_told() -> None:
    may_end, began, put = threading.Semaphore(0), threading.Semaphore(0), []
    told = threading.Event()

    def load() -> Unusable:
        began.release()
        assert may_end.acquire(timeout=20)
        return unusable("f.yaml", "for this test")

    def tell(one: Loaded) -> None:
        put.append(one.reason)
        told.set()

    background = BackgroundLoad(load, tell)
    background.start("first")
    assert began.acquire(timeout=20)
    for reason in ("second", "third"):
        background.start(reason)
    may_end.release(2)
    assert told.wait(20)
    assert put == ["third"]
    may_end.release()
    told.clear()
    background.start("fourth")
    assert told.wait(20)
    assert put == ["third", "fourth"]


def test_loading_that_fails_in_a_way_nobody_foresaw_is_no_configuration_and_the_next_is_loaded() -> None:
    outcomes: queue.SimpleQueue[Loaded] = queue.SimpleQueue()

    def load() -> Unusable:
        raise OSError("no process can be started")

    background = BackgroundLoad(load, outcomes.put)
    for _ in range(2):
        background.start("again")
        outcome = outcomes.get(timeout=20).outcome
        assert isinstance(outcome, Unusable)
        assert outcome.problems[0].message == "cannot be used: OSError: no process can be started"
