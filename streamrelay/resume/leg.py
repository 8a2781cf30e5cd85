"""A leg of a stream that resumes, which is one of several that come and go."""

from collections.abc import Sequence
from typing import Final, Protocol

from attrs import define

from streamrelay.datapath.connection import HIGH, Connection, Drain, Feed
from streamrelay.errors import PeerError
from streamrelay.protocol import codec
from streamrelay.protocol.close import CloseCode, Outcome, outcome
from streamrelay.protocol.control import Word, decode_word, pong
from streamrelay.resume.incoming import Incoming
from streamrelay.resume.outgoing import Outgoing, Piece
from streamrelay.resume.presence import Presence, Way

LAST_WORDS: Final = (
    *(CloseCode.TARGET_REFUSED, CloseCode.TARGET_UNREACHABLE, CloseCode.TARGET_RESET),
    *(CloseCode.OPERATOR, CloseCode.IDLE, CloseCode.LIFETIME, CloseCode.QUOTA),
)
"""Closes of a leg that are the end of its stream; after all others it may go on."""
SILENT: Final = outcome(CloseCode.LEG_LOST, "the other end does not answer")


class Leg(Connection, Protocol):
    """A connection to a relay."""

    def measure(self, size: int, headers: int) -> None:
        """Take note that so many of `size` bytes were headers."""

    def outlive(self) -> None:
        """Take note that the stream outlives this leg."""


class Stream(Protocol):
    """A stream, as its legs know it."""

    attached: "Attached | None"
    outgoing: Outgoing
    incoming: Incoming
    presence: Presence | None

    def leg_received(self, data: Sequence[memoryview], size: int) -> None: ...

    def leg_said(self, message: bytes, word: Word) -> None: ...

    def leg_over(self, outcome: Outcome) -> None: ...

    def give_up(self, outcome: Outcome) -> None: ...

    def leg_gone(self, attached: "Attached") -> None: ...

    def go_on(self) -> None:
        """Send more, as the leg has room."""


@define(eq=False)
class Attached(Feed, Drain, Way):
    """One leg, for as long as it is the stream's; what it tells later counts no more, but that it is gone."""

    stream: Stream
    leg: Leg

    @property
    def counts(self) -> bool:
        return self.stream.attached is self

    def begin(self) -> None:
        """Join the leg, by which nothing has gone out yet."""
        if self.stream.presence is not None:
            self.stream.presence.begin(self)
        self.leg.outlive()
        self.leg.join(self, self)

    def send(self, piece: Piece) -> None:
        if piece.is_control:
            self.leg.send_control(bytes(piece.data))
        else:
            self.leg.send([memoryview(piece.data)], piece.size)

    def received(self, data: Sequence[memoryview], size: int) -> None:
        if self.counts:
            self._heard()
            try:
                self.stream.leg_received(data, size)
            except PeerError as error:
                raise self._broken(error) from None

    def control(self, message: bytes) -> None:
        if self.counts:
            try:
                self._said(message, decode_word(message))
            except PeerError as error:
                raise self._broken(error) from None

    def _said(self, message: bytes, word: Word) -> None:
        self._heard()
        if (answer := pong(word)) and self.leg.unsent <= HIGH:  # else what waits there says as much
            self.leg.send_control(answer)
        if self.stream.presence is not None:
            self.stream.presence.answered(word.pong)
        self.stream.leg_said(message, word)

    def _heard(self) -> None:
        if self.stream.presence is not None:
            self.stream.presence.heard()

    # -- Way -----------------------------------------------------------------------------------------------------

    @property
    def sent(self) -> int:
        return self.stream.outgoing.sent

    @property
    def taken(self) -> int:
        return self.stream.outgoing.taken

    @property
    def is_blocked(self) -> bool:
        return self.leg.unsent > 0 or self.stream.incoming.is_full

    def ask(self, number: int) -> None:
        self.leg.send_control(codec.encode(Word(ping=number)))

    def silent(self) -> None:
        self.over(SILENT)
        self.leg.abort()

    # -- the end of it -------------------------------------------------------------------------------------------

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
