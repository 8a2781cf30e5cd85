"""A mistake in a program, planted by the test: it costs the stream in which it shows, and no other."""

import sys

from websockets.sync.client import ClientConnection

from streamrelay.protocol.tokens import new_id
from tests.live.support.case import LiveTest
from tests.live.support.ports import answers, free_port
from tests.live.support.promise import promised
from tests.live.support.waiting import WAIT, until

PLANTED = """
from streamrelay.websocket.connection import FramedConnection
from twisted.scripts.twistd import run
taken = FramedConnection._control_received
def mistaken(self, message):
    if b"planted" in message:
        raise RuntimeError("a mistake was planted")
    taken(self, message)
FramedConnection._control_received = mistaken
run()
"""


class Planted(LiveTest):
    """A relay with a mistake that one control message brings out."""

    def test_one_stream(self) -> None:
        """The stream ends with 1011, and is logged once with its traceback; a neighbour's goes on, new ones open."""
        port = free_port()
        relay = self.program(
            "relay",
            *(sys.executable, "-c", PLANTED, "-n", "--pidfile=", "streamrelay"),
            *("--tokens=opaque", f"--listen=tcp:{port}:interface=127.0.0.1"),
        )
        until(lambda: answers(port), what="the relay")  # which logs that it starts before it listens

        def pair() -> list[ClientConnection]:
            token = new_id()
            legs = [self.websocket(f"ws://127.0.0.1:{port}/{role}/{token}") for role in ("client", "agent")]
            self.assertIn("met", legs[1].recv(WAIT))
            return legs

        beside, struck = self.neighbour(*pair()), pair()
        with promised("mistake"):
            struck[0].send('{"planted":true}')
            self.assert_closed(struck[0], 1011)
            self.assert_closed(struck[1], 4005)
        beside.goes_on()
        new = pair()
        new[0].send(b"as before")
        self.assertEqual(new[1].recv(WAIT), b"as before")
        self.assertEqual(relay.log.count("it is closed with 1011"), 1)
        self.assertEqual(relay.log.count("Traceback"), 1, relay.log)
