"""lookups.py, hostnames.py: names that hang keep up nobody else's, and addresses need no lookup."""

from threading import Event
from typing import Any

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHostResolution, IResolutionReceiver
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from streamrelay.net.hostnames import NamedEndpoint
from streamrelay.net.lookups import Full, Lookups
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

    async def test_bounded(self) -> None:
        """As many names as may be are looked up at once; the next is refused, and a free thread is used again."""
        answer = Event()
        self.addCleanup(answer.set)

        def getaddrinfo(*what: Any) -> list[Any]:
            answer.wait()
            return [(2, 1, 6, "", ("10.0.0.1", 80))]

        lookups = Lookups(reactor, 3, getaddrinfo)
        found = [Found() for _ in range(3)]
        for each in found:
            lookups.resolveHostName(each, "hanging.example", 80)
        self.assertRaises(Full, lookups.resolveHostName, Found(), "other.example", 80)
        answer.set()
        for each in found:
            self.assertEqual(await each.all, ["10.0.0.1"])
        again = Found()
        lookups.resolveHostName(again, "other.example", 80)
        self.assertEqual(await again.all, ["10.0.0.1"])


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
