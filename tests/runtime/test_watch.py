"""Files of the configuration are watched; what the system does not report is noticed a little later."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feedhub.runtime.config_loader import ConfigWatch


@contextmanager
def watching(*files: Path) -> Iterator[threading.Event]:
    saved = threading.Event()
    watch = ConfigWatch(saved.set)
    watch.follow(map(str, files))
    try:
        yield saved
    finally:
        watch.close()


@contextmanager
def written_all_the_time(file: Path) -> Iterator[None]:
    is_over = threading.Event()

    def write() -> None:
        with file.open("a") as stream:
            while not is_over.wait(0.05):
                print("a line", file=stream, flush=True)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def test_what_is_written_behind_a_link_is_noticed_also_beside_a_log(tmp_path: Path) -> None:
    behind, link = tmp_path / "elsewhere" / "feedhub.yaml", tmp_path / "feedhub.yaml"
    behind.parent.mkdir()
    behind.write_text("a")
    link.symlink_to(behind)
    with written_all_the_time(tmp_path / "log"), watching(link) as saved:
        assert not saved.wait(1.5)
        behind.write_text("b")
        assert saved.wait(20)
