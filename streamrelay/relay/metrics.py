"""Metrics of a relay."""

from collections.abc import Iterator

from attrs import define

from streamrelay.net.certificates import ServerTls
from streamrelay.program.metrics import Family, Limit, certificates, counters, gauge, gauges, histogram, limits
from streamrelay.protocol.close import OUTCOMES
from streamrelay.relay.service import Relay
from streamrelay.websocket.refusal_words import WORDS
from streamrelay.websocket.server import LegFactory

_ROLES = ("client", "agent")


@define(eq=False)
class RelayMetrics:
    """Metrics of one relay, its port of legs, and its certificates."""

    relay: Relay
    factory: LegFactory
    tls: ServerTls

    def families(self) -> Iterator[Family]:
        relay, tally = self.relay, self.relay.tally
        yield gauge("streamrelay_relay_streams", "Streams that live: pairs of legs", relay.streams)
        yield counters("streamrelay_relay_streams_ended", "Streams by how they ended", "outcome", tally.ended, OUTCOMES)
        yield counters(
            "streamrelay_relay_bytes", "Bytes of streams, up to the agents and down", "direction", tally.bytes
        )
        waiting = relay.rendezvous.waiting_by_role
        yield gauges("streamrelay_relay_legs_waiting", "Legs that wait for the other one", "role", waiting)
        unmet = "Legs whose patience ended before the other one came"
        yield counters("streamrelay_relay_legs_unmet", unmet, "role", tally.unmet, _ROLES)
        refused = "Requests and connections that were refused before 101"
        yield counters("streamrelay_relay_refusals", refused, "reason", self.factory.refused, WORDS)
        yield histogram("streamrelay_relay_pairing_seconds", "How long the first leg of a pair waited", tally.pairing)
        yield certificates({"listen": self.tls.expiry})
        yield from limits(self._limits())

    def _limits(self) -> list[Limit]:
        relay, config, lines = self.relay, self.relay.config, self.relay.handshakes.lines
        connections = len(relay.legs) + lines.count
        from_one, waiting = config.max_handshakes_per_address, config.max_waiting_per_address
        return [
            Limit("max_connections", relay.handshakes.most, connections, relay.handshakes.full.total),
            Limit("max_handshakes", config.max_handshakes, lines.quota.count, lines.in_all.total),
            Limit("max_handshakes_per_address", from_one, refused=lines.from_one.total),
            Limit("max_waiting_per_address", waiting, refused=relay.crowded.total),
            Limit("stall_limit", config.stall_limit, refused=relay.tally.stalled),
        ]
