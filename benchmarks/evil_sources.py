"""Evil sources for the benchmark, served from loopback by a process of their own."""

import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection

_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nConnection: close\r\n"
_START = '<rss version="2.0"><channel><title>Evil</title>'
_END = "</channel></rss>"


def _whole(write: Callable[[bytes], object], body: bytes, headers: str = "") -> None:
    write(f"{_HEAD}{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def gzip_bomb(write: Callable[[bytes], object]) -> None:
    """5 GB of blanks in 5 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    blank = b" " * 10_000_000
    write(f"{_HEAD}Content-Encoding: gzip\r\n\r\n".encode())
    write(packer.compress(_START.encode()))
    for _ in range(500):
        write(packer.compress(blank))


def endless(write: Callable[[bytes], object]) -> None:
    """A body that never ends, as fast as it goes."""
    write(f"{_HEAD}\r\n{_START}".encode())
    while True:
        write(b"<item><title>x</title></item>" * 2_000)


def drip(write: Callable[[bytes], object]) -> None:
    """One byte a second."""
    for byte in f"{_HEAD}\r\n{_START}".encode():
        write(bytes((byte,)))
        time.sleep(1)


def drip_body(write: Callable[[bytes], object]) -> None:
    """Good headers, and then one byte a second."""
    write(f"{_HEAD}\r\n".encode())
    for byte in (_START * 100).encode():
        write(bytes((byte,)))
        time.sleep(1)


def entries(write: Callable[[bytes], object]) -> None:
    """100,000 entries."""
    items = "".join(
        f"<item><title>Entry {n}</title><guid>{n}</guid><link>http://e.example/{n}</link></item>"
        for n in range(100_000)
    )
    _whole(write, f"{_START}{items}{_END}".encode())


def author(write: Callable[[bytes], object]) -> None:
    """Authors that feedparser's own pattern takes hours for."""
    items = "".join(f"<item><title>{n}</title><author>{'a' * 48_000}</author></item>" for n in range(100))
    _whole(write, f"{_START}{items}{_END}".encode())


def deep(write: Callable[[bytes], object]) -> None:
    """A million nested elements."""
    _whole(write, f"{_START}<item><title>x</title>{'<a>' * 1_000_000}".encode())


def deep_markup(write: Callable[[bytes], object]) -> None:
    """Well-formed, and deep in its markup."""
    items = "".join(
        f"<item><title>{n}</title><description>{'&lt;b&gt;' * 9_000}</description></item>" for n in range(100)
    )
    _whole(write, f"{_START}{items}{_END}".encode())


def ampersands(write: Callable[[bytes], object]) -> None:
    """Nine texts of a million bare ampersands, each of which costs the sanitiser 22 s."""
    items = "".join(
        f"<item><title>{n}</title><description><![CDATA[{'&' * 1_000_000}]]></description></item>" for n in range(9)
    )
    _whole(write, f"{_START}{items}{_END}".encode())


def entities(write: Callable[[bytes], object]) -> None:
    """A billion laughs."""
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    _whole(write, f'<!DOCTYPE rss [<!ENTITY l0 "ha">{levels}]>{_START}<item><title>&l9;</title></item>{_END}'.encode())


def headers(write: Callable[[bytes], object]) -> None:
    """Header fields without end."""
    write(b"HTTP/1.1 200 OK\r\n")
    while True:
        write(b"X-Evil: " + b"x" * 60_000 + b"\r\n")


def interim(write: Callable[[bytes], object]) -> None:
    """Interim answers without end."""
    while True:
        write(b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000)


EVIL = {
    "gzip bomb": gzip_bomb,
    "endless body": endless,
    "drip": drip,
    "drip body": drip_body,
    "100000 entries": entries,
    "author": author,
    "deep xml": deep,
    "deep markup": deep_markup,
    "ampersands": ampersands,
    "entities": entities,
    "headers": headers,
    "interim answers": interim,
}


@contextmanager
def serving_evil() -> Iterator[str]:
    """Serve each kind under its name, and yield the address."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with suppress(OSError):
                EVIL[self.path[1:].replace("%20", " ")](self.wfile.write)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    pipe.send(server.server_address[1])
    server.serve_forever()
