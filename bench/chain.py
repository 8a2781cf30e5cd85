"""What every whole chain is: a way from a TCP port of a host that only dials out to a TCP port beside the user.

Each is three programs (rathole: two): one on the host, one in public, one beside the user, both of whose ways to the
public one are encrypted. To the load a chain looks like a relay whose ends are plain TCP.
"""

import sys
from pathlib import Path
from typing import ClassVar

from bench.legs import End, Listener, Pair, dial
from bench.processes import Bench, Program, Unusable, free_port
from bench.relay import Relay

DELAY = Path(__file__).with_name("delay.py")


class Chain(Relay):
    """A chain: `far` is the port of the load at the host's end, `port` the one beside the user."""

    far: Listener
    port: int
    parts: dict[str, Program]
    """Whose CPU counts."""
    has_user: ClassVar[bool] = True
    """Whether it has a program beside the user."""
    has_pipe: ClassVar[bool] = True
    """Whether that program can be a connection on standard input and output."""

    def __init__(self, trip: float = 0.0, target: int = 0) -> None:
        """`trip`: seconds of a round trip from the host and from the user to what is public. `target`: the port at the
        host's end, if it isn't the load's own."""
        self.trip, self._target = trip, target
        self._delays: list[Program] = []

    def start(self, bench: Bench) -> None:
        self.far = Listener()
        self.parts = {}
        self.port = free_port()
        try:
            self.compose(bench)
        except Unusable:
            self.stop()
            raise
        self.far.forget(0.3 + 15 * self.trip)

    @property
    def aim(self) -> int:
        """The port that the host's end connects."""
        return self._target or self.far.port

    def compose(self, bench: Bench) -> None:
        """Start the three programs."""
        raise NotImplementedError

    def user(self, port: int) -> list[str]:
        """The command of one more program beside the user: with `port` it listens there, without it is one connection
        on standard input and output."""
        raise NotImplementedError

    def join(self, bench: Bench, count: int) -> list[int]:
        """Start so many more users' programs, and return their ports."""
        ports = [free_port() for _ in range(count)]
        more = {port: bench.start(f"{self.name}-user", self.another(port)) for port in ports}
        for port, part in more.items():
            part.wait_until_listening(port)
            self.parts[f"user at {port}"] = part
        self.far.forget(0.3 + 15 * self.trip)
        return ports

    def another(self, port: int) -> list[str]:
        """The command of another user's program."""
        return self.user(port)

    def reach(self, bench: Bench, port: int) -> int:
        """The port by which host and user get to a public one: itself, or one with the delay."""
        if not self.trip:
            return port
        through = free_port()
        delay = bench.start("delay", [sys.executable, str(DELAY), str(self.trip), f"{through}:{port}"])
        delay.wait_until_listening(through)
        self._delays.append(delay)
        return through

    def pair(self, agent_tls: bool = False, client_tls: bool = False, source: str = "") -> Pair:
        client = End(dial(self.port, source), False)
        return Pair(End(self.far.accept(), False), client)

    def cpu(self) -> float:
        return sum(part.cpu() for part in self.parts.values())

    def shares(self) -> dict[str, float]:
        return {name: part.cpu() for name, part in self.parts.items()}

    def stop(self) -> None:
        for part in (*reversed(self.parts.values()), *self._delays):
            part.stop()
        self.far.close()
