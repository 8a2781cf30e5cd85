"""``twistd -n streamrelay``"""

import gc
from typing import Any

from twisted.application.service import MultiService

from streamrelay.config import RelayConfig
from streamrelay.options import ConfigOptions, Looped, listen, one_line
from streamrelay.pulse import Pulse
from streamrelay.relay import Relay
from streamrelay.websocket import LegFactory


class Options(ConfigOptions):
    """Options of the relay; each overrides the setting of the same name in the file."""

    synopsis = "twistd [options] streamrelay [--platform-key FILE | --tokens opaque] [--listen ENDPOINT ...]"
    longdesc = "Pairs websocket legs by token and splices their bytes."
    fast_loop = True
    many = {"listen": "listen", "origin": "origin", "platform-key": "platform_key"}
    one = {"tokens": "tokens", "patience": "patience", "id": "id"}
    numbers = frozenset({"patience"})
    optParameters = [
        ["config", "c", None, "A TOML file of settings."],
        ["tokens", None, None, "signed (JWTs of a platform; the default) or opaque."],
        ["patience", None, None, "Seconds that a leg waits for the other; 0 is strict (default: 30)."],
        ["id", None, None, "The audience of this relay's tokens (default: relay)."],
    ]
    optFlags = [["debug", None, "Log more."]]

    def opt_listen(self, endpoint: str) -> None:
        """A Twisted endpoint to listen on, for example tcp:8780, ssl:443:privateKey=key.pem:certKey=cert.pem,
        unix:/run/streamrelay.sock; may be repeated (default: tcp:8780:interface=127.0.0.1)."""
        self.add("listen", endpoint)

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
    service = Looped(clock)
    with one_line():
        config = options.config(RelayConfig)
        relay = Relay(config, clock)
        relay.setServiceParent(service)
        factory = LegFactory(clock, relay, Pulse(clock))
        for endpoint in config.listen:
            listen(endpoint, factory).setServiceParent(service)
    gc.freeze()  # what was loaded stays: it needn't be looked at again at every collection
    return service
