"""log: the last lines of a file, then what is appended to it.

The file may not exist yet, may be renamed and made anew, or truncated; a last line without an end is sent as it is
and continued.
"""

from typing import Annotated, Any, Final, Self

from msgspec import Meta, structs

from streamrelay.agent.targets.last_lines import LogKind, begin_with
from streamrelay.agent.targets.logfile.connection import LogConnection
from streamrelay.agent.targets.logfile.file import CHUNK, last_lines, open_log
from streamrelay.agent.targets.logfile.old_files import OldFiles
from streamrelay.agent.targets.logfile.places import Place, Reopened
from streamrelay.agent.targets.logfile.steps import Steps, in_turns
from streamrelay.agent.targets.sockets.paths import Outside, check_absolute, within_of
from streamrelay.datapath.connection import Connection
from streamrelay.errors import TargetError
from streamrelay.protocol.summons import Refusal, Terms, Viewer

BACKLOG: Final = 16 << 20
"""Bytes at the end of a file's text in which its last lines are searched, at most."""


class Log(LogKind, frozen=True, tag="log"):
    """Settings of a log target."""

    path: str
    """The file's absolute path."""
    rate: Annotated[int, Meta(ge=1024, le=1 << 30)] = 8 << 20
    """Bytes a second that are sent at most."""
    behind: Annotated[int, Meta(ge=CHUNK, le=1 << 40)] = 32 << 20
    """Bytes that a client may be behind; when there are more, lines are left out until it is half of that."""
    linger: Annotated[int, Meta(ge=0, le=86_400)] = 60
    """Seconds in which a rotated file is still read on after the last bytes that came to it."""
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
        return await begin_with(self, terms, lambda settings: settings._follow(reactor, terms))

    async def _follow(self, reactor: Any, terms: Terms) -> Connection:
        try:
            begin = await in_turns(reactor, self._open(terms))
        except Outside as outside:
            raise outside.refusal() from None
        except OSError as error:
            raise TargetError(Refusal.TARGET_REFUSED, f"{self.path}: {error.strerror}") from None
        old = OldFiles(self.linger)
        for file in reversed(begin.old):
            old.add(file, reactor.seconds(), 0.0 if begin.file is None else file.quiet(begin.file))
        return LogConnection(reactor, self, begin.file, begin.lost, old)

    def _open(self, terms: Terms) -> Steps[Reopened]:
        """Open the file at a place, or at its last lines if no place was given, or one that can't be found."""
        if terms.place:
            place = Place.unseal(terms.place, self.path)
            try:
                if place is not None:
                    return (yield from place.reopen(self.path, terms.after, self.within))
            except FileNotFoundError:
                pass
        file = open_log(self.path, self.within)
        if file is not None:
            try:
                file.seek((yield from last_lines(file.descriptor, self.lines, min(BACKLOG, self.behind // 2))))
            except BaseException:  # also where the stream is ended meanwhile
                file.close()
                raise
        return Reopened(file, [], bool(terms.place))
