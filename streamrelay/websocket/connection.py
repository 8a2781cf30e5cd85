"""A websocket as a connection to splice: frames over a channel, once the opening handshake is done.

It stands at a frame boundary at all times, so a ping, a control message or the close can follow any bytes.
"""

import os
from collections.abc import Sequence
from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.datapath.channel import Channel
from streamrelay.datapath.connection import HIGH, Connection, Drain, Feed
from streamrelay.datapath.heartbeat import BEAT, DEAD_BEATS, PING_BEATS, Heartbeat
from streamrelay.errors import PeerError
from streamrelay.logs import Logger
from streamrelay.protocol.close import EXPLAIN, FINISHED, CloseCode, Outcome, outcome
from streamrelay.protocol.control import EOF_MESSAGE, decode_control
from streamrelay.websocket import frames
from streamrelay.websocket.flood import FloodLimit
from streamrelay.websocket.frames import BINARY, CLOSE, PING, PONG, TEXT, Event, FrameReader, apply_mask, frame_header

log = Logger()

CLOSE_TIME: Final = 60.0
"""Seconds in which what is unsent must go out and the peer must answer our close."""
SERVER_CLOSES: Final = 5.0
"""Seconds that a client gives the server to close TCP after the closing handshake (RFC 6455 §7.1.1)."""
FAILED_TIME: Final = 2.0
"""Seconds that a peer which broke the protocol gets to read why."""

_PASSED = frozenset(code for code in CloseCode if code >= 4000)
"""Close codes that mean to the other leg what they mean to this one."""


class Masking:
    """How a connection masks what it sends (RFC 6455 §5.3)."""

    NONE: Final = ""
    """A server's frames are not masked."""
    ZERO: Final = "zero"
    """A client's over TLS: the key is zero, as nobody between can read or be confused."""
    RANDOM: Final = "random"
    """A client's over plain TCP."""


_FIXED_KEYS: Final = {Masking.NONE: b"", Masking.ZERO: b"\0\0\0\0"}


@define(eq=False)
class FramedConnection:
    """One websocket after its handshake.

    `masking` is what we do; the peer must do the opposite. `control`: whether text messages are control messages
    (streamrelay.v1), else all is bytes (raw).
    """

    channel: Channel
    clock: IReactorTime
    heartbeat: Heartbeat
    masking: str
    control: bool
    peer: str = ""
    """Whom we talk to, for logs."""
    _reader: FrameReader = field(init=False)
    _flood_limit: FloodLimit = field(init=False)
    _feed: Feed | None = None
    _drain: Drain | None = None
    _closing: bool = False  # our close frame was sent
    _over: bool = False  # the feed was told
    _eof: bool = False  # the peer said so
    _held: bool = False  # the peer has no room, as it said
    _paused: bool = False
    _pong: bytes | None = None  # the answer to the last ping, while others are unsent
    _heard: bool = True  # since the last beat
    _beats: int = 0  # quiet ones
    _age: int = 0  # beats in all
    _stuck: int = 0  # those in which the peer took nothing of what is unsent
    _unsent: int = 0  # at the last beat
    _lost: bool = False
    _timer: IDelayedCall | None = None

    def __attrs_post_init__(self) -> None:
        self._reader = FrameReader(masked=self.masking == Masking.NONE, text_is_bytes=not self.control)
        self._flood_limit = FloodLimit(self.channel)
        self.heartbeat.add(self)

    # -- Connection ------------------------------------------------------------------------------------------

    @property
    def unsent(self) -> int:
        """A peer that has no room counts as one to which more than a source may leave is unsent."""
        return self.channel.unsent + (HIGH + 1 if self._held else 0)

    def join(self, feed: Feed, drain: Drain) -> None:
        first = self._feed is None
        if self._lost:  # before anybody wanted to know
            feed.over(outcome(CloseCode.LEG_LOST))
            feed.gone()
            return
        self._feed, self._drain = feed, drain
        if first:
            self.channel.start(self)
        else:
            self.resume()

    def send(self, data: Sequence[memoryview], size: int) -> None:
        if not self._closing:
            self._send_frame(BINARY, data, size)

    def send_control(self, message: bytes) -> None:
        if self.control and not self._closing:
            self._send_frame(TEXT, [memoryview(message)], len(message))

    def send_eof(self) -> None:
        """In raw mode the end of one direction is the end of all (protocol.rst, "Raw")."""
        if self.control:
            self.send_control(EOF_MESSAGE)
        else:
            self.close(FINISHED)

    def pause(self) -> None:
        if not self._closing:
            self._paused = True
            self.channel.pause()

    def resume(self) -> None:
        self._paused = False
        self.channel.resume()

    def close(self, outcome: Outcome) -> None:
        if self._stuck >= DEAD_BEATS - 1 and not outcome.orderly:
            self.channel.abort()  # nobody would read why
        else:
            self._close(outcome, CLOSE_TIME)

    def leave(self, outcome: Outcome) -> None:
        """Close at once, without an answer: the peer doesn't read, and finds our close when it does."""
        self._close(outcome, FAILED_TIME)
        self.channel.close()

    def abort(self) -> None:
        self.channel.abort()

    # -- Receiver --------------------------------------------------------------------------------------------

    def data_received(self, data: memoryview) -> None:
        self._heard = True
        if self._over:
            return
        try:
            size = self._take(self._reader.feed(data))
            self._flood_limit.measure(len(data), len(data) - size)
        except PeerError as error:
            self._break(error)
        except Exception:
            log.failure("an error in the websocket of {peer}; it is closed with 1011", peer=self.peer)
            self._fail(PeerError(CloseCode.OUR_FAULT, EXPLAIN[CloseCode.OUR_FAULT]))

    def drained(self) -> None:
        pong, self._pong = self._pong, None
        if pong is not None and not self._closing:
            self._send_frame(PONG, [memoryview(pong)], len(pong))
        if self._drain is not None and not self._held:
            self._drain.drained()

    def connection_lost(self, reason: str) -> None:
        """The transport is gone; `reason` says how if that was not orderly."""
        self._lost = True
        self.heartbeat.discard(self)
        self._stop_timer()
        self._end(outcome(CloseCode.LEG_LOST, reason))
        feed, self._feed, self._drain = self._feed, None, None
        if feed is not None:
            feed.gone()

    # -- what comes in ---------------------------------------------------------------------------------------

    def _take(self, events: list[Event]) -> int:
        """Bytes of the stream that were among them."""
        count = 0
        for opcode, payload in events:
            if self._over:
                break
            if opcode != BINARY:
                self._frame_received(opcode, payload)  # type: ignore[arg-type]
            elif self._eof:
                raise PeerError(CloseCode.PROTOCOL, "bytes after an end of file")
            else:
                size = len(payload[0]) if len(payload) == 1 else sum(map(len, payload))  # type: ignore[arg-type]
                self._feed.received(payload, size)  # type: ignore[arg-type, union-attr]
                count += size
        return count

    def _break(self, error: PeerError) -> None:
        """The peer broke the protocol; what came in order before that still counts."""
        try:
            self._take(error.before)
        except PeerError as earlier:
            error = earlier
        self._fail(error)

    def _frame_received(self, opcode: int, payload: bytes) -> None:
        if opcode != CLOSE:
            self._flood_limit.spend()
        if opcode == TEXT:
            self._control_received(payload)
        elif opcode == PING:
            self._answer_ping(payload)
        elif opcode == CLOSE:
            self._close_received(payload)

    def _control_received(self, message: bytes) -> None:
        control = decode_control(message)
        assert self._feed is not None
        if control.hold is not None and self.masking != Masking.NONE:  # the relay's legs pass it on
            self._hold(control.hold)
        if control.eof:
            self._eof = True
            self._feed.eof()
        elif self.masking != Masking.NONE or control.met is None:  # only a relay says "met"
            self._feed.control(message)

    def _hold(self, held: bool) -> None:
        self._held = held
        if not held and not self.channel.unsent and self._drain is not None:
            self._drain.drained()

    def _answer_ping(self, payload: bytes) -> None:
        if self._closing:
            return
        if self.channel.unsent:
            self._pong = payload  # only the last one must be answered (RFC 6455 §5.5.3)
        else:
            self._send_frame(PONG, [memoryview(payload)], len(payload))

    def _close_received(self, payload: bytes) -> None:
        code, reason = frames.parse_close(payload)
        server = self.masking == Masking.NONE
        self._set_timer(CLOSE_TIME if server else SERVER_CLOSES)
        if not self._closing:
            self._closing = True
            self._send_frame(CLOSE, [memoryview(payload)], len(payload))
        self._end(Outcome(code, reason) if code in _PASSED else self._plain_ending(code, reason))
        if server:
            self.channel.close()

    def _plain_ending(self, code: int, reason: str) -> Outcome:
        """What a peer's own close code means to others: it left in order, or it failed."""
        if self.masking != Masking.NONE and code not in (1000, 1005):
            return Outcome(code, reason)  # the relay's own codes are for us
        if code in (1000, 1001, 1005) or code >= 3000:
            return FINISHED
        return outcome(CloseCode.LEG_LOST, f"the other leg closed with {code} {reason}".strip())

    # -- what goes out ---------------------------------------------------------------------------------------

    def _send_frame(self, opcode: int, data: Sequence[memoryview], size: int) -> None:
        if self.masking != Masking.RANDOM:
            self.channel.write([frame_header(opcode, size, _FIXED_KEYS[self.masking]), *data])
        else:
            key = os.urandom(4)
            payload = memoryview(bytearray(b"".join(data)))
            apply_mask(payload, key)
            self.channel.write([frame_header(opcode, size, key), payload])

    def _close(self, why: Outcome, seconds: float) -> None:
        if self._closing or self._lost:
            return
        payload = frames.close_payload(why.code, why.reason)
        self._send_frame(CLOSE, [memoryview(payload)], len(payload))
        self._closing = True
        self._set_timer(seconds)
        self.resume()  # for the answer

    def _fail(self, error: PeerError) -> None:
        """The peer broke the protocol: tell it why, the feed that it is lost, and read no more."""
        if self._over:
            return
        if self._closing:
            self._set_timer(FAILED_TIME)
        self._flood_limit.starve()
        self._close(Outcome(error.code, error.reason), FAILED_TIME)
        self._end(outcome(CloseCode.LEG_LOST, error.reason))

    def _too_late(self) -> None:
        self._timer = None
        self.channel.abort()

    def _set_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.clock.callLater(seconds, self._too_late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self, why: Outcome) -> None:
        if not self._over:
            self._over = True
            if self._feed is not None:
                self._feed.over(why)

    # -- Beating ---------------------------------------------------------------------------------------------

    def beat(self) -> None:
        """Ping a quiet peer, give up a dead one.

        The count stands still while we hold unsent bytes or don't read, as then no answer can be expected; TCP's
        own silence tells a dead peer from a slow one, if something is in flight. A client pings whatever it hears: its
        relay may see nothing else from one who can't read for a while.
        """
        self._age += 1
        unsent = self.channel.unsent
        self._stuck = self._stuck + 1 if unsent and unsent == self._unsent else 0
        self._unsent = unsent
        if self._feed is None:  # it waits, unread, and its peer wants to know that we live
            if self._age % PING_BEATS == 0:
                self._ping()
            return
        self._flood_limit.renew()
        if self._heard:
            self._heard, self._beats = False, 0
        elif self._paused or self.channel.unsent:
            self._beat_unread()
            return
        else:
            self._beats += 1
        if self._beats >= DEAD_BEATS:
            self._dead()
        elif (self._beats and self._beats % PING_BEATS == 0) or (
            self.masking != Masking.NONE and self._age % PING_BEATS == 0
        ):
            self._ping()

    def _beat_unread(self) -> None:
        """What is unsent is in flight, or else a ping is: its kernel must answer either, or has reset the leg."""
        if self.channel.peer_is_silent(BEAT * DEAD_BEATS):
            self._dead()
        elif not self.channel.unsent:
            self._flood_limit.expect()
            self._ping()

    def _ping(self) -> None:
        if not self._closing and not self.channel.unsent:
            self._send_frame(PING, [], 0)

    def _dead(self) -> None:
        self._end(outcome(CloseCode.LEG_LOST, f"no answer to pings for {BEAT * DEAD_BEATS:.0f} s"))
        self.channel.abort()


_check: type[Connection] = FramedConnection
