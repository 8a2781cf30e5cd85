"""One heartbeat for all websockets of a process: pings, and dead peers noticed (protocol.rst, "Liveness").

A count of beats per connection instead of timers per connection: nothing to allocate, no clock to read on the data
path.
"""

from typing import Final, Protocol

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from streamrelay.logs import Logger

log = Logger()

BEAT: Final = 5.0
"""Seconds between two beats."""
PING_BEATS: Final = 4
"""Quiet beats (20 s) after which a peer is pinged."""
DEAD_BEATS: Final = 9
"""Quiet beats (45 s) after which a peer is dead."""


class Beating(Protocol):
    def beat(self) -> None: ...


@define(eq=False)
class Heartbeat:
    """A timer that calls `beat` on each member every `BEAT` seconds; it runs only while it has members."""

    clock: IReactorTime
    members: set[Beating] = field(factory=set)
    _failed: set[Beating] = field(factory=set)  # those whose failure was told
    _loop: LoopingCall = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._loop = LoopingCall(self._beat_all)
        self._loop.clock = self.clock

    def add(self, member: Beating) -> None:
        self.members.add(member)
        if not self._loop.running:
            self._loop.start(BEAT, now=False)

    def discard(self, member: Beating) -> None:
        self.members.discard(member)
        self._failed.discard(member)
        if not self.members and self._loop.running:
            self._loop.stop()

    def _beat_all(self) -> None:
        for member in tuple(self.members):
            try:
                member.beat()
            except Exception:  # of one; the others' beats go on, and its own
                if member not in self._failed:
                    self._failed.add(member)
                    log.failure("an error in a heartbeat")
