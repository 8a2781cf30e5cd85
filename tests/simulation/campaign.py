"""Many schedules, one after the other, and what is told of those that fail."""

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from attrs import define, field
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import implementer

from tests.simulation.plan import Plan, plan
from tests.simulation.run import Verdict, run
from tests.simulation.shrink import shrink

MOST_FAILED: Final = 20
"""Failures after which nobody needs more of them."""
BATCH: Final = 50
"""Schedules after which it is looked for failures that nobody has handled; that takes a while."""


@define
class Tally:
    """What was done."""

    schedules: int = 0
    steps: int = 0
    pairs: int = 0
    simulated: float = 0.0
    """Seconds of the simulated worlds."""
    seconds: float = 0.0
    """Seconds of this process."""
    failed: list[tuple[int, Verdict]] = field(factory=list)

    def count(self, seed: int, verdict: Verdict) -> None:
        self.schedules += 1
        self.steps += verdict.steps
        self.pairs += verdict.pairs
        self.simulated += verdict.seconds
        if verdict.problem:
            self.failed.append((seed, verdict))

    def __str__(self) -> str:
        rate = self.schedules / self.seconds if self.seconds else 0.0
        return (
            f"{self.schedules} schedules, {self.steps} steps, {self.pairs} pairs, {self.simulated / 3600:.1f} "
            f"simulated hours in {self.seconds:.1f} s of CPU ({rate:.0f} a second), {len(self.failed)} failed"
        )


def campaign(seeds: Iterable[int], go_on: Callable[[Tally], bool] = lambda tally: True) -> Tally:
    """Run the schedules of seeds, as long as it is to go on."""
    tally, begin = Tally(), time.process_time()
    for batch in _batches(seeds):
        with Unhandled() as unhandled:
            for seed in batch:
                tally.count(seed, run(plan(seed)))
                tally.seconds = time.process_time() - begin
                if not _goes_on(tally, go_on):
                    break
        if unhandled.found:
            tally.failed += [(seed, verdict) for seed in batch if (verdict := alone(plan(seed))).problem]
        if not _goes_on(tally, go_on):
            break
    return tally


def _goes_on(tally: Tally, go_on: Callable[[Tally], bool]) -> bool:
    return len(tally.failed) < MOST_FAILED and go_on(tally)


def alone(schedule: Plan, kept: bool = False) -> Verdict:
    """Run one schedule, and look for failures that nobody has handled."""
    with Unhandled() as unhandled:
        verdict = run(schedule, kept)
    if verdict.problem or not unhandled.found or schedule.kills:
        return verdict
    problem = f"nobody handles a failure: {unhandled.found[0]}"
    return Verdict(problem, verdict.history, verdict.steps, verdict.seconds, verdict.pairs)


@implementer(ILogObserver)
class Unhandled:
    """Failures of which a Deferred tells when it is thrown away. Python's collector is held back meanwhile, so that
    it is the same ones each time."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def __enter__(self) -> "Unhandled":
        gc.collect()
        gc.freeze()
        gc.disable()
        globalLogPublisher.addObserver(self)
        return self

    def __exit__(self, *what: object) -> None:
        gc.collect()
        gc.enable()
        gc.unfreeze()
        globalLogPublisher.removeObserver(self)

    def __call__(self, event: LogEvent) -> None:
        if formatEvent(event).startswith("Unhandled error in Deferred"):
            failure = event.get("log_failure")
            self.found.append("" if failure is None else failure.getTraceback())


def tell(seed: int, verdict: Verdict, command: str) -> Iterator[str]:
    """Yield the lines about a schedule that failed: how it is run again, made small, and what happened in it."""
    whole = plan(seed)
    yield f"seed {seed}: {verdict.problem}"
    places = shrink(whole, verdict, alone)
    only = ",".join(map(str, places))
    yield f"to see it again: {command} --seed {seed} --only {only}"
    smaller = whole.only(set(places))
    yield f"{len(places)} of its {len(whole.steps)} steps are needed, with {smaller.weather} and {smaller.post}:"
    for place, step in enumerate(whole.steps):
        if place in places:
            yield f"  {place:3}  {step}"
    yield alone(smaller, kept=True).history


def _batches(seeds: Iterable[int]) -> Iterator[list[int]]:
    """Yield batches of seeds, of which none mixes schedules that kill programs with others."""
    waiting: dict[bool, list[int]] = {True: [], False: []}
    for seed in seeds:
        batch = waiting[plan(seed).kills]
        batch.append(seed)
        if len(batch) == BATCH:
            yield batch[:]
            batch.clear()
    yield from (batch for batch in waiting.values() if batch)
