"""The simulated world of one stream that resumes: two programs, two relays, and what breaks."""

from random import Random
from typing import Any, Final

from attrs import define, field

from streamrelay.protocol.close import CloseCode, Outcome
from tests.simulation.history import History
from tests.simulation.kernel import Kernel
from tests.simulation.process import Process, Reactor
from tests.simulation.resuming.faults import Faults
from tests.simulation.resuming.legs import Pair
from tests.simulation.resuming.plan import CALM, Fault, Plan
from tests.simulation.resuming.post import PostOffice
from tests.simulation.resuming.programs import Client, Host
from tests.simulation.resuming.rules import Rules
from tests.simulation.scheduler import Scheduler

BREAKS: Final = tuple(Outcome(code) for code in (1000, 1001, 1005, 1006, 1012, 1013, CloseCode.LEG_LOST))
"""How an end is told of a leg that is broken: whatever it is, the stream goes on."""
LONGEST: Final = 260
"""Bytes of a control message at most: that of an end has a reason."""


class StoppableReactor(Reactor):
    """A process' reactor, which tells nobody when it is stopped: what is to be done then is done by a fault."""

    def addSystemEventTrigger(self, *about: Any) -> None: ...


@define(eq=False)
class World:
    """One schedule under way."""

    plan: Plan
    kept: bool = False
    """True if its history will be read."""
    scheduler: Scheduler = field(factory=Scheduler)
    history: History = field(init=False)
    dice: Random = field(init=False)
    kernel: Kernel = field(init=False)
    pairs: list[Pair] = field(factory=list)
    """All legs, in the order in which the platform named them."""
    live: Pair | None = None
    """The legs that were met last."""
    legs_met: int = 0
    relays_away: list[str] = field(factory=lambda: ["", ""])
    """Why each relay lets nobody in; empty: it does."""
    dials_fail: bool = False
    hangs: bool = False
    """True while no relay answers a dial."""
    breaks: tuple[Outcome, ...] = BREAKS
    client: Client = field(init=False)
    host: Host = field(init=False)
    post: PostOffice = field(init=False)
    rules: Rules = field(init=False)
    faults: Faults = field(init=False)
    problems: list[str] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.history = History(self.scheduler, self.kept)
        self.dice = Random(self.plan.seed)
        self.kernel = Kernel(self.scheduler, 0)
        self.client, self.host = Client(self, self._process("client")), Host(self, self._process("agent"))
        self.post = PostOffice(self, self._process("platform"))
        self.rules, self.faults = Rules(self), Faults(self)

    def _process(self, name: str) -> Process:
        process = Process(name, name, self.scheduler, self.kernel)
        process.reactor = StoppableReactor(process)
        return process

    def begin(self) -> None:
        self.scheduler.after_step = self.rules.after_step
        self.host.start()
        self.client.start()
        self.faults.begin()

    def say(self, who: str, what: str) -> None:
        self.history.say(who, what)

    @property
    def breaks_now(self) -> bool:
        """True while requests and answers may be lost: from the stream's opening on, and no longer than to `CALM`."""
        return self.client.stream is not None and self.scheduler.now < CALM

    def soon(self) -> float:
        """Return when something arrives that is sent now."""
        return self.scheduler.now + self.plan.latency * (0.5 + self.dice.random())

    def pair(self, relay: int) -> Pair:
        """Name two legs that may meet at a relay."""
        pair = Pair(self, len(self.pairs), relay)
        self.pairs.append(pair)
        return pair

    def met(self, pair: Pair) -> tuple[int, tuple[Fault, ...]]:
        """Take note that two legs are met, and return their number among those, and all cuts at bytes."""
        self.live, number = pair, self.legs_met
        self.legs_met += 1
        return number, self.faults.cuts

    def restart(self) -> None:
        """Start the agent anew, which knows nothing of any stream."""
        self.say("fault", "the agent starts again")
        self.host = Host(self, self._process("agent"))
        self.host.start()

    def heaviest(self, size: int) -> int:
        """Return what a piece weighs at most."""
        return max(size, 1 + 4 * (self.plan.sizes.pooled or 2)) + self.plan.sizes.overhead

    @property
    def heaviest_control(self) -> int:
        return LONGEST + self.plan.sizes.overhead

    @property
    def most_held(self) -> int:
        """Return the bytes that an end must be able to hold of what the other one may send."""
        plan = self.plan
        scripts = (plan.user, plan.target)
        largest, controls = max(each.largest for each in scripts), max(each.controls for each in scripts)
        return 2 * max(plan.sizes.window) + largest + (controls + 2) * self.heaviest_control

    def failed(self, failure: Any) -> None:
        self.problems.append(f"a failure that nobody handles: {failure.getTraceback()}")
        self.scheduler.touched.append(None)
