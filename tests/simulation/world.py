"""The simulated world of one schedule: its programs, what users do, and what breaks."""

from random import Random
from typing import Any, Final

from attrs import define, field

from streamrelay.platform.http.changes import BREATH
from streamrelay.protocol.tokens import opaque_stream
from streamrelay.relay.admitted_leg import AdmittedLeg
from streamrelay.relay.service import Relay
from tests.simulation.bus import Server, SimulatedNats
from tests.simulation.clients import ClientProgram
from tests.simulation.ends import End
from tests.simulation.faults import Faults
from tests.simulation.history import History
from tests.simulation.invariants import Invariants
from tests.simulation.kernel import Kernel
from tests.simulation.plan import Plan
from tests.simulation.process import Process
from tests.simulation.programs import STREAMS, AgentProgram, PlatformProgram, Program, RelayProgram
from tests.simulation.scheduler import Scheduler
from tests.simulation.users import Port, StreamState, Users
from tests.simulation.wiretap import Wrong

EPOCH: Final = 1_700_000_000.0
"""Seconds since the epoch at which each schedule begins."""


@define(eq=False)
class World:
    """One schedule under way."""

    plan: Plan
    kept: bool = False
    """True if its history will be read."""
    scheduler: Scheduler = field(factory=Scheduler)
    entropy: Random = field(init=False)
    history: History = field(init=False)
    kernel: Kernel = field(init=False)
    server: Server = field(init=False)
    programs: dict[str, Program] = field(factory=dict)
    relays: dict[int, RelayProgram] = field(factory=dict)
    agents: dict[int, AgentProgram] = field(factory=dict)
    clients: dict[int, ClientProgram] = field(factory=dict)
    platform: PlatformProgram = field(init=False)
    outside: Process = field(init=False)
    """The process of all users and targets."""
    streams: dict[int, StreamState] = field(factory=dict)
    ports: dict[int, Port] = field(factory=dict)
    ends: list[End] = field(factory=list)
    pairs: dict[tuple[str, str], int] = field(factory=dict)
    """How often legs were paired, by their streams and roles."""
    processes: list[Process] = field(factory=list)
    """All that were ever begun."""
    faults: Faults = field(init=False)
    users: Users = field(init=False)
    rules: Invariants = field(init=False)
    tokens: list[str] = field(factory=list)
    """Secrets that no log may hold."""

    def __attrs_post_init__(self) -> None:
        seed = self.plan.seed
        self.entropy = Random(seed)
        self.history = History(self.scheduler, self.kept)
        self.kernel = Kernel(self.scheduler, seed, self.plan.weather, say=lambda line: self.say("network", line))
        self.server = Server(Random(seed + 1), self.plan.post)
        self.faults, self.rules, self.users = Faults(self), Invariants(self), Users(self)

    @property
    def signed(self) -> bool:
        return self.plan.signed

    @property
    def turns(self) -> int:
        return self.plan.turns

    def say(self, who: str, what: str) -> None:
        self.history.say(who, what)

    # -- what programs need ----------------------------------------------------------------------------------

    def wall(self) -> float:
        running = self.scheduler.running
        return EPOCH + self.scheduler.now + (running.skew if running is not None else 0.0)

    def process(self, name: str, host: str) -> Process:
        process = Process(name, host, self.scheduler, self.kernel)
        process.loop.failed = self._loop_failed
        self.processes.append(process)
        process.enter()
        return process

    def nats_client(self, *arguments: Any) -> SimulatedNats:
        running: Process = self.scheduler.running
        return SimulatedNats(self.server, running)

    def _loop_failed(self, context: dict[str, Any]) -> None:
        if "was destroyed" not in context["message"]:  # with its process, or the world
            self.rules.found(f"asyncio: {context['message']}: {context.get('exception')!r}")

    # -- the plan --------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the programs that the plan needs, and let it happen."""
        self.outside = self.process("outside", "10.0.5.1")
        self.platform = PlatformProgram(self)
        self.programs["platform"] = self.platform
        for plan in self.plan.streams:
            self.relays.setdefault(plan.relay, RelayProgram(self, plan.relay))
            self.agents.setdefault(plan.host, AgentProgram(self, plan.host))
            self.clients.setdefault(plan.client, ClientProgram(plan.client, self.process, self.users.api, self.say))
            port = self.ports.setdefault(plan.number if plan.port is None else plan.port + STREAMS, Port())
            self.streams[plan.number] = StreamState(plan, port)
            self.scheduler.at(plan.begin, None, self.users.open, self.streams[plan.number])
        programs: list[Program] = [*self.relays.values(), *self.agents.values(), *self.clients.values()]
        for program in programs:
            self.programs[program.name] = program
        for program in self.programs.values():
            program.start()
        self.faults.begin(self.plan.faults)
        if self.plan.watched:
            self._watch()

    def _watch(self) -> None:
        """Look at the list of hosts, as an open page does every 15 s, until nothing breaks any more."""
        process = self.platform.running
        assert process is not None
        process.enter()
        for platform in self.platform.platforms.values():
            platform.lookout.watch()
        if self.scheduler.now < self.plan.faults_end + BREATH:
            process.later(BREATH, self._watch)

    def stop(self) -> None:
        """Stop all programs, as SIGTERM does."""
        for program in self.programs.values():
            if program.running is not None and program.running.alive:
                program.running.enter()
                program.stop().addErrback(self.failed)

    def failed(self, failure: Any) -> None:
        self.rules.found(f"a stop failed: {failure.getTraceback()}")

    # -- what is to be held to its rules ---------------------------------------------------------------------

    def paired(self, relay: Relay, client: AdmittedLeg, agent: AdmittedLeg) -> None:
        """Take note of a pair: of one client and one agent of the same stream, and each token only once."""
        name = relay.config.id
        if client.claims.stream != agent.claims.stream or (client.claims.role, agent.claims.role) != (
            "client",
            "agent",
        ):
            raise Wrong(f"{name} pairs {client.claims} and {agent.claims}")
        for leg in (client, agent):
            key = (f"{name} {leg.claims.stream}", leg.claims.role)
            self.pairs[key] = self.pairs.get(key, 0) + 1
            if self.pairs[key] > 1:
                raise Wrong(f"{name} pairs the {leg.claims.role}'s token of {leg.name} a second time")
        self.say(name, "pairs two legs")
        for port in self.ports.values():
            claims = client.claims
            if {claims.sub, claims.resumes, opaque_stream(claims.sub)} & {*port.ids}:
                port.paired = True
