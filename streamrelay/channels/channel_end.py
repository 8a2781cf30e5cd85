"""One end of a channel, as a connection to splice.

Its phase only ever grows:

==================  ======================================  =============================  ==========================
what happens        OPEN                                    CLOSING: END goes out once     ENDED: our END is out,
                                                            all that is unsent has         or the carrier is over
==================  ======================================  =============================  ==========================
send, send_eof      goes out, or waits for room             dropped                        dropped
close               nothing unsent: END, over, gone →       --                             --
                    ENDED; else → CLOSING
abort               END, over, gone → ENDED                 END, over, gone → ENDED        --
bytes, EOF          told, or kept until it is joined        dropped                        dropped
END                 END, over, gone → ENDED                 END, over, gone → ENDED        it is forgotten
carrier is over     over, gone → ENDED                      over, gone → ENDED             --
its time is up      (no timer)                              END, over, gone → ENDED        (no timer)
==================  ======================================  =============================  ==========================

A channel is one of its carrier's until both ENDs have passed, so that late frames are known for what they
are. Bytes over the window, and bytes behind an EOF or an END, break the protocol.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from streamrelay.channels import frames
from streamrelay.channels.window import START, Spare, Window
from streamrelay.datapath.connection import HIGH, Connection, Drain, Feed
from streamrelay.datapath.deadline import Deadline
from streamrelay.errors import PeerError
from streamrelay.protocol.close import CloseCode, Outcome, outcome

CLOSE_TIME: Final = 60.0
"""Seconds in which what is unsent must go out."""
MOST_CREDIT: Final = (1 << 31) - 1
"""Bytes that a peer may let us send."""

OPEN, CLOSING, ENDED = range(3)


class Line(Protocol):
    """The carrier of a channel, as much of it as the channel needs."""

    congested: bool
    """True while the leg has no room for data."""

    def write(self, frame: bytes, later: bool = False) -> None:
        """Send a whole frame soon, or a little `later` along with others."""

    def write_data(self, number: int, data: Sequence[memoryview], size: int) -> None:
        """Send data."""

    def wake(self, end: "ChannelEnd") -> None:
        """Let a channel that has something to send have its turn."""

    def forget(self, end: "ChannelEnd") -> None:
        """Let go of a channel that has ended both ways."""


@define(eq=False)
class ChannelEnd:
    """One end of one channel; `number` is the same at both ends."""

    carrier: Line
    number: int
    clock: IReactorTime
    spare: Spare
    credit: int = START
    """Bytes that the peer still takes."""
    before: Callable[[Outcome], None] = lambda how: None
    """Called if the channel ends before it is joined."""
    queued: bool = False
    """True while it stands in the carrier's queue for a turn."""
    _window: Window = field(init=False)
    _feed: Feed | None = None
    _drain: Drain | None = None
    _phase: int = OPEN
    _why: Outcome | None = None
    _early: bytearray = field(factory=bytearray)  # bytes that came before it was joined
    _paused: bool = False
    _withheld: int = 0  # bytes that were passed on to a sink which has not taken them yet
    _eof: bool = False  # the peer's
    _own_eof: bool = False
    _eof_due: bool = False  # our own goes out behind what is unsent
    _peer_ended: bool = False
    _queue: deque[memoryview] = field(factory=deque)
    _size: int = 0  # of the queue
    _deadline: Deadline = field(init=False)  # of the close

    def __attrs_post_init__(self) -> None:
        self._window = Window(self.clock, self.spare)
        self._deadline = Deadline(self.clock, self._too_late)

    # -- Connection ------------------------------------------------------------------------------------------

    @property
    def unsent(self) -> int:
        """Bytes that wait here. Any at all are too many for the source, as there may be many channels."""
        return self._size and self._size + HIGH

    def join(self, feed: Feed, drain: Drain) -> None:
        self._feed, self._drain = feed, drain
        early, self._early = self._early, bytearray()
        if early:
            self._deliver([memoryview(early)], len(early))
        if self._eof and self._phase == OPEN:
            feed.eof()
        if self._phase == ENDED:
            self._tell()

    def send(self, data: Sequence[memoryview], size: int) -> None:
        if self._phase != OPEN or self._own_eof or not size:
            return
        if size <= self.credit and not self._size and not self.carrier.congested:
            self.credit -= size
            self.carrier.write_data(self.number, data, size)
            return
        self._queue.append(memoryview(b"".join(data)))
        self._size += size
        self._wake()

    def send_control(self, message: bytes) -> None:
        """Drop a control message, as channels have none."""

    def send_eof(self) -> None:
        if self._phase == OPEN and not self._own_eof:
            self._own_eof = True
            self._eof_due = bool(self._size)
            if not self._size:
                self.carrier.write(frames.header(frames.EOF, self.number))

    def pause(self) -> None:
        self._paused = self._window.stalled = True

    def resume(self) -> None:
        self._paused = False
        size, self._withheld = self._withheld, 0
        if size:
            self._grant(size)

    def close(self, outcome: Outcome) -> None:
        if self._phase != OPEN:
            return
        self._why = outcome
        if self._size:
            self._phase = CLOSING
            self._deadline.set(CLOSE_TIME)
        else:
            self._end(outcome)

    def abort(self) -> None:
        if self._phase != ENDED:
            self._end(self._why or outcome(CloseCode.LEG_LOST))

    @property
    def ended(self) -> bool:
        return self._phase == ENDED

    # -- what the carrier brings -----------------------------------------------------------------------------

    def take(self, data: Sequence[memoryview], size: int) -> None:
        """Take bytes that have come."""
        self._check("bytes")
        self._window.left -= size
        if self._window.left < 0:
            raise PeerError(CloseCode.PROTOCOL, f"more bytes of channel {self.number} than its window")
        if self._phase != OPEN:
            return
        if self._feed is None:
            self._early += b"".join(data)
        else:
            self._deliver(data, size)

    def take_eof(self) -> None:
        self._check("an end of file")
        self._eof = True
        if self._phase == OPEN and self._feed is not None:
            self._feed.eof()

    def take_credit(self, credit: int) -> None:
        """Take note that the peer takes so many bytes more."""
        if self._peer_ended:
            raise PeerError(CloseCode.PROTOCOL, f"a window of channel {self.number} after its end")
        self.credit += credit
        if self.credit > MOST_CREDIT:
            raise PeerError(CloseCode.PROTOCOL, f"a window of over {MOST_CREDIT} bytes")
        self._wake()

    def take_end(self, how: Outcome) -> None:
        if self._peer_ended:
            raise PeerError(CloseCode.PROTOCOL, f"two ends of channel {self.number}")
        self._peer_ended = True
        if self._phase == ENDED:
            self.carrier.forget(self)
            return
        self.carrier.write(frames.end(self.number, Outcome(how.code)))  # an answer: the peer knows its own words
        self._finish(how)

    def over(self, how: Outcome) -> None:
        """Take note that the carrier is over: nothing comes any more, and nothing can go."""
        self._peer_ended = True
        if self._phase == ENDED:
            self.carrier.forget(self)
            return
        self._finish(how)

    # -- what the carrier fetches ----------------------------------------------------------------------------

    @property
    def may_send(self) -> bool:
        """True if it has bytes for which there is credit."""
        return bool(self._size and self.credit and self._phase != ENDED)

    def give(self) -> tuple[list[memoryview], int]:
        """Return the bytes of its next frame, and how many."""
        size = min(self._size, self.credit, frames.MOST_DATA)
        given, left = [], size
        while left:
            view = self._queue.popleft()
            if len(view) > left:
                self._queue.appendleft(view[left:])
                view = view[:left]
            given.append(view)
            left -= len(view)
        self._size -= size
        self.credit -= size
        return given, size

    def gave(self) -> None:
        """Take note that what it gave is out: if that was all, what stood behind it follows, or its source goes on."""
        if self._size or self._phase == ENDED:
            return
        if self._eof_due:
            self._eof_due = False
            self.carrier.write(frames.header(frames.EOF, self.number))
        if self._phase == CLOSING:
            assert self._why is not None
            self._end(self._why)
        elif self._drain is not None:
            self._drain.drained()

    # -- within ----------------------------------------------------------------------------------------------

    def _check(self, what: str) -> None:
        if self._eof or self._peer_ended:
            raise PeerError(CloseCode.PROTOCOL, f"{what} of channel {self.number} after its end")

    def _deliver(self, data: Sequence[memoryview], size: int) -> None:
        assert self._feed is not None
        self._feed.received(data, size)
        if self._paused:
            self._withheld += size
        else:
            self._grant(size)

    def _grant(self, size: int) -> None:
        if self._phase == OPEN and not self._eof and (credit := self._window.went_out(size)):
            self.carrier.write(frames.window(self.number, credit))

    def _wake(self) -> None:
        if not self.queued and self.may_send:
            self.carrier.wake(self)

    def _too_late(self) -> None:
        self._end(outcome(CloseCode.LEG_LOST, f"not all was taken within {CLOSE_TIME:.0f} s"))

    def _end(self, how: Outcome) -> None:
        through = self._eof and self._own_eof  # then nobody waits for the END
        self.carrier.write(frames.end(self.number, how), later=through)
        self._finish(how)

    def _finish(self, how: Outcome) -> None:
        self._phase = ENDED
        why = self._why = self._why or how
        self._deadline.stop()
        self._queue.clear()
        self._early.clear()
        self._size = 0
        self._window.close()
        if self._peer_ended:
            self.carrier.forget(self)
        if self._feed is not None:
            self._tell()
        else:
            self.before(why)

    def _tell(self) -> None:
        feed, self._feed, self._drain = self._feed, None, None
        if feed is not None:
            feed.over(self._why or outcome(CloseCode.LEG_LOST))
            feed.gone()


_check: type[Connection] = ChannelEnd
