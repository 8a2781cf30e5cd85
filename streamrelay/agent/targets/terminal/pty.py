"""pty: a command in a pseudo-terminal, killed with its process group when the stream ends."""

import fcntl
import os
import pwd
import shutil
import signal
import struct
import termios
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, Literal, Self

from attrs import define, field
from twisted.internet.error import ConnectionAborted, ProcessDone, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from streamrelay.agent.targets.kind import PART, Kind, Launcher, Target
from streamrelay.agent.targets.terminal.keys import EndOfInput, told_size
from streamrelay.datapath.channel import TransportChannel
from streamrelay.datapath.connection import Connection, Drain, Feed
from streamrelay.errors import TargetError
from streamrelay.logs import Logger
from streamrelay.protocol import codec
from streamrelay.protocol.close import FINISHED, Outcome
from streamrelay.protocol.control import Control
from streamrelay.protocol.summons import Refusal, Terms, Viewer

log = Logger()

KILL_AFTER: Final = 3.0
"""Seconds that a process group gets between SIGHUP and SIGKILL."""
UMASK: Final = 0o022
"""The mask of modes for files that a command makes, whatever the agent's own is."""
IUTF8: Final = 0o40000
"""Linux's flag of termios, which Python names from 3.13 on only."""


class Pty(Kind, frozen=True, tag="pty"):
    """Settings of a pty target."""

    command: tuple[str, ...]
    """The program and its arguments; no shell reads them."""
    directory: str = "/"
    """Directory in which the command starts."""
    environment: dict[str, str] = {}
    """Variables beside TERM, PATH, HOME, USER, LOGNAME, SHELL and LANG, which it inherits."""
    size: tuple[int, int] = (80, 24)
    """Columns and rows until the client says otherwise."""
    user: str = ""
    """The user who runs it; empty: the agent's own."""
    groups: tuple[str, ...] = ()
    """The groups beside the user's first one; none: those that the user is in."""
    sudo: bool = False
    """True if `user` may become another by set-uid programs; else Linux refuses it (no_new_privs)."""
    leftovers: Literal["leave", "kill"] = "leave"
    """The fate of processes that have left the command's process group, once the command has ended."""

    @property
    def is_own(self) -> bool:
        """True if it runs as the agent's own user, so that whoever opens it can do what the agent can."""
        return not self.user or self.user == own_user()

    @property
    def runs(self) -> bool:
        return True

    @property
    def runs_as(self) -> str:
        return self.user

    @property
    def viewer(self) -> Viewer:
        return "terminal"

    def check(self) -> None:
        if not self.command or not self.command[0]:
            raise ValueError("command: expected a program and its arguments")
        if not self.user and (self.groups or self.sudo or self.leftovers != "leave"):
            raise ValueError("groups, sudo, leftovers: only with a user")

    def bounded(self) -> Self:
        if PART.search(" ".join((self.user, *self.groups))):
            raise ValueError("user, groups: no {part}, or the client would choose who runs the command")
        return self

    def offered(self, name: str, launcher: Launcher | None) -> Target:
        return self if self.is_own else AsUser(self, name, launcher)

    async def connect(self, reactor: Any, terms: Terms) -> Connection:
        program = shutil.which(self.command[0])
        if program is None:
            raise TargetError(Refusal.TARGET_REFUSED, f"{self.command[0]}: no such program")
        if not os.path.isdir(self.directory):
            raise TargetError(Refusal.TARGET_REFUSED, f"{self.directory}: no such directory")
        connection = PtyConnection(reactor)
        protocol = PtyProtocol(connection)
        own = os.umask(UMASK)
        try:
            reactor.spawnProcess(
                protocol, program, list(self.command), self._environment(), self.directory, usePTY=True
            )
        except OSError as error:
            raise TargetError(Refusal.TARGET_REFUSED, f"{program}: {error.strerror or error}") from None
        finally:
            os.umask(own)
        set_utf8(connection.process.fileno())
        connection.resize(*self.size)
        return connection

    def _environment(self) -> dict[str, str]:
        names = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        return {"TERM": "xterm-256color", **kept, **self.environment}


@define(frozen=True)
class AsUser:
    """A pty target that another user runs, by the launcher."""

    settings: Pty
    name: str
    launcher: Launcher | None

    @property
    def kind(self) -> str:
        return self.settings.kind

    @property
    def viewer(self) -> Viewer:
        return self.settings.viewer

    @property
    def max_streams(self) -> int:
        return self.settings.max_streams

    async def connect(self, reactor: Any, terms: Terms) -> Connection:
        if self.launcher is None:
            why = f"{self.name} is to run as {self.settings.user}: start the agent anew, as root"
            raise TargetError(Refusal.TARGET_REFUSED, "this host's agent can't change users", detail=why)
        connection = PtyConnection(reactor)
        await self.launcher.launch(self.name, connection)
        return connection


def own_user() -> str:
    """Return the name of the user that we run as; empty if it has none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return ""


def set_utf8(terminal: int) -> None:
    """Let a terminal erase whole characters of UTF-8, not bytes, where it edits lines itself."""
    with suppress(termios.error):  # of a command that has ended already
        modes = termios.tcgetattr(terminal)
        modes[0] |= IUTF8
        termios.tcsetattr(terminal, termios.TCSANOW, modes)


@define(eq=False)
class PtyConnection:
    """A process behind its terminal, as a connection."""

    clock: IReactorTime
    channel: TransportChannel = field(init=False)
    process: Any = field(init=False)
    _feed: Feed | None = None
    _drain: Drain | None = None
    _exit: int | None = None
    _timer: IDelayedCall | None = None
    _kill: Callable[[int], None] = lambda number: None
    _last: bytes = b"\n"  # the last byte sent
    _end: EndOfInput = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._end = EndOfInput(self.clock, lambda keys: self.channel.write([keys]), lambda: self.unsent)

    def started(self, process: Any, kill: Callable[[int], None]) -> None:
        self.process, self._kill = process, kill
        self.channel = TransportChannel(process)

    def resize(self, columns: int, rows: int) -> None:
        if self._exit is None and not self.process.disconnected:  # else its descriptor may be another's
            fcntl.ioctl(self.process.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def unsent(self) -> int:
        return self.channel.unsent

    def join(self, feed: Feed, drain: Drain) -> None:
        self._feed, self._drain = feed, drain
        if self._exit is None:
            self.channel.start(self)
        else:
            self._report()

    def send(self, data: Sequence[memoryview], size: int) -> None:
        if size:
            self._last = bytes(data[-1][-1:])
        self.channel.write(data)

    def send_control(self, message: bytes) -> None:
        size = told_size(message)
        if size is not None:
            self.resize(*size)

    def send_eof(self) -> None:
        """Type Ctrl-D, once or twice, which a terminal takes for an end of file."""
        self._end.begin(self._last)

    def pause(self) -> None:
        self.channel.pause()

    def resume(self) -> None:
        self.channel.resume()

    def close(self, outcome: Outcome) -> None:
        """Hang up; what was typed before has reached the terminal or is worth nothing."""
        self.abort()

    def abort(self) -> None:
        self._end.stop()
        if self._exit is None and self._timer is None:
            self._kill(signal.SIGHUP)
            self._kill(signal.SIGCONT)  # a stopped process takes no SIGHUP before it goes on
            self._timer = self.clock.callLater(KILL_AFTER, self._cut)
            self.channel.resume()  # a terminal that isn't read never hangs up
        elif self._exit is not None:
            self._report()

    def _cut(self) -> None:
        """Kill, and close the terminal, which whoever has left the group may hold, and write to, for ever."""
        self._kill(signal.SIGKILL)
        if not self.process.disconnected:
            self.process.connectionLost(Failure(ConnectionAborted()))

    def data_received(self, data: memoryview) -> None:
        if self._feed is not None:
            self._feed.received([data], len(data))

    def drained(self) -> None:
        if self._drain is not None:
            self._drain.drained()

    def ended(self, status: int) -> None:
        """Report the end of the process, which is reaped, and its terminal read to the end."""
        self._kill(signal.SIGKILL)  # whom it left behind in its group
        self._exit = status
        self._end.stop()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._feed is not None:
            self._report()

    def _report(self) -> None:
        feed, self._feed, self._drain = self._feed, None, None
        if feed is not None:
            feed.control(codec.encode(Control(exit=self._exit)))
            feed.eof()
            feed.over(FINISHED)
            feed.gone()


_check: type[Connection] = PtyConnection


class PtyProtocol(ProcessProtocol):
    """Twisted's protocol of the process."""

    def __init__(self, connection: PtyConnection) -> None:
        self._connection = connection

    def connectionMade(self) -> None:
        assert self.transport is not None
        self._connection.started(self.transport, partial(kill_group, self.transport.pid))

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self._connection.channel.dataReceived(data)

    def processEnded(self, reason: Failure) -> None:
        self._connection.ended(exit_status(reason.value))


def kill_group(group: int, number: int) -> None:
    """Send a signal to a process group, if it is there, and ours."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def exit_status(why: object) -> int:
    """Return a process' status as a shell tells it: its own, or 128 and the signal."""
    if isinstance(why, ProcessTerminated):
        return 128 + why.signal if why.signal else int(why.exitCode or 0)
    return 0 if isinstance(why, ProcessDone) else 1
