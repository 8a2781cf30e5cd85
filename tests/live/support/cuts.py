"""Something that is cut again and again while something else goes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from attrs import define, field

from tests.live.support.chain import Chain
from tests.live.support.ports import answers
from tests.live.support.waiting import Work, until


@define(eq=False)
class Cutting:
    """Cuts that a thread makes: `cut` so many seconds after it was `ready`, so often at `most`, until it is to stop.

    `ready` is asked before each: what takes longer to go on than the seconds between two cuts would never be done.
    """

    cut: Callable[[], object]
    every: float
    ready: Callable[[], object] = lambda: True
    most: float = float("inf")
    count: int = 0
    _stop: threading.Event = field(factory=threading.Event)

    def run(self) -> None:
        while self.count < self.most:
            while not self.ready():
                if self._stop.wait(0.1):
                    return
            if self._stop.wait(self.every):
                return
            self.cut()
            self.count += 1

    def stop(self) -> None:
        self._stop.set()


@contextmanager
def cutting(
    cut: Callable[[], object],
    every: float,
    ready: Callable[[], object] = lambda: True,
    most: float = float("inf"),
) -> Iterator[Cutting]:
    """Cut every so many seconds, counted from when it was ready after the last cut, until the block is over."""
    cuts = Cutting(cut, every, ready, most)
    work = Work(cuts.run)
    try:
        yield cuts
    finally:
        cuts.stop()
        work.result()


def going_on(chain: Chain) -> list[Any]:
    """Streams of a chain whose both legs are there."""
    return [stream for stream in chain.streams() if not stream["waiting"] and stream.get("detached") is None]


def kill_relay(chain: Chain) -> None:
    """Kill the relay with -9, and start it again; return when it listens."""
    chain.relay.kill()
    chain.relay.start()
    until(lambda: answers(chain.relay_port, chain.address), what="the relay")
