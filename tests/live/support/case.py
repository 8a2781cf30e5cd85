"""The case of all live tests: whatever it started ends with it."""

import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any, TypeVar

from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

from tests.live.support.chain import HOST, Chain
from tests.live.support.neighbour import End, Neighbour
from tests.live.support.pace import bystander
from tests.live.support.processes import CLEARING, Program, twistd
from tests.live.support.secrets import SUITE
from tests.live.support.sockets import Listener
from tests.live.support.waiting import WAIT
from tests.live.support.websockets import V1, Offer, close_code, hang_up, websocket

C = TypeVar("C", bound=Chain)


class LiveTest(SynchronousTestCase):
    """A test with a directory of its own, and programs that end with it."""

    if os.environ.get("STREAMRELAY_TESTS") == "quick":
        skip = "a live test, and STREAMRELAY_TESTS is quick"

    def setUp(self) -> None:
        bystander()
        self.folder = Path(tempfile.mkdtemp(prefix="streamrelay-test-"))
        self.folder.chmod(0o755)  # for sshd, and for users that a test becomes
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(SUITE.collect, self.folder)  # once all programs have ended, and before that

    def program(self, name: str, *command: str, **more: Any) -> "Program":
        started = Program(name, command, self.folder, **more)
        self.addCleanup(started.stop, CLEARING)
        return started

    def twistd(self, name: str, *options: str, **more: Any) -> "Program":
        return self.program(name, *twistd(), name, *options, forked=True, **more)

    def chain(self, **settings: Any) -> "Chain":
        """A chain of this test alone."""
        return self.start_chain(Chain(self.folder, **settings))

    def start_chain(self, chain: C) -> C:
        """Start a chain, of whatever kind, that ends with the test."""
        self.addCleanup(chain.stop)
        chain.start()
        return chain

    def listen(self, address: str = "127.0.0.1") -> "Listener":
        """A target's port."""
        listener = Listener(address)
        self.addCleanup(listener.close)
        return listener

    def websocket(self, url: str, subprotocol: Offer = V1, **more: Any) -> ClientConnection:
        """A websocket that ends with the test."""
        leg = websocket(url, subprotocol, **more)
        self.addCleanup(hang_up, leg)
        return leg

    def refused(self, url: str, **more: Any) -> int:
        """The status by which a websocket is refused before its 101."""
        refusal: InvalidStatus = self.assertRaises(InvalidStatus, websocket, url, **more)
        return refusal.response.status_code

    def open(self, chain: "Chain", target: str, **more: Any) -> str:
        """Open a stream by the API, and give its URL."""
        answer = chain.ask("POST", "/v1/streams", {"host": HOST, "target": target}, **more)
        self.assertEqual(answer.status, 201, answer.text)
        return str(answer.json["url"])

    def stream(self, chain: "Chain", subprotocol: Offer = V1) -> tuple[ClientConnection, socket.socket]:
        """A stream to a tcp target through the whole chain: the client's websocket, and the target's connection."""
        listener = self.listen()
        url = self.open(chain, listener.target)
        leg = self.websocket(url, subprotocol, ca=chain.ca)
        return leg, listener.accept()

    def both_legs(self, chain: "Chain") -> tuple[ClientConnection, ClientConnection]:
        """A client's leg, and one of another agent than the chain's, which the test is itself."""
        client, agent = (self.websocket(url, ca=chain.ca) for url in chain.pair())
        self.assertIn("met", agent.recv(WAIT))
        return client, agent

    def neighbour(self, one: End, other: End) -> Neighbour:
        """A stream that carries bytes both ways until the test ends, of which none may be lost."""
        beside = Neighbour(one, other)
        self.addCleanup(beside.finish)
        return beside

    def assert_closed(self, leg: ClientConnection, code: int, seconds: float = WAIT) -> None:
        """The websocket ends with this close code, in time."""
        self.assertEqual(close_code(leg, seconds), code, leg.close_reason)
