"""Sends the state of the daemon to systemd (sd_notify(3)); does nothing without it."""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress


class Notifier:
    """Sends states to the socket in ``$NOTIFY_SOCKET``. ``alive`` is due every ``watchdog`` seconds."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        interval = environ.get("WATCHDOG_USEC", "")
        is_meant = environ.get("WATCHDOG_PID") in (None, str(os.getpid()))
        self.watchdog = int(interval) / 2_000_000 if interval.isdigit() and is_meant else None
        self._alive_at = float("-inf")

    def ready(self) -> None:
        """The daemon has started, or a reload has ended."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The configuration is being read again; ``ready`` follows."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The daemon is stopping."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Reset the watchdog of systemd if that is due."""
        if self.watchdog is not None and time.monotonic() - self._alive_at >= self.watchdog:
            self._alive_at = time.monotonic()
            self._send("WATCHDOG=1")

    def wait(self, longest: float) -> float:
        """Return after how many seconds ``alive`` is due, ``longest`` at most."""
        if self.watchdog is None:
            return longest
        return max(0.0, min(longest, self._alive_at + self.watchdog - time.monotonic()))

    def _send(self, text: str) -> None:
        if not self._address:
            return
        # An error is ignored: systemd notices by itself when nothing comes.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(text.encode(), self._address)
