"""frames.py: RFC 6455 frames, cut anywhere."""

import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import PeerError, printable
from streamrelay.websocket import close_frame, frames
from streamrelay.websocket.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, FrameReader
from tests.documented import MAX_FRAME
from tests.examples import examples
from tests.fakes.frames import cut, frame, mask

KEY = b"\x12\x34\x56\x78"


def meaning(reader: FrameReader, pieces: list[bytes]) -> list[tuple[int, bytes]]:
    """What the reader tells, with runs of the stream's bytes put together."""
    told: list[tuple[int, bytes]] = []
    for piece in pieces:
        for opcode, payload in reader.feed(memoryview(bytearray(piece))):
            joined = b"".join(payload) if isinstance(payload, list) else payload
            if opcode == BINARY and told and told[-1][0] == BINARY:
                joined = told.pop()[1] + joined
            told.append((opcode, joined))
    return told


def merged(told: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """The same without empty runs, and with neighbouring ones as one."""
    result: list[tuple[int, bytes]] = []
    for opcode, payload in told:
        if opcode == BINARY and not payload:
            continue
        if opcode == BINARY and result and result[-1][0] == BINARY:
            payload = result.pop()[1] + payload
        result.append((opcode, payload))
    return result


keys = st.one_of(st.just(bytes(4)), st.binary(min_size=4, max_size=4))
control_frames = st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125))
sizes = st.sampled_from([0, 1, 2, 3, 7, 124, 125, 126, 127, 300, 65535, 65536, 66001])
long_bytes = st.builds(
    lambda size, seed: (bytes(range(seed, 256)) * (size // (256 - seed) + 1))[:size], sizes, st.integers(0, 200)
)


@st.composite
def conversations(draw: st.DrawFn, text_is_bytes: bool, masked: bool) -> tuple[bytes, list[tuple[int, bytes]]]:
    """Frames on the wire, and what they mean."""
    wire, told = b"", []

    def put(opcode: int, payload: bytes, final: bool = True) -> None:
        nonlocal wire
        wire += frame(opcode, payload, draw(keys) if masked else b"", final)

    for _ in range(draw(st.integers(1, 4))):
        opcode = draw(st.sampled_from([BINARY, TEXT]))
        if opcode == TEXT:
            message = draw(st.text(max_size=200)).encode("utf-8", "replace")
        else:
            message = draw(st.one_of(st.binary(max_size=300), long_bytes))
        parts = cut(message, draw(st.lists(st.integers(0, 1 << 20), max_size=3)))
        if draw(st.booleans()):
            parts.insert(draw(st.integers(0, len(parts))), b"")
        parts = parts or [b""]
        is_stream = opcode == BINARY or text_is_bytes
        for index, part in enumerate(parts):
            put(CONTINUATION if index else opcode, part, index == len(parts) - 1)
            if is_stream:
                told.append((BINARY, part))
            elif index == len(parts) - 1:
                told.append((TEXT, message))
            for control, payload in draw(st.lists(control_frames, max_size=2)):
                put(control, payload)
                told.append((control, payload))
    if draw(st.booleans()):
        put(CLOSE, b"\x03\xe8bye")
        told.append((CLOSE, b"\x03\xe8bye"))
    return wire, merged(told)


class Splitting(SynchronousTestCase):
    """Whatever is cut anywhere means the same."""

    def check(self, data: st.DataObject, text_is_bytes: bool, masked: bool) -> None:
        sent, told = data.draw(conversations(text_is_bytes, masked))
        places = data.draw(st.lists(st.integers(0, 1 << 30), max_size=12))
        whole = meaning(FrameReader(masked=masked, text_is_bytes=text_is_bytes), [sent])
        reader = FrameReader(masked=masked, text_is_bytes=text_is_bytes)
        pieces = meaning(reader, cut(sent, places))
        self.assertEqual(merged(whole), told)
        self.assertEqual(merged(pieces), told)
        self.assertTrue(reader.between_frames)

    @examples(60)
    @given(st.data())
    def test_of_a_client_in_v1(self, data: st.DataObject) -> None:
        """Masked frames cut anywhere give the bytes and control messages that were framed, in order."""
        self.check(data, text_is_bytes=False, masked=True)

    @examples(60)
    @given(st.data())
    def test_of_a_client_in_raw(self, data: st.DataObject) -> None:
        """Masked frames cut anywhere give the bytes that were framed, those of text messages among them."""
        self.check(data, text_is_bytes=True, masked=True)

    @examples(40)
    @given(st.data())
    def test_of_a_server(self, data: st.DataObject) -> None:
        """Unmasked frames cut anywhere give what was framed, in order."""
        self.check(data, text_is_bytes=False, masked=False)

    def test_byte_by_byte(self) -> None:
        """A conversation that comes byte by byte gives what it gives at once."""
        sent = (
            frame(BINARY, b"ab", KEY, final=False)
            + frame(PING, b"p", KEY)
            + frame(CONTINUATION, b"c" * 130, KEY)
            + frame(TEXT, b"{}", KEY)
            + frame(CLOSE, b"", KEY)
        )
        reader = FrameReader(masked=True, text_is_bytes=False)
        told = meaning(reader, [sent[index : index + 1] for index in range(len(sent))])
        expected = [(BINARY, b"ab"), (PING, b"p"), (BINARY, b"c" * 130), (TEXT, b"{}"), (CLOSE, b"")]
        self.assertEqual(merged(told), expected)


class Buffers(SynchronousTestCase):
    """The reader works in the buffers that it is given."""

    def test_in_place(self) -> None:
        """Masked payload is unmasked in the given buffer itself, and the views are parts of it."""
        buffer = bytearray(frame(BINARY, b"hello", KEY))
        [(_, [view])] = FrameReader(masked=True, text_is_bytes=False).feed(memoryview(buffer))
        self.assertEqual(bytes(buffer[6:]), b"hello")
        buffer[6:] = b"HELLO"
        self.assertEqual(bytes(view), b"HELLO")

    def test_read_only(self) -> None:
        """A read-only buffer is left as it is, and its payload is unmasked all the same."""
        data = frame(BINARY, b"hello", KEY)
        [(_, [view])] = FrameReader(masked=True, text_is_bytes=False).feed(memoryview(data))
        self.assertEqual(bytes(view), b"hello")
        self.assertEqual(data, frame(BINARY, b"hello", KEY))

    def test_a_frame_is_not_collected(self) -> None:
        """The payload of a frame that isn't complete is passed on as it comes."""
        reader = FrameReader(masked=False, text_is_bytes=False)
        told = reader.feed(memoryview(frame(BINARY, b"x" * 1000)[:500]))
        self.assertEqual(sum(len(b"".join(views)) for _, views in told if isinstance(views, list)), 496)
        self.assertFalse(reader.between_frames)

    def test_between_frames(self) -> None:
        """The reader knows that it stands within a header, within a payload, or between two frames."""
        reader = FrameReader(masked=False, text_is_bytes=False)
        self.assertTrue(reader.between_frames)
        reader.feed(memoryview(b"\x82"))
        self.assertFalse(reader.between_frames)
        reader.feed(memoryview(b"\x01"))
        self.assertFalse(reader.between_frames)
        reader.feed(memoryview(b"x"))
        self.assertTrue(reader.between_frames)

    @examples(100)
    @given(st.binary(max_size=400), keys)
    def test_mask(self, payload: bytes, key: bytes) -> None:
        """Masking is the XOR of RFC 6455 §5.3 at every length, by every key."""
        buffer = bytearray(payload)
        frames.apply_mask(memoryview(buffer), key)
        self.assertEqual(bytes(buffer), mask(payload, key))


class Headers(SynchronousTestCase):
    """What we send."""

    def test_lengths(self) -> None:
        """A header has the shortest length form that holds its length, at every border."""
        for size in (0, 1, 125, 126, 65535, 65536, 1 << 20):
            for key in (b"", KEY):
                payload = bytes(size)
                expected = frame(BINARY, payload, key)[: -size or None]
                self.assertEqual(frames.frame_header(BINARY, size, key), expected, (size, key))

    @examples(50)
    @given(long_bytes, keys)
    def test_round_trip(self, payload: bytes, key: bytes) -> None:
        """What is framed by us is read by us."""
        buffer = bytearray(payload)
        frames.apply_mask(memoryview(buffer), key)
        sent = frames.frame_header(BINARY, len(payload), key) + bytes(buffer)
        told = meaning(FrameReader(masked=True, text_is_bytes=False), [sent])
        self.assertEqual(merged(told), merged([(BINARY, payload)]))


def header(first: int, length: int, form: int = 0, masked: bool = True) -> bytes:
    """A frame's header with a length in a chosen form: 0, 126 or 127."""
    bit = 0x80 if masked else 0
    key = KEY if masked else b""
    if form == 126:
        return bytes([first, bit | 126]) + struct.pack("!H", length) + key
    if form == 127:
        return bytes([first, bit | 127]) + struct.pack("!Q", length) + key
    return bytes([first, bit | length]) + key


FRAGMENT = frame(BINARY, b"x", KEY, final=False)
TEXT_FRAGMENT = frame(TEXT, b"x", KEY, final=False)

REFUSED = [
    # what, wire, code
    *((f"reserved bits {bits}", frame(BINARY, b"", KEY, reserved=bits), 1002) for bits in range(1, 8)),
    *((f"opcode {opcode}", frame(opcode, b"", KEY), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
    ("no mask", frame(BINARY, b"x"), 1002),
    ("no mask on a ping", frame(PING), 1002),
    ("125 in 16 bits", header(0x82, 125, 126), 1002),
    ("0 in 16 bits", header(0x82, 0, 126), 1002),
    ("65535 in 64 bits", header(0x82, 65535, 127), 1002),
    ("2^63", header(0x82, 1 << 63, 127), 1002),
    ("2^64 - 1", header(0x82, (1 << 64) - 1, 127), 1002),
    ("a frame over the limit", header(0x82, MAX_FRAME + 1, 127), 1009),
    ("2^63 - 1", header(0x82, (1 << 63) - 1, 127), 1009),
    ("a ping of 126 bytes", frame(PING, bytes(126), KEY), 1002),
    ("a close of 65536 bytes", header(0x88, 65536, 127), 1002),
    ("a fragmented ping", frame(PING, b"", KEY, final=False), 1002),
    ("a fragmented close", frame(CLOSE, b"", KEY, final=False), 1002),
    ("a continuation of nothing", frame(CONTINUATION, b"x", KEY), 1002),
    ("a final continuation twice", FRAGMENT + frame(CONTINUATION, b"", KEY) + frame(CONTINUATION, b"", KEY), 1002),
    ("bytes within bytes", FRAGMENT + frame(BINARY, b"x", KEY), 1002),
    ("text within bytes", FRAGMENT + frame(TEXT, b"x", KEY), 1002),
    ("text within text", TEXT_FRAGMENT + frame(TEXT, b"x", KEY), 1002),
]


class Rules(SynchronousTestCase):
    """RFC 6455's rules, as a table."""

    def code(self, data: bytes, masked: bool = True, raw: bool = False) -> int:
        """The code by which this is refused, 0 if it isn't; the same fed whole and byte by byte."""
        codes = []
        for pieces in ([data], [data[index : index + 1] for index in range(len(data))]):
            reader = FrameReader(masked=masked, text_is_bytes=raw)
            try:
                meaning(reader, pieces)
                codes.append(0)
            except PeerError as error:
                codes.append(error.code)
        self.assertEqual(codes[0], codes[1], data[:40])
        return codes[0]

    def test_refused(self) -> None:
        """Each break of the protocol is refused by its code, in both modes."""
        for what, data, code in REFUSED:
            for raw in (False, True):
                self.assertEqual(self.code(data, raw=raw), code, what)

    def test_before_the_payload(self) -> None:
        """A frame that is refused is refused at its header, before any of its payload was read."""
        for what, data, code in REFUSED:
            if what.startswith(("2^", "a frame over")):
                error = self.assertRaises(
                    PeerError, FrameReader(masked=True, text_is_bytes=True).feed, memoryview(bytearray(data))
                )
                self.assertEqual(error.code, code)

    def test_server_masks(self) -> None:
        """A client refuses masked frames, even by the zero key."""
        self.assertEqual(self.code(frame(BINARY, b"x", KEY), masked=False), 1002)
        self.assertEqual(self.code(frame(BINARY, b"x", bytes(4)), masked=False), 1002)

    def test_limits_are_allowed(self) -> None:
        """What just holds to the rules is taken."""
        for data in (
            header(0x82, MAX_FRAME, 127),
            frame(PING, bytes(125), KEY),
            header(0x82, 126, 126),
            header(0x82, 65535, 126),
            header(0x82, 65536, 127),
            frame(TEXT, bytes(4096), KEY),
            FRAGMENT + frame(PING, b"", KEY) + frame(CONTINUATION, b"", KEY) + frame(BINARY, b"", KEY),
        ):
            self.assertEqual(self.code(data), 0)

    def test_long_control_message(self) -> None:
        """A control message of over 4096 bytes is refused with 1009, in one frame and in fragments; raw text is not."""
        whole = header(0x81, 4097, 126)
        parts = frame(TEXT, bytes(4096), KEY, final=False) + frame(CONTINUATION, b"x", KEY)
        for data in (whole, parts):
            self.assertEqual(self.code(data), 1009)
            self.assertEqual(self.code(data, raw=True), 0)

    def test_fragments_of_nothing(self) -> None:
        """Empty fragments of a control message add nothing, however many there are."""
        data = frame(TEXT, b"{", KEY, final=False) + frame(CONTINUATION, b"", KEY, final=False) * 50
        told = meaning(FrameReader(masked=True, text_is_bytes=False), [data + frame(CONTINUATION, b"}", KEY)])
        self.assertEqual(told, [(TEXT, b"{}")])


BAD_UTF8 = [
    b"\xff",
    b"\xc0\x80",  # too long a form
    b"\xed\xa0\x80",  # a surrogate
    b"\xf4\x90\x80\x80",  # beyond U+10FFFF
    b"a\x80",
    "é".encode()[:1],  # cut
    "😀".encode()[:3],
]


class Text(SynchronousTestCase):
    """Text among raw bytes."""

    def read(self, *pieces: bytes) -> bytes:
        told = meaning(FrameReader(masked=True, text_is_bytes=True), list(pieces))
        return b"".join(payload for _, payload in told)

    def test_bad_utf8(self) -> None:
        """Text that is not UTF-8 is refused with 1007, in one frame, in fragments and in pieces."""
        for text in BAD_UTF8:
            fragments = frame(TEXT, text[:1], KEY, final=False) + frame(CONTINUATION, text[1:], KEY)
            whole = frame(TEXT, text, KEY)
            for pieces in ([whole], [fragments], [whole[:-1], whole[-1:]]):
                error = self.assertRaises(PeerError, self.read, *pieces)
                self.assertEqual(error.code, 1007, text)

    def test_at_once(self) -> None:
        """Text that can't become UTF-8 any more is refused before its message ends."""
        error = self.assertRaises(PeerError, self.read, frame(TEXT, b"\xff", KEY, final=False))
        self.assertEqual(error.code, 1007)

    def test_split_character(self) -> None:
        """A character may be split over fragments and over reads, with a ping in between."""
        text = "a😀é".encode()
        data = (
            frame(TEXT, text[:2], KEY, final=False)
            + frame(CONTINUATION, text[2:4], KEY, final=False)
            + frame(PING, b"", KEY)
            + frame(CONTINUATION, text[4:], KEY)
        )
        self.assertEqual(self.read(*[data[index : index + 1] for index in range(len(data))]), text)

    def test_next_message_is_new(self) -> None:
        """After a good text message the next one is judged by itself, and bytes are never judged."""
        self.assertEqual(self.read(frame(TEXT, "é".encode(), KEY) + frame(BINARY, b"\xff", KEY)), b"\xc3\xa9\xff")
        error = self.assertRaises(PeerError, self.read, frame(TEXT, b"\xc3\xa9", KEY) + frame(TEXT, b"\xa9", KEY))
        self.assertEqual(error.code, 1007)


class CloseFrames(SynchronousTestCase):
    """The payload of a close."""

    def test_codes(self) -> None:
        """Only codes that may be sent are read; all others are refused with 1002."""
        good = {1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)}
        for code in good:
            self.assertEqual(close_frame.parse_close(struct.pack("!H", code) + b"why"), (code, "why"))
        for code in set(range(65536)) - good:
            try:
                self.fail(f"{close_frame.parse_close(struct.pack('!H', code))}")
            except PeerError as error:
                self.assertEqual(error.code, 1002, code)

    def test_without_a_code(self) -> None:
        """An empty close has no code, which is told as 1005."""
        self.assertEqual(close_frame.parse_close(b""), (1005, ""))

    def test_half_a_code(self) -> None:
        """A close of one byte is refused with 1002."""
        self.assertEqual(self.assertRaises(PeerError, close_frame.parse_close, b"\x03").code, 1002)

    def test_reason_is_one_line(self) -> None:
        """What a reason would do to a terminal or a log is taken out of it; it is for people."""
        payload = b"\x0f\xa1no\r\n\x1b[2Jentry"
        self.assertEqual(close_frame.parse_close(payload), (4001, "no???[2Jentry"))

    def test_reason_is_utf8(self) -> None:
        """A reason that is not UTF-8 is refused with 1007."""
        for text in BAD_UTF8:
            error = self.assertRaises(PeerError, close_frame.parse_close, b"\x03\xe8" + text)
            self.assertEqual(error.code, 1007, text)

    @examples(100)
    @given(st.integers(3000, 4999), st.text(max_size=150))
    def test_ours(self, code: int, reason: str) -> None:
        """A close that we make fits into a control frame and can be read, its reason perhaps cut at a character."""
        payload = close_frame.close_payload(code, reason)
        self.assertLessEqual(len(payload), 125)
        read_code, read_reason = close_frame.parse_close(payload)
        self.assertEqual(read_code, code)
        said = printable(reason.encode("utf-8", "replace").decode())
        self.assertTrue(said.startswith(read_reason))
        if len(reason.encode("utf-8", "replace")) <= 123:
            self.assertEqual(read_reason, said)
