"""The settings of each program: frozen, each with its unit, checked once. Unknown keys are errors."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from streamrelay import wire
from streamrelay.checks import check_bus, check_http, check_listening, check_origin, check_relay
from streamrelay.errors import ConfigError
from streamrelay.proxies import Proxies

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""The algorithms by which an issuer may sign: none that verifies with a secret."""


class RelayConfig(wire.Limits, frozen=True, forbid_unknown_fields=True):
    """Settings of ``twistd streamrelay``; its limits count for every stream, whatever tokens say."""

    listen: tuple[str, ...] = ("tcp:8780:interface=127.0.0.1",)
    """Twisted endpoint strings to listen on."""
    id: wire.Host = "relay"
    """The audience of this relay's tokens."""
    tokens: Literal["signed", "opaque"] = "signed"
    """Whether tokens are JWTs of a platform, or any strings that both legs present."""
    platform_key: tuple[str, ...] = ()
    """Files with the public keys of those who may mint tokens; several while keys are rotated."""
    patience: Annotated[float, Meta(ge=0, le=3600)] = 30.0
    """Seconds that a leg waits for the other; 0 closes a client at once if its agent isn't waiting already."""
    origin: tuple[str, ...] = ()
    """Origins of the pages that may open streams: scheme://host[:port], compared byte by byte."""
    certificates: tuple[str, ...] = ()
    """Certificates for ``tls:`` ports, each "CERTIFICATE,KEY" (PEM files; one file may hold both). The one that fits
    the name which the other end asks for is shown, else the first."""
    agent_ca: str = ""
    """A file of certificates: an agent must show one that they have signed, in its host's name."""
    proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies whose word about a client's address is taken; "unix" for unix sockets."""
    proxy_protocol: bool = False
    """Whether these proxies begin each connection with a PROXY header, version 2; else X-Forwarded-For is read."""
    max_connections: Annotated[int, Meta(ge=2)] = 50_000
    """Connections at once, over which new ones are answered 503."""
    max_handshakes: Annotated[int, Meta(ge=1)] = 500
    """Connections at once whose handshake isn't done, over which new ones are answered 503."""
    max_handshakes_per_address: Annotated[int, Meta(ge=1)] = 20
    """The same from one address (of IPv6, a /64), over which new ones are dropped; proxies are exempt."""
    insecure: bool = False
    """Whether ports without TLS may be reached from other machines."""

    def __post_init__(self) -> None:
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


class AgentConfig(wire.Limits, frozen=True, forbid_unknown_fields=True):
    """Settings of ``twistd streamagent``, but for its targets; its limits count whatever summonses say."""

    host: wire.Host
    """The name under which the platform knows this host."""
    nats: tuple[str, ...] = ("nats://127.0.0.1:4222",)
    """URLs of the bus."""
    nats_creds: str = ""
    """A NATS credentials file."""
    nats_nkey: str = ""
    """A file with the seed of an NKEY, as which this program is known to the bus."""
    nats_certificate: str = ""
    """The certificate that is shown to the bus if it asks for one: "CERTIFICATE,KEY", PEM files."""
    platform_key: tuple[str, ...] = ()
    """Files with the public keys of platforms whose summonses are followed."""
    tokens: Literal["signed", "opaque"] = "signed"
    """Whether a summons must be signed."""
    relays: tuple[str, ...] = ()
    """Relay URLs that may be dialled; empty: any that a signed summons names."""
    ca: str = ""
    """A file of certificates to trust, for relays and the bus, in place of the system's."""
    certificate: str = ""
    """The certificate that is shown to relays which ask for one: "CERTIFICATE,KEY", PEM files."""
    mask: Literal["auto", "always"] = "auto"
    """Whether frames are masked with a random key over TLS, too."""
    patience: Annotated[float, Meta(gt=0, le=3600)] = 60.0
    """Seconds that a leg waits at the relay for its client."""
    max_streams: Annotated[int, Meta(ge=1)] = 1000
    """Streams at once, over which a summons is refused as busy."""
    insecure: bool = False
    """Whether ws:// and nats:// without TLS may leave this machine."""
    targets: dict[str, Any] = {}
    """The targets by name; `streamrelay.targets.catalogue` reads them."""
    drop_in: str = ""
    """A directory whose ``*.toml`` files hold more targets."""

    def __post_init__(self) -> None:
        if self.tokens == "signed" and not self.platform_key:
            raise ValueError(
                "signed summonses need --platform-key FILE, the platform's public key; or use --tokens opaque"
            )
        if self.tokens == "opaque" and not self.relays:
            raise ValueError("with opaque tokens, --relay must name the relays that may be dialled")
        for url in self.relays:
            check_relay(url)
        check_bus(self)


class OidcConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """``[oidc]``: bearer JWTs of an issuer. What they may open is in the file of keys, ``[claims]``."""

    issuer: Annotated[str, Meta(min_length=1)]
    """What ``iss`` must be, byte by byte."""
    audience: Annotated[str, Meta(min_length=1)]
    """What ``aud`` must be, byte by byte, or have among others."""
    jwks: Annotated[str, Meta(min_length=1)]
    """The issuer's public keys: an https:// URL, or a file, which is read again when it changes."""
    user: str = "sub"
    """The claim that names the user."""
    algorithms: Annotated[tuple[Algorithm, ...], Meta(min_length=1)] = ("RS256", "ES256", "EdDSA")
    """How a JWT may be signed; only asymmetric algorithms can be named."""
    fresh: Annotated[float, Meta(ge=10, le=86400)] = 300.0
    """Seconds after which the URL is fetched again."""
    stale: Annotated[float, Meta(ge=0, le=604800)] = 3600.0
    """Seconds for which keys count while the URL can't be fetched."""
    ca: str = ""
    """A file of certificates to trust for the URL, in place of the system's."""


class AskConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """``[ask]``: your own system decides each request."""

    url: str
    """Where each request is asked, by POST."""
    timeout: Annotated[float, Meta(gt=0, le=30)] = 2.0
    """Seconds for the answer, after which the request is refused."""
    forward: bool = False
    """Whether Authorization and Cookie of those whom the platform doesn't know are sent along, to be recognised."""
    ca: str = ""
    """A file of certificates to trust for the URL, in place of the system's."""


class SessionsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """``[sessions]``: of the console page."""

    idle: Annotated[float, Meta(gt=0, le=2592000)] = 3600.0
    """Seconds without a request after which a session ends. An open page asks every 3 s."""
    life: Annotated[float, Meta(gt=0, le=2592000)] = 43200.0
    """Seconds after which it ends in any case."""


class PlatformConfig(wire.Limits, frozen=True, forbid_unknown_fields=True):
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
    relay_id: wire.Host = "relay"
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
    """The same from one address (of IPv6, a /64); proxies are exempt."""
    max_handshakes: Annotated[int, Meta(ge=1)] = 500
    """Connections at once whose request isn't whole, TLS' handshake included, over which new ones are dropped."""
    max_handshakes_per_address: Annotated[int, Meta(ge=1)] = 100
    """The same from one address; proxies are exempt."""

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
            raise ValueError("who may open streams? give --keys FILE (`streamrelay key add` writes it)")
        if self.tokens == "signed" and not self.key:
            raise ValueError("signing needs --key FILE (`streamrelay keygen` makes it); or use --tokens opaque")
        check_relay(self.relay)
        check_bus(self)
        if not self.insecure:
            parts = urlsplit(self.relay)
            if parts.scheme == "ws" and not wire.is_loopback(parts.hostname or ""):
                raise ValueError(f"{self.relay} is not encrypted; use wss:// or --insecure")


Kind = TypeVar("Kind", bound=Struct)


def load(kind: type[Kind], path: str | None, overrides: dict[str, Any]) -> Kind:
    """Settings from a TOML file with the command line's on top, or raise `ConfigError`."""
    settings = read_toml(path) if path else {}
    where = f"{path}: " if path else ""
    try:
        return msgspec.convert({**settings, **overrides}, type=kind, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(where + _plainly(str(error), kind)) from None


def read_toml(path: str) -> dict[str, Any]:
    """A TOML file as a table, or raise `ConfigError`."""
    try:
        return tomllib.loads(Path(path).read_bytes().decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, a number or a nesting without end
        raise ConfigError(f"{path}: not TOML: {error}") from None


def _plainly(text: str, kind: type[Struct]) -> str:
    """msgspec's words, with the settings that there are when one is unknown or missing."""
    if "unknown field" in text or "missing required field" in text:
        return f"{text}; the settings are: {', '.join(kind.__struct_fields__)}"
    return text
