"""Client and agent of a simulated stream: production classes, on legs that are no websockets."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred

from streamrelay.agent.config import AgentConfig
from streamrelay.agent.streams import Streams
from streamrelay.agent.summonses import Summonses
from streamrelay.client.leaving import Leaving
from streamrelay.client.platform_api import PlatformError, Unwanted
from streamrelay.client.stream import ClientStream, open_stream
from streamrelay.client.stream_request import StreamRequest
from streamrelay.protocol.close import Outcome
from streamrelay.protocol.limits import CONNECT_TIME
from streamrelay.protocol.summons import Answer, Resume, Summons
from streamrelay.websocket.dial_errors import DialError, RelayFull
from tests.simulation.ordered import OrderedSet
from tests.simulation.process import Process
from tests.simulation.resuming.ends import End
from tests.simulation.resuming.legs import LegEnd
from tests.simulation.resuming.post import HOST, STREAM, TARGET, SimulatedApi

if TYPE_CHECKING:
    from tests.simulation.resuming.world import World

Hear = Callable[[Answer], None]
_CONFIGS: Final[dict[tuple[float, int], AgentConfig]] = {}


def config(hold: float, memory: int) -> AgentConfig:
    found = _CONFIGS.get((hold, memory))
    if found is None:
        found = AgentConfig(HOST, platform_key=("key",), hold=hold, resume_memory=memory, outbound_proxy="none")
        _CONFIGS[hold, memory] = found
    return found


@define(eq=False)
class Dials:
    """Stands for `Dialler`, as much of it as is asked."""

    world: "World"
    is_client: bool
    who: str = "somebody"

    def make_ready(self, url: str) -> None:
        """Nothing is connected before the platform has named it, as nothing is said on it."""

    def dial(
        self, url: str, token: str = "", ready: Any = None, seconds: float = CONNECT_TIME, elsewhere: bool = False
    ) -> "Deferred[LegEnd]":
        world, dialled = self.world, Deferred[LegEnd]()
        pair = world.pairs[int(token or url.rpartition("/")[2])]
        leg = pair.client if self.is_client else pair.agent
        if world.hangs:
            leg.process.later(seconds, self._fail, dialled, DialError("no answer"))
        else:
            world.scheduler.at(world.soon(), leg.process, self._open, leg, dialled)
        return dialled

    def _open(self, leg: LegEnd, dialled: "Deferred[LegEnd]") -> None:
        world, pair = self.world, leg.pair
        if not dialled.called and (world.dials_fail or world.relays_away[pair.relay]):
            kind = RelayFull if world.relays_away[pair.relay] == "drains" else DialError
            self._fail(dialled, kind("refused"))
        elif leg.is_open:
            self._fail(dialled, DialError("its token was used"))
        elif not dialled.called:
            pair.open(leg)
            dialled.callback(leg)
        elif world.dice.random() < 0.5:  # given up as the relay had let it in
            pair.open(leg)
            leg.abort()

    def _fail(self, dialled: "Deferred[LegEnd]", error: DialError) -> None:
        if not dialled.called:
            dialled.errback(error)


@define(eq=False)
class Client:
    """The native client, with the user's program."""

    world: "World"
    process: Process
    user: End = field(init=False)
    stream: Any = None
    """The production connection that stands for all legs, once there is one."""
    leaving: Leaving = field(init=False)
    ended: Outcome | None = None
    refused: bool = False
    """True if there never was a stream."""

    def start(self) -> None:
        self.user = End(self.world, self.process, "user", self.world.plan.user)
        Deferred.fromCoroutine(self._serve()).addErrback(self.world.failed)

    async def _serve(self) -> None:
        world = self.world
        api = SimulatedApi(self.process.reactor, "http://platform", fetch=cast(Any, None), post=world.post)
        self.leaving = Leaving(api)
        request = StreamRequest(HOST, TARGET, resume=True)
        try:
            opened = await open_stream(api, cast(Any, Dials(world, True)), request, say=self._say)
        except (PlatformError, DialError, Unwanted, CancelledError) as error:
            self._say(f"no stream: {error}")
            self.refused = True
            return
        _, self.stream = self.leaving.add(*opened)
        self.ended = await ClientStream(self.stream, self.user).start()
        self._say(f"ended: {self.ended}")

    def _say(self, text: str) -> None:
        self.world.say("client", text)


@define(eq=False)
class Targets:
    """Stands for `Catalogue`, and for its one target."""

    host: "Host"
    kind: str = "tcp"
    viewer: str = "raw"
    max_streams: int = 0
    hold: float | None = None
    keep: float = 0.0

    def find(self, name: str) -> "Targets":
        return self

    async def connect(self, reactor: Any, terms: Any) -> End:
        return self.host.connect()


@define(eq=False)
class Host:
    """The agent, with the target's program."""

    world: "World"
    process: Process
    target: End | None = None
    streams: Streams = field(init=False)
    summonses: Summonses[Hear] = field(init=False)

    def start(self) -> None:
        plan = self.world.plan
        settings = config(plan.hold, plan.sizes.memory)
        targets = cast(Any, Targets(self))
        self.streams = streams = Streams(settings, targets, self.process.reactor, lambda kind, event: None)
        streams.legs.dialler = cast(Any, Dials(self.world, False))
        streams.summoned_streams = streams.quota.streams = streams.goodbye.streams = OrderedSet()
        self.summonses = Summonses(None)

    def connect(self) -> End:
        self.target = target = End(self.world, self.process, "target", self.world.plan.target)
        target.other, self.world.client.user.other = self.world.client.user, target
        return target

    def hear(self, summons: Summons | Resume, asker: Hear) -> None:
        """Follow a summons, as the agent's service does; a copy is told what the first one was."""
        if not self.process.alive:
            return
        pending, new = self.summonses.hear(summons.jti, asker)
        if pending.answer is not None:
            asker(pending.answer)
        if new:
            Deferred.fromCoroutine(self._follow(summons)).addErrback(self.world.failed)

    async def _follow(self, summons: Summons | Resume) -> None:
        attempt = f"try {summons.attempt}, from {summons.received}" if isinstance(summons, Resume) else "a new stream"
        self.world.say("agent", f"is summoned to legs {summons.token}: {attempt}")
        if isinstance(summons, Resume):
            answer = await self.streams.resume(summons)
        else:
            answer = await self.streams.open(summons, False)
        self.world.say(
            "agent", f"answers for legs {summons.token}: {answer.refused or answer.received} {answer.reason}"
        )
        pending = self.summonses.heard[summons.jti]
        pending.answer = answer
        for asker in pending.waiting:
            asker(answer)

    def end(self) -> None:
        """Let an operator end the stream."""
        if self.process.alive:
            self.streams.end(STREAM)

    def stop(self) -> "Deferred[None]":
        """Stop in order: all streams are ended, and none is let in."""
        return Deferred.fromCoroutine(self.streams.stop())
