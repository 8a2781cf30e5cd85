"""Work that is done by steps, with a turn of the reactor between two of them, in which others get on."""

from collections.abc import Generator
from typing import Any, TypeVar

from twisted.internet.task import deferLater

T = TypeVar("T")

Steps = Generator[None, None, T]
"""Work that yields between its steps, and returns a result."""


async def in_turns(reactor: Any, steps: Steps[T]) -> T:
    """Do one step in each turn of the reactor; whatever the work holds is given back if it is cancelled."""
    try:
        while True:
            try:
                next(steps)
            except StopIteration as done:
                result: T = done.value
                return result
            await deferLater(reactor, 0)
    finally:
        steps.close()
