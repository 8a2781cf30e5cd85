"""Legs of a simulated stream, in pairs: what is sent on one comes out of the other, in pieces, until it is broken.

A relay's memory, its kernels' and those of both ends are one here: what isn't read waits, and is lost with the leg.
"""

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

from streamrelay.datapath.connection import Drain, Feed
from streamrelay.protocol.close import CloseCode, Outcome, outcome
from streamrelay.websocket.close_frame import CLOSE_TIME
from tests.simulation.process import Process
from tests.simulation.resuming.plan import Fault
from tests.simulation.wiretap import Wrong

if TYPE_CHECKING:
    from tests.simulation.resuming.world import World

MET: Final = b'{"met":{"mode":"v1","from":"somebody"}}'
LOST: Final = outcome(CloseCode.LEG_LOST)
CLOSING: Final = 2.0
"""Seconds after which a relay that closes a leg cuts it."""
PATIENCE: Final = 30.0
"""Seconds that a leg waits at its relay."""


@define(eq=False)
class LegEnd:
    """One end's leg, as that end sees it."""

    pair: "Pair"
    name: str
    process: Process
    peer: "LegEnd" = field(init=False)
    cuts: list[Fault] = field(factory=list)
    """Where what it sends is cut."""
    control: bool = True
    is_open: bool = False
    """True once its relay has let it in."""
    ended: bool = False
    """True once its own end has closed it; what it has sent may still come."""
    mute: bool = False
    """True once nothing that it sends arrives."""
    _told: bool = False  # that it is over
    _lost: Outcome | None = None
    _feed: Feed | None = None
    _drain: Drain | None = None
    _queue: deque[bytes | str | Outcome] = field(factory=deque)
    _unsent: int = 0  # in it
    _carried: int = 0
    _paused: bool = False
    _asked: bool = False  # an event to carry something is due

    # -- what its end calls ----------------------------------------------------------------------------------

    def outlive(self) -> None:
        """Take note of nothing: this leg has no times of its own."""

    @property
    def unsent(self) -> int:
        return max(0, self._unsent - self.pair.world.plan.sizes.room)

    def join(self, feed: Feed, drain: Drain) -> None:
        self._feed, self._drain, self._paused = feed, drain, False
        if self._lost is not None:
            self.lose(self._lost)
        else:
            self.peer.carry()

    def send(self, data: Sequence[memoryview], size: int) -> None:
        piece = b"".join(data)
        if len(piece) != size or not size:
            raise Wrong(f"{self.name} is given {len(piece)} bytes as {size}")
        if not (self.ended or self._told):
            self._queue.append(piece)
            self._unsent += size
            self.carry()

    def send_control(self, message: bytes) -> None:
        if not (self.ended or self._told):
            self._queue.append(message.decode())
            self.carry()

    def send_eof(self) -> None:
        raise Wrong(f"{self.name} says eof, at which a relay ends the stream")

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self.peer.carry()

    def measure(self, size: int, headers: int) -> None: ...

    def close(self, how: Outcome) -> None:
        """Close behind all that was sent; the relay says the same to the other leg. Who doesn't hear of that, as this
        end reads no more or the other one neither, gives up."""
        if not (self.ended or self._told):
            self.ended = True
            self._queue.append(how)
            self.process.later(CLOSE_TIME, self.lose, how)
            if self.pair.is_met:
                self.carry()
            else:
                self.pair.part(self, how)

    def leave(self, how: Outcome) -> None:
        if not (self.ended or self._told):
            self.ended = True
            self.pair.part(self, how)

    def abort(self) -> None:
        """Close at once. Of what was sent some may still come; so may some of what the other one has sent."""
        if not (self.ended or self._told):
            self.ended = True
            dice = self.pair.world.dice
            if dice.random() < 0.5:
                self.forget()
            self._queue.append(LOST)
            self.process.later(dice.choice((0.0, 0.001, 0.2)), self.lose, LOST)
            if self.pair.is_met:
                self.carry()
            else:
                self.pair.part(self, LOST)

    # -- what the network does -------------------------------------------------------------------------------

    def meet(self, index: int, cuts: Sequence[Fault]) -> None:
        """Be carried from now on; of the agent's the relay has a word before that."""
        self.cuts = [fault for fault in cuts if fault.number == index]

    def put_first(self, message: bytes) -> None:
        self._queue.appendleft(message.decode())

    def put_last(self, how: Outcome) -> None:
        self._queue.append(how)
        self.carry()

    def carry(self) -> None:
        """Let something arrive soon, if it can."""
        if self._asked or not self._queue or self.mute or not self.pair.is_met or self.pair.is_broken:
            return
        if self.peer._paused or self.peer._feed is None:
            return
        self._asked = True
        world = self.pair.world
        world.scheduler.at(world.soon(), None, self._arrive)

    def _arrive(self) -> None:
        """Bring what one read brings, which may be several messages, whatever becomes of the first."""
        self._asked = False
        peer, dice, before = self.peer, self.pair.world.dice, self.unsent
        if peer._paused or peer._feed is None or not peer.process.alive:
            return
        self.pair.world.scheduler.touched.append(self)
        for _ in range(dice.choice((1, 1, 2, 4))):
            if not self._queue or self.mute or self.pair.is_broken or self._cut(self._first):
                break
            self._bring(peer, self._queue.popleft())
        if before and not self.unsent and self.process.alive:
            self.pair.world.scheduler.at(self.pair.world.scheduler.now, self.process, self._drained)
        self._cut()
        self.carry()

    def _bring(self, peer: "LegEnd", item: bytes | str | Outcome) -> None:
        if isinstance(item, Outcome):
            self.pair.part(self, item)
            return
        if isinstance(item, bytes):
            item = self._part(item)
            self._unsent -= len(item)
        if item != MET.decode():
            self._carried += len(item)
        if peer._told or peer._feed is None:
            return
        if isinstance(item, bytes):
            lent = bytearray(item)
            peer._feed.received([memoryview(lent)], len(item))
            lent[:] = bytes(len(item))
        else:
            peer._feed.control(item.encode())

    def _part(self, item: bytes) -> bytes:
        """Return as much of a message as comes now; the rest comes later."""
        world, size = self.pair.world, len(item)
        if size > 1 and world.dice.random() < world.plan.short:
            size = world.dice.randrange(1, size)
        for fault in self.cuts:
            if fault.at > self._carried:
                size = min(size, fault.at - self._carried)
        if size < len(item):
            self._queue.appendleft(item[size:])
        return item[:size]

    @property
    def _first(self) -> int:
        """Return the length of what comes next, if it only counts as a whole."""
        item = self._queue[0]
        return len(item) if isinstance(item, str) and item != MET.decode() else 0

    def _cut(self, more: int = 0) -> bool:
        """Break the pair if as much has come as is to, or will within the next message; tell whether it is broken."""
        for fault in self.cuts:
            if (self._carried >= fault.at or self._carried + more > fault.at) and not self.pair.is_broken:
                self.pair.break_off(fault.told, f"at {self._carried} bytes of {self.name}")
        return self.pair.is_broken

    def _drained(self) -> None:
        if not (self._told or self.ended) and self._drain is not None and not self.unsent:
            self.pair.world.scheduler.touched.append(self)
            self._drain.drained()

    def lose(self, how: Outcome) -> None:
        """Be over, of which its end is told, once."""
        self._lost = self._lost or how
        if self._feed is None:
            self._told = self.ended  # nobody wants it
        elif not self._told and self.process.alive:
            self._told = True
            self.pair.world.scheduler.touched.append(self)
            self._feed.over(self._lost)
            self._feed.gone()

    def forget(self) -> None:
        """Lose what is under way."""
        self._queue.clear()
        self._unsent = 0

    @property
    def is_left(self) -> bool:
        """True while its end holds it, or should."""
        return self.is_open and not self._told and self.process.alive


@define(eq=False)
class Pair:
    """Two legs of one rendezvous at a relay."""

    world: "World"
    number: int
    relay: int
    client: LegEnd = field(init=False)
    agent: LegEnd = field(init=False)
    is_met: bool = False
    is_broken: bool = False
    """True once nothing passes any more."""
    _waits: Any = None

    def __attrs_post_init__(self) -> None:
        self.client = LegEnd(self, f"client's leg {self.number}", self.world.client.process)
        self.agent = LegEnd(self, f"agent's leg {self.number}", self.world.host.process)
        self.client.peer, self.agent.peer = self.agent, self.client

    @property
    def legs(self) -> tuple[LegEnd, LegEnd]:
        return self.client, self.agent

    def open(self, leg: LegEnd) -> None:
        """Let a leg in, which waits for the other one."""
        leg.is_open = True
        if self.is_broken:
            self.world.scheduler.at(self.world.soon(), None, leg.lose, LOST)
        elif leg.peer.is_open:
            self._meet()
        else:
            self._waits = self.world.scheduler.at(self.world.scheduler.now + PATIENCE, None, self._nobody, leg)

    def _meet(self) -> None:
        self.is_met = True
        self._waits.cancel()
        self.world.say("relay", f"legs {self.number} are met")
        index, cuts = self.world.met(self)
        self.client.meet(index, [fault for fault in cuts if fault.up])
        self.agent.meet(index, [fault for fault in cuts if not fault.up])
        self.client.put_first(MET)
        for leg in self.legs:
            leg.carry()

    def _nobody(self, leg: LegEnd) -> None:
        self.part(leg, outcome(CloseCode.NOBODY_CAME))

    def part(self, leg: LegEnd, how: Outcome) -> None:
        """End in order, as one of its ends said; behind that nothing passes."""
        if not self.is_broken:
            self.world.say("relay", f"legs {self.number} end, as {leg.name} says: {how}")
            self._end((0.0, 0.0), how)

    def close(self, how: Outcome) -> None:
        """End as the relay says it, behind what has come to it by now."""
        for leg in self.legs:
            leg.put_last(how)
        self.world.scheduler.at(self.world.scheduler.now + CLOSING, None, self.part, self.client, how)

    def break_off(self, told: tuple[float, float], why: str) -> None:
        """Let nothing pass any more, of which both ends know after so many seconds."""
        if not self.is_broken:
            self.world.say("relay", f"legs {self.number} are broken {why}")
            self._end(told, self.world.dice.choice(self.world.breaks))

    def _end(self, told: tuple[float, float], how: Outcome) -> None:
        self.is_broken = True
        if self._waits is not None:
            self._waits.cancel()
        for leg, seconds in zip(self.legs, told, strict=True):
            leg.forget()
            self.world.scheduler.at(self.world.soon() + seconds, None, leg.lose, how)
