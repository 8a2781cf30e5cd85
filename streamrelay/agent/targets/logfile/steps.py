"""Work that is done by steps, with a rest between two of them, in which others get on."""

from collections.abc import Generator
from typing import Any, Final, TypeVar

from twisted.internet.task import deferLater

REST: Final = 0.002
"""Seconds between two steps, so that work of a quarter of a millisecond each leaves others most of the time."""

T = TypeVar("T")

Steps = Generator[None, None, T]
"""Work that yields between its steps, and returns a result."""


async def in_turns(reactor: Any, steps: Steps[T]) -> T:
    """Do one step after the other; whatever the work holds is given back if it is cancelled."""
    try:
        while True:
            try:
                next(steps)
            except StopIteration as done:
                result: T = done.value
                return result
            await deferLater(reactor, REST)
    finally:
        steps.close()
