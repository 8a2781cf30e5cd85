"""A window's worth under way: what a stream that resumes carries over a long way."""

from collections.abc import Callable, Sequence

from attrs import define
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.datapath.connection import HIGH, Drain, Feed
from streamrelay.protocol.close import Outcome
from streamrelay.resume.connection import ResumableConnection
from streamrelay.resume.outgoing import UNBOUNDED, WINDOW, Memory

TRIP = 0.1
"""Seconds of a round trip."""
READ = 192 * 1024


@define(eq=False)
class FarLeg:
    """One end of a leg whose other end hears everything half a round trip later, behind what is under way."""

    clock: Clock
    rate: float
    """Bytes a second."""
    other: "FarLeg | None" = None
    feed: Feed | None = None
    unsent: int = 0
    _free_at: float = 0.0

    def join(self, feed: Feed, drain: Drain) -> None:
        self.feed = feed

    def send(self, data: Sequence[memoryview], size: int) -> None:
        taken = b"".join(data)
        self._later(size, lambda feed: feed.received([memoryview(taken)], size))

    def send_control(self, message: bytes) -> None:
        self._later(len(message), lambda feed: feed.control(message))

    def _later(self, size: int, tell: Callable[[Feed], None]) -> None:
        now = self.clock.seconds()
        self._free_at = max(self._free_at, now) + size / self.rate
        other = self.other

        def arrive() -> None:
            assert other is not None and other.feed is not None
            tell(other.feed)

        self.clock.callLater(self._free_at + TRIP / 2 - now, arrive)

    def send_eof(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def measure(self, size: int, headers: int) -> None: ...

    def outlive(self) -> None: ...
    def close(self, outcome: Outcome) -> None: ...
    def abort(self) -> None: ...


@define(eq=False)
class Source(Feed, Drain):
    """An end that sends as long as there is room, in reads of a size; 0: it sends nothing."""

    connection: ResumableConnection
    size: int
    came: int = 0

    def drained(self) -> None:
        while self.size and self.connection.unsent <= HIGH:
            self.connection.send([memoryview(bytes(self.size))], self.size)

    def received(self, data: Sequence[memoryview], size: int) -> None:
        self.came += size

    def control(self, message: bytes) -> None: ...
    def eof(self) -> None: ...
    def over(self, outcome: Outcome) -> None: ...
    def gone(self) -> None: ...


class Throughput(SynchronousTestCase):
    """Two ends, a round trip of 100 ms apart."""

    def rate(self, link: float, size: int = READ, most: float = UNBOUNDED) -> float:
        """Bytes a second that arrive over a link of so many bytes a second."""
        clock = Clock()
        near, far = FarLeg(clock, link), FarLeg(clock, link)
        near.other, far.other = far, near
        ends = [
            Source(ResumableConnection(clock, lambda how: None, WINDOW, Memory(most, kept=1), leg), read)
            for leg, read in ((near, size), (far, 0))
        ]
        for end in ends:
            end.connection.join(end, end)
        ends[0].drained()
        for _ in range(3000):
            clock.advance(0.001)
            ends[0].drained()
        return ends[1].came / 3

    def test_long_way(self) -> None:
        """However fast the links and however large the reads, nine tenths of a window go over in each round trip."""
        for link in (60e6, 1e9):
            for size in (READ, 65536):
                self.assertGreater(self.rate(link, size), 0.9 * WINDOW / TRIP, (link, size))

    def test_slow_link(self) -> None:
        """A link that is slower than a window in a round trip is filled."""
        self.assertGreater(self.rate(20e6), 0.93 * 20e6)

    def test_full_memory(self) -> None:
        """A stream that may keep little, as the memory is full, waits for no timer of a second."""
        self.assertGreater(self.rate(1e9, most=0), 256 * 1024 / (TRIP + 0.02))
