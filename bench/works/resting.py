"""Pairs that are there for long and say nothing: what their pings cost, and whether all live on."""

import select
import socket
import time
from contextlib import suppress
from statistics import quantiles
from typing import Protocol

from bench.legs import Pair
from bench.relay import Relay
from bench.relays import Streamrelay
from bench.sampling import Plan, Row, Sample, interleave
from bench.works.pairs import PER_ADDRESS, SETTLE, come_and_go
from bench.works.work import Table, Target, Work

MINUTES = 10.0
PROBE = 0.05
"""Seconds between two echoes of the pair that isn't idle."""
PONG = b"\x8a\x80\0\0\0\0"
"""A pong without a payload, masked by zeros (RFC 6455 §5.5.3)."""


class Opener(Protocol):
    """What pairs are opened by."""

    def pair(self, *, source: str) -> Pair: ...


class Resting:
    """Many idle pairs, whose pings are answered; and one whose echo tells how long the relay's loop is busy."""

    busy: Pair

    def __init__(self) -> None:
        self.poll = select.epoll()
        self.pairs: list[Pair] = []
        self.ends: dict[int, socket.socket] = {}
        self.pings = 0

    def open(self, relay: Opener, count: int) -> None:
        """Open so many pairs, and answer those that are there meanwhile."""
        for number in range(count):
            pair = relay.pair(source=f"127.0.0.{2 + number // PER_ADDRESS}")
            self.pairs.append(pair)
            for end in (pair.agent.socket, pair.client.socket):
                end.setblocking(False)
                self.ends[end.fileno()] = end
                self.poll.register(end, select.EPOLLIN)
            if number % 100 == 0:
                self.answer(0.001)
        self.busy = relay.pair(source="")
        self.pairs.append(self.busy)

    def answer(self, seconds: float) -> None:
        """Answer what comes in that time; an end that is closed is no longer there."""
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            for number, _ in self.poll.poll(rest):
                self._answer(number, self.ends[number])

    def _answer(self, number: int, end: socket.socket) -> None:
        pings = _pings(end)
        if not pings:
            self.poll.unregister(number)
            del self.ends[number]
            return
        self.pings += pings
        with suppress(ConnectionError):  # the next turn finds it closed
            end.send(PONG * pings)

    def echo(self) -> float:
        """Milliseconds that a byte takes through the busy pair and back."""
        began = time.perf_counter()
        for sender, taker in ((self.busy.client, self.busy.agent), (self.busy.agent, self.busy.client)):
            sender.socket.sendall(sender.message(b"x"))
            taken = b""
            while not taken.endswith(b"x"):
                taken += taker.socket.recv(16)
        return (time.perf_counter() - began) * 1e3

    def close(self) -> None:
        for pair in self.pairs:
            pair.close()
        self.poll.close()


def _pings(end: socket.socket) -> int:
    """Pings that came, each without a payload; 0 where the connection has ended."""
    try:
        taken = end.recv(256)
    except OSError:
        return 0
    return len(taken) // 2 if taken.startswith(b"\x89\0") else 0


def run_resting(plan: Plan) -> list[Row]:
    count, seconds = (500, 60.0) if plan.quick else (5000, 60 * MINUTES)
    return interleave(
        plan,
        f"{count:,} pairs, plain, {seconds / 60:g} minutes",
        (Streamrelay,),
        lambda kind: _resting(plan, kind, count, seconds),
        1,
    )


def _resting(plan: Plan, kind: type[Relay], count: int, seconds: float) -> Sample:
    started = plan.started([kind])
    if not started:
        return Sample({})
    (relay,) = started
    for _ in range(50):  # what it loads with its first pairs is not a pair's
        come_and_go(relay, False)
    time.sleep(0.5)
    before = relay.resident()
    resting = Resting()
    try:
        resting.open(relay, count)
        resting.answer(SETTLE)
        cpu, end, echoes = relay.cpu(), time.monotonic() + seconds, []
        while time.monotonic() < end:
            resting.answer(PROBE)
            echoes.append(resting.echo())
        cpu, rss = relay.cpu() - cpu, relay.resident() - before
    finally:
        resting.close()
        relay.stop()
    return Sample(
        {
            "rss": rss / (2 * count) / 1024,
            "cpu": 100 * cpu / seconds,
            "lost": 2 * count - len(resting.ends),
            "pings": resting.pings / (2 * count),
            "p99": quantiles(echoes, n=100)[98],
            "worst": max(echoes),
        }
    )


_CASE = f"5,000 pairs, plain, {MINUTES:g} minutes"

RESTING = Work(
    "resting",
    "Idle pairs for ten minutes",
    "Pairs that are open, silent, and answer the relay's pings (RFC 6455 section 5.5.2), a connection being each of a "
    "pair's two. Beside them one pair says a byte every 50 ms: how long it takes shows how long pings keep the "
    "relay's loop from all else. Of this relay alone: the others send no pings as they are run here.",
    run_resting,
    (
        Table("rss", "KiB of resident memory per connection", 1, False),
        Table("cpu", "Per cent of a core, the byte every 50 ms included", 2, False),
        Table("lost", "Connections lost", 0, False),
        Table("pings", "Pings answered by each connection", 1, False),
        Table("p99", "Milliseconds of a byte through the pair that isn't idle, and back: p99", 2, False),
        Table("worst", "The longest", 1, False),
    ),
    (),
    (
        Target("memory per connection, KiB", "rss", _CASE, 16),
        Target("per cent of a core", "cpu", _CASE, 2),
        Target("connections lost", "lost", _CASE, 0),
    ),
)
