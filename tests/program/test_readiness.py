"""Tests of a program's readiness."""

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.program.readiness import Readiness


class ReadinessTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.told: list[str] = []
        self.readiness = Readiness()
        self.readiness.watchers.append(lambda: self.told.append(self.readiness.reason))

    def test_a_program_that_starts_is_not_ready(self) -> None:
        """Whoever asks before all services run is told that the program starts."""
        self.assertEqual((self.readiness.is_ready, self.readiness.reason), (False, "starting"))

    def test_changes_are_told_once(self) -> None:
        """Watchers hear of each change, and of what is said again nothing."""
        for change in (self.readiness.ready, self.readiness.ready, lambda: self.readiness.wait("no bus")):
            change()
        self.assertEqual(self.told, ["", "no bus"])

    def test_draining_is_for_good(self) -> None:
        """A program that stops never becomes ready again, whatever comes back meanwhile."""
        self.readiness.ready()
        self.readiness.drain("stopping")
        self.readiness.ready()
        self.readiness.wait("no bus")
        self.assertEqual((self.readiness.draining, self.readiness.is_ready), (True, False))
        self.assertEqual(self.told, ["", "stopping"])
