"""Metrics of a platform's program."""

from collections import Counter
from collections.abc import Iterator
from typing import get_args

from attrs import define

from streamrelay.net.certificates import ServerTls
from streamrelay.platform.auth.sessions import Sessions
from streamrelay.platform.http.limits import BoundedSite
from streamrelay.platform.http.relays import UNKNOWN
from streamrelay.platform.http.tally import AnswerTally
from streamrelay.platform.platform import Platform
from streamrelay.program.metrics import Family, Limit, Values, certificates, counter, gauge, gauges, histogram, limits
from streamrelay.protocol.relay_state import State
from streamrelay.protocol.summons import State as HostState


@define(eq=False)
class PlatformMetrics:
    """Metrics of one platform, its API and its certificates."""

    platform: Platform
    site: BoundedSite
    tally: AnswerTally
    sessions: Sessions
    tls: ServerTls

    def families(self) -> Iterator[Family]:
        bus, about = self.platform.bus, "Answers of the API: ok, or the code of a problem"
        answers: Values = {asked: float(count) for asked, count in self.tally.count.items()}
        yield Family("streamrelay_platform_answers", "counter", about, ("method", "path", "code"), answers)
        opening = "From a request for a stream to its answer, if there is one"
        yield histogram("streamrelay_platform_opening_seconds", opening, self.tally.opening)
        yield gauge("streamrelay_platform_sessions", "Sessions of the console", len(self.sessions))
        yield gauge("streamrelay_bus_connected", "1 if there is a connection to NATS", float(bus.connected))
        yield counter("streamrelay_bus_losses", "Connections to NATS that were lost", bus.losses)
        yield gauges("streamrelay_platform_hosts", "Hosts that are known", "state", self._hosts())
        yield gauges("streamrelay_platform_relays", "Relays of the bus by what they say", "state", self._relays())
        yield certificates({"listen": self.tls.expiry, "bus": bus.expiry})
        yield from limits(self._limits())

    def _hosts(self) -> dict[str, int]:
        known = Counter(info.state for info in self.platform.inventory.hosts.values())
        return {state: known[state] for state in get_args(HostState)}

    def _relays(self) -> dict[str, int]:
        """Return how many relays are in which state; the one that the settings name isn't heard."""
        if self.platform.choice.fixed is not None:
            return {UNKNOWN: 1}
        heard = Counter(each.state.state for each in self.platform.choice.standing())
        return {state: heard[state] for state in get_args(State)}

    def _limits(self) -> list[Limit]:
        connections, handshakes, room = self.site.connections, self.site.handshakes, self.site.room
        found = []
        for name, lines in (("max_connections", connections), ("max_handshakes", handshakes)):
            from_one = f"{name}_per_address"
            found.append(Limit(name, getattr(room, name), lines.quota.count, lines.in_all.total))
            found.append(Limit(from_one, getattr(room, from_one), refused=lines.from_one.total))
        return found
