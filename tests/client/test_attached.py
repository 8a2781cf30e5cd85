"""attached.py: a kept terminal that is attached to anew where its stream is lost for good."""

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.client.attached import PATIENCE, KeptTerminal
from streamrelay.client.platform_api import PlatformApi, PlatformError
from streamrelay.client.stream import ClientStream, open_stream
from streamrelay.client.stream_request import StreamRequest
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.net.http_client import Fetched, FetchError
from streamrelay.protocol.close import FINISHED, CloseCode, Outcome, outcome
from tests.client.test_resuming import FakeDialler
from tests.fakes.connections import FakeConnection
from tests.fakes.http import FakeFetch

LOST = outcome(CloseCode.LEG_LOST)
TERMINAL = "t" * 22


class Attached(SynchronousTestCase):
    """One terminal, between the user's and the streams of it."""

    def setUp(self) -> None:
        self.clock, self.said, self.again = Clock(), list[str](), 0
        self.legs = [FakeConnection()]
        self.answers: list[Exception | Deferred[None] | None] = []
        """What attaching to it anew brings: None for a leg, or a Deferred to wait for before there is one."""
        self.asked = 0
        self.local = FakeConnection(sudden=True)
        self.kept = KeptTerminal(self.clock, self.legs[0], self.attach, self.said.append, self.count)
        self.ended: list[Outcome] = []
        self.stream = ClientStream(self.kept, self.local)
        self.stream.start().addCallback(self.ended.append)

    def count(self) -> None:
        self.again += 1

    async def attach(self) -> FakeConnection:
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            await answer
        self.legs.append(FakeConnection())
        return self.legs[-1]

    def test_anew(self) -> None:
        """A stream that is lost is followed by another one, which is told once, and told our size; both ways go on."""
        self.legs[0].receive(b"one")
        self.legs[0].lose(LOST)
        self.assertEqual((self.asked, self.again, len(self.said)), (1, 1, 1))
        self.assertIn("its terminal is attached to anew", self.said[0])
        self.legs[1].receive(b"two")
        self.local.receive(b"keys")
        self.assertEqual((bytes(self.local.sent), bytes(self.legs[1].sent)), (b"onetwo", b"keys"))
        self.legs[1].receive(b"!")
        self.legs[1].feed.control(b'{"exit":3}')
        self.legs[1].lose(FINISHED)
        self.assertEqual((self.ended, self.stream.exit_status, len(self.legs)), ([FINISHED], 3, 2))

    def test_ends(self) -> None:
        """A stream that has ended otherwise isn't followed: its program has, or somebody has ended it."""
        for code in (CloseCode.FINISHED, CloseCode.OPERATOR, CloseCode.IDLE, CloseCode.LIFETIME, CloseCode.QUOTA):
            self.setUp()
            self.legs[0].lose(outcome(code))
            self.assertEqual((self.asked, [how.code for how in self.ended]), (0, [code]))

    def test_never(self) -> None:
        """Where there is no such terminal any more, or it isn't theirs any more, that is the end, with its reason."""
        for status, code in ((410, "no_such_terminal"), (403, "not_granted"), (502, "too_old")):
            self.setUp()
            self.answers = [PlatformError(status, "the words", code)]
            self.legs[0].lose(LOST)
            [how] = self.ended
            self.assertEqual((how.code, self.asked), (CloseCode.LEG_LOST, 1))
            self.assertIn("the words", how.reason)

    def test_not_now(self) -> None:
        """What may be otherwise soon is asked again, ever more seldom, for an hour; keys go nowhere meanwhile."""
        self.answers = [PlatformError(503, "offline", "host_offline")] * 100_000
        self.legs[0].lose(LOST)
        self.local.receive(b"rm -r")
        while not self.ended and self.clock.seconds() < 2 * PATIENCE:
            self.clock.advance(0.5)
        self.assertEqual(len(self.ended), 1)
        self.assertTrue(PATIENCE <= self.clock.seconds() < PATIENCE + 20)
        self.assertLess(self.asked, PATIENCE / 9)
        self.setUp()
        self.answers = [PlatformError(503, "offline", "host_offline")]
        self.legs[0].lose(LOST)
        self.local.receive(b"rm -r")
        self.clock.advance(1)
        self.assertEqual((bytes(self.legs[1].sent), self.again), (b"", 1))

    def test_left(self) -> None:
        """Who leaves, with a stream or without one, is told the end, and no stream follows; one that comes after that
        is let go."""
        self.kept.close(FINISHED)
        self.legs[0].lose(LOST)
        self.assertEqual((len(self.ended), self.asked), (1, 0))
        self.setUp()
        waits: Deferred[None] = Deferred()
        self.answers = [waits]
        self.legs[0].lose(LOST)
        self.kept.close(FINISHED)
        self.assertEqual(self.ended, [FINISHED])
        waits.callback(None)
        self.assertTrue(self.legs[1].aborted)

    def test_slow(self) -> None:
        """A terminal that takes no more stops the stream of now, be it another one meanwhile."""
        self.local.slow = True
        self.legs[0].receive(bytes(100_000))
        self.assertTrue(self.legs[0].paused)
        self.legs[0].lose(LOST)
        self.assertTrue(self.legs[1].paused)
        self.local.drain()
        self.assertFalse(self.legs[1].paused)

    def test_bug(self) -> None:
        """An error of ours ends it, and is told."""
        self.answers = [ZeroDivisionError("x")]
        self.legs[0].lose(LOST)
        self.assertEqual([how.code for how in self.ended], [CloseCode.OUR_FAULT])


class Resumed(SynchronousTestCase):
    """With streams that resume: these are tried first."""

    def test_over(self) -> None:
        """A stream that can't be resumed any more is followed by a new one of the same terminal, by its id."""
        clock, said = Clock(), list[str]()
        opened = {"stream": "s1", "url": "wss://r/client/t", "resume": 120, "terminal": TERMINAL}
        fetch = FakeFetch(Fetched(201, json.dumps(opened).encode()))
        dialler = FakeDialler(clock, Heartbeat(clock))
        api = PlatformApi(clock, "https://platform.example", fetch=fetch)
        request = StreamRequest("web-1", "shell", resume=True)

        async def attach() -> Any:
            fetch.result = Fetched(201, json.dumps({**opened, "stream": "s2"}).encode())
            again = StreamRequest("web-1", "shell", resume=True, terminal=TERMINAL)
            return (await open_stream(api, dialler, again))[1]

        _, leg = self.successResultOf(Deferred.fromCoroutine(open_stream(api, dialler, request)))
        kept, local = KeptTerminal(clock, leg, attach, said.append), FakeConnection()
        ended = ClientStream(kept, local).start()
        dialler.legs[0].receive(b"one")
        fetch.result = FetchError("no route")
        dialler.legs[0].lose(LOST)
        fetch.result = Fetched(410, b'{"detail":"it was held too long","code":"stream_over"}')
        clock.advance(1)
        dialler.legs[1].receive(b"two")
        self.assertEqual((bytes(local.sent), len(said)), (b"onetwo", 1))
        self.assertIn("it was held too long", said[0])
        paths = [url.removeprefix("https://platform.example") for _, url, *_ in fetch.asked]
        resume = "/v1/streams/s1/resume"
        self.assertEqual(paths, ["/v1/streams", resume, resume, "/v1/streams"])
        self.assertEqual(json.loads(fetch.asked[-1][4] or b"")["terminal"], TERMINAL)
        self.assertNoResult(ended)
