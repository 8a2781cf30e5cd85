"""Work beside all other until it is told to stop."""

import threading

from attrs import define, field


@define(eq=False)
class Background:
    """A thread of `run`, which ends soon after `stopped` is set."""

    stopped: threading.Event = field(init=False, factory=threading.Event)
    _thread: threading.Thread | None = field(init=False, default=None)

    def start(self) -> None:
        self._thread = threading.Thread(target=self.run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Once what is under way is done."""
        self.stopped.set()
        if self._thread:
            self._thread.join()

    def run(self) -> None:
        raise NotImplementedError
