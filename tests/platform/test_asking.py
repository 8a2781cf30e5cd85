"""asking.py: a host that is on the way to another server of NATS is waited for; one that is down isn't."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from attrs import define, field

from streamrelay.bus.message import Down, Nobody, TooSlow
from streamrelay.bus.requests import Requests
from streamrelay.platform import Platform
from streamrelay.platform.asking import LOOK, ask
from streamrelay.protocol import codec
from streamrelay.protocol.subjects import event_subject, open_subject
from streamrelay.protocol.summons import Answer, HostAnswer
from tests.bus.test_pulse import OnALoop
from tests.documented import HOST_AWAY
from tests.fakes.bus import FakeBus
from tests.fakes.reactors import awaited
from tests.platform.test_platform import READY, Case


@define(eq=False)
class Away(FakeBus):
    """A bus on which a host is away until some time."""

    until: float = 0.0
    copies: bool = False
    seconds: float = 0.0

    async def request(self, subject: str, data: bytes, timeout: float, copies: bool = False) -> bytes:
        self.copies, self.seconds = copies, timeout
        self.asked.append((subject, data))
        if asyncio.get_running_loop().time() < self.until:
            raise Nobody(subject)
        return b"here"


class Returns(OnALoop):
    """Hosts that come back."""

    def ask(self, away: float, clustered: bool = True, up: bool = True, copies: bool = True) -> tuple[object, float]:
        """The answer or the kind of error, and the seconds until then."""
        self.bus = Away(until=self.loop.time() + away, clustered=clustered)
        return self.outcome(ask(self.bus, "a", b"", 10.0, copies, lambda: up))

    def outcome(self, work: Coroutine[Any, Any, bytes]) -> tuple[object, float]:
        began = self.loop.time()
        try:
            found: object = self.run_it(work)
        except (Down, Nobody, TooSlow) as error:
            found = type(error)
        return found, self.loop.time() - began

    def test_back(self) -> None:
        """A host that was there is asked again until it is back, within the time of the request."""
        found, took = self.ask(0.3)
        self.assertEqual(found, b"here")
        self.assertTrue(0.3 <= took <= 0.3 + LOOK)
        self.assertAlmostEqual(self.bus.seconds, 10.0 - took)

    def test_gone(self) -> None:
        """One that doesn't come back is offline after two seconds."""
        found, took = self.ask(60)
        self.assertIs(found, Nobody)
        self.assertTrue(HOST_AWAY - 2 * LOOK <= took <= HOST_AWAY)

    def test_at_once(self) -> None:
        """One that was down, or that has no other server to go to, is offline at once."""
        for more in ({"clustered": False}, {"up": False}):
            self.assertEqual(self.ask(0.3, **more), (Nobody, 0.0))

    def test_copies(self) -> None:
        """Copies are sent of what is followed once alone."""
        for copies in (True, False):
            self.ask(0, copies=copies)
            self.assertIs(self.bus.copies, copies)

    def test_own_server(self) -> None:
        """Where the platform's own server has ended, the request goes by another one; if there is none it fails."""
        for clustered, copies, found in ((True, True, READY), (False, True, Down), (True, False, Down)):
            bus = FakeBus(clustered=clustered, down=True)
            bus.answers += [Down(), READY]
            self.assertEqual(self.outcome(ask(bus, "a", b"", 10.0, copies, lambda: True))[0], found)


@define(eq=False)
class Copying(FakeBus):
    """A bus that keeps of what copies were to be sent."""

    copied: list[bool] = field(factory=list)

    async def request(self, subject: str, data: bytes, timeout: float, copies: bool = False) -> bytes:
        self.copied.append(copies)
        return await super().request(subject, data, timeout, copies)


class Opening(Case):
    """Streams that are opened while a server of NATS ends."""

    def test_signed(self) -> None:
        """A signed summons is sent again, as an agent knows it for a copy even if it has started since; a plain one
        isn't, nor a request to end a stream."""
        ended = codec.encode(Answer(ready=True))
        for platform, copies in ((self.platform, [True, False]), (Platform("wss://relay.example"), [False, False])):
            platform.bus = platform.asking.bus = bus = Copying()
            bus.answers += [READY, ended]
            opened = awaited(platform.open("alice", "web-1", "log"))
            awaited(platform.end("web-1", opened.stream))
            self.assertEqual(bus.copied, copies)

    def test_own_server(self) -> None:
        """A platform that has just lost its server is back by another one before it says that it has no bus."""
        self.bus.down = self.bus.clustered = True
        self.bus.answers.append(READY)
        self.assertEqual(self.open().kind, "log")
        self.bus.down, self.bus.clustered = True, False
        self.assertEqual(self.refused(self.platform.open("alice", "web-1", "log")).code, "bus_down")
        self.assertEqual(self.refused(self.platform.end("web-1", "s" * 22)).code, "bus_down")

    def test_host(self) -> None:
        """A host that is up as far as is known, and that nobody hears just now, is asked again by the same summons; one
        that isn't known is offline at once."""
        self.bus.clustered = True
        self.bus.answers += [Nobody(), Nobody(), READY]
        self.assertEqual(self.refused(self.platform.open("alice", "web-1", "log")).code, "host_offline")
        self.platform.inventory.told("web-1", HostAnswer((), "1", "vm"))
        self.bus.asked.clear()
        self.assertEqual(self.open().kind, "log")
        self.assertEqual(len(set(self.bus.asked)), 1)
        self.assertEqual(len(self.bus.asked), 2)

    def test_host_back(self) -> None:
        """A host that tells of itself is sent again what it is asked, as it may have been lost with its server."""
        repeated: list[str] = []
        self.patch(Requests, "repeat", lambda requests, subject: repeated.append(subject))

        async def tell() -> None:
            self.bus.hear(event_subject("web-1", "up"), codec.encode(HostAnswer(())), event_subject("*", "up"))

        awaited(tell())
        self.assertEqual(repeated, [open_subject("web-1")])
