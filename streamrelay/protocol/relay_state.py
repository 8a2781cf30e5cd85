"""State of a relay on the bus, as it says itself (protocol.rst, "Relays")."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from streamrelay.protocol.fields import Url, Version, Zone

STATE: Final = "state"
"""Kind of the event that holds a `RelayState`."""
DOWN: Final = "down"
"""Kind of the event that a relay stops."""
EACH: Final = 2.0
"""Seconds between two words of a relay at most."""
SILENCE: Final = 5.0
"""Seconds after which a relay that says nothing is picked no more."""
MOST_RELAYS: Final = 256
"""Relays that a platform keeps in mind."""

State = Literal["ready", "draining", "full"]


class RelayState(Struct, frozen=True):
    """The state of one relay, as it is now. Whose it is, the subject says, on which that relay alone may publish."""

    url: Url
    """The relay's URL, for agents and clients."""
    zone: Zone = ""
    state: State = "ready"
    """Readiness for new streams: "draining" as it stops, or as an operator wants it; "full" while it has as many
    connections as it may."""
    load: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """The share of what it can do that is in use: of its connections, or of its CPU time if that is more."""
    streams: Annotated[int, Meta(ge=0)] = 0
    version: Version = ""
    drained: bool = False
    """True while an operator has drained it by a `Drain`, which can be taken back."""


class Drain(Struct, frozen=True):
    """A platform's request to a relay to let no stream begin there, until it is taken back or the relay restarts."""

    drain: bool
    """False: take streams again."""
    jti: Annotated[str, Meta(min_length=8, max_length=64)]
    exp: float
    user: Annotated[str, Meta(max_length=256)] = ""
    """Name of who wants it, for the relay's log."""
