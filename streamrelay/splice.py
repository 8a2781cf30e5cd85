"""The splice: two connections joined, what comes out of one goes into the other and vice versa.

A splice is two halves, one for each direction. A connection tells the half that it feeds what it received, and the
half that it is fed by when it has room again; the half never holds bytes. Backpressure is one rule: when the sink
holds more than `HIGH` unsent bytes the source isn't read until all of them are out.

An end of file ends one half, both ends of file end the splice. Whatever else ends a connection ends the other one
too, after every byte that was received before has been sent.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from attrs import define, field

from streamrelay.endings import FINISHED, Ending

HIGH: Final = 65536
"""Unsent bytes in one direction above which its source is no longer read."""


class Feed(Protocol):
    """What a connection tells of the bytes that it receives."""

    def received(self, data: Sequence[memoryview], size: int) -> None:
        """Bytes of the stream, `size` in all. The views are good, and may be changed, during this call only."""

    def control(self, message: bytes) -> None:
        """A control message, in order with the bytes."""

    def eof(self) -> None:
        """No more bytes will come; the other direction goes on."""

    def over(self, ending: Ending) -> None:
        """Nothing more will come, and nothing more can be sent. Told once."""

    def gone(self) -> None:
        """The connection holds no resources any more. Told once, after `over`."""


class Drain(Protocol):
    """Whom a connection tells that it has room again."""

    def drained(self) -> None: ...


class Connection(Protocol):
    """One end of a splice: a websocket leg, a target, a local client. It isn't read until it is joined."""

    @property
    def unsent(self) -> int:
        """Bytes that were sent here and have not reached the kernel yet."""

    def join(self, feed: Feed, drain: Drain) -> None:
        """Start to read, and tell these two."""

    def send(self, data: Sequence[memoryview], size: int) -> None:
        """Send bytes of the stream, all of them, whatever `unsent` is."""

    def send_control(self, message: bytes) -> None:
        """Send a control message, or drop it where the other end takes none."""

    def send_eof(self) -> None:
        """No more bytes will be sent; the other direction goes on where it can."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def close(self, ending: Ending) -> None:
        """End once everything sent is out (an orderly ending), or at once where the rest is worth nothing."""

    def abort(self) -> None:
        """End now."""


@define(eq=False)
class Half:
    """One direction of a splice."""

    splice: "Splice"
    source: Connection
    sink: Connection
    count: int = 0
    """Bytes that went this way."""
    ended: bool = False
    """Whether the source's end of file was passed on."""
    holding: bool = False
    """Whether the source is paused until the sink has drained."""

    def received(self, data: Sequence[memoryview], size: int) -> None:
        self.count += size
        self.sink.send(data, size)
        if self.sink.unsent > HIGH and not self.holding:
            self.holding = True
            self.source.pause()

    def drained(self) -> None:
        if self.holding:
            self.holding = False
            self.source.resume()

    def control(self, message: bytes) -> None:
        self.sink.send_control(message)

    def eof(self) -> None:
        if not self.ended:
            self.ended = True
            self.sink.send_eof()
            self.splice.half_ended()

    def over(self, ending: Ending) -> None:
        self.splice.end(ending, self)

    def gone(self) -> None:
        self.splice.one_gone()


@define(eq=False)
class Splice:
    """Two connections, joined by `start`. `on_end` is called once, when both hold no resources any more."""

    near: Connection
    far: Connection
    on_end: Callable[["Splice"], None]
    ending: Ending | None = None
    """How it ended; the first reason counts."""
    outward: Half = field(init=False)
    """near to far"""
    inward: Half = field(init=False)
    """far to near"""
    _standing: int = 2

    def __attrs_post_init__(self) -> None:
        self.outward = Half(self, self.near, self.far)
        self.inward = Half(self, self.far, self.near)

    def start(self) -> None:
        self.near.join(self.outward, self.inward)
        self.far.join(self.inward, self.outward)

    def half_ended(self) -> None:
        if self.outward.ended and self.inward.ended and self.ending is None:
            self.end(FINISHED)

    def end(self, ending: Ending, said_by: Half | None = None) -> None:
        """End both connections; the one that said so itself has nothing more to be told."""
        if self.ending is None:
            self.ending = ending
        for half in (self.outward, self.inward):
            if half is not said_by:
                half.source.close(self.ending)
            half.drained()

    def abort(self) -> None:
        self.near.abort()
        self.far.abort()

    def one_gone(self) -> None:
        self._standing -= 1
        if self._standing == 0:
            self.on_end(self)
