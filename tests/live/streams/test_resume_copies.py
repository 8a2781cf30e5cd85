"""Copies by scp whose streams are cut again and again (protocol.rst, "Streams that resume"): not a byte is lost.

`STREAMRELAY_CUT_MIB`, 1024 for the full form, is how much is copied at most; there are 20 cuts of the relay in it then.
"""

import hashlib
import math
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.live.support.cuts import cutting, going_on, kill_relay
from tests.live.support.network import FarNetwork
from tests.live.support.pace import timed
from tests.live.support.ports import free_port
from tests.live.support.promise import kept
from tests.live.support.sockets import MIB, seeded
from tests.live.support.ssh import SshTest
from tests.live.support.waiting import WAIT, until

SIZE = int(os.environ.get("STREAMRELAY_CUT_MIB", "48"))
FULL = SIZE >= 1024
SECONDS = 60 if FULL else 10
"""Seconds that a copy without cuts takes at least, as scp limits it."""
LIMIT = SIZE * 8192 // SECONDS
"""Kbit/s of scp."""
LEAST = 20 if FULL else 2
"""Cuts that a copy must have seen."""
EVERY = 2 if FULL else 1
"""Seconds that a stream goes on between two of them."""
BLINKS = 3 if FULL else 1
"""Cuts of a network."""
NOTICED = 20.0
"""Seconds in which each of these is noticed."""
BUSY = 20.0
"""Seconds more for a busy machine; those of a stream that doesn't resume are 45."""
HELD = 120.0 + WAIT
"""Seconds in which an agent gives up a stream whose end a cut has swallowed (its setting `hold`)."""
TIME = 1200.0
"""Seconds of a copy at most."""


class Copies(SshTest):
    """scp by `streamrelay connect`."""

    size = SIZE

    def copy(self, cut: Callable[[], object], most: float = math.inf, up: bool = True, **more: object) -> str:
        """Copy a file while there are cuts; return words about it."""
        source, sink = self.folder / "source", self.folder / "sink"
        for at in range(0, self.size, 64):
            with source.open("ab") as file:
                file.write(seeded(min(64, self.size - at) * MIB, at + 1))
        there = f"{self.where}:"
        ends = (str(source), f"{there}{sink}") if up else (f"{there}{source}", str(sink))
        limits = ("-q", "-l", str(LIMIT))
        with timed() as passed, cutting(cut, EVERY, partial(going_on, self.own), most) as cuts:
            status, output, said = self.ssh("scp", *limits, *ends, seconds=TIME, **more)  # type: ignore[arg-type]
        took = passed()
        self.assertEqual((status, output), (0, b""), said)
        self.assertEqual(digest(sink), digest(source))
        silences = [float(one) for one in re.findall(rb"goes on after ([0-9.]+) s", said)]
        self.assertGreaterEqual(len(silences), min(most, LEAST))
        until(lambda: all(stream["waiting"] for stream in self.own.streams()), HELD, "no stream")
        words = (
            f"{self.size} MiB in {took:.0f} s; it went on {len(silences)} times, within {max(silences):.1f} s of a loss"
        )
        print(f"figure: scp {'up' if up else 'down'}: {words}; {cuts.count} faults")
        return words


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Killed(Copies):
    """A relay that is killed with -9 and started again again and again."""

    def setUp(self) -> None:
        super().setUp()
        self.start_with_sshd()

    def test_up(self) -> None:
        """A file that is sent comes whole, however often the relay is killed."""
        kept("copy, relay killed", self.copy(partial(kill_relay, self.own)))

    def test_down(self) -> None:
        """A file that is fetched comes whole, however often the relay is killed."""
        self.copy(partial(kill_relay, self.own), up=False)

    def test_no_bus(self) -> None:
        """A relay is killed while nats-server is away: the copy goes on once that is back."""
        turn = iter(range(1, 1000))

        def cut() -> None:
            if next(turn) % 3:
                kill_relay(self.own)
                return
            self.own.nats.stop()
            kill_relay(self.own)
            self.own.nats.start()

        self.copy(cut)


class Vanishing(Copies):
    """A network that vanishes, of which neither end is told. Each time that is noticed within 20 s."""

    size = min(SIZE, 256)

    def setUp(self) -> None:
        super().setUp()
        self.network = FarNetwork(self)

    def start_far(self, space: tuple[str, ...]) -> None:
        """Start all, the host in its network."""
        self.space = space
        port = free_port()
        options = (f"--listen=tcp:{port}:interface={self.network.outside}",)
        agent = "insecure = true\n"
        self.start_with_sshd(address=self.network.outside, agent=agent, space=space, platform_options=options)
        self.platform = f"http://{self.network.outside}:{port}"

    def blink(self) -> None:
        """For a moment nothing passes; then connections that stood are forgotten. Return when there is another one."""
        ports = until(lambda: self.network.ports(self.own.relay_port), what="a connection to the relay")
        self.network.cut()
        self.network.forget(ports)
        self.network.mend()
        until(lambda: set(self.network.ports(self.own.relay_port)) - set(ports), NOTICED + BUSY, "another connection")

    def test_client(self) -> None:
        """Of a client whose network forgets its connections the copy comes whole."""
        self.start_far(())
        words = self.copy(self.blink, BLINKS, space=self.network.space, options="--insecure")
        kept("copy, client's network", words)

    def test_host(self) -> None:
        """To a host whose network forgets its connections the copy comes whole."""
        self.start_far(self.network.space)
        words = self.copy(self.blink, BLINKS, up=False, options="--insecure")
        kept("copy, host's network", words)
