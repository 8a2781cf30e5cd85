"""Hosts that have answered once and don't any more, though they are still on the bus: lists lack them, and say so.

One that has left the bus is missed once, in the list where it was waited for. One that hangs would be told for gone as
well, if it weren't looked whether anybody listens at its subject.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

from attrs import define, field

from streamrelay.bus.message import BusError, Nobody

KNOCK: Final = 2.0
"""Seconds in which the bus says that nobody listens."""
LOOK_AGAIN: Final = 10.0
"""Seconds between two looks at hosts that are silent."""


@define(eq=False)
class SilentHosts:
    """Hosts that are silent; they are few, but if a site is cut off."""

    knock: Callable[[str, float], Coroutine[Any, Any, object]]
    """Sends a host what it needn't answer; raises `Nobody` if it is gone, another `BusError` after so many seconds."""
    clock: Callable[[], float]
    hosts: set[str] = field(factory=set)
    _looked: float = 0.0
    _looking: "set[asyncio.Task[None]]" = field(factory=set)

    def told(self, answered: Iterable[str], missing: Iterable[str]) -> bool:
        """Take note who has answered, and who is missing who did before; return True if no host is silent."""
        self.hosts.difference_update(answered)
        new = set(missing) - self.hosts
        self.hosts |= new
        if self.hosts and self.clock() - self._looked >= LOOK_AGAIN:
            self._looked, new = self.clock(), set(self.hosts)
        for host in sorted(new):
            task = asyncio.get_running_loop().create_task(self._look(host))
            self._looking.add(task)
            task.add_done_callback(self._looking.discard)
        return not self.hosts

    async def _look(self, host: str) -> None:
        try:
            await self.knock(host, KNOCK)
        except Nobody:
            self.hosts.discard(host)
        except BusError:
            pass
