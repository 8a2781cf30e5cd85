"""escape.py: keys by which one leaves a terminal."""

import argparse

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.client.command_line import escape_character
from streamrelay.client.escape import Escape, WatchersKeys


class Keys(SynchronousTestCase):
    """Keys that are typed, in pieces."""

    def setUp(self) -> None:
        self.ended, self.left, self.shown = 0, 0, list[str]()
        self.escape: Escape | WatchersKeys = Escape("~", self.end, self.shown.extend)

    def end(self) -> None:
        self.ended += 1

    def leave(self) -> None:
        self.left += 1

    def typed(self, *pieces: bytes) -> bytes:
        return b"".join(self.escape.take(piece) for piece in pieces)

    def test_end(self) -> None:
        """The character and a dot end it, at first and behind each end of a line; neither is sent."""
        for before in (b"", b"\r", b"\n", b"ls\r"):
            with self.subTest(before):
                self.setUp()
                self.assertEqual(self.typed(before, b"~", b".", b"rm"), before)
                self.assertEqual(self.ended, 1)

    def test_together(self) -> None:
        """What is typed behind the end goes nowhere, though it came with it."""
        self.assertEqual((self.typed(b"a\r~.b~.\r~."), self.ended), (b"a\r", 1))

    def test_within_a_line(self) -> None:
        """Within a line the character is one as any other."""
        for line in (b"cd ~/x\r", b"a~.", b"ls ~~\r", b" ~."):
            with self.subTest(line):
                self.setUp()
                self.assertEqual((self.typed(line), self.ended), (line, 0))

    def test_itself(self) -> None:
        """Typed twice, the character is sent once; before another key both are sent."""
        self.assertEqual(self.typed(b"~~", b".\r", b"~", b"/bin\r"), b"~.\r~/bin\r")
        self.assertEqual(self.typed(b"~\r~."), b"~\r")
        self.assertEqual(self.ended, 1)

    def test_help(self) -> None:
        """The help names each key; the line still begins behind it."""
        self.assertEqual(self.typed(b"~?~."), b"")
        for key in ("~.", "~?", "~~"):
            self.assertTrue([line for line in self.shown if line.startswith(key)], self.shown)
        self.assertEqual(self.ended, 1)

    def test_detach(self) -> None:
        """In a terminal that is kept d leaves it, which ends nothing, and the help says so; elsewhere it is a key as
        any other."""
        self.assertEqual((self.typed(b"~d\r"), self.ended, self.left), (b"~d\r", 0, 0))
        self.escape = Escape("~", self.end, self.shown.extend, self.leave)
        self.assertEqual(self.typed(b"a~d\r~?", b"~", b"dls\r~."), b"a~d\r")
        self.assertEqual((self.ended, self.left), (0, 1))
        self.assertTrue(self.shown[0].startswith("~d  leave the terminal"))
        self.assertIn("~d at the beginning of a line leaves", self.escape.announcement())

    def test_watchers_detach(self) -> None:
        """Who may only look leaves it so anywhere, and ends as ever by the other keys."""
        for keys, ended, left in ((b"x~dd~d", 0, 1), (b"d~x~.", 1, 0), (b"\x03", 1, 0)):
            self.setUp()
            self.escape = WatchersKeys("~", self.end, self.leave)
            self.assertEqual((self.typed(keys), self.ended, self.left), (b"", ended, left), keys)
            self.assertEqual(self.escape.announcement(), "Ctrl-C, Ctrl-D or ~d leaves this terminal, which goes on")
        self.setUp()
        self.escape = WatchersKeys("~", self.end)
        self.assertEqual((self.typed(b"~d"), self.ended), (b"", 0))

    def test_another(self) -> None:
        """Another character, also a control character, is it in place of that one."""
        for character, key in (("%", b"%"), ("^b", b"\x02"), ("^]", b"\x1d")):
            self.escape = Escape(character, self.end, self.shown.extend)
            self.assertEqual(self.typed(b"~.\r", key, key, b"\r", key, b"."), b"~.\r" + key + b"\r")
            self.assertIn(f"{character}.", self.escape.announcement())
        self.assertEqual(self.ended, 3)

    def test_watching(self) -> None:
        """Who may only look sends nothing, and leaves by Ctrl-C, Ctrl-D or the character's keys wherever they come."""
        for typed in ([b"\x03"], [b"\x04"], [b"~."], [b"abc~", b"."], [b"a\r~~.", b"~.\x03"]):
            with self.subTest(typed):
                self.ended, self.escape = 0, WatchersKeys("~", self.end)
                self.assertEqual((self.typed(*typed), self.ended), (b"", 1))
        self.ended, self.escape = 0, WatchersKeys("~", self.end)
        self.assertEqual((self.typed(b"a~b.\x1b[A\r", b"~ ."), self.ended), (b"", 0))
        self.escape = WatchersKeys("", self.end)
        self.assertEqual((self.typed(b"~."), self.ended), (b"", 0))
        self.assertEqual((self.typed(b"\x03"), self.ended), (b"", 1))

    def test_values(self) -> None:
        """The option takes a mark, a control character, or none; a letter or more would be lost in what is typed."""
        for value in ("~", "%", "^", "^a", "^B", "^]", "^\\", "^^", "^_"):
            self.assertEqual(escape_character(value), value)
        self.assertEqual(escape_character("none"), "")
        for value in ("", "a", "7", " ", "~~", "^1", "^[", "^@", "^~", "\u20ac", "nothing"):
            self.assertRaises(argparse.ArgumentTypeError, escape_character, value)
