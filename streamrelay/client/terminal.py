"""The user's own terminal while it shows one of a host: raw, and its size told to the other side."""

import os
import signal
import sys
import termios
import tty
from typing import Any

from attrs import define

from streamrelay.client.platform_api import OpenedStream
from streamrelay.protocol import codec
from streamrelay.protocol.control import Control
from streamrelay.websocket.connection import FramedConnection


def takes_terminal(opened: OpenedStream) -> bool:
    """Tell whether a stream takes the user's terminal: a command does, which one can leave by ending it."""
    return opened.kind == "pty" or (opened.kind == "container" and opened.viewer == "terminal")


@define(eq=False)
class Terminal:
    """Standard input as a raw terminal, from `enter` to `leave`."""

    leg: FramedConnection
    _before: Any = None

    def enter(self, reactor: Any) -> None:
        self._before = termios.tcgetattr(sys.stdin)
        tty.setraw(sys.stdin, termios.TCSANOW)  # by itself it drops what was typed before
        signal.signal(signal.SIGWINCH, lambda *_: reactor.callFromThread(self._tell_size))
        reactor.callLater(0, self._tell_size)

    def leave(self) -> None:
        signal.signal(signal.SIGWINCH, signal.SIG_DFL)
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

    def _tell_size(self) -> None:
        size = os.get_terminal_size(sys.stdin.fileno())
        if size.columns and size.lines:
            self.leg.send_control(codec.encode(Control(resize=(size.columns, size.lines))))
