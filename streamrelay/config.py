"""The settings of each program: frozen, each with its unit, checked once. Unknown keys are errors."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from streamrelay import wire
from streamrelay.errors import ConfigError


class RelayConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of ``twistd streamrelay``."""

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
    max_connections: Annotated[int, Meta(ge=2)] = 50_000
    """Connections at once, over which new ones are answered 503."""
    max_handshakes: Annotated[int, Meta(ge=1)] = 500
    """Connections at once whose handshake isn't done, over which new ones are answered 503."""

    def __post_init__(self) -> None:
        if not self.listen:
            raise ValueError("nothing to listen on; give --listen, for example tcp:8780")
        if self.tokens == "signed" and not self.platform_key:
            raise ValueError(
                "signed tokens need --platform-key FILE (`streamrelay keygen` makes it); or use --tokens opaque"
            )
        for origin in self.origin:
            check_origin(origin)


class AgentConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of ``twistd streamagent``, but for its targets."""

    host: wire.Host
    """The name under which the platform knows this host."""
    nats: tuple[str, ...] = ("nats://127.0.0.1:4222",)
    """URLs of the bus."""
    nats_creds: str = ""
    """A NATS credentials file."""
    platform_key: tuple[str, ...] = ()
    """Files with the public keys of platforms whose summonses are followed."""
    tokens: Literal["signed", "opaque"] = "signed"
    """Whether a summons must be signed."""
    relays: tuple[str, ...] = ()
    """Relay URLs that may be dialled; empty: any that a signed summons names."""
    ca: str = ""
    """A file of certificates to trust, for relays and the bus, in place of the system's."""
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
        if not self.insecure:
            check_bus(self.nats)


class PlatformConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of ``twistd streamplatform``."""

    relay: str
    """The relay's public URL, for agents and clients: ws[s]://host[:port][/prefix]."""
    listen: tuple[str, ...] = ("tcp:8800:interface=127.0.0.1",)
    """Twisted endpoint strings to listen on."""
    relay_id: wire.Host = "relay"
    """The audience of the tokens: the relay's `id`."""
    nats: tuple[str, ...] = ("nats://127.0.0.1:4222",)
    """URLs of the bus."""
    nats_creds: str = ""
    """A NATS credentials file."""
    tokens: Literal["signed", "opaque"] = "signed"
    """Whether tokens and summonses are signed."""
    key: str = ""
    """The file of the platform's private key."""
    keys: str = ""
    """The TOML file of users' keys and grants."""
    ca: str = ""
    """A file of certificates to trust for the bus, in place of the system's."""
    insecure: bool = False
    """Whether ws:// and nats:// without TLS may leave this machine."""

    def __post_init__(self) -> None:
        if not self.listen:
            raise ValueError("nothing to listen on; give --listen, for example tcp:8800")
        if not self.keys:
            raise ValueError("who may open streams? give --keys FILE (`streamrelay key add` writes it)")
        if self.tokens == "signed" and not self.key:
            raise ValueError("signing needs --key FILE (`streamrelay keygen` makes it); or use --tokens opaque")
        check_relay(self.relay)
        if not self.insecure:
            check_bus(self.nats)
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


def check_origin(origin: str) -> None:
    """Raise `ValueError` if a browser would never send this as an Origin."""
    parts = urlsplit(origin)
    if not parts.scheme or not parts.netloc or parts.path or parts.query or origin != origin.lower():
        raise ValueError(f"origin {origin!r}: expected scheme://host[:port] in lower case, without a path")


def check_relay(url: str) -> None:
    """Raise `ValueError` if this is no URL of a relay."""
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"relay {url!r}: expected ws://host[:port] or wss://host[:port]")


def check_bus(urls: tuple[str, ...]) -> None:
    """Raise `ValueError` if the bus would be plain outside this machine."""
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("nats", "tls", "ws", "wss") or not parts.hostname:
            raise ValueError(f"nats {url!r}: expected tls://host[:port] or nats://host[:port]")
        if parts.scheme in ("nats", "ws") and not wire.is_loopback(parts.hostname):
            raise ValueError(f"{parts.scheme}://{parts.hostname} is not encrypted; use tls:// or --insecure")
