"""The carrier: many channels on one leg, at the client and at the agent alike.

The leg is always read: what a channel's sink doesn't take is bounded by the channel's window, so it stops no other.
While the leg itself holds more than `HIGH` unsent bytes, every channel keeps what it is given and its source isn't
read; once the leg has room they go on in turn, a frame of each. Small frames of a burst leave together.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.channels import frames
from streamrelay.channels.channel_end import ChannelEnd
from streamrelay.channels.window import Spare
from streamrelay.datapath.connection import HIGH, Connection, Drain, Feed
from streamrelay.errors import PeerError
from streamrelay.protocol.close import CloseCode, Outcome, outcome

SMALL: Final = 4096
"""Bytes of data which are rather copied than sent at once."""
BATCH: Final = 128 * 1024
"""Bytes that go to the leg at once when channels have their turns."""
BURST: Final = 0.0005
"""Seconds within which small frames are gathered; data after a longer pause leave at once."""
LATER: Final = 0.01
"""Seconds for which a frame may wait that nobody waits for, so that it leaves along with others."""
MOST_UNSENT: Final = 512 * 1024
"""Bytes that may wait at the leg. Data stop long before; whoever makes us answer without reading is cut off."""


class Leg(Connection, Protocol):
    """A leg whose bytes are frames of channels."""

    def measure(self, size: int, headers: int) -> None:
        """Take note that so many of `size` bytes were headers, as less is read at once of who sends little else."""


@define(eq=False)
class Carrier(Feed, Drain):
    """All channels of one stream. `opened` is called with each one that the peer opens; if None, it may open none.

    `most` may be open at once. Channel 1 is open from the beginning. `on_over` is called once when the stream is over,
    with its outcome, and `on_gone` when the leg holds nothing any more.
    """

    leg: Leg
    clock: IReactorTime
    most: int
    opened: Callable[[ChannelEnd], None] | None = None
    on_over: Callable[[Outcome], None] = lambda how: None
    on_gone: Callable[[], None] = lambda: None
    on_forgotten: Callable[[], None] = lambda: None
    """Called after each channel that has ended both ways."""
    ends: dict[int, ChannelEnd] = field(factory=dict)
    """Channels that have not ended both ways, by their numbers."""
    congested: bool = False
    turn: int = 0
    """Number of the last read of the leg."""
    last: int = 0
    """Number of the last channel that was opened."""
    outcome: Outcome | None = None
    """Outcome of the stream, once it is over."""
    first: ChannelEnd = field(init=False)
    """Channel 1."""
    _reader: frames.ChannelFrameReader = field(factory=frames.ChannelFrameReader)
    _spare: Spare = field(factory=Spare)
    _ready: deque[ChannelEnd] = field(factory=deque)  # those that have something to send, in turn
    _pending: bytearray = field(factory=bytearray)  # small frames of this turn
    _flushing: IDelayedCall | None = None
    _soon: bool = False  # that is to be in the next turn
    _sent_at: float = -1.0

    def __attrs_post_init__(self) -> None:
        self.first = self.open()

    def join(self) -> None:
        """Begin to read the leg."""
        self.leg.join(self, self)

    @property
    def has_room(self) -> bool:
        return self.outcome is None and len(self.ends) < self.most

    def open(self) -> ChannelEnd:
        """Open the next channel, and return this end of it; the caller has looked that there is room."""
        self.last += 1
        end = self.ends[self.last] = ChannelEnd(self, self.last, self.clock, self._spare)
        if self.last > 1 and self.opened is None:
            self.write(frames.header(frames.OPEN, end.number))
        return end

    def end(self, how: Outcome) -> None:
        """End the stream and all its channels, in order as far as the leg is concerned."""
        if self.outcome is None:
            self._flush()
            self.leg.close(how)
            self._end_all(how)

    def abort(self) -> None:
        self.leg.abort()

    # -- Line: what channels send ------------------------------------------------------------------------------

    def write(self, frame: bytes, later: bool = False) -> None:
        if self.outcome is None:
            self._pending += frame
            self._flush_within(LATER if later else 0.0)

    def write_data(self, number: int, data: Sequence[memoryview], size: int) -> None:
        if size > SMALL:  # views of the caller's, so it can't wait
            self._send(frames.data_frames(number, data, size))
            return
        self._pending += frames.header(frames.DATA, number, size)
        for view in data:
            self._pending += view
        if self.clock.seconds() - self._sent_at >= BURST:
            self._flush()
        else:
            self._flush_within(0.0)

    def wake(self, end: ChannelEnd) -> None:
        end.queued = True
        self._ready.append(end)
        if not self.congested:
            self._take_turns()

    def forget(self, end: ChannelEnd) -> None:
        self.ends.pop(end.number, None)
        self.on_forgotten()

    # -- Drain and Feed: the leg -------------------------------------------------------------------------------

    def drained(self) -> None:
        if self.congested:
            self.congested = False
            self._take_turns()

    def received(self, data: Sequence[memoryview], size: int) -> None:
        headers = 0
        self.turn += 1
        for view in data:
            try:
                events = self._reader.feed(view)
            except PeerError as error:
                self._take(error.before)
                raise
            headers += self._take(events)
        self.leg.measure(size, headers)
        if self.leg.unsent > MOST_UNSENT:
            raise PeerError(CloseCode.FLOODING, "channels: frames that are to be answered, while no answers are read")

    def control(self, message: bytes) -> None:
        """Ignore control messages, none of which is meant for channels."""

    def eof(self) -> None:
        raise PeerError(CloseCode.PROTOCOL, "an end of file of a stream that carries channels")

    def over(self, outcome: Outcome) -> None:
        self._end_all(outcome)

    def gone(self) -> None:
        self.on_gone()

    # -- within ------------------------------------------------------------------------------------------------

    def _take(self, events: list[frames.Event]) -> int:
        """Pass on what frames mean, and return how many bytes of headers they have cost."""
        headers = index = 0
        while index < len(events) and self.outcome is None:
            kind, number, payload = events[index]
            index += 1
            headers += frames.HEADER
            if kind == frames.OPEN:
                self._open(number)
                continue
            end = self.ends.get(number)
            if end is None:
                raise PeerError(CloseCode.PROTOCOL, f"a frame of channel {number}, which isn't open")
            if kind == frames.DATA:
                run = [payload]
                while index < len(events) and events[index][0] == frames.DATA and events[index][1] == number:
                    run.append(events[index][2])
                    index += 1
                size = sum(map(len, run))
                headers += (len(run) - 1) * frames.HEADER
                end.take(run, size)  # type: ignore[arg-type]
            elif kind == frames.EOF:
                end.take_eof()
            elif kind == frames.WINDOW:
                end.take_credit(frames.credit_of(payload))
            else:
                end.take_end(frames.outcome_of(payload))
        return headers

    def _open(self, number: int) -> None:
        if self.opened is None:
            raise PeerError(CloseCode.PROTOCOL, "only the client opens channels")
        if number != self.last + 1:
            raise PeerError(CloseCode.PROTOCOL, f"channel {number} was opened after channel {self.last}")
        if len(self.ends) >= self.most:
            raise PeerError(CloseCode.PROTOCOL, f"more than {self.most} channels at once")
        self.opened(self.open())

    def _flush_within(self, seconds: float) -> None:
        """Send what is pending in so many seconds at most; 0: in the next turn of the reactor."""
        if len(self._pending) > BATCH:
            self._flush()
        elif self._flushing is None:
            self._flushing, self._soon = self.clock.callLater(seconds, self._flush), not seconds
        elif not seconds and not self._soon:
            self._flushing.reset(0)
            self._soon = True

    def _flush(self) -> None:
        if self._pending:
            self._send([])

    def _send(self, buffers: list[bytes | memoryview]) -> None:
        """Send frames to the leg, behind what is pending."""
        if self._flushing is not None:
            if self._flushing.active():
                self._flushing.cancel()
            self._flushing = None
        if self._pending:
            pending, self._pending = self._pending, bytearray()
            buffers.insert(0, memoryview(pending))
        self._sent_at = self.clock.seconds()
        views = [memoryview(buffer) for buffer in buffers]
        self.leg.send(views, sum(map(len, views)))
        if self.leg.unsent > HIGH:  # until all is out, of which the leg tells
            self.congested = True

    def _take_turns(self) -> None:
        """Let channels send a frame each, in turn, as long as the leg has room."""
        while self._ready and not self.congested:
            buffers: list[bytes | memoryview] = []
            given: list[ChannelEnd] = []
            size = 0
            while self._ready and size < BATCH:
                end = self._ready.popleft()
                end.queued = False
                if end.may_send:
                    data, length = end.give()
                    buffers += [frames.header(frames.DATA, end.number, length), *data]
                    size += length
                    given.append(end)
                    self._requeue(end)
            if buffers:
                self._send(buffers)
            for end in dict.fromkeys(given):
                end.gave()

    def _requeue(self, end: ChannelEnd) -> None:
        if end.may_send:
            end.queued = True
            self._ready.append(end)

    def _end_all(self, how: Outcome) -> None:
        if self.outcome is not None:
            return
        self.outcome = how
        if self._flushing is not None and self._flushing.active():
            self._flushing.cancel()
        self._flushing = None
        self._pending.clear()
        lost = outcome(CloseCode.LEG_LOST, "the stream that carried it has ended") if how.clean else how
        for end in tuple(self.ends.values()):
            end.over(lost)
        self._ready.clear()
        self.on_over(how)
