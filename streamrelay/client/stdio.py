"""Standard input and output as a connection to splice.

Two threads do the reading and writing: files, pipes and terminals all work, and a terminal that is shared with a
shell isn't switched to non-blocking under it. While there is nothing to write, the writer looks whether anybody still
reads. The phase is that of the output; input is told in all of them but OVER:

================  ====================  =====================  ===================  ======================  ==========
what happens      OPEN                  FINISHING: the writer  WRITTEN: all is      CLOSING: over as soon   OVER: the
                                        was told to end        out, input goes on   as all is out           feed knows
================  ====================  =====================  ===================  ======================  ==========
join              reads and writes in all but the last                                                      over, gone
send_eof          writer told →         --                     --                   --                      --
                  FINISHING
close             writer told →         → CLOSING              over → OVER          --                      --
                  CLOSING
all is out        (not before it was    → WRITTEN; the end of  --                   over → OVER             --
                  told)                 input, if it is typed
a write failed,   over → OVER           over → OVER            (nothing to write)   over → OVER             --
abort
================  ====================  =====================  ===================  ======================  ==========

What isn't phase: whether input is read (`_may_read`).
"""

import errno
import os
import select
import socket
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from attrs import define, field

from streamrelay.client.escape import Keys
from streamrelay.client.log_place import LogPlace
from streamrelay.client.log_text import LogText
from streamrelay.client.screen import Screen
from streamrelay.datapath.connection import Connection, Drain, Feed
from streamrelay.protocol.close import FINISHED, CloseCode, Outcome, outcome
from streamrelay.protocol.control import decode_control

CHUNK: Final = 65536

OPEN, FINISHING, WRITTEN, CLOSING, OVER = range(5)


@define(frozen=True)
class Piece:
    """A piece of output: what is shown of `size` bytes of the stream, behind `place` if that is one."""

    data: bytes = b""
    size: int = 0
    place: str = ""


@define(eq=False)
class StdioConnection:
    """The process' own ends; `reactor` is where its callbacks run."""

    reactor: Any
    source: int = 0
    destination: int = 1
    unsent: int = 0
    text: LogText | None = None
    """Text of a log, as which all that is sent is shown; byte for byte if None."""
    place: LogPlace | None = None
    """Told of the places of a log, and of what was taken behind them."""
    screen: Screen | None = None
    """Terminal by which all is written, if output is one."""
    escape: Keys | None = None
    """Filter of what is typed; input isn't paused where there is one, so that one can always leave."""
    typed: bool = field()
    """True if input is a terminal: who sits there needs no end of it once the target has ended."""
    _feed: Feed | None = None
    _drain: Drain | None = None
    _may_read: threading.Event = field(factory=threading.Event)
    _queue: "deque[Piece | None]" = field(factory=deque)
    _wake: tuple[socket.socket, socket.socket] = field(factory=socket.socketpair)
    failure: OSError | None = None
    """Error of standard output, if it didn't take all; `BrokenPipeError` if nobody reads it any more."""
    input_failure: OSError | None = None
    """Error of standard input, whose end isn't known then."""
    phase: int = OPEN
    """The output's phase, as in the table above."""

    @typed.default
    def _typed(self) -> bool:
        return os.isatty(self.source)

    def join(self, feed: Feed, drain: Drain) -> None:
        if self.phase == OVER:  # before anybody wanted to know
            feed.over(FINISHED)
            feed.gone()
            return
        self._feed, self._drain = feed, drain
        self._may_read.set()
        for loop in (self._read, self._write):
            threading.Thread(target=loop, daemon=True).start()

    def send(self, data: Sequence[memoryview], size: int) -> None:
        joined = b"".join(data)
        self._show(joined if self.text is None else self.text.take(joined), size)

    def send_control(self, message: bytes) -> None:
        """Take note of a log's places, and of its encoding and gaps if it is shown; nobody takes other messages."""
        if self.text is None and self.place is None:
            return
        control = decode_control(message)
        if self.text is not None and (control.lost or control.skipped):
            self._show(self.text.reset(), 0)
        if not control.place:
            return
        if self.text is not None:
            self.text.switch(control.encoding)
        if self.place is not None:
            self._put(Piece(place=control.place))

    def send_eof(self) -> None:
        if self.phase == OPEN:
            self.phase = FINISHING
            if self.text is not None:
                self._show(self.text.end(), 0)
            self._put(None)

    def pause(self) -> None:
        if self.escape is None:
            self._may_read.clear()

    def resume(self) -> None:
        self._may_read.set()

    def close(self, outcome: Outcome) -> None:
        self.send_eof()
        if self.phase == FINISHING:
            self.phase = CLOSING
        elif self.phase == WRITTEN:
            self._over(FINISHED)

    def abort(self) -> None:
        self._over(FINISHED)

    def _show(self, data: bytes, size: int) -> None:
        if data or size:
            self.unsent += len(data)
            self._put(Piece(data, size))

    def _put(self, piece: Piece | None) -> None:
        self._queue.append(piece)
        if len(self._queue) == 1:  # else the writer has yet to come to the one before
            with suppress(BlockingIOError):  # it has yet to hear of many others
                self._wake[0].send(b"x", socket.MSG_DONTWAIT)

    # -- in threads ------------------------------------------------------------------------------------------

    def _read(self) -> None:
        step = threading.Semaphore(0)
        while True:
            self._may_read.wait()
            try:
                data = os.read(self.source, CHUNK)
            except OSError as error:
                if error.errno != errno.EBADF:  # closed from the start: nothing to read
                    self.input_failure = error
                data = b""
            self.reactor.callFromThread(self._received, data, step)
            if not data:
                return
            step.acquire()

    def _write(self) -> None:
        try:
            while (piece := self._next()) is not None:
                self._write_piece(piece)
                if piece.data:
                    self.reactor.callFromThread(self._written, len(piece.data))
            self._close_destination()
        except OSError as error:
            self.failure = error
            self.reactor.callFromThread(self._over, outcome(CloseCode.LEG_LOST, f"standard output: {error.strerror}"))
            return
        self.reactor.callFromThread(self._written_all)

    def _write_piece(self, piece: Piece) -> None:
        place = self.place or LogPlace("", "")
        if piece.place:
            place.at(piece.place)
        rest = memoryview(piece.data)
        while rest:
            taken = os.write(self.destination, rest) if self.screen is None else self.screen.write(rest)
            rest = rest[taken:]
            if self.text is None:
                place.passed(taken)
        if self.text is not None:  # of what is shown nobody can say how many bytes it was in part
            place.passed(piece.size)

    def _next(self) -> Piece | None:
        """Wait for what is to be written next, None at the end; raise `BrokenPipeError` if nobody reads any more."""
        while not self._queue:
            poll = select.poll()
            poll.register(self._wake[1], select.POLLIN)
            poll.register(self.destination, 0)  # errors and hang-ups alone
            if any(descriptor == self.destination for descriptor, _ in poll.poll()):
                raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
            self._wake[1].recv(CHUNK)
        return self._queue.popleft()

    def _close_destination(self) -> None:
        """Tell the reader of our output that this was all; the number itself stays taken.

        Some file systems say only at a close that they had no room: at that of a copy, as `dup2` would swallow it.
        """
        if self.screen is not None:
            self.screen.leave()
        os.close(os.dup(self.destination))
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.destination)
        os.close(nowhere)

    # -- in the reactor --------------------------------------------------------------------------------------

    def _received(self, data: bytes, step: threading.Semaphore) -> None:
        step.release()
        if self._feed is None:
            return
        if not data:
            self._feed.eof()
        elif rest := data if self.escape is None else self.escape.take(data):
            self._feed.received([memoryview(rest)], len(rest))

    def _written(self, size: int) -> None:
        self.unsent -= size
        if not self.unsent and self._drain is not None:
            self._drain.drained()

    def _written_all(self) -> None:
        if self.phase == FINISHING:
            self.phase = WRITTEN
            if self.typed and self._feed is not None:
                self._feed.eof()
        elif self.phase == CLOSING:
            self._over(FINISHED)

    def _over(self, why: Outcome) -> None:
        self.phase = OVER
        if self.screen is not None:
            self.screen.leave()
        feed, self._feed, self._drain = self._feed, None, None
        if feed is not None:
            feed.over(why)
            feed.gone()


_check: type[Connection] = StdioConnection
