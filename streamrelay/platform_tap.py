"""``twistd -n streamplatform``"""

from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred

from streamrelay.api import site
from streamrelay.bus import as_deferred
from streamrelay.config import PlatformConfig
from streamrelay.grants import KeyRing
from streamrelay.options import ConfigOptions, Looped, listen, one_line
from streamrelay.platform import Platform


class Options(ConfigOptions):
    """Options of the platform; each overrides the setting of the same name in the file."""

    synopsis = "twistd [options] streamplatform --relay URL --key FILE --keys FILE"
    longdesc = "Authorises streams, mints tokens and summons agents: an HTTP API and a console page."
    many = {"listen": "listen", "nats": "nats"}
    one = {
        "relay": "relay",
        "relay-id": "relay_id",
        "tokens": "tokens",
        "key": "key",
        "keys": "keys",
        "nats-creds": "nats_creds",
        "ca": "ca",
        "idle": "idle",
        "lifetime": "lifetime",
        "quota": "quota",
    }
    numbers = frozenset({"idle", "lifetime", "quota"})
    optParameters = [
        ["config", "c", None, "A TOML file of settings."],
        ["relay", None, None, "The relay's public URL, for example wss://relay.example."],
        ["relay-id", None, None, "The relay's id, the audience of its tokens (default: relay)."],
        ["tokens", None, None, "signed (the default) or opaque."],
        ["key", None, None, "The file of the platform's private key (`streamrelay keygen`)."],
        ["keys", None, None, "The TOML file of users' keys and grants (`streamrelay key add`)."],
        ["nats-creds", None, None, "A NATS credentials file."],
        ["ca", None, None, "A file of certificates to trust for the bus in place of the system's."],
        ["idle", None, None, "Seconds without a byte after which a stream ends (default: 0, never)."],
        ["lifetime", None, None, "Seconds that a stream may live (default: 0, for ever)."],
        ["quota", None, None, "Bytes that a stream may carry, both ways together (default: 0, any number)."],
    ]
    optFlags = [
        ["debug", None, "Log more."],
        ["insecure", None, "Allow ws:// and nats:// without TLS beyond this machine."],
    ]

    def opt_listen(self, endpoint: str) -> None:
        """A Twisted endpoint to listen on; may be repeated (default: tcp:8800:interface=127.0.0.1)."""
        self.add("listen", endpoint)

    def opt_nats(self, url: str) -> None:
        """A URL of the bus, for example tls://nats.example; may be repeated."""
        self.add("nats", url)


class PlatformService(Service):
    """Starts and stops a platform with the reactor."""

    def __init__(self, platform: Platform, reactor: Any) -> None:
        self._platform, self._reactor = platform, reactor

    def startService(self) -> None:
        super().startService()
        self._reactor.callLater(0, self._platform.start)

    def stopService(self) -> "Deferred[None]":
        super().stopService()
        return as_deferred(self._platform.stop())


def makeService(options: Options) -> MultiService:
    """The platform and its listening ports."""
    from twisted.internet import reactor

    service = Looped(reactor)
    with one_line():
        config = options.config(PlatformConfig)
        ring = KeyRing(config.keys)
        ring.load()
        key = config.key if config.tokens == "signed" else ""
        platform = Platform(config.relay, config.nats, key, config.relay_id, config.nats_creds, config.ca, config)
        PlatformService(platform, reactor).setServiceParent(service)
        factory = site(platform, ring)
        for endpoint in config.listen:
            listen(endpoint, factory).setServiceParent(service)
    return service
