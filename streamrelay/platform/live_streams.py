"""The streams that live, as the agents tell of them: asked for by one question to all, whose answer all share.

What a question costs grows with the fleet, so it is asked the less often the more hosts there are. What this platform
has opened and ended since is known without it.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final, TypeVar

from attrs import define, field
from msgspec import structs

from streamrelay.bus.connection import Bus
from streamrelay.bus.message import Down
from streamrelay.platform.fleet.heard import host_named
from streamrelay.platform.fleet.inventory import Inventory
from streamrelay.platform.refusals import no_bus
from streamrelay.platform.shared_answer import FRESH, Shared
from streamrelay.protocol import codec
from streamrelay.protocol.subjects import ALL_STREAMS, host_of, subject_part
from streamrelay.protocol.summons import StreamInfo

T = TypeVar("T")

ANSWERS: Final = 1000
"""Answers of hosts a second that are asked for at most."""
LONGEST_TEXT: Final = 300
"""Characters of a stream's id, target and user at most: all names that there can be are shorter."""


class Listing(list[T]):
    """A list of what the hosts have answered."""

    complete: bool = True
    """True if nothing is missing: all hosts are known, or have answered."""
    cut: bool = False
    """True if nobody knows which hosts are missing."""
    missing: frozenset[str] = frozenset()
    """Hosts that are up as far as is known, and haven't answered."""
    asked: float = 0.0
    """Time at which it was asked for, by the platform's clock."""
    told: "Listing[T] | None" = None
    """The hosts' own answer, where this is what it is with what was opened here since (`more`), and ended (`gone`)."""
    more: Sequence[T] = ()
    gone: Collection[tuple[str, str]] = ()


@define(eq=False)
class LiveStreams:
    """Streams of all hosts. `missed` is told of hosts that should have answered and haven't."""

    bus: Bus
    inventory: Inventory
    missed: Callable[[Collection[str]], None]
    clock: Callable[[], float]
    now: Callable[[], float]
    _shared: Shared[Listing[StreamInfo]] = field(init=False)
    _changes: dict[tuple[str, str], tuple[float, StreamInfo | None]] = field(factory=dict)
    """What was opened here since the question of now, or ended (None), and when, by host and stream."""
    _since: float = 0.0  # when the question was asked whose changes these are
    _merged: tuple[Listing[StreamInfo], Listing[StreamInfo]] | None = None
    """An answer, and what it is with these; None once there are more of them."""

    def __attrs_post_init__(self) -> None:
        self._shared = Shared(self.ask, self.clock, self.fresh, self.rest)

    def rest(self) -> float:
        """Return the seconds from one question to the next at least."""
        return len(self.inventory.hosts) / ANSWERS

    def fresh(self) -> float:
        """Return the seconds for which an answer is good."""
        return max(FRESH, self.rest())

    async def listed(self, anew: bool) -> Listing[StreamInfo]:
        """Return all streams, or raise `Refused`: by a question of before, or with `anew` by one from now on."""
        told = await (self._shared.anew() if anew else self._shared.answer())
        if self._merged is None or self._merged[0] is not told:
            self._merged = told, self._with_changes(told)
        return self._merged[1]

    def opened(self, stream: str, host: str, target: str, user: str) -> None:
        """Take note of a stream that this platform has opened."""
        info = StreamInfo(stream, host, target, user, 0.0, 0, 0, waiting=True, since=round(self.now(), 3))
        self._change(host, stream, info)

    def ended(self, host: str, stream: str) -> None:
        """Take note of a stream that this platform has ended."""
        self._change(host, stream, None)

    def forget(self) -> None:
        """Know nothing any more, as the bus is lost."""
        self._shared.forget()
        self._merged = None

    def _change(self, host: str, stream: str, info: StreamInfo | None) -> None:
        shared, now = self._shared, self.clock()
        counts = shared.is_asking or now - shared.asked < self.fresh()
        if self._since != shared.asked or not counts:  # the next question brings all of them, or that of now has
            kept = {whose: change for whose, change in self._changes.items() if counts and change[0] >= shared.asked}
            self._changes, self._since = kept, shared.asked
        if counts:
            self._changes[host, stream] = now, info
        self._merged = None
        shared.outdate()

    def _with_changes(self, told: Listing[StreamInfo]) -> Listing[StreamInfo]:
        later = {whose: change for whose, change in self._changes.items() if change[0] >= told.asked}
        if not later:
            return told
        gone = {whose for whose, (_, info) in later.items() if info is None}
        known = {(info.host, info.stream) for info in told}
        now = self.clock()
        more = [
            structs.replace(info, seconds=now - when)
            for whose, (when, info) in later.items()
            if info is not None and whose not in known
        ]
        left = Listing(info for info in (*told, *more) if not is_of(info, gone))
        left.asked, left.complete, left.cut, left.missing = told.asked, told.complete, told.cut, told.missing
        left.told, left.more, left.gone = told, more, gone
        return left

    async def ask(self) -> Listing[StreamInfo]:
        """Ask all hosts for their streams, or raise `Refused`; the oldest come first."""
        asked, now = self.clock(), self.now()
        due = frozenset(subject_part(host) for host in self.inventory.named("up"))
        try:
            gathered = await self.bus.gather(ALL_STREAMS, due)
        except Down:
            raise no_bus() from None
        missing = [host_of(part) for part in gathered.missing]
        self.missed(missing)
        told: list[StreamInfo] = []
        for part, answer in gathered.answers:
            found = streams_of(part, answer, now)
            if found is None:
                missing.append(host_of(part))
            else:
                told += found
        listing = Listing(sorted(told, key=lambda info: -info.seconds))
        listing.asked, listing.missing = asked, frozenset((*missing, *self.inventory.named("silent")))
        listing.cut = not self.inventory.complete or not (gathered.complete or gathered.missing)
        listing.complete = gathered.complete and self.inventory.complete and not listing.missing
        return listing


def streams_of(part: str, answer: bytes, now: float) -> list[StreamInfo] | None:
    """Return what a host answers of its streams at a time; streams of others, and what can be none, are left out. None
    if it is nonsense, though it came from a host."""
    host = host_named(part)
    if host is None:
        return []
    try:
        told = codec.decode(answer, tuple[StreamInfo, ...])
    except ValueError:
        return None
    return [structs.replace(info, since=round(now - info.seconds, 3)) for info in told if _could_be(info, host)]


def _could_be(info: StreamInfo, host: str) -> bool:
    texts = (info.stream, info.target, info.user)
    return info.host == host and max(map(len, texts)) <= LONGEST_TEXT and 0 <= info.seconds < 1e12


def is_of(info: StreamInfo, gone: Collection[tuple[str, str]]) -> bool:
    """Tell whether this is one of these streams, or a channel of one."""
    return (info.host, info.stream) in gone or (info.host, info.stream.partition(".")[0]) in gone
