"""pty: a command in a pseudo-terminal, killed with its process group when the stream ends."""

import errno
import os
import pwd
import shutil
from typing import Annotated, Any, Final, Literal, Self

from attrs import define
from msgspec import Meta

from streamrelay.agent.targets.kind import PART, Kind, Launcher, Target, Variant
from streamrelay.agent.targets.terminal.process import PtyConnection, PtyProtocol
from streamrelay.agent.targets.terminal.spawned import Spawned
from streamrelay.agent.targets.terminal.surroundings import VARIABLES
from streamrelay.datapath.connection import Connection
from streamrelay.errors import TargetError, first_line
from streamrelay.protocol.limits import MOST_KEEP
from streamrelay.protocol.summons import Refusal, Terms, Viewer

NONE_LEFT: Final = (None, errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
"""Errors of a machine that has no terminal (Python gives that no number), process, memory or descriptor left."""


class Pty(Kind, frozen=True, tag="pty"):
    """Settings of a pty target."""

    command: tuple[str, ...]
    """The program and its arguments; no shell reads them."""
    directory: str = "/"
    """Directory in which the command starts."""
    environment: dict[str, str] = {}
    """Variables beside TERM, COLORTERM, PATH, HOME, USER, LOGNAME, SHELL and LANG, which it inherits."""
    size: tuple[int, int] = (80, 24)
    """Columns and rows until the client says otherwise."""
    keep: Annotated[float, Meta(ge=0, le=MOST_KEEP)] = 0.0
    """Seconds for which the command goes on once its last stream has ended; 0: it ends with its stream."""
    umask: Annotated[str, Meta(pattern=r"^0?[0-7]{3}\Z")] = "022"
    """The mask of modes for files that the command makes, in octal; a daemon's own is 077."""
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
    def mask(self) -> int:
        return int(self.umask, 8)

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
        protocol, environment = PtyProtocol(connection), self._environment()
        try:
            Spawned(reactor, protocol, program, self.command, environment, self.directory, self.size, self.mask)
        except OSError as error:
            code = Refusal.BUSY if error.errno in NONE_LEFT else Refusal.TARGET_REFUSED
            raise TargetError(code, f"{program}: {first_line(error)}") from None
        connection.die_with(reactor)
        return connection

    def _environment(self) -> dict[str, str]:
        names = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        return {**VARIABLES, **kept, **self.environment}


@define(frozen=True)
class AsUser(Variant[Pty]):
    """A pty target that another user runs, by the launcher."""

    name: str
    launcher: Launcher | None

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
