"""The body of a container's log, as Docker's API sends it, and the places that are made of it.

However a body is split, it says the same; little of it is held; and whoever goes on at a place that was told while it
went by gets just what comes behind.
"""

from itertools import pairwise
from typing import Final

from fuzz.choices import Choices
from streamrelay.agent.targets.container.messages import HEADER, LONGEST_STAMP, FramedMessages, Messages, Piece
from streamrelay.agent.targets.container.places import Position, Track

_STAMP: Final = b"2026-11-25T03:12:02.364783938Z "


def _frame(text: bytes, stream: int = 1) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


SEEDS: Final = [
    bytes([framed, 0, 0, 0, 0, 0, 0, 0]) + body
    for framed in (0, 1)
    for body in (
        _frame(_STAMP + b"one\n") + _frame(_STAMP + b"two\n", 2) + _frame(b"2026-11-25T03:12:03+01:00 three\n"),
        _STAMP + b"one\n" + _STAMP + b"two\n2026-11-25T03:12:02Z three",
        _frame(b"") + _frame(b"\n") + _frame(_STAMP) + _frame(b"2026-99-99T99:99:99Z x") + b"\1\0\0",
        b"\1\0\0\0\xff\xff\xff\xff" + _STAMP + b"x" * 100,
        _STAMP + b"x" * 20000 + b"\n" + _STAMP + b"y" * 40000,
        b"\4\0\0\0\0\0\0\1x",
        b"0001-01-01T00:00:00+23:59 x\n9999-12-31T23:59:59-23:59 x\n",
    )
]
WORDS: Final = [
    _STAMP,
    b"\1\0\0\0",
    b"\2\0\0\0\0\0\0",
    b"\n",
    b"Z ",
    b"+01:00 ",
    b".1",
    b"2026-11-25T03:12:02",
    b"\xff",
]
LONGEST: Final = 65536
"""Bytes of an input: lines are cut at 16 KiB."""

Told = list[tuple[int, bytes]]


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    kind = choices.pick((Messages, FramedMessages))
    cuts, body = Choices(choices.take(7)), choices.rest()
    whole, split = _hear(kind(), [body]), _hear(kind(), cuts.pieces(body))
    assert whole[0] == split[0], "it matters how the bytes were split"
    if not split[1]:
        _go_on(split[0])


def _hear(messages: Messages, pieces: list[bytes]) -> tuple[Told, bool]:
    """All messages, each with its time, and whether the body was none at last."""
    told: Told = []
    text, within = b"", False
    said: list[Piece] = []
    fault = False
    try:
        for data in pieces:
            said += messages.feed(data)
            assert len(messages._held) < HEADER + LONGEST_STAMP, f"{len(messages._held)} bytes are held"
        said += messages.rest()
    except ValueError:
        fault = True
    for piece in said:
        assert piece.begins is not within, "a message begins within another one, or without a begin"
        text, within = text + piece.text, not piece.ends
        if piece.ends:
            told.append((piece.time, text))
            text = b""
    return told, fault


def _go_on(told: Told) -> None:
    """Where the times grow, as those of a log do, a place leads back to where it was told."""
    if any(earlier > later for (earlier, _), (later, _) in pairwise(told)):
        return
    track, positions = Track(), []
    for time, text in told:
        track.heard(Piece(time, text, True, True))
        positions.append(Position.read(str(track.position())))
    for count, position in enumerate(positions[:8], 1):
        again = Track()
        for at, (time, text) in enumerate(told, 1):
            again.heard(Piece(time, text, True, True))
            if again.reaches(position):
                assert at == count or not position.time, f"the place behind {count} messages is found behind {at}"
                break
        else:
            raise AssertionError("a place is not found again")
