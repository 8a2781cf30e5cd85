"""A connection to splice that outlives its legs: they come, are lost, and the next one goes on where the last one was.

A splice, targets and limits see one connection. What the splice sends is kept until the other end confirms it, and
goes out by the leg that there is; positions are checked and counted here (protocol.rst, "Streams that resume"). Its
phase only grows:

==================  ===============================  ============================  =====================
what happens        OPEN                             ENDING: our end is said       OVER: nothing goes on
==================  ===============================  ============================  =====================
send, send_eof      kept, and out by the leg         dropped                       dropped
close               ``end`` kept, and out → ENDING   --                            --
                    (not in order, and no leg:
                    over → OVER)
bytes, control      counted, told, confirmed         counted, confirmed            dropped
the peer's ``end``  over, leg closed → OVER          over, leg closed → OVER       --
all is confirmed    --                               over, leg closed → OVER       --
leg is lost         detached                         detached                      --
leg ends with an    over → OVER                      over → OVER                   --
outcome
protocol is broken  over → OVER                      over → OVER                   --
attach              goes on by the new leg           goes on by the new leg        the leg is aborted
give_up, abort      over → OVER                      over → OVER                   --
==================  ===============================  ============================  =====================

Whatever breaks the protocol is raised to the leg, too. "over" is told once; "gone" follows as soon as no leg holds
anything any more.
"""

from collections.abc import Callable, Sequence
from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from streamrelay.datapath.connection import HIGH, Connection, Drain, Feed
from streamrelay.errors import PeerError
from streamrelay.protocol import codec
from streamrelay.protocol.close import CloseCode, Outcome, outcome
from streamrelay.protocol.control import FIN_MESSAGE, StreamEnd, Word, decode_word
from streamrelay.resume.incoming import Incoming
from streamrelay.resume.leg import Attached, Leg
from streamrelay.resume.outgoing import Memory, Outgoing, Piece

WINDOW: Final = 4 << 20
"""Bytes that one end keeps at most for the other one, beside those of one read."""
LAST_WORDS: Final = (
    *(CloseCode.TARGET_REFUSED, CloseCode.TARGET_UNREACHABLE, CloseCode.TARGET_RESET),
    *(CloseCode.OPERATOR, CloseCode.IDLE, CloseCode.LIFETIME, CloseCode.QUOTA),
)
"""Closes of a leg that are the end of its stream; after all others it may go on."""
OPEN, ENDING, OVER = range(3)


@define(eq=False)
class ResumableConnection:
    """One stream's end at the legs. `lost` is called with each leg's outcome that detaches it, while it may go on."""

    clock: IReactorTime
    lost: Callable[[Outcome], None]
    window: int = WINDOW
    memory: Memory | None = None
    first: Leg | None = None
    """Leg that is attached as soon as this is joined."""
    attached: Attached | None = None
    """The leg that there is."""
    outgoing: Outgoing = field(init=False)
    outcome: Outcome | None = None
    """Outcome of the stream, once it has ended for us."""
    _phase: int = OPEN
    _feed: Feed | None = None
    _drain: Drain | None = None
    _paused: bool = False
    _fin: bool = False  # of the peer
    _incoming: Incoming = field(init=False)
    _legs: set[Attached] = field(factory=set)  # those that hold something

    def __attrs_post_init__(self) -> None:
        self.outgoing = Outgoing(self.window) if self.memory is None else Outgoing(self.window, self.memory)
        self._incoming = Incoming(self.clock, self._confirm)

    # -- Connection ------------------------------------------------------------------------------------------

    @property
    def unsent(self) -> int:
        """A window that is full, and what waits for a leg that has no room, count as more than a source may leave; what
        is sent all the same counts besides."""
        waits = self.outgoing.is_full or (self.attached is not None and not self.outgoing.is_caught_up)
        unsent = self.attached.leg.unsent if self.attached else 0
        return unsent + HIGH + 1 + self.outgoing.beyond if waits else unsent

    def join(self, feed: Feed, drain: Drain) -> None:
        self._feed, self._drain = feed, drain
        first, self.first = self.first, None
        if self._phase == OVER:
            self._tell_over()
        elif first is not None:
            self.attach(first, 0)

    def send(self, data: Sequence[memoryview], size: int) -> None:
        if self._phase != OPEN or not size:
            return
        straight = self.attached is not None and self.outgoing.is_caught_up
        self.outgoing.put(Piece.copy(data, size))  # before it is sent, as a leg may change it
        if straight:
            self.outgoing.next()
            self.attached.leg.send(data, size)  # type: ignore[union-attr]

    def send_control(self, message: bytes) -> None:
        if self._phase != OPEN:
            return
        if decode_word(message).counts:
            self._put(message)
        elif self.attached is not None:
            self.attached.leg.send_control(message)

    def send_eof(self) -> None:
        if self._phase == OPEN:
            self._put(FIN_MESSAGE)

    def pause(self) -> None:
        self._paused = self._incoming.waits = True
        if self.attached is not None:
            self.attached.leg.pause()

    def resume(self) -> None:
        self._paused = False
        if self.attached is not None:
            self.attached.leg.resume()
        self._incoming.went_on()

    def close(self, outcome: Outcome) -> None:
        """Say the end; it is over once the other end has heard it, or has ended, too. Without a leg it is so at once,
        unless what was sent before is worth waiting for the next one."""
        if self._phase != OPEN:
            return
        if self.attached is None and not outcome.orderly:
            self._finish(outcome)
            return
        self._phase, self.outcome = ENDING, outcome
        self._put(codec.encode(Word(end=StreamEnd(outcome.code, outcome.reason[:200]))))
        self.resume()  # for the answer

    def abort(self) -> None:
        self._finish(self.outcome or Outcome(CloseCode.LEG_LOST))
        for attached in tuple(self._legs):
            attached.leg.abort()

    def measure(self, size: int, headers: int) -> None:
        if self.attached is not None:
            self.attached.leg.measure(size, headers)

    @property
    def received(self) -> int:
        """Position up to which everything has come."""
        return self._incoming.received

    @property
    def reached(self) -> int:
        """What has come and what was confirmed of both directions: it grows while a leg is of use."""
        return self._incoming.received + self.outgoing.confirmed

    # -- legs that come and go -------------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        return self._phase == OVER

    def attach(self, leg: Leg, position: int) -> Attached:
        """Go on by a leg, sending from the other end's position on; or raise `OutOfReach`. An older leg is dropped.

        To be called once this is joined, as the leg may have bytes for it. What the leg has received before is to be
        told to the feed that is returned.
        """
        self.outgoing.check(position)
        self.detach()
        attached = Attached(self, leg)
        self._legs.add(attached)
        if self._phase == OVER:
            leg.join(attached, attached)
            leg.abort()
            return attached
        self.outgoing.rewind(position)
        self._incoming.attached()
        self.attached = attached
        leg.join(attached, attached)
        if self._paused:
            leg.pause()
        self.go_on()
        return attached

    def detach(self) -> None:
        """Drop the leg that there is, as another one is on its way; nothing more that it brings counts."""
        old, self.attached = self.attached, None
        if old is not None:
            self._incoming.stop()
            old.leg.abort()
        self._have_room()

    def give_up(self, outcome: Outcome) -> None:
        """End without the other end's knowledge, as it doesn't come any more."""
        self._finish(outcome)

    # -- from the leg ----------------------------------------------------------------------------------------

    def leg_received(self, data: Sequence[memoryview], size: int) -> None:
        if self._fin:
            raise PeerError(CloseCode.PROTOCOL, "bytes after a fin")
        self._incoming.received += size
        if self._phase == OPEN and self._feed is not None:
            self._feed.received(data, size)
        self._incoming.came()

    def leg_said(self, message: bytes) -> None:
        word = decode_word(message)
        if word.ack is not None:
            self._confirmed(word.ack)
        elif not word.counts:
            return
        else:
            self._incoming.received += 1
            if word.end is not None:
                self._ended(word.end)
            elif word.fin:
                self._finned()
            elif self._phase == OPEN and self._feed is not None:
                self._feed.control(message)
            self._incoming.came()

    def leg_over(self, outcome: Outcome) -> None:
        self.attached = None
        self._incoming.stop()
        if outcome.code in LAST_WORDS:
            self._finish(outcome)
            return
        self._have_room()
        self.lost(outcome)

    def leg_broke(self, error: PeerError) -> None:
        self._finish(outcome(CloseCode.LEG_LOST, error.reason))

    def leg_gone(self, attached: Attached) -> None:
        self._legs.discard(attached)
        if self.attached is attached:  # without having said how it ended
            self.leg_over(Outcome(CloseCode.LEG_LOST))
        self._tell_gone()

    def go_on(self) -> None:
        """Send what waits, as much as the leg has room for, and let the source go on once all is out."""
        while self.attached is not None and self.attached.leg.unsent <= HIGH:
            piece = self.outgoing.next()
            if piece is None:
                break
            if piece.is_control:
                self.attached.leg.send_control(bytes(piece.data))
            else:
                self.attached.leg.send([memoryview(piece.data)], piece.size)
        self._have_room()

    # -- inside ----------------------------------------------------------------------------------------------

    def _confirm(self, position: int) -> None:
        if self.attached is not None:
            self.attached.leg.send_control(codec.encode(Word(ack=position)))

    def _put(self, message: bytes) -> None:
        self.outgoing.put(Piece(message, is_control=True))
        self.go_on()

    def _have_room(self) -> None:
        if self._drain is not None and self.unsent == 0:
            self._drain.drained()

    def _confirmed(self, position: int) -> None:
        self.outgoing.confirm(position)
        if self._phase == ENDING and self.outgoing.confirmed == self.outgoing.end:
            self._leave(self.outcome or Outcome(CloseCode.FINISHED))
        else:
            self._have_room()

    def _finned(self) -> None:
        if self._fin:
            raise PeerError(CloseCode.PROTOCOL, "a second fin")
        self._fin = True
        if self._phase == OPEN and self._feed is not None:
            self._feed.eof()

    def _ended(self, end: StreamEnd) -> None:
        self._incoming.confirm()
        self._leave(Outcome(end.code, end.reason))

    def _leave(self, how: Outcome) -> None:
        """End, as both know that it is over; the leg is closed in order."""
        attached = self.attached
        self._finish(self.outcome or how)
        if attached is not None:
            attached.leg.close(how)

    def _finish(self, outcome: Outcome) -> None:
        if self._phase == OVER:
            return
        self._phase, self.outcome = OVER, outcome
        self._incoming.stop()
        self.attached = None
        self.outgoing.clear()
        self._tell_over()

    def _tell_over(self) -> None:
        if self._feed is not None and self.outcome is not None:
            self._feed.over(self.outcome)
            self._tell_gone()

    def _tell_gone(self) -> None:
        if self._phase == OVER and self._feed is not None and not self._legs:
            feed, self._feed, self._drain = self._feed, None, None
            feed.gone()


_check: type[Connection] = ResumableConnection
