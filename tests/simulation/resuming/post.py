"""The platform of a simulated stream without HTTP, NATS and signatures: requests of the client, summonses, answers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field
from msgspec import convert
from twisted.internet.defer import Deferred

from streamrelay.client.platform_api import REQUEST_TIME, OpenedStream, PlatformApi, PlatformError
from streamrelay.client.stream_request import ResumeRequest, StreamRequest
from streamrelay.platform.asking import ASKED_LIFE, OPEN_TIME
from streamrelay.platform.opening import AGAIN_TIME, DIAL_TIME, ELSEWHERE
from streamrelay.platform.refusals import refused
from streamrelay.platform.resumption import Resumption
from streamrelay.protocol.limits import CLOCK_SKEW
from streamrelay.protocol.summons import Answer, Resume, Summons
from tests.simulation.process import Process
from tests.simulation.resuming.legs import Pair

if TYPE_CHECKING:
    from tests.simulation.resuming.world import World

USER: Final = "alice"
HOST: Final = "web-0"
TARGET: Final = "target"
STREAM: Final = "stream-0123456789abcdef"
Early = Callable[[OpenedStream], None] | None
Request = StreamRequest | ResumeRequest


@define(eq=False)
class SimulatedApi(PlatformApi):
    """The platform's API, as the client asks it."""

    post: "PostOffice" = field(kw_only=True)

    async def open(self, request: StreamRequest, early: Early = None) -> OpenedStream:
        return await self.post.ask(request, early)

    async def resume(self, request: ResumeRequest, early: Early = None) -> OpenedStream:
        return await self.post.ask(request, early)

    async def end(self, stream: str) -> None:
        self.post.world.host.end()


@define(eq=False)
class PostOffice:
    """The platform, and the ways to it and from it."""

    world: "World"
    process: Process
    asked: "set[Deferred[OpenedStream]]" = field(factory=set)
    """Answers that a client waits for."""
    summoned: float = 0.0
    """When the last one comes of the summonses that are on their way."""
    _numbers: int = 0  # of summonses
    _arrives: float = 0.0  # when the last line of an answer does

    def ask(self, request: Request, early: Early) -> "Deferred[OpenedStream]":
        """Return the answer that comes, if any does; a request that is dropped without one is asked again."""
        answer: Deferred[OpenedStream] = Deferred()
        self.asked.add(answer)
        if self._is_lost():
            self._drop(answer)
            if self.world.dice.random() < 0.5:  # it wasn't even heard
                return answer
        asked = [answer]
        if isinstance(request, ResumeRequest) and self._chance(self.world.plan.post.repeated):
            unheard: Deferred[OpenedStream] = Deferred()
            unheard.addErrback(lambda failure: None)
            asked.insert(self.world.dice.randrange(2), unheard)
        for number, each in enumerate(asked):
            told = early if each is answer else None
            self.process.later(self._delay() * (1 + number), self._serve, request, told, each)
        return answer

    def _serve(self, request: Request, early: Early, answer: "Deferred[OpenedStream]") -> None:
        work: Deferred[Any] = Deferred.fromCoroutine(self._answer(request, early, answer))
        work.addErrback(self.world.failed)

    async def _answer(self, request: Request, early: Early, answer: "Deferred[OpenedStream]") -> None:
        """Summon the agent to one relay, or to the other one if it can't use that, and tell the client."""
        began, relays = self.world.scheduler.now, self.world.dice.sample((0, 1), 2)
        told: Answer | None = None
        for relay in relays:
            pair = self.world.pair(relay)
            opened = OpenedStream(STREAM, pair_url(pair))
            if early is not None and relay == relays[0] and not self._is_lost():
                self._bring(answer, early, opened)
            told = await self._summon(pair, request, DIAL_TIME if relay == relays[0] else 0)
            late = self.world.scheduler.now - began > AGAIN_TIME
            if told is None or told.ready or told.refused not in ELSEWHERE or late:
                break
        if answer.called:
            return
        if self._is_lost():
            self._drop(answer)
        elif told is None:
            self._bring(answer, answer.errback, PlatformError(504, "the host did not answer in time"))
        elif told.ready:
            again = OpenedStream(opened.stream, opened.url, resume=told.resume, received=told.received)
            self._bring(answer, answer.callback, again)
        else:
            refusal = refused(told)
            self._bring(answer, answer.errback, PlatformError(refusal.status, refusal.reason))

    async def _summon(self, pair: Pair, request: Request, dial: float) -> Answer | None:
        """Return what the agent answers; None if it doesn't in time."""
        self._numbers += 1
        answer: Deferred[Answer | None] = Deferred()
        summons = self._summons(f"summons-{self._numbers}", pair, request, dial)
        sent = self.world.scheduler.now

        def heard(told: Answer) -> None:
            if not self._is_lost():
                self.process.later(self._delay(), come, told)

        def come(told: Answer | None) -> None:
            if not answer.called:
                answer.callback(told)

        for delay in self._delays():
            if delay < ASKED_LIFE + CLOCK_SKEW:  # a later one would be refused for its age
                self.summoned = max(self.summoned, sent + delay)
                self.world.scheduler.at(sent + delay, None, self.world.host.hear, summons, heard)
        timeout = self.process.reactor.callLater(OPEN_TIME, come, None)
        told = await answer
        if timeout.active():
            timeout.cancel()
        return told

    def _summons(self, jti: str, pair: Pair, request: Request, dial: float) -> Summons | Resume:
        about = {"target": TARGET, "relay": f"ws://relay-{pair.relay}", "token": str(pair.number), "user": USER}
        message = {**about, "dial": dial, "jti": jti, "exp": 0.0}
        if isinstance(request, StreamRequest):
            return convert({**message, "stream": STREAM, "resume": True}, Summons)
        place = request.received, request.attempt
        again = Resumption(USER, request.host, request.target, request.stream, *place, view=request.view)
        return convert({**message, **again.summons(message)}, Resume)

    # -- the ways --------------------------------------------------------------------------------------------

    def _chance(self, of: float) -> bool:
        return bool(of) and self.world.breaks_now and self.world.dice.random() < of

    def _is_lost(self) -> bool:
        return self._chance(self.world.plan.post.lost)

    def _delay(self) -> float:
        return self.world.plan.post.latency * (0.5 + self.world.dice.random())

    def _delays(self) -> list[float]:
        """Return after how many seconds a summons comes, once for each time that it does."""
        if self._is_lost():
            return []
        delays, post, dice = [self._delay()], self.world.plan.post, self.world.dice
        if self._chance(post.doubled):
            delays.append(delays[0] + dice.choice((0.0, 0.01, 3.0)))
        if self._chance(post.late):
            delays[0] += dice.choice((0.05, 1.0, 6.0))
        return delays

    def _drop(self, answer: "Deferred[OpenedStream]") -> None:
        """Let nothing come; a client finds that at once, or once its time is up."""
        wait = self.world.dice.choice((0.01, 1.0, REQUEST_TIME)) * self.world.dice.random()
        self.world.client.process.later(wait, self._tell, answer, answer.errback, PlatformError(0, "no answer"))

    def _bring(self, answer: "Deferred[OpenedStream]", hear: Callable[[Any], object], what: Any) -> None:
        """Let a line of an answer come behind the one before it."""
        scheduler = self.world.scheduler
        self._arrives = max(self._arrives, scheduler.now + self._delay())
        scheduler.at(self._arrives, self.world.client.process, self._tell, answer, hear, what)

    def _tell(self, answer: "Deferred[OpenedStream]", hear: Callable[[Any], object], what: Any) -> None:
        if not answer.called:
            hear(what)
        if answer.called:
            self.asked.discard(answer)


def pair_url(pair: Pair) -> str:
    return f"ws://relay-{pair.relay}/client/{pair.number}"
