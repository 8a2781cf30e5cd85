"""stream.py, early_leg.py: the relay is dialled while the platform still asks the agent."""

from collections.abc import Mapping
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.client.known_relay import KnownRelay
from streamrelay.client.platform_api import PlatformApi, PlatformError
from streamrelay.client.stream import Opening
from streamrelay.client.stream_request import StreamRequest
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.net.http_client import Fetch, Fetched, FetchError, Line
from streamrelay.websocket.client import Dialler
from streamrelay.websocket.dial_errors import DialError
from streamrelay.websocket.ready import Ready
from tests.fakes.connections import FakeConnection

EARLY = b'{"stream":"s1","url":"wss://r/client/t1","expires":5}'
READY = b'{"stream":"s1","url":"wss://r/client/t1","kind":"tcp","viewer":"raw","links":1,"view":false,"expires":5}'
REFUSED = b'{"type":"about:blank","title":"x","status":504,"detail":"no answer","code":"target_unreachable"}'
BUSY = b'{"type":"about:blank","title":"x","status":503,"detail":"too many streams","code":"busy"}'


@define(eq=False)
class Asked:
    """One request, whose answer comes as the test says."""

    method: str
    url: str
    headers: Mapping[str, str]
    line: Line
    answer: "Deferred[Fetched]"
    body: bytes = b""

    def tell(self, line: bytes) -> None:
        self.body += line + b"\n"
        self.line(line)

    def end(self, line: bytes = b"", status: int = 200) -> None:
        if line:
            self.tell(line)
        self.answer.callback(Fetched(status, self.body))


@define(eq=False)
class LinesFetch:
    """Requests whose lines the test tells."""

    asked: list[Asked] = field(factory=list)
    dropped: list[object] = field(factory=list)

    async def __call__(
        self,
        method: str,
        url: str,
        seconds: float,
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
        line: Line | None = None,
    ) -> Fetched:
        if method == "DELETE":
            self.asked.append(Asked(method, url, headers, lambda told: None, Deferred()))
            return Fetched(204, b"")
        assert line is not None
        self.asked.append(Asked(method, url, headers, line, Deferred(self.dropped.append)))
        return await self.asked[-1].answer


_fetch: type[Fetch] = LinesFetch


class FakeReady(Ready):
    """A connection that is noted to be dropped."""

    def __init__(self, url: str) -> None:
        self.url, self.dropped = url, False

    def drop(self) -> None:
        self.dropped = True


@define(eq=False)
class KnownBefore(KnownRelay):
    """A relay that is known, and notes which one is kept."""

    kept: list[str] = field(factory=list)

    def take(self) -> str:
        return "wss://r"

    def keep(self, url: str) -> None:
        self.kept.append(url)


@define(eq=False)
class DialOf(Dialler):
    """A dialler whose dials the test ends."""

    dials: dict[str, "Deferred[Any]"] = field(factory=dict)
    given_up: list[object] = field(factory=list)
    refuses: bool = False
    ready: "FakeReady | None" = None
    taken: list[object] = field(factory=list)

    def make_ready(self, url: str) -> "FakeReady":
        self.ready = FakeReady(url)
        return self.ready

    def dial(
        self, url: str, token: str = "", ready: Ready | None = None, seconds: float = 0, elsewhere: bool = False
    ) -> "Deferred[Any]":
        if self.refuses:
            raise DialError("it is not encrypted")
        self.taken += [ready] if ready is not None else []
        self.dials[url] = Deferred(self.given_up.append)
        return self.dials[url]


class EarlyLegs(SynchronousTestCase):
    """A platform that tells a stream's URL first."""

    def setUp(self) -> None:
        self.clock, self.fetch = Clock(), LinesFetch()
        self.dialler, self.leg = DialOf(self.clock, Heartbeat(self.clock)), FakeConnection()
        api = PlatformApi(self.clock, "https://platform.example/", "srk_x", fetch=self.fetch)
        self.opening = Opening(api, self.dialler, StreamRequest("web-1", "log"))
        [self.asked] = self.fetch.asked

    def dial(self, url: str = "wss://r/client/t1") -> "Deferred[Any]":
        return self.dialler.dials[url]

    def ended(self) -> list[str]:
        return [asked.url.rpartition("/")[2] for asked in self.fetch.asked if asked.method == "DELETE"]

    def test_while_asked(self) -> None:
        """The relay is dialled at the first line; both the leg and the last line are waited for, in either order."""
        self.assertEqual(self.asked.headers["Accept"], "application/x-ndjson, application/json")
        for leg_first in (True, False):
            self.setUp()
            self.asked.tell(EARLY)
            self.assertEqual(list(self.dialler.dials), ["wss://r/client/t1"])
            for step in (leg_first, not leg_first):
                self.assertNoResult(self.opening.done)
                if step:
                    self.dial().callback(self.leg)
                else:
                    self.asked.end(READY)
            opened, leg = self.successResultOf(self.opening.done)
            self.assertEqual((opened.stream, opened.kind, leg), ("s1", "tcp", self.leg))
            self.assertEqual((len(self.dialler.dials), self.leg.aborted, self.ended()), (1, False, []))

    def test_refused(self) -> None:
        """A refusal in the last line is told as ever, and leaves neither a leg nor a dial; there is nothing to end."""
        for opened in (True, False):
            self.setUp()
            self.asked.tell(EARLY)
            if opened:
                self.dial().callback(self.leg)
            self.asked.end(REFUSED)
            error = self.failureResultOf(self.opening.done, PlatformError).value
            self.assertEqual((error.status, str(error)), (504, "no answer"))
            self.assertEqual((self.leg.aborted, len(self.dialler.given_up)), (opened, not opened))
            self.assertEqual(self.ended(), [])

    def test_dial_failed(self) -> None:
        """A dial that fails while the platform refuses tells the refusal; else its own reason, and ends the stream."""
        self.asked.tell(EARLY)
        self.dial().errback(DialError("no route"))
        self.assertNoResult(self.opening.done)
        self.asked.end(REFUSED)
        self.failureResultOf(self.opening.done, PlatformError)
        self.assertEqual(self.ended(), [])
        self.setUp()
        self.asked.tell(EARLY)
        self.dial().errback(DialError("no route"))
        self.asked.end(READY)
        self.assertEqual(str(self.failureResultOf(self.opening.done, DialError).value), "no route")
        self.assertEqual(self.ended(), ["s1"])

    def test_no_dial(self) -> None:
        """A URL that can't be dialled at all is no fault of the platform's answer: it is told, and the stream ended."""
        self.dialler.refuses = True
        self.asked.tell(EARLY)
        self.asked.end(READY)
        self.failureResultOf(self.opening.done, DialError)
        self.assertEqual(self.ended(), ["s1"])

    def test_other_relay(self) -> None:
        """Where the host can't use the relay that was told first, the leg there is left, be it open, under way or
        failed, and the one that the last line names is dialled; that is the relay that is kept."""
        for how in ("open", "under way", "failed"):
            self.setUp()
            self.asked.tell(EARLY)
            if how == "open":
                self.dial().callback(self.leg)
            elif how == "failed":
                self.dial().errback(DialError("refused"))
            self.asked.end(READY.replace(b"wss://r/client/t1", b"wss://r2/client/t2"))
            self.assertNoResult(self.opening.done)
            self.assertEqual((self.leg.aborted, len(self.dialler.given_up)), (how == "open", how == "under way"))
            self.dial("wss://r2/client/t2").callback("leg 2")
            self.assertEqual(self.successResultOf(self.opening.done)[1], "leg 2")
            self.assertEqual(self.ended(), [])

    def test_busy(self) -> None:
        """A host that has too many streams is asked again; the leg of the attempt before is dropped for another one."""
        self.asked.tell(EARLY)
        self.dial().callback(self.leg)
        self.asked.end(BUSY)
        self.clock.advance(0.2)
        again = self.fetch.asked[1]
        again.tell(EARLY.replace(b"1", b"2"))
        self.assertTrue(self.leg.aborted)
        self.dial("wss://r/client/t2").callback("leg 2")
        again.end(READY.replace(b"1", b"2"))
        opened, leg = self.successResultOf(self.opening.done)
        self.assertEqual((opened.stream, leg), ("s2", "leg 2"))

    def test_broken_off(self) -> None:
        """An answer that breaks off after its first line is a platform that can't be reached, and leaves no leg."""
        self.asked.tell(EARLY)
        self.dial().callback(self.leg)
        self.asked.answer.errback(FetchError("the connection was closed"))
        error = self.failureResultOf(self.opening.done, PlatformError).value
        self.assertEqual(error.status, 0)
        self.assertTrue(self.leg.aborted)

    def test_interrupted(self) -> None:
        """Who has had enough meanwhile leaves nothing: the request is dropped, and the platform ends the stream."""
        self.asked.tell(EARLY)
        self.dial().callback(self.leg)
        self.successResultOf(self.opening.give_up())
        self.failureResultOf(self.opening.done)
        self.assertEqual((self.leg.aborted, len(self.fetch.dropped), self.ended()), (True, 1, []))

    def test_older_platform(self) -> None:
        """A platform that answers one object with 201 is taken as ever."""
        self.asked.body = READY
        self.asked.end(status=201)
        self.dial().callback(self.leg)
        self.assertEqual(self.successResultOf(self.opening.done)[1], self.leg)

    def test_no_platform(self) -> None:
        """Lines that are none of a platform's, or lack the last one, are told as no platform's; no leg is left."""
        for lines in ((b"<html>", b"</html>"), (EARLY,), (EARLY, b"{}"), (EARLY, b'{"status":"x"}'), (b"", READY[:9])):
            self.setUp()
            for line in lines:
                self.asked.tell(line)
            self.asked.end()
            error = self.failureResultOf(self.opening.done, PlatformError).value
            self.assertIn("gave an answer that is no platform's", str(error))
            self.assertEqual(len(self.dialler.given_up), len(self.dialler.dials))


class KnownRelays(EarlyLegs):
    """The same, with a relay that is known from before; and what becomes of its connection."""

    def setUp(self) -> None:
        self.clock, self.fetch, self.known = Clock(), LinesFetch(), KnownBefore()
        self.dialler, self.leg = DialOf(self.clock, Heartbeat(self.clock)), FakeConnection()
        api = PlatformApi(self.clock, "https://platform.example/", "srk_x", fetch=self.fetch)
        self.opening = Opening(api, self.dialler, StreamRequest("web-1", "log"), self.known)
        [self.asked] = self.fetch.asked

    def test_before_an_answer(self) -> None:
        """It is connected while the platform is asked; the dial of what the platform names gets that, and is kept."""
        ready = self.dialler.ready
        assert ready is not None
        self.assertEqual((ready.url, self.dialler.dials), ("wss://r", {}))
        self.asked.tell(EARLY)
        self.assertEqual(self.dialler.taken, [ready])
        self.dial().callback(self.leg)
        self.assertEqual(self.known.kept, [])
        self.asked.end(READY)
        self.successResultOf(self.opening.done)
        self.assertEqual((self.known.kept, ready.dropped), (["wss://r/client/t1"], False))

    def test_in_vain(self) -> None:
        """Where the platform refuses, can't be reached, or nobody wants the stream any more, it is dropped."""
        for how in ("refused", "broken off", "given up"):
            self.setUp()
            if how == "refused":
                self.asked.end(REFUSED, 504)
            elif how == "broken off":
                self.asked.answer.errback(FetchError("the connection was closed"))
            else:
                self.opening.give_up()
            self.failureResultOf(self.opening.done)
            assert self.dialler.ready is not None
            self.assertEqual((self.dialler.ready.dropped, self.known.kept), (True, []), how)
