"""A stream that is to be: its id, the tokens of both its legs, and what is told of it before and once it is there."""

from typing import Any

from attrs import define
from msgspec import Struct, structs

from streamrelay.protocol import tokens
from streamrelay.protocol.limits import carrying
from streamrelay.protocol.summons import SPICE_LINKS, Terms
from streamrelay.protocol.tokens import Signer


class Early(Struct, frozen=True):
    """A stream whose agent is asked for it, and hasn't answered: its client may go to the relay and wait there."""

    stream: str
    url: str
    """URL of the client's one websocket: a secret, good once until `expires`."""
    expires: float


class Opened(Struct, frozen=True):
    """A stream whose agent waits at the relay."""

    stream: str
    """The stream's id; not secret."""
    url: str
    """URL of the client's websocket: a secret, good once until `expires`."""
    kind: str
    """The target's kind: tcp, unix, log, pty …"""
    expires: float
    """Seconds since the epoch from which the URL is no longer good."""
    viewer: str = "raw"
    """Viewer that shows the target: terminal, log, vnc, spice or raw."""
    links: int = 1
    """Websockets that may be opened with this URL."""
    view: bool = False
    """True if the target may only be looked at."""
    channels: int = 0
    """Connections that the stream may carry at once, as channels; 0: it is one connection."""
    resume: float = 0
    """Seconds for which it is held once it has lost its legs; 0: it ends with them."""
    received: int = 0
    """Position up to which the host has received a stream that is resumed."""
    terminal: str = ""
    """The kept terminal that it is attached to; empty where the program ends with its stream."""


@define(frozen=True)
class NewStream:
    """A new stream's id and its agent's token; the client's is minted once it is known how many legs there will be."""

    signer: Signer | None
    relay: str
    relay_id: str
    about: dict[str, Any]
    """Claims of both tokens, beside their own."""
    links: int
    """Legs that may come, 0: as many as the target's viewer needs."""
    stream: str
    agent_token: str

    @classmethod
    def mint(
        cls,
        signer: Signer | None,
        relay: str,
        relay_id: str,
        about: dict[str, Any],
        links: int,
        channels: bool = False,
        stream: str = "",
    ) -> "NewStream":
        """Make a new stream, or one of this id which is to go by another relay."""
        if signer is None:
            if links > 1:
                raise ValueError("an opaque token serves one pair of legs; links need signed tokens")
            token = tokens.new_id()
            return cls(None, relay, relay_id, about, 1, tokens.opaque_stream(token), token)
        stream = stream or tokens.new_id()
        claims = carrying(about) if channels else about
        token = signer.mint(relay_id, role="agent", sub=stream, links=links or SPICE_LINKS, **claims)
        return cls(signer, relay, relay_id, about, links, stream, token)

    def summons(self, terms: Terms, channels: bool = False, dial: float = 0) -> dict[str, Any]:
        """Return what the host's agent is asked for (protocol.rst, "Summons"); `dial` are seconds for the relay."""
        return {
            **structs.asdict(terms),
            **{claim: value for claim, value in self.about.items() if claim != "host"},
            **{"stream": self.stream, "relay": self.relay, "token": self.agent_token, "links": self.links},
            **({"channels": True} if channels else {}),
            **({"dial": dial} if dial else {}),
        }

    def fit(self, answered: int) -> int:
        """Return how many legs there will be, by the agent's answer."""
        return 1 if self.signer is None else min(answered, self.links or SPICE_LINKS)

    def url(self, links: int, channels: bool = False) -> str:
        """Return the URL of the client's websockets, with a new token for so many."""
        token = self.agent_token
        if self.signer is not None:
            claims = carrying(self.about) if channels else self.about
            token = self.signer.mint(self.relay_id, role="client", sub=self.stream, links=links, **claims)
        return f"{self.relay.rstrip('/')}/client/{token}"
