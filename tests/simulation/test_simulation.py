"""The simulation by itself: as many schedules as there is time for, and that each is the same every time."""

import sys

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.relay.leg import Waiting
from tests.simulation.campaign import Tally, alone, campaign, tell
from tests.simulation.elsewhere import histories_of
from tests.simulation.plan import BEGIN, Fault, plan
from tests.simulation.run import run
from tests.simulation.shrink import shrink

CPU: int = 6
"""Seconds that the schedules of the suite may take."""
FIRST = 1_000_000
"""The first of the suite's seeds."""


class Schedules(SynchronousTestCase):
    """Schedules of two relays, three agents, two clients and a platform."""

    def test_schedules(self) -> None:
        """Whatever breaks, each of many schedules keeps all rules (tests/simulation/invariants.py)."""
        tally = campaign(range(FIRST, FIRST + 100_000), lambda tally: tally.seconds < CPU and not tally.failed)
        print(f"figure: simulation: {tally}", file=sys.stderr)
        failed = [line for seed, verdict in tally.failed for line in tell(seed, verdict)]
        self.assertEqual("\n".join(failed), "")
        self.assertGreater(tally.pairs, 0)

    def test_same_again(self) -> None:
        """A schedule has the same history, byte for byte, whenever it is run."""
        for seed in range(FIRST, FIRST + 8):
            self.assertEqual(run(plan(seed), True).history, run(plan(seed), True).history)

    def test_other_process(self) -> None:
        """It has the same in another process, whose strings have other hashes."""
        seeds = [FIRST + 1, FIRST + 2, FIRST + 3]
        here = [alone(plan(seed), kept=True).history for seed in seeds]
        self.assertEqual(histories_of("tests.simulation.test_simulation", seeds), "".join(here))

    def test_differ(self) -> None:
        """Two seeds make two schedules."""
        histories = {run(plan(seed), True).history for seed in range(FIRST, FIRST + 4)}
        self.assertEqual(len(histories), 4)


class Shrinking(SynchronousTestCase):
    """Failing schedules, made small."""

    def test_needed(self) -> None:
        """Steps that don't matter are left out, and what is left fails as the whole did."""
        self.patch(Waiting, "timer_off", lambda waiting: None)
        tally = campaign(range(FIRST, FIRST + 100), lambda tally: not _large(tally))
        seed, verdict = tally.failed[-1]
        whole = plan(seed)
        kept = shrink(whole, verdict)
        self.assertLess(len(kept), len(whole.steps))
        self.assertEqual(run(whole.only(set(kept))).kind, verdict.kind)
        for place in kept:
            if any(other < len(whole.streams) for other in kept if other != place):
                self.assertNotEqual(run(whole.only(set(kept) - {place})).kind, verdict.kind, f"without {place}")

    def test_only(self) -> None:
        """A part of a schedule holds the steps that are named, and those alone."""
        whole = next(found for seed in range(FIRST, FIRST + 100) if (found := plan(seed)).faults)
        last = len(whole.steps) - 1
        part = whole.only({0, last})
        self.assertEqual(part.steps, (whole.steps[0], whole.steps[last]))
        self.assertIsInstance(part.steps[1], Fault)
        self.assertGreater(part.steps[1].begin, BEGIN)


def histories(seeds: list[int]) -> None:
    for seed in seeds:
        sys.stdout.write(alone(plan(seed), kept=True).history)


def _large(tally: Tally) -> bool:
    """Tell whether the last schedule that has failed has several steps."""
    return bool(tally.failed) and len(plan(tally.failed[-1][0]).steps) >= 4
