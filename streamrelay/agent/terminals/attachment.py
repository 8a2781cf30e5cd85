"""One stream's end at a terminal, which is an ordinary connection to the stream."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from attrs import define, field

from streamrelay.agent.targets.terminal.keys import EndOfInput, told_size
from streamrelay.agent.terminals.answers import typed
from streamrelay.datapath.connection import Connection, Drain, Feed
from streamrelay.protocol.close import FINISHED, Outcome

MOST_BEHIND: Final = 256 << 10
"""Bytes that are kept for a client which takes no more, while others do; then it gets the screen instead."""
STAYED: Final = 1.0
"""Seconds after which a client that can't confirm what it was sent has seen it; one that can does so in that time."""


@define(eq=False)
class Attachment:
    """A client at a terminal. `confirmed` tells whether it has confirmed anything that it was sent, and is None for the
    clients of streams that confirm nothing."""

    terminal: Any
    user: str
    view: bool
    stream: str
    confirmed: Callable[[], Callable[[], bool] | None]
    size: tuple[int, int] | None = None
    """Columns and rows of the client's window, if it has said so."""
    paused: bool = False
    feed: Feed | None = None
    """Listener to what the program says; None before the stream joins and after it has ended."""
    drain: Drain | None = None
    size_due: bool = True
    """True if the client has to be told the terminal's size."""
    people_due: bool = True
    begun: bytes = b""
    """What the client has sent of an answer of its terminal whose end is yet to come."""
    _joined: bool = False
    _joined_at: float = 0.0
    _has_typed: bool = False
    _behind: list[bytes] = field(factory=list)
    _bytes: int = 0
    _missed: bool = False  # more than what is kept
    _waits: bool = False  # for the screen, which is being drawn
    _ending: tuple[Outcome, bytes] | None = None  # behind that
    _last: bytes = b"\n"
    _end: EndOfInput = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._end = EndOfInput(self.terminal.clock, self._type, lambda: self.unsent)

    # -- what the stream asks --------------------------------------------------------------------------------

    @property
    def unsent(self) -> int:
        return int(self.terminal.program.unsent)

    @property
    def has_seen(self) -> bool:
        """True once somebody has typed here, or has seen the terminal. A client that has only come may have been left
        before anybody knew of the terminal; its size, and answers of its screen, are said by nobody."""
        if self._has_typed or not self._joined:
            return self._has_typed
        confirmed = self.confirmed()
        if confirmed is not None:
            return confirmed()
        return bool(self.terminal.clock.seconds() - self._joined_at >= STAYED)

    def join(self, feed: Feed, drain: Drain) -> None:
        self.feed, self.drain, self._joined = feed, drain, True
        self._joined_at = self.terminal.clock.seconds()
        self.terminal.attach(self)

    def send(self, data: Sequence[memoryview], size: int) -> None:
        if size:
            self._last = bytes(data[-1][-1:])
            keys = b"".join(data)
            self._has_typed = self._has_typed or bool(typed(keys)[0])
            self.terminal.typed(self, keys)

    def send_control(self, message: bytes) -> None:
        size = told_size(message)
        if size is not None:
            self.terminal.resized(self, size)

    def send_eof(self) -> None:
        """Type Ctrl-D, as at any terminal, for as long as the client stays."""
        self._end.begin(self._last)

    def _type(self, keys: bytes) -> None:
        self.terminal.typed(self, keys)

    def pause(self) -> None:
        self.paused = True
        self.terminal.look()

    def resume(self) -> None:
        self.paused = False
        self.catch_up()
        self.terminal.look()

    def close(self, outcome: Outcome) -> None:
        """Leave the terminal, which goes on."""
        self.leave(FINISHED)

    def abort(self) -> None:
        self.leave(FINISHED)

    # -- what the terminal tells -----------------------------------------------------------------------------

    def show(self, whole: bool) -> None:
        """Send the screen, once it is drawn; what comes until then is in it."""
        self._waits = True
        self.terminal.model.draw(whole, self._shown)

    def _shown(self, drawing: bytes) -> None:
        self._waits = False
        if self._ending is None:
            self.deliver(drawing)
        else:  # an end waits for nobody
            self._send(drawing)
            self._finish()

    def deliver(self, data: bytes) -> None:
        """Send what the program has written, or keep it while the client takes no more."""
        if self._waits:
            return
        if not self.paused:
            self._send(data)
        elif not self._missed:
            self._behind.append(data)
            self._bytes += len(data)
            if self._bytes > MOST_BEHIND:
                self._missed = True
                self._behind.clear()

    def catch_up(self) -> None:
        """Send what was kept, or the screen as it is."""
        behind, missed = self._behind, self._missed
        self._behind, self._bytes, self._missed = [], 0, False
        if missed:
            self.show(whole=False)
        for data in behind:
            self._send(data)

    def _send(self, data: bytes) -> None:
        if self.feed is not None and data:
            own = bytearray(data)  # as who takes it may change it in place
            self.feed.received([memoryview(own)], len(own))

    def tell(self, message: bytes) -> None:
        if self.feed is not None:
            self.feed.control(message)

    def end(self, how: Outcome, status: bytes = b"") -> None:
        """End the stream, behind all that was kept for it; with the program's status, if it has ended by itself."""
        self._ending = how, status
        self.catch_up()
        if not self._waits:
            self._finish()

    def _finish(self) -> None:
        """Tell the end, once, as all before it is sent."""
        ending, self._ending = self._ending, None
        if ending is None:
            return
        how, status = ending
        if status:
            self.tell(status)
            if self.feed is not None:
                self.feed.eof()
        self.leave(how)

    def leave(self, how: Outcome) -> None:
        """Tell the stream that it has left, and the terminal."""
        self._end.stop()
        feed, self.feed, self.drain = self.feed, None, None
        self.terminal.detach(self)
        if feed is not None:
            feed.over(how)
            feed.gone()


_check: type[Connection] = Attachment
