"""endpoints.py: what an endpoint of `listen` doesn't say is added, and its port accepts some connections in a turn."""

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint, serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.program.endpoints import AT_ONCE, BACKLOG, InTurn, spelt_out


class SpeltOut(SynchronousTestCase):
    """Endpoints as Twisted gets them."""

    def made(self, endpoint: str) -> Any:
        kind, _, where = endpoint.partition(":")
        return serverFromString(reactor, spelt_out(kind, where))

    def test_backlog(self) -> None:
        """Thousands may wait to be accepted, unless it is told how many, by its name or in its place."""
        for endpoint, backlog in (
            *(("tcp:0", BACKLOG), ("tls:0", BACKLOG), ("tcp6:0", BACKLOG), ("tls:0:interface=\\:\\:1", BACKLOG)),
            *(("tcp:0:backlog=7", 7), ("tcp:0:127.0.0.1", BACKLOG), ("tcp:0:127.0.0.1:7", 7), ("tls:0::7", 7)),
        ):
            self.assertEqual(self.made(endpoint)._backlog, backlog, endpoint)
        self.assertEqual(self.made("unix:/run/x")._backlog, BACKLOG)

    def test_mode(self) -> None:
        """A unix socket is its owner's and group's, unless it is told otherwise, by its name or in its place."""
        for endpoint, mode in (("unix:/run/x", 0o660), ("unix:/run/x:mode=666", 0o666), ("unix:/run/x:600", 0o600)):
            self.assertEqual(self.made(endpoint)._mode, mode, endpoint)


class Accepted(SynchronousTestCase):
    """Connections as a port accepts them."""

    def test_in_turn(self) -> None:
        """However many wait, and however long, a turn of the reactor accepts some; what is dropped frees its descriptor
        before the next ones come, so a flood leaves some for others."""
        accepted: list[Any] = []
        factory = Factory.forProtocol(Protocol)
        self.patch(factory, "buildProtocol", accepted.append)
        port: Any = self.successResultOf(InTurn(TCP4ServerEndpoint(reactor, 0, 400, "127.0.0.1")).listen(factory))
        self.addCleanup(port.connectionLost, None)
        for _ in range(2 * AT_ONCE + 3):
            self.addCleanup(socket.create_connection(("127.0.0.1", port.getHost().port)).close)
        took = []
        for _ in range(5):
            port.doRead()
            took.append(len(accepted))
        self.assertEqual(took[:2], [AT_ONCE, 2 * AT_ONCE])
        self.assertEqual(took[-1], 2 * AT_ONCE + 3)
        for _ in range(3 * AT_ONCE):  # Twisted's own number grows with each turn that was full
            self.addCleanup(socket.create_connection(("127.0.0.1", port.getHost().port)).close)
        port.doRead()
        self.assertLessEqual(len(accepted) - took[-1], AT_ONCE)
