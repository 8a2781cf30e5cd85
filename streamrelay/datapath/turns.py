"""Large reads in turn, so that streams that have always more to read don't hold up the others of a process.

Whoever's last read was large may do the next one only if few others of its kind have been done since the loop last
looked who else is ready; if not, it waits in line for one of the next turns. All others read at once. Those in line
aren't watched, so that a look costs no more the more of them there are.
"""

from collections.abc import Callable
from itertools import islice
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from attrs import define, field

LARGE: Final = 64 * 1024
"""Bytes from which on a read is large; one that is as large as its channel may read is so, too."""
AT_ONCE: Final = 4
"""Large reads, of up to 0.4 ms each, between two looks of the loop; fewer would cost more, as each look costs."""


class Loop(Protocol):
    """The part of asyncio's loops that is needed here."""

    def call_soon(self, callback: "Callable[[Loop], object]", argument: "Loop", /) -> object: ...


class Reader(Protocol):
    """A channel that reads much."""

    @property
    def loop(self) -> Loop: ...

    def turn_came(self, others: bool) -> bool:
        """Read now, and tell whether to stay in line, behind others; only if there are such, and more to read."""

    def rest(self) -> None:
        """Let the loop not say again and again that there is something to read, until the reader leaves the line."""


@define(eq=False)
class Turns:
    """The line of one loop."""

    _left: int = AT_ONCE
    _line: dict[Reader, None] = field(factory=dict)  # in order

    def grants(self, reader: Reader) -> bool:
        """Tell whether a large read may be done now; if not, `reader` is told when its turn has come."""
        if reader in self._line:
            reader.rest()
            return False
        if self._left:
            self._left -= 1
            return True
        self._line[reader] = None
        if len(self._line) == 1:
            reader.loop.call_soon(self._next, reader.loop)
        return False

    def _next(self, loop: Loop) -> None:
        first = list(islice(self._line, AT_ONCE))
        try:
            for reader in first:
                del self._line[reader]
                if reader.turn_came(others=bool(self._line)):
                    self._line[reader] = None
        finally:
            self._left = max(0, AT_ONCE - len(first))
            if self._line:
                loop.call_soon(self._next, loop)


_of_loops: "WeakKeyDictionary[Loop, Turns]" = WeakKeyDictionary()


def turns_of(loop: Loop) -> Turns:
    """Return the line of a loop, the same for all of its channels."""
    turns = _of_loops.get(loop)
    if turns is None:
        turns = _of_loops[loop] = Turns()
    return turns
