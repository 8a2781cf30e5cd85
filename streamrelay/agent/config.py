"""The settings of ``twistd streamagent``."""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from streamrelay.bus.settings import check_bus
from streamrelay.net.outbound import check_outbound
from streamrelay.program.relay_urls import check_pattern
from streamrelay.program.settings import Option
from streamrelay.program.shared_settings import (
    AdminExposed,
    AdminListener,
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
)
from streamrelay.program.validation import check_admin, check_relay
from streamrelay.protocol.fields import LABEL_WORDS, Labels
from streamrelay.protocol.limits import MOST_HOLD, Limits
from streamrelay.protocol.names import HOST_WORDS, is_host

LIVE: Final = (
    *("platform_key", "relays", "patience", "drain", "max_streams", "max_streams_per_user"),
    *("idle", "lifetime", "quota", "hold", "max_detached", "max_terminals"),
)
"""Settings that count as soon as the file is read again, for summonses that come from then on."""


class AgentConfig(Limits, frozen=True, forbid_unknown_fields=True):
    """Settings of ``twistd streamagent``, but for its targets; its limits count whatever summonses say."""

    host: Annotated[str, Option("The name under which the platform knows this host")]
    labels: dict[str, str] = {}
    """Words about the host by which users find it, and the platform a relay near it: ``{ site = "fra" }``."""
    nats: NatsUrls = ("nats://127.0.0.1:4222",)
    nats_creds: NatsCreds = ""
    nats_nkey: NatsNkey = ""
    nats_certificate: NatsCertificate = ""
    nats_handshake_first: NatsHandshakeFirst = False
    platform_key: Annotated[
        tuple[str, ...], Option("A file with the public key of a platform whose summonses are followed")
    ] = ()
    tokens: Annotated[Literal["signed", "opaque"], Option("signed (summonses of a platform) or opaque")] = "signed"
    relays: Annotated[
        tuple[str, ...],
        Option(
            "A relay that may be dialled, for example wss://relay.example or wss://*.relay.example; none: any that a "
            "signed summons names",
            "relay",
        ),
    ] = ()
    ca: Annotated[str, Option("A file of certificates to trust, for relays and the bus, in place of the system's")] = ""
    certificate: Annotated[str, Option("What is shown to relays that ask for one: CERTIFICATE,KEY (PEM files)")] = ""
    outbound_proxy: OutboundUrl = ""
    outbound_login: OutboundLogin = ""
    no_proxy: NoProxy = ()
    mask: Annotated[Literal["auto", "always"], Option("auto (frames over TLS need no random mask) or always")] = "auto"
    patience: Annotated[float, Meta(gt=0, le=3600)] = 60.0
    """Seconds that a leg waits at the relay for its client."""
    drain: Drain = 60.0
    max_streams: Annotated[int, Meta(ge=1)] = 1000
    """Streams at once, over which a summons is refused as busy."""
    max_streams_per_user: Annotated[int, Meta(ge=1)] = 500
    """Streams of one user at once, as summonses name them, over which one is refused as busy."""
    hold: Annotated[float, Meta(ge=0, le=MOST_HOLD)] = 120.0
    """Seconds for which a stream that can resume is held without legs; 0: none resumes. A target may have its own."""
    max_detached: Annotated[int, Meta(ge=0)] = 200
    """Streams that are held without legs at once; one more ends as its legs are lost."""
    max_terminals: Annotated[int, Meta(ge=0, le=500)] = 50
    """Terminals at once that are kept (a target's `keep`), half of them of one user; another one is refused as busy."""
    resume_memory: Annotated[int, Meta(ge=0)] = 256 << 20
    """Bytes that all streams keep together for the other ends to confirm; beyond it new streams don't resume."""
    state: Annotated[str, Option("A directory of this agent's own, for what it keeps when it starts again")] = ""
    """Empty: the one that systemd has made (``StateDirectory=``)."""
    insecure: Annotated[bool, Option("Allow ws:// and nats:// without TLS beyond this machine")] = False
    targets: dict[str, Any] = {}
    """The targets by name; `streamrelay.agent.catalogue` reads them."""
    drop_in: Annotated[str, Option("A directory whose *.toml files hold more targets")] = ""
    debug: Debug = False
    admin: AdminListener = ""
    admin_exposed: AdminExposed = False

    def __post_init__(self) -> None:
        check_admin(self.admin, self.admin_exposed)
        if not is_host(self.host):
            raise ValueError(f"host {self.host!r}: expected {HOST_WORDS}")
        try:
            msgspec.convert(self.labels, Labels)
        except msgspec.ValidationError:
            raise ValueError(f"labels: expected {LABEL_WORDS}") from None
        if self.tokens == "signed" and not self.platform_key:
            raise ValueError(
                "signed summonses need --platform-key FILE, the platform's public key; or use --tokens opaque"
            )
        if self.tokens == "opaque" and not self.relays:
            raise ValueError("with opaque tokens, --relay must name the relays that may be dialled")
        for url in self.relays:
            check_pattern(url, insecure=True) if "*" in url else check_relay(url)
        check_bus(self)
        check_outbound(self)
