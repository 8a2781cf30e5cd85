"""leaving.py: a program that is stopped leaves no stream behind that its host would hold for it."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.client.leaving import END_TIME, GOODBYE, Leaving
from streamrelay.client.platform_api import OpenedStream, PlatformApi
from streamrelay.net.http_client import Fetched
from streamrelay.protocol.close import FINISHED, CloseCode, outcome
from streamrelay.resume.connection import ResumableConnection
from tests.fakes.connections import Ear, FakeConnection
from tests.fakes.http import FakeFetch


class Stoppable(Clock):
    """A reactor that says when it is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.last: list[Any] = []

    def addSystemEventTrigger(self, phase: str, event: str, work: Any) -> None:
        self.last.append((phase, event, work))


class Stopped(SynchronousTestCase):
    """Streams at the time when their program is stopped."""

    def setUp(self) -> None:
        self.clock, self.fetch = Stoppable(), FakeFetch(Fetched(204, b""))
        self.kept: list[ResumableConnection] = []
        self.leaving = Leaving(PlatformApi(self.clock, "https://platform", fetch=self.fetch))

    def open(self, name: str) -> FakeConnection:
        leg, ear = FakeConnection(), Ear()
        connection = ResumableConnection(self.clock, lambda how: None, first=leg)
        connection.join(ear, ear)
        self.leaving.add(OpenedStream(name, "wss://relay/client/t", resume=120.0), connection)
        self.kept.append(connection)
        return leg

    def test_by_its_leg(self) -> None:
        """A stream with a leg ends by a word on it, for which there is a moment, and the platform isn't asked."""
        leg = self.open("s")
        self.open("t").feed.control(b'{"end":{"code":1000}}')
        ((phase, event, work),) = self.clock.last
        self.assertEqual((phase, event), ("before", "shutdown"))
        left = work()
        self.assertEqual(leg.controls, [b'{"end":{"code":4005,"reason":"the client was stopped"}}'])
        self.assertNoResult(left)
        self.clock.advance(GOODBYE)
        self.successResultOf(left)
        self.assertEqual(self.fetch.asked, [])

    def test_by_the_platform(self) -> None:
        """Of a stream that has lost its leg the platform is told, which has so much time."""
        self.fetch.result = Deferred()
        self.open("s").lose(outcome(CloseCode.LEG_LOST))
        left = self.leaving.leave()
        ((method, url, *_),) = self.fetch.asked
        self.assertEqual((method, url), ("DELETE", "https://platform/v1/streams/s"))
        self.assertNoResult(left)
        self.clock.advance(END_TIME)
        self.successResultOf(left)

    def test_over(self) -> None:
        """Streams that have ended, and those that end with their legs anyhow, are left alone."""
        leg = self.open("s")
        leg.feed.control(b'{"end":{"code":1000}}')
        other = FakeConnection()
        self.leaving.add(OpenedStream("t", "wss://relay/client/t"), other)
        self.successResultOf(self.leaving.leave())
        self.assertEqual((leg.closing, other.closed, self.fetch.asked), (FINISHED, None, []))
