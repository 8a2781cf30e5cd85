"""The streams of a host that outlive their legs: held while they have none, and taken up again by a new summons."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final
from weakref import WeakValueDictionary

from attrs import define, field
from msgspec import UNSET, structs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.agent.config import AgentConfig
from streamrelay.agent.goodbye import SHUTTING_DOWN
from streamrelay.agent.held_connection import HeldConnection
from streamrelay.agent.past_streams import PastStreams
from streamrelay.agent.relay_legs import RelayLegs, undialled
from streamrelay.agent.summoned_stream import SummonedStream
from streamrelay.agent.targets.kind import Target
from streamrelay.agent.waiting_leg import NotMet, WaitingLeg
from streamrelay.datapath.connection import Feed
from streamrelay.logs import Logger, Several
from streamrelay.protocol.close import FINISHED, CloseCode, Outcome, outcome
from streamrelay.protocol.summons import Answer, PastEnd, Refusal, Resume, Summons
from streamrelay.resume.outgoing import Memory, OutOfReach
from streamrelay.websocket.connection import FramedConnection
from streamrelay.websocket.dial_errors import DialError

log = Logger()

UNHEARD: Final = "its client has confirmed nothing for too long"
UNKNOWN: Final = "no such stream on this host; perhaps its agent was restarted"
OVERTAKEN: Final = Answer(refused=Refusal.STALE, reason="a newer request has overtaken this one")


@define(eq=False)
class Resuming:
    """All streams of a host that resume: how much they keep, how many have no leg, and how others have ended."""

    config: AgentConfig
    clock: IReactorTime
    legs: RelayLegs
    is_stopping: Callable[[], bool]
    memory: Memory = field(init=False)
    held: "dict[str, HeldStream]" = field(factory=dict)
    """Streams that may be taken up again, by their ids."""
    past: PastStreams = field(init=False)
    _parts: "WeakValueDictionary[str, Memory]" = field(factory=WeakValueDictionary)  # of users whose streams keep some

    def __attrs_post_init__(self) -> None:
        self.past = PastStreams(self.clock)
        self.memory = Memory(self.config.resume_memory)

    def no_room(self, user: str) -> str:
        """Return why no further stream of a user can be held without a leg; empty if it can. No user has more than half
        of that room, however many they have: what the others lose their legs of is held, too."""
        most = self.config.max_detached
        share = max(1, most // 2)
        held = [each.summoned for each in self.held.values()]
        counts = Counter(each.summons.user for each in held if each.detached_at is not None)
        if counts[user] >= share:
            return f"this user has {Several(share, 'stream')} without a leg already (half of max_detached)"
        if sum(min(count, share) for count in counts.values()) >= most:
            return f"the host has {Several(most, 'stream')} without a leg already (max_detached)"
        return ""

    def memory_of(self, user: str) -> Memory:
        """Return a user's part of the memory, which all streams of theirs share: half of it, whatever others keep."""
        part = self._parts.get(user)
        if part is None:
            part = self._parts[user] = Memory(self.memory.most // 2, whole=self.memory)
        return part

    def hold_time(self, summons: Summons, target: Target, legs: int) -> float:
        """Return for how many seconds a new stream is to be held without a leg; 0 if it ends with its legs."""
        if not summons.resume or self.config.tokens != "signed" or legs > 1:
            return 0
        if self.memory_of(summons.user).is_full:
            return 0
        return self.config.hold if target.hold is None else target.hold

    def begin(self, summoned: SummonedStream, waiting_leg: WaitingLeg) -> "HeldStream":
        """Let a stream outlive its first leg."""
        held = self.held[summoned.summons.stream] = HeldStream(self, summoned, waiting_leg)
        return held

    def forget(self, held: "HeldStream") -> None:
        """Take note that a stream is over."""
        summons = held.summoned.summons
        if self.held.pop(summons.stream, None) is not None:
            self.past.add(summons.user, summons.stream, held.past_end)

    async def resume(self, asked: Resume) -> Answer:
        """Give a stream a new leg, and answer the summons that asks for it."""
        held = self.held.get(asked.stream)
        if held is None or not held.is_asked_by(asked):
            end = self.past.find(asked.user, asked.stream)
            unknown = Answer(refused=Refusal.STREAM_OVER, reason=UNKNOWN)
            return unknown if end is None else over_answer(end)
        return await held.resume(asked)


def over_answer(end: PastEnd) -> Answer:
    """Return the answer to who comes back for a stream that has ended."""
    words = str(Outcome(end.code, end.reason))
    program = "" if end.exit is UNSET else f"; its program had ended with status {end.exit}"
    return Answer(refused=Refusal.STREAM_OVER, reason=f"the stream is over: {words}{program}", ended=end)


@define(eq=False)
class HeldStream:
    """One stream that outlives its legs. It stands for its leg to who splices it: `leg`, and `hand_over`."""

    resuming: Resuming
    summoned: SummonedStream
    first: WaitingLeg
    connection: HeldConnection = field(init=False)
    _newest: int = 0  # of the last request to resume
    _met: int = 0  # of the last one whose leg was met
    _request: int = 0  # number of requests that were followed
    _dialling: "Deferred[FramedConnection] | None" = None  # for the last of them
    _waiting: WaitingLeg | None = None  # of the last of them
    _holding: IDelayedCall | None = None
    _missed: Outcome | None = None  # the client can't have all of it, whatever the stream's own end was

    def __attrs_post_init__(self) -> None:
        resuming = self.resuming
        memory, hold = resuming.memory_of(self.summoned.summons.user), self.summoned.hold_time
        self.connection = HeldConnection(
            resuming.clock, self._lost, memory=memory, too_late=partial(self._give_up, UNHEARD), hold=hold
        )
        self.summoned.has_confirmed = lambda: self.connection.has_confirmed or self._met > 0

    @property
    def leg(self) -> HeldConnection:
        return self.connection

    def hand_over(self, feed: Feed) -> None:
        """Attach the first leg, as its client has come and the splice has joined."""
        self._attach(self.first, 0)

    def over(self) -> None:
        """Take note that nothing of the stream is left."""
        self._attached()
        self.connection.stop()
        self._withdraw("the stream is over")
        self.resuming.forget(self)

    @property
    def past_end(self) -> PastEnd:
        """The end, once it is over, as who comes later is to know it."""
        how, status = self._missed or self.connection.outcome or FINISHED, self.connection.exit
        return PastEnd(int(how.code), how.reason[:300], status if isinstance(status, int) else UNSET)

    def is_asked_by(self, asked: Resume) -> bool:
        """Tell whether a summons is of this stream's user, for its target, and for as much as it may."""
        own, may_share = self.summoned.summons, asked.share or not self.summoned.shared
        return may_share and (asked.target, asked.user) == (own.target, own.user) and (own.view or not asked.view)

    async def resume(self, asked: Resume) -> Answer:
        if asked.attempt < self._newest:
            return Answer(refused=Refusal.STALE, reason=f"try {asked.attempt} is older than {self._newest}")
        if asked.attempt == self._met:  # a copy that came late, with a position from before
            return Answer(refused=Refusal.STALE, reason=f"try {asked.attempt} has had its leg")
        if self.resuming.is_stopping():
            return Answer(refused=Refusal.BUSY, reason=SHUTTING_DOWN)
        if self.connection.is_over:
            return self._over()
        self._newest = asked.attempt  # that of the last one is the platform's, by another relay
        self._request += 1
        try:
            self.connection.outgoing.check(asked.received)
        except OutOfReach as error:
            self._give_up(str(error))
            return over_answer(self.past_end)
        self._withdraw("another leg was asked for")
        self.connection.detach()
        self._detached()
        return await self.summoned.hold(self._resume(asked, self._request))

    async def _resume(self, asked: Resume, request: int) -> Answer:
        dialling = self._dialling = Deferred.fromCoroutine(self.resuming.legs.dial(asked))
        try:
            leg = await dialling
        except DialError as error:
            return self._overtaken(request) or undialled(error)
        except CancelledError:
            return self._overtaken(request) or OVERTAKEN
        finally:
            if self._dialling is dialling:
                self._dialling = None
        if told := self._overtaken(request):
            leg.abort()
            return told
        self._waiting = WaitingLeg(leg)
        self.summoned.begin(self._meet(asked, request, self._waiting))
        return structs.replace(self.summoned.answer, received=self.connection.incoming.received)

    async def _meet(self, asked: Resume, request: int, waiting_leg: WaitingLeg) -> None:
        name = asked.stream
        try:
            met = await self.resuming.legs.meet(self.summoned, waiting_leg)
        except NotMet as missed:
            if self._waiting is waiting_leg:
                log.info("stream {name}: the client did not come back: {why}", name=name, why=missed)
            await waiting_leg.left
            return
        self.summoned.came(waiting_leg)
        if self._request != request or self.connection.is_over:
            waiting_leg.leg.abort()
            return
        self._met = asked.attempt
        try:
            self._attach(waiting_leg, asked.received)
        except OutOfReach as error:
            waiting_leg.leg.abort()
            self._give_up(str(error))
            return
        log.info(
            "stream {name} goes on for {user} from {client}, by {relay}",
            name=name,
            user=asked.user or "somebody",
            client=met.from_,
            relay=asked.relay,
        )

    def _withdraw(self, why: str) -> None:
        """Give up what the last request has brought, so that each stream has one leg, and one dial, at most."""
        dialling, waiting, self._dialling, self._waiting = self._dialling, self._waiting, None, None
        if dialling is not None:
            dialling.cancel()
        if waiting is not None and waiting in self.summoned.waiting_legs:
            waiting.leave(outcome(CloseCode.LEG_LOST, why))

    def _overtaken(self, request: int) -> Answer | None:
        """Return what a request is answered if another one is the last by now, or the stream has ended."""
        if self.connection.is_over:
            return self._over()
        return None if self._request == request else OVERTAKEN

    def _over(self) -> Answer:
        return over_answer(self.past_end)

    def _attach(self, waiting_leg: WaitingLeg, position: int) -> None:
        self._attached()
        waiting_leg.hand_over(self.connection.attach(waiting_leg.leg, position))

    def _lost(self, why: Outcome) -> None:
        """Hold the stream, as its leg is lost; or end it, if that can't be."""
        resuming, summons = self.resuming, self.summoned.summons
        if resuming.is_stopping():
            self.connection.give_up(outcome(CloseCode.LEG_LOST, SHUTTING_DOWN))
        elif no_room := resuming.no_room(summons.user):
            # The limit comes first: that much is told wherever words are cut.
            self.connection.give_up(outcome(CloseCode.LEG_LOST, f"{no_room}; its leg was lost ({why.reason})"))
        else:
            log.info(
                "stream {name} to {target} has lost its leg ({why}); it is held for {hold:g} s",
                name=summons.stream,
                target=summons.target,
                why=str(why),
                hold=self.summoned.hold_time,
            )
            self._detached()

    def _detached(self) -> None:
        """Begin to hold it, anew with each request to resume it."""
        if self._holding is not None:
            self._holding.cancel()
        clock = self.resuming.clock
        if self.summoned.detached_at is None:
            self.summoned.detached_at = clock.seconds()
        self._holding = clock.callLater(self.summoned.hold_time, self._held_enough)

    def _attached(self) -> None:
        self.summoned.detached_at = None
        if self._holding is not None:
            self._holding.cancel()
            self._holding = None

    def _held_enough(self) -> None:
        self._holding = None
        self._give_up(f"nobody came back within {self.summoned.hold_time:g} s")

    def _give_up(self, why: str) -> None:
        """End the stream, as its client can't have all of it, nor its own end if that was said."""
        own = self.connection.outcome
        self._missed = outcome(CloseCode.LEG_LOST, why if own is None else f"{why}; its end was to be told yet: {own}")
        self.connection.give_up(self._missed)
