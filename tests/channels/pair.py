"""Two carriers whose legs lead to each other, on one clock."""

from collections import deque
from collections.abc import Sequence

from attrs import define, field

from streamrelay.channels.carrier import Carrier
from streamrelay.channels.channel_end import ChannelEnd
from streamrelay.datapath.connection import Connection, Drain, Feed
from streamrelay.datapath.splice import Splice
from streamrelay.errors import PeerError
from streamrelay.protocol.close import CloseCode, Outcome, outcome
from tests.documented import CHANNELS
from tests.fakes.connections import Ear, FakeConnection, Turns


@define(eq=False)
class Pipe(FakeConnection):
    """One end of a leg: what is sent waits in a kernel of `room` bytes until the test carries it over."""

    room: int = 1 << 30
    waiting: bytearray = field(factory=bytearray)
    """Bytes in the kernel and on the way."""
    most: int = 0
    """The most that ever waited here, unsent."""
    fault: PeerError | None = None

    def send(self, data: Sequence[bytes | memoryview], size: int) -> None:
        super().send(data, size)
        new, self.sent = self.sent, bytearray()
        self.queue += new
        self._fill()
        self.most = max(self.most, len(self.queue))

    def _fill(self) -> None:
        fits = self.room - len(self.waiting)
        self.waiting += self.queue[:fits]
        del self.queue[:fits]

    def carry(self, other: "Pipe", most: int = 1 << 30) -> int:
        """Bring up to so many bytes to the other end, and let the rest move up."""
        data = bytes(self.waiting[:most])
        del self.waiting[:most]
        if data and other.joined is not None and other.fault is None:
            try:
                other.receive(data)
            except PeerError as error:
                other.fault = error
                other.end(outcome(CloseCode.LEG_LOST, error.reason))
        before = len(self.queue)
        self._fill()
        if before and not self.queue and self.drain_to is not None:
            self.drain_to.drained()
        return len(data)


class Pair:
    """A client's carrier and an agent's; `opened` are the agent's ends, in their order."""

    def __init__(self, most: int = CHANNELS, room: int = 1 << 30) -> None:
        self.clock = Turns()
        self.near, self.far = Pipe(room=room), Pipe(room=room)
        self.opened: deque[ChannelEnd] = deque()
        self.client = Carrier(self.near, self.clock, most)
        self.agent = Carrier(self.far, self.clock, most, self.opened.append)
        self.client.join()
        self.agent.join()

    def turn(self, most: int = 1 << 30) -> int:
        """One turn of both reactors; return the bytes that have moved."""
        self.clock.advance(0)
        return self.near.carry(self.far, most) + self.far.carry(self.near, most)

    def settle(self, most: int = 1 << 30) -> None:
        """Go on until nothing moves."""
        quiet = 0
        while quiet < 2:
            quiet = 0 if self.turn(most) else quiet + 1

    def open(self) -> tuple[ChannelEnd, ChannelEnd]:
        """Open a channel, and return both of its ends."""
        near = self.client.open()
        self.settle()
        return near, self.opened.popleft()

    def spliced(self) -> tuple[FakeConnection, FakeConnection, list[Splice]]:
        """Open a channel between two fakes: a local connection and a target, each spliced with its end."""
        near, far = self.open()
        local, target, over = FakeConnection(), FakeConnection(), list[Splice]()
        Splice(local, near, over.append).start()
        Splice(far, target, over.append).start()
        return local, target, over


def heard(end: Connection) -> Ear:
    """Join an end to an ear."""
    ear = Ear()
    feed: Feed = ear
    drain: Drain = ear
    end.join(feed, drain)
    return ear


RESET = Outcome(int(CloseCode.LEG_LOST), "the local connection was reset")
