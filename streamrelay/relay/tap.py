"""``twistd -n streamrelay``"""

from typing import Any

from twisted.application.service import MultiService

from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.program.admin import Told, add_admin
from streamrelay.program.options import ConfigOptions, one_line
from streamrelay.program.service import Looped, Ports
from streamrelay.relay.config import LIVE, RelayConfig
from streamrelay.relay.metrics import RelayMetrics
from streamrelay.relay.service import Relay
from streamrelay.websocket.server import LegFactory


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
        metrics = RelayMetrics(relay, factory, ports.tls)
        add_admin(service, config, Told("relay", service.readiness, metrics.families), clock)

        def take(now: RelayConfig) -> None:
            relay.take(now)
            service.drain(relay, now.drain)

        started = options.started(config, live=LIVE, take=take)
        started.load()
        service.watch(*ports.files, relay.keys.files, started.files)
    return service
