"""The settings of ``twistd streamplatform``."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from streamrelay.bus.settings import check_bus
from streamrelay.net.proxies import Proxies
from streamrelay.platform.auth.oidc import OidcConfig
from streamrelay.platform.auth.sessions import SessionsConfig
from streamrelay.platform.auth.webhook import AskConfig
from streamrelay.program.validation import check_http, check_listening, check_origin, check_relay
from streamrelay.protocol.limits import Limits
from streamrelay.protocol.names import Host, is_loopback


class PlatformConfig(Limits, frozen=True, forbid_unknown_fields=True):
    """Settings of ``twistd streamplatform``; its limits go into tokens and summonses."""

    relay: str
    """The relay's public URL, for agents and clients: ws[s]://host[:port][/prefix]."""
    listen: tuple[str, ...] = ("tcp:8800:interface=127.0.0.1",)
    """Twisted endpoint strings to listen on."""
    certificates: tuple[str, ...] = ()
    """Certificates for ``tls:`` ports, each "CERTIFICATE,KEY" (PEM files; one file may hold both). The one that fits
    the name which the other end asks for is shown, else the first."""
    proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies whose word about a client's address is taken; "unix" for unix sockets."""
    proxy_protocol: bool = False
    """Whether these proxies begin each connection with a PROXY header, version 2; else X-Forwarded-For is read."""
    origin: tuple[str, ...] = ()
    """Origins of pages elsewhere that may use the API with a key: scheme://host[:port], compared byte by byte."""
    relay_id: Host = "relay"
    """The audience of the tokens: the relay's `id`."""
    nats: tuple[str, ...] = ("nats://127.0.0.1:4222",)
    """URLs of the bus."""
    nats_creds: str = ""
    """A NATS credentials file."""
    nats_nkey: str = ""
    """A file with the seed of an NKEY, as which this program is known to the bus."""
    nats_certificate: str = ""
    """The certificate that is shown to the bus if it asks for one: "CERTIFICATE,KEY", PEM files."""
    tokens: Literal["signed", "opaque"] = "signed"
    """Whether tokens and summonses are signed."""
    key: str = ""
    """The file of the platform's private key."""
    keys: str = ""
    """The TOML file of users' keys and grants."""
    ca: str = ""
    """A file of certificates to trust for the bus, in place of the system's."""
    insecure: bool = False
    """Whether ws://, http:// and nats:// without TLS may leave this machine."""
    oidc: OidcConfig | None = None
    """An issuer whose JWTs are accepted."""
    ask: AskConfig | None = None
    """A system that decides each request."""
    sessions: SessionsConfig = SessionsConfig()
    """How long somebody stays signed in at the console page."""
    viewers: str = ""
    """A folder of third-party viewers, served in place of those that came with the package."""
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

    def __post_init__(self) -> None:
        for origin in self.origin:
            check_origin(origin)
        check_listening(self.listen, self.certificates, self.insecure)
        Proxies.named(self.proxies, self.proxy_protocol)
        if self.oidc is not None and "://" in self.oidc.jwks:
            check_http("oidc.jwks", self.oidc.jwks, self.insecure)
        if self.ask is not None:
            check_http("ask.url", self.ask.url, self.insecure)
        if not self.keys:
            raise ValueError("no file of keys; give --keys FILE (`streamrelay key add` writes it)")
        if self.tokens == "signed" and not self.key:
            raise ValueError("signing needs --key FILE (`streamrelay keygen` makes it); or use --tokens opaque")
        check_relay(self.relay)
        check_bus(self)
        if not self.insecure:
            parts = urlsplit(self.relay)
            if parts.scheme == "ws" and not is_loopback(parts.hostname or ""):
                raise ValueError(f"{self.relay} is not encrypted; use wss:// or --insecure")
