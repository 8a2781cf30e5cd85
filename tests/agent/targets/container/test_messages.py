"""messages.py: the bodies of containers' logs, however they are split."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.targets.container.messages import CUT, LONGEST_STAMP, FramedMessages, Messages
from tests.examples import examples
from tests.fakes.frames import cut

NANO = b"2026-11-25T03:12:02.364752Z "
ZONE = b"2026-11-25T04:12:03+01:00 "
TIME = 1795576322 * 10**9
"""The second of the first one; the other is a second later."""


def framed(text: bytes, stream: int = 1) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


def read(messages: Messages, chunks: list[bytes]) -> list[tuple[int, bytes]]:
    """Times and texts of whole messages; each must begin and end once."""
    found: list[tuple[int, bytes]] = []
    within = False
    for piece in [piece for chunk in chunks for piece in messages.feed(chunk)] + list(messages.rest()):
        if piece.begins == within:
            raise AssertionError("a message begins within another, or a piece is of none")
        text = b"" if piece.begins else found.pop()[1]
        found.append((piece.time, text + piece.text))
        within = not piece.ends
    return found


class Bodies(SynchronousTestCase):
    """`Messages`, `FramedMessages`"""

    @examples(200)
    @given(st.lists(st.integers(0, 1 << 20), max_size=12))
    def test_frames(self, places: list[int]) -> None:
        """Frames of both streams give their texts in order, without the times, wherever they are split."""
        body = framed(NANO + b"one\n") + framed(ZONE + b"two\n", 2) + framed(NANO + b"\n") + framed(NANO + b"x" * 9000)
        expected = [(TIME + 364752000, b"one\n"), (TIME + 10**9, b"two\n")]
        expected += [(TIME + 364752000, b"\n"), (TIME + 364752000, b"x" * 9000)]
        self.assertEqual(read(FramedMessages(), cut(body, places)), expected)

    @examples(200)
    @given(st.lists(st.integers(0, 1 << 20), max_size=12))
    def test_lines(self, places: list[int]) -> None:
        """Without frames a line is a message; a last one without an end comes when the body ends."""
        body = NANO + b"one\r\n" + ZONE + b"\r\n" + NANO + b"2026 is no time\n" + ZONE + b"end"
        expected = [(TIME + 364752000, b"one\r\n"), (TIME + 10**9, b"\r\n")]
        expected += [(TIME + 364752000, b"2026 is no time\n"), (TIME + 10**9, b"end")]
        self.assertEqual(read(Messages(), cut(body, places)), expected)

    @examples(50)
    @given(st.lists(st.integers(0, 1 << 20), max_size=8))
    def test_cut_lines(self, places: list[int]) -> None:
        """Without frames the times that Docker puts into a long line are left out, and a line without stays whole."""
        docker = NANO + b"x" * CUT + NANO + b"x" * CUT + NANO + b"xyz\n"
        podman = NANO + b"x" * (2 * CUT) + b"xyz\n"
        for body in (docker, podman):
            found = read(Messages(), cut(body + ZONE + b"next\n", places))
            self.assertEqual(b"".join(text for _, text in found), b"x" * (2 * CUT) + b"xyz\nnext\n")
            self.assertEqual(found[-1], (TIME + 10**9, b"next\n"))

    def test_no_times(self) -> None:
        """What has no time, or an impossible one, is passed on as it is."""
        self.assertEqual(read(Messages(), [b"plain\n"]), [(0, b"plain\n")])
        self.assertEqual(read(FramedMessages(), [framed(b"plain\n")]), [(0, b"plain\n")])
        odd = b"2026-13-41T03:12:02Z no such day\n"
        self.assertEqual(read(Messages(), [odd]), [(0, odd)])

    def test_no_frames(self) -> None:
        """What is no frame is an error, not text."""
        self.assertRaises(ValueError, list, FramedMessages().feed(NANO + b"one\n"))
        self.assertRaises(ValueError, list, FramedMessages().feed(b"\1\0\0\1\0\0\0\1x"))

    def test_memory(self) -> None:
        """Of a message of any size no more is held than its beginning."""
        messages = FramedMessages()
        list(messages.feed(b"\1\0\0\0\xff\xff\xff\xff" + NANO))
        for _ in range(100):
            self.assertEqual(sum(len(piece.text) for piece in messages.feed(bytes(65536))), 65536)
        self.assertEqual(len(messages._held), 0)

    def test_endless_line(self) -> None:
        """Nor of a line without an end, which is cut where Docker does it."""
        messages = Messages()
        pieces = [piece for _ in range(100) for piece in messages.feed(b"x" * 65536)]
        self.assertEqual(max(len(piece.text) for piece in pieces), CUT)
        self.assertLess(len(messages._held), LONGEST_STAMP)
