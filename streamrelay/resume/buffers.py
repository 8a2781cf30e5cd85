"""Large buffers that are used again: to allocate one for each read, and to give it back, costs more than the copy."""

from collections.abc import Sequence
from typing import Final

from streamrelay.datapath.reading import READING

SMALL: Final = 32 * 1024
"""Bytes up to which a piece is one of its own."""
SIZES: Final = (64 * 1024, 192 * 1024)
"""Bytes of a buffer; the last is what a read brings at most (`datapath.channel.READ`)."""
LARGE: Final = 96 * 1024
"""Bytes of a read from which on its buffer is kept; of fewer too much of it would be for nothing."""
SPARE: Final = 24
"""Buffers of each size that wait for their next use, at most: a window of reads, and a few more."""

_spare: Final[dict[int, list[bytearray]]] = {size: [] for size in SIZES}


def kept(data: Sequence[memoryview], size: int) -> tuple[bytes | memoryview, bytearray | None]:
    """Return `size` bytes that stay as they are, and the buffer that they lie in, which is to be given back by
    `release`. Most of a read is kept in its own buffer, anything else is copied."""
    if size <= SMALL or size > SIZES[-1]:
        return b"".join(data), None
    if size > LARGE and len(data) == 1 and data[0].obj is READING.buffer:
        spare = _spare[SIZES[1]]
        return data[0], READING.take(data[0], spare.pop() if spare else bytearray(SIZES[1]))
    room = SIZES[0] if size <= SIZES[0] else SIZES[1]
    spare = _spare[room]
    buffer = spare.pop() if spare else bytearray(room)
    whole = memoryview(buffer)[:size]
    at = 0
    for view in data:
        whole[at : at + len(view)] = view
        at += len(view)
    return whole, buffer


def release(buffer: bytearray) -> None:
    """Give a buffer back, of which nobody has a view any more that counts."""
    spare = _spare[len(buffer)]
    if len(spare) < SPARE:
        spare.append(buffer)
