"""Relays, agents and the platform of the simulated world: production classes, put together as ``tap`` modules do."""

from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from attrs import define, field
from twisted.internet.defer import Deferred

from streamrelay.agent.catalogue import Catalogue, read_entry
from streamrelay.agent.config import AgentConfig
from streamrelay.agent.service import Agent
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.net.outbound import DIRECT
from streamrelay.platform.platform import Platform
from streamrelay.program.stopping import Work
from streamrelay.protocol.tokens import Signer, key_id
from streamrelay.relay.admitted_leg import AdmittedLeg
from streamrelay.relay.config import RelayConfig
from streamrelay.relay.service import Relay
from streamrelay.websocket.server import LegFactory
from tests.simulation.ordered import OrderedSet
from tests.simulation.plan import Plan
from tests.simulation.process import Process
from tests.simulation.surroundings import KEY, KEY_FILE

PORT: Final = 80
KEY_ID: Final = key_id(KEY.public)
STREAMS: Final = 8
"""Targets that each host has, one for each stream of a schedule, and some that nobody opens."""


def target_address(stream: int) -> tuple[str, int]:
    return f"10.9.0.{stream + 1}", 1000


def _targets() -> dict[str, Any]:
    found = {}
    for number in range(STREAMS):
        host, port = target_address(number)
        found[f"target-{number}"] = read_entry(f"target-{number}", {"kind": "tcp", "address": f"{host}:{port}"})
    return found


TARGETS: Final = _targets()


def relay_url(number: int) -> str:
    return f"ws://10.0.1.{number + 1}:{PORT}"


class World(Protocol):
    """The simulated world, as much of it as a program needs to be started in it."""

    plan: Plan

    @property
    def signed(self) -> bool: ...

    def process(self, name: str, host: str) -> Process:
        """Begin a process, which runs from now on."""

    def wall(self) -> float: ...

    def paired(self, relay: Relay, client: AdmittedLeg, agent: AdmittedLeg) -> None:
        """Take note that a relay pairs two legs."""


class Program(Protocol):
    """A program that may be ended and started again."""

    running: Process | None

    @property
    def name(self) -> str: ...

    def start(self) -> None: ...

    def stop(self) -> "Deferred[Any]":
        """Stop it as SIGTERM does that has no streams to wait for; its process ends by itself afterwards."""


@define(eq=False)
class WatchedRelay(Relay):
    """A relay that tells of each pair before it makes it."""

    tell: Callable[[Relay, AdmittedLeg, AdmittedLeg], None] = field(kw_only=True)

    def _pair(self, client: AdmittedLeg, agent: AdmittedLeg) -> None:
        self.tell(self, client, agent)
        Relay._pair(self, client, agent)


@define(eq=False)
class RelayProgram:
    """``twistd streamrelay``."""

    world: World
    number: int
    running: Process | None = None
    relay: Relay = field(init=False)
    heartbeat: Heartbeat = field(init=False)

    @property
    def name(self) -> str:
        return f"relay-{self.number}"

    def start(self) -> None:
        self.running = process = self.world.process(self.name, f"10.0.1.{self.number + 1}")
        keys = (KEY_FILE,) if self.world.signed else ()
        config = RelayConfig(
            patience=self.world.plan.patience,
            id=self.name,
            tokens="signed" if self.world.signed else "opaque",
            platform_key=keys,
            insecure=True,
        )
        legs: OrderedSet[AdmittedLeg] = OrderedSet()
        self.relay = WatchedRelay(config, process.reactor, self.world.wall, legs=legs, tell=self.world.paired)
        self.heartbeat = Heartbeat(process.reactor)
        process.reactor.listenTCP(PORT, LegFactory(process.reactor, self.relay, self.heartbeat), interface=process.host)
        self.relay.startService()

    @property
    def work(self) -> Work:
        return self.relay

    def stop(self) -> "Deferred[Any]":
        assert self.running is not None
        self.running.kernel.deafen(self.running)
        return self.relay.stopService()


@define(eq=False)
class AgentProgram:
    """``twistd streamagent``."""

    world: World
    number: int
    running: Process | None = None
    agent: Agent = field(init=False)

    @property
    def name(self) -> str:
        return f"web-{self.number}"

    def start(self) -> None:
        self.running = process = self.world.process(self.name, f"10.0.2.{self.number + 1}")
        keys = (KEY_FILE,) if self.world.signed else ()
        config = AgentConfig(
            self.name,
            tokens="signed" if self.world.signed else "opaque",
            platform_key=keys,
            relays=(relay_url(0), relay_url(1)),
            outbound_proxy="none",
            insecure=True,
        )
        self.agent = agent = Agent(config, Catalogue(entries=TARGETS), process.reactor, self.world.wall)
        streams = agent.streams
        streams.summoned_streams = streams.quota.streams = OrderedSet()
        agent.startService()

    @property
    def work(self) -> Work:
        return self.agent

    def stop(self) -> "Deferred[Any]":
        return self.agent.stopService()


@define(eq=False)
class PlatformProgram:
    """The platform, as a library: for each relay that the plan needs one that names it. It isn't ended."""

    world: World
    running: Process | None = None
    platforms: dict[int, Platform] = field(factory=dict)
    name: str = "platform"

    def start(self) -> None:
        self.running = process = self.world.process(self.name, "10.0.3.1")
        process.enter()
        wall = self.world.wall
        for number in sorted({stream.relay for stream in self.world.plan.streams}):
            platform = Platform(
                relay_url(number),
                relay_id=f"relay-{number}",
                now=wall,
                clock=process.reactor.seconds,
                outbound=DIRECT,
                limits=self.world.plan.limits,
                early=self.world.plan.patience > 0,
                signer=Signer(cast(Any, KEY), KEY_ID, wall) if self.world.signed else None,
            )
            platform.bus._waiting = OrderedSet()
            self.platforms[number] = platform
            platform.start()

    def stop(self) -> "Deferred[Any]":
        assert self.running is not None
        tasks = [self.running.loop.create_task(platform.stop()) for platform in self.platforms.values()]
        over: Deferred[None] = Deferred()
        tasks[-1].add_done_callback(lambda task: over.callback(None))
        return over
