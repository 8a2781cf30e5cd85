"""Many schedules, one after the other, and what is told of those that fail."""

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

from attrs import define, evolve, field
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from tests.simulation.invariants import is_unhandled
from tests.simulation.models import WHOLE, Model, Schedule
from tests.simulation.shrink import shrink
from tests.simulation.verdict import Verdict

NONE: Final = "none"
"""What stands for no step at all."""
MOST_FAILED: Final = 20
"""Failures after which nobody needs more of them."""


@define
class Tally:
    """What was done."""

    schedules: int = 0
    steps: int = 0
    pairs: int = 0
    simulated: float = 0.0
    """Seconds of the simulated worlds."""
    seconds: float = 0.0
    """Seconds of CPU."""
    failed: list[tuple[int, Verdict]] = field(factory=list)

    def count(self, seed: int, verdict: Verdict) -> None:
        self.schedules += 1
        self.steps += verdict.steps
        self.pairs += verdict.pairs
        self.simulated += verdict.seconds
        if verdict.problem:
            self.failed.append((seed, verdict))

    def add(self, other: "Tally") -> None:
        """Count what another process has done as well."""
        self.schedules += other.schedules
        self.steps += other.steps
        self.pairs += other.pairs
        self.simulated += other.simulated
        self.seconds += other.seconds
        self.failed += other.failed

    def __str__(self) -> str:
        rate = self.schedules / self.seconds if self.seconds else 0.0
        return (
            f"{self.schedules} schedules, {self.steps} steps, {self.pairs} pairs, {self.simulated / 3600:.1f} "
            f"simulated hours in {self.seconds:.1f} s of CPU ({rate:.0f} a second), {len(self.failed)} failed"
        )


def campaign(seeds: Iterable[int], go_on: Callable[[Tally], bool] = lambda tally: True, model: Model = WHOLE) -> Tally:
    """Run the schedules of seeds, as long as it is to go on."""
    tally, begin = Tally(), time.process_time()
    with Unhandled() as unhandled:
        for seed in seeds:
            tally.count(seed, _judged(model, model.plan(seed), unhandled))
            tally.seconds = time.process_time() - begin
            if len(tally.failed) >= MOST_FAILED or not go_on(tally):
                break
    return tally


def alone(schedule: Schedule, kept: bool = False, model: Model = WHOLE) -> Verdict:
    """Run one schedule, and look for failures that nobody has handled."""
    with Unhandled() as unhandled:
        return _judged(model, schedule, unhandled, kept)


def _judged(model: Model, schedule: Schedule, unhandled: "Unhandled", kept: bool = False) -> Verdict:
    verdict = model.run(schedule, kept)
    found = unhandled.look()
    if verdict.problem or not found or schedule.kills:
        return verdict
    return evolve(verdict, problem=f"nobody handles a failure: {found[0]}")


@implementer(ILogObserver)
class Unhandled:
    """Failures of which a Deferred tells when it is thrown away. Python's collector comes only after a schedule, so
    that it is the same ones each time, and looks at nothing that was there before, so that it is quick."""

    def __init__(self) -> None:
        self._found: list[str] = []
        self._told = False

    def __enter__(self) -> "Unhandled":
        gc.disable()
        gc.freeze()
        globalLogPublisher.addObserver(self)
        return self

    def __exit__(self, *what: object) -> None:
        gc.unfreeze()
        gc.enable()
        globalLogPublisher.removeObserver(self)

    def look(self) -> list[str]:
        """Throw away what nobody holds any more, and return the failures that tell of themselves then: all of them, as
        what is thrown away may end a coroutine of a killed program, whose own failure is found by the next look."""
        while gc.collect():
            pass
        found, self._found = self._found, []
        return found

    def __call__(self, event: LogEvent) -> None:
        told, self._told = self._told, is_unhandled(event)
        if told:  # the failure itself comes as an event of its own, behind that
            self._found.append(event["log_failure"].getTraceback())


def tell(seed: int, verdict: Verdict, model: Model = WHOLE) -> Iterator[str]:
    """Yield the lines about a schedule that failed: how it is run again, made small, and what happened in it."""
    whole = model.plan(seed)
    yield f"seed {seed}: {verdict.problem}"
    places = shrink(whole, verdict, partial(alone, model=model))
    only = ",".join(map(str, places)) or NONE
    yield f"to see it again: {model.command} --seed {seed} --only {only}"
    smaller = whole.only(set(places))
    yield f"{len(places)} of its {len(whole.steps)} steps are needed, {smaller.surroundings}:"
    for place, step in enumerate(whole.steps):
        if place in places:
            yield f"  {place:3}  {step}"
    yield alone(smaller, True, model).history
