"""bus.py: what needs no server."""

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.bus import Bus, Down, Message
from streamrelay.errors import ConfigError
from tests.fakes import awaited, folder


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


class Disconnected(SynchronousTestCase):
    """A bus without a server."""

    def setUp(self) -> None:
        self.bus = Bus(("nats://127.0.0.1:1",), "test")

    def test_request(self) -> None:
        """Requests fail at once while there is no connection."""
        self.assertFalse(self.bus.connected)
        self.assertRaises(Down, awaited, self.bus.request("a", b"", 10.0))
        self.assertRaises(Down, awaited, self.bus.gather("a"))

    def test_published(self) -> None:
        """What is published while there is no connection is dropped, and a bus that never stood can stop."""

        async def work() -> None:
            self.bus.publish("a", b"")
            await self.bus.stop()

        awaited(work())
        self.assertEqual(self.bus._publishing, set())

    def test_certificates(self) -> None:
        """A file of certificates that can't be used is refused by its name."""
        path = folder(self) / "ca.pem"
        self.assertIn(str(path), str(self.assertRaises(ConfigError, Bus, ("tls://a",), "test", ca=str(path))))
        path.write_text("no certificate")
        self.assertRaises(ConfigError, Bus, ("tls://a",), "test", ca=str(path))
