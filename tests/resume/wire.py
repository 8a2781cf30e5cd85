"""Two ends of a stream that resumes, and legs between them that are cut at any byte, for tests."""

import random
from collections import deque
from collections.abc import Sequence

from attrs import define, field
from twisted.internet.task import Clock

from streamrelay.datapath.connection import HIGH, Drain, Feed
from streamrelay.protocol.close import CloseCode, Outcome
from streamrelay.resume.connection import ResumableConnection
from streamrelay.resume.outgoing import OutOfReach


@define(eq=False)
class Half:
    """One end of a leg: what it was given waits until the wire moves it."""

    name: str
    queue: deque[bytes | str] = field(factory=deque)
    feed: Feed | None = None
    drain: Drain | None = None
    paused: bool = False
    closed: Outcome | None = None
    aborted: bool = False
    """What is under way still comes, as late as it likes."""
    lost: bool = False
    told: bool = False

    @property
    def unsent(self) -> int:
        return sum(len(item) for item in self.queue)

    def join(self, feed: Feed, drain: Drain) -> None:
        self.feed, self.drain = feed, drain
        if self.lost:
            self.lose(Outcome(CloseCode.LEG_LOST))

    def send(self, data: Sequence[memoryview], size: int) -> None:
        if not (self.lost or self.aborted or self.closed):
            self.queue.append(b"".join(data))

    def send_control(self, message: bytes) -> None:
        if not (self.lost or self.aborted or self.closed):
            self.queue.append(message.decode())

    def send_eof(self) -> None:
        raise AssertionError("a stream that resumes says fin")

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def measure(self, size: int, headers: int) -> None: ...

    def outlive(self) -> None: ...

    def close(self, outcome: Outcome) -> None:
        self.closed = self.closed or outcome

    def abort(self) -> None:
        self.aborted = True

    def lose(self, outcome: Outcome) -> None:
        """Let the owner know that it is over and gone, once."""
        self.lost = True
        if self.feed is not None and not self.told:
            self.told = True
            self.feed.over(outcome)
            self.feed.gone()


@define(eq=False)
class Wire:
    """A leg through a relay, from one end to the other and back. `move` carries a random part of what waits."""

    near: Half
    far: Half
    dice: random.Random

    def move(self) -> bool:
        """Carry a message, or a part of one; return False if nothing can move."""
        ways = [(a, b) for a, b in ((self.near, self.far), (self.far, self.near)) if a.queue and not b.paused]
        ways = [(a, b) for a, b in ways if not a.lost and not b.lost]
        if not ways:
            return self._end()
        source, sink = self.dice.choice(ways)
        item = source.queue.popleft()
        if isinstance(item, bytes) and len(item) > 1 and self.dice.random() < 0.7:
            at = self.dice.randrange(1, len(item))
            source.queue.appendleft(item[at:])
            item = item[:at]
        assert sink.feed is not None
        if isinstance(item, bytes):
            sink.feed.received([memoryview(item)], len(item))
        else:
            sink.feed.control(item.encode())
        if not source.queue and source.drain is not None:
            source.drain.drained()
        return True

    def _end(self) -> bool:
        """Carry the end of one side to the other."""
        for source, sink in ((self.near, self.far), (self.far, self.near)):
            over = source.lost or ((source.aborted or source.closed) and not source.queue)
            if over and not (source.told and sink.told):
                how = (not source.lost and source.closed) or Outcome(CloseCode.LEG_LOST)
                source.lose(how)
                sink.lose(how)
                return True
        return False

    def cut(self) -> None:
        """Lose both sides, at once or one after the other, with all that is under way."""
        for half in self.dice.sample((self.near, self.far), 2):
            half.queue.clear()
            half.lost = True


@define(eq=False)
class End(Feed, Drain):
    """A program at one end: sends what it has, in pieces, as long as there is room, and keeps what comes."""

    name: str
    to_send: list[bytes | str]
    dice: random.Random
    clock: Clock
    connection: ResumableConnection = field(init=False)
    came: list[bytes | str] = field(factory=list)
    finished: bool = False
    """The other end's fin has come."""
    outcome: Outcome | None = None
    is_gone: bool = False
    blocked: bool = False
    said_fin: bool = False
    lost: list[Outcome] = field(factory=list)
    most: int = 0
    """Most that was kept."""

    def make(self, window: int) -> None:
        self.connection = ResumableConnection(self.clock, self.lost.append, window)
        self.connection.join(self, self)

    # Feed and Drain

    def received(self, data: Sequence[memoryview], size: int) -> None:
        assert not self.finished and self.outcome is None
        taken = b"".join(data)
        if self.came and isinstance(self.came[-1], bytes):
            self.came[-1] += taken
        else:
            self.came.append(taken)
        if self.dice.random() < 0.2:
            self.connection.pause()

    def control(self, message: bytes) -> None:
        assert self.outcome is None
        self.came.append(message.decode())

    def eof(self) -> None:
        assert not self.finished and self.outcome is None
        self.finished = True
        self._end()

    def over(self, outcome: Outcome) -> None:
        assert self.outcome is None
        self.outcome = outcome

    def gone(self) -> None:
        assert not self.is_gone and self.outcome is not None
        self.is_gone = True

    def drained(self) -> None:
        self.blocked = False

    # What it does

    def act(self) -> bool:
        """Send a piece, or go on to read; return False if there is nothing to do."""
        if self.connection.incoming.waits and self.dice.random() < 0.5:
            self.connection.resume()
            return True
        if self.blocked or self.said_fin or self.outcome is not None:
            return False
        if not self.to_send:
            self.said_fin = True
            self.connection.send_eof()
            self._end()
            return True
        item = self.to_send.pop(0)
        if isinstance(item, bytes):
            self.connection.send([memoryview(item)], len(item))
        else:
            self.connection.send_control(item.encode())
        self.most = max(self.most, self.connection.outgoing.weight)
        self.blocked = self.connection.unsent > HIGH
        return True

    def _end(self) -> None:
        if self.finished and self.said_fin:
            self.connection.close(Outcome(CloseCode.FINISHED))


def attach(client: End, host: End, dice: random.Random) -> Wire:
    """Make a new leg, as the platform does: the host is told the client's position, then the client the host's."""
    near, far = Half("near"), Half("far")
    client.connection.detach()
    position = client.connection.incoming.received
    host.connection.outgoing.check(position)
    host.connection.detach()
    theirs = host.connection.incoming.received
    wire = Wire(near, far, dice)
    try:
        host.connection.attach(far, position)
        client.connection.attach(near, theirs)
    except OutOfReach as error:
        raise AssertionError(f"a position that was told can't be reached: {error}") from None
    return wire
