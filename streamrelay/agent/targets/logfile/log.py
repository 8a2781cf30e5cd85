"""log: the last lines of a file, then what is appended to it.

The file may not exist yet, may be renamed and made anew, or truncated; a last line without an end is sent as it is
and continued. It is watched by looking (`LOOK`), which works on every file system. Control messages tell the client
its place, what was left out, and where lines may be missing (protocol.rst, "Logs").
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Self

from attrs import define, field
from msgspec import Meta, structs
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.agent.targets.kind import Kind
from streamrelay.agent.targets.logfile import steps
from streamrelay.agent.targets.logfile.file import CHUNK, LogFile, last_lines, open_log, replaced
from streamrelay.agent.targets.logfile.places import Place
from streamrelay.agent.targets.logfile.rotation import successor
from streamrelay.agent.targets.logfile.skips import Skip
from streamrelay.agent.targets.logfile.steps import Steps, in_turns
from streamrelay.agent.targets.sockets.paths import Outside, check_absolute, within_of
from streamrelay.datapath.connection import Connection, Drain, Feed
from streamrelay.errors import TargetError
from streamrelay.protocol import codec
from streamrelay.protocol.close import FINISHED, CloseCode, Outcome, outcome
from streamrelay.protocol.control import Control
from streamrelay.protocol.summons import Refusal, Terms, Viewer

LOOK: Final = 0.2
"""Seconds between two looks at a file that has nothing new."""
WATCHED: Final = 1.0
"""Seconds since the last look in which a file isn't thought to have been replaced twice."""
BACKLOG: Final = 16 << 20
"""Bytes at a file's end in which its last lines are searched, at most."""
BURST: Final = 0.25
"""Seconds' worth of its rate that a log which was quiet may send at once."""
SKIP_EVERY: Final = 1.0
"""Seconds between two skips, each of which takes two of the control messages that a leg may send (16 a second)."""
FILE_EVERY: Final = 0.1
"""Seconds between two places that tell of another file, or of one that was truncated."""


class Log(Kind, frozen=True, tag="log"):
    """Settings of a log target."""

    path: str
    """The file's absolute path."""
    lines: Annotated[int, Meta(ge=0, le=100_000)] = 100
    """Lines that are sent before the file is followed, out of half of what `behind` says."""
    rate: Annotated[int, Meta(ge=1024, le=1 << 30)] = 8 << 20
    """Bytes a second that are sent at most."""
    behind: Annotated[int, Meta(ge=CHUNK, le=1 << 40)] = 32 << 20
    """Bytes that a client may be behind; when there are more, lines are left out until it is half of that."""
    within: str = ""
    """The directory where it must be once symbolic links are followed; empty: anywhere."""

    @property
    def viewer(self) -> Viewer:
        return "log"

    def check(self) -> None:
        if not self.path:
            raise ValueError("path: expected an absolute path")
        check_absolute(path=self.path, within=self.within)

    def bounded(self) -> Self:
        """As it stands in the agent's file: a pattern stays within the directory before its first part."""
        return structs.replace(self, within=self.within or within_of(self.path)) if self.parts else self

    async def connect(self, reactor: Any, terms: Terms) -> Connection:
        try:
            file, lost = await in_turns(reactor, self._open(terms))
        except Outside as outside:
            raise outside.refusal() from None
        except OSError as error:
            raise TargetError(Refusal.TARGET_REFUSED, f"{self.path}: {error.strerror}") from None
        return LogConnection(reactor, self, file, lost)

    def _open(self, terms: Terms) -> Steps[tuple[LogFile | None, bool]]:
        """Open the file at a place, or at its last lines; with True if a place was given that can't be found."""
        if terms.place:
            place = Place.unseal(terms.place, self.path)
            try:
                if place is not None:
                    return (yield from place.reopen(self.path, terms.after, self.within)), False
            except FileNotFoundError:
                pass
        file = open_log(self.path, self.within)
        if file is not None:
            try:
                file.seek((yield from last_lines(file.descriptor, self.lines, min(BACKLOG, self.behind // 2))))
            except BaseException:  # also where the stream is ended meanwhile
                file.close()
                raise
        return file, bool(terms.place)


@define(eq=False)
class LogConnection:
    """A followed file. What a client sends is not taken."""

    clock: IReactorTime
    settings: Log
    file: LogFile | None
    lost: bool = False
    """True if lines may be missing before the first one, which is to be told."""
    unsent: int = 0
    _feed: Feed | None = None
    _paused: bool = False
    _next: IDelayedCall | None = None
    _skip: Skip | None = None
    _search: Steps[tuple[LogFile | None, bool | None]] | None = None  # for the file that came after this one
    _at_end: bool = False  # whether all of the file had been read by the last look, `LOOK` ago
    _named: float = field(init=False)  # when it was last seen under its path
    _free: float = field(init=False)  # from when on the rate allows the next chunk
    _skipped: float = field(init=False)  # when the last skip was told
    _told: float = field(init=False)  # when the last place was
    _known: int = 0  # bytes of the file's head that the last place tells

    def __attrs_post_init__(self) -> None:
        now = self.clock.seconds()
        self._named, self._free, self._skipped, self._told = now, now - BURST, now - SKIP_EVERY, now

    def join(self, feed: Feed, drain: Drain) -> None:
        self._feed = feed
        self._tell_place(self.lost)
        self._read()

    def send(self, data: Sequence[memoryview], size: int) -> None:
        """Drop what the client sends: a log takes nothing."""

    def send_control(self, message: bytes) -> None:
        """Drop what the client says: a log takes nothing."""

    def send_eof(self) -> None:
        """Ignore the client's end of file: a log goes on when its reader has nothing to say."""

    def pause(self) -> None:
        self._paused = True
        self._at_end = False  # nobody looks meanwhile: a truncation may take lines that weren't read
        self._stop()

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self._later(0)

    def close(self, outcome: Outcome) -> None:
        self.abort()

    def abort(self) -> None:
        self._end(FINISHED)

    def _end(self, how: Outcome) -> None:
        self._stop()
        if self.file is not None:
            self.file.close()
            self.file = None
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.over(how)
            feed.gone()

    # -- one turn after the other ----------------------------------------------------------------------------

    def _read(self) -> None:
        self._next = None
        try:
            self._later(self._turn())
        except OSError as error:  # a disk that fails, a file server that has gone
            self._end(outcome(CloseCode.TARGET_RESET, f"{self.settings.path}: {error.strerror}"))

    def _turn(self) -> float:
        """Do a bit of what there is to do, and return the seconds until the next bit."""
        now = self.clock.seconds()
        if self._search is not None:
            return self._search_on(self._search, self.file)
        if self.file is None:
            return self._go_on(None)
        if self._skip is not None:
            return self._count(self._skip, self.file)
        if self._free > now:
            return self._free - now
        # Before each read: behind a truncation other bytes would be taken for the rest of the old ones.
        if self.file.renewed():
            if self._told + FILE_EVERY > now:
                return self._told + FILE_EVERY - now
            self.file.seek(0)
            self._tell_place(lost=not self._at_end)
        if self.file.size - self.file.offset > self.settings.behind and now >= self._skipped + SKIP_EVERY:
            self._begin_to_skip(self.file)
            return 0
        most = min(CHUNK, self.settings.rate)
        chunk = self.file.read(most)
        self._at_end = len(chunk) < most
        if not chunk:
            return self._go_on(self.file)
        self._pass(chunk)
        return 0

    def _pass(self, chunk: bytes) -> None:
        self._free = max(self._free, self.clock.seconds() - BURST) + len(chunk) / self.settings.rate
        if self._feed is not None:
            self._feed.received([memoryview(chunk)], len(chunk))
        if self.file is not None and self._known < len(self.file.head):
            self._tell_place()  # now it can be told better from other files

    def _go_on(self, file: LogFile | None) -> float:
        """Go on to another file, if there is one under the path by now, as this one has been read to its end."""
        path = self.settings.path
        if not replaced(path, None if file is None else file.identity):
            self._named = self.clock.seconds()
            return LOOK
        if file is not None and (chunk := file.read(CHUNK)):  # written before the writer took the new one
            self._pass(chunk)
            return 0
        now = self.clock.seconds()
        if self._told + FILE_EVERY > now:
            return self._told + FILE_EVERY - now
        self._search = successor(path, file, self.settings.within)
        return self._search_on(self._search, file)

    def _search_on(self, search: Steps[tuple[LogFile | None, bool | None]], file: LogFile | None) -> float:
        try:
            next(search)
            return steps.REST
        except StopIteration as done:
            self._search, (newer, missing) = None, done.value
        if newer is None:
            return LOOK
        if file is not None and self._grown(file):
            newer.close()
            return 0
        self._take(newer, missing)
        return 0

    def _grown(self, file: LogFile) -> bool:
        """Pass what was written while another file was searched; tell whether there may be more of it."""
        if file.renewed():
            return True
        chunk = file.read(CHUNK)
        if chunk:
            self._pass(chunk)
        return len(chunk) == CHUNK or self.file is None

    def _take(self, newer: LogFile, missing: bool | None) -> None:
        if self.file is not None:
            self.file.close()
        self.file, self._at_end = newer, False
        # If nobody knows, it is a matter of time: in a longer one than `WATCHED` a whole file may have come and gone.
        late = self.clock.seconds() > self._named + WATCHED
        self._tell_place(lost=late if missing is None else missing)

    # -- too far behind --------------------------------------------------------------------------------------

    def _begin_to_skip(self, file: LogFile) -> None:
        rest = file.rest_of_line()
        self._skip = Skip(file.descriptor, file.offset + rest, self.settings.behind // 2)
        if rest:
            self._pass(file.read(rest))

    def _count(self, skip: Skip, file: LogFile) -> float:
        if skip.step():
            self._skip = None
            file.seek(skip.position)
            self._skipped = self.clock.seconds()
            self._tell(Control(skipped=max(1, skip.lines)))
            self._tell_place()
        return 0

    # -- telling ---------------------------------------------------------------------------------------------

    def _tell_place(self, lost: bool = False) -> None:
        self._known = len(self.file.head) if self.file is not None else 0
        self._told = self.clock.seconds()
        self._tell(Control(place=Place.of(self.file).seal(self.settings.path), lost=lost))

    def _tell(self, control: Control) -> None:
        if self._feed is not None:
            self._feed.control(codec.encode(control))

    def _later(self, seconds: float) -> None:
        if self._next is None and self._feed is not None and not self._paused:
            self._next = self.clock.callLater(seconds, self._read)

    def _stop(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        search, self._search = self._search, None
        if search is not None:
            search.close()


_check: type[Connection] = LogConnection
