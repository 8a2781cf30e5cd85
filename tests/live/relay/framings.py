"""Frames that one leg of a pair sends, and what becomes of both (RFC 6455 §5 to §8; protocol.rst, "Closing")."""

from typing import NamedTuple

from tests.live.support.raw import BINARY, CLOSE, CONTINUATION, KEY, PING, PONG, TEXT, close, frame, header


class Row(NamedTuple):
    """`sent` by one leg, `code` the close code that it gets (None: it lives on, `0` if its close has no code).

    `passed` are the stream's bytes that reach the other leg, and `other` its close code. `pongs` are what answers the
    sender's pings, `texts` the control messages that reach the other leg. `modes` says where the row holds.
    """

    name: str
    sent: bytes
    code: int | None = None
    passed: bytes = b""
    other: int = 4005
    pongs: tuple[bytes, ...] = ()
    texts: tuple[bytes, ...] = ()
    modes: tuple[str, ...] = ("v1", "raw")
    inside: bool = False
    """Whether the row ends within a frame, so that nothing can follow it."""


ZERO = bytes(4)
FIRST = frame(BINARY, b"first;", final=False)


def octets(size: int) -> bytes:
    return bytes(range(251)) * (size // 251) + bytes(range(size % 251))


LENGTHS = [
    *(Row(f"{size} bytes", frame(BINARY, octets(size)), passed=octets(size))
      for size in (0, 1, 2, 3, 4, 5, 7, 8, 124, 125, 126, 127, 128, 255, 256, 65534, 65535, 65536, 65537, 200_000)),
    *(Row(f"{size} bytes, a mask of zeros", frame(BINARY, octets(size), ZERO), passed=octets(size))
      for size in (0, 1, 125, 126, 65535, 65536)),
    *(Row(f"{size} bytes in {form} bytes of length", frame(BINARY, octets(size), form=form), 1002)
      for size, form in ((0, 2), (1, 2), (125, 2), (0, 8), (1, 8), (125, 8), (126, 8), (127, 8), (65535, 8))),
    *(Row(f"a length of {name}", header(BINARY, length, 8) + KEY, code)
      for name, length, code in (("2^30 + 1", (1 << 30) + 1, 1009), ("2^31 - 1", (1 << 31) - 1, 1009),
                                 ("2^31", 1 << 31, 1009), ("2^32 - 1", (1 << 32) - 1, 1009), ("2^32", 1 << 32, 1009),
                                 ("2^53", 1 << 53, 1009), ("2^62", 1 << 62, 1009), ("2^63 - 1", (1 << 63) - 1, 1009),
                                 ("2^63", 1 << 63, 1002), ("2^63 + 5", (1 << 63) + 5, 1002), ("2^64 - 1",
                                     (1 << 64) - 1, 1002))),
    Row("a length of 2^30 and its first bytes", header(BINARY, 1 << 30, 8) + ZERO + b"abc", passed=b"abc", inside=True),
    Row("a frame's first half", frame(BINARY, octets(100))[:56], passed=octets(50), inside=True),
    *(Row(f"a header of {size} bytes", frame(BINARY, octets(70000))[:size], inside=True) for size in (1, 2, 5, 9, 10,
        13, 14)),
]  # fmt: skip

HEADERS = [
    *(Row(f"reserved bits {bits:03b} with opcode {opcode}", frame(opcode, b"x", reserved=bits), 1002)
      for bits in range(1, 8) for opcode in (BINARY, TEXT, PING)),
    *(Row(f"reserved bits {bits:03b}, close", close(1000, reserved=bits), 1002) for bits in (1, 2, 4)),
    *(Row(f"reserved bit in a continuation, {bits:03b}", FIRST + frame(CONTINUATION, b"x", reserved=bits), 1002,
          b"first;") for bits in (1, 2, 4)),
    *(Row(f"opcode {opcode}", frame(opcode, b"x"), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
    *(Row(f"opcode {opcode}, empty", frame(opcode), 1002) for opcode in (3, 7, 11, 15)),
    *(Row(f"opcode {opcode}, not final", frame(opcode, b"x", final=False), 1002) for opcode in (3, 7, 11, 15)),
    *(Row(f"opcode {opcode} within a message", FIRST + frame(opcode, b"x"), 1002, b"first;") for opcode in (3, 11)),
    *(Row(f"opcode {opcode} without a mask", frame(opcode, b"\x03\xe8", None), 1002) for opcode in (1, 2, 8, 9, 10)),
    Row("a continuation without a mask", FIRST + frame(CONTINUATION, b"x", None), 1002, b"first;"),
    Row("nothing without a mask", frame(BINARY, b"", None), 1002),
    Row("all bits", b"\xff" * 20, 1002),
    Row("an HTTP request", b"GET / HTTP/1.1\r\n\r\n", 1002),
    Row("a TLS hello", b"\x16\x03\x01\x02\x00\x01", 1002),
    Row("two good ones before", frame(BINARY, b"1") + frame(BINARY, b"2") + frame(3), 1002, b"12"),
    Row("a mask of one byte", frame(BINARY, b"abcdef", b"\x01\x00\x00\x00"), passed=b"abcdef"),
    Row("masks that differ", b"".join(frame(BINARY, b"abc", bytes((n, 7, 1, n))) for n in range(9)), passed=b"abc" * 9),
]  # fmt: skip

CONTROL_FRAMES = [
    *(Row(f"a ping of {size}", frame(PING, octets(size)), pongs=(octets(size),)) for size in (0, 1, 4, 64, 124, 125)),
    *(Row(f"a pong of {size}", frame(PONG, octets(size))) for size in (0, 1, 125)),
    *(Row(f"opcode {opcode} of {size} bytes", frame(opcode, octets(size)), 1002)
      for opcode in (CLOSE, PING, PONG) for size in (126, 127, 65535, 65536)),
    *(Row(f"opcode {opcode} with a length in {form} bytes", frame(opcode, b"\x03\xe8", form=form), 1002)
      for opcode in (CLOSE, PING, PONG) for form in (2, 8)),
    *(Row(f"opcode {opcode}, not final", frame(opcode, b"\x03\xe8", final=False), 1002) for opcode in (CLOSE, PING,
        PONG)),
    *(Row(f"a length of 2^63, opcode {opcode}", header(opcode, 1 << 63, 8) + KEY, 1002) for opcode in (CLOSE, PING,
        PONG)),
    Row("a fragmented ping and its rest", frame(PING, b"a", final=False) + frame(CONTINUATION, b"b"), 1002),
    Row("a ping between fragments", FIRST + frame(PING, b"?") + frame(CONTINUATION, b"last"), passed=b"first;last",
        pongs=(b"?",)),
    Row("pings between many", FIRST + b"".join(frame(PING, bytes([n])) + frame(CONTINUATION, b"-", final=False)
        for n in range(20)) + frame(CONTINUATION), passed=b"first;" + b"-" * 20, pongs=tuple(bytes([n])
            for n in range(20))),
    Row("a pong between fragments", FIRST + frame(PONG, b"?") + frame(CONTINUATION, b"last"), passed=b"first;last"),
    Row("a bad ping between fragments", FIRST + frame(PING, b"?", reserved=1), 1002, b"first;"),
    Row("ten pings", b"".join(frame(PING, bytes([n])) for n in range(10)), pongs=tuple(bytes([n]) for n in range(10))),
    Row("a ping before a fault", frame(PING, b"?") + frame(3), 1002, pongs=(b"?",)),
    Row("a ping of bytes that aren't UTF-8", frame(PING, b"\xff\xfe"), pongs=(b"\xff\xfe",)),
]  # fmt: skip

FRAGMENTS = [
    Row("two", FIRST + frame(CONTINUATION, b"last"), passed=b"first;last"),
    Row("three", FIRST + frame(CONTINUATION, b"middle;", final=False) + frame(CONTINUATION, b"last"),
        passed=b"first;middle;last"),
    Row("a hundred bytes alone", frame(BINARY, final=False) + b"".join(frame(CONTINUATION, b"x", final=False)
        for _ in range(100)) + frame(CONTINUATION), passed=b"x" * 100),
    Row("empty ones", frame(BINARY, final=False) + frame(CONTINUATION, final=False) + frame(CONTINUATION)),
    Row("empty, then bytes", frame(BINARY, final=False) + frame(CONTINUATION, b"x"), passed=b"x"),
    Row("large ones", frame(BINARY, octets(70000), final=False) + frame(CONTINUATION, octets(70000)),
        passed=octets(70000) * 2),
    Row("one message after another", (FIRST + frame(CONTINUATION, b"last")) * 2, passed=b"first;last" * 2),
    Row("a continuation of nothing", frame(CONTINUATION, b"x"), 1002),
    Row("a continuation of nothing, not final", frame(CONTINUATION, b"x", final=False), 1002),
    Row("an empty continuation of nothing", frame(CONTINUATION), 1002),
    Row("a continuation after a whole message", frame(BINARY, b"x") + frame(CONTINUATION, b"y"), 1002, b"x"),
    Row("a continuation after the last", FIRST + frame(CONTINUATION, b"last") + frame(CONTINUATION, b"y"), 1002,
        b"first;last"),
    Row("binary within binary", FIRST + frame(BINARY, b"x"), 1002, b"first;"),
    Row("text within binary", FIRST + frame(TEXT, b"x"), 1002, b"first;"),
    Row("a fragmented one within another", FIRST + FIRST, 1002, b"first;"),
    Row("an empty one within another", FIRST + frame(BINARY), 1002, b"first;"),
    Row("text, then binary", frame(TEXT, b"{}", final=False) + frame(BINARY, b"x"), 1002, b"{}", modes=("raw",)),
    Row("a control message, then binary", frame(TEXT, b"{}", final=False) + frame(BINARY, b"x"), 1002, modes=("v1",)),
    Row("text between binary", frame(BINARY, b"1") + frame(TEXT, b"2") + frame(BINARY, b"3"), passed=b"123",
        modes=("raw",)),
    Row("text in fragments", frame(TEXT, b"te", final=False) + frame(CONTINUATION, b"xt"), passed=b"text",
        modes=("raw",)),
    Row("a fragment that stays open", FIRST + frame(PING, b"?"), passed=b"first;", pongs=(b"?",), inside=True),
]  # fmt: skip


def closing(code: int, other: int, reason: bytes = b"why") -> Row:
    return Row(f"code {code}", close(code, reason), code, other=other)


CLOSES = [
    *(closing(code, 1000) for code in (1000, 1001, 3000, 3001, 3999, 4000, 4007, 4010, 4012, 4100, 4500, 4998, 4999)),
    *(closing(code, code) for code in (1013, 4001, 4002, 4003, 4004, 4005, 4006, 4008, 4009, 4011)),
    *(closing(code, 4005) for code in (1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1014)),
    *(Row(f"code {code}", close(code), 1002)
      for code in (0, 1, 16, 255, 256, 500, 998, 999, 1004, 1005, 1006, 1015, 1016, 1017, 1050, 1099, 1100, 1500,
          1999, 2000,
                   2001, 2500, 2998, 2999, 5000, 5001, 9999, 32768, 65535)),
    Row("no code", frame(CLOSE), 0, other=1000),
    Row("half a code", frame(CLOSE, b"\x03"), 1002),
    Row("no reason", close(1000), 1000, other=1000),
    Row("the longest reason", close(4001, b"r" * 123), 4001, other=4001),
    Row("a reason that is too long", close(4001, b"r" * 124), 1002),
    Row("a reason of more than ASCII", close(4001, "größer €😀".encode()), 4001, other=4001),
    *(Row(f"a reason {reason!r}", close(1000, reason), 1007)
      for reason in (b"\xff", b"\xc0\x80", b"ok\xed\xa0\x80", b"\xe2\x82", b"\xf4\x90\x80\x80", b"\x80")),
    Row("bad code and bad reason", close(1005, b"\xff"), 1002),
    Row("bytes after it", close(1000) + frame(BINARY, b"late"), 1000, other=1000),
    Row("a ping after it", close(1000) + frame(PING, b"late"), 1000, other=1000),
    Row("a fault after it", close(1000) + frame(3), 1000, other=1000),
    Row("garbage after it", close(4001) + b"\xff" * 100, 4001, other=4001),
    Row("another close after it", close(1000) + close(4001), 1000, other=1000),
    Row("a bad one after it", close(1000) + close(1005), 1000, other=1000),
    Row("bytes before it", frame(BINARY, b"early") + close(1000), 1000, b"early", other=1000),
    Row("within a message", FIRST + close(1000), 1000, b"first;", other=1000),
    Row("a fault before it", frame(3) + close(1000), 1002),
]  # fmt: skip

TABLES = {
    "lengths": LENGTHS,
    "headers": HEADERS,
    "control frames": CONTROL_FRAMES,
    "fragments": FRAGMENTS,
    "closes": CLOSES,
}
