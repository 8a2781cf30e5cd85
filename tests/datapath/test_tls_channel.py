"""tls_channel.py: what a peer's TLS records cost, with content and without."""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.datapath.tls_channel import TlsChannel
from streamrelay.protocol.tls_records import TOO_MANY, TURN
from tests.datapath.loopback import Descriptor, StepLoop, drain, tls_pair
from tests.fakes.tls13 import APPLICATION, UPDATE_BOTH, Sealer, Secrets


class Heard:
    """What the channel's owner is told."""

    def __init__(self) -> None:
        self.pieces: list[int] = []
        self.lost = ""
        self.dataReceived: Callable[[bytes], None] = lambda _: None

    def data_received(self, data: memoryview) -> None:
        self.pieces.append(len(data))

    def drained(self) -> None:
        pass

    def connectionLost(self, reason: Failure) -> None:
        self.lost = str(reason.value)


class Records(SynchronousTestCase):
    """A channel whose peer seals what it wants to."""

    def setUp(self) -> None:
        secrets, self.loop, self.heard, clock = Secrets(), StepLoop(), Heard(), Clock()
        self.tls, _ = tls_pair(secrets)
        self.sealer: Sealer = secrets.sealer("CLIENT")
        near, self.far = socket.socketpair()
        for end in (near, self.far):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            self.addCleanup(end.close)
        transport = Descriptor(near, self.loop, self.heard)
        self.channel = TlsChannel(transport, cast(asyncio.AbstractEventLoop, self.loop), tls=self.tls, clock=clock)
        clock.advance(0)
        self.channel.start(self.heard)

    def steps(self, count: int) -> None:
        for _ in range(count):
            self.loop.step()

    def test_tiny(self) -> None:
        """Records of one byte are opened 64 in a turn, and all of them are, in order."""
        self.far.send(b"".join(self.sealer.seal(APPLICATION, b"t") for _ in range(1000)))
        self.steps(40)
        self.assertEqual((sum(self.heard.pieces), self.heard.lost), (1000, ""))
        self.assertLessEqual(max(self.heard.pieces), TURN)

    def test_paused(self) -> None:
        """What waits for its turn is kept while the channel is paused, and comes when it is resumed."""
        self.far.send(b"".join(self.sealer.seal(APPLICATION, b"t") for _ in range(200)))
        self.steps(1)
        self.channel.pause()
        came = sum(self.heard.pieces)
        self.steps(10)
        self.assertEqual(sum(self.heard.pieces), came)
        self.assertLess(came, 200)
        self.channel.resume()
        self.steps(10)
        self.assertEqual(sum(self.heard.pieces), 200)

    def test_key_updates(self) -> None:
        """KeyUpdates without end cut the connection, with the reason."""
        self.far.send(self.sealer.updates(1000))
        self.steps(20)
        self.assertIn(TOO_MANY, self.heard.lost)

    def test_broken(self) -> None:
        """What OpenSSL can't open cuts the connection, and the reason is in words."""
        self.far.send(b"\x17\x03\x03\x00\x20" + bytes(32))
        self.steps(2)
        self.assertIn("TLS: decryption failed or bad record mac; record layer failure", self.heard.lost)

    def test_few(self) -> None:
        """A KeyUpdate now and then is followed."""
        for _ in range(20):
            self.far.send(self.sealer.updates(1) + self.sealer.seal(APPLICATION, b"x" * 100))
            self.steps(2)
        self.assertEqual((sum(self.heard.pieces), self.heard.lost), (2000, ""))

    def test_answered(self) -> None:
        """A key that the peer asks for is sent at once, and nothing is kept in OpenSSL."""
        self.far.send(self.sealer.updates(100, UPDATE_BOTH))
        self.steps(4)
        self.assertEqual(self.heard.lost, "")
        self.assertEqual(drain(self.tls), b"")
        self.assertGreater(len(self.far.recv(65536)), 20)

    def test_unread(self) -> None:
        """Whoever leaves the answers unread is cut in the end, however much content lies between two KeyUpdates."""
        self.channel.unsent = 1  # as if the kernel took no more
        content = b"x" * 16384
        for _ in range(400):
            if not self.heard.lost:
                self.far.send(self.sealer.seal(APPLICATION, content) + self.sealer.updates(1, UPDATE_BOTH))
                self.steps(2)
        self.assertIn(TOO_MANY, self.heard.lost)
