"""Frames of RFC 6455 on buffers, in place and without I/O.

`FrameReader.feed` takes what one read brought and tells what it means: runs of the stream's bytes as views into
the very buffer that was given (unmasked there), and control frames as small copies. A frame's payload is passed
on as it comes and never collected, so nothing but a control message (4 KiB) or a control frame (125 bytes) is held.
`frame_header` makes what goes before a payload.
"""

import codecs
import struct
from typing import Final, TypeAlias

from _nvx_xormasker import ffi, lib

from streamrelay.errors import PeerError, printable
from streamrelay.protocol.close import CloseCode
from streamrelay.protocol.control import MAX_CONTROL

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

MAX_FRAME: Final = 1 << 30
"""Bytes that one frame may announce: never held, so this only rules out what nobody sends in one piece."""

Event: TypeAlias = tuple[int, list[memoryview] | bytes]
"""An event in what was read: (BINARY, views of the stream's bytes) or (TEXT | CLOSE | PING | PONG, payload)."""

_U16 = struct.Struct("!H")
_U64 = struct.Struct("!Q")
_mask_new, _mask_process, _mask_free = lib.nvx_xormask_new, lib.nvx_xormask_process, lib.nvx_xormask_free
_from_buffer = ffi.from_buffer


def apply_mask(view: memoryview, key: bytes) -> None:
    """XOR a writable view with the 4 bytes of `key`, in place (RFC 6455 §5.3); a zero key costs nothing."""
    if key != b"\0\0\0\0" and len(view):
        masker = _mask_new(key)
        _mask_process(masker, _from_buffer(view), len(view))
        _mask_free(masker)


def whole_frames(view: memoryview, position: int, end: int, run: list[memoryview]) -> int:
    """Unmask the masked, final binary frames that lie whole in `view`, add their payloads to `run`, and return where
    the first other thing begins.

    Most traffic is that, so what `FrameReader` does for any frame is done here in one loop without a call of ours.
    """
    base = _from_buffer(view)
    while end - position > 6:
        length = view[position + 1] - 0x80
        if view[position] != 0x82 or length < 0:
            break
        begin = position + 6
        if length == 126:
            length = view[position + 2] << 8 | view[position + 3]
            begin = position + 8
            if length < 126:
                break
        elif length == 127:
            begin = position + 14
            length = int.from_bytes(view[position + 2 : position + 10], "big")
            if length < 65536:
                break
        if begin + length > end:
            break
        key = base + (begin - 4)
        if length and (key[0] or key[1] or key[2] or key[3]):
            masker = _mask_new(key)
            _mask_process(masker, base + begin, length)
            _mask_free(masker)
        if length:
            run.append(view[begin : begin + length])
        position = begin + length
    return position


_SHORT = [bytes((0x80 | BINARY, length)) for length in range(126)]


def frame_header(opcode: int, length: int, key: bytes = b"") -> bytes:
    """Make the header of a final frame, masked by `key` (4 bytes) or unmasked (RFC 6455 §5.2)."""
    if length < 126 and opcode == BINARY and not key:
        return _SHORT[length]
    masked = 0x80 if key else 0
    if length < 126:
        return bytes((0x80 | opcode, masked | length)) + key
    if length < 65536:
        return bytes((0x80 | opcode, masked | 126)) + _U16.pack(length) + key
    return bytes((0x80 | opcode, masked | 127)) + _U64.pack(length) + key


def close_payload(code: int, reason: str) -> bytes:
    """The payload of a close frame; the reason is cut to the 123 bytes that fit, at a character's end."""
    return _U16.pack(code) + reason.encode("utf-8", "replace")[:123].decode("utf-8", "ignore").encode()


def parse_close(payload: bytes) -> tuple[int, str]:
    """Code and reason of a close frame (in one line), 1005 if it has none; `PeerError` if it may not be sent (§7.4)."""
    if not payload:
        return 1005, ""
    if len(payload) == 1:
        raise PeerError(CloseCode.PROTOCOL, "a close frame with half a code")
    (code,) = _U16.unpack_from(payload)
    if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise PeerError(CloseCode.PROTOCOL, f"close code {code} may not be sent")
    try:
        return code, printable(payload[2:].decode("utf-8"))
    except UnicodeDecodeError:
        raise PeerError(CloseCode.BAD_UTF8, "a close reason that is not UTF-8") from None


class FrameReader:
    """A reader of the frames of one connection.

    `masked`: whether the peer must mask (a client must, a server must not). `text_is_bytes`: raw mode, where text
    is part of the stream; otherwise a text message is one control message of at most `MAX_CONTROL` bytes.
    """

    __slots__ = (
        "_final",
        "_header",
        "_held",
        "_key",
        "_left",
        "_masked",
        "_message",
        "_opcode",
        "_text",
        "_text_is_bytes",
        "_utf8",
    )

    def __init__(self, *, masked: bool, text_is_bytes: bool) -> None:
        self._masked = masked
        self._text_is_bytes = text_is_bytes
        self._header = b""  # the beginning of a header that came in pieces
        self._opcode = -1  # of the frame that is being read; -1 between frames
        self._final = True
        self._left = 0  # payload bytes of this frame still to come
        self._key = b""  # turned so that it fits the next payload byte
        self._message = 0  # TEXT or BINARY while a fragmented message goes on
        self._held = bytearray()  # of a control frame
        self._text = bytearray()  # of a control message
        self._utf8: codecs.IncrementalDecoder | None = None  # in raw text

    @property
    def between_frames(self) -> bool:
        """True if the last byte fed ended a frame."""
        return self._opcode < 0 and not self._header

    def feed(self, view: memoryview) -> list[Event]:
        """Read what `view` means, in order. Masked payload is unmasked in it; the views given back live as long as it.

        Raise `PeerError` at the first frame that breaks the protocol: at its header, before its payload is read.
        The events that came before it are the error's `before`.
        """
        if view.readonly and self._masked:
            view = memoryview(bytearray(view))
        events: list[Event] = []
        run: list[memoryview] = []
        position, end = 0, len(view)
        if self._masked and self._opcode < 0 and not self._message and not self._header:
            position = whole_frames(view, 0, end, run)
            if position == end:
                return [(BINARY, run)] if run else events
        try:
            self._feed(view, position, end, events, run)
        except PeerError as error:
            error.before = [*events, (BINARY, run)] if run else events
            raise
        if run:
            events.append((BINARY, run))
        return events

    def _feed(self, view: memoryview, position: int, end: int, events: list[Event], run: list[memoryview]) -> None:
        """Do what `feed` does, for any frames, from `position` on."""
        while position < end:
            if self._opcode < 0:
                if self._masked and not self._header and not self._message:
                    position = whole_frames(view, position, end, run)
                    if position == end:
                        break
                position = self._begin(view, position)
                if self._opcode < 0:
                    break
            size = min(self._left, end - position)
            payload = view[position : position + size]
            position += size
            self._left -= size
            if size and self._masked:
                apply_mask(payload, self._key)
                if turn := size & 3:
                    self._key = self._key[turn:] + self._key[:turn]
            if self._is_stream():
                if self._message == TEXT:
                    self._validate(payload)
                if size:
                    run.append(payload)
                if self._left == 0:
                    self._end_data()
                continue
            event = self._collect(payload)
            if event:
                if run:
                    events.append((BINARY, run[:]))
                    run.clear()
                events.append(event)

    def _is_stream(self) -> bool:
        """Tell whether this frame's payload is bytes of the stream."""
        if self._opcode >= CLOSE:
            return False
        return self._message == BINARY or self._text_is_bytes

    def _validate(self, payload: memoryview) -> None:
        """Raise `PeerError` 1007 unless text among raw bytes is UTF-8 all the same (RFC 6455 §8.1)."""
        decoder = self._utf8 = self._utf8 or codecs.getincrementaldecoder("utf-8")()
        try:
            decoder.decode(payload, self._final and not self._left)
        except UnicodeDecodeError:
            raise PeerError(CloseCode.BAD_UTF8, "text that is not UTF-8") from None

    def _end_data(self) -> None:
        self._opcode = -1
        if self._final:
            self._message = 0

    def _collect(self, payload: memoryview) -> Event | None:
        """Hold the payload of a control frame or control message; give it back once it is whole."""
        if self._opcode < CLOSE:
            self._text += payload
            if self._left:
                return None
            self._end_data()
            if self._message:
                return None
            message, self._text = bytes(self._text), bytearray()
            return TEXT, message
        self._held += payload
        if self._left:
            return None
        opcode, held = self._opcode, bytes(self._held)
        self._opcode, self._held = -1, bytearray()
        return opcode, held

    def _begin(self, view: memoryview, position: int) -> int:
        """Read a header at `position` and return where its payload begins; keep the pieces of one that is cut."""
        known = len(self._header)
        piece = self._header + bytes(view[position : position + 14 - known])
        if len(piece) < 2:
            self._header = piece
            return len(view)
        first, second = piece[0], piece[1]
        self._check(first, second)
        length, size = second & 0x7F, 2
        size += 2 if length == 126 else 8 if length == 127 else 0
        if len(piece) < size + (4 if self._masked else 0):
            self._header = piece
            return len(view)
        if length == 126:
            (length,) = _U16.unpack_from(piece, 2)
            if length < 126:
                raise PeerError(CloseCode.PROTOCOL, "a length that is not in its shortest form")
        elif length == 127:
            (length,) = _U64.unpack_from(piece, 2)
            if length < 65536 or length >> 63:
                raise PeerError(CloseCode.PROTOCOL, "a length that is not in its shortest form, or negative")
        self._start(first, length)
        if self._masked:
            self._key = piece[size : size + 4]
            size += 4
        self._header = b""
        return position + size - known

    def _check(self, first: int, second: int) -> None:
        """Hold the two fixed bytes to their rules (RFC 6455 §5.2, §5.4, §5.5), or raise `PeerError` 1002."""
        opcode = first & 0x0F
        if first & 0x70:
            raise PeerError(CloseCode.PROTOCOL, "reserved bits are set")
        if opcode > PONG or BINARY < opcode < CLOSE:
            raise PeerError(CloseCode.PROTOCOL, f"unknown opcode {opcode}")
        if bool(second & 0x80) is not self._masked:
            raise PeerError(CloseCode.PROTOCOL, "frames must be masked" if self._masked else "a masked frame")
        if opcode >= CLOSE and (not first & 0x80 or second & 0x7F > 125):
            raise PeerError(CloseCode.PROTOCOL, "a control frame that is fragmented or over 125 bytes")
        if opcode < CLOSE and bool(opcode) is bool(self._message):
            raise PeerError(CloseCode.PROTOCOL, "a continuation of nothing, or a message within another")

    def _start(self, first: int, length: int) -> None:
        opcode = first & 0x0F
        if length > MAX_FRAME:
            raise PeerError(CloseCode.TOO_BIG, f"a frame of {length} bytes")
        if opcode < CLOSE:
            self._final = bool(first & 0x80)
            self._message = opcode or self._message
            if self._message == TEXT and not self._text_is_bytes and len(self._text) + length > MAX_CONTROL:
                raise PeerError(CloseCode.TOO_BIG, f"a control message of over {MAX_CONTROL} bytes")
        self._opcode, self._left = opcode, length
