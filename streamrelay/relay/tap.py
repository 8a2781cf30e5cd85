"""``twistd -n streamrelay``"""

from typing import TYPE_CHECKING, Any

from twisted.application.service import MultiService

from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.program.admin import Told, add_admin, no_bus
from streamrelay.program.options import ConfigOptions, one_line
from streamrelay.program.service import Looped, Ports
from streamrelay.relay.config import LIVE, RelayConfig
from streamrelay.relay.metrics import RelayMetrics
from streamrelay.relay.service import Relay
from streamrelay.websocket.server import LegFactory

if TYPE_CHECKING:
    from streamrelay.relay.presence import Presence


class Options(ConfigOptions):
    """Options of the relay; each overrides the setting of the same name in the file."""

    settings = RelayConfig
    synopsis = "[--platform-key FILE | --tokens opaque] [--listen ENDPOINT ...]"
    longdesc = "Pairs websocket legs by token and splices their bytes."
    fast_loop = True


def makeService(options: Options) -> MultiService:
    """The relay and its listening ports."""
    from twisted.internet import reactor

    clock: Any = reactor
    service = Looped(clock, options)
    with one_line():
        config = options.config(RelayConfig)
        relay = Relay(config, clock)
        relay.setServiceParent(service)
        service.drain(relay, config.drain)
        factory = LegFactory(clock, relay, Heartbeat(clock))
        ports = Ports(config, factory, clock, config.agent_ca)
        ports.setServiceParent(service)
        ports.follow(service.readiness)
        presence = _presence(service, relay, clock)
        metrics = RelayMetrics(relay, factory, ports.tls)
        told = Told(
            "relay", service.readiness, metrics.families, lambda: no_bus(not presence or presence.bus.connected)
        )
        add_admin(service, config, told, clock)

        def take(now: RelayConfig) -> None:
            relay.take(now)
            service.drain(relay, now.drain)

        started = options.started(config, live=LIVE, take=take)
        started.load()
        service.watch(*ports.files, relay.keys.files, started.files)
        if presence is not None:
            service.watch(presence.bus.files)
    return service


def _presence(service: Looped, relay: Relay, clock: Any) -> "Presence | None":
    """Give a relay its presence on the bus, if its settings name one; else nothing of the bus is loaded."""
    if not relay.config.nats:
        return None
    from streamrelay.relay.presence import Presence

    presence = Presence(relay, clock, service.readiness)
    presence.setServiceParent(service)
    return presence
