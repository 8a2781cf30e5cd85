"""A command in a container, in a terminal of its own.

Neither Docker nor podman ends a command whose client has left, nor does the API have a request for it. So the command
gets a variable that no other process has, `MARK`, and when the stream ends all that have it are sent SIGHUP, and 3 s
later SIGKILL, by a second command in the container. That needs the container's own sh, kill, grep and sleep; a
container without them has no shell to leave behind, but another command may stay there until it ends by itself.
"""

from collections.abc import Sequence
from secrets import token_hex
from typing import Any, Final

import msgspec
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from streamrelay.agent.targets.container.api import ApiError, DockerApi, exec_settings
from streamrelay.agent.targets.container.hijack import hijack
from streamrelay.agent.targets.terminal.keys import EndOfInput, told_size
from streamrelay.agent.targets.terminal.surroundings import VARIABLES
from streamrelay.datapath.connection import Connection, Drain, Feed
from streamrelay.datapath.plain import PlainConnection
from streamrelay.errors import TargetError
from streamrelay.logs import Logger
from streamrelay.protocol import codec
from streamrelay.protocol.close import FINISHED, CloseCode, Outcome, outcome
from streamrelay.protocol.control import Control

log = Logger()

MARK: Final = "STREAMRELAY_EXEC"
"""Variable of the environment that tells a stream's processes from all others."""
TRIES: Final = 5
"""Times that a size is set, or a status asked for, until the API has noticed that the command began, or ended."""
PAUSE: Final = 0.1
"""Seconds between two tries, times the number of those before."""
END: Final = """for signal in HUP KILL; do
    for process in /proc/[0-9]*; do
        grep -qs "$1" "$process/environ" && kill -$signal "${process#/proc/}"
    done
    [ $signal = KILL ] || sleep 3
done"""
"""Script of sh that ends all processes with a variable, its argument."""


async def start_exec(
    api: DockerApi, container: str, command: Sequence[str], user: str, size: tuple[int, int]
) -> "ExecConnection":
    """Start a command in a container, in a terminal of its own; or raise `TargetError`."""
    mark = f"{MARK}={token_hex(16)}"
    variables = [f"{name}={value}" for name, value in VARIABLES.items()]
    settings = exec_settings(command, user, [*variables, mark], terminal=True)
    name = await api.create_exec(container, settings)
    body = msgspec.json.encode({"Detach": False, "Tty": True})
    marked = Marked(api, container, user, mark)
    plain = None
    try:
        plain = await hijack(api.reactor, api.socket, f"/exec/{name}/start", body)
        connection = ExecConnection(api, container, name, marked, plain)
        await connection.resize(*size)  # so that the command finds it, or nearly so
    except ApiError:
        raise  # it wasn't started
    except BaseException:
        marked.end()  # it may have been
        if plain is not None:
            plain.abort()
        raise
    return connection


@define(frozen=True)
class Marked:
    """The processes of one stream in a container, known by their variable."""

    api: DockerApi
    container: str
    user: str
    mark: str

    def end(self) -> None:
        """Have them ended."""
        run(self._end(), self.container, "can't end the command, which may go on")

    async def _end(self) -> None:
        settings = exec_settings(["/bin/sh", "-c", END, "sh", self.mark], self.user)
        await self.api.start_exec(await self.api.create_exec(self.container, settings))


def run(work: Any, container: str, cannot: str) -> None:
    """Do what nobody waits for; `cannot` says what wasn't done if it fails."""

    def failed(failure: Failure) -> None:
        if failure.check(TargetError):
            log.info("container {name}: {cannot}: {error}", name=container[:12], cannot=cannot, error=failure.value)
        else:
            log.failure(
                "container {name}: an error in the agent: {cannot}", failure, name=container[:12], cannot=cannot
            )

    Deferred.fromCoroutine(work).addErrback(failed)


@define(eq=False)
class ExecConnection:
    """A command in a container, behind its terminal, as a connection."""

    api: DockerApi
    container: str
    name: str
    marked: Marked
    plain: PlainConnection
    _feed: Feed | None = None
    _ended: bool = False  # the command's end of the connection is closed
    _left: bool = False  # ours is
    _last: bytes = b"\n"  # the last byte sent
    _size: tuple[int, int] | None = None  # to be set
    _sizing: bool = False
    _end: EndOfInput = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._end = EndOfInput(self.api.reactor, self._type, lambda: self.unsent)

    @property
    def unsent(self) -> int:
        return self.plain.unsent

    def join(self, feed: Feed, drain: Drain) -> None:
        self._feed = feed
        self.plain.join(self, drain)

    def send(self, data: Sequence[memoryview], size: int) -> None:
        if size:
            self._last = bytes(data[-1][-1:])
        self.plain.send(data, size)

    def send_control(self, message: bytes) -> None:
        size = told_size(message)
        if size is not None:
            run(self.resize(*size), self.container, "can't set the terminal's size")

    def send_eof(self) -> None:
        """Type Ctrl-D, once or twice, which a terminal takes for an end of file."""
        self._end.begin(self._last)

    def _type(self, keys: bytes) -> None:
        self.plain.send([memoryview(keys)], len(keys))

    def pause(self) -> None:
        self.plain.pause()

    def resume(self) -> None:
        self.plain.resume()

    def close(self, outcome: Outcome) -> None:
        """Hang up; what was typed before has reached the terminal or is worth nothing."""
        self.abort()

    def abort(self) -> None:
        if self._left:
            return
        self._left = True
        self._end.stop()
        if not self._ended:
            self.marked.end()
        self.plain.abort()
        self._report(FINISHED)

    # -- what the API's end of the connection tells ------------------------------------------------------------

    def received(self, data: Sequence[memoryview], size: int) -> None:
        if self._feed is not None:
            self._feed.received(data, size)

    def control(self, message: bytes) -> None:
        """Ignore control messages, of which a plain connection has none."""

    def eof(self) -> None:
        if not self._ended and not self._left:
            self._ended = True
            self._end.stop()
            run(self._tell(), self.container, "can't learn the command's exit status")

    def over(self, outcome: Outcome) -> None:
        self.eof()

    def gone(self) -> None:
        """Ignore that the connection holds nothing any more: the command's end is what is reported."""

    async def _tell(self) -> None:
        """Say how the command ended."""
        status: int | None = None
        try:
            for attempt in range(TRIES):
                found = await self.api.inspect_exec(self.name)
                if not found.running:
                    status = found.exit_code
                    break
                await deferLater(self.api.reactor, PAUSE * (attempt + 1))
        finally:
            if status is None:
                self._ended = False  # the connection broke off, and the command may live
                self._report(outcome(CloseCode.TARGET_RESET))
            else:
                self._report(FINISHED, status & 255)
            self.abort()

    def _report(self, how: Outcome, status: int | None = None) -> None:
        feed, self._feed = self._feed, None
        if feed is None:
            return
        if status is not None:
            feed.control(codec.encode(Control(exit=status)))
            feed.eof()
        feed.over(how)
        feed.gone()

    # -- what is asked of the API -----------------------------------------------------------------------------

    async def resize(self, columns: int, rows: int) -> None:
        """Set the terminal's size: if several are asked for, one after the other, and the last one counts."""
        self._size = (columns, rows)
        failed = 0
        while not self._sizing and self._size is not None and not self._ended and not self._left:
            size, self._size, self._sizing = self._size, None, True
            try:
                await self.api.resize_exec(self.name, *size)
            except ApiError:  # it may not have begun yet
                failed += 1
                if failed == TRIES:
                    return
                self._size = self._size or size
                await deferLater(self.api.reactor, PAUSE * failed)
            finally:
                self._sizing = False


_check: type[Connection] = ExecConnection
