"""The launcher's own loop. It is root, and its only window is one socket, whose other end an agent holds that may have
been taken over; so it is told names alone, and reads what they stand for from files that root alone may write.
"""

import fcntl
import os
import selectors
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NoReturn

from attrs import define, field

from streamrelay.agent.catalogue import Catalogue
from streamrelay.agent.launcher import child, keeper
from streamrelay.agent.launcher.messages import Order, Report
from streamrelay.agent.targets.terminal.process import KILL_AFTER
from streamrelay.agent.targets.terminal.pty import NONE_LEFT, Pty
from streamrelay.agent.targets.terminal.surroundings import prepare
from streamrelay.errors import TargetError
from streamrelay.logs import Logger, Several
from streamrelay.protocol import codec
from streamrelay.protocol.summons import Refusal

PACKET: Final = 8192
"""Bytes of an order at most; what is longer is none."""


def begin(catalogue: Catalogue, most: int, seconds: Callable[[], float]) -> socket.socket:
    """Start the launcher, as root, for at most so many commands at once; return the agent's end of its socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork():
        theirs.close()
        return ours
    try:
        _live(theirs.detach(), catalogue, most, seconds)
    finally:
        os._exit(0)


def _live(line: int, catalogue: Catalogue, most: int, seconds: Callable[[], float]) -> NoReturn:
    """Be the launcher: nothing of the agent's is kept open, and only its end ends us, never a signal to its group."""
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
    Logger.silent = True  # the log's descriptor is closed; the agent reads the same files, and complains
    line = fcntl.fcntl(line, fcntl.F_DUPFD_CLOEXEC, 3)
    child.close_all(0, line)
    for _ in range(3):
        os.open(os.devnull, os.O_RDWR)
    Path("/proc/self/comm").write_text("streamlauncher")
    launcher = Launcher(socket.socket(fileno=line), catalogue, most, seconds)
    try:
        launcher.run()
    except BaseException as error:
        launcher.report(Report(0, refused=f"{type(error).__name__}: {error}"))
    finally:
        launcher.kill_all(signal.SIGKILL)
        os._exit(0)


@define(eq=False)
class Command:
    """A command that was started, until it is reaped: so long its number is no other process'."""

    id: int
    pid: int
    """The process' number, or that of its keeper."""
    kept: bool
    terminal: int
    complaints: int
    ended: int
    """A descriptor that can be read once the command has ended."""
    started: bool = False
    refused: bool = False

    def kill(self, number: int) -> None:
        if self.kept:
            os.kill(self.pid, signal.SIGTERM if number == signal.SIGKILL else number)
        else:
            child.send_signal(self.pid, number)


@define(eq=False)
class Launcher:
    """Starts commands, and ends those that it has started, as long as the agent lives."""

    agent: socket.socket
    catalogue: Catalogue
    most: int
    seconds: Callable[[], float]
    _commands: dict[int, Command] = field(factory=dict)
    _ready: selectors.BaseSelector = field(factory=selectors.DefaultSelector)
    _over: bool = False

    def run(self) -> None:
        """Obey until the agent is gone; then hang up what is left, and return when it has had its time."""
        self._ready.register(self.agent, selectors.EVENT_READ, lambda: self.heed(self._hear()))
        while not self._over:
            self._turn(None)
        self._ready.unregister(self.agent)
        for number in child.HANG_UP:
            self.kill_all(number)
        end = self.seconds() + KILL_AFTER
        while self._commands and (left := end - self.seconds()) > 0:
            self._turn(left)

    def kill_all(self, number: int) -> None:
        for command in self._commands.values():
            command.kill(number)

    def _turn(self, seconds: float | None) -> None:
        for key, _ in self._ready.select(seconds):
            if self._ready.get_map().get(key.fd) == key:  # else it has gone in this very turn
                key.data()

    def _hear(self) -> bytes:
        try:
            packet = self.agent.recv(PACKET + 1)
        except OSError:
            return b""
        return packet if len(packet) <= PACKET else b""

    def heed(self, packet: bytes) -> None:
        """Take one order. What is none comes from no agent of ours, so it is the end."""
        try:
            order = codec.decode(packet, Order)
        except ValueError:
            self._over = True
            return
        command = self._commands.get(order.id)
        if order.target and command is None:
            self._start(order)
        elif order.signal and command is not None:
            for number in child.HANG_UP if order.signal == "hangup" else (signal.SIGKILL,):
                command.kill(number)

    def _start(self, order: Order) -> None:
        try:
            self.begin(order.id, self._settings(order.target))
        except TargetError as error:
            self.report(Report(order.id, refused=error.reason, busy=error.code == Refusal.BUSY))
        except OSError as error:
            self.report(Report(order.id, refused=f"can't start: {error.strerror}", busy=error.errno in NONE_LEFT))
        except Exception as error:  # of ours: one command must not end those of all others
            self.report(Report(order.id, refused=f"the launcher failed: {type(error).__name__}: {error}"))

    def _settings(self, target: str) -> Pty:
        """Return what stands in root's files now under this name, or raise `TargetError`."""
        if len(self._commands) >= self.most:
            raise TargetError(Refusal.BUSY, f"the launcher runs {Several(self.most, 'command')} already")
        self.catalogue.files.glance()
        settings = self.catalogue.settings(target)
        if not isinstance(settings, Pty) or not settings.user:
            raise TargetError(Refusal.TARGET_REFUSED, "the target names no user for the launcher")
        return settings

    def begin(self, number: int, settings: Pty) -> None:
        """Start a command, and watch over it."""
        self._commands[number] = command = _fork(number, settings)
        self._ready.register(command.complaints, selectors.EVENT_READ, lambda: self._begun(command))
        self._ready.register(command.ended, selectors.EVENT_READ, lambda: self._ended(command))

    def _begun(self, command: Command) -> None:
        """Tell that a command runs, or why not: its pipe closes without a word when it does."""
        said = os.read(command.complaints, PACKET).decode("utf-8", "replace")
        self._forget(command.complaints)
        command.started, command.refused = True, bool(said)
        if said:
            self.report(Report(command.id, refused=said))
        else:
            self.report(Report(command.id), command.terminal)
        os.close(command.terminal)

    def _ended(self, command: Command) -> None:
        if not command.started:
            self._begun(command)
        command.kill(signal.SIGKILL)  # whom it left behind in its group; before it is reaped and its number free
        self._forget(command.ended)
        _, status = os.waitpid(command.pid, 0)
        del self._commands[command.id]
        if not command.refused:
            self.report(Report(command.id, status=child.shell_status(status)))

    def _forget(self, descriptor: int) -> None:
        self._ready.unregister(descriptor)
        os.close(descriptor)

    def report(self, report: Report, *descriptors: int) -> None:
        try:
            socket.send_fds(self.agent, [codec.encode(report)], list(descriptors))
        except OSError:
            self._over = True


def _fork(number: int, settings: Pty) -> Command:
    kept = settings.leftovers == "kill"
    with ExitStack() as ours, ExitStack() as theirs:
        terminal, inner = os.openpty()
        ours.callback(os.close, terminal)
        theirs.callback(os.close, inner)
        prepare(inner, settings.size)  # here, so that it can't overtake a size that is told once the command runs
        hear, say = os.pipe()
        ours.callback(os.close, hear)
        theirs.callback(os.close, say)
        pid = os.fork()
        if not pid:
            (keeper if kept else child).run(settings, inner, say)
        try:
            ended = os.pidfd_open(pid)
        except OSError:
            os.kill(pid, signal.SIGTERM if kept else signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
        ours.pop_all()
    return Command(number, pid, kept, terminal, hear, ended)
