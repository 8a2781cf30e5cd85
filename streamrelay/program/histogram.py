"""Histograms of seconds, which cost a bisection for each observation and are made to look nice only when asked for."""

from bisect import bisect_left
from itertools import accumulate
from typing import Final

from attrs import define, field

WAITS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of what people wait for, in seconds."""
LAGS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Upper bounds of how late a loop may be, in seconds."""


@define(eq=False)
class Histogram:
    """Numbers of observations, by upper bounds that include what equals them."""

    bounds: tuple[float, ...] = WAITS
    total: float = 0.0
    """Sum of all observations."""
    _counts: list[int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def buckets(self) -> list[tuple[str, float]]:
        """Return each bound as Prometheus writes it, with the number of observations up to it; the last is all."""
        bounds = [*(str(float(bound)) for bound in self.bounds), "+Inf"]
        return list(zip(bounds, map(float, accumulate(self._counts)), strict=True))
