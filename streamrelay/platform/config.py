"""The settings of ``twistd streamplatform``."""

from typing import Annotated, Final, Literal

from msgspec import Meta

from streamrelay.bus.settings import check_bus
from streamrelay.net.outbound import check_outbound
from streamrelay.net.proxies import Proxies
from streamrelay.platform.auth.oidc import OidcConfig
from streamrelay.platform.auth.sessions import SessionsConfig
from streamrelay.platform.auth.webhook import AskConfig
from streamrelay.program.relay_urls import check_pattern
from streamrelay.program.settings import Option
from streamrelay.program.shared_settings import (
    AdminExposed,
    AdminListener,
    Certificates,
    Debug,
    NatsCertificate,
    NatsCreds,
    NatsHandshakeFirst,
    NatsNkey,
    NatsUrls,
    NoProxy,
    OutboundLogin,
    OutboundUrl,
    ProxyNetworks,
    ProxyProtocol,
)
from streamrelay.program.validation import (
    check_admin,
    check_encrypted,
    check_http,
    check_listening,
    check_origin,
    check_relay,
)
from streamrelay.protocol.fields import Host
from streamrelay.protocol.limits import Bytes, Limits, Seconds

LIVE: Final = ("origin", "relays", "early", "idle", "lifetime", "quota")
"""Settings that count as soon as the file is read again, for requests that come from then on."""


class PlatformConfig(Limits, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of ``twistd streamplatform``; its limits go into tokens and summonses."""

    relay: Annotated[str, Option("The relay's public URL, for agents and clients: wss://host[:port][/prefix]")] = ""
    relays: tuple[str, ...] = ()
    """In its place, patterns of the URLs that relays on the bus may have, of which one is picked for each stream:
    wss://*.relay.example."""
    listen: Annotated[
        tuple[str, ...], Option("Where to listen: tls:443, tcp:8800:interface=127.0.0.1, unix:/run/streamplatform.sock")
    ] = ("tcp:8800:interface=127.0.0.1",)
    certificates: Certificates = ()
    proxies: ProxyNetworks = ()
    proxy_protocol: ProxyProtocol = False
    origin: Annotated[
        tuple[str, ...], Option("An origin whose pages may use the API with a key, for example https://panel.example")
    ] = ()
    relay_id: Annotated[Host, Option("The relay's id, the audience of its tokens")] = "relay"
    nats: NatsUrls = ("nats://127.0.0.1:4222",)
    nats_creds: NatsCreds = ""
    nats_nkey: NatsNkey = ""
    nats_certificate: NatsCertificate = ""
    nats_handshake_first: NatsHandshakeFirst = False
    tokens: Annotated[Literal["signed", "opaque"], Option("signed or opaque, of tokens and summonses")] = "signed"
    key: Annotated[str, Option("The file of the platform's private key (`streamrelay keygen`)")] = ""
    keys: Annotated[str, Option("The TOML file of users' keys and grants (`streamrelay key add`)")] = ""
    ca: Annotated[str, Option("A file of certificates to trust for the bus in place of the system's")] = ""
    outbound_proxy: OutboundUrl = ""
    outbound_login: OutboundLogin = ""
    no_proxy: NoProxy = ()
    idle: Annotated[Seconds, Option("Seconds without a byte after which a stream ends; 0: never")] = 0
    lifetime: Annotated[Seconds, Option("Seconds that a stream may live; 0: for ever")] = 0
    quota: Annotated[Bytes, Option("Bytes that a stream may carry, both ways together; 0: any number")] = 0
    debug: Debug = False
    insecure: Annotated[bool, Option("Allow ws://, http:// and nats:// without TLS beyond this machine")] = False
    oidc: OidcConfig | None = None
    """An issuer whose JWTs are accepted."""
    ask: AskConfig | None = None
    """A system that decides each request."""
    sessions: SessionsConfig = SessionsConfig()
    """Time for which somebody stays signed in at the console page."""
    early: bool = True
    """False if the relay has ``patience = 0``: then no client is told its URL before its agent waits there."""
    state: Annotated[str, Option("A directory of this platform's own, for what it knows of hosts that are down")] = ""
    """Empty: the one that systemd has made (``StateDirectory=``)."""
    viewers: Annotated[str, Option("A folder of third-party viewers to serve in place of those of the package")] = ""
    max_connections: Annotated[int, Meta(ge=0)] = 0
    """Connections at once, over which idle ones are closed and new ones dropped; 0: as the descriptors allow."""
    max_connections_per_address: Annotated[int, Meta(ge=1)] = 200
    """Connections at once from one address (of IPv6, a /64), over which idle ones of it are closed and new ones
    dropped; proxies are exempt."""
    max_handshakes: Annotated[int, Meta(ge=1)] = 500
    """Connections at once whose request isn't whole, TLS' handshake included, over which new ones are dropped."""
    max_handshakes_per_address: Annotated[int, Meta(ge=1)] = 100
    """Connections at once from one address whose request isn't whole, over which new ones are dropped; proxies are
    exempt."""
    admin: AdminListener = ""
    admin_exposed: AdminExposed = False

    def __post_init__(self) -> None:
        check_admin(self.admin, self.admin_exposed)
        for origin in self.origin:
            check_origin(origin)
        check_listening(self.listen, self.certificates, self.insecure)
        Proxies.named(self.proxies, self.proxy_protocol)
        if self.oidc is not None and "://" in self.oidc.jwks:
            check_http("oidc.jwks", self.oidc.jwks, self.insecure)
        if self.ask is not None:
            check_http("ask.url", self.ask.url, self.insecure)
        self._check_relays()
        if not self.keys:
            raise ValueError("no file of keys; give --keys FILE (`streamrelay key add` writes it)")
        if self.tokens == "signed" and not self.key:
            raise ValueError("signing needs --key FILE (`streamrelay keygen` makes it); or use --tokens opaque")
        check_bus(self)
        check_outbound(self)

    def _check_relays(self) -> None:
        if self.relay and self.relays:
            raise ValueError("relay and relays are both set; it is one relay, or those on the bus")
        if self.relay:
            check_relay(self.relay)
            check_encrypted(self.relay, self.insecure)
        elif not self.relays:
            raise ValueError("no relay is set; give --relay, or setting relays for those on the bus")
        elif self.tokens == "opaque":
            raise ValueError("opaque tokens say nothing of a relay; give --relay, or use --tokens signed")
        for pattern in self.relays:
            check_pattern(pattern, self.insecure)
