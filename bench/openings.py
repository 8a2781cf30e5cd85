"""The load of new connections through a chain: one process that plays the user's ends and the target.

The user's end asks with one byte at once, the target answers with one, and both close; or the target speaks first, to
whoever connects.
"""

import select
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import cycle

from attrs import define

from bench.chain import Chain
from bench.legs import Socket
from bench.processes import Others

LIMIT = 30.0
"""Seconds for all of them; those that have no byte by then are lost."""
ENDS = 10.0
"""Seconds for the target to hear of the last end."""
SETTLE = 0.2
"""Seconds for what programs do once a connection is gone."""


@define
class Opened:
    """What one measurement gave."""

    count: int
    times: list[float]
    """Seconds from the connection to the first byte, of those that got it; sorted."""
    wall: float
    """Seconds until the last one had its byte, or was lost."""
    chain: float
    """CPU seconds of the chain, until the last end."""
    others: float
    """Cores."""

    def percentile(self, part: float) -> float:
        return self.times[min(len(self.times) - 1, int(len(self.times) * part))]

    def figures(self) -> dict[str, float]:
        """Those of a table."""
        if not self.times:
            raise ConnectionError(f"none of {self.count} connections got its byte")
        return {
            "p50": self.percentile(0.5) * 1e3,
            "p90": self.percentile(0.9) * 1e3,
            "cpu": self.chain / len(self.times) * 1e3,
            "rate": len(self.times) / self.wall,
            "worked": len(self.times) / self.count * 100,
            "failed": self.count - len(self.times),
            "wall": self.wall * 1e3,
        }


class Openings:
    """So many connections through a chain, `at_once` of them under way at a time. `greets`: the target speaks first.
    `ports`: those of several users, in turn."""

    def __init__(
        self, chain: Chain, count: int, at_once: int = 1, greets: bool = False, ports: Sequence[int] = ()
    ) -> None:
        self._ports = cycle(ports or [chain.port])
        self._chain, self._count, self._at_once, self._greets = chain, count, at_once, greets
        self._poll = select.epoll()
        self._poll.register(chain.far.fileno(), select.EPOLLIN)
        self._users: dict[int, tuple[Socket, float]] = {}
        self._targets: dict[int, Socket] = {}
        self._begun = self._lost = 0
        self._times: list[float] = []

    def run(self) -> Opened:
        others, before, began = Others(), self._chain.cpu(), time.perf_counter()
        for _ in range(min(self._at_once, self._count)):
            self._begin()
        self._go_on(began + LIMIT, lambda: len(self._times) + self._lost < self._count)
        wall = time.perf_counter() - began
        self._go_on(time.perf_counter() + ENDS, lambda: bool(self._targets))
        time.sleep(SETTLE)
        got = Opened(self._count, sorted(self._times), wall, self._chain.cpu() - before, others.cores())
        self._close()
        return got

    def _begin(self) -> None:
        user = socket.socket()
        user.setblocking(False)
        self._users[user.fileno()] = (user, time.perf_counter())
        user.connect_ex(("127.0.0.1", next(self._ports)))
        self._poll.register(user.fileno(), select.EPOLLIN if self._greets else select.EPOLLOUT)
        self._begun += 1

    def _go_on(self, until: float, unready: Callable[[], bool]) -> None:
        far = self._chain.far.fileno()
        while unready() and (left := until - time.perf_counter()) > 0:
            for number, events in self._poll.poll(left):
                if number == far:
                    self._accept()
                elif number in self._targets:
                    self._answer(number)
                elif events == select.EPOLLOUT:
                    self._users[number][0].send(b"?")
                    self._poll.modify(number, select.EPOLLIN)
                else:
                    self._first_byte(number)

    def _accept(self) -> None:
        target = self._chain.far.accept()
        if self._greets:
            with suppress(OSError):
                target.sendall(b"!")
        self._targets[target.fileno()] = target
        self._poll.register(target.fileno(), select.EPOLLIN)

    def _answer(self, number: int) -> None:
        target = self._targets[number]
        with suppress(OSError):
            if target.recv(64):
                target.sendall(b"!")
                return
        target.close()
        del self._targets[number]

    def _first_byte(self, number: int) -> None:
        user, began = self._users.pop(number)
        try:
            came = user.recv(1) == b"!"
        except OSError:
            came = False
        if came:
            self._times.append(time.perf_counter() - began)
        else:
            self._lost += 1
        user.close()
        if self._begun < self._count:
            self._begin()

    def _close(self) -> None:
        for end in (*(user for user, _ in self._users.values()), *self._targets.values()):
            end.close()
        self._poll.close()
