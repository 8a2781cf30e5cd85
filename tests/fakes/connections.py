"""Connections in memory, and the ear of a splice."""

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.task import Clock

from streamrelay.datapath.connection import Connection, Drain, Feed
from streamrelay.datapath.splice import Splice
from streamrelay.protocol.close import FINISHED, CloseCode, Outcome, outcome


@define(eq=False)
class Ear(Feed, Drain):
    """A feed and a drain that write down what they are told."""

    said: list[tuple[Any, ...]] = field(factory=list)
    on_received: Callable[[], None] = lambda: None

    def received(self, data: Sequence[bytes | memoryview], size: int) -> None:
        joined = b"".join(data)
        if len(joined) != size:
            raise AssertionError(f"{size} bytes were announced and {len(joined)} came")
        if self.said and self.said[-1][0] == "bytes":
            joined = self.said.pop()[1] + joined
        self.said.append(("bytes", joined))
        self.on_received()

    def control(self, message: bytes) -> None:
        self.said.append(("control", bytes(message)))

    def eof(self) -> None:
        self.said.append(("eof",))

    def over(self, outcome: Outcome) -> None:
        self.said.append(("over", outcome))

    def gone(self) -> None:
        self.said.append(("gone",))

    def drained(self) -> None:
        self.said.append(("drained",))

    def named(self, name: str) -> list[tuple[Any, ...]]:
        return [event for event in self.said if event[0] == name]

    @property
    def data(self) -> bytes:
        return b"".join(event[1] for event in self.named("bytes"))

    @property
    def codes(self) -> list[int]:
        """Of the outcomes that were told; never more than one."""
        return [event[1].code for event in self.named("over")]


class Turns(Clock):
    """A clock that goes on as a reactor does: what is asked for in one turn, with no delay, comes in the next."""

    def advance(self, amount: float) -> None:
        self.rightNow += amount
        due = [call for call in self.calls if call.getTime() <= self.seconds()]
        for call in due:
            if call.active():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)


@define(eq=False)
class FakeConnection:
    """A connection that keeps what is sent until `take`n, and is the test's to speak for."""

    control: bool = True
    peer: str = "somewhere"
    sent: bytearray = field(factory=bytearray)
    """What the far end has got."""
    queue: bytearray = field(factory=bytearray)
    """What was sent and has not reached the kernel."""
    slow: bool = False
    """Whether sent bytes stay in `queue` until `drain`."""
    sudden: bool = False
    """Whether `close` tells its end before it returns."""
    controls: list[bytes] = field(factory=list)
    order: list[str] = field(factory=list)
    closed: Outcome | None = None
    closes: int = 0
    aborted: bool = False
    paused: bool = True
    eof_sent: bool = False
    joined: Feed | None = None
    drain_to: Drain | None = None
    over: bool = False
    lost: bool = False
    outlived: bool = False
    """Whether its stream outlives it."""
    headers: int = 0
    """Bytes of headers that its feed has found."""

    @property
    def unsent(self) -> int:
        return len(self.queue)

    @property
    def feed(self) -> Feed:
        """Whom it was joined to."""
        assert self.joined is not None, "it was not joined"
        return self.joined

    @property
    def closing(self) -> Outcome:
        """How it was closed."""
        assert self.closed is not None, "it was not closed"
        return self.closed

    def join(self, feed: Feed, drain: Drain) -> None:
        if self.lost:
            feed.over(outcome(CloseCode.LEG_LOST))
            feed.gone()
            return
        self.joined, self.drain_to, self.paused = feed, drain, False

    def send(self, data: Sequence[bytes | memoryview], size: int) -> None:
        joined = b"".join(data)
        if len(joined) != size:
            raise AssertionError(f"{size} bytes were announced and {len(joined)} came")
        if self.closed is None:
            self.order.append("bytes")
            (self.queue if self.slow else self.sent).extend(joined)

    def send_control(self, message: bytes) -> None:
        self.order.append("control")
        self.controls.append(bytes(message))

    def send_eof(self) -> None:
        self.eof_sent = True
        self.order.append("eof")

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def close(self, outcome: Outcome) -> None:
        self.closes += 1
        if self.closed is None:
            self.closed = outcome
            self.order.append("close")
            if self.sudden:
                self.lose(FINISHED)

    def leave(self, outcome: Outcome) -> None:
        self.close(outcome)

    def outlive(self) -> None:
        self.outlived = True

    def measure(self, size: int, headers: int) -> None:
        self.headers += headers

    def abort(self) -> None:
        self.aborted = True

    # What the far end does.

    def receive(self, data: bytes) -> None:
        self.feed.received([memoryview(bytearray(data))], len(data))

    def drain(self) -> None:
        """Everything in the queue reaches the far end."""
        self.sent += self.queue
        self.queue.clear()
        if self.drain_to is not None:
            self.drain_to.drained()

    def end(self, outcome: Outcome = FINISHED) -> None:
        """Nothing more comes, but what is unsent may still go out."""
        if not self.over:
            self.over = True
            self.feed.over(outcome)

    def lose(self, outcome: Outcome = FINISHED) -> None:
        self.lost = True
        if self.joined is not None:
            self.end(outcome)
            feed, self.joined = self.joined, None
            feed.gone()


_connection: type[Connection] = FakeConnection


class FakeSplice(Splice):
    """A splice of two fakes."""

    near: FakeConnection
    far: FakeConnection
