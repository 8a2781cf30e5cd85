"""A set in the order in which its members came, where Python's own goes by their addresses in memory."""

from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")


class OrderedSet(set[T]):
    """A set for programs whose order can be seen: who is pinged first, who is ended first."""

    def __init__(self) -> None:
        self._order: dict[T, None] = {}

    def __iter__(self) -> Iterator[T]:
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, member: object) -> bool:
        return member in self._order

    def add(self, member: T) -> None:
        self._order[member] = None

    def discard(self, member: object) -> None:
        self._order.pop(member, None)  # type: ignore[arg-type]
