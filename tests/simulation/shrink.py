"""A failing schedule made small: steps that don't matter are left out, as long as the same rule is broken."""

from collections.abc import Callable
from typing import Any

from tests.simulation.models import Schedule
from tests.simulation.run import run
from tests.simulation.verdict import Verdict

Run = Callable[[Any], Verdict]


def shrink(plan: Schedule, verdict: Verdict, judge: Run = run) -> tuple[int, ...]:
    """Return the places of the steps that are needed for a schedule to fail as it did."""
    kept = list(range(len(plan.steps)))
    tried = True
    while tried:
        tried = False
        for place in tuple(kept):
            fewer = [other for other in kept if other != place]
            if plan.may_be(set(fewer)) and judge(plan.only(set(fewer))).kind == verdict.kind:
                kept, tried = fewer, True
    return tuple(kept)
