"""screen.py: what a stream has switched on in the user's terminal."""

import os
import select
import threading
import tty

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.client import screen
from streamrelay.client.screen import Screen

END = b"<end>"
VIM = b"\x1b[?1049h\x1b[22;0;0t\x1b[>4;2m\x1b[?1h\x1b=\x1b[?2004h\x1b[?1004h\x1b[1;24r\x1b[?12h\x1b[?25l\x1b[2 q"
VIM_OVER = b"\x1b[0 q\x1b[?25h\x1b7\x1b[r\x1b8\x1b[?1004l\x1b[?2004l\x1b>\x1b[?1l\x1b[>4m\x1b[?1049l"
HTOP = b"\x1b[?1049h\x1b[22;0;0t\x1b[1;52r\x1b(B\x1b[m\x1b[4l\x1b[?7h\x1b[?25l\x1b[39;49m\x1b[?1h\x1b=\x1b[?1006;1000h"


class Undone(SynchronousTestCase):
    """A real pseudo-terminal."""

    def setUp(self) -> None:
        self.user, self.terminal = os.openpty()
        for descriptor in (self.user, self.terminal):
            self.addCleanup(os.close, descriptor)
        tty.setraw(self.terminal)
        self.screen = Screen(self.terminal)

    def shown(self) -> bytes:
        """Return what was written since this was asked last."""
        os.write(self.terminal, END)
        shown = b""
        while not shown.endswith(END):
            shown += os.read(self.user, 65536)
        return shown.removesuffix(END)

    def undone(self, *pieces: bytes) -> bytes:
        """Return what is written at the end of these."""
        for piece in pieces:
            self.assertEqual(self.screen.write(memoryview(piece)), len(piece))
        self.assertEqual(self.shown(), b"".join(pieces))
        self.screen.leave()
        return self.shown()

    def test_vim(self) -> None:
        """What an editor has switched on is switched off when it is cut, the latest first, its screen at the last."""
        self.assertEqual(self.undone(VIM), VIM_OVER)

    def test_pieces(self) -> None:
        """Sequences count however they come apart."""
        self.assertEqual(self.undone(*(VIM[at : at + 1] for at in range(len(VIM)))), VIM_OVER)

    def test_htop(self) -> None:
        """Screen, mouse, cursor keys, cursor, colours and margins of another program, of which some come together."""
        undone = self.undone(HTOP)
        self.assertTrue(undone.endswith(b"\x1b[?25h\x1b7\x1b[r\x1b8\x1b[?1049l"), undone)
        for part in (b"\x1b[m", b"\x1b[?1000l", b"\x1b[?1006l", b"\x1b[?1l", b"\x1b>"):
            self.assertIn(part, undone)
        self.assertNotIn(b"\x1b(B", undone)

    def test_in_order(self) -> None:
        """Nothing is written behind a program that has switched off all that it had switched on, nor behind text."""
        self.assertEqual(self.undone(VIM, VIM_OVER, b"$ ", b"\x1b[?2004h\x1b[32m$\x1b[0m \x1b[?2004l\n"), b"")

    def test_reset(self) -> None:
        """A whole reset counts for all."""
        self.assertEqual(self.undone(VIM, b"\x1bc"), b"")

    def test_keyboard(self) -> None:
        """As many modes of the keyboard are popped as are still pushed."""
        self.assertEqual(
            self.undone(b"\x1b[>5u", b"\x1b[>1u", b"\x1b[>1u", b"\x1b[<u", b"\x1b[=1;1u", b"\x1b[?u"),
            b"\x1b[=0u\x1b[<2u",
        )

    def test_other_text(self) -> None:
        """Odd sequences and binary bytes switch nothing, and cost nothing."""
        odd = bytes(range(256)) * 16
        self.assertEqual(
            self.undone(
                odd,
                b"\x1b[<u\x1b[<9;9u\x1b[<" + b"9" * 64 + b"u\x1b[?99999999h\x1b[?h\x1b[r\x1b[?;h",
                b"\x1b",
                b"\x1b[",
                b"x",
            ),
            b"",
        )

    def test_left(self) -> None:
        """What comes once it was left isn't shown: it would switch on again what was switched off."""
        self.assertEqual(self.undone(b"\x1b[?1049h"), b"\x1b[?1049l")
        self.assertEqual(self.screen.write(memoryview(b"\x1b[?1049hmore")), 12)
        self.screen.leave()
        self.assertEqual(self.shown(), b"")

    def test_stalled(self) -> None:
        """A terminal that takes nothing more keeps nobody."""
        self.patch(screen, "LEAVING", 0.01)
        much = memoryview(b"\x1b[?1049h" + b"x" * 1_000_000)

        def write() -> None:
            rest = much
            while rest:
                rest = rest[self.screen.write(rest) :]

        writing = threading.Thread(target=write, daemon=True)
        writing.start()
        self.screen.leave()
        os.set_blocking(self.user, True)
        poll = select.poll()
        poll.register(self.user, select.POLLIN)
        while writing.is_alive():  # the one piece that it is at goes on, and no other
            if poll.poll(10):
                self.assertTrue(os.read(self.user, 65536))
