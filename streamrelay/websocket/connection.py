"""A websocket as a connection to splice: frames over a channel, once the opening handshake is done.

It stands at a frame boundary at all times, so a ping, a control message or the close can follow any bytes. Its phase
only ever grows. CLOSING and LEAVING: our close frame is out, in LEAVING as we go away, so that all which the peer had
sent still counts. ENDED: nothing more comes or can go. LOST: the transport is gone.

======================  ====================  ==================  ===================  ==================  ==========
what happens            OPEN                  LEAVING             CLOSING              ENDED               LOST
======================  ====================  ==================  ===================  ==================  ==========
send, send_control      a frame goes out      dropped             dropped              dropped             dropped
close, leave            close → one of these  → CLOSING, perhaps  --                   --                  --
pause                   it isn't read         it isn't read       -- (the answer)      --                  --
join                    it is read            it is read          it is read           it is read          over, gone
bytes, control, eof     told                  told                told                 dropped             --
ping                    pong                  --                  --                   --                  --
the peer's close        answer, over → ENDED  over → ENDED        over → ENDED         dropped             --
protocol is broken      close, over → ENDED   over → ENDED        over → ENDED         dropped             --
the peer is dead        over, abort → ENDED   over, abort         over, abort → ENDED  abort               --
time to close is up     (no timer)            abort               abort                abort               (no timer)
connection_lost         over, gone → LOST     over, gone → LOST   over, gone → LOST    gone → LOST         --
======================  ====================  ==================  ===================  ==================  ==========

"told", "over" and "gone" are what the feed hears. What isn't phase: whether the peer's end of file has come (`_eof`:
bytes behind it break the protocol), whether the peer has said that it has no room (`_held`: it counts as unsent), and
what liveness.py knows (paused, heard, dead; stuck: then a close for any other reason than an orderly one aborts).
"""

from collections.abc import Callable, Sequence

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from streamrelay.datapath.channel import Channel
from streamrelay.datapath.connection import HIGH, Connection, Drain, Feed
from streamrelay.datapath.deadline import Deadline
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.errors import PeerError
from streamrelay.logs import Logger
from streamrelay.protocol.close import EXPLAIN, FINISHED, CloseCode, Outcome, outcome
from streamrelay.protocol.control import EOF_MESSAGE, decode_control
from streamrelay.websocket import close_frame
from streamrelay.websocket.flood import FloodLimit
from streamrelay.websocket.frame_writer import FrameWriter, Masking
from streamrelay.websocket.frames import BINARY, CLOSE, PING, PONG, TEXT, Event, FrameReader
from streamrelay.websocket.liveness import Action, Liveness

log = Logger()

OPEN, LEAVING, CLOSING, ENDED, LOST = range(5)  # phases, as numbers: to compare them costs nothing on the data path


@define(eq=False)
class FramedConnection:
    """One websocket after its handshake. `masking` is what we do; the peer must do the opposite."""

    channel: Channel
    clock: IReactorTime
    heartbeat: Heartbeat
    masking: str
    control: bool
    """True if text messages are control messages (streamrelay.v1), else all is bytes (raw)."""
    peer: str = ""
    """Address of the peer, for logs."""
    on_early_loss: Callable[[], None] = lambda: None
    """Called if the transport is lost before anybody has joined."""
    measure: Callable[[int, int], None] = field(init=False)  # bytes of a read, and how many of them were headers
    _dialled: bool = field(init=False)  # so the peer is a relay
    _reader: FrameReader = field(init=False)
    _writer: FrameWriter = field(init=False)
    _flood_limit: FloodLimit = field(init=False)
    _liveness: Liveness = field(init=False)
    _deadline: Deadline = field(init=False)  # of the close
    _feed: Feed | None = None
    _drain: Drain | None = None
    _phase: int = OPEN
    _eof: bool = False  # the peer said so
    _held: bool = False  # the peer has no room, as it said
    _pong: bytes | None = None  # the answer to the last ping, while others are unsent

    def __attrs_post_init__(self) -> None:
        self._dialled = self.masking != Masking.NONE
        self._reader = FrameReader(masked=not self._dialled, text_is_bytes=not self.control)
        self._writer = FrameWriter(self.channel, self.masking)
        self._flood_limit = FloodLimit(self.channel)
        self.measure = self._flood_limit.measure
        self._liveness = Liveness(self._dialled)
        self._deadline = Deadline(self.clock, self.abort)
        self.heartbeat.add(self)

    # -- Connection ------------------------------------------------------------------------------------------

    @property
    def unsent(self) -> int:
        """A peer that has no room counts as one to which more than a source may leave is unsent."""
        return self.channel.unsent + (HIGH + 1 if self._held else 0)

    def join(self, feed: Feed, drain: Drain) -> None:
        if self._phase == LOST:  # before anybody wanted to know
            feed.over(outcome(CloseCode.LEG_LOST))
            feed.gone()
            return
        first, self._feed, self._drain = self._feed is None, feed, drain
        self._liveness.joined = True
        if first:
            self.channel.start(self)
        else:
            self.resume()

    def send(self, data: Sequence[memoryview], size: int) -> None:
        if self._phase == OPEN:
            self._liveness.sent += size
            self._flood_limit.sent += size
            self._writer.write(BINARY, data, size)

    def send_control(self, message: bytes) -> None:
        if self.control and self._phase == OPEN:
            self._writer.write_bytes(TEXT, message)

    def send_eof(self) -> None:
        """In raw mode the end of one direction is the end of all (protocol.rst, "Raw")."""
        if self.control:
            self.send_control(EOF_MESSAGE)
        else:
            self.close(FINISHED)

    def pause(self) -> None:
        if self._phase < CLOSING:
            self._liveness.paused = True
            self.channel.pause()

    def resume(self) -> None:
        self._liveness.paused = False
        self.channel.resume()

    def close(self, outcome: Outcome) -> None:
        if self._liveness.stuck and not outcome.orderly:
            self.channel.abort()  # nobody would read why
        else:
            phase = LEAVING if outcome.code == CloseCode.GOING_AWAY else CLOSING
            self._close(outcome, close_frame.CLOSE_TIME + self._liveness.slack(), phase)

    def leave(self, outcome: Outcome) -> None:
        """Close at once, without an answer: the peer doesn't read, and finds our close when it does."""
        self._close(outcome, close_frame.FAILED_TIME)
        self.channel.close()

    def abort(self) -> None:
        self.channel.abort()

    def outlive(self) -> None:
        """Take note that the stream outlives this leg, so it is given up sooner (protocol.rst, "Liveness")."""
        self._liveness.outlived = True

    # -- Receiver --------------------------------------------------------------------------------------------

    def data_received(self, data: memoryview) -> None:
        self._liveness.heard = True
        if self._phase >= ENDED:
            return
        try:
            size = self._take(self._reader.feed(data))
            self.measure(len(data), len(data) - size)
        except PeerError as error:
            self._break(error)
        except Exception:
            log.failure("an error in the websocket of {peer}; it is closed with 1011", peer=self.peer)
            self._fail(PeerError(CloseCode.OUR_FAULT, EXPLAIN[CloseCode.OUR_FAULT]))

    def drained(self) -> None:
        pong, self._pong = self._pong, None
        if pong is not None and self._phase == OPEN:
            self._writer.write_bytes(PONG, pong)
        if self._drain is not None and not self._held:
            self._drain.drained()

    def connection_lost(self, reason: str) -> None:
        """The transport is gone; `reason` says how if that was not orderly."""
        ended, self._phase = self._phase >= ENDED, LOST
        self.heartbeat.discard(self)
        self._deadline.stop()
        if self._feed is not None and not ended:
            self._feed.over(outcome(CloseCode.LEG_LOST, reason))
        gone = self.on_early_loss if self._feed is None else self._feed.gone
        self._feed = self._drain = None
        gone()

    def beat(self) -> None:
        """Ping a quiet peer, give up a dead one."""
        if self._feed is not None:
            self._flood_limit.renew()
        action = self._liveness.beat(self.channel.unsent, self.channel.peer_is_silent, self.channel.peer_is_gone)
        if action is Action.DEAD:
            self._end(outcome(CloseCode.LEG_LOST, f"no answer to pings for {self._liveness.patience:.0f} s"))
            self.channel.abort()
        elif action is not Action.NOTHING and self._phase == OPEN:
            if action is Action.PING_UNREAD:
                self._flood_limit.expect()
            self._writer.write_bytes(PING, b"")

    # -- what comes in ---------------------------------------------------------------------------------------

    def _take(self, events: list[Event]) -> int:
        """Bytes of the stream that were among them."""
        count = 0
        for opcode, payload in events:
            if self._phase >= ENDED:
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
        if control.hold is not None and self._dialled:  # the relay's legs pass it on
            self._hold(control.hold)
        if control.eof:
            self._eof = True
            self._feed.eof()
        elif self._dialled or control.met is None:  # only a relay says "met"
            self._feed.control(message)

    def _hold(self, held: bool) -> None:
        self._held = held
        if not held and not self.channel.unsent and self._drain is not None:
            self._drain.drained()

    def _answer_ping(self, payload: bytes) -> None:
        if self._phase != OPEN:
            return
        if self.channel.unsent:
            self._pong = payload  # only the last one must be answered (RFC 6455 §5.5.3)
        else:
            self._writer.write_bytes(PONG, payload)

    def _close_received(self, payload: bytes) -> None:
        code, reason = close_frame.parse_close(payload)
        self._deadline.set(close_frame.SERVER_CLOSES if self._dialled else close_frame.CLOSE_TIME)
        self._send_close(payload)
        self._end(close_frame.outcome_of_close(code, reason, from_relay=self._dialled))
        if not self._dialled:
            self.channel.close()

    def _close(self, why: Outcome, seconds: float, phase: int = CLOSING) -> None:
        if self._phase == OPEN:
            self._send_close(close_frame.close_payload(why.code, why.reason))
            self._phase = phase
            self._deadline.set(seconds)
            self.resume()  # for the answer
        elif self._phase == LEAVING:
            self._phase = phase

    def _send_close(self, payload: bytes) -> None:
        if self._phase == OPEN:
            self._writer.write_bytes(CLOSE, payload)
            self._phase = CLOSING

    def _fail(self, error: PeerError) -> None:
        """The peer broke the protocol: tell it why, the feed that it is lost, and read no more."""
        if self._phase >= ENDED:
            return
        if self._phase != OPEN:
            self._deadline.set(close_frame.FAILED_TIME)
        self._flood_limit.starve()
        self._close(Outcome(error.code, error.reason), close_frame.FAILED_TIME)
        self._end(outcome(CloseCode.LEG_LOST, error.reason))

    def _end(self, why: Outcome) -> None:
        if self._phase < ENDED:
            self._phase = ENDED
            if self._feed is not None:
                self._feed.over(why)


_check: type[Connection] = FramedConnection
