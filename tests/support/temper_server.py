"""Three hundred feeds of mixed temper on sixty loopback hosts, in a process of its own.

Run as a script: ``temper_server.py LOG SOURCES``. It prints the port, then serves until it is killed. LOG gets a JSON
line for every request when it is over: when it came, what was asked, what was given.
"""

import asyncio
import email.utils
import json
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

TEMPERS = (
    "steady",
    "busy",
    "quiet",
    "copy",
    "slow",
    "flapping",
    "too_many",
    "unavailable",
    "gone",
    "moved",
    "redirected",
    "silent",
    "drip",
    "cut",
    "hang_up",
)
# A feed of each of these is asked by another address of the same server, so that a host has many sources.
PER_HOST = 5
KEPT = 400
# Seconds between two new items.
PACES = {"busy": 4.0, "steady": 15.0, "slow": 20.0, "flapping": 15.0, "too_many": 15.0, "unavailable": 15.0}
NEVER_A_FEED = frozenset({"silent", "drip", "cut"})
RETRY_SECONDS = 8
# Linux's numbers: the socket option, and the place in TCP_INFO of the milliseconds since the last acknowledgement.
_SO_TIMESTAMPNS = 35
_LAST_ACK_RECEIVED = 56


def host_of(number: int) -> str:
    return f"127.1.{number // PER_HOST // 200}.{number // PER_HOST % 200 + 1}"


def temper_of(number: int) -> str:
    return TEMPERS[(number // PER_HOST + number) % len(TEMPERS)]


@dataclass
class Feed:
    """One feed and what it remembers."""

    number: int
    asked: int = 0

    @property
    def temper(self) -> str:
        return temper_of(self.number)

    def holds(self, age: float) -> tuple[int, int]:
        """Return whose stories the feed brings, and how many there are ``age`` seconds after the start."""
        # A copy brings those of the feed before it.
        number = self.number - 1 if self.temper == "copy" and self.number else self.number
        pace = PACES.get(temper_of(number))
        return number, 3 + int(age / pace) if pace else 3


@dataclass
class Server:
    log: TextIO
    feeds: dict[int, Feed] = field(default_factory=dict)
    started: float = field(default_factory=time.time)
    end_of_news: float = float("inf")

    async def connected(self, sock: socket.socket) -> None:
        """Answer one request; who hangs up meanwhile is not served any more."""
        entry: dict[str, Any] = {"host": sock.getsockname()[0]}
        # asyncio closes its own end as soon as the other one is cut off; this one still tells when that was.
        ours = sock.dup()
        try:
            head, entry["at"] = await read_head(sock)
            reader, writer = await asyncio.open_connection(sock=sock)
            answering = asyncio.ensure_future(self.answer(head.decode("latin-1"), writer, entry))
            leaving = asyncio.ensure_future(reader.read(1))
            done, _ = await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if leaving in done and answering not in done:
                entry["over"] = last_heard(ours)
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)
            writer.close()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            sock.close()
            ours.close()
            if "path" in entry:
                # The moment from which the client may have had all that it gets.
                self.log.write(json.dumps({"over": entry["at"], **entry}) + "\n")
                self.log.flush()

    async def answer(self, head: str, writer: Any, entry: dict[str, Any]) -> None:
        lines = head.split("\r\n")
        path = lines[0].split(" ")[1]
        pairs = (line.partition(":") for line in lines[1:] if line)
        headers = {field.lower(): value.strip() for field, _, value in pairs}
        entry |= {"path": path, "agent": headers.get("user-agent", ""), "etag": headers.get("if-none-match")}
        name = path.strip("/").split("/")
        feed = self.feeds.setdefault(int(name[-1]), Feed(int(name[-1])))
        feed.asked += 1
        temper = feed.temper
        if temper == "silent":
            await asyncio.sleep(60)
            entry["over"] = time.time()
            return
        if temper == "hang_up" and feed.asked % 2:
            entry |= {"status": "hung up", "over": time.time()}
            return
        if temper == "slow":
            await asyncio.sleep(0.8)
        status, more = self.status(feed, path)
        if status != 200:
            entry["status"] = status
            entry |= {"retry": more["Retry-After-At"]} if "Retry-After-At" in more else {}
            more.pop("Retry-After-At", None)
            await send(writer, entry, status, more, b"sorry")
            return
        await self.document(feed, headers, writer, entry)

    def status(self, feed: Feed, path: str) -> tuple[int, dict[str, Any]]:
        now = time.time()
        match feed.temper:
            case "flapping" if feed.asked % 4 in (2, 3):
                return 500, {}
            case "too_many" if feed.asked % 3 == 0:
                return 429, {"Retry-After": RETRY_SECONDS, "Retry-After-At": now + RETRY_SECONDS}
            case "unavailable" if feed.asked % 3 == 0:
                at = int(now + RETRY_SECONDS + 1)
                return 503, {"Retry-After": email.utils.formatdate(at, usegmt=True), "Retry-After-At": at}
            case "gone" if feed.asked > 4:
                return 410, {}
            case "moved" if path.startswith("/feed/"):
                return 301, {"Location": f"/new/{feed.number}"}
            case "redirected" if path.startswith("/feed/"):
                return 302, {"Location": f"/new/{feed.number}"}
        return 200, {}

    async def document(self, feed: Feed, headers: dict[str, str], writer: Any, entry: dict[str, Any]) -> None:
        number, count = feed.holds(self.age)
        etag = f'"{number}-{count}"'
        body = document(number, count)
        match feed.temper:
            case "cut":
                entry["status"] = "cut"
                await send(writer, entry, 200, {"ETag": etag}, body, whole=False)
            case "drip":
                entry["status"] = "drip"
                await drip(writer, body)
            case _ if headers.get("if-none-match") == etag:
                entry["status"] = 304
                await send(writer, entry, 304, {"ETag": etag}, b"")
            case _:
                await send(writer, entry, 200, {"ETag": etag, "Content-Type": "application/rss+xml"}, body)
                entry |= {"status": 200, "given": etag}

    @property
    def age(self) -> float:
        return min(time.time(), self.end_of_news) - self.started


def document(number: int, count: int) -> bytes:
    first = max(0, count - KEPT)
    items = "".join(
        f"<item><title>source {number} item {item}</title><link>https://s{number}.example/{item}</link>"
        f"<guid>s{number}-{item}</guid><description>{'text of a story ' * 8}{item}</description></item>"
        for item in reversed(range(first, count))
    )
    return (
        f'<?xml version="1.0"?><rss version="2.0"><channel><title>Source {number}</title>'
        f"<link>https://s{number}.example/</link><description>d</description>{items}</channel></rss>"
    ).encode()


async def read_head(sock: socket.socket) -> tuple[bytes, float]:
    """Return the head of a request, and when the kernel got its last part: this process may have waited since.

    Raises:
        ConnectionError: nothing came, or too much.
    """
    head, at = b"", 0.0
    while not head.endswith(b"\r\n\r\n"):
        await readable(sock)
        part, told, _, _ = sock.recvmsg(65_536, 64)
        head += part
        if not part or len(head) > 65_536:
            raise ConnectionError
        for level, kind, data in told:
            if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
                seconds, nanoseconds = struct.unpack("qq", data)
                at = seconds + nanoseconds / 1e9
    # The kernel begins to note times a moment after it was asked to.
    return head, at or time.time()


async def readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    has_come = loop.create_future()
    loop.add_reader(sock, has_come.set_result, None)
    try:
        await has_come
    finally:
        loop.remove_reader(sock)


def last_heard(sock: socket.socket) -> float:
    """Return when the client hung up, by the kernel: to the tick, 4 to 10 ms."""
    while True:
        now = time.time()
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        # Not if somebody else had the processor between the two clocks.
        if time.time() - now < 0.001:
            return now - float(struct.unpack_from("I", info, _LAST_ACK_RECEIVED)[0]) / 1000


async def send(
    writer: Any, entry: dict[str, Any], status: int, headers: dict[str, Any], body: bytes, *, whole: bool = True
) -> None:
    lines = [f"HTTP/1.1 {status} x", "Connection: close", f"Date: {email.utils.formatdate(usegmt=True)}"]
    if status != 304:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    entry["over"] = time.time()
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (body if whole else body[: len(body) // 2]))
    await writer.drain()


async def drip(writer: Any, body: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
    for place in range(120):
        writer.write(body[place : place + 1])
        await writer.drain()
        await asyncio.sleep(0.5)


def listen(host: str, port: int) -> socket.socket:
    listener = socket.create_server((host, port), backlog=128)
    listener.setblocking(False)
    listener.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    return listener


async def accept(listener: socket.socket, server: Server) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as connections:
        while True:
            sock, _ = await loop.sock_accept(listener)
            connections.create_task(server.connected(sock))


async def serve(log: TextIO, sources: int) -> None:
    server = Server(log)
    hosts = sorted({host_of(number) for number in range(sources)})
    first = listen(hosts[0], 0)
    port = first.getsockname()[1]
    listeners = [first, *(listen(host, port) for host in hosts[1:])]
    accepting = asyncio.gather(*(accept(listener, server) for listener in listeners))
    print(port, flush=True)
    # A line on standard input ends the news, so that everything can be taken in before it is compared.
    reading = asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    await asyncio.wait({reading, accepting}, return_when=asyncio.FIRST_COMPLETED)
    if accepting.done():
        # A host that stopped answering: nothing that follows would mean anything.
        await accepting
    server.end_of_news = time.time()
    feeds = [Feed(number) for number in range(sources)]
    print(json.dumps([feed.holds(server.age) for feed in feeds if feed.temper not in NEVER_A_FEED]), flush=True)
    await accepting


if __name__ == "__main__":
    with Path(sys.argv[1]).open("a", encoding="utf-8") as requests:
        asyncio.run(serve(requests, int(sys.argv[2])))
