"""Sends one message by a service that Apprise knows, in a process of its own that sends nothing else.

Apprise tells whether a message went out, and not whether one that failed may have arrived. So what it does is watched
where it leaves this program: at the connections, the HTTP requests and the end of a mail. That holds for the process
for good, and nobody but ``deliver`` may import this.
"""

import logging
import os
import smtplib
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import requests
from apprise import Apprise, AppriseAsset, NotifyFormat, OverflowMode, PersistentStoreMode
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError

from feedhub.errors import RefusedAddressError
from feedhub.fetch.guard import AddressGuard
from feedhub.model.report import Delivered, Delivery
from feedhub.model.settings import NOTIFY_SERVICES

_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)
_FORBIDDEN: Final = (
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn",
    "socket.bind", "socket.sendto", "socket.sendmsg", "ctypes.dlopen",
)  # fmt: skip
_ACCEPTED: Final = 250  # RFC 5321 §4.2.3


_MAY_HAVE: Final = "the answer did not come, so it may have arrived"
_REASONS: Final = {Delivered.REFUSED: "the service did not take it", Delivered.UNKNOWN: _MAY_HAVE}


@dataclass(slots=True)
class _Watch:
    """What was seen: how many requests were accepted, why others were not, and whether one may have arrived."""

    accepted: int = 0
    is_unknown: bool = False
    reasons: list[str] = field(default_factory=list)

    def delivery(self, *, is_sent: bool) -> Delivery:
        """Return how it ended; of several requests for one message, one that was accepted may have been shown."""
        if is_sent:
            return Delivery(how=Delivered.SENT)
        how = Delivered.UNKNOWN if self.is_unknown or self.accepted else Delivered.REFUSED
        return Delivery(how=how, reason=self.reasons[-1] if self.reasons else _REASONS[how])


def deliver(address: str, title: str, body: str, allow_private: Sequence[str]) -> Delivery:
    """Send a text; nothing of the address is in what is returned. Once in a process only."""
    logging.disable()  # what libraries say names the address
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
    os.environ["NETRC"] = os.devnull
    if address.partition("://")[0].lower() not in NOTIFY_SERVICES:
        return Delivery(how=Delivered.REFUSED, reason="the service is none of those that are allowed")
    watch = _Watch()
    try:
        apprise = _prepared(address)
        if apprise is None:
            return Delivery(how=Delivered.REFUSED, reason="the address is not as its service needs it")
        _watch_connections(AddressGuard(allow_private), watch)
        _watch_requests(watch)
        _watch_mails(watch)
        return watch.delivery(is_sent=bool(apprise.notify(body=body, title=title, body_format=NotifyFormat.TEXT)))
    except Exception as error:  # noqa: BLE001 - its text may hold the address
        watch.reasons.append(f"{type(error).__name__} in the code for this service")
        return watch.delivery(is_sent=False)


def _prepared(address: str) -> Apprise | None:
    """Return what sends to an address: once, without a redirect, keeping nothing; None for an unusable address."""
    asset = AppriseAsset(
        app_id="feedhub",
        app_desc="feedhub",
        app_url="",
        async_mode=False,
        http_redirects=False,
        pgp_autogen=False,
        pem_autogen=False,
        storage_mode=PersistentStoreMode.MEMORY,
    )
    apprise = Apprise(asset=asset)
    if not apprise.add(address):
        return None
    for service in apprise:
        # Whatever the address says: a second try of a message that may have arrived would be a second message.
        service.retry, service.redirects = 0, False
        service.overflow_mode = OverflowMode.TRUNCATE
    return apprise


def _watch_connections(guard: AddressGuard, watch: _Watch) -> None:
    """Allow connections to allowed addresses alone, checked where they are made, and no other program."""
    names: dict[str, str] = {}
    look_up = socket.getaddrinfo

    def remembering(host: Any, *given: Any, **more: Any) -> Any:
        found = look_up(host, *given, **more)
        names.update({str(address[0]): str(host) for *_, address in found})
        return found

    def check(event: str, given: tuple[Any, ...]) -> None:
        refusal: str | None = None
        if event == "socket.connect":
            sock, address = given
            if sock.family not in _FAMILIES or sock.type != socket.SOCK_STREAM:
                refusal = "it would speak to a program on this machine"
            elif kind := guard.refusal(names.get(address[0], address[0]), address[1], address[0]):
                refusal = f"its address is refused ({kind}); poll.allow_private would allow it"
        elif event in _FORBIDDEN:
            refusal = f"it would do what no service may ({event})"
        if refusal:
            watch.reasons.append(refusal)
            raise RefusedAddressError(refusal)

    socket.getaddrinfo = remembering
    sys.addaudithook(check)


def _watch_requests(watch: _Watch) -> None:
    class Watched(HTTPAdapter):
        """See requests."""

        def send(self, *given: Any, **more: Any) -> requests.Response:
            try:
                response = super().send(*given, **more)
            except Exception as error:
                if not _was_not_sent(error):
                    watch.is_unknown = True
                    watch.reasons.append(_MAY_HAVE)
                elif not isinstance(error, RefusedAddressError):
                    watch.reasons.append("no connection to the service was made")
                raise
            if response.status_code >= 300:
                watch.reasons.append(f"the service answered {response.status_code}")
            else:
                watch.accepted += 1
            return response

    requests.sessions.HTTPAdapter = Watched


def _was_not_sent(error: Exception) -> bool:
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return (
        isinstance(error, RefusedAddressError | requests.ConnectTimeout)
        or isinstance(reason, NewConnectionError)
        or "CERTIFICATE_VERIFY_FAILED" in str(reason)
    )


def _watch_mails(watch: _Watch) -> None:
    send: Callable[[smtplib.SMTP, Any], tuple[int, bytes]] = smtplib.SMTP.data

    def data(self: smtplib.SMTP, message: Any) -> tuple[int, bytes]:
        watch.is_unknown = True
        code, said = send(self, message)
        watch.is_unknown = False
        if code == _ACCEPTED:
            watch.accepted += 1
        else:
            watch.reasons.append(f"the mail server answered {code}")
        return code, said

    smtplib.SMTP.data = data  # type: ignore[method-assign,assignment]
