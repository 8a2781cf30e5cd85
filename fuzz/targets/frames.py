"""`FrameReader` in its four modes, beside wsproto, which has read frames for others for years.

Both find the same bytes, the same messages and the same fault, however the bytes are split; and nothing but a header,
a control frame or a control message is held.
"""

from collections.abc import Iterator
from typing import Any, Final

from attrs import define, field
from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed

from fuzz.choices import Choices
from streamrelay.errors import PeerError
from streamrelay.protocol.close import CloseCode
from streamrelay.protocol.control import MAX_CONTROL
from streamrelay.websocket.close_frame import parse_close
from streamrelay.websocket.frames import BINARY, CLOSE, TEXT, FrameReader
from tests.fakes.frames import frame

LONGEST: Final = 600
"""Bytes of an input: as much as says something new in little time."""

SEEDS: Final = [
    b"\1" + bytes(7) + b"\x82\x85\1\2\3\4hello\x80\x80\1\2\3\4",
    b"\0" + bytes(7) + b"\x82\x7e\0\x7e" + b"x" * 126 + b"\x89\x01p\x88\x02\x03\xe8",
    b"\2\2\0\3\0\7\0\0\x01\x02h\xc3\x80\x01\xa9\x81\0",
    b"\2" + bytes(7) + b"\x01\x01\xe2\x00\x01\x82\x80\x01\xac",
    b'\0\1\0\4\0\0\0\0\x81\x0c{"eof":true}\x82\x02hi',
    b"\0" + bytes(7) + b"\x82\x7f\0\0\0\0\0\1\0\0",
    b"\0" + bytes(7) + b"\x82\x7f\0\0\0\0\xff\0\0\0",
    b"\0" + bytes(7) + b"\x81\x7e\x10\x01",
    b"\5\3\0\1\0\x90\1\x10" + b"\2\1\4\0\0\0\0\2\1\6\1\2\3\4\x09\1\1\0\0\0\0",
    b"\4\1\1\0\0\0\0\0" + b"\1\0\3\0\0\0\0\0\1\3\0\0\0\0\x08\1\2\0\0\0\0",
    b"\7\2\0\3\0\x40\0\0" + b"\1\1\3\xa1\xa2\xa3\xa4\x0a\1\5\0\0\0\0\2\1\7\5\5\5\5",
]
WORDS: Final = [
    *(b"\x82", b"\x02", b"\x80", b"\x00", b"\x81", b"\x01", b"\x88", b"\x89\x00", b"\x8a\x80", b"\xfe", b"\xff"),
    *(b"\x7e\x00\x7e", b"\x7f\0\0\0\0\0\1\0\0", b"\xfe\x00\x7e", b"\x03\xe8", b"\xe2\x82\xac", b"\xed\xa0\x80"),
]

_SIZES: Final = (0, 1, 2, 3, 4, 5, 7, 8, 124, 125, 126, 127, 130, 4096, 65535, 65536)
_OPCODES: Final = (0, 1, 2, 8, 9, 10, 2, 2, 0)


@define
class Reading:
    """What some bytes mean."""

    stream: bytearray = field(factory=bytearray)
    messages: list[tuple[int, bytes]] = field(factory=list)
    """Control frames and control messages."""
    order: list[tuple[int, bytes]] = field(factory=list)
    """All of it as it came."""
    fault: int = 0
    """The close code of what broke the protocol."""

    def add(self, opcode: int, payload: bytes) -> None:
        if opcode != BINARY:
            self.messages.append((opcode, payload))
        else:
            self.stream += payload
            if self.order and self.order[-1][0] == BINARY:
                payload = self.order.pop()[1] + payload
        self.order.append((opcode, payload))


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    mode = choices.number(8)
    masked, text_is_bytes, built = bool(mode & 1), bool(mode & 2), bool(mode & 4)
    cuts, sent = Choices(choices.take(7)), choices.rest()
    if built:
        sent = b"".join(build(Choices(sent), masked))
    ours = ours_of([sent], masked, text_is_bytes)
    split = ours_of(cuts.pieces(sent), masked, text_is_bytes)
    if ours.fault != CloseCode.BAD_UTF8:
        assert split == ours, f"it matters how the bytes were split: {split} {ours}"
    assert split.fault == ours.fault
    # Each looks at some headers before the last byte of them is there: more bytes make up for that.
    theirs = theirs_of(sent + bytes(16) if ours.fault else sent, masked, text_is_bytes)
    if theirs.fault and not ours.fault:
        ours = ours_of([sent + bytes(4)], masked, text_is_bytes)
    compare(ours, theirs, text_is_bytes)


def build(choices: Choices, masked: bool) -> Iterator[bytes]:
    """Frames that are nearly good."""
    left = 100_000  # bytes of payload: more says nothing new, and takes long
    while choices and left > 0:
        opcode, what, size = choices.pick(_OPCODES), choices.number(64), choices.number(256)
        key = choices.take(4).ljust(4, b"\0")
        if size < 240:
            payload = choices.take(size % 64)
        else:
            payload = b"a\xc3\xa9b" * 16384
            payload = payload[: _SIZES[size - 240]]
        left -= len(payload)
        final = bool(what & 1) or opcode >= CLOSE
        yield frame(opcode, payload, key if masked is not (what == 62) else b"", final, 4 if what == 60 else 0)


def ours_of(pieces: list[bytes], masked: bool, text_is_bytes: bool) -> Reading:
    """What our reader says."""
    reader, reading = FrameReader(masked=masked, text_is_bytes=text_is_bytes), Reading()
    for index, piece in enumerate(pieces):
        view = memoryview(piece if index & 1 else bytearray(piece))
        try:
            for opcode, payload in reader.feed(view):
                reading.add(opcode, b"".join(payload) if isinstance(payload, list) else payload)
        except PeerError as error:
            for opcode, payload in error.before:
                reading.add(opcode, b"".join(payload) if isinstance(payload, list) else payload)
            reading.fault = error.code
            break
        assert len(reader._text) <= MAX_CONTROL and len(reader._held) <= 125 and len(reader._header) < 14
    return reading


def theirs_of(sent: bytes, masked: bool, text_is_bytes: bool) -> Reading:
    """What wsproto says, up to the first close frame."""
    reader, reading = FrameProtocol(client=not masked, extensions=[]), Reading()
    reader.receive_bytes(sent)
    text = b""
    try:
        for event in reader.received_frames():
            payload: Any = event.payload
            if event.opcode == Opcode.CLOSE:
                reading.add(CLOSE, b"")
                break
            if event.opcode in (Opcode.PING, Opcode.PONG):
                reading.add(int(event.opcode), bytes(payload))
            elif event.opcode == Opcode.BINARY or text_is_bytes:
                reading.add(BINARY, payload.encode() if isinstance(payload, str) else bytes(payload))
            else:
                text += payload.encode()
                if event.message_finished:
                    reading.add(TEXT, text)
                    text = b""
    except ParseFailed as failed:
        reading.fault = int(failed.code)
    return reading


def compare(ours: Reading, theirs: Reading, text_is_bytes: bool) -> None:
    """Both mean the same, but for what we refuse beyond the RFC and what we leave to others to check."""
    read = up_to_close(ours)
    if theirs.fault == CloseCode.BAD_UTF8 and not text_is_bytes:
        return  # they look at every piece of a text, we at the whole
    if read.fault == CloseCode.TOO_BIG:
        assert theirs.messages[: len(read.messages)] == read.messages
        return
    assert read.fault == theirs.fault, f"{read.fault} {theirs.fault}"
    assert read.messages == theirs.messages, f"{read.messages} {theirs.messages}"
    longer, shorter = sorted((bytes(read.stream), bytes(theirs.stream)), key=len, reverse=True)
    # They hold back what may be the beginning of a character.
    most = len(longer) if read.fault == CloseCode.BAD_UTF8 else 3 if text_is_bytes else 0
    assert longer.startswith(shorter) and len(longer) - len(shorter) <= most, f"{longer!r} {shorter!r}"


def up_to_close(ours: Reading) -> Reading:
    """With the checks that our reader leaves to those who use it."""
    read = Reading(fault=ours.fault)
    for opcode, payload in ours.order:
        try:
            if opcode == CLOSE:
                if payload[:2] == b"\x03\xf6":
                    raise PeerError(CloseCode.PROTOCOL, "1014 is registered, but wsproto doesn't know it")
                parse_close(payload)
                read.add(CLOSE, b"")
                read.fault = 0
                break
            if opcode == TEXT:
                payload.decode()
        except PeerError as error:
            read.fault = error.code
            break
        except UnicodeDecodeError:
            read.fault = CloseCode.BAD_UTF8
            break
        read.add(opcode, payload)
    return read
