"""The relay's tally: its streams, how long legs wait for each other, and whom nobody came for."""

from collections import Counter

from attrs import define, field

from streamrelay.datapath.tally import Tally
from streamrelay.program.histogram import Histogram


@define(eq=False)
class RelayTally(Tally):
    """Counts of all streams of a relay, and of the legs that waited for one."""

    pairing: Histogram = field(factory=Histogram)
    """Seconds that the first leg of a pair has waited for the other."""
    unmet: Counter[str] = field(factory=Counter)
    """Legs whose patience ended before the other one came, by role."""
    stalled: int = 0
    """Streams that were ended as their client took nothing."""
