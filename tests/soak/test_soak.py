"""tests/soak: what its comparisons, its excuses and its sums find."""

from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from bench.lag import late
from tests.soak.pattern import PERIOD, Lines, Pattern, Wrong, numbered
from tests.soak.plot import PANELS, svg
from tests.soak.summary import LEAST, summary, words
from tests.soak.tally import Break, Stream, Tally
from tests.soak.watch import Sample


def stream(host: str = "host-1", established: float | None = 12.0, ended: float = 20.0) -> Stream:
    return Stream("echo", host, 11.0, established, ended, "cut: closed with 1006" if established else "failed: x")


def lived(program: str, pid: int, per_hour: float, seconds: float) -> list[Sample]:
    """Samples of a process whose memory grows."""
    return [
        Sample(float(at), program, pid, 50 + per_hour * at / 3600, 20, 5.0, 7.0) for at in range(0, int(seconds), 10)
    ]


class Comparing(SynchronousTestCase):
    """Bytes and lines that say where they belong."""

    def test_pattern(self) -> None:
        """Bytes in their place are right however they are cut, over the period, too; a byte lost or doubled is not."""
        pattern = Pattern(3)
        whole = b"".join(
            bytes(pattern.piece(begin, 70_000)) for begin in range(PERIOD - 70_000, PERIOD + 140_000, 70_000)
        )
        place = PERIOD - 70_000
        for part in (whole[:1], whole[1:100_000], whole[100_000:]):
            place = pattern.check(place, part)
        self.assertEqual(place, PERIOD + 140_000)
        for wrong in (whole[1:], whole[:9] + whole[8:], whole[:65536] + whole[65537:]):
            self.assertRaises(Wrong, pattern.check, PERIOD - 70_000, wrong)

    def test_lines(self) -> None:
        """Lines are counted however they are cut; one that is missing, comes again or is cut short is wrong."""
        text = b"".join(numbered(number) + b"\n" for number in range(40, 60))
        lines = Lines()
        for begin in range(0, len(text), 7):
            lines.check(text[begin : begin + 7])
        self.assertEqual((lines.next, lines.count), (60, 20))
        for wrong in (61, 59):
            self.assertRaises(Wrong, Lines(60).check, numbered(wrong) + b"\n")
        self.assertRaises(Wrong, Lines(60).check, numbered(60)[:-1] + b"\n")


class Judging(SynchronousTestCase):
    """Which failures a restart excuses."""

    def faults(self, failed: Stream, program: str, **more: float) -> list[str]:
        times = {"began": 15.0, "cuts_from": 15.0, "returned": 16.0, "recovered": 16.5, **more}
        tally = Tally(breaks=[Break(program, "kill", **times)])
        tally.add(failed)
        return tally.judge()

    def test_untouched(self) -> None:
        """A stream may be cut by a restart of its relay and of its own agent, and of nothing else."""
        for program, may in (
            ("relay", True),
            ("agent-1", True),
            ("agent-2", False),
            ("platform", False),
            ("nats", False),
        ):
            self.assertEqual(self.faults(stream(), program) == [], may, program)
        self.assertEqual(self.faults(stream("host-2"), "agent-2"), [])

    def test_drain(self) -> None:
        """A stream that is cut before its program's drain is over, or after its return, is a fault."""
        self.assertEqual(self.faults(stream(ended=18.0), "relay", cuts_from=17.8, returned=19.0, recovered=19.0), [])
        self.assertEqual(
            len(self.faults(stream(ended=17.0), "relay", cuts_from=17.8, returned=19.0, recovered=19.0)), 1
        )
        self.assertEqual(len(self.faults(stream(established=16.1), "relay")), 1)

    def test_new(self) -> None:
        """Opening a stream may fail from a restart of anything on until the first that succeeds."""
        self.assertEqual(self.faults(stream(established=None), "nats"), [])
        late = Stream("up", "host-1", 16.6, None, 19.0, "failed: x")
        self.assertEqual(len(self.faults(late, "nats")), 1)

    def test_recovery(self) -> None:
        """A program after whose return no new stream succeeds in time is a fault."""
        self.assertEqual(len(self.faults(stream(), "relay", recovered=18.1)), 1)
        tally = Tally(breaks=[Break("relay", "kill", 1.0, 1.0)])
        self.assertEqual(len(tally.judge()), 1)


class Summing(SynchronousTestCase):
    """A run's figures."""

    def test_summary(self) -> None:
        """Bytes, outcomes, slopes, descriptors, recovery times and lag come out of it, in words, too."""
        tally = Tally(breaks=[Break("nats", "kill", 5.0, 5.0, 6.0, 6.0 + each) for each in (0.25, 0.5, 1.25)])
        tally.moved(1 << 30)
        tally.add(Stream("up", "host-1", 1.0, 1.1, 2.0, "finished"))
        samples = lived("relay", 1, 0.5, 3 * LEAST) + lived("relay", 2, 900.0, 60)
        told = summary(7, 3600.0, tally, samples, {"relay": (["socket"] * 3, ["socket"] * 3)})
        self.assertEqual(told.faults, [])
        self.assertEqual(told.streams, {"up": {"finished": 1}})
        self.assertEqual((told.recoveries["nats kill"].median, told.recoveries["nats kill"].longest), (0.5, 1.25))
        self.assertAlmostEqual(told.slopes["relay"].per_hour, 0.5)
        self.assertEqual((told.descriptors["relay"], told.lag["relay"]), ((3, 3), 5.0))
        self.assertEqual(told.timers["relay"], 7.0)
        for text in ("1.00 GiB", "1 finished", "nats kill: 3 times", "+0.5 MiB an hour", "3 before, 3 after"):
            self.assertIn(text, words(told))

    def test_leaks(self) -> None:
        """Memory that grows for long and descriptors that are left fail a run; growth of a few minutes doesn't."""
        for per_hour, seconds, left, count in (
            (3.0, 3 * LEAST, [], 1),
            (3.0, LEAST, [], 0),
            (0.0, LEAST, ["socket"], 1),
        ):
            told = summary(
                1, seconds, Tally(), lived("relay", 1, per_hour, seconds), {"relay": (["pipe"], ["pipe", *left])}
            )
            self.assertEqual(len(told.faults), count, told.faults)

    def test_percentile(self) -> None:
        """Lag is the least bound with so many under it; without any timer there is none."""
        self.assertEqual(late({}, {0.005: 98, 0.02: 99, 0.1: 100, float("inf"): 100}, 0.99), 20.0)
        self.assertIsNone(late({}, {0.005: 0, float("inf"): 0}, 0.99))

    def test_plot(self) -> None:
        """The picture is SVG with a line for each process in each panel, and one for each restart."""
        samples = lived("relay", 1, 1.0, 60) + lived("agent-1", 2, 1.0, 60) + lived("agent-1", 3, 1.0, 60)
        root = ElementTree.fromstring(svg(samples, [Break("agent-1", "kill", 30.0)]))
        name = "{http://www.w3.org/2000/svg}"
        self.assertEqual(len(root.findall(f"{name}polyline")), 3 * len(PANELS))
        self.assertEqual(len(root.findall(f"{name}path[@opacity]")), len(PANELS))
        ElementTree.fromstring(svg([], []))
