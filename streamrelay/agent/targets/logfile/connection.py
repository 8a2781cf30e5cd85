"""A log file as a connection: read to its end, then looked at for what is appended, from file to file.

It is watched by looking (`LOOK`), which works on every file system. Control messages tell the client its place, what
was left out, and where lines may be missing (protocol.rst, "Logs").
"""

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.agent.targets.followed_log import TakesNothing
from streamrelay.agent.targets.logfile import steps
from streamrelay.agent.targets.logfile.file import CHUNK, LogFile, replaced
from streamrelay.agent.targets.logfile.old_files import OldFiles
from streamrelay.agent.targets.logfile.paces import BURST, FILE_EVERY, LOOK, PLACE_EVERY, SKIP_EVERY, WATCHED
from streamrelay.agent.targets.logfile.places import Place
from streamrelay.agent.targets.logfile.position import Position
from streamrelay.agent.targets.logfile.rotation import successor
from streamrelay.agent.targets.logfile.search import find
from streamrelay.agent.targets.logfile.settings import Settings
from streamrelay.agent.targets.logfile.skips import Skip
from streamrelay.agent.targets.logfile.steps import Steps
from streamrelay.agent.targets.logfile.waiting import Waiting
from streamrelay.datapath.connection import Drain, Feed
from streamrelay.protocol import codec
from streamrelay.protocol.close import FINISHED, CloseCode, Outcome, outcome
from streamrelay.protocol.control import Control


@define(eq=False)
class LogConnection(TakesNothing):
    """A followed file. What a client sends is not taken."""

    clock: IReactorTime
    settings: Settings
    file: LogFile | None
    lost: bool = False
    """True if lines may be missing before the first one, which is to be told."""
    old: OldFiles = field(factory=lambda: OldFiles(0))
    """Rotated files to which programs may still write."""
    unsent: int = 0
    _feed: Feed | None = None
    _paused: bool = False
    _next: IDelayedCall | None = None
    _skip: Skip | None = None
    _search: Steps[float] | None = None  # for the file that came after this one; it returns when to go on
    _waiting: Waiting = field(init=False)
    _named: float = field(init=False)  # when it was last seen under its path
    _free: float = field(init=False)  # from when on the rate allows the next chunk
    _skipped: float = field(init=False)  # when the last skip was told
    _told: float = field(init=False)  # when the last place was
    _encoding: str = ""  # that the last place tells
    _known: int = 0  # bytes of the file's head that the last place tells
    _untold: bool = False  # whether bytes have come since then

    def __attrs_post_init__(self) -> None:
        self._waiting, now = Waiting(self.settings, self.file is not None), self.clock.seconds()
        self._named, self._free, self._skipped, self._told = now, now - BURST, float("-inf"), now

    def join(self, feed: Feed, drain: Drain) -> None:
        self._feed = feed
        self._tell_place(self.lost)
        self._read()

    def pause(self) -> None:
        self._paused = True
        self._stop()

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self._later(0)

    def abort(self) -> None:
        self._end(FINISHED)

    def _end(self, how: Outcome) -> None:
        self._stop()
        if self.file is not None:
            self.file.close()
            self.file = None
        self.old.close()
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
            return self._search_on(self._search)
        if self.file is not None and self.file.renewed():
            if self._told + FILE_EVERY > now:
                return self._told + FILE_EVERY - now
            self._search = self._before_truncation(self.file)
            return self._search_on(self._search)
        if self._skip is not None:
            return self._count(self._skip)
        if self._untold and now >= self._told + PLACE_EVERY:
            self._tell_place()
        if self._free > now:
            return self._free - now
        if self.old.due(now):
            return self._read_old(now)
        if self.file is None:
            return self._go_on(None)
        if now >= self._skipped + SKIP_EVERY and self.file.has_more(self.settings.behind):
            self._begin_to_skip(self.file)
            return 0
        if not self.file.offset and self.file.encoding != self._encoding:
            self._tell_place()  # before the first byte
        chunk = self.file.read(min(CHUNK, self.settings.rate), now < self._skipped + SKIP_EVERY)
        if not chunk:
            return self._beyond(self.file, now)
        self._pass(chunk)
        return 0

    def _beyond(self, file: LogFile, now: float) -> float:
        """Go on behind the NULs that stand next; the last ones of a file are waited for to be written over."""
        count = file.nuls.measure(file.descriptor, file.offset, now)
        if not count:
            return self._go_on(file) if count == 0 else 0
        wait = self._skipped + SKIP_EVERY - now
        if count < file.fewest_nuls() or (wait > 0 and count <= CHUNK):
            self._pass(file.read_all(count))
            return 0
        if wait <= 0:
            file.seek(file.offset + count)
            self._skipped = now
            self._tell_place(nuls=count)
        return max(0, wait)

    def _pass(self, chunk: bytes) -> None:
        self._free = max(self._free, self.clock.seconds() - BURST) + len(chunk) / self.settings.rate
        self._untold = True
        if self._feed is not None:
            self._feed.received([memoryview(chunk)], len(chunk))
        if self.file is not None and self._known < len(self.file.head):
            self._tell_place()  # now it can be told better from other files

    def _go_on(self, file: LogFile | None) -> float:
        """Go on to another file, if there is one under the path by now, as this one has been read to its end."""
        now = self.clock.seconds()
        self._tell(self._waiting.look(now, file))
        if not replaced(self.settings.path, None if file is None else file.identity):
            self._named = now
            if file is not None and file.nameless():
                return self._let_go(file, now)
            return LOOK
        if file is not None and (chunk := file.read(CHUNK)):  # written before the writer took the new one
            self._pass(chunk)
            return 0
        if self._told + FILE_EVERY > now:
            return self._told + FILE_EVERY - now
        self._search = self._after(file)
        return self._search_on(self._search)

    def _let_go(self, file: LogFile, now: float) -> float:
        """Close a file that was deleted, which takes room on the disk until then, once it is read to its end."""
        if self._told + FILE_EVERY > now:
            return self._told + FILE_EVERY - now
        if chunk := file.read(CHUNK):
            self._pass(chunk)
            return 0
        cut_off = file.cut_off()
        file.close()
        self.file = None
        self._tell_place(lost=cut_off)
        return LOOK

    def _search_on(self, search: Steps[float]) -> float:
        try:
            next(search)
            return steps.REST
        except StopIteration as done:
            seconds: float = done.value
            return seconds

    def _after(self, file: LogFile | None) -> Steps[float]:
        """Search the file that came after this one, and take it."""
        newer, missing = yield from successor(self.settings.path, file, self.settings.within)
        self._search = None
        if newer is None:
            return LOOK
        if file is not None and self._grown(file):
            newer.close()
            return 0
        # If nobody knows, it is a matter of time: in a longer one than `WATCHED` a whole file may have come and gone.
        late = self.clock.seconds() > self._named + WATCHED
        if file is not None and file.copied is not None and replaced(self.settings.path, newer.identity):
            newer.copied = 0  # so is what came after a copy, but for the log itself
        cut_off = file is not None and file.cut_off()
        self._take(newer, lost=cut_off or (late if missing is None else missing))
        return 0

    def _before_truncation(self, file: LogFile) -> Steps[float]:
        """Go on in the copy that was made of a file before it was truncated; without one lines may be missing."""
        besides = [each.identity for each in (file, *self.old.files)]
        copy = (yield from find(self.settings.path, Position.of(file), self.settings.within, besides)).file
        self._search = None
        if copy is None:
            self._end_skip()
            file.seek(0)
            self._tell_place(lost=True)
            return 0
        file.close()
        self.file = copy
        if self._skip is not None:
            self._skip.go_on_in(copy)
        else:
            self._tell_place()
        return 0

    def _grown(self, file: LogFile) -> bool:
        """Pass what was written while another file was searched; tell whether there may be more of it."""
        if file.renewed():
            return True
        chunk = file.read(CHUNK)
        if chunk:
            self._pass(chunk)
        return self.file is None or (bool(chunk) and file.offset < file.size)

    def _take(self, newer: LogFile, lost: bool) -> None:
        if self.file is not None:
            self.old.add(self.file, self.clock.seconds())
        self.file = newer
        self._tell(self._waiting.over())
        self._tell_place(lost)

    def _read_old(self, now: float) -> float:
        """Look for what was written to an old file; it is told between two places."""
        if self.old.grown is None:
            fewer = self.old.look(now, self.file is not None and self.file.within_line())
            if fewer or self.old.grown is not None:
                self._tell_place()
            return 0
        chunk = self.old.read(now)
        if chunk:
            self._pass(chunk)
        if self.old.grown is None:
            self._tell_place()
        return 0

    # -- too far behind --------------------------------------------------------------------------------------

    def _begin_to_skip(self, file: LogFile) -> None:
        if rest := file.rest_of_line(CHUNK):
            self._pass(file.read_all(rest))
        self._skip = Skip(file, self.settings.behind // 2)

    def _count(self, skip: Skip) -> float:
        if skip.step():
            self._end_skip()
            self._tell_place()
        return 0

    def _end_skip(self) -> None:
        skip, self._skip = self._skip, None
        if skip is not None:
            self._skipped = self.clock.seconds()
            self._tell(skip.told())

    # -- telling ---------------------------------------------------------------------------------------------

    def _tell_place(self, lost: bool = False, nuls: int = 0) -> None:
        self._known = len(self.file.head) if self.file is not None else 0
        self._told, self._untold = self.clock.seconds(), False
        read = self.old.grown or self.file
        self._encoding = read.encoding if read is not None else ""
        place = Place.of(self.settings.path, self.file, self.old.files, self.old.grown)
        sealed = place.seal(self.settings.path)
        self._tell(Control(place=sealed, encoding=self._encoding, lost=lost, nuls=nuls))

    def _tell(self, control: Control | None) -> None:
        if control is not None and self._feed is not None:
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
