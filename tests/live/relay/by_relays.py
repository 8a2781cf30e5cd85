"""Streams of a chain with several relays, each of which may be picked."""

from typing import Any

from tests.live.support.case import LiveTest
from tests.live.support.sockets import take
from tests.live.support.waiting import WAIT


class ByRelays(LiveTest):
    """A chain of one's own, whose `relay_of` says by which relay a stream's URL leads."""

    own: Any

    def stream_by(self, relay: str) -> tuple[Any, Any]:
        """A stream by a relay that a platform has picked: the client's leg, and the target's connection."""
        while True:
            listener = self.listen()
            url = self.open(self.own, listener.target)
            leg = self.websocket(url, ca=str(self.folder / "ca.pem"))
            target = listener.accept()
            if self.own.relay_of(url) == relay:
                return leg, target
            leg.close()

    def carries(self, leg: Any, target: Any) -> None:
        leg.send(b"up")
        self.assertEqual(take(target, 2), b"up")
        target.sendall(b"down")
        self.assertEqual(leg.recv(WAIT), b"down")
