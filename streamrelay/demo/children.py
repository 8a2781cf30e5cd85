"""Programs that the demo starts as processes of their own."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

STOPS: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
"""Signals that end the demo."""


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep `STOPS` waiting for the time of a block, on the main thread, and heed at its end one that came meanwhile.

    Their handler raises; within `Popen.poll` that would leave its lock held for ever. A mask of signals would not do:
    another thread takes them, and the handler runs here all the same.
    """
    waiting: list[int] = []
    before = {number: signal.signal(number, lambda number, frame: waiting.append(number)) for number in STOPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for came in waiting[:1]:
            signal.raise_signal(came)


class DemoError(Exception):
    """Failure of the demo; the text says why in one line."""


class Children:
    """The programs that the demo started; each in a session of its own, so that Ctrl-C reaches the demo alone."""

    def __init__(self, folder: Path, verbose: bool) -> None:
        self._folder, self._verbose = folder, verbose
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def start(self, name: str, *command: str) -> None:
        with (self._folder / f"{name}.out").open("wb") as log:
            output = None if self._verbose else log
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                start_new_session=True,
            )
        self._running.append((name, process))

    def twistd(self, name: str, *options: str) -> None:
        twistd = str(Path(sys.executable).with_name("twistd"))
        self.start(name, sys.executable, twistd, "-n", "--pidfile=", name, *options)

    def check(self) -> None:
        """Raise `DemoError` if one has ended by itself."""
        for name, process in self._running:
            with undisturbed():
                ended = process.poll() is not None
            if ended:
                lines = (self._folder / f"{name}.out").read_text(errors="replace").splitlines()
                raise DemoError(f"{name} ended with {process.returncode}: {lines[-1] if lines else 'no word'}")

    @undisturbed()
    def stop(self) -> None:
        """End all of them, whatever else is asked meanwhile."""
        for _, process in reversed(self._running):
            if process.poll() is None:
                process.terminate()
        for _, process in self._running:
            try:
                process.wait(6)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
