"""Attacks by TLS records: without content, or of one byte each, before any request and in a stream of one's own."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.fakes.tls13 import APPLICATION, UPDATE, UPDATE_BOTH
from tests.live.attacks.attack import AttackTest, frame, upgrade
from tests.live.attacks.sealed import SOON, Sealed
from tests.live.attacks.test_attacks_floods import BOUND, FLOOD
from tests.live.support.pace import Stopwatch
from tests.live.support.waiting import WAIT
from tests.live.support.websockets import V1

FLOODED = 4000
"""Records of one connection: 108 KiB of KeyUpdates."""


class RecordFloods(AttackTest):
    """Who floods is cut, or waits for the next turn after each 64 records; a neighbour notices nothing."""

    def sealed(self, first: bytes = b"") -> Sealed:
        return Sealed(self.connect(("127.0.0.1", self.common.tls_port)), first)

    @contextmanager
    def bounded(self) -> Iterator[None]:
        with self.memory(self.common.relay, most=BOUND):
            yield

    def flood(self, message: bytes, first: Any = lambda: b"") -> None:
        """Connections one after another, each of which sends KeyUpdates until it is cut."""
        end, connections = time.monotonic() + FLOOD, 0
        with self.bounded():
            while not connections or time.monotonic() < end:
                peer = self.sealed(first())
                flood = peer.sealer.updates(FLOODED, message)
                passed = Stopwatch()
                self.assertTrue(peer.cut(flood))
                self.assertLess(passed.fair, SOON)
                peer.socket.close()
                connections += 1
        print(f"figure: {connections} connections with {FLOODED} KeyUpdates each in {FLOOD:g} s")

    def test_stranger(self) -> None:
        """KeyUpdates before any request cut the connection."""
        self.flood(UPDATE)

    def test_stranger_wants_answers(self) -> None:
        """So do those that want answers, of which the relay keeps none."""
        self.flood(UPDATE_BOTH)

    def leg_request(self) -> bytes:
        return upgrade(self.opened(self.decoy()), f"Sec-WebSocket-Protocol: {V1}")

    def test_user(self) -> None:
        """KeyUpdates in a stream of one's own cut it."""
        self.flood(UPDATE_BOTH, self.leg_request)

    def test_tiny_records(self) -> None:
        """A message in records of one byte gets through, and nobody else has to wait for it."""
        decoy = self.decoy()
        peer = self.sealed(upgrade(self.opened(decoy), f"Sec-WebSocket-Protocol: {V1}"))
        self.assertIn(b" 101 ", peer.head)
        size = 30_000
        message = frame(2, b"t" * size)
        flood = b"".join(peer.sealer.seal(APPLICATION, message[at : at + 1]) for at in range(len(message)))
        sender = threading.Thread(target=peer.socket.sendall, args=(flood,), daemon=True)
        with self.bounded():
            sender.start()
            sender.join(WAIT)
            self.assert_reached(decoy, 1, b"t" * size)
