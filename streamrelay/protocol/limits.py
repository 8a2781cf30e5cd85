"""Limits of one stream (protocol.rst, "Limits"), and those of handshakes, summonses and lists."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

MAX_HANDSHAKE: Final = 16384
"""Bytes of a websocket's opening request, or of its answer: browsers send the cookies of a parent domain along."""
HANDSHAKE_TIME: Final = 5.0
"""Seconds that a relay gives a handshake from accept to 101."""
CONNECT_TIME: Final = 10.0
"""Seconds that a target or a relay may take to be connected."""
SUMMONS_LIFE: Final = 30
"""Seconds in which a summons, and a leg's token, may be used."""
CLOCK_SKEW: Final = 5
"""Seconds by which clocks may differ."""

CHANNELS_TAKEN: Final = 300.0
"""Seconds in which a stream takes new channels after its client has come: what a grant allowed is asked for again."""

MOST_HOLD: Final = 7 * 86400.0
"""Seconds for which a stream without legs may be held."""
MOST_KEEP: Final = 7 * 86400.0
"""Seconds for which a terminal may be kept without streams."""
MOST_SECONDS: Final = 1e9
Seconds = Annotated[float, Meta(ge=0, le=MOST_SECONDS)]
Bytes = Annotated[int, Meta(ge=0, le=2**63 - 1)]
MOST_LINES: Final = 100_000
"""Lines of a log that may be sent before it is followed."""
Lines = Annotated[int, Meta(ge=0, le=MOST_LINES)]


class Limits(Struct, frozen=True, kw_only=True):
    """Limits of what one stream may use up (protocol.rst, "Limits"); 0 is none. Tokens, summonses and settings have
    them."""

    idle: Seconds = 0
    """Seconds without a byte in either direction after which the stream ends (4008)."""
    lifetime: Seconds = 0
    """Seconds from the pairing of the first legs after which the stream ends (4009)."""
    quota: Bytes = 0
    """Bytes of both directions together over which the stream ends (4011)."""

    def claims(self) -> dict[str, float]:
        """Return the limits that are set, by name; whatever else a subclass holds is left out."""
        return {name: value for name in Limits.__struct_fields__ if (value := getattr(self, name))}


def carrying(claims: dict[str, Any]) -> dict[str, Any]:
    """Return the claims of a token whose stream carries channels, each of which its agent holds to the limits: it may
    live until the last of them has lived its life, and has no quota, which is a channel's."""
    carried = {name: value for name, value in claims.items() if name != "quota"}
    if "lifetime" in carried:
        carried["lifetime"] = min(MOST_SECONDS, carried["lifetime"] + CHANNELS_TAKEN)
    return carried


def strictest(*given: Limits) -> Limits:
    """Return of each limit the least that is set anywhere."""
    least: dict[str, float] = {}
    for limits in given:
        for name, value in limits.claims().items():
            least[name] = min(value, least.get(name, value))
    return msgspec.convert(least, Limits)


LOOK_EVERY: Final = 30.0
"""Seconds between two looks of a platform at all agents, if those are few: who is there, and if two have one name."""
LOOKS_A_SECOND: Final = 100
"""Answers a second that a platform wants of all agents at rest; where that is more, it looks less often."""
MOST_AGENTS: Final = 8
"""Agents of one host of which is told."""
MOST_LABELS: Final = 16
"""Labels of one host."""
MOST_SPREAD: Final = 600.0
"""Seconds over which the answers of all agents may be spread."""
MOST_TARGETS: Final = 2000
"""Targets of one host that are listed; a host that invents many would keep the pages of all users busy."""
