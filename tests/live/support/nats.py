"""NATS, spoken by hand."""

import json
import shutil
import socket
from collections import deque
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
        self._came = b""
        """What the server has said and nobody has looked at yet."""
        self._number = 0
        self._messages: deque[tuple[str, str, bytes]] = deque()  # subject, where an answer goes, payload
        self._take(self._line())
        self._send(b'CONNECT {"verbose":false,"headers":true,"no_responders":true}')
        self.flush()

    def _send(self, line: bytes, payload: bytes | None = None) -> None:
        self.socket.sendall(line + b"\r\n" + (b"" if payload is None else payload + b"\r\n"))

    def flush(self) -> None:
        """Until the server has done what was asked before."""
        self._send(b"PING")
        while self._heard() != b"PONG":
            pass

    def _have(self, size: int) -> None:
        """Read until so many bytes have come; they stay, so that who gives up within a message loses none of it."""
        while len(self._came) < size:
            data = self.socket.recv(1 << 16)
            if not data:
                raise AssertionError("the bus closed the connection")
            self._came += data

    def _line(self) -> int:
        """The length of the next line, which stays."""
        while b"\n" not in self._came:
            self._have(len(self._came) + 1)
        return self._came.index(b"\n") + 1

    def _take(self, size: int) -> bytes:
        taken, self._came = self._came[:size], self._came[size:]
        return taken

    def _heard(self) -> bytes:
        """The first word of what the server says next. A message waits until it is asked for."""
        length = self._line()
        words = self._came[:length].split()
        size = int(words[-1]) + 2 if words[0] in (b"MSG", b"HMSG") else 0
        self._have(length + size)
        payload = self._take(length + size)[length:-2]
        if size:
            SUITE.harvest(payload)
            reply = words[3].decode() if words[0] == b"MSG" and len(words) == 5 else ""
            headers = int(words[-2]) if words[0] == b"HMSG" else 0
            self._messages.append((words[1].decode(), reply, payload[headers:]))
        if words[0] == b"PING":
            self._send(b"PONG")
        return words[0]

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
            while not self._messages:
                self._heard()
        except TimeoutError:
            return None
        finally:
            self.socket.settimeout(WAIT)
        self.subject, self.reply, payload = self._messages.popleft()
        return payload

    def ask(self, subject: str, payload: bytes, seconds: float = WAIT) -> Any:
        """A request's answer as JSON; None if none comes. Messages before it are passed over."""
        inbox = f"_INBOX.{new_id().replace('-', 'x')}.1"
        self.subscribe(inbox)
        self.publish(subject, payload, inbox)
        while (answer := self.message(seconds)) is not None and self.subject != inbox:
            pass
        return None if answer is None else json.loads(answer)

    def answer(self, payload: bytes) -> None:
        """Wait for a request, and answer it."""
        self.message()
        self.publish(self.reply, payload)
        self.flush()

    def close(self) -> None:
        self.socket.close()
