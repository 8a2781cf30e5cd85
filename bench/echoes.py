"""Echo load: one process that plays both ends of all pairs; the agents' ends send back what they get."""

import select
import time
from collections.abc import Sequence

from attrs import define

from bench.legs import Pair, Socket
from bench.processes import machine_busy
from bench.relay import Relay

WARM = 0.3
"""Seconds before the measurement."""


@define
class Echoes:
    """What one measurement gave."""

    trips: int
    wall: float
    relay: float
    """CPU seconds of the relay."""
    load: float
    others: float
    times: list[float]
    """Seconds of each round trip, sorted."""

    def percentile(self, part: float) -> float:
        return self.times[min(len(self.times) - 1, int(len(self.times) * part))]


class Echo:
    """Round trips of `size` bytes through pairs. `rate`: how many a second are begun over all pairs; 0: in each pair
    the next one begins as soon as the last one is back."""

    def __init__(self, relay: Relay, pairs: Sequence[Pair], size: int = 64, rate: float = 0.0) -> None:
        self.relay, self.pairs, self.rate = relay, pairs, rate
        self._poll = select.epoll()
        self._agents: dict[int, tuple[Socket, bytes, int]] = {}
        self._clients: dict[int, tuple[Socket, bytes, int]] = {}
        self._began: dict[int, float] = {}
        payload = b"e" * size
        for pair in pairs:
            for end, role in ((pair.agent, self._agents), (pair.client, self._clients)):
                number = end.socket.fileno()
                # What it sends, and how many bytes of the relay are one message.
                role[number] = (end.socket, end.message(payload), end.overhead(size) + size)
                self._poll.register(number, select.EPOLLIN)
        self._missing = {
            number: wanted for role in (self._agents, self._clients) for number, (_, _, wanted) in role.items()
        }
        self._order = list(self._clients)
        self._next = 0
        self.times: list[float] = []

    def run(self, seconds: float) -> Echoes:
        if not self.rate:
            for number in self._order:
                self._begin(number)
        self._go_on(WARM)
        self.times.clear()
        before, busy, began, mine = self.relay.cpu(), machine_busy(), time.perf_counter(), time.process_time()
        self._go_on(seconds)
        relay, load = self.relay.cpu() - before, time.process_time() - mine
        wall, others = time.perf_counter() - began, machine_busy() - busy - relay - load
        times = sorted(self.times)
        self._poll.close()
        return Echoes(len(times), wall, relay, load, max(0.0, others), times)

    def _begin(self, number: int) -> None:
        connection, message, _ = self._clients[number]
        self._began[number] = time.perf_counter()
        connection.send(message)

    def _due(self, since: float, count: int) -> int:
        """Begin what the rate asks for, in turn over the pairs; one that isn't back yet is left out."""
        owed = int((time.perf_counter() - since) * self.rate)
        for _ in range(owed - count):
            number = self._order[self._next]
            self._next = (self._next + 1) % len(self._order)
            if number not in self._began:
                self._begin(number)
        return owed

    def _go_on(self, seconds: float) -> None:
        poll, agents, clients, missing, began = self._poll, self._agents, self._clients, self._missing, self._began
        buffer, now, times, rate = bytearray(4096), time.perf_counter, self.times, self.rate
        start = now()
        until, count, last = start + seconds, 0, start
        while True:
            for number, _ in poll.poll(0.001 if rate else 1):
                is_agent = number in agents
                connection, message, wanted = (agents if is_agent else clients)[number]
                size = connection.recv_into(buffer)
                if not size:
                    raise ConnectionError("the stream was cut")
                left = missing[number] - size
                if left:
                    missing[number] = left
                    continue
                missing[number] = wanted
                if is_agent:
                    connection.send(message)
                    continue
                last = now()
                times.append(last - began.pop(number))
                if not rate:
                    began[number] = last
                    connection.send(message)
            if rate:
                count = self._due(start, count)
                last = now()
            if last >= until:
                return
