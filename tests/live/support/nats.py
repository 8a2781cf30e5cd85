"""NATS, spoken by hand."""

import json
import shutil
import socket
from typing import Any

from twisted.trial.unittest import SkipTest

from streamrelay.protocol.tokens import new_id
from tests.live.support.processes import PROGRAMS
from tests.live.support.secrets import SUITE
from tests.live.support.waiting import WAIT


def nats_command(port: int, address: str = "127.0.0.1") -> tuple[str, ...]:
    program = shutil.which("nats-server", path=str(PROGRAMS)) or shutil.which("nats-server")
    if program is None:
        raise SkipTest("needs the program nats-server")
    return (program, "-a", address, "-p", str(port))


class NatsClient:
    """A stranger on the bus: publishes what it wants, and hears what it subscribed to."""

    subject = ""
    """Of the last message."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT)
        self._lines = self.socket.makefile("rb")
        self._lines.readline()
        self._number = 0
        self._send(b'CONNECT {"verbose":false,"headers":true,"no_responders":true}')
        self.flush()

    def _send(self, line: bytes, payload: bytes | None = None) -> None:
        self.socket.sendall(line + b"\r\n" + (b"" if payload is None else payload + b"\r\n"))

    def flush(self) -> None:
        """Until the server has done what was asked before."""
        self._send(b"PING")
        while self._lines.readline().strip() != b"PONG":
            pass

    def subscribe(self, subject: str) -> None:
        self._number += 1
        self._send(f"SUB {subject} {self._number}".encode())
        self.flush()

    def publish(self, subject: str, payload: bytes, reply: str = "") -> None:
        self._send(f"PUB {subject} {reply} {len(payload)}".replace("  ", " ").encode(), payload)

    def message(self, seconds: float = WAIT) -> bytes | None:
        """The next message's payload; None if none comes in time."""
        self.socket.settimeout(seconds)
        self.reply = ""
        try:
            while True:
                words = self._lines.readline().split()
                if not words:
                    raise AssertionError("the bus closed the connection")
                if words[0] in (b"MSG", b"HMSG"):
                    self.subject = words[1].decode()
                    if words[0] == b"MSG" and len(words) == 5:
                        self.reply = words[3].decode()
                    payload = self._lines.read(int(words[-1]) + 2)[:-2]
                    SUITE.harvest(payload)
                    return payload[int(words[-2]) if words[0] == b"HMSG" else 0 :]
                if words[0] == b"PING":
                    self._send(b"PONG")
        except TimeoutError:
            self._lines = self.socket.makefile("rb")  # one that timed out reads no more
            return None
        finally:
            self.socket.settimeout(WAIT)

    def ask(self, subject: str, payload: bytes, seconds: float = WAIT) -> Any:
        """A request's answer as JSON; None if none comes."""
        inbox = f"_INBOX.{new_id().replace('-', 'x')}.1"
        self.subscribe(inbox)
        self.publish(subject, payload, inbox)
        answer = self.message(seconds)
        return None if answer is None else json.loads(answer)

    def answer(self, payload: bytes) -> None:
        """Wait for a request, and answer it."""
        self.message()
        self.publish(self.reply, payload)
        self.flush()

    def close(self) -> None:
        self.socket.close()
