import hashlib
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from feedhub.errors import DeadlineError, FetchError, RefusedAddressError, TooLargeError
from feedhub.fetch.fetcher import build_fetcher
from feedhub.fetch.local import LocalFetcher, Reads
from feedhub.model.document import Document, NotModified, Validators
from feedhub.model.source import PollSettings
from support.blocking import blocking_mount
from support.daemons import until
from support.fetching import ask
from support.responders import FEED, static
from support.server import LoopbackServer


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    path = tmp_path / "新闻 feed.xml"
    path.write_bytes(FEED)
    return path


def test_a_file_is_a_document(feed: Path) -> None:
    answer = LocalFetcher().fetch(ask(feed.as_uri()))
    assert isinstance(answer, Document)
    assert (answer.url, answer.body) == (feed.as_uri(), FEED)
    assert answer.digest == hashlib.sha256(FEED).hexdigest()
    assert answer.validators == Validators(etag=f"{feed.stat().st_mtime_ns}-{len(FEED)}")


def test_an_untouched_file_is_not_read_again(feed: Path) -> None:
    first = LocalFetcher().fetch(ask(feed.as_uri()))
    size, times = feed.stat().st_size, (feed.stat().st_atime_ns, feed.stat().st_mtime_ns)
    # Other bytes under the same time and size: only somebody who reads the file can notice.
    feed.write_bytes(b"x" * size)
    os.utime(feed, ns=times)
    second = LocalFetcher().fetch(ask(feed.as_uri(), validators=first.validators))
    assert isinstance(second, NotModified)
    assert second.validators == first.validators


@pytest.mark.parametrize("change", ["time", "size"])
def test_a_touched_file_is_read_again(feed: Path, change: str) -> None:
    first = LocalFetcher().fetch(ask(feed.as_uri()))
    times = (feed.stat().st_atime_ns, feed.stat().st_mtime_ns)
    if change == "time":
        os.utime(feed, ns=(times[0], times[1] + 1_000_000_000))
    else:
        feed.write_bytes(FEED + b"\n")
        os.utime(feed, ns=times)
    assert isinstance(LocalFetcher().fetch(ask(feed.as_uri(), validators=first.validators)), Document)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nothing.xml"
    with pytest.raises(FetchError) as caught:
        LocalFetcher().fetch(ask(path.as_uri()))
    assert str(caught.value) == f"no such file: {path}"


def test_a_folder_a_pipe_and_a_device_are_no_files(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe, Path("/dev/zero")):
        with pytest.raises(FetchError) as caught:
            LocalFetcher().fetch(ask(path.as_uri()))
        assert str(caught.value) == f"{path} is not a regular file"


def test_a_file_larger_than_the_limit_is_an_error(feed: Path) -> None:
    assert isinstance(LocalFetcher().fetch(ask(feed.as_uri(), max_size=len(FEED))), Document)
    with pytest.raises(TooLargeError, match=f"is larger than {len(FEED) - 1} bytes"):
        LocalFetcher().fetch(ask(feed.as_uri(), max_size=len(FEED) - 1))


def test_an_empty_file_is_an_error(feed: Path) -> None:
    feed.write_bytes(b"")
    with pytest.raises(FetchError, match=r"feed\.xml is empty$"):
        LocalFetcher().fetch(ask(feed.as_uri()))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_an_error(feed: Path) -> None:
    feed.chmod(0)
    with pytest.raises(FetchError, match="no permission to read"):
        LocalFetcher().fetch(ask(feed.as_uri()))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file://elsewhere/feed.xml", "a file on another machine cannot be read"),
        ("file:///" + "x" * 5_000, "cannot read"),
        ("file:///a%00b", "cannot read"),
    ],
    ids=["other machine", "long", "null"],
)
def test_an_address_that_is_no_path_is_an_error(url: str, words: str) -> None:
    with pytest.raises(FetchError, match=words):
        LocalFetcher().fetch(ask(url))


def test_one_fetcher_serves_files_and_http_and_nothing_else(server: LoopbackServer, feed: Path) -> None:
    server.routes["/feed"] = static()
    fetcher = build_fetcher(PollSettings(allow_private=("127.0.0.1",)), lambda: datetime.now(UTC))
    try:
        assert isinstance(fetcher.fetch(ask(feed.as_uri())), Document)
        assert isinstance(fetcher.fetch(ask(server.url("/feed"))), Document)
        with pytest.raises(RefusedAddressError):
            fetcher.fetch(ask("ftp://127.0.0.1/feed"))
        with pytest.raises(RefusedAddressError):
            fetcher.fetch(ask(str(feed)))
    finally:
        fetcher.close()


def test_a_file_whose_reading_blocks_ends_at_its_deadline_and_is_not_asked_again_meanwhile(
    tmp_path: Path, feed: Path
) -> None:
    fetcher = LocalFetcher()
    with blocking_mount(tmp_path / "gone"):
        address = (tmp_path / "gone" / "feed.xml").as_uri()
        began = time.monotonic()
        with pytest.raises(DeadlineError, match=r"feed.xml could not be read within 0.5 s"):
            fetcher.fetch(ask(address, timeout=0.5))
        assert time.monotonic() - began < 3
        before = threading.active_count()
        with pytest.raises(FetchError, match="an earlier attempt still waits for it"):
            fetcher.fetch(ask(address, timeout=0.5))
        assert threading.active_count() <= before
        assert isinstance(fetcher.fetch(ask(feed.as_uri())), Document)
    # The mount is gone, and with it what waited.
    until(lambda: "no such file" in _refusal(fetcher, address))


def _refusal(fetcher: LocalFetcher, address: str) -> str:
    with pytest.raises(FetchError) as caught:
        fetcher.fetch(ask(address))
    return str(caught.value)


def test_few_files_are_waited_for_at_once_also_by_the_next_fetcher(tmp_path: Path, feed: Path) -> None:
    reads = Reads()
    with blocking_mount(tmp_path / "gone"):
        addresses = [(tmp_path / "gone" / f"{number}.xml").as_uri() for number in range(9)]
        for address in addresses[:8]:
            with pytest.raises(DeadlineError):
                LocalFetcher(reads).fetch(ask(address, timeout=0.05))
        for address in (addresses[8], feed.as_uri()):
            with pytest.raises(FetchError, match="8 other files are still waited for"):
                LocalFetcher(reads).fetch(ask(address))
    until(lambda: isinstance(_answer(LocalFetcher(reads), feed), Document))


def _answer(fetcher: LocalFetcher, feed: Path) -> object:
    try:
        return fetcher.fetch(ask(feed.as_uri()))
    except FetchError as error:
        return error


def test_closing_ends_the_waiting_for_a_file(tmp_path: Path) -> None:
    fetcher = LocalFetcher()
    with blocking_mount(tmp_path / "gone"):
        threading.Timer(0.3, fetcher.close).start()
        began = time.monotonic()
        with pytest.raises(DeadlineError):
            fetcher.fetch(ask((tmp_path / "gone" / "feed.xml").as_uri(), timeout=30))
        assert time.monotonic() - began < 5
