"""Bulk load: processes that send ready-made blocks as fast as they can and others that count what arrives.

A sender's last message ends with a marker, which no relay can split off from what went before it; a receiver looks
at the end of each read only, and parses no frame.
"""

import multiprocessing
import os
import select
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from attrs import define

from bench.legs import End, Pair
from bench.processes import machine_busy
from bench.relay import Relay

BLOCK = 1 << 20
"""Bytes that a sender passes to the kernel at once, at least; whole frames."""
MARKER = os.urandom(32)
_fork = multiprocessing.get_context("fork")


@define
class Flow:
    """What one measurement of bulk traffic gave."""

    payload: int
    """Bytes that went through, all directions."""
    wall: float
    relay: float
    """CPU seconds of the relay."""
    load: float
    """CPU seconds of the load's own processes."""
    others: float
    """CPU seconds of everything else on the machine."""


@define
class Stock:
    """Ready-made messages for one end: a block of frames, and the last message."""

    block: bytes
    payload: int
    last: bytes

    @classmethod
    def make(cls, end: End, size: int, zero_mask: bool, block: int = BLOCK) -> "Stock":
        key = b"\0\0\0\0" if zero_mask else None
        count = max(1, block // size)
        pool = os.urandom(size)
        if count > 64:  # a few different ones are enough
            some = b"".join(end.message(pool, key) for _ in range(64))
            count -= count % 64
            whole = some * (count // 64)
        else:
            whole = b"".join(end.message(pool, key) for _ in range(count))
        return cls(whole, count * size, end.message(MARKER, key))


def flow(relay: Relay, pairs: Sequence[Pair], size: int, *, seconds: float, both: bool = False, **options: Any) -> Flow:
    """Send for so long through all pairs, until every last byte is there. `from_client` turns the direction."""
    forth = [(pair.agent, pair.client) for pair in pairs]
    back = [(pair.client, pair.agent) for pair in pairs]
    routes = [back if options.get("from_client") else forth]
    if both:
        routes = [forth, back]
    zero_mask = options.get("zero_mask", False)
    children = [child for route in routes for child in _both_ends(route, size, zero_mask, seconds)]
    before, busy, began = relay.cpu(), machine_busy(), time.monotonic()
    try:
        for child in children:
            child.go()
        results = [child.result(seconds * 10 + 60) for child in children]
        wall, used = time.monotonic() - began, relay.cpu() - before
    finally:
        for child in children:
            child.stop()
    load = sum(cpu for _, cpu in results)
    others = max(0.0, machine_busy() - busy - used - load)
    return Flow(sum(count for count, _ in results), wall, used, load, others)


@contextmanager
def beside(pairs: Sequence[Pair], seconds: float, size: int = 65536) -> Iterator[None]:
    """Send through pairs, from their agents' ends, as fast as it goes, for so long or until this is over."""
    children = _both_ends([(pair.agent, pair.client) for pair in pairs], size, False, seconds)
    try:
        for child in children:
            child.go()
        yield
    finally:
        for child in children:
            child.stop()


def _both_ends(route: Sequence[tuple[End, End]], size: int, zero_mask: bool, seconds: float) -> list["_Child"]:
    """Processes that send, and that receive, through all pairs of a route."""
    sources, sinks = [source for source, _ in route], [sink for _, sink in route]
    if len(route) == 1:
        stock = Stock.make(sources[0], size, zero_mask)
        return [_Child(_send, sources[0], stock, seconds), _Child(_receive, sinks[0])]
    stock = Stock.make(sources[0], size, zero_mask, 4 * size)
    return [_Child(_send_many, sources, stock, seconds), _Child(_receive_many, sinks)]


class _Child:
    """A process of the load that waits for `go`."""

    def __init__(self, work: Callable[..., int], *arguments: Any) -> None:
        self._near, far = _fork.Pipe()
        self._process = _fork.Process(target=self._run, args=(far, work, arguments), daemon=True)
        self._process.start()
        far.close()
        self._near.recv()

    @staticmethod
    def _run(far: Connection, work: Callable[..., int], arguments: tuple[Any, ...]) -> None:
        far.send(None)
        far.recv()
        began = time.process_time()
        try:
            count = work(*arguments)
        except OSError as error:
            far.send(f"a stream has come to a halt: {error}")
        else:
            far.send((count, time.process_time() - began))

    def go(self) -> None:
        self._near.send(None)

    def result(self, timeout: float) -> tuple[int, float]:
        if not self._near.poll(timeout):
            raise TimeoutError("a stream has come to a halt")
        answer = self._near.recv()
        if isinstance(answer, str):
            raise ConnectionError(answer)
        count, cpu = answer
        return count, cpu

    def stop(self) -> None:
        self._process.join(0.5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._near.close()


def _send(end: End, stock: Stock, seconds: float) -> int:
    sendall, block, count = end.socket.sendall, stock.block, 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sendall(block)
        count += stock.payload
    sendall(stock.last)
    return count + len(MARKER)


def _receive(end: End) -> int:
    buffer = bytearray(BLOCK)
    view = memoryview(buffer)
    receive, tail = end.socket.recv_into, b""
    while True:
        size = receive(buffer)
        if not size:
            raise ConnectionError("the stream was cut")
        tail = (tail + view[max(0, size - 32) : size])[-32:]
        if tail == MARKER:
            return 0


def _send_many(ends: Sequence[End], stock: Stock, seconds: float) -> int:
    """All of them from one process, each as fast as it goes."""
    poll, count = select.epoll(), 0
    block, last = memoryview(stock.block), memoryview(stock.last)
    sockets = {end.socket.fileno(): end.socket for end in ends}
    rest = dict.fromkeys(sockets, block)
    ending = set()
    for number, connection in sockets.items():
        connection.setblocking(False)
        poll.register(number, select.EPOLLOUT)
    until = time.monotonic() + seconds
    while rest:
        for number, _ in poll.poll():
            left = rest[number]
            left = left[sockets[number].send(left) :]
            if not left:
                if number in ending:
                    poll.unregister(number)
                    del rest[number]
                    continue
                count += stock.payload
                left = block
                if time.monotonic() >= until:
                    ending.add(number)
                    left = last
            rest[number] = left
    return count + len(MARKER) * len(ends)


def _receive_many(ends: Sequence[End]) -> int:
    poll, buffer = select.epoll(), bytearray(BLOCK)
    view = memoryview(buffer)
    sockets = {end.socket.fileno(): end.socket for end in ends}
    tails = dict.fromkeys(sockets, b"")
    for number in sockets:
        poll.register(number, select.EPOLLIN)
    while tails:
        for number, _ in poll.poll():
            size = sockets[number].recv_into(buffer)
            if not size:
                raise ConnectionError("the stream was cut")
            tail = (tails[number] + view[max(0, size - 32) : size])[-32:]
            if tail == MARKER:
                poll.unregister(number)
                del tails[number]
            else:
                tails[number] = tail
    return 0
