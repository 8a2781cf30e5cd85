"""What a work is: how it is measured, and how its figures are shown."""

from collections.abc import Callable
from typing import Final, Literal

from attrs import field, frozen

from bench.sampling import Plan, Row

NEAR_AND_FAR: Final = {"near": 0.0, "100 ms away": 0.1}
"""Cases, by the seconds of a round trip to what is public."""


@frozen
class Table:
    """One figure of all cases: a row for each case, a column for each relay."""

    figure: str
    title: str
    digits: int = 2
    spread: bool = True
    """Whether the least and the greatest repetition are shown with the median."""
    better: Literal["", "least", "most"] = ""
    """What is better, where programs are compared by it on the page."""


@frozen
class Plot:
    """Bars of one figure, for some cases."""

    figure: str
    title: str
    cases: tuple[str, ...] = ()
    """All if empty."""
    logarithmic: bool = False


@frozen
class Target:
    """A ratio, or a figure, that was aimed at."""

    text: str
    figure: str
    case: str
    limit: float
    against: str = ""
    """The relay that it is divided by; none: the figure itself."""
    base: str = ""
    """The case that it is divided by, if that is another one."""
    relay: str = "streamrelay"
    why: str = ""
    """Why it is missed, where it is."""


@frozen
class Work:
    """One kind of work."""

    name: str
    title: str
    text: str
    run: Callable[[Plan], list[Row]]
    tables: tuple[Table, ...]
    plots: tuple[Plot, ...] = ()
    targets: tuple[Target, ...] = field(default=())
