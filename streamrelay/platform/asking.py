"""A request to one host, which isn't given up because a server of NATS has ended.

Agent and platform are each at a server of their own. When one ends, those who were there are at another in a moment;
until then nobody listens for that host, or the platform itself can say nothing.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from streamrelay.bus.connection import Bus
from streamrelay.bus.message import Down, Nobody

AWAY: Final = 2.0
"""Seconds for which an agent that was there is waited for, where it may be on the way to another server."""
LOOK: Final = 0.05
"""Seconds between two tries whether it is there."""


async def ask(bus: Bus, subject: str, data: bytes, timeout: float, copies: bool, is_up: Callable[[], bool]) -> bytes:
    """Return the host's answer, or raise `Nobody`, `Down`, or after `timeout` seconds `TooSlow`.

    `copies`: whether the host follows no copy of a request. `is_up` tells whether it was there, as far as is known.
    """
    now = asyncio.get_running_loop().time
    end = now() + timeout
    away = end  # until when an agent that isn't there is waited for; it is at first
    while True:
        try:
            return await bus.request(subject, data, end - now(), copies)
        except Nobody:
            away = min(away, now() + AWAY)
            if now() + LOOK > away or not bus.has_others or not is_up():
                raise
        except Down:
            if not copies or now() + LOOK > end or not await bus.is_back():
                raise
        await asyncio.sleep(LOOK)
