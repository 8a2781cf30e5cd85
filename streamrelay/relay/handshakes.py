"""Handshakes at the relay: how many may be undone at once, and how many connections there may be."""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from streamrelay.errors import Refused
from streamrelay.logs import Seldom
from streamrelay.net.descriptors import allowed, spare
from streamrelay.net.proxies import Proxies
from streamrelay.net.quotas import ConnectionQuota, turned_away
from streamrelay.net.waiting_lines import WaitingLines
from streamrelay.relay.config import RelayConfig
from streamrelay.relay.waiting_room import Crowded
from streamrelay.websocket.admission import Handshake


@define(eq=False)
class Handshakes:
    """Handshakes that are under way or wait for their turn. `legs` tells how many connections are past theirs."""

    config: RelayConfig
    clock: IReactorTime
    proxies: Proxies
    legs: Callable[[], int]
    lines: WaitingLines = field(init=False)
    full: Seldom = field(init=False)

    def __attrs_post_init__(self) -> None:
        most, most_from_one = self.config.max_handshakes, self.config.max_handshakes_per_address
        self.lines = WaitingLines(self.clock, "max_handshakes", ConnectionQuota(most, most_from_one), most)
        own, most = self.config.max_connections, self.most
        held = f", of which the descriptors (LimitNOFILE) allow {most}" if most < own else ""
        self.full = turned_away(self.clock, f"max_connections = {own}{held}")

    @property
    def most(self) -> int:
        """Most connections at once, so many as there are descriptors for: over that nobody could be answered."""
        return min(self.config.max_connections, allowed())

    def begin(self, handshake: Handshake) -> bool:
        """Count a handshake in and return True, or put it in its address' line and return False; or raise `Refused`.

        429 if the line is full (then it is counted nowhere); 503 if there are too many in all. Some over the most
        connections may begin, to be told so by `check_room`: an answer before the request is read is lost in a reset.
        """
        bucket = self.proxies.bucket(handshake.address)
        begun = self.lines.begin(handshake, bucket)
        if begun and self._over > spare(self.most):
            self.full.count(bucket)
            raise Refused(503, "full")
        return begun

    def check_room(self, address: str | None) -> None:
        """Raise `Crowded` if a handshake that is done makes one connection too many."""
        if self._over > 0:
            self.full.count(self.proxies.bucket(address))
            raise Crowded(503, "full")

    @property
    def _over(self) -> int:
        return self.legs() + self.lines.count - self.most

    @property
    def count(self) -> int:
        """Number of handshakes that are undone, or wait."""
        return self.lines.count

    def end(self, handshake: Handshake, late: bool = False) -> None:
        """Count a handshake out, or out of its line; the next of its address begins. `late`: its time was over."""
        self.lines.end(handshake, late)

    def stop(self) -> None:
        """Say what wasn't said yet of those that waited or were turned away."""
        self.lines.stop()
        self.full.stop()
