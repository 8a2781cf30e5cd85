"""The splice: two connections joined, what comes out of one goes into the other and vice versa.

A splice is two halves, one for each direction. A connection tells the half that it feeds what it received, and the
half that it is fed by when it has room again; the half never holds bytes. Backpressure is one rule: when the sink
holds more than `HIGH` unsent bytes the source isn't read until all of them are out.

An end of file ends one half, both ends of file end the splice. Whatever else ends a connection ends the other one
too, after every byte that was received before has been sent.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from attrs import define, field

from streamrelay.datapath.connection import HIGH, Connection
from streamrelay.protocol.close import FINISHED, Outcome


@define(eq=False)
class Half:
    """One direction of a splice."""

    splice: "Splice"
    source: Connection
    sink: Connection
    count: int = 0
    """Bytes that went this way."""
    ended: bool = False
    """True once the source's end of file was passed on."""
    holding: bool = False
    """True while the source is paused until the sink has drained."""

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

    def over(self, outcome: Outcome) -> None:
        self.splice.end(outcome, self)

    def gone(self) -> None:
        self.splice.one_gone()


HalfFactory: TypeAlias = Callable[["Splice", Connection, Connection], Half]
"""Makes one half of a splice, from a source to a sink."""


@define(eq=False)
class Splice:
    """Two connections, joined by `start`. `on_end` is called once, when both hold no resources any more.

    `half` makes both halves; a splice keeps those that it is made with.
    """

    near: Connection
    far: Connection
    on_end: Callable[["Splice"], None]
    half: HalfFactory = Half
    outcome: Outcome | None = None
    """Outcome with which it ended; the first reason counts."""
    outward: Half = field(init=False)
    """The half from near to far."""
    inward: Half = field(init=False)
    """The half from far to near."""
    _standing: int = 2

    def __attrs_post_init__(self) -> None:
        self.outward = self.half(self, self.near, self.far)
        self.inward = self.half(self, self.far, self.near)

    def start(self) -> None:
        self.near.join(self.outward, self.inward)
        self.far.join(self.inward, self.outward)

    def half_ended(self) -> None:
        if self.outward.ended and self.inward.ended and self.outcome is None:
            self.end(FINISHED)

    def end(self, outcome: Outcome, said_by: Half | None = None) -> None:
        """End both connections; the one that said so itself has nothing more to be told."""
        if self.outcome is None:
            self.outcome = outcome
        for half in (self.outward, self.inward):
            if half is not said_by:
                half.source.close(self.outcome)
            half.drained()

    def wind_up(self, outcome: Outcome) -> None:
        """End the far connection in order, and the near one once it has got all that the far one had sent until then.

        The answer to our close comes behind that. Whatever the near one sends meanwhile is lost.
        """
        if self.outcome is None:
            self.outcome = outcome
            self.far.close(outcome)
            if self.inward.holding:  # to close has resumed it, for the answer
                self.far.pause()

    def abort(self) -> None:
        self.near.abort()
        self.far.abort()

    def one_gone(self) -> None:
        self._standing -= 1
        if self._standing == 0:
            self.on_end(self)
