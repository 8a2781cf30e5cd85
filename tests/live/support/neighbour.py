"""A stream beside what breaks: its bytes go on both ways, and what came is compared with what was sent."""

import hashlib
import socket
import threading
from random import Random

from websockets.sync.client import ClientConnection

from tests.live.support.waiting import Work, until
from tests.live.support.websockets import hang_up

LAST = b"the last block of a neighbour's stream"
PAUSE = 0.04
"""Seconds between two blocks, so that a fault meets it at work without its load being one."""
BLOCK = 16384
"""Bytes of a block, at most."""

End = ClientConnection | socket.socket
"""A leg, or a target's connection."""


class Way:
    """One direction of it, from one end to the other."""

    def __init__(self, sender: End, taker: End, seed: int, over: threading.Event) -> None:
        self.came = 0
        self._sending = Work(self._send, sender, Random(seed), over)
        self._taking = Work(self._take, taker)

    def _send(self, end: End, seeded: Random, over: threading.Event) -> str:
        sent = hashlib.sha256()
        last = False
        while not last:
            last = over.wait(PAUSE)
            block = LAST if last else seeded.randbytes(seeded.randint(1, BLOCK))
            end.send(block) if isinstance(end, ClientConnection) else end.sendall(block)
            sent.update(block)
        return sent.hexdigest()

    def _take(self, end: End) -> str:
        taken, tail = hashlib.sha256(), b""
        while not tail.endswith(LAST):
            block = end.recv() if isinstance(end, ClientConnection) else end.recv(65536)
            if not block or isinstance(block, str):
                raise AssertionError(f"{block!r} came of a neighbour's stream after {self.came} bytes")
            taken.update(block)
            tail = (tail + block)[-len(LAST) :]
            self.came += len(block)
        return taken.hexdigest()

    @property
    def goes_on(self) -> bool:
        return self._taking.is_alive() and self._sending.is_alive()

    def check(self) -> None:
        """Raise what broke it, or `AssertionError` if other bytes came than were sent."""
        came, sent = self._taking.result(), self._sending.result()
        if came != sent:
            raise AssertionError(f"of a neighbour's stream other bytes came than were sent, after {self.came}")


class Neighbour:
    """Such a stream between two ends, as the test sees it; its bytes go on from the first moment."""

    def __init__(self, one: End, other: End) -> None:
        self._ends = one, other
        self._over = threading.Event()
        self._ways = Way(one, other, 1, self._over), Way(other, one, 2, self._over)
        self.goes_on()

    def goes_on(self) -> None:
        """Wait until more has come in each direction than there was when this was asked."""
        for way in self._ways:
            before = way.came
            until(lambda way=way, before=before: way.came > before or not way.goes_on, what="a neighbour's next byte")
            if not way.goes_on:
                way.check()

    def finish(self) -> None:
        """End it; every byte must have come, in order, and no other."""
        if self._over.is_set():
            return
        self._over.set()
        for way in self._ways:
            way.check()
        for end in self._ends:
            hang_up(end) if isinstance(end, ClientConnection) else end.close()
