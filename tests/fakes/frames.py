"""Frames of strangers."""

from itertools import pairwise


def mask(payload: bytes, key: bytes) -> bytes:
    """RFC 6455 §5.3, word for word."""
    return bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))


def frame(opcode: int, payload: bytes = b"", key: bytes = b"", final: bool = True, reserved: int = 0) -> bytes:
    """A frame, good or not, made independently of the code under test."""
    size = len(payload)
    first = (0x80 if final else 0) | reserved << 4 | opcode
    masked = 0x80 if key else 0
    if size < 126:
        header = bytes([first, masked | size])
    elif size < 65536:
        header = bytes([first, masked | 126]) + size.to_bytes(2, "big")
    else:
        header = bytes([first, masked | 127]) + size.to_bytes(8, "big")
    if key and len(payload) > 64 and key != bytes(4):  # fast, for what is long
        whole = int.from_bytes(payload, "big") ^ int.from_bytes((key * (size // 4 + 1))[:size], "big")
        return header + key + whole.to_bytes(size, "big")
    return header + key + (mask(payload, key) if key else payload)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in pieces, cut at `places` (taken modulo its length)."""
    marks = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[begin:end] for begin, end in pairwise(marks)]
