"""A log's bytes on the user's terminal: colours pass and end with the log, nothing else that a terminal obeys.

Rows end alike however the bytes are cut, and no more than an escape that may still end is held.
"""

import re
from typing import Final

from fuzz.choices import Choices
from streamrelay.client.log_text import AGAIN, LogText
from streamrelay.client.log_text import LONGEST as MOST

LONGEST: Final = 400
"""Bytes of an input: an escape that is longer than may be held is text where it was cut."""

SEEDS: Final = [
    b"\0\0a\x1b]52;c;ZWNobyBoaQ==\x07b\n",
    b"\1\0\3\x1b[1;31mred\x1b[0m\r\nplain\n",
    b"\2\0\1\0\5\x1b[38;5;8mgrey\n\x1b[8mhidden\x1b[0;08mtoo",
    b"\0\0" + "a\x9b2Jb\x9d0;t\x9cc \u202e \u2066 grüße 👍\n".encode(),
    b"\0\0\x1bP$q\x1b\\\x1b]8;;http://x/\x1b\\text\x1b]8;;\x1b\\\x1b(0\x1bc",
    b"\0\0\xff\xfe\xc3\x1b[?1049h\x1b[>4;2m\x1b[1 m",
    b"\0\0a\rb\b\x7f\x1b\n\x1b[\n\x1b]0;x\n",
    b"\1\0\3 10%\r\x1b[31m 55%\x1b[2D\x1b[K\x1b[1P\x1b[3@\x1b[5G!\n\r\xe6\xbc\xa2\b\b.\t",
]
WORDS: Final = [
    *(
        b"\x1b[",
        b"\x1b]",
        b"\x1bP",
        b"\x1b\\",
        b"\x1b",
        b"\x07",
        b"\r\n",
        b"\n",
        b"\r",
        b"\b",
        b"m",
        b"0m",
        b";8",
        b":",
        b"?",
    ),
    *(mark.encode() for mark in "\x9b\x9c\x9d\u202e\u2028\ufeff"),
    *(b"38;5;8", b"48:2::1:2:8", b"38;2;1;2;8", b"\xff", b"\xe2\x80", b"08"),
]

_COLOUR: Final = re.compile(r"\x1b\[([0-9;:]*)m")


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    cuts = Choices(choices.take(1 + 2 * choices.number(4)))
    data = choices.rest()
    given = _given([data])
    shown = _ended(given)
    assert _ended(_given(cuts.pieces(data))) == shown, "it matters how the bytes were cut"
    colours = [colour[1] for colour in _COLOUR.finditer(given)]
    assert not colours or not colours[-1].strip("0"), f"a colour goes on after its log: {shown!r}"
    for line in shown.split("\n"):
        assert not any(_conceals(colour[1]) for colour in _COLOUR.finditer(line)), f"concealed: {line!r}"
        plain = _COLOUR.sub("", line.removesuffix("\r")).replace("\t", "")
        assert not any(_acts(mark) for mark in plain), f"it acts on a terminal: {line!r}"


def _given(pieces: list[bytes]) -> str:
    text, shown = LogText(), b""
    for piece in pieces:
        shown += text.take(piece)
        assert len(text._rest) <= MOST, "too much is held"
    return (shown + text.end()).decode("utf-8")


def _ended(given: str) -> str:
    """The lines as they stand there in the end."""
    return "\n".join(line.rpartition(AGAIN)[2] for line in given.split("\n"))


def _conceals(numbers: str) -> bool:
    """Whether a terminal would hide the text: 8, where it is no part of a colour."""
    fields = iter(numbers.split(";"))
    for each in fields:
        if ":" not in each and each in ("38", "48", "58"):
            kind = next(fields, "")
            for _ in range({"5": 1, "2": 3}.get(kind, 0)):
                next(fields, "")
        elif (each.split(":")[0].lstrip("0") or "0") == "8":
            return True
    return False


def _acts(mark: str) -> bool:
    """Whether a mark is a control, or turns the order of letters."""
    return ord(mark) < 0x20 or 0x7F <= ord(mark) < 0xA0 or "\u2028" <= mark <= "\u202e" or "\u2066" <= mark <= "\u2069"
