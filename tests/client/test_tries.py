"""resuming.py: when a stream that has lost its leg asks for another one, at once or after a pause."""

from itertools import pairwise
from typing import Any

from attrs import define, field
from msgspec import structs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.client.platform_api import OpenedStream, PlatformApi
from streamrelay.client.resuming import ResumingStream
from streamrelay.client.stream_request import StreamRequest
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.net.http_client import Fetched
from streamrelay.protocol import codec
from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.protocol.control import Word
from streamrelay.websocket.client import Dialler
from streamrelay.websocket.ready import Ready
from tests.fakes.connections import Ear, FakeConnection
from tests.fakes.http import FakeFetch

OPENED = OpenedStream("s", "wss://relay/client/t", resume=120.0)


@define(eq=False)
class AnyDialler(Dialler):
    """A dialler whose legs are in memory."""

    legs: list[FakeConnection] = field(factory=list)

    made: list[str] = field(factory=list)

    def make_ready(self, url: str) -> None:
        self.made.append(url)

    def dial(
        self, url: str, token: str = "", ready: Ready | None = None, seconds: float = 0, elsewhere: bool = False
    ) -> "Deferred[Any]":
        self.legs.append(FakeConnection())
        return succeed(self.legs[-1])


@define(eq=False)
class SlowFetch:
    """A platform whose answers take three seconds."""

    fetch: FakeFetch
    clock: Clock

    async def __call__(self, *arguments: Any, **more: Any) -> Fetched:
        fetched = await self.fetch(*arguments, **more)
        await deferLater(self.clock, 3.0)
        return fetched


class Tries(SynchronousTestCase):
    """A stream whose legs are lost, and a platform that gives new ones, or doesn't."""

    def setUp(self) -> None:
        self.clock, self.said = Clock(), list[str]()
        self.fetch = FakeFetch(result=Fetched(201, codec.encode(OPENED)))
        api = PlatformApi(self.clock, "https://platform", fetch=self.fetch)
        self.dialler = AnyDialler(self.clock, Heartbeat(self.clock))
        request = StreamRequest("host-1", "ssh", resume=True)
        self.stream = ResumingStream(api, self.dialler, request, OPENED, self.said.append, jitter=lambda: 0.0)
        self.dialler.legs.append(FakeConnection())
        self.ear = Ear()
        self.stream.begin(self.leg).join(self.ear, self.ear)

    @property
    def leg(self) -> FakeConnection:
        return self.dialler.legs[-1]

    def lose(self) -> None:
        self.leg.lose(outcome(CloseCode.LEG_LOST))

    def test_at_once(self) -> None:
        """The first try is at once, the further ones after pauses that grow by a quarter, up to 10 s: what
        is back after a while is found within a third of that."""
        self.fetch.result = Fetched(503, codec.encode({"detail": "no relay", "code": "no_relay"}))
        times = []
        before = 0
        self.lose()
        while self.clock.seconds() < 90:
            if len(self.fetch.asked) > before:
                before = len(self.fetch.asked)
                times.append(self.clock.seconds())
            self.clock.advance(0.01)
        pauses = [b - a for a, b in pairwise(times)]
        grown = [min(10.0, 0.2 * 1.25**number) for number in range(len(pauses))]
        self.assertEqual(times[0], 0.0)
        self.assertTrue(all(abs(a - b) < 0.03 for a, b in zip(pauses, grown, strict=True)), pauses)
        self.assertGreater(pauses[-1], 9.9)

    def test_slow_platform(self) -> None:
        """A platform that takes long to say no has much to do: it is left at least as much time again."""
        self.fetch.result = Fetched(503, codec.encode({"detail": "no relay", "code": "no_relay"}))
        self.stream.api.fetch = SlowFetch(self.fetch, self.clock)
        times: list[float] = []
        self.lose()
        while self.clock.seconds() < 20:
            if len(self.fetch.asked) > len(times):
                times.append(self.clock.seconds())
            self.clock.advance(0.01)
        self.assertEqual([round(b - a, 1) for a, b in pairwise(times)], [6.0] * 3)

    def test_useless(self) -> None:
        """Legs that bring nothing, and are lost at once, aren't asked for again without a pause."""
        for _ in range(4):
            self.lose()
            self.clock.advance(0)
        self.assertEqual(len(self.fetch.asked), 1)

    def test_useful(self) -> None:
        """However soon a leg is lost by which bytes came, or were confirmed, the next one is asked for at once."""
        for count in range(1, 9):
            self.leg.receive(b"x")
            self.lose()
            self.assertEqual(len(self.fetch.asked), count)
        for count in range(9, 17):
            self.stream.connection.send([memoryview(b"y")], 1)
            self.fetch.result = Fetched(201, codec.encode(structs.replace(OPENED, received=count - 8)))
            self.leg.feed.control(codec.encode(Word(ack=count - 8)))
            self.lose()
            self.assertEqual(len(self.fetch.asked), count)
