"""Decisions out of a fuzzer's bytes."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Reads decisions off the front of some bytes; once those are used up, every decision is the first one."""

    def __init__(self, source: bytes) -> None:
        self._source = source
        self._at = 0

    def __bool__(self) -> bool:
        """Whether there is more."""
        return self._at < len(self._source)

    def take(self, size: int) -> bytes:
        """The next `size` bytes, or as many as there are."""
        piece = self._source[self._at : self._at + size]
        self._at += size
        return piece

    def rest(self) -> bytes:
        return self.take(len(self._source))

    def number(self, below: int) -> int:
        """0 to `below` - 1, of one byte if that is enough."""
        size = (max(below - 1, 1).bit_length() + 7) // 8
        return int.from_bytes(self.take(size), "big") % below

    def flag(self) -> bool:
        return bool(self.number(2))

    def pick(self, options: Sequence[T]) -> T:
        return options[self.number(len(options))]

    def block(self) -> bytes:
        """Up to 255 bytes, after a byte that says how many."""
        return self.take(self.number(256))

    def text(self) -> str:
        return self.block().decode("utf-8", "replace")

    def change(self, good: Sequence[bytes], draw: Callable[["Choices"], bytes], most: int = 4) -> list[bytes]:
        """Something good in pieces, of which fewer than `most` were replaced, left out or put in.

        What nearly is as it should be gets further than what is only bytes.
        """
        pieces = list(good)
        for _ in range(self.number(most)):
            place, how = self.number(len(pieces) + 1), self.number(8)
            piece = self.block() if how == 7 else draw(self)
            pieces[place : place + (how & 1)] = [] if how == 5 else [piece]
        return pieces

    def phrase(self, words: Sequence[str], most: int = 5) -> str:
        """Some of these words, now and then any text."""
        count = self.number(16)
        if count == 15:
            return self.text()
        return "".join(self.pick(words) for _ in range(count % most))

    def pieces(self, source: bytes, most: int = 3) -> list[bytes]:
        """`source` cut at up to `most` places."""
        places = {self.number(65536) % (len(source) + 1) for _ in range(self.number(most + 1))}
        return [source[begin:end] for begin, end in pairwise(sorted(places | {0, len(source)}))]
