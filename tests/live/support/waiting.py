"""Waiting for what must come: a condition, a time, work in a thread."""

import threading
import time
from collections.abc import Callable
from typing import Any

WAIT = 60.0
"""Seconds in which anything that is waited for must come, on a machine with ten times as much to do as it can."""


def until(true: Callable[..., Any], seconds: float = WAIT, what: str = "it") -> Any:
    """Ask until the answer is true, and give it back; `AssertionError` if it isn't in time."""
    end = time.monotonic() + seconds
    pause = 0.005
    while True:
        answer = true()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come within {seconds:g} s")
        time.sleep(pause)
        pause = min(1.2 * pause, 0.1)  # what takes long is asked less often: asking a page costs it more than waiting


class Work(threading.Thread):
    """A function in a thread; `result` waits for it, and raises what it raised."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        super().__init__(daemon=True)
        self._function, self._arguments = function, arguments
        self._value: Any = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._value = self._function(*self._arguments)
        except BaseException as error:
            self._error = error

    def result(self, seconds: float = 3 * WAIT) -> Any:
        self.join(seconds)
        if self.is_alive():
            raise AssertionError(f"{self._function.__name__} is not done after {seconds:g} s")
        if self._error is not None:
            raise self._error
        return self._value
