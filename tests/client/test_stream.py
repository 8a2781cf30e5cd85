"""stream.py: the native client, its streams and what it asks of the platform."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.client.platform_api import PlatformApi, PlatformError, Unwanted
from streamrelay.client.problem import Problem, problem_of
from streamrelay.client.statuses import WRONG_URL
from streamrelay.client.stream import LOCAL_RESET, LOOK, ClientStream, LocalPort, Opening, Unserved, WaitingRoom, broken
from streamrelay.client.stream_request import StreamRequest
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.datapath.plain import PlainConnection
from streamrelay.net.http_client import FetchDropped, Fetched, FetchError, Line, OutOfDescriptors
from streamrelay.protocol import codec
from streamrelay.protocol.close import FINISHED, CloseCode, outcome
from streamrelay.protocol.control import Control
from streamrelay.websocket.client import Dialler
from streamrelay.websocket.dial_errors import DialError
from streamrelay.websocket.ready import Ready
from tests.documented import MAX_CONTROL
from tests.fakes.channels import FakeChannel, FakeTransport
from tests.fakes.connections import FakeConnection
from tests.fakes.http import FakeFetch


class Streams(SynchronousTestCase):
    """One stream between a local end and a leg."""

    def setUp(self) -> None:
        self.leg, self.local = FakeConnection(), FakeConnection()
        self.stream = ClientStream(self.leg, self.local)
        self.ended = self.stream.start()

    def test_both_ways(self) -> None:
        """Local bytes go to the leg, and the leg's come out."""
        self.local.receive(b"in")
        self.leg.receive(b"out")
        self.assertEqual((bytes(self.leg.sent), bytes(self.local.sent)), (b"in", b"out"))

    def test_exit_status(self) -> None:
        """The exit status of the command behind a pty is noted as it passes; other messages change nothing."""
        self.leg.feed.control(b'{"resize": [1, 1]}')
        self.assertIsNone(self.stream.exit_status)
        self.leg.feed.control(b'{"exit": 3}')
        self.leg.feed.control(b"{}")
        self.assertEqual(self.stream.exit_status, 3)

    def test_missing_lines(self) -> None:
        """What is missing of a log is said to the user, once each time."""
        said: list[str] = []
        self.stream.say = said.append
        for message in (b'{"place": "p"}', b'{"skipped": 120}', b'{"place": "q"}', b'{"place": "r", "lost": true}'):
            self.leg.feed.control(message)
        self.assertEqual(said, ["120 lines left out here, as this end didn't keep up", "lines may be missing here"])

    def test_notes(self) -> None:
        """What the agent says of a log is said to the user."""
        said: list[str] = []
        self.stream.say = said.append
        for words in ("waiting for the log: it does not exist", "the log can be read now"):
            self.leg.feed.control(codec.encode(Control(note=words)))
        self.leg.feed.control(codec.encode(Control(place="p", nuls=5_000_000)))
        for encoding in ("utf-16le", "utf-16le", ""):
            self.leg.feed.control(codec.encode(Control(place="p", encoding=encoding)))
        self.assertEqual(
            said,
            [
                "waiting for the log: it does not exist",
                "the log can be read now",
                "5000000 NUL bytes left out here, as NUL says nothing",
                "the log's text is UTF-16LE from here on",
                "the log's text is UTF-8 from here on",
            ],
        )

    def test_ended(self) -> None:
        """How the stream ended is told when both ends are gone."""
        self.leg.lose(outcome(CloseCode.TARGET_RESET))
        self.assertNoResult(self.ended)
        self.local.lose()
        self.assertEqual(self.successResultOf(self.ended).code, CloseCode.TARGET_RESET)

    def test_half_close(self) -> None:
        """A local end of file goes to the leg, and its answer still comes."""
        self.local.feed.eof()
        self.assertTrue(self.leg.eof_sent)
        self.leg.receive(b"answer")
        self.leg.feed.eof()
        self.assertEqual(bytes(self.local.sent), b"answer")
        for end in (self.leg, self.local):
            end.lose()
        self.assertTrue(self.successResultOf(self.ended).clean)

    def test_overheard_still_bounds(self) -> None:
        """What is overheard has its backpressure like any half."""
        self.local.slow = True
        self.leg.receive(bytes(MAX_CONTROL * 20))
        self.assertTrue(self.leg.paused)
        self.local.drain()
        self.assertFalse(self.leg.paused)


@define(eq=False)
class FakeDialler(Dialler):
    """A dialler whose one dial ends as the test says."""

    dialling: "Deferred[Any]" = field(factory=Deferred)

    def dial(
        self, url: str, token: str = "", ready: Ready | None = None, seconds: float = 0, elsewhere: bool = False
    ) -> "Deferred[Any]":
        return self.dialling


class Openings(SynchronousTestCase):
    """Streams that are opened in vain: nobody will come for them."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.fetch = FakeFetch(Fetched(201, b'{"stream":"s1","url":"wss://r/client/t"}'))
        self.dialler = FakeDialler(self.clock, Heartbeat(self.clock))

    def open(self) -> Opening:
        api = PlatformApi(self.clock, "https://platform.example/", "srk_x", fetch=self.fetch)
        return Opening(api, self.dialler, StreamRequest("web-1", "log"))

    def asked(self) -> list[tuple[str, str]]:
        return [(method, url.removeprefix("https://platform.example")) for method, url, *_ in self.fetch.asked]

    def test_opened(self) -> None:
        """A leg that is there is given with what the platform has answered, and nothing is ended."""
        opening = self.open()
        self.dialler.dialling.callback("leg")
        opened, leg = self.successResultOf(opening.done)
        self.assertEqual((opened.stream, leg, self.asked()), ("s1", "leg", [("POST", "/v1/streams")]))

    def test_no_leg(self) -> None:
        """Where the relay can't be reached the stream is ended, and its reason stays the one that is told."""
        for result in (Fetched(204, b""), Fetched(404, b"{}"), FetchError("gone")):
            self.setUp()
            opening = self.open()
            self.fetch.result = result
            self.dialler.dialling.errback(DialError("no route"))
            self.assertEqual(str(self.failureResultOf(opening.done, DialError).value), "no route")
            self.assertEqual(self.asked()[1:], [("DELETE", "/v1/streams/s1")])

    def test_interrupted(self) -> None:
        """Who has had enough meanwhile has the stream ended, and waits two seconds for that at most."""
        opening = self.open()
        ended: Deferred[Fetched] = Deferred()
        self.fetch.result = ended
        given_up = opening.give_up()
        self.assertEqual((self.asked()[1:], opening.given_up), ([("DELETE", "/v1/streams/s1")], True))
        self.assertNoResult(given_up)
        self.clock.advance(2)
        self.successResultOf(given_up)
        self.failureResultOf(opening.done)

    def test_interrupted_before(self) -> None:
        """Before the platform has answered the request is dropped: the platform ends what it has opened by then."""
        dropped: list[object] = []
        self.fetch.result = Deferred(dropped.append)
        opening = self.open()
        self.successResultOf(opening.give_up())
        self.failureResultOf(opening.done)
        self.assertEqual((len(dropped), self.asked()), (1, [("POST", "/v1/streams")]))


class Ports(SynchronousTestCase):
    """A local port."""

    def test_each_connection(self) -> None:
        """Every connection to the port is told by itself, and isn't read before its stream is there."""
        opened: list[PlainConnection] = []
        factory = LocalPort(Clock(), opened.append)
        transports = [FakeTransport(), FakeTransport()]
        for transport in transports:
            factory.buildProtocol(None).makeConnection(transport)
        self.assertEqual(len(opened), 2)
        self.assertFalse(any(transport.reading for transport in transports))


class Waiting(SynchronousTestCase):
    """Local connections that wait for their streams."""

    def test_reset(self) -> None:
        """One that is reset gives back its descriptor within a second; nothing is looked at once all are served."""
        clock, channels, work = Clock(), [FakeChannel(), FakeChannel()], [Deferred[int](), Deferred[int]()]
        room = WaitingRoom(clock)

        async def wait(number: int) -> int:
            return await work[number]

        held = [
            Deferred.fromCoroutine(room.hold(PlainConnection(channel, clock, FINISHED), wait(number)))
            for number, channel in enumerate(channels)
        ]
        channels[0].gone = True
        clock.advance(LOOK)
        self.assertEqual([channel.aborted for channel in channels], [True, False])
        for number in range(2):
            work[number].callback(number)
        self.assertEqual([self.successResultOf(one) for one in held], [0, 1])
        clock.advance(LOOK)
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_broken(self) -> None:
        """A reset of the local connection isn't told for a loss of the other side, which is told for one."""
        for how, words in (
            (LOCAL_RESET, "the local connection was reset"),
            (outcome(CloseCode.LEG_LOST), "a stream ended: 4005 lost the connection to the other side"),
            (outcome(CloseCode.TARGET_REFUSED, "127.0.0.1:1 refused it"), "127.0.0.1:1 refused it"),
        ):
            self.assertEqual(broken(how), words)

    def test_unserved(self) -> None:
        """Connections without a stream are told at once, then every five seconds for each reason, with their count; at
        the end at once."""
        clock, said = Clock(), list[str]()
        unserved = Unserved(clock, said.append)
        for _ in range(3):
            unserved.count("offline")
        unserved.count("reset")
        self.assertEqual(said, ["offline", "reset"])
        clock.advance(5)
        self.assertEqual(said[2:], ["offline; local connections since this was last said: 2"])
        clock.advance(5)
        unserved.count("reset")
        self.assertEqual(said[3:], ["reset"])
        unserved.count("reset")
        unserved.stop()
        self.assertEqual(said[4:], ["reset"])


WRONG_PATH = "no platform is at this path of https://platform.example/; check --platform"


class FakeFetches:
    """Gives one answer after the other."""

    def __init__(self, answers: list[Fetched | Exception]) -> None:
        self.answers = answers

    async def __call__(self, *asked: object, **more: object) -> Fetched:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Words(SynchronousTestCase):
    """What the platform says."""

    def test_detail(self) -> None:
        """A problem document's detail is told; what isn't one is known for that."""
        self.assertEqual(problem_of(b'{"detail": "no grant", "code": "x"}'), Problem("no grant", "x"))
        for answer in (b"", b"<html>", b"[]", b"{}", b"\xff"):
            self.assertIsNone(problem_of(answer))


class Asked(SynchronousTestCase):
    """What is asked of the platform."""

    def api(self, answer: Fetched | FetchError) -> PlatformApi:
        self.asked: list[tuple[str, str, Mapping[str, str], bytes | None]] = []

        async def fetch(
            method: str,
            url: str,
            seconds: float,
            headers: Mapping[str, str] = {},
            body: bytes | None = None,
            line: Line | None = None,
        ) -> Fetched:
            self.asked.append((method, url, headers, body))
            if isinstance(answer, FetchError):
                raise answer
            return answer

        return PlatformApi(Clock(), "https://platform.example/", "srk_x", fetch=fetch)

    def test_no_platform(self) -> None:
        """Where something else answers, its URL, status and first words are told, with the setting to look at."""
        relay = b"no such path; this is a relay of streamrelay, whose websockets come to /client and /agent\n"
        for answer, words in (
            (Fetched(404, relay), f"answered 404, as no platform does: {relay.decode().strip()}; check --platform"),
            (Fetched(301, b"<html>\n<h1>Moved</h1>"), "answered 301, as no platform does; check --platform"),
            (Fetched(502, b"\xff\x1b[2J" + b"x" * 500), "answered 502, as no platform does; check --platform"),
            (Fetched(200, b"<html>"), "gave an answer that is no platform's; check --platform"),
            (Fetched(200, b'{"hosts":7}'), "gave an answer that is no platform's; check --platform"),
        ):
            asking = Deferred.fromCoroutine(self.api(answer).hosts())
            error = self.failureResultOf(asking, PlatformError).value
            self.assertEqual((error.status, str(error)), (0, f"https://platform.example/ {words}"))

    def test_wrong_path(self) -> None:
        """A platform that isn't at the URL's path says so; that is a mistake of the command line."""
        api = self.api(Fetched(404, b'{"detail":"no such path","code":"not_found"}'))
        error = self.failureResultOf(Deferred.fromCoroutine(api.hosts()), PlatformError).value
        self.assertEqual((error.status, str(error)), (WRONG_URL, WRONG_PATH))

    def test_no_key(self) -> None:
        """Who asks without a key where one is needed hears how one is given; who has given one doesn't."""
        api = self.api(Fetched(401, b'{"detail":"a key is needed"}'))
        for key, more in (("srk_x", ""), ("", "; give one by --key-file FILE, or set STREAMRELAY_KEY_FILE")):
            api.key = key
            error = self.failureResultOf(Deferred.fromCoroutine(api.hosts()), PlatformError).value
            self.assertEqual((error.status, str(error)), (401, f"a key is needed{more}"))

    def test_open(self) -> None:
        """A stream is asked for with the key, and its answer is understood."""
        api = self.api(Fetched(201, b'{"stream":"s","url":"wss://r/client/t","kind":"log","new":1}'))
        opened = self.successResultOf(Deferred.fromCoroutine(api.open(StreamRequest("web-1", "log"))))
        self.assertEqual((opened.stream, opened.kind), ("s", "log"))
        ((method, url, headers, body),) = self.asked
        self.assertEqual((method, url), ("POST", "https://platform.example/v1/streams"))
        self.assertEqual((headers["Authorization"], headers["Content-Type"]), ("Bearer srk_x", "application/json"))
        self.assertEqual(body, b'{"host":"web-1","target":"log"}')

    def test_dropped(self) -> None:
        """What is dropped without an answer, or meets a host with too many streams, is asked again; nothing else is."""
        opened = Fetched(201, b'{"stream":"s","url":"wss://r/client/t"}')
        for first, again in (
            (FetchDropped("reset"), True),
            (Fetched(503, b'{"detail":"too many streams","code":"busy"}'), True),
            (Fetched(503, b'{"detail":"offline","code":"host_offline"}'), False),
            (Fetched(503, b"<html>"), False),
            (Fetched(429, b'{"detail":"too many bad keys","code":"too_many"}'), False),
            (Fetched(504, b'{"detail":"slow","code":"host_slow"}'), False),
            (FetchError("refused"), False),
        ):
            clock = Clock()
            answers: list[Fetched | Exception] = [first, opened]
            api = PlatformApi(clock, "https://platform.example/", "srk_x", fetch=FakeFetches(answers))
            asking = Deferred.fromCoroutine(api.open(StreamRequest("web-1", "log")))
            clock.advance(0.2)
            if again:
                self.assertEqual(self.successResultOf(asking).stream, "s")
            else:
                self.failureResultOf(asking, PlatformError)
                self.assertEqual(answers, [opened])

    def test_key_replaced(self) -> None:
        """A key that is refused is read again, as its file may have another one by now; the same one isn't tried twice,
        nor is one asked for again that can't be read."""
        refused, listed = Fetched(401, b'{"detail":"this key is not known here"}'), Fetched(200, b'{"hosts":[]}')
        for key, tried in (("srk_new", True), ("srk_old", False), ("", False)):
            answers: list[Fetched | Exception] = [refused, listed]
            fetch, renewed = FakeFetches(answers), partial(str, key)
            api = PlatformApi(Clock(), "https://platform.example", "srk_old", fetch=fetch, renewed=renewed)
            asking = Deferred.fromCoroutine(api.hosts())
            if tried:
                self.successResultOf(asking)
                self.assertEqual((api.key, answers), ("srk_new", []))
            else:
                self.assertIn("not known", str(self.failureResultOf(asking, PlatformError).value))
                self.assertEqual((api.key, answers), ("srk_old", [listed]))

    def test_turns(self) -> None:
        """No more than eight requests are under way at once; what is asked for ever ends with the last reason."""
        clock = Clock()
        fetch = FakeFetch(Deferred())
        api = PlatformApi(clock, "https://platform.example/", "srk_x", fetch=fetch)
        for _ in range(20):
            Deferred.fromCoroutine(api.hosts())
        self.assertEqual(len(fetch.asked), 8)
        api = PlatformApi(clock, "https://platform.example/", "srk_x", fetch=FakeFetch(FetchDropped("reset")))
        asking = Deferred.fromCoroutine(api.hosts())
        clock.pump([0.1] * 100)
        self.assertIn("reset", str(self.failureResultOf(asking, PlatformError).value))

    def test_unwanted(self) -> None:
        """A stream that nobody wants any more when its turn comes isn't asked for, nor is it asked for again."""
        clock, wanted = Clock(), [True, False]
        fetch = FakeFetches([FetchDropped("reset"), Fetched(201, b"{}")])
        api = PlatformApi(clock, "https://platform.example/", "srk_x", fetch=fetch)
        asking = Deferred.fromCoroutine(api.open(StreamRequest("web-1", "log", is_wanted=lambda: wanted.pop(0))))
        clock.advance(0.2)
        self.failureResultOf(asking, Unwanted)
        self.assertEqual(len(fetch.answers), 1)

    def test_full(self) -> None:
        """A lack of descriptors here isn't told as the platform's fault."""
        asking = Deferred.fromCoroutine(self.api(OutOfDescriptors("no descriptor")).hosts())
        self.assertEqual(str(self.failureResultOf(asking, PlatformError).value), "no descriptor")

    def test_end(self) -> None:
        """A stream's id can't lead to another path."""
        self.successResultOf(Deferred.fromCoroutine(self.api(Fetched(204, b"")).end("../x")))
        self.assertEqual(self.asked[0][:2], ("DELETE", "https://platform.example/v1/streams/..%2Fx"))

    def test_no_answer(self) -> None:
        """A platform that can't be reached is told with status 0 and why; a refusal with its own."""
        asking = Deferred.fromCoroutine(self.api(FetchError("no answer within 20 s")).hosts())
        error = self.failureResultOf(asking, PlatformError).value
        expected = "the platform https://platform.example/ can't be reached: no answer within 20 s"
        self.assertEqual((error.status, str(error)), (0, expected))
        asking = Deferred.fromCoroutine(self.api(Fetched(403, b'{"detail":"no grant"}')).hosts())
        error = self.failureResultOf(asking, PlatformError).value
        self.assertEqual((error.status, str(error)), (403, "no grant"))
