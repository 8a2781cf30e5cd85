"""tests/fleet: what its sums find, and its table in docs/scaling.rst."""

import asyncio
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.fleet import page
from tests.fleet.ends import DIGEST, END, NAME, Target
from tests.fleet.run import whole
from tests.fleet.tally import Kill, Stream, Tally
from tests.live.support.sockets import sha

RELAYS = ("a", "b", "c")


def stream(relay: str = "a", asked: float = 10.0, ended: float = 12.0, wrong: str = "", phase: str = "even") -> Stream:
    return Stream(phase, "host-1", asked, relay, 0.0 if "the platform" in wrong else 0.01, ended, wrong)


class Judging(SynchronousTestCase):
    """Which streams may fail, and where streams may go."""

    def faults(self, *streams: Stream, **more: Any) -> list[str]:
        tally = Tally(RELAYS, streams=[stream(relay) for relay in RELAYS], **more)
        tally.streams += streams
        return tally.judge(())

    def test_well(self) -> None:
        """A run in which nothing fails has no faults."""
        self.assertEqual(self.faults(), [])

    def test_killed(self) -> None:
        """Only a stream of the killed relay, asked for before it was dead, may end, and not before it was killed."""
        kill = Kill("b", 11.0, 11.5, 13.0)
        dies = stream("b", 10.9, 11.2, "cut")
        self.assertEqual(self.faults(dies, killed=[kill]), [])
        for other in (
            stream("a", 10.9, 11.2, "cut"),
            stream("b", 10.9, 10.95, "cut"),
            stream("b", 13.2, 13.3, "cut"),
            stream("", 11.2, 11.3, "the platform: 503"),
        ):
            [fault] = self.faults(dies, other, killed=[kill])
            self.assertIn(other.wrong, fault)

    def test_killed_without_streams(self) -> None:
        """A relay that had none when it was killed shows nothing."""
        self.assertEqual(self.faults(killed=[Kill("b", 15.0, 15.5)]), ["b was killed, and no stream died"])

    def test_misled(self) -> None:
        """A stream that goes by a relay that both platforms know to drain, or that is dead, is a fault; by one that is
        back it isn't."""
        gone = {"drained": [("a", 20.0, 30.0)]}
        self.assertEqual(self.faults(stream("a", 31.0), **gone), [])
        self.assertEqual(len(self.faults(stream("a", 21.0), **gone)), 1)
        self.assertEqual(len(self.faults(stream("b", 21.0), killed=[Kill("b", 19.0, 20.0)])), 2)

    def test_uneven(self) -> None:
        """Shares more than a fifth from even are a fault, where there are enough streams to tell."""
        for counts, faults in (((400, 400, 400), 0), ((330, 420, 450), 0), ((310, 440, 450), 1), ((2, 4, 6), 0)):
            streams = [stream(relay) for relay, count in zip(RELAYS, counts, strict=True) for _ in range(count)]
            tally = Tally(RELAYS, streams)
            self.assertEqual(len(tally.judge(["even"])), faults, counts)
            self.assertEqual(tally.judge(["another"]), [])

    def test_phases(self) -> None:
        """A phase tells how many were opened by one request, how long that took, by whom, and how many were cut."""
        tally = Tally(RELAYS, [stream(), stream("b", wrong="cut"), stream("", wrong="the platform: 503")])
        [kept] = tally.phases()
        self.assertEqual((kept.streams, kept.at_once, kept.died, kept.cut), (3, 2, 1, 1))
        self.assertEqual(kept.by_relay, {"a": 1, "b": 1, "c": 0})
        self.assertEqual((kept.p50, kept.longest), (0.01, 0.01))


class Transport(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.closed = bytearray(), False

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True


class Ends(SynchronousTestCase):
    """A target's end of a stream."""

    def test_target(self) -> None:
        """It greets by its name, answers each byte with one, and tells at the end what came and what it sent, however
        that is cut."""
        for pieces in ([b"abc", b"d" * 100, END], [b"a" * 7, END[:5], END[5:]], [b"xyz" + END[:-1], END[-1:]]):
            target, transport = Target("a target"), Transport()
            target.connection_made(transport)
            for piece in pieces:
                self.assertFalse(transport.closed)
                target.data_received(piece)
            said, sent = bytes(transport.written), b"".join(pieces).removesuffix(END)
            self.assertEqual(said[:NAME], b"a target".ljust(NAME))
            answer, told = said[NAME : -len(END) - 2 * DIGEST], said[-len(END) - 2 * DIGEST :]
            self.assertEqual(len(answer), sum(map(len, pieces[:-1])))
            self.assertEqual(told, END + bytes.fromhex(sha(sent) + sha(answer)))
            self.assertTrue(transport.closed)


class Page(SynchronousTestCase):
    """The table of a whole run."""

    def test_written(self) -> None:
        """The page has what the last run gave, which was a whole one, and kept what it must."""
        text, found = page.PAGE.read_text(), page.kept()
        self.assertEqual(page.filled(text, found), text, "run python -m tests.fleet --docs")
        self.assertIn(page.table(found), text)
        self.assertEqual([kept.streams for kept in found.phases], [phase.count for phase in whole()])
        self.assertEqual(sum(kept.streams for kept in found.phases), 2000)
        self.assertEqual(sum(kept.at_once + kept.died for kept in found.phases), 2000)
        self.assertEqual({kept.name for kept in found.phases if kept.died} - {"a relay is killed"}, set())
