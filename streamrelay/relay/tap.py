"""``twistd -n streamrelay``"""

import gc
from typing import Any

from twisted.application.service import MultiService

from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.program.options import ConfigOptions, one_line
from streamrelay.program.service import Looped, Ports
from streamrelay.relay.config import RelayConfig
from streamrelay.relay.service import Relay
from streamrelay.websocket.server import LegFactory


class Options(ConfigOptions):
    """Options of the relay; each overrides the setting of the same name in the file."""

    synopsis = "twistd [options] streamrelay [--platform-key FILE | --tokens opaque] [--listen ENDPOINT ...]"
    longdesc = "Pairs websocket legs by token and splices their bytes."
    fast_loop = True
    many = {
        "listen": "listen",
        "origin": "origin",
        "platform-key": "platform_key",
        "certificate": "certificates",
        "proxy": "proxies",
    }
    one = {"tokens": "tokens", "patience": "patience", "id": "id", "agent-ca": "agent_ca"}
    flags = ("insecure", "proxy-protocol")
    numbers = frozenset({"patience"})
    optParameters = [
        ["config", "c", None, "A TOML file of settings."],
        ["tokens", None, None, "signed (JWTs of a platform; the default) or opaque."],
        ["patience", None, None, "Seconds that a leg waits for the other; 0 is strict (default: 30)."],
        ["id", None, None, "The audience of this relay's tokens (default: relay)."],
        ["agent-ca", None, None, "Certificates; an agent must show one that they have signed, in its host's name."],
    ]
    optFlags = [
        ["debug", None, "Log more."],
        ["insecure", None, "Allow ports without TLS beyond this machine."],
        ["proxy-protocol", None, "The proxies begin each connection with a PROXY header, version 2."],
    ]

    def opt_listen(self, endpoint: str) -> None:
        """Where to listen: tls:443, tcp:8780:interface=127.0.0.1, unix:/run/streamrelay.sock; may be repeated
        (default: tcp:8780:interface=127.0.0.1)."""
        self.add("listen", endpoint)

    def opt_certificate(self, pair: str) -> None:
        """A certificate for tls: ports, as CERTIFICATE,KEY (PEM files; one file may hold both); may be repeated."""
        self.add("certificate", pair)

    def opt_proxy(self, network: str) -> None:
        """A proxy whose word about a client's address is taken, for example 10.0.0.0/8, or unix; may be repeated."""
        self.add("proxy", network)

    def opt_origin(self, origin: str) -> None:
        """An origin whose pages may connect, for example https://panel.example; may be repeated."""
        self.add("origin", origin)

    def opt_platform_key(self, file: str) -> None:
        """A file with a platform's public key; may be repeated."""
        self.add("platform-key", file)


def makeService(options: Options) -> MultiService:
    """The relay and its listening ports."""
    from twisted.internet import reactor

    clock: Any = reactor
    service = Looped(clock, options)
    with one_line():
        config = options.config(RelayConfig)
        relay = Relay(config, clock)
        relay.setServiceParent(service)
        factory = LegFactory(clock, relay, Heartbeat(clock))
        ports = Ports(config, factory, clock, config.agent_ca)
        ports.setServiceParent(service)
        service.watch(*ports.files)
    gc.freeze()  # what was loaded stays: it needn't be looked at again at every collection
    return service
