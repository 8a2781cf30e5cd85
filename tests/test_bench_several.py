"""bench/works/several.py: its arithmetic, and what it makes of the sample for HAProxy."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bench.processes import Bench
from bench.works import several
from tests.fakes.files import folder


class Several(SynchronousTestCase):
    """Several relay processes of one machine."""

    def test_figures(self) -> None:
        """What several carry is bounded by the busiest: with even shares it is twice what one does, with all at one as
        much as one."""
        one = several.figures({"haproxy": 1.0, "r1": 2.0}, {"r1": 1000}, 1000)
        self.assertEqual((one["busiest"], one["rate"], one["share"], one["drawn"]), (2.0, 500.0, 100.0, 100.0))
        for spent, drawn, times in (
            ((1.0, 1.0), (500, 500), 2.0),
            ((0.0, 2.0), (0, 1000), 1.0),
            ((0.8, 1.2), (4, 6), 5 / 3),
        ):
            both = dict(zip(several.RELAYS, spent, strict=True))
            two = several.figures({"haproxy": 1.0, **both}, dict(zip(several.RELAYS, drawn, strict=True)), 1000)
            self.assertAlmostEqual(two["rate"] / one["rate"], times)
            self.assertAlmostEqual(one["busiest"] / two["busiest"], times)

    def test_sample(self) -> None:
        """The sample of HAProxy's settings is what is measured, but for ports, TLS and the platforms."""
        text = several.Site(Bench(folder(self), []))._settings(1, 2)
        self.assertIn("server r1 127.0.0.1:1 send-proxy-v2", text)
        self.assertIn("server r2 127.0.0.1:2 send-proxy-v2", text)
        self.assertNotIn(" ssl ", text)

    def test_drawn(self) -> None:
        """One of them is drawn by the platform's own choice, among all that are to be."""
        site: Any = None
        for relays in (several.RELAYS[:1], several.RELAYS):
            choice = several.Processes(site, relays).choice
            found = {picked.id for _ in range(100) if (picked := choice.pick("bench-host", "")) is not None}
            self.assertEqual(found, set(relays))
