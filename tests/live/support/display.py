"""A screen with a keyboard and a mouse (Xvfb, xdotool), on which browsers are as people have them, with windows."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.live.support.processes import environment, need_program

SIZE = "1280x900x24"


class Display:
    """A screen; keys and buttons go to the window that has the focus, as a person's would."""

    def __init__(self, number: str) -> None:
        self.environment = environment(DISPLAY=f":{number}")

    def press(self, *keys: str) -> None:
        self._do("key", "--clearmodifiers", *keys)

    def type(self, text: str) -> None:
        self._do("type", "--delay", "20", text)

    def click(self, x: float, y: float, button: int = 1) -> None:
        self._do("mousemove", str(round(x)), str(round(y)), "click", str(button))

    def drag(self, x: float, y: float, to: float) -> None:
        """Press at a point, and let go further on in its line."""
        there = str(round(y))
        self._do("mousemove", str(round(x)), there, "mousedown", "1")
        self._do("mousemove", str(round((x + to) / 2)), there, "mousemove", str(round(to)), there, "mouseup", "1")

    def focus(self, window_class: str) -> None:
        """Give the focus to a program's window, above all others, as no window manager is there to do it."""
        found = self._do("search", "--sync", "--onlyvisible", "--class", window_class).split()
        self._do("windowraise", found[-1], "windowfocus", "--sync", found[-1])

    def _do(self, *command: str) -> str:
        done = subprocess.run(
            ["xdotool", *command], env=self.environment, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout


@contextmanager
def display() -> Iterator[Display]:
    server = need_program("Xvfb")
    need_program("xdotool")
    read, write = os.pipe()
    # -r: a key repeats itself only if somebody holds it, not as xdotool gets no turn before it lets go.
    command = [server, "-displayfd", str(write), "-screen", "0", SIZE, "-nolisten", "tcp", "-noreset", "-r"]
    running = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL, env=environment())
    try:
        os.close(write)
        with os.fdopen(read) as told:
            number = told.readline().strip()  # to the line's end: a server that can't say it all ends
        yield Display(number)
    finally:
        running.terminate()
        running.wait()
