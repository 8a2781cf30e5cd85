"""A peer that resets its connection, and how the kernel's one word of it is told."""

import asyncio
import select
import socket
import struct
from collections.abc import Callable
from typing import Any, cast

from attrs import define
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from streamrelay.datapath.plain import PlainConnection
from streamrelay.datapath.socket_channel import SocketChannel
from streamrelay.protocol.close import CloseCode, outcome
from tests.datapath.loopback import Descriptor, StepLoop
from tests.fakes.connections import Ear

RESET = outcome(CloseCode.TARGET_RESET)


@implementer(IHalfCloseableProtocol)
@define(eq=False)
class Side:
    """Twisted's protocol of a plain connection."""

    connection: PlainConnection
    dataReceived: Callable[[bytes], None] = lambda content: None

    def readConnectionLost(self) -> None:
        self.connection.eof_received()

    def writeConnectionLost(self) -> None: ...

    def connectionLost(self, reason: Failure) -> None:
        self.connection.connection_lost(reason.check(ConnectionDone) is not None)


class FoundByWriting(SynchronousTestCase):
    """A reset that is found as something is written, in the same turn of the loop in which the socket is readable."""

    def test_no_end_of_file(self) -> None:
        """The connection is reset, and no end of file comes before that: what was received is no whole."""
        listening = socket.create_server(("127.0.0.1", 0))
        far = socket.create_connection(listening.getsockname())
        near, _ = listening.accept()
        listening.close()
        near.setblocking(False)
        loop, ear = StepLoop(), Ear()
        transport = Descriptor(near, loop, cast(Any, None))
        channel = SocketChannel(transport, cast(asyncio.AbstractEventLoop, loop))
        connection = PlainConnection(channel, Clock(), RESET)
        transport.protocol = Side(connection)
        connection.join(ear, ear)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()
        poll = select.poll()
        poll.register(near, 0)
        poll.poll()
        loop.call_soon(connection.send, [memoryview(b"more")], 4)
        for _ in range(3):
            loop.step()
        self.assertEqual(ear.said, [("over", RESET), ("gone",)])
