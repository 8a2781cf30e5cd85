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
    """Readiness for new streams: "draining" as it stops, "full" while it has as many connections as it may."""
    load: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """The share of what it can do that is in use: of its connections, or of its CPU time if that is more."""
    streams: Annotated[int, Meta(ge=0)] = 0
    version: Version = ""
