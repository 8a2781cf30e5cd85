"""early_leg.py, known_relay.py: what `streamrelay connect` does at its next start with the relay that it knows."""

import json
import socket
import subprocess
from typing import Any

from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, shared
from tests.live.support.ports import free_port
from tests.live.support.processes import PROGRAMS, environment, links
from tests.live.support.sockets import CONNECTED, table
from tests.live.support.waiting import WAIT, Work, until


def connected(pid: int, port: int) -> bool:
    """Tell whether a process has a connection to a port of this machine."""
    own, end = links(pid), f"0100007F:{port:04X}"
    return any((far, state) == (end, CONNECTED) and f"socket:[{number}]" in own for _, far, state, number in table())


class EarlyDial(LiveTest):
    """A client whose platform is reached by a port that the test serves."""

    def setUp(self) -> None:
        super().setUp()
        self.common, self.way, self.target = shared(tls=True), self.listen(), self.listen()
        self.file = self.folder / "streamrelay/relays.json"
        self.platform = f"http://127.0.0.1:{self.way.port}"

    def start(self, **more: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [str(PROGRAMS / "streamrelay"), "connect", HOST, self.target.target],
            env=environment(
                STREAMRELAY_PLATFORM=self.platform,
                STREAMRELAY_KEY=self.common.key,
                STREAMRELAY_CA=str(self.common.ca),
                **{"STREAMRELAY_EARLY_DIAL": "auto", "XDG_CACHE_HOME": str(self.folder), **more},
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def let_through(self, near: socket.socket) -> None:
        """Carry a connection to the platform, both ways."""
        far = socket.create_connection(("127.0.0.1", self.common.platform_port), WAIT)
        self.addCleanup(far.close)

        def carry(one: socket.socket, other: socket.socket) -> None:
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

        for ends in ((near, far), (far, near)):
            Work(carry, *ends)

    def ends_well(self, process: "subprocess.Popen[bytes]") -> None:
        """The stream opens, brings what the target says, and nothing is said about it."""
        target = self.target.accept()
        target.sendall(b"hello")
        target.close()
        self.assertEqual((*process.communicate(b"", WAIT), process.returncode), (b"hello", b"", 0))

    def known(self) -> Any:
        return json.loads(self.file.read_bytes())

    def test_known(self) -> None:
        """The first stream's relay is noted for its user alone; the next client connects it before the platform has
        answered, and its stream opens as ever."""
        first = self.start()
        self.let_through(self.way.accept())
        self.ends_well(first)
        self.assertEqual(self.known(), {self.platform: self.common.relay_url})
        self.assertEqual((self.file.stat().st_mode & 0o777, self.file.parent.stat().st_mode & 0o777), (0o600, 0o700))
        noted = self.file.stat().st_ino
        second = self.start()
        asked = self.way.accept()
        until(lambda: connected(second.pid, self.common.relay_port), what="the connection to the relay")
        self.let_through(asked)
        self.ends_well(second)
        self.assertEqual(self.file.stat().st_ino, noted)  # and is not written again

    def test_wrong(self) -> None:
        """Where the relay that is known is dead or another one than the platform names, that hears TLS' first words and
        no more, the stream opens as ever, and the right one is known from then on."""
        other = self.listen()
        for relay in (f"wss://localhost:{free_port()}", f"wss://localhost:{other.port}"):
            self.file.parent.mkdir(exist_ok=True)
            self.file.write_text(json.dumps({self.platform: relay}))
            process = self.start()
            asked = self.way.accept()
            if relay.endswith(f":{other.port}"):
                hello = other.accept().recv(65536)
                self.assertEqual((hello[:1], b"HTTP" in hello), (b"\x16", False))  # TLS' first words, and no others
            self.let_through(asked)
            self.ends_well(process)
            self.assertEqual(self.known(), {self.platform: self.common.relay_url})

    def test_off(self) -> None:
        """Nothing is noted by who doesn't want it, or can't."""
        blocked = self.folder / "file"
        blocked.touch()
        for more in ({"STREAMRELAY_EARLY_DIAL": "none"}, {"XDG_CACHE_HOME": str(blocked)}):
            process = self.start(**more)
            self.let_through(self.way.accept())
            self.ends_well(process)
        self.assertEqual((self.file.exists(), blocked.read_bytes()), (False, b""))
