"""A failing schedule made small: steps that don't matter are left out, as long as the same rule is broken."""

from collections.abc import Callable

from tests.simulation.plan import Plan
from tests.simulation.run import Verdict, run

Run = Callable[[Plan], Verdict]


def shrink(plan: Plan, verdict: Verdict, judge: Run = run) -> tuple[int, ...]:
    """Return the places of the steps that are needed for a schedule to fail as it did."""
    kept = list(range(len(plan.steps)))
    tried = True
    while tried:
        tried = False
        for place in tuple(kept):
            fewer = [other for other in kept if other != place]
            if any(other < len(plan.streams) for other in fewer) and judge(plan.only(set(fewer))).kind == verdict.kind:
                kept, tried = fewer, True
    return tuple(kept)
