"""channel.py: Twisted transports as channels."""

import socket
import struct
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.datapath.channel import TransportChannel, is_reset, tcp_acknowledged, tcp_is_silent
from tests.examples import there
from tests.fakes.channels import FakeTransport


class Hearer:
    """A receiver that writes down what it is told."""

    def __init__(self) -> None:
        self.data = b""
        self.drains = 0

    def data_received(self, data: memoryview) -> None:
        self.data += data

    def drained(self) -> None:
        self.drains += 1


class Tls:
    """A transport over another, as TLS is."""

    wrappedProtocol = object()

    def __init__(self, below: FakeTransport) -> None:
        self.transport = below
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.calls.append(name)


class Transports(SynchronousTestCase):
    """A channel over a transport in memory."""

    def setUp(self) -> None:
        self.transport = FakeTransport()
        self.channel = TransportChannel(self.transport)
        self.hearer = Hearer()

    def test_not_read_before(self) -> None:
        """Nothing is read until the channel is started."""
        self.assertFalse(self.transport.reading)
        self.channel.start(self.hearer)
        self.assertTrue(self.transport.reading)

    def test_early_bytes(self) -> None:
        """Bytes that came with the handshake are told first."""
        self.channel.dataReceived(b"ear")
        self.channel.dataReceived(b"ly ")
        self.channel.start(self.hearer)
        self.channel.dataReceived(b"late")
        self.assertEqual(self.hearer.data, b"early late")

    def test_unsent(self) -> None:
        """What was written is unsent until the transport asks for more, which is told."""
        self.channel.start(self.hearer)
        self.channel.write([b"ab", memoryview(b"c")])
        self.channel.write([b"d"])
        self.assertEqual((self.channel.unsent, self.hearer.drains), (4, 0))
        self.assertEqual(self.transport.value(), b"abcd")
        self.transport.drain()
        self.assertEqual((self.channel.unsent, self.hearer.drains), (0, 1))

    def test_pause(self) -> None:
        """A paused channel is not read until it is resumed."""
        self.channel.start(self.hearer)
        self.channel.pause()
        self.channel.pause()
        self.assertFalse(self.transport.reading)
        self.channel.resume()
        self.channel.resume()
        self.assertTrue(self.transport.reading)

    def test_close(self) -> None:
        """A channel closes once everything is out, and takes no more in between."""
        self.channel.start(self.hearer)
        self.channel.write([b"last"])
        self.channel.close()
        self.channel.write([b"too late"])
        self.assertFalse(self.transport.disconnecting)
        self.transport.drain()
        self.assertTrue(self.transport.disconnecting)
        self.assertIsNone(self.transport.producer)
        self.assertEqual(self.transport.value(), b"last")

    def test_close_at_once(self) -> None:
        """A channel with nothing unsent closes at once."""
        self.channel.start(self.hearer)
        self.channel.close()
        self.assertTrue(self.transport.disconnecting)

    def test_finish(self) -> None:
        """A half-close waits for what is unsent, and the channel is read on."""
        self.channel.start(self.hearer)
        self.channel.write([b"last"])
        self.channel.finish()
        self.assertFalse(self.transport.half_closed)
        self.transport.drain()
        self.assertTrue(self.transport.half_closed)
        self.assertFalse(self.transport.disconnecting)
        self.channel.dataReceived(b"answer")
        self.assertEqual(self.hearer.data, b"answer")

    def test_close_after_finish(self) -> None:
        """A channel that was half-closed can be closed, also before its last byte is out."""
        self.channel.start(self.hearer)
        self.channel.write([b"last"])
        self.channel.finish()
        self.channel.close()
        self.transport.drain()
        self.assertTrue(self.transport.disconnecting)

    def test_finish_after_close(self) -> None:
        """A half-close after a close changes nothing."""
        self.channel.start(self.hearer)
        self.channel.write([b"last"])
        self.channel.close()
        self.channel.finish()
        self.transport.drain()
        self.assertTrue(self.transport.disconnecting)
        self.assertFalse(self.transport.half_closed)

    def test_abort(self) -> None:
        """An abort drops what is unsent; nothing is written or read after it."""
        self.channel.start(self.hearer)
        self.channel.write([b"x"])
        self.channel.abort()
        self.channel.write([b"y"])
        self.channel.resume()
        self.assertTrue(self.transport.aborted)
        self.assertEqual(self.transport.value(), b"x")

    def test_lost(self) -> None:
        """When the connection is lost nothing is unsent any more."""
        self.channel.start(self.hearer)
        self.channel.write([b"x"])
        self.channel.stopProducing()
        self.assertEqual(self.channel.unsent, 0)

    def test_below_tls(self) -> None:
        """Over TLS the channel asks the transport that has the descriptor, and closes by TLS."""
        bottom = FakeTransport()
        above = Tls(bottom)
        channel = TransportChannel(above)
        self.assertIs(bottom.producer, channel)
        channel.start(self.hearer)
        channel.write([b"x"])
        channel.close()
        self.assertEqual(above.calls, ["pauseProducing", "resumeProducing", "write"])
        bottom.drain()
        self.assertEqual(above.calls[-1], "loseConnection")
        self.assertIsNone(bottom.producer)

    def test_silence_is_unknown(self) -> None:
        """A peer whose kernel can't be asked is never called silent."""
        self.assertFalse(self.channel.peer_is_silent(0))


class Silence(SynchronousTestCase):
    """What TCP tells of its peer."""

    def test_living(self) -> None:
        """A peer that answers, or has nothing to answer, is not silent; nor is a unix socket or a closed one."""
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as one:
            other, _ = server.accept()
            one.sendall(b"x")
            self.assertEqual(other.recv(1), b"x")
            self.assertFalse(tcp_is_silent(one, 0))
            other.close()
        self.assertFalse(tcp_is_silent(one, 0))
        for each in socket.socketpair():
            self.assertFalse(tcp_is_silent(each, 0))
            each.close()

    def test_told_by_the_kernel(self) -> None:
        """A peer is silent after three retransmissions or probes in vain and so many seconds without an answer."""

        class Asked(socket.socket):
            answer = b""

            def getsockopt(self, *arguments: int) -> bytes:  # type: ignore[override]
                return self.answer

        def answer(retransmits: int, probes: int, milliseconds: int) -> bytes:
            return (
                bytes([1, 0, retransmits, probes, 0, 0, 0, 0])
                + bytes(48)
                + milliseconds.to_bytes(4, "little")
                + bytes(44)
            )

        with Asked() as asked:
            for told, silent in (
                (answer(3, 0, 45_000), True),
                (answer(0, 3, 45_000), True),
                (answer(2, 1, 46_000), True),
                (answer(2, 0, 45_000), False),
                (answer(3, 0, 44_999), False),
                (b"", False),
            ):
                asked.answer = told
                self.assertEqual(tcp_is_silent(asked, 45.0), silent)


class Acknowledged(SynchronousTestCase):
    """Bytes that a peer's kernel has taken."""

    def test_taken(self) -> None:
        """What the peer has acknowledged counts, byte by byte; of what is no TCP socket nothing is known."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            near, far = socket.create_connection(listener.getsockname()), listener.accept()[0]
        with near, far:
            before = there(tcp_acknowledged(near))
            for count in (1, 1000):
                near.sendall(bytes(count))
                self.assertEqual(len(far.recv(count, socket.MSG_WAITALL)), count)
                far.sendall(b"k")  # which acknowledges
                near.recv(1)
                self.assertEqual(there(tcp_acknowledged(near)) - before, count)
                before += count
        for each in socket.socketpair():
            self.assertIsNone(tcp_acknowledged(each))
            each.close()
        self.assertIsNone(tcp_acknowledged(near))


class Resets(SynchronousTestCase):
    """TCP connections that nobody reads."""

    def test_reset(self) -> None:
        """A reset shows; an end of file doesn't, nor do bytes that wait."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            near = [socket.create_connection(listener.getsockname()) for _ in range(3)]
            far = [listener.accept()[0] for _ in near]
        for connection in (*near, *far):
            self.addCleanup(connection.close)
        self.assertEqual([is_reset(connection) for connection in far], [False, False, False])
        near[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        near[0].close()
        near[1].sendall(b"request")
        near[1].shutdown(socket.SHUT_WR)
        near[2].close()
        self.assertEqual([is_reset(connection) for connection in far], [True, False, False])
