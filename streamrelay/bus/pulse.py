"""A server of NATS that hangs, or whose network has gone without a word: who waits for an answer finds it out soon, and
who waits for nothing, as an agent at rest does, by a ping from time to time.

Without the first, a request that the bus never delivered looks like a host that is slow; without the second, an agent
hears no summons for a minute, though another server of its cluster would bring them.
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
REST: Final = 20.0
"""Seconds between two pings where nobody waits for anything."""
LONG_SILENCE: Final = 10.0
"""The same as `SILENCE` for those: nobody is kept waiting, and a host's uplink may be full of what its streams send."""


@define(eq=False)
class Pulse:
    """Signs of life of the server that a client is connected to."""

    ping: Callable[[], Coroutine[Any, Any, None]]
    """Sends the server what it answers."""
    lost: Callable[[], Coroutine[Any, Any, None]]
    """Called when it doesn't."""
    _heard: asyncio.Event = field(factory=asyncio.Event)
    _asking: "asyncio.Task[None] | None" = None
    _end: float = 0.0  # by the loop's time, of the silence that is allowed to who is being asked
    _allowed: asyncio.Timeout | None = None

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

    async def beat(self, connected: Callable[[], bool]) -> None:
        """Ask the server from time to time, while there is a connection; until this is cancelled."""
        while True:
            await asyncio.sleep(REST)
            if connected():
                self.doubt(LONG_SILENCE)

    def doubt(self, silence: float = SILENCE) -> None:
        """Ask the server whether it is there; one that is being asked has no longer than this to answer, either."""
        loop = asyncio.get_running_loop()
        end = loop.time() + silence
        if self._asking is None or self._asking.done():
            self._end = end
            self._asking = loop.create_task(self._ask())
        elif end < self._end:
            self._end = end
            if self._allowed is not None:
                self._allowed.reschedule(end)

    async def _ask(self) -> None:
        self._heard.clear()
        await self.ping()
        try:
            async with asyncio.timeout_at(self._end) as self._allowed:
                await self._heard.wait()
        except TimeoutError:
            await self.lost()
        finally:
            self._allowed = None
