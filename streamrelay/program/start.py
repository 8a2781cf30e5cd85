"""The start of a program, which tells by one line where twistd was called, and by status 1, if it fails.

twistd's own way cuts the line to 100 bytes and wants the log read; for a daemon that ends by `SystemExit` it waits for
ever. So whoever calls waits here first, for a word that comes by a pipe of ours.
"""

import atexit
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, NoReturn

from attrs import define, field

STARTED: Final = b"started"
SILENT: Final = "streamrelay: the program ended before it had started; see its log"


@define(eq=False)
class Start:
    """One start, from the reading of the settings until all services run."""

    twistd: Mapping[str, object]
    """The options of twistd itself; none where no twistd starts us."""
    _caller: int = field(factory=os.getpid)
    _ends: tuple[int, int] | None = None
    """Descriptors of the pipe between a daemon and who called it: to read from, and to write to."""
    _said: bool = False
    _started: bool = False

    def __attrs_post_init__(self) -> None:
        if self.twistd:
            sys.excepthook = self._uncaught
        if self.twistd and not self.twistd["nodaemon"]:
            self._ends = os.pipe()
            # twistd forks twice; `_wait` tells by the pid which of the two parents is the caller.
            os.register_at_fork(after_in_parent=self._wait)

    def begin(self) -> None:
        """Begin to start the services: whatever ends us from now on, the caller is told, and no pidfile stays."""
        if self.twistd:
            atexit.register(self._clear)

    def fail(self, reason: str) -> NoReturn:
        """End the program with one line, which comes into the log, too."""
        line = f"streamrelay: {reason}"
        self._drop_pidfile()
        self._say(line.encode())
        raise SystemExit(line)

    def succeed(self) -> None:
        """Tell the caller that all services run."""
        if self._is_daemon:
            self._say(STARTED)
        self._started = True
        sys.excepthook = sys.__excepthook__

    @property
    def _is_daemon(self) -> bool:
        return self._ends is not None and os.getpid() != self._caller

    def _say(self, word: bytes) -> None:
        """Say the one word to who called; not by `sys.stderr`, which twistd leads into the log."""
        if self._said or not self.twistd:
            return
        self._said = True
        if self._ends is None or not self._is_daemon:
            os.write(2, word + b"\n")
            return
        os.write(self._ends[1], word)
        if word == STARTED:
            for end in self._ends:
                os.close(end)

    def _uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Tell what nobody has caught; with a traceback on the terminal only if it is a bug of ours."""
        where = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else ""
        if isinstance(error, OSError) or self._is_daemon:
            self._say(f"streamrelay: can't start: {where or f'{kind.__name__}: {error}'}".encode())
        else:
            self._said = True
            sys.__excepthook__(kind, error, trace)

    def _clear(self) -> None:
        """Tidy up at the end of the process, which may come by others' `SystemExit`."""
        if not self._started:
            self._drop_pidfile()
            self._say(SILENT.encode())

    def _drop_pidfile(self) -> None:
        pidfile = Path(str(self.twistd.get("pidfile") or os.devnull))
        with suppress(OSError):  # the reason why there is no start is worth more
            if pidfile.is_file() and pidfile.read_text() == str(os.getpid()):
                pidfile.unlink()

    def _wait(self) -> None:
        """Wait, if it is the caller who has forked, for the daemon's word, or for its end without one."""
        if self._ends is None or os.getpid() != self._caller:
            return
        os.close(self._ends[1])
        word = os.read(self._ends[0], 4096)
        if word != STARTED:
            os.read(self._ends[0], 1)  # nothing, once the daemon is gone: it can be started anew
            os.write(2, (word or SILENT.encode()) + b"\n")
            os._exit(1)
