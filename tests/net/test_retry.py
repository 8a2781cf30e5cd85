"""retry.py: attempts that were dropped."""

import random
from itertools import pairwise

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.net import retry
from tests.documented import DIALS_AT_ONCE, LONGEST_WAIT


class Dropped(Exception):
    """As a relay drops a connection."""


class Waits(SynchronousTestCase):
    """`persist`"""

    def test_longer_and_longer(self) -> None:
        """Each wait is twice as long as the one before, the first 0.1 s on average, none longer than 2 s."""
        clock = MemoryReactorClock()
        begun: list[float] = []
        self.patch(random, "uniform", lambda least, most: (least + most) / 2)

        async def attempt() -> None:
            begun.append(clock.seconds())
            raise Dropped

        work = Deferred.fromCoroutine(retry.persist(clock, 10.0, attempt, Dropped))
        clock.pump([0.01] * 1100)
        self.failureResultOf(work, Dropped)
        waits = [round(later - before, 1) for before, later in pairwise(begun)]
        self.assertEqual(waits, [0.1, 0.2, 0.4, 0.8, 1.6, LONGEST_WAIT, LONGEST_WAIT, LONGEST_WAIT])


class AtOnce(SynchronousTestCase):
    """`Turns`"""

    def test_turns(self) -> None:
        """So many attempts at one address are under way at once as the documents say; others wait for their turn."""
        turns, begun = retry.Turns(), list[Deferred[None]]()

        def attempt() -> Deferred[None]:
            begun.append(Deferred())
            return begun[-1]

        for _ in range(DIALS_AT_ONCE + 2):
            turns.run("here", attempt)
        self.assertEqual(len(begun), DIALS_AT_ONCE)
        turns.run("there", attempt)
        self.assertEqual(len(begun), DIALS_AT_ONCE + 1)
        begun[0].callback(None)
        self.assertEqual(len(begun), DIALS_AT_ONCE + 2)
