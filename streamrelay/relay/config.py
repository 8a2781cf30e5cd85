"""The settings of ``twistd streamrelay``."""

from typing import Annotated, Final, Literal

from msgspec import Meta

from streamrelay.bus.settings import check_bus, check_no_bus
from streamrelay.net.outbound import check_outbound
from streamrelay.net.proxies import Proxies
from streamrelay.program.settings import Option
from streamrelay.program.shared_settings import (
    AdminExposed,
    AdminListener,
    Certificates,
    Debug,
    Drain,
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
from streamrelay.program.validation import check_admin, check_encrypted, check_listening, check_origin, check_relay
from streamrelay.protocol.fields import Host, Zone
from streamrelay.protocol.limits import Limits, Seconds

LIVE: Final = ("platform_key", "origin", "patience", "drain", "stall_limit", "idle", "lifetime", "quota")
"""Settings that count as soon as the file is read again, for legs that come from then on."""


class RelayConfig(Limits, frozen=True, forbid_unknown_fields=True):
    """Settings of ``twistd streamrelay``; its limits count for every stream, whatever tokens say."""

    listen: Annotated[
        tuple[str, ...], Option("Where to listen: tls:443, tcp:8780:interface=127.0.0.1, unix:/run/streamrelay.sock")
    ] = ("tcp:8780:interface=127.0.0.1",)
    id: Annotated[Host, Option("The audience of this relay's tokens")] = "relay"
    tokens: Annotated[Literal["signed", "opaque"], Option("signed (JWTs of a platform) or opaque")] = "signed"
    """Opaque ones are any strings that both legs present."""
    platform_key: Annotated[
        tuple[str, ...], Option("A file with the public key of a platform whose tokens are taken")
    ] = ()
    patience: Annotated[
        float,
        Meta(ge=0, le=3600),
        Option("Seconds that a leg waits for the other; 0 closes a client at once if its agent isn't waiting"),
    ] = 30.0
    origin: Annotated[
        tuple[str, ...], Option("An origin whose pages may connect, for example https://panel.example")
    ] = ()
    certificates: Certificates = ()
    agent_ca: Annotated[
        str, Option("Certificates; an agent must show one that they have signed, in its host's name")
    ] = ""
    proxies: ProxyNetworks = ()
    proxy_protocol: ProxyProtocol = False
    max_connections: Annotated[int, Meta(ge=2)] = 50_000
    """Connections at once, over which new ones are answered 503; held to what descriptors there are for."""
    max_handshakes: Annotated[int, Meta(ge=1)] = 500
    """Connections at once whose handshake isn't done, over which new ones are answered 503."""
    max_handshakes_per_address: Annotated[int, Meta(ge=1)] = 20
    """Connections at once from one address (of IPv6, a /64) whose handshake isn't done, over which new ones are
    dropped; proxies are exempt."""
    max_waiting_per_address: Annotated[int, Meta(ge=1)] = 1000
    """Legs at once of one address (of IPv6, a /64) that wait for the other one, over which new ones are answered 503.
    With opaque tokens only, which anybody can make up; proxies are exempt."""
    stall_limit: Annotated[
        Seconds, Option("Seconds in which a client takes nothing of what waits for it, until it is ended; 0: never")
    ] = 0
    insecure: Annotated[bool, Option("Allow ports, and ws:// and nats://, without TLS beyond this machine")] = False
    drain: Drain = 60.0
    debug: Debug = False
    admin: AdminListener = ""
    admin_exposed: AdminExposed = False
    nats: NatsUrls = ()
    """Empty: this relay isn't on the bus, and the settings from here to `zone` may not be set."""
    nats_creds: NatsCreds = ""
    nats_nkey: NatsNkey = ""
    nats_certificate: NatsCertificate = ""
    nats_handshake_first: NatsHandshakeFirst = False
    ca: Annotated[str, Option("A file of certificates to trust for the bus in place of the system's")] = ""
    outbound_proxy: OutboundUrl = ""
    outbound_login: OutboundLogin = ""
    no_proxy: NoProxy = ()
    url: Annotated[str, Option("This relay's public URL, as the bus is told: wss://host[:port][/prefix]")] = ""
    zone: Annotated[
        Zone, Option("Where this relay is, as the bus is told; a platform picks those of a host's zone")
    ] = ""

    def __post_init__(self) -> None:
        check_admin(self.admin, self.admin_exposed)
        check_listening(self.listen, self.certificates, self.insecure)
        Proxies.named(self.proxies, self.proxy_protocol)
        if self.agent_ca and not self.certificates:
            raise ValueError("agent_ca: agents show certificates over TLS only; give certificates, and listen by tls:")
        if self.tokens == "signed" and not self.platform_key:
            raise ValueError(
                "signed tokens need --platform-key FILE (`streamrelay keygen` makes it); or use --tokens opaque"
            )
        for origin in self.origin:
            check_origin(origin)
        self._check_bus()

    def _check_bus(self) -> None:
        if not self.nats:
            check_no_bus(self, "ca", "outbound_proxy", "outbound_login", "no_proxy", "url", "zone")
            return
        check_bus(self)
        check_outbound(self)
        if not self.url:
            raise ValueError("a relay on the bus (nats) tells where it is; give --url, for example wss://relay.example")
        check_relay(self.url)
        check_encrypted(self.url, self.insecure)
        if self.tokens == "opaque":
            raise ValueError("a relay on the bus (nats) is picked for signed tokens; use --tokens signed, or no nats")
