"""TLS records of a stranger, counted by their headers as they come, and what they may cost.

However the bytes are cut, each record is counted once, when it ends; no turn opens more than it may, and each goes on.
What has content is never refused, and what has none is in the end.
"""

from collections.abc import Iterator
from typing import Final

from fuzz.choices import Choices
from streamrelay.protocol.tls_records import ALLOWANCE, COST, HEADER, RENEWAL, SHAKING, TURN, Records

LONGEST: Final = 400
"""Bytes of an input: as many as say something new in little time."""

_SIZES: Final = (0, 1, 17, 18, 22, 256, 4096, 16640)

SEEDS: Final = [
    b"\0\0\0\x17\x03\x03\x00\x12" + bytes(18) + b"\x17\x03\x03\x00\x00" * 9,
    b"\1\3\0\7\0\x50\0\xb0" + b"\3\x4f" * 9,
    b"\1\1\0\1" + b"\7\xff" * 9,
    b"\2\2\0\3\0\5" + b"\4\1" * 70,
    b"\0\0\0\x17\x03\x03\xff\xff" + bytes(300),
]
WORDS: Final = [b"\x17\x03\x03\x00\x00", b"\x17\x03\x03\x00\x16", b"\x17\x03\x03\xff\xff", b"\x16\x03\x01", b"\4\1"]


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    way = choices.number(6)
    shaken, all_have_content = bool(way & 1), way >= 4
    cuts = Choices(choices.take(1 + 2 * choices.number(4)))
    plan = choices.rest()
    sealed = plan if way in (0, 1) else b"".join(_records(Choices(plan)))
    records = Records()
    if shaken:
        records.shaken()
    ended = sizes = empty = opened = 0
    for piece in cuts.pieces(sealed):
        for count, whole in _turns(records, piece):
            ended, sizes = ended + count, sizes + whole
            content = count * COST if all_have_content else 0
            empty, opened = empty + (0 if all_have_content else count), opened + content
            fits = records.settle(content, count if all_have_content else 0)
            assert fits or empty, "a record with content was refused"
            if not fits:
                return
            most = (ALLOWANCE if shaken else SHAKING) + opened // RENEWAL
            assert COST * empty <= most, f"{empty} records without content were allowed"
    assert (ended, sizes) == _told(sealed), f"{ended} records of {sizes} bytes, not {_told(sealed)}"


def _records(choices: Choices) -> Iterator[bytes]:
    """Many of a few sizes."""
    left = 12_000
    while choices and left > 0:
        size = choices.pick(_SIZES)
        for _ in range(1 + choices.number(80)):
            left -= HEADER + size
            if left > 0:
                yield b"\x17\x03\x03" + size.to_bytes(2) + bytes(size)


def _turns(records: Records, piece: bytes) -> Iterator[tuple[int, int]]:
    """How many records end in each turn, and of how many bytes they are."""
    rest = memoryview(piece)
    while rest:
        size = records.turn(rest)
        assert 0 < size <= len(rest), "it stands still"
        assert records.count <= TURN, f"{records.count} records in one turn"
        assert size == len(rest) or records.count == TURN, "a turn ended early"
        assert len(records._head) < HEADER, "more than a header is held"
        rest = rest[size:]
        yield records.count, records._sealed


def _told(sealed: bytes) -> tuple[int, int]:
    """The records that end in these bytes, and their size, as one who has all of them counts."""
    count = at = 0
    while at + HEADER <= len(sealed):
        end = at + HEADER + int.from_bytes(sealed[at + 3 : at + HEADER])
        if end > len(sealed):
            break
        count, at = count + 1, end
    return count, at
