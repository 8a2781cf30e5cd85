"""journalctl as a child process, line by line."""

import os
import shutil
from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.error import ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from streamrelay.errors import TargetError, printable
from streamrelay.protocol.summons import Refusal

MAX_LINE: Final = 1 << 20
"""Bytes of one entry's JSON at most; of a longer one nothing is kept."""
MAX_ERRORS: Final = 4096
"""Bytes of journalctl's complaints that are kept."""


class Journalctl(ProcessProtocol):
    """One run of journalctl. `on_line` is told each line, empty for one that was too long, `on_end` the end: nothing,
    or a complaint in one line, of journalctl's or about how it ended."""

    transport: Any

    def __init__(self, on_line: Callable[[bytes], None], on_end: Callable[[str], None]) -> None:
        self._on_line, self._on_end = on_line, on_end
        self._rest = bytearray()
        self._too_long = False
        self._errors = bytearray()
        self._stopped = False

    def spawn(self, reactor: Any, arguments: Sequence[str]) -> None:
        """Begin to run, or raise `TargetError`."""
        program = shutil.which("journalctl")
        if program is None:
            raise TargetError(Refusal.TARGET_REFUSED, "journalctl: no such program")
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
        try:
            reactor.spawnProcess(self, program, ["journalctl", *arguments], environment, "/")
        except OSError as error:
            raise TargetError(Refusal.TARGET_REFUSED, f"{program}: {error.strerror or error}") from None

    def pause(self) -> None:
        if self.transport is not None and not self._stopped:
            self.transport.pauseProducing()

    def resume(self) -> None:
        if self.transport is not None and not self._stopped:
            self.transport.resumeProducing()

    def stop(self) -> None:
        """End the run; nobody is told of anything any more."""
        if self._stopped:
            return
        self._stopped = True
        if self.transport is None:
            return
        self.transport.loseConnection()  # or a pipe that isn't read would keep it from being reaped
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            pass

    def connectionMade(self) -> None:
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        *lines, rest = data.split(b"\n")
        for line in lines:
            whole = bytes(self._rest) + line
            self._rest.clear()
            if not self._stopped:
                self._on_line(b"" if self._too_long else whole)
            self._too_long = False
        if not self._too_long:
            self._rest += rest
        if len(self._rest) > MAX_LINE:
            self._rest.clear()
            self._too_long = True

    def errReceived(self, data: bytes) -> None:
        self._errors += data[: MAX_ERRORS - len(self._errors)]

    def processEnded(self, reason: Failure) -> None:
        if not self._stopped:
            self._stopped = True
            self._on_end(self._complaint() or how_it_ended(reason))

    def _complaint(self) -> str:
        """Return the first line of its complaints that isn't advice."""
        for line in self._errors.decode("utf-8", "replace").splitlines():
            if line.strip() and not line.startswith(("Hint:", " ", "-- ")):
                return printable(line.strip())
        return ""


def how_it_ended(reason: Failure) -> str:
    """Say how a process ended; empty if that was in order."""
    why = reason.value
    if not isinstance(why, ProcessTerminated):
        return ""
    return f"it was ended by signal {why.signal}" if why.signal else f"it ended with status {why.exitCode}"
