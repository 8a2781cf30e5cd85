"""One heartbeat for all websockets of a process: pings, and dead peers noticed (protocol.rst, "Liveness").

A count of beats per connection instead of timers per connection: nothing to allocate, no clock to read on the data
path. Members that came within a tenth of a beat have theirs together, so that thousands of pings never stand before
all else in one turn of the reactor.
"""

from typing import Final, Protocol

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from streamrelay.logs import Logger

log = Logger()

BEAT: Final = 5.0
"""Seconds between two beats."""
TURNS: Final = 10
"""Turns in a beat; each member has one of them."""
PING_BEATS: Final = 4
"""Quiet beats (20 s) after which a peer is pinged."""
DEAD_BEATS: Final = 9
"""Quiet beats (45 s) after which a peer is dead."""
SOON_PING_BEATS: Final = 2
"""Quiet beats (10 s) after which it is pinged, if its stream outlives this connection."""
SOON_DEAD_BEATS: Final = 3
"""Quiet beats (15 s) after which it is dead, if its stream outlives this connection."""
SLOWEST: Final = 32 * 1024
"""Bytes a second that a peer reads at least: its answer comes after all that was sent before the question."""


class Beating(Protocol):
    def beat(self) -> None: ...


@define(eq=False)
class Heartbeat:
    """A timer that calls `beat` on each member every `BEAT` seconds, counted from when it came, to `BEAT / TURNS`.

    It runs only while it has members.
    """

    clock: IReactorTime
    members: dict[Beating, int] = field(factory=dict)
    """Each member's turn."""
    _turns: tuple[dict[Beating, None], ...] = field(factory=lambda: tuple({} for _ in range(TURNS)))  # in order
    _turn: int = 0  # the last one that was had
    _failed: set[Beating] = field(factory=set)  # those whose failure was told
    _loop: LoopingCall = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._loop = LoopingCall.withCount(self._go_on)
        self._loop.clock = self.clock

    def add(self, member: Beating) -> None:
        self.discard(member)
        self.members[member] = self._turn
        self._turns[self._turn][member] = None
        if not self._loop.running:
            self._loop.start(BEAT / TURNS, now=False)

    def discard(self, member: Beating) -> None:
        turn = self.members.pop(member, None)
        if turn is None:
            return
        del self._turns[turn][member]
        self._failed.discard(member)
        if not self.members:
            self._loop.stop()

    def _go_on(self, turns: int) -> None:
        """Have so many turns; after a pause of the process no member's more than once."""
        for _ in range(min(turns, TURNS)):
            self._turn = (self._turn + 1) % TURNS
            for member in tuple(self._turns[self._turn]):
                self._beat(member)

    def _beat(self, member: Beating) -> None:
        try:
            member.beat()
        except Exception:  # of one; the others' beats go on, and its own
            if member not in self._failed:
                self._failed.add(member)
                log.failure("an error in a heartbeat")
