"""Bytes and messages of a stream that resumes that have come: told in order to who takes them, held and confirmed.

A leg is read on while the program at this end takes nothing: what it confirms of the other direction stands behind
bytes, so who stops to read for one direction would stop the other one, too (protocol.rst, "Reading").
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.protocol.control import Word
from streamrelay.resume.outgoing import LEAST, OVERHEAD, Memory

MUCH: Final = 1 << 20
"""Bytes that are confirmed at once. On their way a confirmation costs as much as a tenth of that does."""
SOON: Final = 0.002
"""Seconds after which `LEAST` bytes are confirmed, so that no window is full for long."""
CONFIRM_TIME: Final = 1.0
"""Seconds after which anything that has come is confirmed."""
TOGETHER: Final = 64 * 1024
"""Bytes that are held as one at least, so that those of many small messages take no more memory than others."""


class Taker(Protocol):
    """Who is told what has come."""

    def take(self, data: Sequence[memoryview], size: int) -> None: ...

    def take_control(self, message: bytes, word: Word) -> None: ...


@define(eq=False)
class Incoming:
    """One direction of a stream, at the end that receives. `tell` confirms a position to the other end."""

    clock: IReactorTime
    taker: Taker
    tell: Callable[[int], None]
    most: int
    """Bytes that are held before the leg is read no more; an end that keeps to the protocol never sends so many."""
    memory: Memory
    received: int = 0
    """Position up to which everything has come."""
    waits: bool = False
    """True while the taker has no room; what it was told last may be in its hands yet, so nothing is confirmed."""
    _held: deque[bytearray | tuple[bytes, Word]] = field(factory=deque)  # bytes, or a control message
    _behind: int = 0  # positions that are held
    _weight: int = 0
    _told: int = 0
    _later: IDelayedCall | None = None  # when anything is to be confirmed
    _soon: IDelayedCall | None = None  # when `LEAST` bytes are
    _over: bool = False
    _is_unheard: bool = True  # nothing was confirmed yet

    @property
    def is_full(self) -> bool:
        """True while the leg isn't to be read."""
        return self._weight >= self.most or (self._weight >= LEAST and self.memory.is_full)

    def came(self, data: Sequence[memoryview], size: int) -> None:
        """Take bytes that have come."""
        self.received += size
        if self.waits or self._held:
            self._hold(data, size)
        else:
            self.taker.take(data, size)
        self._confirm_soon()

    def said(self, message: bytes, word: Word) -> None:
        """Take a control message that counts."""
        self.received += 1
        if self.waits or self._held:
            self._held.append((bytes(message), word))
            self._weigh(1, len(message) + OVERHEAD)
        else:
            self.taker.take_control(message, word)
        self._confirm_soon()

    def went_on(self) -> None:
        """Take note that there is room: what is held is told, as long as there is."""
        self.waits = False
        while self._held and not self.waits:
            self._tell_one()
        self._confirm_soon()

    def flush(self) -> None:
        """Tell all that is held, as an end follows that waits for nobody."""
        self.waits = False
        while self._held:
            self._tell_one()
        self.waits = False

    def drop(self) -> None:
        """Hold nothing any more, as nobody takes it, and confirm nothing later."""
        self.stop()
        self._held.clear()
        self._weigh(-self._behind, -self._weight)
        self.waits = False

    def end(self) -> None:
        """Hold and confirm nothing any more, as the stream is over: who is being told something may have ended it."""
        self.drop()
        self._over = True

    def confirm(self) -> None:
        """Confirm all that was taken, even if it was said before."""
        self.stop()
        self._tell()

    def attached(self) -> None:
        """Take note of a new leg: what was confirmed last may be lost, so it is said anew."""
        self._told = 0
        self._confirm_soon()

    def stop(self) -> None:
        for timer in (self._later, self._soon):
            if timer is not None:
                timer.cancel()
        self._later = self._soon = None

    def _hold(self, data: Sequence[memoryview], size: int) -> None:
        last = self._held[-1] if self._held else None
        if not isinstance(last, bytearray) or len(last) >= TOGETHER:
            last = bytearray()
            self._held.append(last)
        for each in data:
            last += each
        self._weigh(size, size)

    def _tell_one(self) -> None:
        item = self._held.popleft()
        if isinstance(item, bytearray):
            self._weigh(-len(item), -len(item))
            self.taker.take([memoryview(item)], len(item))
        else:
            message, word = item
            self._weigh(-1, -len(message) - OVERHEAD)
            self.taker.take_control(message, word)

    def _weigh(self, positions: int, weight: int) -> None:
        self._behind += positions
        self._weight += weight
        self.memory.weigh(weight)

    def _confirm_soon(self) -> None:
        """Confirm what was taken, once there is enough of it, or in a while; soon what comes first, as that tells the
        other end that somebody is there (protocol.rst, "End" of kept terminals)."""
        untold = self._untold
        if self._over or self.waits or not untold:
            return
        if untold >= MUCH:
            self._tell()
            return
        if (untold >= LEAST or self._is_unheard) and self._soon is None:
            self._soon = self.clock.callLater(SOON, self._time_for_some)
        if self._later is None:
            self._later = self.clock.callLater(CONFIRM_TIME, self._time_for_any)

    @property
    def _untold(self) -> int:
        return self.received - self._behind - self._told

    def _tell(self) -> None:
        """Confirm it, and let timers run: to move one costs more than all else of a confirmation."""
        self._is_unheard = False
        self._told += self._untold
        self.tell(self._told)

    def _time_for_some(self) -> None:
        self._soon = None
        if not self.waits and self._untold >= (1 if self._is_unheard else LEAST):
            self._tell()

    def _time_for_any(self) -> None:
        self._later = None
        if not self.waits and self._untold > 0:
            self._tell()
