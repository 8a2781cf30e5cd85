"""A leg of a stream that resumes, which is one of several that come and go."""

from collections.abc import Sequence
from typing import Final, Protocol

from attrs import define

from streamrelay.datapath.connection import Connection, Drain, Feed
from streamrelay.errors import PeerError
from streamrelay.protocol.close import CloseCode, Outcome, outcome

LAST_WORDS: Final = (
    *(CloseCode.TARGET_REFUSED, CloseCode.TARGET_UNREACHABLE, CloseCode.TARGET_RESET),
    *(CloseCode.OPERATOR, CloseCode.IDLE, CloseCode.LIFETIME, CloseCode.QUOTA),
)
"""Closes of a leg that are the end of its stream; after all others it may go on."""


class Leg(Connection, Protocol):
    """A connection to a relay."""

    def measure(self, size: int, headers: int) -> None:
        """Take note that so many of `size` bytes were headers."""


class Stream(Protocol):
    """A stream, as its legs know it."""

    attached: "Attached | None"

    def leg_received(self, data: Sequence[memoryview], size: int) -> None: ...

    def leg_said(self, message: bytes) -> None: ...

    def leg_over(self, outcome: Outcome) -> None: ...

    def give_up(self, outcome: Outcome) -> None: ...

    def leg_gone(self, attached: "Attached") -> None: ...

    def go_on(self) -> None:
        """Send more, as the leg has room."""


@define(eq=False)
class Attached(Feed, Drain):
    """One leg, for as long as it is the stream's; what it tells later counts no more, but that it is gone."""

    stream: Stream
    leg: Leg

    @property
    def counts(self) -> bool:
        return self.stream.attached is self

    def received(self, data: Sequence[memoryview], size: int) -> None:
        if self.counts:
            try:
                self.stream.leg_received(data, size)
            except PeerError as error:
                raise self._broken(error) from None

    def control(self, message: bytes) -> None:
        if self.counts:
            try:
                self.stream.leg_said(message)
            except PeerError as error:
                raise self._broken(error) from None

    def eof(self) -> None:
        if self.counts:
            error = PeerError(CloseCode.PROTOCOL, "eof on a stream that resumes, whose word is fin")
            raise self._broken(error)

    def _broken(self, error: PeerError) -> PeerError:
        """End the stream, as its peer has broken the protocol and would do so by the next leg; return the error."""
        self.stream.give_up(outcome(CloseCode.LEG_LOST, error.reason))
        return error

    def over(self, outcome: Outcome) -> None:
        if self.counts:
            self.stream.leg_over(outcome)

    def gone(self) -> None:
        self.stream.leg_gone(self)

    def drained(self) -> None:
        if self.counts:
            self.stream.go_on()
