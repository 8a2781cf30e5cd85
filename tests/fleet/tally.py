"""What became of each stream, and which of it may not be."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from attrs import define, field
from msgspec import Struct

SPREAD = 0.2
"""How far a relay's share of the streams may be from even, while all are ready."""
CHANCE = 4.0
"""Standard deviations of a fair draw that are allowed beside, as few streams are never even."""


class Stream(Struct):
    """One stream, which is asked for once."""

    phase: str
    host: str
    asked: float
    """When, by the run's clock."""
    relay: str = ""
    """By which its URL leads; empty if it has none."""
    ready: float = 0.0
    """Seconds from the request to the target's first byte at the client; 0: it never came."""
    ended: float = 0.0
    wrong: str = ""
    """Why it didn't open, or was cut; empty if all was well."""


class Kept(Struct):
    """A phase of a run, as it is told."""

    name: str
    streams: int
    at_once: int
    """Those that opened in one request."""
    p50: float
    p99: float
    longest: float
    by_relay: dict[str, int]
    died: int
    """Those that died before that; but for a fault, with their relay."""
    cut: int
    """Those that died after it, likewise."""


@define(frozen=True)
class Kill:
    """A relay that was killed."""

    relay: str
    began: float
    dead: float
    """When it was no more: as the signal was sent before, it died somewhere between."""
    back: float = float("inf")
    """When it was started again."""

    def cuts(self, stream: Stream) -> bool:
        """Whether a stream may have ended by it."""
        return stream.relay == self.relay and stream.asked < self.dead and self.began <= stream.ended


@define(eq=False)
class Tally:
    """All streams of a run, and what was done to programs meanwhile."""

    relays: Sequence[str]
    streams: list[Stream] = field(factory=list)
    bytes: int = 0
    """Compared, of both ways."""
    drained: list[tuple[str, float, float]] = field(factory=list)
    """Relays, from when both platforms knew that they drain, and when they were started again."""
    killed: list["Kill"] = field(factory=list)
    slowness: float = 1.0
    """How many times slower than free the machine was."""

    def phase(self, name: str) -> Kept:
        found = [stream for stream in self.streams if stream.phase == name]
        times = sorted(stream.ready for stream in found if stream.ready) or [0.0]
        relays, wrong = Counter(stream.relay for stream in found), [stream for stream in found if stream.wrong]
        return Kept(
            name,
            streams=len(found),
            at_once=len([stream for stream in found if stream.ready]),
            p50=median(times),
            p99=times[int(len(times) * 0.99)],
            longest=times[-1],
            by_relay={relay: relays[relay] for relay in self.relays},
            died=len([stream for stream in wrong if not stream.ready]),
            cut=len([stream for stream in wrong if stream.ready]),
        )

    def phases(self) -> list[Kept]:
        return [self.phase(name) for name in dict.fromkeys(stream.phase for stream in self.streams)]

    def judge(self, even: Sequence[str]) -> list[str]:
        """Return what must not be: streams that failed, or went where they mustn't; and in the phases that are named,
        in which all relays are ready, shares that aren't even."""
        return [*self._failed(), *self._misled(), *self._spared(), *self._uneven(even)]

    def _failed(self) -> list[str]:
        loose = [each for each in self.streams if each.wrong and not any(kill.cuts(each) for kill in self.killed)]
        return [
            f"{one.phase}: {one.host} by {one.relay or 'no relay'} at {one.asked:.2f} s: {one.wrong}" for one in loose
        ]

    def _misled(self) -> list[str]:
        """Streams that were asked for once a relay was known not to take any, and that it was given all the same."""
        found = []
        kills = [(kill.relay, kill.dead, kill.back) for kill in self.killed]
        for relay, since, until in (*self.drained, *kills):
            wrong = [each for each in self.streams if each.relay == relay and since < each.asked < until]
            if wrong:
                found.append(f"{len(wrong)} streams by {relay} that were asked for after {since:.2f} s")
        return found

    def _spared(self) -> list[str]:
        """Kills that cut nothing, and so show nothing."""
        cut = [kill for kill in self.killed if any(each.wrong and kill.cuts(each) for each in self.streams)]
        return [f"{kill.relay} was killed, and no stream died" for kill in self.killed if kill not in cut]

    def shares(self, even: Sequence[str]) -> dict[str, float]:
        """How far from even the share of each relay is, of the streams of these phases."""
        counts = Counter(stream.relay for stream in self.streams if stream.phase in even and stream.relay)
        each = counts.total() / len(self.relays)
        return {relay: counts[relay] / each - 1 if each else 0.0 for relay in self.relays}

    def _uneven(self, even: Sequence[str]) -> list[str]:
        count = len([stream for stream in self.streams if stream.phase in even])
        chance = CHANCE * ((len(self.relays) - 1) / count) ** 0.5 if count else 0.0
        most = max(SPREAD, chance)
        return [f"{name}: {share:+.0%} of even" for name, share in self.shares(even).items() if abs(share) > most]
