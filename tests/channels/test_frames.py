"""frames.py: frames of channels, read and written."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.channels import frames
from streamrelay.channels.frames import DATA, END, EOF, HEADER, MOST_DATA, OPEN, WINDOW, ChannelFrameReader, Event
from streamrelay.errors import PeerError
from streamrelay.protocol.close import CloseCode, Outcome
from tests.documented import CHANNEL_DATA
from tests.examples import examples
from tests.fakes.frames import cut


def joined(events: list[Event]) -> list[tuple[int, int, bytes]]:
    """Events with pieces of data put together."""
    whole: list[tuple[int, int, bytes]] = []
    for kind, number, payload in events:
        data = bytes(payload)
        if whole and kind == DATA and whole[-1][:2] == (DATA, number):
            data = whole.pop()[2] + data
        whole.append((kind, number, data))
    return whole


def read(pieces: list[bytes]) -> list[tuple[int, int, bytes]]:
    reader, events = ChannelFrameReader(), []
    for piece in pieces:
        events += [(kind, number, bytes(payload)) for kind, number, payload in reader.feed(memoryview(piece))]
        assert reader.holds < HEADER + 125
    return joined(list(events))


numbers = st.integers(1, 2**32 - 1)
outcomes = st.builds(Outcome, st.sampled_from([1000, 4001, 4005, 4999]), st.text(max_size=150))
good = st.one_of(
    st.tuples(st.just(OPEN), numbers, st.just(None)),
    st.tuples(st.just(EOF), numbers, st.just(None)),
    st.tuples(st.just(DATA), numbers, st.binary(min_size=1, max_size=300)),
    st.tuples(st.just(END), numbers, outcomes),
    st.tuples(st.just(WINDOW), numbers, st.integers(1, 2**32 - 1)),
)


def made(kind: int, number: int, value: object) -> bytes:
    if isinstance(value, bytes):
        return b"".join(frames.data_frames(number, [memoryview(value)], len(value)))
    if isinstance(value, Outcome):
        return frames.end(number, value)
    return frames.window(number, value) if isinstance(value, int) else frames.header(kind, number)


class Reading(SynchronousTestCase):
    """Frames in any pieces."""

    @examples(200)
    @given(st.lists(good, max_size=12), st.lists(st.integers(0, 3000), max_size=5))
    def test_any(self, sent: list[tuple[int, int, object]], places: list[int]) -> None:
        """What was written is read, however it is cut, and no more than a header or a short payload is held."""
        data = b"".join(made(*each) for each in sent)
        found = read(cut(data, places))
        told = [(kind, number, value if isinstance(value, bytes) else b"") for kind, number, value in sent]
        self.assertEqual(joined([(k, n, p if k == DATA else b"") for k, n, p in found]), joined(list(told)))
        for (kind, _, payload), (_, _, value) in zip(
            [each for each in found if each[0] in (END, WINDOW)],
            [each for each in sent if each[0] in (END, WINDOW)],
            strict=True,
        ):
            if kind == WINDOW:
                self.assertEqual(frames.credit_of(payload), value)
            elif isinstance(value, Outcome):
                self.assertEqual(frames.outcome_of(payload).code, value.code)

    def test_faults(self) -> None:
        """Unknown types, and lengths that a type hasn't, break the protocol at the header; what came before counts."""
        wrong = [(0, 0), (6, 0), (255, 5), (OPEN, 1), (EOF, 1), (DATA, 0), (DATA, MOST_DATA + 1), (END, 1), (END, 126)]
        for kind, length in [*wrong, (WINDOW, 3), (WINDOW, 5)]:
            data = frames.header(EOF, 7) + frames.header(kind, 1, length)
            with self.assertRaises(PeerError) as caught:
                ChannelFrameReader().feed(memoryview(data))
            self.assertEqual(caught.exception.code, CloseCode.PROTOCOL)
            self.assertEqual(caught.exception.before, [(EOF, 7, b"")])
            self.assertIn(str(kind), caught.exception.reason)

    def test_payloads(self) -> None:
        """Codes that no end has, words that aren't UTF-8 and empty windows are refused."""
        for payload, code in ((b"\0\1", 1002), (b"\x13\x88", 1002), (b"\x03\xe8\xff", 1007)):
            with self.assertRaises(PeerError) as caught:
                frames.outcome_of(payload)
            self.assertEqual(caught.exception.code, code)
        self.assertRaises(PeerError, frames.credit_of, bytes(4))
        self.assertEqual(frames.outcome_of(b"\x0f\xa1a\nb"), Outcome(4001, "a?b"))


class Writing(SynchronousTestCase):
    """Frames that are made."""

    def test_large(self) -> None:
        """Data of any size go out in frames of at most 32 KiB, without a copy."""
        data = memoryview(bytes(range(256)) * 400)
        buffers = frames.data_frames(3, [data[:1000], data[1000:]], len(data))
        views = [buffer for buffer in buffers if isinstance(buffer, memoryview)]
        self.assertTrue(all(view.obj is data.obj for view in views))
        self.assertEqual(MOST_DATA, CHANNEL_DATA)
        whole = b"".join(buffers)
        self.assertEqual(read([whole]), [(DATA, 3, bytes(data))])
        self.assertEqual(len(whole) - len(data), 4 * HEADER)

    def test_words(self) -> None:
        """Words of an end are cut to 123 bytes at a character's end."""
        payload = frames.end(1, Outcome(4001, "é" * 100))[HEADER:]
        self.assertEqual((len(payload), frames.outcome_of(payload)), (2 + 122, Outcome(4001, "é" * 61)))
