"""Answers for ``support.server``: each function returns what is put into ``routes``."""

import gzip
import itertools
import select
import socket
import threading
import zlib
from collections.abc import Iterable

import brotli

from support.server import Responder, Wire

try:
    from compression import zstd
except ImportError:
    from backports import zstd

FEED = (
    b'<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>Loopback</title>'
    b"<link>http://example.org/</link><description>d</description>"
    b"<item><title>One</title><link>http://example.org/1</link><guid>1</guid></item></channel></rss>"
)
XML = "application/rss+xml"

Pairs = tuple[tuple[str, str], ...]


def static(
    body: bytes = FEED,
    *,
    content_type: str | None = XML,
    etag: str | None = None,
    last_modified: str | None = None,
    headers: Pairs = (),
) -> Responder:
    """A good answer, and 304 for a request that holds one of the given validators."""
    fields = (
        *((("Content-Type", content_type),) if content_type else ()),
        *((("ETag", etag),) if etag else ()),
        *((("Last-Modified", last_modified),) if last_modified else ()),
        *headers,
    )

    def respond(wire: Wire) -> None:
        is_known = etag is not None and wire.headers.get("If-None-Match") == etag
        is_old = last_modified is not None and wire.headers.get("If-Modified-Since") == last_modified
        if is_known or (is_old and etag is None):
            wire.answer(304, headers=fields)
        else:
            wire.answer(200, body, fields)

    return respond


def sequence(*responders: Responder) -> Responder:
    """One after the other; the last one stays."""
    lock = threading.Lock()
    numbers = itertools.count()

    def respond(wire: Wire) -> None:
        with lock:
            number = next(numbers)
        responders[min(number, len(responders) - 1)](wire)

    return respond


def status(code: int, body: bytes = b"", *, headers: Pairs = ()) -> Responder:
    """A bare status."""
    return lambda wire: wire.answer(code, body, headers)


def not_modified(*, headers: Pairs = ()) -> Responder:
    """304 whatever is asked."""
    return status(304, headers=headers)


def too_many(retry_after: str, *, code: int = 429) -> Responder:
    """Come back later."""
    return status(code, b"slow down", headers=(("Retry-After", retry_after),))


def redirect(target: str, code: int = 302, *, headers: Pairs = ()) -> Responder:
    """Go elsewhere."""
    return status(code, b"moved", headers=(("Location", target), *headers))


def chain(hops: int, end: Responder, *, code: int = 302, prefix: str = "/hop") -> dict[str, Responder]:
    """Routes ``/hop0`` … ``/hopN``: N redirects, then ``end``."""
    routes = {f"{prefix}{index}": redirect(f"{prefix}{index + 1}", code) for index in range(hops)}
    return {**routes, f"{prefix}{hops}": end}


def encode(body: bytes, coding: str) -> bytes:
    """``body`` in a content coding; ``raw-deflate`` is what many servers call deflate."""
    match coding:
        case "gzip":
            return gzip.compress(body, mtime=0)
        case "deflate":
            return zlib.compress(body)
        case "raw-deflate":
            stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
            return stream.compress(body) + stream.flush()
        case "br":
            return bytes(brotli.compress(body))
        case "zstd":
            return zstd.compress(body)
    raise AssertionError(coding)


def coded(body: bytes, coding: str, *, headers: Pairs = ()) -> Responder:
    """A body in a content coding."""
    name = coding.removeprefix("raw-")
    return status(200, encode(body, coding), headers=(("Content-Encoding", name), ("Content-Type", XML), *headers))


def cut(body: bytes, coding: str, *, keep: float = 0.5) -> Responder:
    """A compressed body that ends early, under a Content-Length that agrees with it."""
    data = encode(body, coding)
    return status(200, data[: int(len(data) * keep)], headers=(("Content-Encoding", coding.removeprefix("raw-")),))


def bomb(size: int = 200_000_000) -> Responder:
    """``size`` zero bytes as gzip, made and sent while it is read."""

    def respond(wire: Wire) -> None:
        wire.head(200, (("Content-Encoding", "gzip"), ("Connection", "close")))
        stream = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
        block = bytes(1_000_000)
        for _ in range(size // len(block)):
            wire.raw(stream.compress(block) + stream.flush(zlib.Z_SYNC_FLUSH))
        wire.raw(stream.flush())
        wire.hang_up()

    return respond


def chunked(parts: Iterable[bytes], *, ending: bytes = b"0\r\n\r\n", headers: Pairs = ()) -> Responder:
    """Chunks, closed by ``ending``: ``b""`` cuts the transfer, other bytes break the framing."""
    pieces = tuple(parts)

    def respond(wire: Wire) -> None:
        wire.head(200, (("Transfer-Encoding", "chunked"), ("Content-Type", XML), *headers))
        wire.raw(b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + ending)
        if ending != b"0\r\n\r\n":
            wire.hang_up()

    return respond


def short(body: bytes = FEED, *, missing: int = 10, with_reset: bool = False) -> Responder:
    """A Content-Length that is larger than what comes."""

    def respond(wire: Wire) -> None:
        wire.head(200, (("Content-Length", str(len(body) + missing)), ("Content-Type", XML)))
        wire.raw(body)
        if with_reset:
            wire.reset()
        wire.hang_up()

    return respond


def slow_headers(*, every: float = 0.05) -> Responder:
    """Header bytes one by one, for ever."""

    def respond(wire: Wire) -> None:
        wire.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nX-Slow: ")
        while not wire.stop.wait(every):
            wire.raw(b"x")

    return respond


def slow_body(body: bytes = FEED, *, every: float = 0.05) -> Responder:
    """A correct answer whose body comes byte by byte."""

    def respond(wire: Wire) -> None:
        wire.head(200, (("Content-Length", str(len(body))), ("Content-Type", XML)))
        for index in range(len(body)):
            if wire.stop.wait(every):
                return
            wire.raw(body[index : index + 1])

    return respond


def delayed(seconds: float, then: Responder) -> Responder:
    """Nothing for a while."""

    def respond(wire: Wire) -> None:
        if not wire.stop.wait(seconds):
            then(wire)

    return respond


def endless(block: bytes = b"x" * 65_536) -> Responder:
    """A body without end, as fast as it goes."""

    def respond(wire: Wire) -> None:
        wire.head(200, (("Content-Type", XML), ("Connection", "close")))
        while not wire.stop.is_set():
            wire.raw(block)

    return respond


def hang_up() -> Responder:
    """Close without a word."""
    return lambda wire: wire.hang_up()


def reset() -> Responder:
    """RST without a word."""
    return lambda wire: wire.reset()


def verbatim(data: bytes) -> Responder:
    """Any bytes, then close."""

    def respond(wire: Wire) -> None:
        wire.raw(data)
        wire.hang_up()

    return respond


def tunnel(host: str, port: int) -> Responder:
    """What a proxy does for CONNECT: bytes go to and fro until one side has had enough."""

    def respond(wire: Wire) -> None:
        with socket.create_connection((host, port)) as far:
            wire.head(200)
            near = wire.connection
            sides = {near: far, far: near}
            while not wire.stop.is_set():
                ready, _, _ = select.select([near, far], [], [], 0.05)
                for side in ready:
                    data = side.recv(65_536)
                    if not data:
                        wire.hang_up()
                        return
                    sides[side].sendall(data)

    return respond
