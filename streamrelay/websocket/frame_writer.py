"""Frames that one side sends, masked as its role asks (RFC 6455 §5.3)."""

import os
from collections.abc import Sequence
from typing import Final

from attrs import define, field

from streamrelay.datapath.channel import Channel
from streamrelay.websocket.frames import apply_mask, frame_header


class Masking:
    """Masking of what a connection sends (RFC 6455 §5.3)."""

    NONE: Final = ""
    """A server's frames are not masked."""
    ZERO: Final = "zero"
    """A client's over TLS: the key is zero, as nobody between can read or be confused."""
    RANDOM: Final = "random"
    """A client's over plain TCP."""


_FIXED_KEYS: Final = {Masking.NONE: b"", Masking.ZERO: b"\0\0\0\0"}


@define(eq=False)
class FrameWriter:
    """Writes whole frames to a channel, each of them final."""

    channel: Channel
    masking: str
    _key: bytes | None = field(init=False)  # None: a new one for each frame

    def __attrs_post_init__(self) -> None:
        self._key = _FIXED_KEYS.get(self.masking)

    def write(self, opcode: int, data: Sequence[memoryview], size: int) -> None:
        """Send `size` bytes as one frame; they are the caller's, and as they were, when this returns."""
        if self._key is not None:
            self.channel.write([frame_header(opcode, size, self._key), *data])
        else:
            key = os.urandom(4)
            payload = memoryview(bytearray().join(data))
            apply_mask(payload, key)
            self.channel.write([frame_header(opcode, size, key), payload])

    def write_bytes(self, opcode: int, payload: bytes) -> None:
        self.write(opcode, [memoryview(payload)], len(payload))
