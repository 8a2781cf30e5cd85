"""The programs at both ends of a simulated stream: each says its script, and knows what the other one has said."""

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Final

from attrs import define, field

from streamrelay.datapath.connection import Connection, Drain, Feed
from streamrelay.protocol.close import FINISHED, CloseCode, Outcome, outcome
from tests.simulation.process import Process
from tests.simulation.resuming.plan import Script
from tests.simulation.wiretap import Wrong

if TYPE_CHECKING:
    from tests.simulation.resuming.world import World

CONTROL: Final = 255
"""What stands in an end's record at the position of a control message; no byte is that."""
_DICE: Final = Random("bytes")
_BYTES: Final = bytes(_DICE.randrange(CONTROL) for _ in range(4096))


@define(eq=False)
class End:
    """One program, as the connection that a splice joins: a local one at the client, or the target."""

    world: "World"
    process: Process
    name: str
    script: Script
    other: "End" = field(init=False)
    said: bytearray = field(factory=bytearray)
    """All that it has said, position by position."""
    controls: dict[int, bytes] = field(factory=dict)
    got: int = 0
    """Position up to which it was told what the other has said."""
    finished: bool = False
    """True once it has said, in order, that this was all."""
    got_end: bool = False
    """True once it was told, in order, that this was all."""
    how: Outcome | None = None
    """Outcome with which its stream ended."""
    is_gone: bool = False
    _feed: Feed | None = None
    _drain: Drain | None = None
    _next: int = 0  # of the script's items
    _paused: bool = False
    _due: bool = False
    _held: int = 0  # bytes that it was given, and hasn't taken
    _taking: bool = False
    _closing: Outcome | None = None

    @property
    def unsent(self) -> int:
        return max(0, self._held - self.script.room)

    @property
    def taken(self) -> int:
        """Return the position up to which it has taken what it was given; an end of file is one."""
        return self.got - self._held + self.got_end

    def join(self, feed: Feed, drain: Drain) -> None:
        self._feed, self._drain = feed, drain
        self._soon()

    # -- what it says ----------------------------------------------------------------------------------------

    def _soon(self) -> None:
        if not (self._due or self._paused or self.finished or self.how):
            self._due = True
            self.process.later(self.script.pause, self._say)

    def _say(self) -> None:
        self._due = False
        if self._paused or self.finished or self.how or self._feed is None:
            return
        self.world.scheduler.touched.append(self)
        if self._next == len(self.script.items):
            self._finish(self._feed)
            return
        item = self.script.items[self._next]
        self._next += 1
        if isinstance(item, int):
            begin = len(self.said)
            self.said += _BYTES[begin : begin + item]
            lent = self.said[begin:]
            self._feed.received([memoryview(lent)], item)
            lent[:] = bytes(item)  # as they are good during the call only
        else:
            self.controls[len(self.said)] = item.encode()
            self.said.append(CONTROL)
            self._feed.control(item.encode())
        self._soon()

    def _finish(self, feed: Feed) -> None:
        how = self.script.finish
        if how == "eof" or (how == "wait" and self.got_end):
            self.finished = True
            self.world.say(self.name, f"has said all of {len(self.said)}")
            feed.eof()
        elif how == "over":
            self.finished = True
            self._leave(FINISHED)
        elif how == "reset":
            self._leave(outcome(CloseCode.TARGET_RESET))

    def _leave(self, how: Outcome) -> None:
        self.how = how
        self.world.say(self.name, f"leaves by itself: {how}; said {len(self.said)}, got {self.got}")
        assert self._feed is not None
        self._feed.over(how)
        self.process.later(0.0, self._go)

    def leave(self) -> None:
        """Reset, whatever it is at."""
        if self._feed is not None and not self.how:
            self._leave(outcome(CloseCode.LEG_LOST))

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._soon()

    # -- what it is told -------------------------------------------------------------------------------------

    def send(self, data: Sequence[memoryview], size: int) -> None:
        self._told(b"".join(data), size)
        if self.script.rest:
            self._held += size
            if not self._taking:
                self._taking = True
                self.process.later(self.script.rest, self._take)

    def send_control(self, message: bytes) -> None:
        if self.other.controls.get(self.got) != message:
            raise Wrong(f"{self.name} is told {message!r} at {self.got}, where that wasn't said")
        self._told(bytes((CONTROL,)), 1)

    def _told(self, piece: bytes, size: int) -> None:
        if self.how:
            return
        if self.got_end:
            raise Wrong(f"{self.name} is told {size} more behind the end")
        begin, self.got = self.got, self.got + size
        if len(piece) != size or piece != self.other.said[begin : self.got]:
            raise Wrong(f"{self.name} is told {size} at {begin} that aren't what was said there")

    def send_eof(self) -> None:
        self._check_whole("an end of file")
        self.got_end = True
        self.world.say(self.name, f"got all of {self.got}")
        self._soon()

    def _check_whole(self, what: str) -> None:
        if self.got != len(self.other.said) or not self.other.finished:
            has = "finished" if self.other.finished else "not finished"
            raise Wrong(f"{self.name} is told {what} at {self.got}, of {len(self.other.said)}, {has}")

    def _take(self) -> None:
        self._held, self._taking = 0, False
        if self._drain is not None:
            self.world.scheduler.touched.append(self)
            self._drain.drained()
        if self._closing is not None:
            self._close(self._closing)

    def close(self, how: Outcome) -> None:
        if self.how or self._closing:
            return
        if how.clean and not (self.finished and self.script.finish == "over"):
            self._check_whole("that all is well")
        self._closing = how
        if not (how.orderly and self._held):
            self.process.later(0.0, self._close, how)

    def _close(self, how: Outcome) -> None:
        if self.how is None:
            self.how = how
            self.world.say(self.name, f"is told the end: {how}; said {len(self.said)}, got {self.got}")
            assert self._feed is not None
            self._feed.over(how)
            self._go()

    def _go(self) -> None:
        if not self.is_gone and self._feed is not None:
            self.is_gone = True
            self._feed.gone()

    def abort(self) -> None:
        self.process.later(0.0, self._close, outcome(CloseCode.LEG_LOST))

    @property
    def progress(self) -> str:
        return f"{self.name} has said {len(self.said)}, got {self.got}, and isn't over"


_check: type[Connection] = End
