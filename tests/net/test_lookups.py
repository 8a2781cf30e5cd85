"""lookups.py, hostnames.py: names that hang keep up nobody else's, and addresses need no lookup."""

import _socket
import errno
from threading import Event
from typing import Any

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHostResolution, IResolutionReceiver
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from streamrelay.net.hostnames import NamedEndpoint
from streamrelay.net.lookups import Full, Lookups
from streamrelay.net.peer import explain
from tests.documented import LOOKUPS, LOOKUPS_EACH
from tests.fakes.logs import Heard
from tests.fakes.reactors import FakeNames


@implementer(IResolutionReceiver)
@define(eq=False)
class Found:
    """What a name resolves to, once that is known."""

    all: "Deferred[list[str]]" = field(factory=Deferred)
    hosts: list[str] = field(factory=list)

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        pass

    def addressResolved(self, address: IAddress) -> None:
        self.hosts.append(address.host)  # type: ignore[attr-defined]

    def resolutionComplete(self) -> None:
        self.all.callback(self.hosts)


class Hanging(TestCase):
    """Names for which the system's resolver waits."""

    def setUp(self) -> None:
        self.answer = Event()
        self.addCleanup(self.answer.set)
        self.lookups = Lookups(reactor, self.getaddrinfo)
        self.addCleanup(self.lookups.turned_away.stop)

    def getaddrinfo(self, *what: Any) -> list[Any]:
        self.answer.wait()
        return [(2, 1, 6, "", ("10.0.0.1", 80))]

    def look_up(self, user: str, count: int) -> list[Found]:
        found = [Found() for _ in range(count)]
        for each in found:
            self.lookups.resolver(user).resolveHostName(each, "hanging.example", 80)
        return found

    def refused(self, user: str) -> str:
        return str(self.assertRaises(Full, self.look_up, user, 1))

    async def answered(self, found: list[Found]) -> None:
        self.answer.set()
        for each in found:
            self.assertEqual(await each.all, ["10.0.0.1"])

    async def test_bounded(self) -> None:
        """As many names as may be are looked up at once; the next is refused, and a free thread is used again."""
        found = self.look_up("", LOOKUPS)
        self.assertEqual(self.refused("anna"), "32 other names are being looked up")
        await self.answered(found)
        await self.answered(self.look_up("", LOOKUPS))

    async def test_share(self) -> None:
        """One user has a share of them, and what is over it takes nothing from the others."""
        found = self.look_up("anna", LOOKUPS_EACH)
        for _ in range(3):
            self.assertEqual(self.refused("anna"), "8 other names for this user are being looked up")
        for user in ("bert", "cleo", "dora"):
            found += self.look_up(user, LOOKUPS_EACH)
        self.assertEqual(self.refused("emil"), "32 other names are being looked up")
        await self.answered(found)
        await self.answered(self.look_up("anna", LOOKUPS_EACH))

    async def test_told(self) -> None:
        """Who is refused is told in one line at once, and in another one with the count when that is over."""
        heard, found = Heard(self), self.look_up("anna", LOOKUPS_EACH)
        for _ in range(3):
            self.refused("anna")
        words = "looked up at once, 8 for one user; refused as busy since the last such line: 1, 1 of them for anna;"
        self.assertEqual([words in line for line in heard.lines], [True])
        self.lookups.turned_away.stop()
        self.assertIn("since the last such line: 2, 2 of them for anna;", heard.lines[-1])
        await self.answered(found)


class Addresses(SynchronousTestCase):
    """Hosts that are addresses."""

    def test_at_once(self) -> None:
        """An address is connected at once, and no resolver is asked for it."""
        for host in ("10.0.0.1", "2001:db8::1", "fe80::1%lo"):
            clock: Any = MemoryReactorClock()
            clock.nameResolver = FakeNames({})
            NamedEndpoint(clock, host, 80).connect(Factory())
            clock.advance(0)
            self.assertEqual([client[0] for client in clock.tcpClients], [host])
            self.assertEqual(clock.nameResolver.asked, [])


class Starved(TestCase):
    """No descriptor is left for a lookup."""

    async def test_said(self) -> None:
        """A relay's name that can't even be looked up ends the connection at once, with that reason."""
        self.patch(_socket, "getaddrinfo", self.getaddrinfo)  # Twisted keeps the one above it
        connecting = NamedEndpoint(reactor, "relay.example", 443).connect(Factory())
        error = await self.assertFailure(connecting.addTimeout(60, reactor), OSError)
        self.assertEqual(explain(Failure(error)), "this program has no file descriptor left (see ulimit -n)")

    def getaddrinfo(self, *what: Any) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")
