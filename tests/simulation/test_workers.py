"""Campaigns by several processes."""

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation.campaign import MOST_FAILED, Tally
from tests.simulation.verdict import Verdict
from tests.simulation.workers import shared, together


def told(tally: Tally) -> tuple[object, ...]:
    """What a tally holds but for its CPU time."""
    return tally.schedules, tally.steps, tally.pairs, tally.simulated, tally.failed


class Workers(SynchronousTestCase):
    """Shares of a campaign, and their sum."""

    def test_same_by_two(self) -> None:
        """Two processes bring what one brings."""
        seeds = range(2_000_000, 2_000_008)
        self.assertEqual(told(shared(seeds, 2, share=2)), told(shared(seeds, 1, share=2)))

    def test_failures(self) -> None:
        """Failures stand in the order of their seeds, and of a share behind the last that is wanted nothing counts."""
        wrong = [(seed, Verdict("wrong", "", 5, 2.0, 1)) for seed in range(MOST_FAILED + 1)]
        said: list[int] = []
        whole = together(
            iter([Tally(3, 15, 3, 6.0, 1.0, wrong[:3]), Tally(20, 9, 3, 6.0, 1.0, wrong[3:]), Tally(3)]),
            lambda tally: said.append(tally.schedules),
        )
        self.assertEqual((whole.failed, whole.schedules, whole.steps, whole.simulated), (wrong, 23, 24, 12.0))
        self.assertEqual(said, [3, 23])
