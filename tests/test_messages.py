"""targets/messages.py: the body of a container's log, whatever is in it."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.targets.messages import CUT, LONGEST_STAMP, FramedMessages, Messages
from tests.fakes import cut, examples

STAMP = b"2026-11-25T03:12:02.364783938Z "


def framed(text: bytes, stream: int = 1) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


class Whatever(SynchronousTestCase):
    """What a Docker that lies may send."""

    def test_huge_frame(self) -> None:
        """A frame of 4 GiB is passed on as it comes, and nothing of it is held."""
        messages = FramedMessages()
        pieces = list(messages.feed(b"\1\0\0\0\xff\xff\xff\xff" + STAMP + b"x" * 1000))
        self.assertEqual([(len(piece.text), piece.begins, piece.ends) for piece in pieces], [(1000, True, False)])
        for _ in range(100):
            [piece] = messages.feed(bytes(65536))
            self.assertEqual((len(piece.text), piece.begins, piece.ends), (65536, False, False))
            self.assertEqual(messages._held, b"")

    def test_endless_line(self) -> None:
        """Nor is a line without an end, which is cut where Docker does it."""
        messages = Messages()
        pieces = [piece for _ in range(100) for piece in messages.feed(b"x" * 65536)]
        self.assertEqual(max(len(piece.text) for piece in pieces), CUT)
        self.assertLess(len(messages._held), LONGEST_STAMP)

    def test_no_frame(self) -> None:
        """What isn't a frame is an error, not text."""
        for head in (b"\4\0\0\0\0\0\0\1x", b"\1\1\0\0\0\0\0\1x", b"HTTP/1.1 200"):
            self.assertRaises(ValueError, list, FramedMessages().feed(head))

    @examples(200)
    @given(
        st.lists(
            st.tuples(st.sampled_from([STAMP, b"", b"2026-99-99T99:99:99Z "]), st.binary(max_size=60)), max_size=8
        ),
        st.lists(st.integers(0, 2000), max_size=5),
    )
    def test_split(self, said: list[tuple[bytes, bytes]], places: list[int]) -> None:
        """However a body is split, its messages, their times and texts are the same."""

        def heard(pieces: list[bytes]) -> list[tuple[int, bytes]]:
            messages, whole, text = FramedMessages(), [], b""
            for data in pieces:
                for piece in messages.feed(data):
                    self.assertEqual(piece.begins, not text or piece.begins)
                    text += piece.text
                    if piece.ends:
                        whole.append((piece.time, text))
                        text = b""
                self.assertLess(len(messages._held), 8 + LONGEST_STAMP)
            return whole

        body = b"".join(framed(stamp + text) for stamp, text in said)
        self.assertEqual(heard([body]), heard(cut(body, places)))
        self.assertEqual(len(heard([body])), len(said))
