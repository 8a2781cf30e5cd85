"""A tally of a process' streams: how they ended, and their bytes, which their splices count anyway."""

from collections import Counter

from attrs import define, field

from streamrelay.datapath.splice import Half, Splice
from streamrelay.protocol.close import FINISHED, outcome_word


@define(eq=False)
class Tally:
    """Streams that live and have lived; the bytes of those that live are read off them, so that they cost nothing."""

    live: set[Splice] = field(factory=set)
    ended: Counter[str] = field(factory=Counter)
    """Number of those that have ended, by the words of their outcomes."""
    _up: int = 0  # bytes of those that have ended
    _down: int = 0

    def begin(self, splice: Splice) -> None:
        self.live.add(splice)

    def end(self, splice: Splice) -> None:
        self.live.discard(splice)
        self.ended[outcome_word((splice.outcome or FINISHED).code)] += 1
        self._up += splice.outward.count
        self._down += splice.inward.count

    @property
    def bytes(self) -> dict[str, float]:
        """Return the bytes of all streams so far, up (to the targets) and down."""
        halves: list[tuple[Half, Half]] = [(splice.outward, splice.inward) for splice in self.live]
        return {
            "up": self._up + sum(outward.count for outward, _ in halves),
            "down": self._down + sum(inward.count for _, inward in halves),
        }
