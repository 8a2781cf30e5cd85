"""Programs that the demo starts as processes of their own."""

import subprocess
import sys
from pathlib import Path


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
        for name, process in self._running:
            if process.poll() is not None:
                lines = (self._folder / f"{name}.out").read_text(errors="replace").splitlines()
                raise DemoError(f"{name} ended with {process.returncode}: {lines[-1] if lines else 'no word'}")

    def stop(self) -> None:
        for _, process in reversed(self._running):
            if process.poll() is None:
                process.terminate()
        for _, process in self._running:
            try:
                process.wait(6)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
