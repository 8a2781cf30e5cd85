"""A connection to splice that outlives its legs: they come, are lost, and the next one goes on where the last one was.

A splice, targets and limits see one connection. What the splice sends is kept until the other end confirms it, and
goes out by the leg that there is; positions are checked and counted here (protocol.rst, "Streams that resume"). Its
phase only grows:

==================  ===============================  ============================  =====================
what happens        OPEN                             ENDING: our end is said       OVER: nothing goes on
==================  ===============================  ============================  =====================
send, send_eof      kept, and out by the leg         dropped                       dropped
close               ``end`` kept, out → ENDING; not  --                            --
                    orderly, no leg: over → OVER
bytes, control      counted, told, confirmed         counted, confirmed            dropped
the peer's ``end``  over, leg closed → OVER          over once ours is out → OVER  --
all is confirmed    --                               over, leg closed → OVER       --
leg is lost         detached                         detached                      --
leg: last words     over → OVER                      over → OVER                   --
protocol is broken  over → OVER                      over → OVER                   --
attach              goes on by the new leg           goes on by the new leg        the leg is aborted
give_up, abort      over → OVER                      over → OVER                   --
==================  ===============================  ============================  =====================

"over" is told once; "gone" follows as soon as no leg holds anything any more.
"""

from collections.abc import Callable, Sequence

from attrs import define, field
from msgspec import UNSET
from twisted.internet.interfaces import IReactorTime

from streamrelay.datapath.connection import HIGH, Connection, Drain, Feed
from streamrelay.errors import PeerError
from streamrelay.protocol import codec
from streamrelay.protocol.close import FINISHED, CloseCode, Outcome
from streamrelay.protocol.control import FIN_MESSAGE, StreamEnd, Word, decode_word
from streamrelay.resume.incoming import Incoming
from streamrelay.resume.leg import LAST_WORDS, Attached, Leg
from streamrelay.resume.outgoing import UNBOUNDED, WINDOW, Memory, Outgoing, Piece
from streamrelay.resume.presence import Presence

OPEN, ENDING, OVER = range(3)


@define(eq=False)
class ResumableConnection:
    """One stream's end at the legs. `lost` is called with each leg's outcome that detaches it, while it may go on."""

    clock: IReactorTime
    lost: Callable[[Outcome], None]
    window: int = WINDOW
    memory: Memory = field(factory=lambda: Memory(UNBOUNDED))
    first: Leg | None = None  # attached as soon as this is joined
    attached: Attached | None = None  # the leg that there is
    presence: Presence | None = None  # questions whether the other end is there
    outgoing: Outgoing = field(init=False)
    incoming: Incoming = field(init=False)
    outcome: Outcome | None = None  # of the stream, once it has ended for us
    exit: object = None  # status with which our end's program has ended, as it was said; None: it wasn't
    _phase: int = OPEN
    _feed: Feed | None = None
    _drain: Drain | None = None
    _fin: bool = False  # of the peer
    _theirs: Outcome | None = None  # the peer's end, which is heeded once ours is out
    _legs: set[Attached] = field(factory=set)  # those that hold something

    def __attrs_post_init__(self) -> None:
        self.outgoing = Outgoing(self.window, self.memory)
        self.incoming = Incoming(self.clock, self, self._confirm, 2 * self.window, self.memory)

    @property
    def unsent(self) -> int:
        """A full window, and what waits for a leg without room, count as more than a source may leave, and more yet."""
        waits = self.outgoing.is_full or (self.attached is not None and not self.outgoing.is_caught_up)
        return (self.attached.leg.unsent if self.attached else 0) + waits * (HIGH + 1 + self.outgoing.beyond)

    def join(self, feed: Feed, drain: Drain) -> None:
        self._feed, self._drain = feed, drain
        first, self.first = self.first, None
        if first is not None:
            self.attach(first, 0)
        if self._phase == OVER:
            self._tell_over()

    def send(self, data: Sequence[memoryview], size: int) -> None:
        if self._phase != OPEN or not size:
            return
        straight = self.attached is not None and self.outgoing.is_caught_up
        self.outgoing.put(Piece.keep(data, size))
        if straight:
            self.outgoing.next()
            self.attached.leg.send(data, size)  # type: ignore[union-attr]

    def send_control(self, message: bytes) -> None:
        if self._phase != OPEN:
            return
        word = decode_word(message)
        if word.counts:
            self.exit = self.exit if word.exit is UNSET else word.exit
            self._put(message)
        elif self.attached is not None:
            self.attached.leg.send_control(message)

    def send_eof(self) -> None:
        if self._phase == OPEN:
            self._put(FIN_MESSAGE)

    def pause(self) -> None:
        self.incoming.waits = True

    def resume(self) -> None:
        if self._phase != OVER:
            self.incoming.went_on()
        if self.attached is not None and not self.incoming.is_full:
            self.attached.leg.resume()

    def close(self, outcome: Outcome) -> None:
        """Say the end, which the other end is to hear; without a leg only if it is orderly, or this is over at once."""
        if self._phase != OPEN:
            return
        if not (self.attached or self.first or outcome.orderly):
            self._finish(outcome)
            return
        self._phase, self.outcome = ENDING, outcome
        self._put(codec.encode(Word(end=StreamEnd(outcome.code, outcome.reason[:200]))))
        self.incoming.drop()
        self.resume()  # for the answer

    def abort(self) -> None:
        self._finish(Outcome(CloseCode.LEG_LOST))
        for attached in tuple(self._legs):
            attached.leg.abort()

    def measure(self, size: int, headers: int) -> None:
        if self.attached is not None:
            self.attached.leg.measure(size, headers)

    @property
    def is_over(self) -> bool:
        return self._phase == OVER

    def attach(self, leg: Leg, position: int) -> Attached:
        """Go on by a leg, sending from the other end's position on; or raise `OutOfReach`. An older leg is dropped.

        To be called once this is joined. What the leg has received before is to be told to the feed that is returned.
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
        self.attached = attached
        attached.begin()
        self._read_less()
        self.go_on()
        if self.attached is attached:
            self.incoming.attached()
        return attached

    def detach(self) -> None:
        """Drop the leg that there is, as another one is on its way; nothing more that it brings counts."""
        old, self.attached = self.attached, None
        self._stop_timers()
        if old is not None:
            old.leg.abort()
        self._have_room()

    def give_up(self, outcome: Outcome) -> None:
        """End without the other end's knowledge, as it doesn't come any more."""
        self.incoming.flush()
        self._finish(outcome)

    def leg_received(self, data: Sequence[memoryview], size: int) -> None:
        if self._fin:
            raise PeerError(CloseCode.PROTOCOL, "bytes after a fin")
        self.incoming.came(data, size)
        self._read_less()

    def leg_said(self, message: bytes, word: Word) -> None:
        if word.ack is not UNSET:
            self._confirmed(word.ack)
        if not word.counts:
            return
        if word.fin and self._fin:
            raise PeerError(CloseCode.PROTOCOL, "a second fin")
        self._fin = self._fin or word.fin
        if word.end is not UNSET and not word.end.outcome.orderly:
            self.incoming.flush()
        self.incoming.said(message, word)
        self._read_less()

    def leg_over(self, outcome: Outcome) -> None:
        self.attached = None
        self._stop_timers()
        if outcome.code in LAST_WORDS:
            self.give_up(outcome)
        else:
            self._have_room()
            self.lost(outcome)

    def leg_gone(self, attached: Attached) -> None:
        self._legs.discard(attached)
        self._tell_gone()

    def go_on(self) -> None:
        """Send what waits, as much as the leg has room for, and let the source go on once all is out."""
        while self.attached is not None and self.attached.leg.unsent <= HIGH and (piece := self.outgoing.next()):
            self.attached.send(piece)
        self._heed()
        self._have_room()

    def take(self, data: Sequence[memoryview], size: int) -> None:
        if self._phase == OPEN and self._feed is not None:
            self._feed.received(data, size)

    def take_control(self, message: bytes, word: Word) -> None:
        if word.end is not UNSET:
            self._theirs = word.end.outcome
            self._heed()
        elif self._phase == OPEN and self._feed is not None:
            if word.fin:
                self._feed.eof()
            else:
                self._feed.control(message)

    def _heed(self) -> None:
        """Leave, if the peer has said its end, and may know that ours has dropped what comes."""
        if self._theirs is not None and self._may_confirm and self._phase != OVER:
            self.incoming.confirm()
            self._leave(self._theirs)

    @property
    def _may_confirm(self) -> bool:
        """False while what our end has dropped would be taken for delivered, as that end isn't said by this leg yet."""
        return self._phase != ENDING or self.outgoing.is_caught_up

    def _confirm(self, position: int) -> None:
        if self.attached is not None and self._may_confirm:
            self.attached.leg.send_control(codec.encode(Word(ack=position)))

    def _stop_timers(self) -> None:
        self.incoming.stop()
        if self.presence is not None:
            self.presence.stop()

    def _put(self, message: bytes) -> None:
        self.outgoing.put(Piece(message, is_control=True))
        self.go_on()

    def _have_room(self) -> None:
        if self._drain is not None and self.unsent == 0:
            self._drain.drained()

    def _confirmed(self, position: int) -> None:
        self.outgoing.confirm(position, taken=self._theirs is None)
        if self._phase == ENDING and self.outgoing.confirmed == self.outgoing.end:
            self._leave(self.outcome or FINISHED)
        else:
            self._have_room()

    def _read_less(self) -> None:
        """Read the leg no more while more is held than an end may send that keeps to the protocol."""
        if self.attached is not None and self.incoming.is_full:
            self.attached.leg.pause()

    def _leave(self, how: Outcome) -> None:
        """End, as both know that it is over; the leg is closed in order."""
        leg = self.attached and self.attached.leg
        self._finish(how)
        if leg:
            leg.close(how)

    def _finish(self, outcome: Outcome) -> None:
        if self._phase == OVER:
            return
        if self.outcome is None or (self.outcome.clean and not self.outgoing.is_delivered):
            self.outcome = outcome
        self._phase = OVER
        self.incoming.end()
        self._stop_timers()
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
