"""Programs that have run out of something: it is told whose matter that is, and the old streams go on."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.exceptions import InvalidStatus

from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, shared
from tests.live.support.http import Answer
from tests.live.support.processes import Program
from tests.live.support.waiting import Work, until
from tests.live.support.websockets import websocket

STREAMS = 12
"""Streams that live at a relay while it is full: so many that its own descriptors are less than half of all."""


@contextmanager
def descriptors(program: Program, most: int) -> Iterator[None]:
    """Let a program have no descriptor of this number, or a higher one, more than it has."""
    soft, hard = resource.prlimit(program.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(program.pid, resource.RLIMIT_NOFILE, (most, hard))
    try:
        yield
    finally:
        resource.prlimit(program.pid, resource.RLIMIT_NOFILE, (soft, hard))


class Exhausted(LiveTest):
    """The agent, then the relay, of a chain."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared()
        self.target = self.listen()

    def ask(self) -> Answer:
        return self.common.ask("POST", "/v1/streams", {"host": HOST, "target": self.target.target})

    def assert_busy(self, answer: Answer, code: str, who: str) -> None:
        """It is told as busy, by its own title, with the time to ask again, and without the target's address."""
        self.assertEqual((answer.status, answer.json["code"]), (503, code), answer.text)
        self.assertEqual(answer.json["title"], f"The {who} takes no more streams now")
        self.assertEqual(answer.headers["Retry-After"], "2")
        self.assertNotIn(f"127.0.0.1:{self.target.port}", answer.json["detail"])

    def assert_lives(self, leg: Any, target: Any) -> None:
        leg.send(b"up")
        self.assertEqual(target.recv(10), b"up")
        target.sendall(b"down")
        self.assertEqual(leg.recv(60), b"down")

    def test_agent(self) -> None:
        """An agent without descriptors is busy; its streams go on, and the next ones open once it has some."""
        old = self.stream(self.common)
        with descriptors(self.common.agent, 3):
            self.assert_busy(self.ask(), "busy", "host")
            self.assert_lives(*old)
        self.assertEqual(self.ask().status, 201)

    def test_relay(self) -> None:
        """A relay that is full refuses new legs with 503, keeps the old ones, and lets others in once it has room; the
        agent's answer, and the native client's status, say that it is the relay that is full."""
        old = [self.stream(self.common) for _ in range(STREAMS)]
        url = self.open(self.common, self.target.target)
        with descriptors(self.common.relay, 4 * STREAMS):
            told = Work(self.common.streamrelay, "connect", HOST, self.target.target)
            refused = Work(self.ask)
            refusal = self.assertRaises(InvalidStatus, websocket, url)
            self.assertEqual((refusal.response.status_code, refusal.response.headers["Retry-After"]), (503, "2"))
            self.assert_busy(refused.result(), "relay_busy", "relay")
            self.assertEqual((told.result().returncode, told.result().stdout), (3, b""), told.result().stderr)
            self.assertIn(b"full", told.result().stderr)
            for leg, target in old:
                self.assert_lives(leg, target)
        self.assert_lives(*until(lambda: self.stream(self.common), what="a new stream"))
