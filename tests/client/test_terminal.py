"""terminal.py: the user's own terminal while it shows one of a host."""

import io
import os
import sys
import termios
from collections.abc import Callable
from contextlib import redirect_stderr
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.client.platform_api import OpenedStream
from streamrelay.client.terminal import Terminal, takes_terminal
from tests.examples import there


class Reactor(Clock):
    """A clock that is stopped as a reactor is."""

    def __init__(self) -> None:
        super().__init__()
        self.after = list[Callable[[], object]]()

    def addSystemEventTrigger(self, phase: str, event: str, call: Callable[[], object]) -> None:
        assert (phase, event) == ("after", "shutdown")
        self.after.append(call)


class Shown(SynchronousTestCase):
    """Targets that take the user's terminal."""

    def test_shown(self) -> None:
        """A command takes it, in a container, too; of a service nobody knows how to leave it: Ctrl-C stays ours."""
        for kind, viewer, takes in (
            ("pty", "terminal", True),
            ("container", "terminal", True),
            ("container", "log", False),
            ("tcp", "terminal", False),
        ):
            opened = OpenedStream("s" * 22, "wss://relay.example/client", kind, viewer)
            self.assertIs(takes_terminal(opened), takes, (kind, viewer))


class Typed(SynchronousTestCase):
    """Keys on a real pseudo-terminal."""

    def setUp(self) -> None:
        self.user, inner = os.openpty()
        self.addCleanup(os.close, self.user)
        self.input = open(inner, "rb", buffering=0)  # noqa: SIM115 - closed at the end
        self.addCleanup(self.input.close)
        self.patch(sys, "stdin", self.input)
        leg: Any = None
        self.terminal = Terminal(leg)

    def enter(self) -> None:
        self.terminal.enter(Reactor())
        self.addCleanup(self.terminal.leave)
        os.set_blocking(self.input.fileno(), False)

    def test_before(self) -> None:
        """What was typed before the host's terminal stands goes there, lines and what is no line yet."""
        for typed in (b"ls -l\n", b"ls"):
            with self.subTest(typed):
                os.write(self.user, typed)
                self.assertTrue(os.read(self.user, 100))  # its echo: it has arrived
                self.enter()
                self.assertEqual(self.input.read(100), typed)
                self.terminal.leave()
                os.set_blocking(self.input.fileno(), True)

    def test_keys(self) -> None:
        """From then on each key goes there by itself, also those that a terminal keeps, and none is echoed."""
        self.enter()
        os.write(self.user, b"a\x03\x04\x1a\r")
        self.assertEqual(self.input.read(100), b"a\x03\x04\x1a\r")
        os.set_blocking(self.user, False)
        self.assertRaises(BlockingIOError, os.read, self.user, 100)

    def test_put_back(self) -> None:
        """A client that is stopped before its stream has ended puts the terminal back all the same, once."""
        before, reactor = termios.tcgetattr(self.input), Reactor()
        self.terminal.enter(reactor)
        self.assertNotEqual(termios.tcgetattr(self.input), before)
        for call in reactor.after:
            call()
        self.assertEqual(termios.tcgetattr(self.input), before)
        self.terminal.leave()

    def test_announced(self) -> None:
        """How to leave is said in one line at the start, with the character that is set; nothing if there is none."""
        said = io.StringIO()
        with redirect_stderr(said):
            self.assertIsNone(self.terminal.escape(""))
            self.assertEqual(said.getvalue(), "")
            there(self.terminal.escape("^]"))
        self.assertEqual(
            said.getvalue(), "streamrelay: ^]. at the beginning of a line ends this terminal, ^]? tells more\n"
        )

    def test_announced_to_watchers(self) -> None:
        """Who may only look is told other keys, also without an escape character."""
        for character, words in (("~", "Ctrl-C, Ctrl-D or ~. ends"), ("", "Ctrl-C or Ctrl-D ends")):
            said = io.StringIO()
            with redirect_stderr(said):
                there(self.terminal.escape(character, view=True))
            self.assertEqual(said.getvalue(), f"streamrelay: {words} this terminal\n")

    def test_help(self) -> None:
        """Lines of help begin at the left also on a raw terminal."""
        said = io.StringIO()
        with redirect_stderr(said):
            there(self.terminal.escape("~")).take(b"~?")
        self.assertEqual(said.getvalue().count("\r\n"), said.getvalue().count("\n") - 1)  # but for the announcement
        self.assertIn("\r\n~.  end the stream\r\n", said.getvalue())
