"""Large buffers that are used again: to allocate one for each read, and to give it back, costs more than the copy."""

from collections.abc import Sequence
from typing import Final

SMALL: Final = 32 * 1024
"""Bytes up to which a piece is one of its own."""
SIZES: Final = (64 * 1024, 192 * 1024)
"""Bytes of a buffer; the last is what a read brings at most (`datapath.channel.READ`)."""
SPARE: Final = 16
"""Buffers of each size that wait for their next use, at most."""

_spare: Final[dict[int, list[bytearray]]] = {size: [] for size in SIZES}


def copied(data: Sequence[memoryview], size: int) -> tuple[bytes | memoryview, bytearray | None]:
    """Return a copy of `size` bytes, and the buffer that it lies in, which is to be given back by `release`."""
    if size <= SMALL or size > SIZES[-1]:
        return b"".join(data), None
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
