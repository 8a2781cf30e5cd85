"""Clients that are told of a relay of the bus before it is known whether their hosts can reach it."""

import contextlib
import http.client
import json
import socket

from streamrelay.protocol.names import JSON_LINES
from tests.live.relay.test_many_relays import RelayCase
from tests.live.support.chain import HOST
from tests.live.support.secrets import SUITE
from tests.live.support.sockets import take
from tests.live.support.waiting import WAIT, Work


class Early(RelayCase):
    """Clients that are told a URL before their agents have answered, when no relay of a zone can be reached."""

    def setUp(self) -> None:
        super().setUp()
        self.listener = self.listen()
        self.own.cut_off("fra-1", "fra-2")

    def accept(self) -> socket.socket:
        """The target's connection of the attempt that came to something, once it has "up"; those before were reset."""
        while True:
            target = self.listener.accept()
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(take(target, 2), b"up")
                return target

    def left(self) -> int:
        """How often the agent was sent where no relay is."""
        return self.own.platform.log.count("can't use relay fra")

    def test_lines(self) -> None:
        """The last line names another relay than the first, and the same stream; its URL is the one that is good."""
        connection = http.client.HTTPConnection("127.0.0.1", self.own.platform_port, timeout=WAIT)
        self.addCleanup(connection.close)
        headers = {"Authorization": f"Bearer {self.own.key}", "Content-Type": "application/json", "Accept": JSON_LINES}
        body = json.dumps({"host": HOST, "target": self.listener.target, "zone": "fra"})
        connection.request("POST", "/v1/streams", body, headers)
        answer = connection.getresponse()
        first, last = (json.loads(answer.readline()) for _ in range(2))
        for told in (first, last):
            SUITE.token(told["url"])
        self.assertIn(self.own.relay_of(first["url"]), ("fra-1", "fra-2"))
        self.assertEqual((self.own.relay_of(last["url"]), last["stream"]), ("nyc-1", first["stream"]))
        leg = self.websocket(last["url"], ca=str(self.folder / "ca.pem"))
        leg.send(b"up")
        self.accept().sendall(b"down")
        self.assertEqual(leg.recv(WAIT), b"down")

    def test_native(self) -> None:
        """The native client leaves the relay that it was told first, and comes by the one of the last line."""
        ca = {"STREAMRELAY_CA": str(self.folder / "ca.pem")}
        words = ("connect", HOST, self.listener.target, "--zone", "fra")
        client = Work(lambda: self.own.streamrelay(*words, given=b"up", more=ca))
        target = self.accept()
        target.sendall(b"down")
        target.close()
        done = client.result()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"down", b""))
        self.assertGreater(self.left(), 0)
