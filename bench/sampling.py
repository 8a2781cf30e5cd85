"""Repetitions: interleaved between relays, and taken again when something else was using the machine."""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from statistics import median
from typing import Protocol, TypeVar

from attrs import define, field
from msgspec import Struct

from bench.processes import Bench, Unusable, machine_busy
from bench.relay import Relay

QUIET = 0.15
"""Cores that others may use during a measurement."""
WAIT = 8.0
"""Seconds to wait for such a moment, each time."""
TRIES = 3
"""Times that a measurement is taken to find such a moment; then the quietest one counts."""


R = TypeVar("R", bound=Relay)


class Row(Struct):
    """The repetitions of one case with one relay, by figure."""

    case: str
    relay: str
    figures: dict[str, list[float]]
    others: list[float] = []
    """Cores that everything else on the machine used meanwhile."""

    def median(self, figure: str) -> float:
        return median(self.figures[figure])


class Sample(Struct):
    """One measurement."""

    figures: dict[str, float]
    others: float = 0.0
    """Cores."""


@define
class Plan:
    """How much to do."""

    bench: Bench
    quick: bool
    repetitions: int
    skipped: dict[str, str] = field(factory=dict)
    """What can't be run here, and why."""
    versions: dict[str, str] = field(factory=dict)

    def seconds(self, full: float) -> float:
        return full / 3 if self.quick else full

    def started(self, kinds: Iterable[Callable[[], R]]) -> list[R]:
        """Those of the relays that can be run here, running."""
        running = []
        for kind in kinds:
            relay = kind()
            try:
                relay.start(self.bench)
                self.versions.setdefault(relay.name, relay.version())
            except Unusable as reason:
                self.skipped[relay.name] = str(reason)
                say(f"{relay.name} is left out: {reason}")
                continue
            running.append(relay)
        return running


class Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


def interleave(
    plan: Plan, case: str, subjects: Sequence[N], measure: Callable[[N], Sample], repetitions: int = 0
) -> list[Row]:
    """Measure A, B, …, A, B, …"""
    rows = [Row(case, subject.name, {}, []) for subject in subjects]
    for _ in range(repetitions or plan.repetitions):
        for row, subject in zip(rows, subjects, strict=True):
            try:
                sample = _quiet(partial(measure, subject))
            except OSError as error:
                say(f"  {case}: {row.relay} failed: {error}")
                plan.skipped[f"{case}: {row.relay}"] = f"a repetition with {row.relay} ({case}: {error})"
                continue
            for name, value in sample.figures.items():
                row.figures.setdefault(name, []).append(value)
            row.others.append(sample.others)
    rows = [row for row in rows if row.figures]
    for row in rows:
        figures = ", ".join(f"{name} {row.median(name):.4g}" for name in row.figures)
        say(f"  {case}: {row.relay}: {figures}; others {max(row.others):.2f}")
    return rows


def _quiet(measure: Callable[[], Sample]) -> Sample:
    best = measure()
    for _ in range(TRIES - 1):
        if best.others <= QUIET:
            break
        _wait_for_quiet()
        again = measure()
        if again.others < best.others:
            best = again
    return best


def _wait_for_quiet() -> None:
    """Until the rest of the machine rests for a second, or `WAIT` is over."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        busy, began = machine_busy(), time.monotonic()
        time.sleep(1)
        if (machine_busy() - busy) / (time.monotonic() - began) <= QUIET:
            return


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
