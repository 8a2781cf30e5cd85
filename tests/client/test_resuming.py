"""resuming.py: a stream of the native client that asks for another leg when it has lost one."""

import json
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.client.platform_api import PlatformApi
from streamrelay.client.stream import ClientStream, open_stream
from streamrelay.client.stream_request import StreamRequest
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.net.http_client import Fetched, FetchError
from streamrelay.protocol.close import CloseCode, Outcome, outcome
from streamrelay.websocket.client import Dialler
from streamrelay.websocket.dial_errors import DialError
from streamrelay.websocket.ready import Ready
from tests.fakes.connections import FakeConnection
from tests.fakes.http import FakeFetch

LOST = outcome(CloseCode.LEG_LOST)
OPENED = {"stream": "s1", "url": "wss://r/client/t", "resume": 120}


@define(eq=False)
class FakeDialler(Dialler):
    """Dials that bring a leg, or an error."""

    legs: list[FakeConnection] = field(factory=list)
    error: Exception | None = None

    made: list[str] = field(factory=list)

    def make_ready(self, url: str) -> None:
        self.made.append(url)

    def dial(
        self, url: str, token: str = "", ready: Ready | None = None, seconds: float = 0, elsewhere: bool = False
    ) -> "Deferred[Any]":
        if self.error is not None:
            return fail(self.error)
        self.legs.append(FakeConnection())
        return succeed(self.legs[-1])


class Resuming(SynchronousTestCase):
    """One stream of standard input and output."""

    def setUp(self) -> None:
        self.clock, self.said = Clock(), list[str]()
        self.fetch = FakeFetch(Fetched(201, json.dumps(OPENED).encode()))
        self.dialler = FakeDialler(self.clock, Heartbeat(self.clock))
        self.local = FakeConnection(sudden=True)
        self.ended: list[Outcome] = []
        self.open()

    def open(self, **more: Any) -> None:
        api = PlatformApi(self.clock, "https://platform.example/", "srk_x", fetch=self.fetch)
        request = StreamRequest("web-1", "shell", resume=True, **more)
        opening = Deferred.fromCoroutine(open_stream(api, self.dialler, request, say=self.said.append))
        _opened, leg = self.successResultOf(opening)
        ClientStream(leg, self.local).start().addCallback(self.ended.append)

    def answer(self, status: int, **told: Any) -> None:
        body = {**OPENED, **told} if status == 201 else {"detail": "why", "code": "x", **told}
        self.fetch.result = Fetched(status, json.dumps(body).encode())

    def asked(self) -> list[tuple[str, Any]]:
        """Path and body of each request."""
        return [
            (url.removeprefix("https://platform.example"), json.loads(body)) for _, url, *_, body in self.requests()
        ]

    def requests(self) -> list[Any]:
        return [asked[:5] if len(asked) > 5 else asked for asked in self.fetch.asked]

    def test_goes_on(self) -> None:
        """The platform is asked at once, told what was received and by a number that grows; each end goes on there."""
        [first] = self.dialler.legs
        first.receive(b"abc")
        self.local.receive(b"xyz")
        self.answer(201, received=1)
        first.lose(LOST)
        second = self.dialler.legs[1]
        self.assertEqual(bytes(second.sent), b"yz")
        self.answer(201, received=3)
        self.clock.advance(60)
        second.lose(Outcome(1000))
        paths, bodies = zip(*self.asked(), strict=True)
        self.assertEqual(paths, ("/v1/streams", *["/v1/streams/s1/resume"] * 2))
        self.assertEqual(bodies[0], {"host": "web-1", "target": "shell", "resume": True})
        told = {"host": "web-1", "target": "shell", "received": 3}
        self.assertEqual(bodies[1:], ({**told, "try": 1}, {**told, "try": 2}))
        self.assertEqual((self.ended, self.local.closed), ([], None))
        words = [line.split(" (")[0].split(" after")[0] for line in self.said]
        self.assertEqual(words, ["the stream is cut", "the stream goes on"] * 2)

    def test_again(self) -> None:
        """Not now: it is asked again, with longer pauses, at most ten seconds, until the hold has passed."""
        self.fetch.result = FetchError("no route")
        self.dialler.legs[0].lose(LOST)
        pauses, before = [], len(self.fetch.asked)
        at = self.clock.seconds()
        while not self.ended and self.clock.seconds() < 400:
            self.clock.advance(0.05)
            if len(self.fetch.asked) > before:
                before = len(self.fetch.asked)
                pauses.append(self.clock.seconds() - at)
                at = self.clock.seconds()
        self.assertLess(pauses[0], 0.3)
        self.assertTrue(all(pause <= 10.1 for pause in pauses), pauses)
        self.assertGreater(len(pauses), 10)
        [how] = self.ended
        self.assertEqual(how.code, CloseCode.LEG_LOST)
        self.assertIn("not resumed within 120 s", how.reason)
        self.assertGreaterEqual(self.clock.seconds(), 120)

    def test_never(self) -> None:
        """Never: it ends at once, and says why."""
        for status in (401, 403, 404, 410):
            self.setUp()
            self.answer(status)
            self.dialler.legs[0].lose(LOST)
            [how] = self.ended
            self.assertEqual((how.code, how.reason), (CloseCode.LEG_LOST, "why"))
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_ended(self) -> None:
        """A stream that has ended meanwhile ends here as it has there; one that ended in order, and wasn't told so,
        isn't one of which everything has come."""
        for ended, told in (
            ({"code": 4006, "reason": "maintenance"}, Outcome(4006, "maintenance")),
            ({"code": 4011}, Outcome(4011, "")),
            ({"code": 1000, "exit": 3}, Outcome(4005, "why")),
            ({"code": 4005, "reason": "nobody came back"}, Outcome(4005, "why")),
        ):
            self.setUp()
            self.answer(410, ended=ended)
            self.dialler.legs[0].lose(LOST)
            self.assertEqual(self.ended, [told])

    def test_unheard(self) -> None:
        """A stream that has ended for this end, though the other one is gone before it has all, isn't told as
        finished."""
        [leg] = self.dialler.legs
        self.local.receive(b"all of it")
        self.local.feed.eof()
        leg.feed.control(b'{"fin":true}')
        self.answer(410)
        leg.lose(LOST)
        self.assertEqual([(how.code, how.reason) for how in self.ended], [(CloseCode.LEG_LOST, "why")])

    def test_relay_ready(self) -> None:
        """The relay of a lost leg is connected while the platform is asked, once for each leg; one that stops isn't."""
        relay = "wss://r"
        self.answer(503)
        self.dialler.legs[0].lose(LOST)
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.dialler.made, [relay])
        self.setUp()
        self.dialler.legs[0].lose(outcome(CloseCode.MOVED))
        self.assertEqual((self.dialler.made, len(self.dialler.legs)), ([], 2))
        self.clock.advance(10)
        self.dialler.legs[1].lose(LOST)
        self.assertEqual((self.dialler.made, len(self.dialler.legs)), ([relay], 3))

    def test_no_relay(self) -> None:
        """A relay that can't be reached is a reason to ask again, under a greater number."""
        self.dialler.error = DialError("no route")
        self.dialler.legs[0].lose(LOST)
        self.dialler.error = None
        self.clock.advance(0.2)
        self.assertEqual([body.get("try") for _, body in self.asked()], [None, 1, 2])
        self.assertEqual(len(self.dialler.legs), 2)

    def test_older_platform(self) -> None:
        """A platform that doesn't know the word is asked without it; the stream ends with its leg."""
        old = Fetched(400, b'{"detail":"unknown field","code":"bad_request"}')
        self.fetch.results = [old, Fetched(201, b'{"stream":"s","url":"wss://r/client/t"}')]
        self.open()
        self.assertEqual(["resume" in body for _, body in self.asked()[1:]], [True, False])
        self.dialler.legs[-1].lose(LOST)
        self.assertEqual([how.code for how in self.ended], [CloseCode.LEG_LOST])

    def test_left(self) -> None:
        """Who leaves says the end, so that the host needn't hold anything."""
        self.local.lose()
        self.assertEqual(self.dialler.legs[0].controls[1:], [b'{"end":{"code":1000,"reason":""}}'])

    def test_silent_host(self) -> None:
        """A host that has answered once, and answers no more, has lost the leg: another one is asked for."""
        [leg] = self.dialler.legs
        self.assertEqual(leg.controls, [b'{"ping":1}'])
        leg.feed.control(b'{"pong":1}')
        self.answer(201, received=0)
        self.clock.pump([1] * 19)
        self.assertEqual((leg.controls, len(self.dialler.legs)), ([b'{"ping":1}', b'{"ping":2}'], 1))
        self.clock.advance(1)
        self.assertEqual((leg.aborted, len(self.dialler.legs)), (True, 2))
        self.assertIn("the other end does not answer", self.said[0])
        self.assertEqual(self.ended, [])

    def test_older_host(self) -> None:
        """A host that doesn't know the word is never taken for lost."""
        self.clock.pump([1] * 600)
        self.assertEqual((len(self.dialler.legs), self.said), (1, []))
