"""Ends that vanish without a word while the other end of their stream takes nothing: all is given back in time."""

import contextlib
import sys
import time
from pathlib import Path
from typing import Any

from tests.live.support.case import LiveTest
from tests.live.support.network import FarNetwork
from tests.live.support.processes import Program
from tests.live.support.promise import in_time
from tests.live.support.waiting import until
from tests.live.support.websockets import PlainLeg

GONE = 50.0
"""Seconds in which a vanished end is noticed."""
STUCK = 20.0
"""Seconds more for those who hear of it by the end that noticed, on a busy machine."""

TARGET = """
import socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("listens", flush=True)
kept = []
while True:
    connection, _ = listener.accept()
    kept.append(connection)
    if sys.argv[3] == "floods":
        connection.setblocking(False)
        try:
            while True:
                connection.send(bytes(65536))
        except BlockingIOError:
            connection.setblocking(True)
            import threading
            threading.Thread(target=connection.sendall, args=(bytes(1 << 26),), daemon=True).start()
"""

FLOOD = """
import sys
from tests.live.support.websockets import PlainLeg
leg = PlainLeg(open(sys.argv[1]).read())
print("open", flush=True)
for _ in range(4096):
    leg.send(bytes(65536))
"""

WATCH = """
import sys
from tests.live.support.websockets import websocket
leg = websocket(open(sys.argv[1]).read())
print("open", flush=True)
leg.recv()
"""


class Vanished(LiveTest):
    """A network namespace behind a bridge, which stops to carry anything while both its links stay up."""

    def setUp(self) -> None:
        super().setUp()
        self.network = FarNetwork(self)
        self.space = self.network.space

    def cut(self) -> None:
        """From now on no packet passes, and nobody is told."""
        self.network.cut()
        self.began = time.monotonic()

    def target(self, port: int, does: str, *space: str) -> None:
        command = (*space, sys.executable, "-c", TARGET, "127.0.0.1", str(port), does)
        self.program(f"target-{port}", *command).wait_for("listens")

    def still(self, *programs: Program) -> None:
        """Until nobody here is busy any more: whoever takes nothing has stopped all others."""

        def times() -> list[int]:
            return [sum(map(int, Path(f"/proc/{one.pid}/stat").read_text().split()[13:15])) for one in programs]

        def quiet() -> bool:
            before = times()
            time.sleep(1)
            return sum(times()) - sum(before) <= 2

        until(quiet, what="quiet")

    def ended(self, *programs: Program, count: int = 1) -> None:
        """Each of these says in time that its stream has ended, as the other end was lost."""
        for one in programs:
            left = self.began + GONE + STUCK - time.monotonic()
            until(lambda one=one: one.log.count(" ended: 4005") >= count, left, f"the end at {one.name}")

    def given_back(self, before: dict[Program, list[str]]) -> None:
        for one, descriptors in before.items():
            until(lambda: one.descriptors() == descriptors, what=f"the descriptors of {one.name}")  # noqa: B023

    def chain_to(self, **more: Any) -> Any:
        return self.chain(address=self.network.outside, agent="insecure = true\n", **more)

    def client(self, does: str, chain: Any, target: str, *space: str) -> None:
        """A client as a process: it sends without end, or waits for what comes."""
        name = f"client-of-{target.replace('/', '-')}"
        root = str(Path(__file__).resolve().parents[3])
        secret = self.folder / f"{name}.url"  # a command line is for everybody to see
        secret.write_text(self.open(chain, target))
        more = {"PYTHONPATH": root}
        client = self.program(name, *space, sys.executable, "-c", does, str(secret), environment=more)
        client.wait_for("open")

    def since_cut(self) -> tuple[float, float]:
        """The wall's seconds, also where others are asked for: what takes them is a timer, not this machine."""
        took = time.monotonic() - self.began
        return took, took

    def test_client(self) -> None:
        """A client that vanishes, also while its target reads nothing: relay and agent let it go in time."""
        own = self.chain_to()
        self.target(7101, "reads nothing")
        before = {one: one.descriptors() for one in (own.relay, own.agent)}
        self.client(FLOOD, own, "port/7101", *self.space)
        listener = self.listen()
        self.client(WATCH, own, listener.target, *self.space)
        quiet = listener.accept()
        self.still(own.relay, own.agent)
        beside = self.neighbour(*self.stream(own))
        self.cut()
        quiet.settimeout(GONE + STUCK)
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(quiet.recv(1), b"")
        in_time("client vanishes", *self.since_cut())
        self.ended(own.relay, own.agent, count=2)
        beside.finish()
        self.given_back(before)

    def test_host(self) -> None:
        """A host that vanishes, one of its clients not reading, one of its targets neither, one stream quiet: relay
        and agent let all of them go in time."""
        own = self.chain_to(space=self.space)
        self.target(7102, "reads nothing", *self.space)
        self.target(7103, "floods", *self.space)
        self.target(7104, "reads nothing", *self.space)
        before = {one: one.descriptors() for one in (own.relay, own.agent)}
        self.client(FLOOD, own, "port/7102")
        quiet = self.websocket(self.open(own, "port/7104"))
        deaf = PlainLeg(self.open(own, "port/7103"))
        self.addCleanup(deaf.socket.close)
        self.still(own.relay, own.agent)
        beside = self.neighbour(*self.both_legs(own))  # of another host
        self.cut()
        self.assert_closed(quiet, 4005, GONE + STUCK)
        in_time("host vanishes", *self.since_cut())
        self.ended(own.relay, own.agent, count=3)
        beside.finish()
        self.given_back({own.relay: before[own.relay]})
