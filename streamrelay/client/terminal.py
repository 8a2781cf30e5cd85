"""The user's own terminal while it shows one of a host: raw, and its size told to the other side."""

import os
import signal
import sys
import termios
import tty
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from attrs import define

from streamrelay.client.escape import Escape, Keys, WatchersKeys
from streamrelay.client.output import say
from streamrelay.client.platform_api import OpenedStream
from streamrelay.datapath.connection import Connection
from streamrelay.protocol import codec
from streamrelay.protocol.control import Control


def takes_terminal(opened: OpenedStream) -> bool:
    """Tell whether a stream takes the user's terminal: a command does, which one can leave by ending it."""
    return opened.kind == "pty" or (opened.kind == "container" and opened.viewer == "terminal")


@define(eq=False)
class Terminal:
    """Standard input as a raw terminal, from `enter` to `leave`."""

    leg: Connection
    _before: Any = None

    def enter(self, reactor: Any) -> None:
        """Take the terminal until `leave`, at the latest until the reactor has stopped."""
        self._before = termios.tcgetattr(sys.stdin)
        reactor.addSystemEventTrigger("after", "shutdown", self.leave)  # a stream may end later than we do
        tty.setraw(sys.stdin, termios.TCSANOW)  # by itself it drops what was typed before
        signal.signal(signal.SIGWINCH, lambda *_: reactor.callFromThread(self.tell_size))
        reactor.callLater(0, self.tell_size)

    def leave(self) -> None:
        """Put the terminal back as it was, once."""
        before, self._before = self._before, None
        if before is not None:
            signal.signal(signal.SIGWINCH, signal.SIG_DFL)
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)

    def escape(self, character: str, view: bool = False, detach: Callable[[], object] | None = None) -> Keys | None:
        """Return the meaning of keys here, which is told to the user: of the escape character, if there is one, and
        of all of them if the user may only `view`. `detach`: for who leaves a terminal that is kept."""
        if not character and not view:
            return None
        escape: Keys = (
            WatchersKeys(character, interrupt, detach) if view else Escape(character, interrupt, show, detach)
        )
        say(escape.announcement())
        return escape

    def tell_size(self) -> None:
        """Tell the other side how large the terminal is, if that is known."""
        if (size := window()) is not None:
            self.leg.send_control(codec.encode(Control(resize=size)))


def window() -> tuple[int, int] | None:
    """Return columns and rows of the user's terminal; None if they aren't known."""
    size = os.get_terminal_size(sys.stdin.fileno())
    return (size.columns, size.lines) if size.columns and size.lines else None


def interrupt() -> None:
    """End the client as Ctrl-C does elsewhere; what comes next on this terminal begins a line."""
    show([])
    signal.raise_signal(signal.SIGINT)


def show(lines: list[str]) -> None:
    """Show lines on a raw terminal, where a line's end alone doesn't begin a line."""
    with suppress(OSError):
        sys.stderr.write("".join(f"\r\n{line}" for line in lines) + "\r\n")
        sys.stderr.flush()
