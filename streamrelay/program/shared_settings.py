"""Settings that several programs have, each declared once: types for their Structs."""

from typing import Annotated

from msgspec import Meta

from streamrelay.program.settings import Option

NatsUrls = Annotated[
    tuple[str, ...],
    Option("A URL of the bus, for example tls://nats.example", instead="use the file, or --nats-nkey"),
]
NatsCreds = Annotated[str, Option("A NATS credentials file")]
NatsNkey = Annotated[str, Option("A file with the seed of an NKEY, as which this program is known to the bus")]
NatsCertificate = Annotated[str, Option("What is shown to the bus if it asks: CERTIFICATE,KEY (PEM files)")]
NatsHandshakeFirst = Annotated[bool, Option("The bus begins with TLS (nats-server's handshake_first)")]

OutboundUrl = Annotated[
    str,
    Option(
        "A proxy for all that is dialled, http://host:port or socks5://host:port; none: no proxy",
        instead="use the file, or --outbound-login",
    ),
]
"""Empty: the one that HTTPS_PROXY or ALL_PROXY names in the environment."""
OutboundLogin = Annotated[str, Option("A file with USER:PASSWORD for that proxy")]
NoProxy = Annotated[
    tuple[str, ...], Option("What is reached without that proxy: a name, an address or a network such as 10.0.0.0/8")
]
"""Empty: what NO_PROXY names in the environment."""

Drain = Annotated[
    float, Meta(ge=0, le=86400), Option("Seconds for which streams run on when the program is told to stop")
]

Debug = Annotated[bool, Option("Log more")]

Certificates = Annotated[
    tuple[str, ...],
    Option("A certificate for tls: ports, as CERTIFICATE,KEY (PEM files; one file may hold both)", "certificate"),
]
"""The one that fits the name which the other end asks for is shown, else the first."""
ProxyNetworks = Annotated[
    tuple[str, ...],
    Option("A proxy whose word about a client's address is taken, for example 10.0.0.0/8, or unix", "proxy"),
]
ProxyProtocol = Annotated[bool, Option("The proxies begin each connection with a PROXY header, version 2")]
"""Without it X-Forwarded-For is read."""

AdminListener = Annotated[
    str, Option("Where health and metrics are told, for example unix:/run/streamrelay/admin.sock; none: nowhere")
]
"""Plain; of this machine alone, unless it is exposed."""
AdminExposed = Annotated[bool, Option("Let other machines reach the admin listener")]
