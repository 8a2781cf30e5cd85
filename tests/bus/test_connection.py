"""connection.py: what needs no server."""

import asyncio
from typing import Any

from attrs import define
from nats import errors as nats_errors
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.bus.connection import Bus
from streamrelay.bus.message import Down, Message, TooSlow
from streamrelay.bus.nats_client import NatsClient, Withheld
from streamrelay.bus.pulse import Pulse
from streamrelay.errors import ConfigError
from tests.documented import BUS_REFUSED, BUS_SELDOM
from tests.fakes.files import folder
from tests.fakes.logs import Heard
from tests.fakes.reactors import LeapingLoop, awaited


class Standing:
    """A client of NATS as far as it is asked whether it is connected."""

    is_connected = True

    async def publish(self, subject: str, data: bytes, reply: str = "") -> None:
        """Take a message, unless it is longer than the server lets through."""
        if len(data) > 100:
            raise nats_errors.MaxPayloadError


@define
class Silent(Standing):
    """A client of NATS whose requests get no answer, and whose connection is lost so often meanwhile."""

    bus: Bus
    losses: int
    pulse: Pulse

    async def request(self, subject: str, data: bytes, timeout: float) -> None:
        self.bus.requests.losses += self.losses
        raise nats_errors.TimeoutError


class Messages(SynchronousTestCase):
    """What came on a subject."""

    def test_wants_answer(self) -> None:
        """A message is answered only at an inbox: nobody can make us publish on another subject."""
        for reply, wanted in (
            ("_INBOX.abc.def", True),
            ("_INBOX_alice.abc", True),
            ("_INBOX-1.a", True),
            ("_INBOX_platform.a.b", True),
            ("_INBOX.>", False),
            ("_INBOX.*.a", False),
            ("_INBOX.a..b", False),
            ("_INBOX.a.", False),
            ("", False),
            ("_INBOX", False),
            ("_INBOX.", False),
            ("streamrelay.v1.host.web-1.open", False),
            ("x._INBOX.abc", False),
            ("_INBOX.a b", False),
            ("_INBOX.a\r\nPUB x", False),
            ("_INBOX.a\n", False),
            ("_INBOXx>.a", False),
        ):
            self.assertEqual(Message(b"", reply).wants_answer, wanted, reply)


class TooLong(SynchronousTestCase):
    """A message that the server wouldn't let through."""

    def test_told(self) -> None:
        """An answer that is longer than NATS takes isn't dropped without a word, and many are one."""
        bus, heard = Bus(("nats://127.0.0.1:1",), "test"), Heard(self)
        client: Any = Standing()
        bus._client = client
        for size in (100, 101, 102):
            awaited(bus._publish("_INBOX.a.web-1", b"x" * size))
        [line] = heard.lines
        self.assertEqual(line, "not sent on _INBOX.a.web-1: 101 bytes, over NATS' max_payload")


class Unanswered(SynchronousTestCase):
    """A request to which no answer comes."""

    def test_lost(self) -> None:
        """Where the connection was lost meanwhile that is why, not the host that was asked."""
        for losses, why in ((0, TooSlow), (1, Down)):
            bus = Bus(("nats://127.0.0.1:1",), "test")
            client: Any = Silent(bus, losses, NatsClient(frozenset(), lambda: None).pulse)
            bus._client = client
            self.assertRaises(why, awaited, bus.request("a", b"", 10.0))


class Disconnected(SynchronousTestCase):
    """A bus without a server."""

    def setUp(self) -> None:
        self.bus = Bus(("nats://127.0.0.1:1",), "test")

    def test_request(self) -> None:
        """Requests fail at once while there is no connection."""
        self.assertFalse(self.bus.connected)
        self.assertRaises(Down, awaited, self.bus.request("a", b"", 10.0))
        self.assertRaises(Down, awaited, self.bus.gather("a", frozenset()))

    def test_published(self) -> None:
        """What is published while there is no connection is dropped, and a bus that never stood can stop."""

        async def work() -> None:
            self.bus.publish("a", b"")
            await self.bus.stop()

        awaited(work())
        self.assertEqual(self.bus._publishing, set())

    def test_complaints(self) -> None:
        """The log says each refusal once, as an error, without who logs in, until there is a connection again."""
        told = self.said(
            nats_errors.Error("nats: 'Authorization Violation'"),
            nats_errors.Error("nats: 'Authorization Violation'"),
            OSError("no way"),
            Withheld("secret.nkey: others may read this NKEY seed"),
            OSError("no way to tls://u:hidden@h"),
        )
        self.assertEqual([level for level, _ in told], ["error", "error"])
        self.assertIn("NATS refused this user", told[0][1])
        self.assertIn("others may read", told[1][1])
        self.bus._stands()
        [(level, text)] = self.said(OSError("no way to tls://u:hidden@h"), OSError("another"))
        self.assertEqual((level, "hidden" in text), ("warn", False))

    def test_deaf(self) -> None:
        """Only a subscription that we need ends the connection."""
        for text, deaf in (
            ('nats: permissions violation for publish to "streamrelay.v1.event.a.up"', False),
            ('nats: permissions violation for subscription to "$srv.ping"', False),
            ('nats: permissions violation for subscription to "streamrelay.v1.host.a.open"', True),
        ):
            [(level, _)] = self.said(nats_errors.Error(text))
            self.assertEqual((level, self.bus._closed.is_set()), ("error", deaf))

    def test_end_of_what_stood(self) -> None:
        """The end of a connection that stood is no failed try: the first try that fails is told, with its reason."""
        client: Any = Standing()
        self.bus._client = client
        self.assertEqual(self.said(nats_errors.UnexpectedEOF()), [])
        client.is_connected = False
        [(level, text)] = self.said(ConnectionRefusedError("refused"), nats_errors.UnexpectedEOF())
        self.assertEqual(level, "warn")
        self.assertIn("refused", text)

    def test_more_seldom(self) -> None:
        """While the server refuses our user, each wait is about twice as long as the last, up to 30 s; then all is as
        before."""
        client = self.bus._trying = NatsClient(frozenset(), lambda: None)

        def waits(*errors: Exception) -> list[float]:
            waited = []
            for error in errors:
                awaited(self.bus._failed(error))
                waited.append(client.options["reconnect_time_wait"])
            return waited

        refused = nats_errors.Error("nats: 'Authorization Violation'")
        for _ in range(2):
            for wait, most in zip(waits(*[refused] * 8), (2, 4, 8, 16, *[BUS_SELDOM] * 4), strict=True):
                self.assertTrue(most / 2 <= wait <= most, (wait, most))
            self.assertGreaterEqual(waits(BrokenPipeError())[0], BUS_SELDOM / 2)
            self.bus._stands()
            self.assertLess(client.options["reconnect_time_wait"], 2)

    def test_refused(self) -> None:
        """After a refused permission the next attempt is 10 s later."""
        loop, begun = LeapingLoop(), list[float]()
        self.addCleanup(loop.close)

        async def connect(bus: Bus, client: object, closed: object) -> None:
            bus._deaf = True
            begun.append(loop.time())

        async def close(client: object) -> None: ...  # there was nothing to close

        async def work() -> None:
            running = loop.create_task(self.bus._run())
            await asyncio.sleep(2.5 * BUS_REFUSED)
            running.cancel()

        self.patch(Bus, "_connect", connect)
        self.patch(NatsClient, "close", close)
        loop.run_until_complete(work())
        self.assertEqual([round(when, 1) for when in begun], [0, BUS_REFUSED, 2 * BUS_REFUSED])

    def said(self, *errors: Exception) -> list[tuple[str, str]]:
        """What the log says of these."""
        heard = Heard(self)
        for error in errors:
            awaited(self.bus._failed(error))
        return [(event["log_level"].name, formatEvent(event)) for event in heard.events]

    def test_certificates(self) -> None:
        """A file of certificates that can't be used is refused by its name."""
        path = folder(self) / "ca.pem"
        self.assertIn(str(path), str(self.assertRaises(ConfigError, Bus, ("tls://a",), "test", ca=str(path))))
        path.write_text("no certificate")
        self.assertRaises(ConfigError, Bus, ("tls://a",), "test", ca=str(path))
