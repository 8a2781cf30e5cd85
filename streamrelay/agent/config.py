"""The settings of ``twistd streamagent``."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from streamrelay.bus.settings import check_bus
from streamrelay.program.validation import check_relay
from streamrelay.protocol.limits import Limits
from streamrelay.protocol.names import Host


class AgentConfig(Limits, frozen=True, forbid_unknown_fields=True):
    """Settings of ``twistd streamagent``, but for its targets; its limits count whatever summonses say."""

    host: Host
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
    """The targets by name; `streamrelay.agent.catalogue` reads them."""
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
