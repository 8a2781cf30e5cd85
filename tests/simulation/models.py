"""What is simulated: the whole of it, or one stream that resumes and nothing else, a hundred times as fast."""

from collections.abc import Callable
from typing import Any, Final, Protocol

from attrs import define

from tests.simulation import plan, run
from tests.simulation.resuming import plan as resuming_plan
from tests.simulation.resuming import run as resuming_run
from tests.simulation.verdict import Verdict


class Schedule(Protocol):
    """The plan of one schedule, of whatever model."""

    @property
    def steps(self) -> tuple[Any, ...]: ...

    @property
    def kills(self) -> bool:
        """True if programs end in mid-work, with failures that nobody can handle any more."""

    @property
    def surroundings(self) -> str:
        """Return what is so all the time, in words."""

    def may_be(self, places: "set[int]") -> bool:
        """Tell whether there is a schedule of these of its steps alone."""

    def only(self, kept: "set[int]") -> Any:
        """Return it with these of its steps alone, by their places in `steps`."""


@define(frozen=True)
class Model:
    """A way to make schedules of seeds, and to run them."""

    plan: Callable[[int], Schedule]
    run: Callable[[Any, bool], Verdict]
    """Runs a schedule; True: with its history."""
    command: str


COMMAND: Final = "python -m tests.simulation"
WHOLE: Final = Model(plan.plan, run.run, COMMAND)
ONE_STREAM: Final = Model(resuming_plan.plan, resuming_run.run, f"{COMMAND} --resume")
