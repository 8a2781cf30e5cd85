"""What happens in a schedule from outside: streams that users open, and faults. All of it follows from a seed."""

from random import Random
from typing import Any, Final

from attrs import define, evolve

from streamrelay.datapath.heartbeat import TURNS
from streamrelay.protocol.limits import Limits
from tests.simulation.bus import Post
from tests.simulation.ends import MOST, NAMED, Script
from tests.simulation.kernel import Weather

BEGIN: Final = 6.0
"""Seconds until the first stream: an agent that has just started, and keeps nothing, follows no summons."""
HOSTS: Final = 3
RELAYS: Final = 2


@define(frozen=True)
class StreamPlan:
    """A stream that a user opens."""

    number: int
    begin: float
    client: int
    host: int
    relay: int
    user: Script
    target: Script
    twin: float | None = None
    """Seconds after which somebody else comes with the same URL."""
    target_is: str = "there"
    """"there", "refusing", "silent" (it never answers a connection)."""
    leaves: float | None = None
    """Seconds after which the user resets, whatever has become of it."""
    ended: float | None = None
    """Seconds after which an operator ends it."""
    port: int | None = None
    """The local port that it shares with others, as channels of one stream; None: it has one by itself."""
    resumes: bool = False
    """True if it is to outlive its legs, where that can be."""

    def __str__(self) -> str:
        more = f", by port {self.port}" if self.port is not None else ""
        more += ", resumes" if self.resumes else ""
        more += f", twin after {self.twin:.3f} s" if self.twin is not None else ""
        more += f", its target is {self.target_is}" if self.target_is != "there" else ""
        more += f", the user leaves after {self.leaves:.3f} s" if self.leaves is not None else ""
        more += f", an operator ends it after {self.ended:.3f} s" if self.ended is not None else ""
        way = f"client-{self.client} to web-{self.host} by relay-{self.relay}"
        up, down = f"{self.user.size} up ({self.user.finish})", f"{self.target.size} down ({self.target.finish})"
        return f"{self.begin:9.3f} s  stream {self.number}: {way}, {up}, {down}{more}"


@define(frozen=True)
class Fault:
    """Something that breaks."""

    begin: float
    kind: str
    whom: str
    seconds: float
    number: int = 0
    """Which of several wires, where it concerns one."""

    def __str__(self) -> str:
        return f"{self.begin:9.3f} s  {self.kind} of {self.whom} ({self.number}) for {self.seconds:.3f} s"


@define(frozen=True)
class Plan:
    """A schedule."""

    seed: int
    weather: Weather
    post: Post
    signed: bool
    limits: Limits
    """Limits that the platform gives each stream."""
    patience: float
    """Seconds that a leg waits at a relay."""
    turns: int
    """Turns in a beat of a heartbeat; with as many as the programs have it is a third of all that a schedule takes."""
    streams: tuple[StreamPlan, ...]
    faults: tuple[Fault, ...]
    watched: bool = False
    """True if somebody sees the list of hosts while anything happens, for which all of them are knocked at in turn."""

    @property
    def steps(self) -> tuple[StreamPlan | Fault, ...]:
        return (*self.streams, *self.faults)

    @property
    def surroundings(self) -> str:
        return f"with {self.weather} and {self.post}"

    def may_be(self, places: "set[int]") -> bool:
        """Tell whether there is a schedule of these of its steps alone: of some stream at least."""
        return any(place < len(self.streams) for place in places)

    def only(self, kept: "set[int]") -> "Plan":
        """Return the schedule with these of its steps alone, by their places in `steps`."""
        streams = tuple(step for place, step in enumerate(self.streams) if place in kept)
        offset = len(self.streams)
        faults = tuple(step for place, step in enumerate(self.faults) if place + offset in kept)
        return evolve(self, streams=streams, faults=faults)

    @property
    def shares(self) -> bool:
        """True if streams carry channels, for which they are kept open for minutes."""
        return any(stream.port is not None for stream in self.streams)

    @property
    def resumes(self) -> bool:
        return any(stream.resumes for stream in self.streams)

    @property
    def faults_end(self) -> float:
        """Seconds after which all has begun, and nothing is broken any more."""
        ends = [fault.begin + fault.seconds for fault in self.faults]
        return max([stream.begin for stream in self.streams] + ends, default=0.0)

    @property
    def kills(self) -> bool:
        """True if programs end in mid-work, with failures that nobody can handle any more."""
        return any(fault.kind in ("kill", "power", "stop", "drain") for fault in self.faults)

    @property
    def is_calm(self) -> bool:
        """True if nothing is broken or lost, so that every stream must come to its good end."""
        return not (self.faults or self.post.lost or self.post.late or self.limits.claims())


SHARED: Final = 0.3
"""How often all streams of a schedule share a port."""
RESUMING: Final = 0.6
"""How often a stream outlives its legs, where tokens are signed, and it carries no channels."""
WATCHED: Final = 0.2
"""How often somebody sees the list of hosts."""
LASTING: Final = 700
"""Bytes of a stream that lasts."""
FINISHES: Final = ("eof", "eof", "eof", "wait", "close", "reset")


def script(dice: Random, big: bool) -> Script:
    size = dice.choice((0, 1, dice.randrange(2, 3000))) if not big else dice.randrange(60_000, MOST)
    chunk = max(1, dice.choice((size, size // 3, size // 7)))
    return Script(
        size,
        chunk,
        dice.choice((0.0, 0.001, 0.1, 2.0)),
        dice.choice(FINISHES),
        dice.choice((0.0, 0.0, 0.0, 0.5, 20.0)),
        dice.choice((65536, 65536, 4096)) if big else 65536,
        dice.choice((0.0, 0.0, 0.01)) if not big else 0.0,
    )


def shared(stream: StreamPlan, first: StreamPlan) -> StreamPlan:
    """Return a stream that comes by the same local port as the first one. It says who it is before it says anything."""
    user = evolve(stream.user, size=max(stream.user.size, NAMED))
    stream = evolve(stream, client=first.client, host=first.host, relay=first.relay, target_is=first.target_is)
    return evolve(stream, user=user, port=first.number, twin=None)


def lasting(stream: StreamPlan) -> StreamPlan:
    """Return a stream that nobody ends for 14 s, so that it is seen to outlive the beginning of a drain."""
    slow = Script(LASTING, LASTING // 7, 2.0)
    return evolve(stream, user=slow, target=slow, target_is="there", twin=None, leaves=None, ended=None)


def stream(dice: Random, number: int, span: float, room: int) -> StreamPlan:
    big = dice.random() < 0.15 and room == ROOMS[-1]
    user, target = script(dice, big), script(dice, big)
    if user.finish == target.finish == "wait":
        user = evolve(user, finish="eof")
    return StreamPlan(
        number,
        BEGIN + dice.random() * span,
        dice.randrange(2),
        dice.randrange(HOSTS),
        dice.randrange(RELAYS),
        user,
        target,
        twin=dice.choice((0.0, 0.01, 1.0)) * dice.random() if dice.random() < 0.15 else None,
        target_is=dice.choice(("refusing", "silent")) if dice.random() < 0.08 else "there",
        ended=dice.choice((0.01, 0.1, 3.0)) * dice.random() if dice.random() < 0.1 else None,
        leaves=dice.choice((0.005, 0.1, 3.0)) * dice.random() if dice.random() < 0.1 else None,
    )


LIMITS: Final[tuple[dict[str, Any], ...]] = (
    {"quota": 500},
    {"quota": 100_000},
    {"lifetime": 0.2},
    {"lifetime": 9},
    {"idle": 6},
)
ROOMS: Final = (256, 4096, 65_536)
KINDS: Final = ("cut", "half-open", "silence", "isolation", "kill", "power", "stop", "drain", "bus", "hang")


def fault(dice: Random, span: float) -> Fault:
    kind = dice.choice(KINDS)
    relays, hosts = [f"relay-{n}" for n in range(RELAYS)], [f"web-{n}" for n in range(HOSTS)]
    whom = {
        "cut": ["a wire"],
        "half-open": ["a wire"],
        "silence": ["a wire"],
        "isolation": [*relays, *hosts, "client-0", "client-1"],
        "kill": [*relays, *hosts, "client-0"],
        "power": [*relays, *hosts],
        "stop": [*relays, *hosts],
        "drain": [*relays, *hosts],
        "bus": [*hosts, "platform", "all"],
        "hang": ["the bus"],
    }[kind]
    seconds = dice.choice((0.1, 3.0, 50.0)) * dice.random()
    return Fault(BEGIN + dice.random() * span, kind, dice.choice(whom), seconds, dice.randrange(1000))


def plan(seed: int) -> Plan:
    """Make the schedule of a seed."""
    dice = Random(seed)
    span = dice.choice((0.01, 0.2, 5.0))
    weather = Weather(dice.choice((0.0002, 0.005, 0.1)), dice.choice(ROOMS), dice.choice((0.0, 0.1, 0.5)))
    post = Post(dice.choice((0.0005, 0.02)), *(dice.choice((0.0, 0.0, 0.0, 0.2)) for _ in range(3)))
    signed = dice.random() < 0.5
    streams = tuple(stream(dice, number, span, weather.room) for number in range(dice.choice((1, 1, 2, 2, 3, 5))))
    broken = dice.choice((0, 1, 1, 1, 2, 4))
    faults = tuple(fault(dice, max(span, dice.choice((0.05, 2.0, 10.0)))) for _ in range(broken))
    if any(fault.kind == "drain" for fault in faults):
        streams = (lasting(streams[0]), *streams[1:])
    if dice.random() < SHARED:
        streams = tuple(shared(stream, streams[0]) for stream in streams)
    limits = Limits(**dice.choice(LIMITS)) if dice.random() < 0.15 else Limits()
    patience = dice.choice((30.0, 30.0, 30.0, 3.0, 0.0))
    turns = dice.choice((1, 1, 1, TURNS))
    watched = dice.random() < WATCHED
    if signed:
        streams = tuple(
            evolve(stream, resumes=True) if stream.port is None and dice.random() < RESUMING else stream
            for stream in streams
        )
    return Plan(seed, weather, post, signed, limits, patience, turns, streams, faults, watched)
