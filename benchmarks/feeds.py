"""Feeds for benchmarks: 60 KB, 30 entries, served from loopback by a process of its own."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from urllib.parse import parse_qs, urlsplit

ENTRIES = 30
_WORDS = (
    "market rates chips harbour council weather 经济 银行 半导体 市场 公司 城市 report season river library".split()
)


def feed_bytes(number: int, *, changed: int = 0) -> bytes:
    """Return feed ``number``; its first ``changed`` entries have another text."""
    entries = "".join(_entry(number, entry, changed=entry < changed) for entry in range(ENTRIES))
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0" '
        f'xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>Feed {number}</title>'
        f"<link>https://feed{number}.example/</link><description>A feed</description>{entries}</channel></rss>"
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


@contextmanager
def serving(count: int) -> Iterator[str]:
    """Serve feeds ``/0`` … and yield the address. ``?plain`` gives no validators, ``?changed=3`` another text."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, count), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection, count: int) -> None:
    bodies = {(number, 0): feed_bytes(number) for number in range(count)}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query, keep_blank_values=True)
            number, changed = int(parts.path[1:]), int(query.get("changed", ["0"])[0])
            body = bodies.get((number, changed)) or feed_bytes(number, changed=changed)
            etag = f'"{hashlib.md5(body).hexdigest()}"'
            same = "plain" not in query and self.headers.get("If-None-Match") == etag
            head = f"HTTP/1.1 {'304 Not Modified' if same else '200 OK'}\r\nContent-Type: application/rss+xml\r\n"
            if "plain" not in query:
                head += f"ETag: {etag}\r\n"
            head += "\r\n" if same else f"Content-Length: {len(body)}\r\n\r\n"
            self.wfile.write(head.encode() + (b"" if same else body))

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

    server = Server(("127.0.0.1", 0), Handler)
    pipe.send(server.server_address[1])
    server.serve_forever()
