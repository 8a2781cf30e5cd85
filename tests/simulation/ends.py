"""The programs at both ends of a stream, which know what the other one sends, and so see what is wrong with it."""

from collections.abc import Callable
from random import Random
from typing import Final

from attrs import define, field

from tests.simulation.process import Process
from tests.simulation.sockets import Socket
from tests.simulation.wiretap import Wrong

MOST: Final = 1 << 19
"""Bytes that one end sends at most."""
_BYTES: Final = Random("bytes").randbytes(4 * MOST)


NAMED: Final = 2
"""Bytes by which a user's stream begins: its number."""


def content(stream: int, up: bool, begin: int, end: int) -> bytes:
    """Return what is sent on a stream in one direction, from one position to another; no two are alike."""
    offset = (stream * 7919 + up * 104_729) % MOST
    found = _BYTES[offset + begin : offset + end]
    if up and begin < NAMED:
        return stream.to_bytes(NAMED)[begin:end] + found[NAMED - begin :]
    return found


@define(frozen=True)
class Script:
    """What a program at an end does."""

    size: int = 100
    """Bytes that it sends."""
    chunk: int = 100
    """Bytes that it sends at once."""
    pause: float = 0.0
    """Seconds between two chunks."""
    finish: str = "eof"
    """What it does when all is sent: "eof" half-closes, "close" closes, "reset" resets, "wait" waits for the other's
    end; then it closes."""
    deaf: float = 0.0
    """Seconds before it reads anything."""
    bite: int = 65536
    """Bytes that it reads at once."""
    rest: float = 0.0
    """Seconds between two reads."""

    @property
    def is_patient(self) -> bool:
        """True if it loses nothing of what the other end sends."""
        return self.finish in ("eof", "wait")


@define(eq=False)
class End:
    """One of the two programs, while it has its connection."""

    stream: int
    """The stream's number; -1 as long as it isn't known."""
    is_user: bool
    script: Script
    process: Process
    sock: Socket
    say: Callable[[str], None]
    may_hear: Callable[[], bool] = lambda: True
    """Tells whether anything may have come by now."""
    other: "End | None" = None
    sent: int = 0
    received: int = 0
    finished: bool = False
    """True once it has said, in order, that this was all."""
    got_end: bool = False
    """True once it was told, in order, that this was all."""
    over: str = ""
    """How its connection ended; empty while it lives."""
    is_limited: bool = False
    """True if its stream may be ended by a limit, which is an end in order."""
    find: "Callable[[End], None]" = lambda end: None
    """Tells a target that is several streams', once it knows its stream, its script and the other end."""
    _name: bytes = b""  # what it knows of its stream's number
    _hears: bool = True
    _due: bool = False  # it will go on sending by itself
    _buffer: bytearray = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._buffer = bytearray(self.script.bite)

    @property
    def name(self) -> str:
        return f"{'user' if self.is_user else 'target'} {self.stream}"

    @property
    def is_torn(self) -> bool:
        """True if the process at the other end of its connection was killed: then its kernel says what it likes."""
        return self.sock.peer is not None and not self.sock.peer.owner.alive

    def start(self) -> None:
        """Begin, as the connection stands."""
        if self.stream < 0:
            self._watch()
            return
        if self.script.deaf:
            self._rest(self.script.deaf)
        else:
            self._watch()
        self._go_on()

    # -- sending ---------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        self._due = False
        if self.over or self.finished:
            return
        left = min(self.script.chunk, self.script.size - self.sent)
        while left:
            piece = content(self.stream, self.is_user, self.sent, self.sent + left)
            try:
                size = self.sock.send(piece)
            except BlockingIOError:
                self.process.loop.add_writer(self.sock.number, self._writable)
                return
            except OSError:
                self._end("reset")
                return
            self.sent += size
            left -= size
        if self.sent < self.script.size:
            self._due = True
            self.process.later(self.script.pause, self._go_on)
        else:
            self.process.later(self.script.pause, self._finish)

    def _writable(self) -> None:
        self.process.loop.remove_writer(self.sock.number)
        self._go_on()

    def _finish(self) -> None:
        if self.over:
            return
        how = self.script.finish
        if how == "reset":
            self.sock.linger = False
            self._end("it reset it")
        elif how == "close":
            self.finished = not self.sock.inbox
            self._end("it closed it")
        elif how == "eof" or self.got_end:
            self._half_close()

    def _half_close(self) -> None:
        if not self.finished and not self.over and self.sent == self.script.size:
            self.say(f"{self.name} has sent all of {self.sent}")
            self.finished = True
            try:
                self.sock.shutdown(1)
            except OSError:
                self._end("reset")
                return
        if self.finished and self.got_end:
            self._end("in order")

    @property
    def progress(self) -> str:
        return f"{self.name} has sent {self.sent} of {self.script.size}, got {self.received}, and isn't over"

    def leave(self) -> None:
        """Reset the connection, whatever it is at."""
        if not self.over:
            self.sock.linger = False
            self._end("it left")

    def leave_early(self) -> None:
        """Close the connection before a word, which says in order that there was none."""
        self.finished = True
        self._end("it left before a word")

    # -- receiving -------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        self._hears = True
        if not self.over and not self.got_end:
            self.process.loop.add_reader(self.sock.number, self._readable)

    def _rest(self, seconds: float) -> None:
        self._hears = False
        self.process.loop.remove_reader(self.sock.number)
        self.process.later(seconds, self._watch)

    def _readable(self) -> None:
        try:
            most = self.script.bite if self.stream >= 0 else NAMED - len(self._name)
            size = self.sock.recv_into(self._buffer, most)
        except BlockingIOError:
            return
        except OSError:
            self._end("reset")
            return
        if not size:
            self._told_end()
            return
        if self.stream < 0:
            self._named(bytes(self._buffer[:size]))
            return
        self._check(size)
        if self.script.rest:
            self._rest(self.script.rest)

    def _named(self, piece: bytes) -> None:
        """Find out whose target this is, as the first bytes say it; then begin."""
        if not self.may_hear():
            raise Wrong(f"{self.name} got bytes before both legs were paired")
        self._name += piece
        if len(self._name) == NAMED:
            self.stream = int.from_bytes(self._name)
            self.find(self)
            self.received = NAMED
            self.start()

    def _check(self, size: int) -> None:
        begin, self.received = self.received, self.received + size
        if not self.may_hear():
            raise Wrong(f"{self.name} got bytes before both legs were paired")
        if self._buffer[:size] != content(self.stream, not self.is_user, begin, self.received):
            raise Wrong(f"{self.name} got {size} bytes at {begin} that aren't what was sent there")
        if self.other is None or self.received > self.other.sent:
            raise Wrong(f"{self.name} got {self.received} bytes, more than were sent")

    def _told_end(self) -> None:
        self.process.loop.remove_reader(self.sock.number)
        self.got_end = True
        if self.is_torn or self.is_limited:
            self.finished = True
        elif self.stream < 0:
            self._end("in order")  # whoever it was left before a word
            return
        elif self.other is None or not self.other.finished or self.received != self.other.sent:
            sent = "nobody" if self.other is None else f"{self.other.sent} and {self.other.over or 'no end'}"
            raise Wrong(f"{self.name} was told that {self.received} bytes were all, of {sent}")
        self.say(f"{self.name} got all of {self.received}")
        if self.script.finish == "wait" and self.sent == self.script.size and not self._due:
            self._half_close()
        elif self.finished:
            self._end("in order")

    def _end(self, how: str) -> None:
        self.over = how
        self.say(f"{self.name} is over: {how}; sent {self.sent}, got {self.received}")
        self.process.loop.remove_reader(self.sock.number)
        self.process.loop.remove_writer(self.sock.number)
        self.sock.close()
