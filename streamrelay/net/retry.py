"""Retries of our own dials: a guard against strangers takes a burst of ours for theirs, and resets it.

So few are under way at once, and those that were dropped come once more, later and later.
"""

import errno
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

AT_ONCE: Final = 8
"""Attempts at one address that are under way at once; a relay lets 20 handshakes of one address be undone."""
FIRST_WAIT: Final = 0.1
"""Seconds after the first that was dropped, on average; each further wait is twice as long."""
LONGEST_WAIT: Final = 2.0

T = TypeVar("T")


@define(eq=False)
class Turns:
    """Turns of attempts: at most `AT_ONCE` at one address are under way; others wait, and come in their order."""

    _queues: dict[str, DeferredSemaphore] = field(factory=dict)

    def run(self, where: str, attempt: Callable[[], "Deferred[T]"]) -> "Deferred[T]":
        """Make the attempt once its turn has come, and return what it brings; who is cancelled before leaves the
        queue."""
        turns = self._queues.setdefault(where, DeferredSemaphore(AT_ONCE))

        def leave(result: Any) -> Any:
            # The last one out takes the queue along, unless another one stands there by now.
            if turns.tokens == turns.limit and self._queues.get(where) is turns:
                del self._queues[where]
            return result

        return turns.run(attempt).addBoth(leave)


async def persist(
    clock: IReactorTime,
    until: float,
    attempt: Callable[[], Awaitable[T]],
    dropped: type[Exception] | tuple[type[Exception], ...],
) -> T:
    """Return what an attempt brings. One that was `dropped` is followed by another, if that begins before `until`.

    `until` is in seconds of `clock`. The last attempt's exception is raised, and any other than `dropped` at once.
    """
    wait = FIRST_WAIT
    while True:
        try:
            return await attempt()
        except dropped as error:
            pause = wait * random.uniform(0.5, 1.5)
            if clock.seconds() + pause >= until:
                raise
            last = error
        try:
            await deferLater(clock, pause)
        except CancelledError:
            raise last from None
        wait = min(2 * wait, LONGEST_WAIT)


def was_dropped(reason: Failure) -> bool:
    """Tell whether the other end has closed or reset a connection, and nothing else is wrong with it."""
    error: Any = reason.value
    return isinstance(error, ConnectionClosed) or getattr(error, "osError", None) == errno.ECONNRESET
