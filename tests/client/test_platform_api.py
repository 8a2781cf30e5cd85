"""platform_api.py: what a platform's answer may be, by Twisted's client on a network in memory."""

import json
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.client.platform_api import PlatformApi, PlatformError
from streamrelay.net.http_client import Fetched, FetchTooLong, Line
from tests.documented import CLIENT_ANSWER, CLIENT_TIME
from tests.fakes.channels import FakeTransport
from tests.fakes.endpoints import connect


class Answers(SynchronousTestCase):
    """An answer to a question for the streams."""

    def ask(self) -> "Deferred[bytes]":
        self.clock = MemoryReactorClock()
        asking = Deferred.fromCoroutine(PlatformApi(self.clock, "http://127.0.0.1:81").relays())
        *_, factory, _, _ = self.clock.tcpClients[-1]
        self.protocol = connect(factory, FakeTransport())
        return asking

    def refused(self, asking: "Deferred[bytes]") -> str:
        return str(self.failureResultOf(asking, PlatformError).value)

    def test_bytes(self) -> None:
        """An answer of 4 MiB is taken, one of a byte more is not."""
        for more in (0, 1):
            asking = self.ask()
            body = b'{"streams":[]}'.ljust(CLIENT_ANSWER + more)
            self.protocol.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            if more:
                self.assertIn("81 gave an answer of more than 4194304 bytes", self.refused(asking))
            else:
                self.assertEqual(self.successResultOf(asking), body)

    def test_time(self) -> None:
        """It is waited for for 20 s."""
        asking = self.ask()
        self.clock.advance(CLIENT_TIME - 0.1)
        self.assertNoResult(asking)
        self.clock.advance(0.1)
        self.assertIn("no answer within 20 s", self.refused(asking))


@define(eq=False)
class Fleet:
    """A platform with so many hosts, of which no more than `most` have room in one answer."""

    count: int
    most: int
    limits: list[int] = field(factory=list)
    """Hosts that were asked for at a time."""

    async def __call__(
        self,
        method: str,
        url: str,
        seconds: float,
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
        line: Line | None = None,
    ) -> Fetched:
        query = parse_qs(urlsplit(url).query)
        limit, start = int(query["limit"][0]), int(query.get("after", ["0"])[0])
        self.limits.append(limit)
        page = [str(number + 1) for number in range(start, min(start + limit, self.count))]
        if len(page) > self.most:
            raise FetchTooLong("an answer of more than 4194304 bytes")
        more = page[-1] if start + limit < self.count else None
        answer = {"hosts": [{"host": host} for host in page], "complete": True, "next": more}
        return Fetched(200, json.dumps(answer).encode())


class Pages(SynchronousTestCase):
    """The list of hosts, which is asked for by pages."""

    def hosts(self, fleet: Fleet) -> "Deferred[bytes]":
        return Deferred.fromCoroutine(PlatformApi(Clock(), "https://platform.example", fetch=fleet).hosts())

    def test_long(self) -> None:
        """Where hosts have so much that a page of them is too long, fewer are asked for from then on, and none is left
        out or listed twice."""
        fleet = Fleet(600, 100)
        listed = json.loads(self.successResultOf(self.hosts(fleet)))["hosts"]
        self.assertEqual([int(one["host"]) for one in listed], list(range(1, 601)))
        self.assertEqual(fleet.limits, [1000, 250] + [62] * 10)

    def test_too_long(self) -> None:
        """A platform whose answer is too long even for one host is given up, with a word of what it answered."""
        failure = self.failureResultOf(self.hosts(fleet := Fleet(5, 0)), PlatformError)
        self.assertEqual((fleet.limits[-1], fleet.limits.count(1)), (1, 1))
        self.assertEqual(
            str(failure.value), "the platform https://platform.example gave an answer of more than 4194304 bytes"
        )
