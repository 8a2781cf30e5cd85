"""children.py: programs that the demo starts."""

import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.demo.children import Children


class Stopped(SynchronousTestCase):
    """A signal while the children are looked after."""

    def test_waits(self) -> None:
        """A signal waits until a child was looked at, or all were stopped: in between it would leave a lock held.

        That another thread could take it changes nothing.
        """
        over = threading.Event()
        thread = threading.Thread(target=over.wait)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(over.set)
        happened: list[str] = []

        class Process:
            def poll(self) -> int | None:
                os.kill(os.getpid(), signal.SIGTERM)
                happened.append("polled")
                return None

            def terminate(self) -> None:
                happened.append("terminated")

            def wait(self, timeout: float | None = None) -> int:
                happened.append("waited")
                return 0

        def told(number: int, frame: FrameType | None) -> None:
            happened.append("told")

        self.addCleanup(signal.signal, signal.SIGTERM, signal.signal(signal.SIGTERM, told))
        children = Children(Path("."), verbose=False)
        process: Any = Process()
        children._running.append(("one", process))
        children.check()
        self.assertEqual(happened, ["polled", "told"])
        happened.clear()
        children.stop()
        self.assertEqual(happened, ["polled", "terminated", "waited", "told"])
