"""Feeds for benchmarks: 60 KB, 30 entries, served from loopback by a process of its own; others of plain text."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from urllib.parse import urlsplit
from urllib.request import urlopen

ENTRIES = 30
_WORDS = (
    "market rates chips harbour council weather 经济 银行 半导体 市场 公司 城市 report season river library".split()
)


def feed_bytes(number: int, *, changed: int = 0, built: int = 0, new: int = 0) -> bytes:
    """Return feed ``number`` with ``new`` more entries; its first ``changed`` ones have another text.

    ``built`` is the minute it was made.
    """
    entries = "".join(_entry(number, entry, changed=entry < changed) for entry in range(-new, ENTRIES))
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0" '
        f'xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>Feed {number}</title>'
        f"<link>https://feed{number}.example/</link><description>A feed</description>"
        f"<lastBuildDate>Wed, 29 May 2024 12:{built % 60:02}:00 GMT</lastBuildDate>{entries}</channel></rss>"
    ).encode()


def _entry(number: int, entry: int, *, changed: bool) -> str:
    draw = random.Random(f"{number}/{entry}")
    words = " ".join(draw.choice(_WORDS) for _ in range(200))
    day, hour = 1 + entry % 28, draw.randrange(24)
    body = (
        f'<p class="lead"><a href="/story/{entry}">{words[:90]}</a></p><p>{words}</p>'
        f'<img src="/img/{entry}.jpg" alt=""><script>track({entry})</script>'
    )
    return (
        f"<item><title>Story {entry} of feed {number}{', corrected' if changed else ''}</title>"
        f"<link>https://feed{number}.example/story/{entry}?utm_source=rss</link><guid>{number}-{entry}</guid>"
        f"<pubDate>Wed, {day:02} May 2024 {hour:02}:00:00 GMT</pubDate>"
        f"<description>{words[:120]}</description><content:encoded><![CDATA[{body}]]></content:encoded></item>"
    )


WORDS = "The ferry left at dawn with forty passengers and a crate of oysters, bound for the island. "
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def entry(category: int, number: int, minutes: int) -> str:
    """Return one record of about 1.6 KB."""
    link = f"https://c{category}.example/{number}"
    date = format_datetime(NOW - timedelta(minutes=minutes))
    text = f"&lt;p&gt;{WORDS * 8}&lt;/p&gt;&lt;p&gt;{WORDS * 8}&lt;/p&gt;"
    return (
        f"<item><title>Story {number} of {category}</title><link>{link}</link><guid>{link}</guid>"
        f"<pubDate>{date}</pubDate><description>{text}</description></item>"
    )


def document(category: int, entries: str) -> str:
    """Return a feed of RSS."""
    head = f"<title>Source {category}</title><link>https://c{category}.example/</link><description>x</description>"
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{head}{entries}</channel></rss>'


@dataclass(frozen=True, slots=True)
class Site:
    """The feeds are at ``/0``, ``/1``…; those under ``/plain/`` come without validators."""

    address: str

    def become(self, *, changed: int = 0, every: int = 1, built: int = 0, new: int = 0) -> None:
        """Change ``changed`` entries of one feed in ``every`` and add ``new`` to it; change the build date of all."""
        with urlopen(f"{self.address}/become/{changed}/{every}/{built}/{new}") as answer:
            answer.read()

    def asked(self) -> int:
        """Return how many times feeds were asked for since the last call."""
        with urlopen(f"{self.address}/asked") as answer:
            return int(answer.read())


@contextmanager
def serving(count: int) -> Iterator[Site]:
    """Serve ``count`` feeds."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, count), daemon=True)
    process.start()
    try:
        yield Site(f"http://127.0.0.1:{here.recv()}")
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection, count: int) -> None:
    bodies: dict[int, tuple[bytes, str]] = {}
    asked: list[int] = []

    def become(changed: int, every: int, built: int, new: int) -> None:
        for number in range(count):
            is_other = number % every == 0
            body = feed_bytes(number, changed=changed * is_other, built=built, new=new * is_other)
            bodies[number] = body, f'"{hashlib.md5(body).hexdigest()}"'

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            *folder, name = urlsplit(self.path).path.strip("/").split("/")
            if folder[:1] == ["become"]:
                become(*map(int, (*folder[1:], name)))
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                return
            if name == "asked":
                count = str(len(asked)).encode()
                asked.clear()
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(count), count))
                return
            asked.append(int(name))
            body, etag = bodies[int(name)]
            is_same = not folder and self.headers.get("If-None-Match") == etag
            head = f"HTTP/1.1 {'304 Not Modified' if is_same else '200 OK'}\r\nContent-Type: application/rss+xml\r\n"
            head += "" if folder else f"ETag: {etag}\r\n"
            head += "\r\n" if is_same else f"Content-Length: {len(body)}\r\n\r\n"
            self.wfile.write(head.encode() + (b"" if is_same else body))

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

    become(0, 1, 0, 0)
    server = Server(("127.0.0.1", 0), Handler)
    pipe.send(server.server_address[1])
    server.serve_forever()
