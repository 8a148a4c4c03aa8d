"""HTTP/1.1 by uvicorn and h11, with time limits, so that no slow client holds a connection (guarantee 16).

A plain GET of a cached file is answered with prepared bytes before h11 sees it, which is several times faster
(docs/decisions/0012). Every other request goes through h11.
"""

import asyncio
import socket
import sys
from dataclasses import dataclass
from functools import partial
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from feedhub.web.files import PublishedFiles

_STATUS_LINES: Final = {200: b"HTTP/1.1 200 OK\r\n", 304: b"HTTP/1.1 304 Not Modified\r\n"}
_LARGEST_JOINED: Final = 32_768
_TOO_MANY_CONNECTIONS: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 10\r\nconnection: close\r\ncontent-type: text/plain\r\n"
    b"content-length: 21\r\n\r\ntoo many connections\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds for a whole request to come in, and for an idle connection; a client must take ``stall_bytes`` of its
    answer in ``stall`` seconds. ``head`` is the largest header of a request in bytes."""

    connections: int = 256
    request: float = 10.0
    idle: float = 15.0
    stall: float = 20.0
    stall_bytes: int = 20_000
    head: int = 16_384


class GuardedProtocol(H11Protocol):
    """One connection. uvicorn makes the objects, so a subclass has ``files`` and ``limits`` as attributes."""

    files: PublishedFiles
    limits: Limits

    _request_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; refuse a connection beyond the limit."""
        super().connection_made(transport)
        # asyncio sets this only for sockets made with the protocol's number. Without it a small answer waits 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # From the first byte that waits for the client, so that a client which reads nothing is noticed too.
        transport.set_write_buffer_limits(high=0)
        if len(self.connections) > self.limits.connections:
            transport.write(_TOO_MANY_CONNECTIONS)
            transport.close()
            return
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._end_request_timer()
        self._end_stall_timer()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Answer a simple request at once, give others to h11, and limit the time in which a request comes in."""
        if self.transport.is_closing():
            return
        if self._is_idle() and (answer := self.files.fast_answer(data)) is not None:
            self._end_request_timer()
            self._unset_keepalive_if_required()
            # The date comes first, as uvicorn writes it.
            date = b"".join(b"%b: %b\r\n" % pair for pair in self.server_state.default_headers)
            head = _STATUS_LINES[answer.status] + date + answer.header_bytes
            if len(answer.body) <= _LARGEST_JOINED:
                self.transport.write(head + answer.body)
            else:
                self.transport.write(head)
                self.transport.write(answer.body)
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
            return
        super().data_received(data)
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self._await_request()
        else:
            self._end_request_timer()

    def pause_writing(self) -> None:
        """Watch a client that is slower than the server."""
        super().pause_writing()
        if self._stall_timer is None:
            # What is written after this call counts too, so that nothing is expected of the first span.
            self._watch_progress(sys.maxsize)

    def resume_writing(self) -> None:
        """Stop watching: everything was sent."""
        super().resume_writing()
        self._end_stall_timer()

    def _is_idle(self) -> bool:
        conn = self.conn
        return (
            conn.our_state is h11.IDLE
            and conn.their_state is h11.IDLE
            and not self.flow.write_paused
            and not conn.trailing_data[0]
        )

    def _await_request(self) -> None:
        if self._request_timer is None:
            self._request_timer = self.loop.call_later(self.limits.request, self.transport.abort)

    def _end_request_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _watch_progress(self, before: int) -> None:
        self._stall_timer = self.loop.call_later(self.limits.stall, partial(self._check_progress, before))

    def _check_progress(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left > before - self.limits.stall_bytes and left:
            self.transport.abort()
        else:
            self._watch_progress(left)

    def _end_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None


def protocol_of(files: PublishedFiles, limits: Limits) -> type[GuardedProtocol]:
    """Return the protocol of one server."""
    return type("Protocol", (GuardedProtocol,), {"files": files, "limits": limits})
