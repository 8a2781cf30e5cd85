"""Connections of the simulated network: when what is sent on them arrives."""

from collections.abc import Callable
from math import log
from random import Random
from typing import TYPE_CHECKING, Any

from attrs import define

from tests.simulation.scheduler import FOR_EVER
from tests.simulation.sockets import Address, Socket

if TYPE_CHECKING:
    from tests.simulation.kernel import Kernel


@define(eq=False)
class Wire:
    """One TCP connection: when what is sent on it arrives."""

    name: str
    kernel: "Kernel"
    random: Random
    dialled: Socket
    accepted: Socket
    address: Address
    """Address that was dialled."""
    silent_until: float = 0.0
    """Nothing arrives before that."""
    is_local: bool = False
    """True within one machine, which nothing from outside can cut off."""
    forgotten_by: str = ""
    """Machine that knows nothing of it, as it has lost its power."""

    def forget(self, host: str) -> None:
        """Let a machine that has lost its power know nothing of it any more."""
        self.silent_until, self.forgotten_by = FOR_EVER, host

    @property
    def is_silent(self) -> bool:
        return self.silent_until > self.kernel.scheduler.now

    def chance(self, of: float) -> bool:
        return bool(of) and self.random.random() < of

    def send(self, sender: Socket, work: Callable[..., Any], *args: Any, first: bool = False) -> None:
        """Let something arrive behind all that this socket has sent before; `first`: before what it sent since.

        It is on the way for half of what it takes on average, and exponentially more (by hand: this is much of a step).
        """
        kernel = self.kernel
        when = kernel.scheduler.now + kernel.weather.latency * (0.5 - log(1.0 - self.random.random()) / 2.0)
        if not first:
            if when < sender.arrives:
                when = sender.arrives
            sender.arrives = when
        kernel.scheduler.at(when, None, self._deliver, sender, work, args)

    def _deliver(self, sender: Socket, work: Callable[..., Any], args: tuple[Any, ...]) -> None:
        if self.silent_until == FOR_EVER:
            if self.forgotten_by in self.kernel.up:
                sender.reset()
            return
        scheduler = self.kernel.scheduler
        now = scheduler.now
        if self.silent_until > now:
            scheduler.at(self.silent_until, None, self._deliver, sender, work, args)
            return
        if sender.peer is not None:
            sender.peer.heard = sender.heard = now
        work(*args)
