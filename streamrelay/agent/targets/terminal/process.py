"""A process behind its terminal, as a connection: it is killed with its process group when the stream ends."""

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from attrs import define, field
from twisted.internet.error import ConnectionAborted, ProcessDone, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from streamrelay.agent.targets.terminal.keys import EndOfInput, told_size
from streamrelay.agent.targets.terminal.linger import Linger
from streamrelay.agent.targets.terminal.surroundings import set_size
from streamrelay.datapath.channel import TransportChannel
from streamrelay.datapath.connection import Connection, Drain, Feed
from streamrelay.protocol import codec
from streamrelay.protocol.close import FINISHED, Outcome
from streamrelay.protocol.control import Control

KILL_AFTER: Final = 3.0
"""Seconds that a process group gets between SIGHUP and SIGKILL."""


@define(eq=False)
class PtyConnection:
    """A process behind its terminal, as a connection."""

    clock: IReactorTime
    channel: TransportChannel = field(init=False)
    process: Any = field(init=False)
    _feed: Feed | None = None
    _drain: Drain | None = None
    _exit: int | None = None
    _reaped: bool = False
    _timer: IDelayedCall | None = None
    _kill: Callable[[int], None] = lambda number: None
    _outlived: Callable[[], None] = lambda: None  # withdraws what is to happen at the reactor's end
    _last: bytes = b"\n"  # the last byte sent
    _end: EndOfInput = field(init=False)
    _linger: Linger = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._end = EndOfInput(self.clock, lambda keys: self.channel.write([keys]), lambda: self.unsent)
        self._linger = Linger(self.clock, self._hang_up)

    def started(self, process: Any, kill: Callable[[int], None]) -> None:
        self.process, self._kill = process, kill
        self.channel = TransportChannel(process)

    def die_with(self, reactor: Any) -> None:
        """Have the process group killed at the reactor's end, which comes sooner than `KILL_AFTER` where a program
        ignores SIGHUP: nobody would be there to kill it any more."""
        if not self._reaped:
            trigger = reactor.addSystemEventTrigger("after", "shutdown", lambda: self._kill(signal.SIGKILL))
            self._outlived = partial(reactor.removeSystemEventTrigger, trigger)

    def resize(self, columns: int, rows: int) -> None:
        if self._exit is None and not self.process.disconnected:  # else its descriptor may be another's
            set_size(self.process.fileno(), columns, rows)

    @property
    def unsent(self) -> int:
        return self.channel.unsent

    def join(self, feed: Feed, drain: Drain) -> None:
        self._feed, self._drain = feed, drain
        if self._exit is None:
            self.channel.start(self)
            self._linger.read(True)
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
        self._linger.read(False)
        self.channel.pause()

    def resume(self) -> None:
        self._linger.read(True)
        self.channel.resume()

    def close(self, outcome: Outcome) -> None:
        """Hang up; what was typed before has reached the terminal or is worth nothing."""
        self.abort()

    def abort(self) -> None:
        self._end.stop()
        if self._exit is not None:
            self._report()
        elif self._reaped and self._timer is None:
            self._hang_up()
        elif self._timer is None:
            self._kill(signal.SIGHUP)
            self._kill(signal.SIGCONT)  # a stopped process takes no SIGHUP before it goes on
            self._timer = self.clock.callLater(KILL_AFTER, self._cut)
            self.channel.resume()  # a terminal that isn't read never hangs up

    def _cut(self) -> None:
        """Kill, and close the terminal, which whoever has left the group may hold, and write to, for ever."""
        self._kill(signal.SIGKILL)
        self._hang_up()

    def _hang_up(self) -> None:
        if not self.process.disconnected:
            self.process.connectionLost(Failure(ConnectionAborted()))

    def data_received(self, data: memoryview) -> None:
        self._linger.heard()
        if self._feed is not None:
            self._feed.received([data], len(data))

    def drained(self) -> None:
        if self._drain is not None:
            self._drain.drained()

    def reaped(self) -> None:
        """Take note that the process has ended; others may have its terminal open yet."""
        if not self._reaped:
            self._reaped = True
            self._kill(signal.SIGKILL)  # whom it left behind in its group, while its number is no other's
            self._kill = lambda number: None
            self._outlived()
            self._end.stop()
            if self._timer is None:
                self._linger.begin()

    def ended(self, status: int) -> None:
        """Report the end of the process, which is reaped, and its terminal read to the end."""
        self.reaped()
        self._exit = status
        self._linger.stop()
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

    def processExited(self, reason: Failure) -> None:
        self._connection.reaped()

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
