"""The settings of ``twistd streamrelay``."""

from typing import Annotated, Literal

from msgspec import Meta

from streamrelay.net.proxies import Proxies
from streamrelay.program.validation import check_listening, check_origin
from streamrelay.protocol.limits import Limits
from streamrelay.protocol.names import Host


class RelayConfig(Limits, frozen=True, forbid_unknown_fields=True):
    """Settings of ``twistd streamrelay``; its limits count for every stream, whatever tokens say."""

    listen: tuple[str, ...] = ("tcp:8780:interface=127.0.0.1",)
    """Twisted endpoint strings to listen on."""
    id: Host = "relay"
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
