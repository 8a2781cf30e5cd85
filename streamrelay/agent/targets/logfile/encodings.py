"""Encodings of logs: UTF-16 is known by the byte order mark with which a file begins, and its characters stay whole."""

import os
from typing import Final

UTF_16: Final = {b"\xff\xfe": "utf-16le", b"\xfe\xff": "utf-16be"}
"""Encodings by the mark with which a file begins."""


def encoding_of(descriptor: int) -> str:
    """Return the encoding of a file that tells it; empty if none does, so it is UTF-8 or unknown."""
    return UTF_16.get(os.pread(descriptor, 2, 0), "")


def unit_of(descriptor: int) -> int:
    """Count the bytes of which a file's characters have multiples."""
    return 2 if encoding_of(descriptor) else 1


def whole(descriptor: int, offset: int) -> int:
    """Return this offset, or the next one where a character begins."""
    encoding = encoding_of(descriptor)
    if not encoding:
        return offset
    offset += offset % 2
    after = os.pread(descriptor, 2, offset)
    second = 0xDC <= after[encoding == "utf-16le"] <= 0xDF if len(after) == 2 else False  # of a pair of surrogates
    return offset + 2 if second else offset
