"""A server of NATS that hangs, or whose network has gone without a word: who waits for an answer finds it out.

Without that, a request that the bus never delivered looks like a host that is slow, for as long as it takes until the
bus's own pings go unanswered.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final

from attrs import define, field

DOUBT: Final = 0.5
"""Seconds without an answer after which the server is asked whether it is there."""
SILENCE: Final = 3.0
"""Seconds without one byte of a server that was asked, after which its connection counts for lost."""


@define(eq=False)
class Pulse:
    """Signs of life of the server that a client is connected to."""

    ping: Callable[[], Coroutine[Any, Any, None]]
    """Sends the server what it answers."""
    lost: Callable[[], Coroutine[Any, Any, None]]
    """Called when it doesn't."""
    _heard: asyncio.Event = field(factory=asyncio.Event)
    _asking: "asyncio.Task[None] | None" = None

    def hear(self) -> None:
        """Take note that something has come, whatever it is: a server that has much to say answers late."""
        self._heard.set()

    @contextmanager
    def felt(self) -> Iterator[None]:
        """While something is waited for, doubt once it takes long."""
        timer = asyncio.get_running_loop().call_later(DOUBT, self.doubt)
        try:
            yield
        finally:
            timer.cancel()

    def doubt(self) -> None:
        """Ask the server whether it is there, unless it is being asked."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask())

    async def _ask(self) -> None:
        self._heard.clear()
        await self.ping()
        try:
            async with asyncio.timeout(SILENCE):
                await self._heard.wait()
        except TimeoutError:
            await self.lost()
