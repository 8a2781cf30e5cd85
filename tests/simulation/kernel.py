"""Who listens where in the simulated world, and how connections between machines are made and broken."""

import errno
from collections.abc import Callable
from random import Random
from typing import Any, Final

from attrs import define, field

from tests.simulation.scheduler import FOR_EVER, Scheduler
from tests.simulation.sockets import Address, Owner, Socket
from tests.simulation.wires import Wire
from tests.simulation.wiretap import Tap

JITTER: Final = 2e-5
"""Seconds in which a program is told what its kernel knows."""

RELAYS: Final = "10.0.1."
"""What the addresses of relays begin with, to which alone one goes by the network."""

Accept = Callable[[Socket, Address], None]


@define
class Weather:
    """How a network behaves that has no fault."""

    latency: float = 0.001
    """Seconds on the way, on average."""
    room: int = 65536
    """Bytes of one direction that kernels hold."""
    short: float = 0.1
    """How often a kernel takes or brings fewer bytes than it could."""


@define(eq=False)
class Kernel:
    """The kernels of all machines, and the network between them."""

    scheduler: Scheduler
    seed: int
    weather: Weather = field(factory=Weather)
    say: Callable[[str], None] = lambda line: None
    wires: dict[str, Wire] = field(factory=dict)
    """Connections of which one end is open, by their names."""
    gone: dict[str, float] = field(factory=dict)
    """Machines that answer nothing, and until when."""
    up: set[str] = field(factory=set)
    """Machines on which a process runs."""
    _ears: dict[Address, tuple[Owner, Accept]] = field(factory=dict)
    _numbers: int = 1000
    _jitter: Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._jitter = Random(self.seed)

    def socket(self, owner: Owner) -> Socket:
        self._numbers += 1
        sock = owner.sockets[self._numbers] = Socket(self, owner, self._numbers)
        return sock

    def soon(self, sock: Socket, work: Callable[[], Any]) -> None:
        """Let a process hear of one of its sockets."""
        scheduler = self.scheduler
        scheduler.at(scheduler.now + JITTER * self._jitter.random(), sock.owner, work)

    def listen(self, owner: Owner, address: Address, accept: Accept) -> None:
        self._ears[address] = owner, accept

    def deafen(self, owner: Owner) -> None:
        """Let a process, which ends, listen nowhere."""
        for address in [address for address, (listener, _) in self._ears.items() if listener is owner]:
            del self._ears[address]

    def connect(self, sock: Socket, address: Address) -> None:
        owner = sock.owner
        owner.ports += 1
        sock.address = owner.host, 40_000 + owner.ports
        sock.name = f"{owner.name}:{owner.ports}"
        dice = Random(f"{self.seed} {sock.name}")
        wire = Wire(f"{sock.name}", self, dice, sock, Socket(self, owner, 0), address)
        wire.is_local = not address[0].startswith(RELAYS)
        wire.silent_until = (
            0.0 if wire.is_local else max(self.gone.get(owner.host, 0.0), self.gone.get(address[0], 0.0))
        )
        sock.wire = wire
        wire.send(sock, self._syn, wire)

    def _syn(self, wire: Wire) -> None:
        sock, (owner, accept) = wire.dialled, self._ears.get(wire.address, (None, None))
        if sock.closed:
            return
        if owner is None or accept is None:
            self.say(f"{sock.name} is refused at {wire.address[0]}:{wire.address[1]}")
            sock.error = errno.ECONNREFUSED
            sock.broken = True
            wire.send(sock, sock.wake)
            return
        wire.accepted = far = self.socket(owner)
        far.name, far.wire, far.address = f"{wire.name}>{owner.name}", wire, wire.address
        far.peer, sock.heard, far.heard = sock, self.scheduler.now, self.scheduler.now
        self.wires[wire.name] = wire
        if not wire.is_local:
            sock.tap, far.tap = Tap(sock.name, masked=True), Tap(far.name, masked=False)
        self.scheduler.at(self.scheduler.now, owner, accept, far, sock.address)
        wire.send(far, self._established, wire)

    def _established(self, wire: Wire) -> None:
        sock = wire.dialled
        if sock.closed:  # given up meanwhile
            wire.accepted.reset()
            return
        self.say(f"{sock.name} is connected to {wire.accepted.owner.name}")
        sock.peer = wire.accepted
        sock.wake()

    def closed(self, sock: Socket) -> None:
        wire = sock.wire
        if wire is not None and wire.dialled.closed and wire.accepted.closed:
            self.wires.pop(wire.name, None)

    # -- faults ----------------------------------------------------------------------------------------------

    def cut(self, wire: Wire) -> None:
        """Break a connection as something between its ends does, so that both are told."""
        wire.dialled.reset()
        wire.accepted.reset()

    def half_open(self, wire: Wire, dialled: bool) -> None:
        """Let one end have no connection any more of which the other hears nothing."""
        (wire.dialled if dialled else wire.accepted).reset()
        wire.silent_until = FOR_EVER

    def silence(self, wire: Wire, seconds: float) -> None:
        """Let nothing that is sent arrive for a time."""
        wire.silent_until = max(wire.silent_until, self.scheduler.now + seconds)

    def isolate(self, host: str, seconds: float) -> None:
        """Let a machine hear nothing and be heard by nobody for a time."""
        self.gone[host] = until = self.scheduler.now + seconds
        for wire in list(self.wires.values()):
            if not wire.is_local and host in (wire.dialled.owner.host, wire.accepted.owner.host):
                wire.silent_until = max(wire.silent_until, until)
