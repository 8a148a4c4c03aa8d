"""What becomes of a message that is sent through Apprise, over real connections to this machine.

Each is sent in a process of its own, as at work; here these are forked from one that has imported Apprise.
"""

import json
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest

from support.server import LoopbackServer, Wire, serve, unused_port

FORKS = """
import json, logging, os, sys
from feedhub.fetch.notices import deliver
logging.basicConfig(level=logging.DEBUG)
for line in sys.stdin:
    if not os.fork():
        delivery = deliver(*json.loads(line))
        print(json.dumps([delivery.how.value, delivery.reason]), flush=True)
        os._exit(0)
    os.wait()
"""
Deliver = Callable[..., tuple[str, str]]
NO_CONNECTION = "no connection to the service was made"
MAY_HAVE = "the answer did not come, so it may have arrived"


@pytest.fixture(scope="module")
def deliver() -> Iterator[Deliver]:
    with subprocess.Popen(
        [sys.executable, "-c", FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr

        def ask(address: str, allow_private: tuple[str, ...] = ("127.0.0.1",), body: str = "Body") -> tuple[str, str]:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps([address, "Title", body, allow_private]) + "\n")
            process.stdin.flush()
            how, reason = json.loads(process.stdout.readline())
            return how, reason

        yield ask
        process.stdin.close()
        assert process.stderr.read() == "", "libraries say what nobody masks"


def answering(status: int, *headers: tuple[str, str]) -> Callable[[Wire], None]:
    return lambda wire: wire.answer(status, b"{}", headers)


ROUTES = {
    "/ok": answering(200),
    "/no": answering(403),
    "/moved": answering(302, ("Location", "/ok")),
    "/reset": lambda wire: wire.reset(),
    "/silent": lambda wire: wire.stop.wait(20) and None,
}


@pytest.fixture(scope="module")
def service() -> Iterator[LoopbackServer]:
    with serve(ROUTES) as server:
        yield server


@pytest.mark.parametrize(
    ("path", "delivery", "requests"),
    [
        pytest.param("ok", ("sent", ""), ["/ok"], id="taken"),
        pytest.param("no", ("refused", "the service answered 403"), ["/no"], id="refused"),
        pytest.param("ok?retry=3&redirect=yes", ("sent", ""), ["/ok"], id="taken, with tries in the address"),
        pytest.param(
            "moved?redirect=yes", ("refused", "the service answered 302"), ["/moved"], id="redirects are not followed"
        ),
        pytest.param("reset?retry=3&wait=0", ("unknown", MAY_HAVE), ["/reset"], id="no answer, and no second try"),
        pytest.param("silent?rto=0.3", ("unknown", MAY_HAVE), ["/silent"], id="no answer in time"),
    ],
)
def test_a_message_is_sent_once_and_told_is_what_became_of_it(
    deliver: Deliver, service: LoopbackServer, path: str, delivery: tuple[str, str], requests: list[str]
) -> None:
    before = len(service.log)
    assert deliver(service.url(f"/{path}").replace("http:", "json:")) == delivery
    assert [one.path for one in service.log[before:]] == requests
    assert all(json.loads(one.body)["message"] == "Body" for one in service.log[before:])


def test_it_is_sent_as_text_without_attachments(deliver: Deliver, service: LoopbackServer) -> None:
    body = "<b>@everyone</b>\\n :smile: **x** ${HOME} {{ 7*7 }}"
    assert deliver(service.url("/ok?format=text").replace("http:", "json:"), body=body)[0] == "sent"
    sent = json.loads(service.log[-1].body)
    assert (sent["message"], sent["attachments"]) == (body, [])


@pytest.mark.parametrize(
    ("address", "allowed", "reason"),
    [
        pytest.param(
            "json://127.0.0.1:{port}/ok", (), "its address is refused (loopback); poll.allow_private", id="private"
        ),
        pytest.param("json://localhost:{port}/ok", (), "its address is refused (loopback)", id="private by its name"),
        pytest.param("json://127.0.0.1:{unused}/", ("127.0.0.1",), NO_CONNECTION, id="nobody"),
        pytest.param("json://no-such-host.invalid/", (), NO_CONNECTION, id="no such name"),
        pytest.param("dbus://", (), "the service is none of those that are allowed", id="a desktop"),
        pytest.param("syslog://", (), "the service is none of those that are allowed", id="the log of this machine"),
        pytest.param("tgram://x", (), "the address is not as its service needs it", id="unusable"),
    ],
)
def test_what_was_not_sent_is_refused_with_a_reason_that_tells_nothing_of_the_address(
    deliver: Deliver, service: LoopbackServer, address: str, allowed: tuple[str, ...], reason: str
) -> None:
    before = len(service.log)
    port = service.url("/").split(":")[-1].strip("/")
    how, said = deliver(address.format(port=port, unused=unused_port()), allowed)
    assert how == "refused"
    assert said.startswith(reason)
    assert "host" not in said
    assert "127" not in said
    assert len(service.log) == before


def test_a_name_that_may_be_asked_is_allowed_by_its_name(deliver: Deliver, service: LoopbackServer) -> None:
    port = service.url("/").split(":")[-1].strip("/")
    assert deliver(f"json://localhost:{port}/ok", ("localhost",)) == ("sent", "")


class Mails(socketserver.StreamRequestHandler):
    """A mail server that takes a mail, or refuses it, or says nothing more."""

    after_data: ClassVar[bytes] = b"250 taken\r\n"
    taken: ClassVar[list[bytes]] = []

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                mail = b""
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    mail += line
                self.taken.append(mail)
                if not self.after_data:
                    return
                self.wfile.write(self.after_data)
            else:
                self.wfile.write(b"250 well\r\n")


@pytest.mark.parametrize(
    ("after_data", "delivery"),
    [
        (b"250 taken\r\n", ("sent", "")),
        (b"554 no\r\n", ("refused", "the mail server answered 554")),
        (b"", ("unknown", MAY_HAVE)),
    ],
    ids=["taken", "refused", "no end"],
)
def test_a_mail_is_watched_to_its_end(deliver: Deliver, after_data: bytes, delivery: tuple[str, str]) -> None:
    class Handler(Mails):
        pass

    Handler.after_data, Handler.taken = after_data, []
    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        address = f"mailto://127.0.0.1:{server.server_address[1]}?from=a@example.org&to=b@example.org&format=text"
        assert deliver(address) == delivery
        server.shutdown()
    assert len(Handler.taken) == 1
    assert b"Subject: Title" in Handler.taken[0]


def test_no_other_program_is_started() -> None:
    script = (
        "import subprocess, socket\n"
        "from feedhub.fetch import notices\n"
        "from feedhub.fetch.guard import AddressGuard\n"
        "from feedhub.errors import RefusedAddressError\n"
        "notices._watch_connections(AddressGuard(), notices._Watch())\n"
        "for work in (lambda: subprocess.run(['true']), lambda: socket.socket(socket.AF_UNIX).connect('/run/x'),\n"
        "             lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 514))):\n"
        "    try:\n        work()\n        print('done')\n"
        "    except RefusedAddressError as error:\n        print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == [
        "it would do what no service may (subprocess.Popen)",
        "it would speak to a program on this machine",
        "it would do what no service may (socket.sendto)",
    ]
