"""A schedule of one stream that resumes: what both programs say, and what breaks. All of it follows from a seed."""

from random import Random
from typing import Final

from attrs import define, evolve, field

ENOUGH: Final = 240.0
"""Seconds of a hold that no fault outlasts which ends by `CALM`, and in which each end is confirmed all the same."""
CALM: Final = 20.0
"""Seconds after which only what is cut at a byte is still lost."""
LONG: Final = 50.0
"""Seconds after which an end knows at the latest that its leg is silent."""
ENDERS: Final = ("word", "operator", "leave", "kill-client", "kill-agent", "stop-agent")
"""Faults after which a stream may end before all was said."""


@define(frozen=True)
class Script:
    """What the program at one end says, and how it reads."""

    items: tuple[int | str, ...] = ()
    """Numbers of bytes, and control messages."""
    pause: float = 0.0
    """Seconds between two of them."""
    finish: str = "eof"
    """How it ends: "eof" says so and reads on, "wait" does once the other has, "over" leaves in order, "reset" not."""
    room: int = 1 << 20
    """Bytes that it takes before it has no room."""
    rest: float = 0.0
    """Seconds after which it has taken what it was given; 0: at once."""

    @property
    def controls(self) -> int:
        return sum(isinstance(item, str) for item in self.items)

    @property
    def largest(self) -> int:
        return max((item for item in self.items if isinstance(item, int)), default=0)

    def __str__(self) -> str:
        said = " ".join(map(str, self.items)) or "nothing"
        return f"{said}, {self.pause} s apart, then {self.finish}; room {self.room}, rest {self.rest}"


@define(frozen=True)
class Fault:
    """Something that breaks."""

    kind: str
    begin: float = 0.0
    seconds: float = 0.0
    number: int = 0
    """Of a relay; of a close; "byte": of the leg that is cut, as they are met."""
    up: bool = False
    at: int = 0
    """Position of a leg's own bytes at which it is cut."""
    told: tuple[float, float] = (0.0, 0.0)
    """Seconds after which the client and the agent know of it."""

    def __str__(self) -> str:
        told = f", known after {self.told[0]:.3f} s to the client and {self.told[1]:.3f} s to the agent"
        if self.kind == "byte":
            return f"leg {self.number} is cut {'up' if self.up else 'down'} at byte {self.at}{told}"
        return f"{self.begin:9.3f} s  {self.kind} ({self.number}) for {self.seconds:.3f} s{told}"


@define(frozen=True)
class Post:
    """How requests, summonses and answers get through, until `CALM`."""

    latency: float = 0.001
    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    repeated: float = 0.0
    """How often a request is dropped without an answer, though it was heard, and so asked again."""


@define(frozen=True)
class Sizes:
    """Bounds, so small that a few bytes reach them."""

    window: tuple[int, int] = (8, 8)
    """Bytes of the client's, and of the agent's."""
    high: int = 8
    least: int = 16
    overhead: int = 2
    memory: int = 1 << 20
    room: int = 1 << 10
    """Bytes that a leg takes at once."""
    pooled: int = 4
    """Bytes from which pieces are kept in buffers that are used again."""


@define(frozen=True)
class Plan:
    """A schedule."""

    seed: int
    user: Script
    target: Script
    sizes: Sizes = field(factory=Sizes)
    post: Post = field(factory=Post)
    latency: float = 0.001
    """Seconds on a leg, on average."""
    short: float = 0.3
    """How often fewer bytes come than could."""
    hold: float = ENOUGH
    faults: tuple[Fault, ...] = ()

    @property
    def steps(self) -> tuple[Fault, ...]:
        return self.faults

    def may_be(self, places: "set[int]") -> bool:
        """Tell whether there is a schedule of these of its steps alone."""
        return True

    def only(self, kept: "set[int]") -> "Plan":
        return evolve(self, faults=tuple(fault for place, fault in enumerate(self.faults) if place in kept))

    @property
    def kills(self) -> bool:
        return any(fault.kind in ("kill-client", "kill-agent", "stop-agent") for fault in self.faults)

    @property
    def is_mild(self) -> bool:
        """True if all that is said must come, whatever breaks."""
        return self.hold >= ENOUGH and not any(fault.kind in ENDERS for fault in self.faults)

    @property
    def surroundings(self) -> str:
        return f"with {self.sizes}, {self.post}, legs of {self.latency} s\n  user: {self.user}\n  target: {self.target}"


WORDS: Final = 80
"""Bytes of what ends say on each leg beside the stream's: acks, a fin, an end."""
MESSAGES: Final = ('{{"resize":[{0},24]}}', '{{"note":"{0}"}}', '{{"place":"{0}"}}')
KINDS: Final = (
    *("byte",) * 12,
    *("cut", "cut", "silence", "half", "relay", "relay", "drain", "drain", "dials", "hang"),
    *ENDERS,
)


def script(dice: Random, number: int) -> Script:
    chance, choice = dice.random, dice.choice
    sizes = choice(((1, 2, 3), (1, 5, 9), (2, 10, 30)))
    items: list[int | str] = []
    for place in range(choice((0, 1, 3, 8, 24))):
        items.append(choice(sizes) if chance() < 0.75 else choice(MESSAGES).format(1 + 100 * number + place))
    finish = choice(("eof", "eof", "eof", "wait", "over", "reset" if chance() < 0.3 else "eof"))
    if finish == "over" and chance() < 0.5:
        items.append(f'{{"exit":{number}}}')
    room, rest = choice(((1 << 20, 0.0), (1 << 20, 0.0), (0, 0.002), (5, 0.3), (20, 4.0)))
    return Script(tuple(items), choice((0.0, 0.001, 0.05, 0.3, 0.9)), finish, room, rest)


def sizes(dice: Random) -> Sizes:
    choice = dice.choice
    window = choice(((1, 1), (4, 4), (10, 10), (40, 40), (3, 30), (30, 3), (1000, 1000)))
    return Sizes(
        *(window, choice((0, 8, 64)), choice((4, 16, 1000)), choice((0, 2, 128))),
        *(choice((1 << 20, 1 << 20, 30, 0)), choice((1 << 10, 1 << 10, 0, 6)), choice((0, 4, 1000))),
    )


def told(dice: Random) -> tuple[float, float]:
    first, second = (dice.choice((0.0, 0.0, 0.002, 0.3, LONG)) * dice.random() for _ in range(2))
    return first, second


def fault(dice: Random, span: float) -> Fault:
    kind = dice.choice(KINDS)
    begin = dice.random() * span
    seconds = min(dice.choice((0.01, 0.5, 10.0)) * dice.random(), CALM - begin)
    return Fault(kind, begin, seconds, dice.randrange(100), dice.random() < 0.5, told=told(dice))


def cut(dice: Random, leg: int, most: int) -> Fault:
    """Return a cut at a byte, of any that may pass there or of the first few, which are those of a resumption."""
    far = dice.random() < (0.3 if leg else 0.6)
    at = dice.randrange(most + WORDS) if far else dice.randrange(25)
    return Fault("byte", number=leg, up=dice.random() < 0.5, at=at, told=told(dice))


def plan(seed: int) -> Plan:
    """Make the schedule of a seed."""
    dice = Random(seed)
    user, target = script(dice, 1), script(dice, 2)
    if user.finish == target.finish == "wait":
        user = evolve(user, finish="eof")
    most = sum(item for item in (*user.items, *target.items) if isinstance(item, int))
    span = dice.choice((0.02, 0.5, 8.0))
    faults: list[Fault] = [cut(dice, leg, most) for leg in range(dice.choice((0, 1, 2, 4, 9))) if dice.random() < 0.8]
    for _ in range(dice.choice((0, 0, 1, 2, 4))):
        found = fault(dice, span)
        faults.append(cut(dice, dice.randrange(6), most) if found.kind == "byte" else found)
    latency, often = dice.choice((0.0005, 0.02)), dice.choice(((0.0,), (0.0, 0.1), (0.0, 0.4), (0.3, 0.5)))
    lost, doubled, late = dice.choice(often), dice.choice(often), dice.choice(often)
    post = Post(latency, lost, doubled, late, dice.choice((0.0, 0.0, 0.2)))
    hold = dice.choice((ENOUGH, ENOUGH, ENOUGH, 0.1, 3.0, 30.0))
    latency = dice.choice((0.0002, 0.005, 0.1))
    return Plan(seed, user, target, sizes(dice), post, latency, dice.choice((0.0, 0.3, 0.9)), hold, tuple(faults))
