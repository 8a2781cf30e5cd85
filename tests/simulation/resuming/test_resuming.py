"""The simulation of one stream that resumes by itself: as many schedules as there is time for, each the same again."""

import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation.campaign import Tally, alone, campaign, tell
from tests.simulation.elsewhere import histories_of
from tests.simulation.models import ONE_STREAM
from tests.simulation.record import NO_RECORD, Record
from tests.simulation.resuming.plan import plan
from tests.simulation.resuming.run import run
from tests.simulation.verdict import Verdict
from tests.simulation.workers import shared

CPU: int = 4
"""Seconds that the schedules of the suite may take."""
FIRST = 10_000_000
"""The first of the suite's seeds."""


class Schedules(SynchronousTestCase):
    """Schedules of one stream, whose legs break at any byte."""

    def test_schedules(self) -> None:
        """Whatever breaks, each of many schedules keeps all rules (tests/simulation/resuming/rules.py)."""
        seeds = range(FIRST, FIRST + 100_000)
        tally = campaign(seeds, lambda tally: tally.seconds < CPU and not tally.failed, ONE_STREAM)
        print(f"figure: simulation: one stream: {tally}", file=sys.stderr)
        failed = [line for seed, verdict in tally.failed for line in tell(seed, verdict, ONE_STREAM)]
        self.assertEqual("\n".join(failed), "")
        self.assertGreater(tally.pairs, tally.schedules)

    def test_same_again(self) -> None:
        """A schedule has the same history, byte for byte, whenever it is run, and in another process, too."""
        seeds = list(range(FIRST, FIRST + 40))
        here = [alone(plan(seed), True, ONE_STREAM).history for seed in seeds]
        self.assertEqual([run(plan(seed), True).history for seed in seeds], here)
        self.assertEqual(histories_of("tests.simulation.resuming.test_resuming", seeds), "".join(here))

    def test_differ(self) -> None:
        """Two seeds make two schedules."""
        self.assertEqual(len({run(plan(seed), True).history for seed in range(FIRST, FIRST + 8)}), 8)

    def test_kinds(self) -> None:
        """Legs are cut within bytes both ways, in first legs and in later ones, and most streams must come to a good
        end."""
        plans = [plan(seed) for seed in range(FIRST, FIRST + 4000)]
        cuts = {(cut.up, cut.at, min(cut.number, 2)) for each in plans for cut in each.faults if cut.kind == "byte"}
        for up in (True, False):
            for leg in range(3):
                self.assertLessEqual(
                    set(range(30)), {at for cut_up, at, cut_leg in cuts if (cut_up, cut_leg) == (up, leg)}
                )
        self.assertGreater(sum(each.is_mild for each in plans), 1200)


class Records(SynchronousTestCase):
    """Campaigns that are stopped, and go on."""

    def test_goes_on(self) -> None:
        """What is done isn't done again, but for what was done of other code; a line that was cut off is none."""
        path, seeds = Path(self.mktemp()), range(FIRST, FIRST + 6)
        whole = shared(seeds, 1, share=2, model=ONE_STREAM)
        shared(seeds[:4], 1, share=2, model=ONE_STREAM, record=Record(path, "this"))
        with path.open("a") as file:
            file.write('\n{"of": "this", "fir')
        again = Record(path, "this")
        self.assertIsNotNone(again.done(seeds[2:4]))
        self.assertIsNone(Record(path, "that").done(seeds[2:4]))
        tally = shared(seeds, 1, share=2, model=ONE_STREAM, record=again)
        self.assertEqual((tally.schedules, tally.steps), (whole.schedules, whole.steps))
        self.assertIsNotNone(Record(path, "this").done(seeds[4:6]))

    def test_failures(self) -> None:
        """Failures are kept as they were found."""
        path, failed = Path(self.mktemp()), [(7, Verdict("wrong", "", 3, 1.5, 1))]
        Record(path, "this").add(range(5, 9), Tally(4, 12, 4, 6.0, 0.1, failed))
        found = Record(path, "this").done(range(5, 9))
        self.assertEqual(found and found.failed, failed)
        NO_RECORD.add(range(5, 9), Tally())
        self.assertIsNone(NO_RECORD.done(range(5, 9)))


def histories(seeds: list[int]) -> None:
    for seed in seeds:
        sys.stdout.write(alone(plan(seed), True, ONE_STREAM).history)
