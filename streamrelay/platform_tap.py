"""``twistd -n streamplatform``"""

from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred

from streamrelay.api import site
from streamrelay.ask import Asking
from streamrelay.attempts import Attempts
from streamrelay.bus import as_deferred
from streamrelay.config import OidcConfig, PlatformConfig
from streamrelay.fetch import HttpFetch
from streamrelay.gate import Gate
from streamrelay.grants import KeyRing
from streamrelay.jwks import FetchedKeys, FileKeys, PublicKeys
from streamrelay.oidc import Issuer
from streamrelay.options import ConfigOptions, Looped, listen, one_line
from streamrelay.platform import Platform
from streamrelay.sessions import Sessions


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
    }
    optParameters = [
        ["config", "c", None, "A TOML file of settings."],
        ["relay", None, None, "The relay's public URL, for example wss://relay.example."],
        ["relay-id", None, None, "The relay's id, the audience of its tokens (default: relay)."],
        ["tokens", None, None, "signed (the default) or opaque."],
        ["key", None, None, "The file of the platform's private key (`streamrelay keygen`)."],
        ["keys", None, None, "The TOML file of users' keys and grants (`streamrelay key add`)."],
        ["nats-creds", None, None, "A NATS credentials file."],
        ["ca", None, None, "A file of certificates to trust for the bus in place of the system's."],
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


def gate(config: PlatformConfig, reactor: Any) -> Gate:
    """Who may use the API, by the settings; or `ConfigError`."""
    ring = KeyRing(config.keys)
    ring.load()
    sessions = Sessions(reactor, config.sessions.idle, config.sessions.life)
    made = Gate(ring, sessions, Attempts(reactor))
    if config.oidc is not None:
        made.issuer = Issuer(config.oidc, _public_keys(config.oidc, reactor))
    if config.ask is not None:
        made.asking = Asking(config.ask, HttpFetch(reactor, config.ask.ca))
    return made


def _public_keys(oidc: OidcConfig, reactor: Any) -> PublicKeys:
    if "://" in oidc.jwks:
        return FetchedKeys(oidc.jwks, HttpFetch(reactor, oidc.ca), reactor, oidc.fresh, oidc.stale)
    keys = FileKeys(oidc.jwks)
    keys.load()
    return keys


def makeService(options: Options) -> MultiService:
    """The platform and its listening ports."""
    from twisted.internet import reactor

    service = Looped(reactor)
    with one_line():
        config = options.config(PlatformConfig)
        key = config.key if config.tokens == "signed" else ""
        platform = Platform(config.relay, config.nats, key, config.relay_id, config.nats_creds, config.ca)
        PlatformService(platform, reactor).setServiceParent(service)
        factory = site(platform, gate(config, reactor))
        for endpoint in config.listen:
            listen(endpoint, factory).setServiceParent(service)
    return service
