"""Bytes of any length without memory, each of which says where it belongs: what is lost or doubled doesn't fit."""

from attrs import define, field

from tests.live.support.sockets import seeded

PERIOD = 1_048_583
"""Bytes after which they begin anew: a prime, so that no buffer's size divides it."""


class Wrong(Exception):
    """Other bytes than were sent: some are lost, doubled or changed."""


@define(eq=False)
class Pattern:
    """Random bytes of one seed, repeated for ever."""

    seed: int
    _twice: memoryview = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._twice = memoryview(seeded(PERIOD, self.seed) * 2)

    def piece(self, place: int, size: int) -> memoryview:
        """Return up to `PERIOD` bytes from a place on."""
        begin = place % PERIOD
        return self._twice[begin : begin + size]

    def check(self, place: int, came: bytes) -> int:
        """Return the place after these bytes; raises `Wrong` unless they belong there."""
        for begin in range(0, len(came), PERIOD):
            part = came[begin : begin + PERIOD]
            if self.piece(place + begin, len(part)) != part:
                raise Wrong(f"not what was sent among {len(came)} bytes at {place}")
        return place + len(came)


@define(eq=False)
class Lines:
    """The numbered lines of a followed log, as they come in parts of any size."""

    next: int | None = None
    """The number that must come; None before the first."""
    count: int = 0
    _rest: bytes = b""

    def check(self, came: bytes) -> None:
        """Take more bytes; raises `Wrong` if a line is missing, comes again or is none."""
        *lines, self._rest = (self._rest + came).split(b"\n")
        for line in lines:
            if line != numbered(number := int(line[:12]) if line[:12].isdigit() else -1):
                raise Wrong(f"no line of this log: {line[:80]!r}")
            if self.next not in (None, number):
                raise Wrong(f"line {number} came where {self.next} must")
            self.next = number + 1
            self.count += 1


def numbered(number: int) -> bytes:
    """Return a line's text, without its end; lines differ in length."""
    return b"%012d " % number + b"x" * (number % 97)
