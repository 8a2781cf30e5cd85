"""throttle.py: bad credentials of an address."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.platform.auth import throttle
from streamrelay.platform.auth.throttle import Throttle
from tests.documented import BAD_ADDRESSES, BAD_BURST, BAD_EVERY


class Buckets(SynchronousTestCase):
    """A bucket for each address."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.attempts = Throttle(self.clock)

    def failures(self, address: str, count: int) -> list[bool]:
        """Which of so many failures at once are within the limit."""
        return [self.attempts.fail(address) == 0 for _ in range(count)]

    def test_burst(self) -> None:
        """A burst passes, then one more in each interval, and it is told how long that takes."""
        self.assertEqual(self.failures("192.0.2.1", BAD_BURST + 2), [True] * BAD_BURST + [False] * 2)
        self.assertAlmostEqual(self.attempts.fail("192.0.2.1"), BAD_EVERY)
        self.clock.advance(BAD_EVERY / 2)
        self.assertAlmostEqual(self.attempts.fail("192.0.2.1"), BAD_EVERY / 2)
        self.clock.advance(BAD_EVERY / 2 + 0.001)
        self.assertEqual(self.failures("192.0.2.1", 2), [True, False])

    def test_full_again(self) -> None:
        """After a rest the whole burst is there again, and no more."""
        self.failures("192.0.2.1", 100)
        self.clock.advance(BAD_BURST * BAD_EVERY + 1)
        self.assertEqual(self.failures("192.0.2.1", BAD_BURST + 1), [True] * BAD_BURST + [False])

    def test_addresses(self) -> None:
        """Each IPv4 address counts for itself, those of one IPv6 /64 together."""
        for first, second, together in (
            ("192.0.2.1", "192.0.2.2", False),
            ("2001:db8::1", "2001:db8::ffff:1", True),
            ("2001:db8::1", "2001:db8:0:1::1", False),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
            ("fe80::1%eth0", "fe80::1%eth1", True),
            ("unix", "unix", True),
        ):
            self.attempts = Throttle(self.clock)
            self.failures(first, BAD_BURST)
            self.assertEqual(self.failures(second, 1), [not together], (first, second))

    def test_most(self) -> None:
        """As many addresses are remembered as the documents say; one more, and the one that failed first is not."""
        self.failures("192.0.2.1", BAD_BURST)
        for number in range(BAD_ADDRESSES - 1):
            self.attempts.fail(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        self.assertEqual(self.failures("192.0.2.1", 1), [False])  # it failed last now
        self.failures("192.0.2.2", BAD_BURST)
        for number in range(BAD_ADDRESSES):
            self.attempts.fail(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        self.assertEqual(self.failures("192.0.2.2", 1), [True])

    def test_bounded(self) -> None:
        """However many addresses fail, no more than the limit are remembered: those that failed last."""
        self.patch(throttle, "ADDRESSES", 100)
        self.failures("192.0.2.1", BAD_BURST)
        for number in range(1000):
            self.attempts.fail(f"10.0.{number // 250}.{number % 250}")
            if number == 50:
                self.assertEqual(self.failures("192.0.2.1", 1), [False])
        self.assertEqual(len(self.attempts._empty_until), 100)
        self.assertEqual(self.failures("192.0.2.1", 1), [True])
