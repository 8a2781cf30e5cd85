"""Requests of the platform to one agent: signed, sent over the bus, and answered or refused in HTTP's terms.

None is given up because a server of NATS has ended. Agent and platform are each at a server of their own; when one
ends, those who were there are at another in a moment. Until then nobody listens for that host, or the platform itself
can say nothing.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeVar

from attrs import define

from streamrelay.bus.connection import Bus
from streamrelay.bus.message import Down, Nobody, TooSlow
from streamrelay.errors import Refused
from streamrelay.platform.fleet.inventory import Inventory
from streamrelay.platform.refusals import refused
from streamrelay.protocol import codec, tokens
from streamrelay.protocol.limits import CLOCK_SKEW, CONNECT_TIME, SUMMONS_LIFE
from streamrelay.protocol.subjects import end_subject
from streamrelay.protocol.summons import Answer
from streamrelay.protocol.tokens import Signer

T = TypeVar("T")

OPEN_TIME: Final = CONNECT_TIME + 0.5
"""Seconds within which an agent must answer a summons: the agent gives its target `CONNECT_TIME` of them."""
ASKED_LIFE: Final = OPEN_TIME - CLOCK_SKEW
"""Seconds that a request lives whose answer is waited for: an agent, which allows for its clock, refuses it once nobody
waits, so that what the client was told didn't open doesn't run all the same."""
AWAY: Final = 2.0
"""Seconds for which an agent that was there is waited for, where it may be on the way to another server."""
LOOK: Final = 0.05
"""Seconds between two tries whether it is there."""


@define(eq=False)
class Asking:
    """One platform's requests. `now` is wall-clock time. Without a signer they are plain JSON."""

    bus: Bus
    inventory: Inventory
    signer: Signer | None
    now: Callable[[], float]

    def envelope(self, host: str, role: str, message: dict[str, Any], life: float = SUMMONS_LIFE) -> bytes:
        """Return a message as an agent of this host takes it, for `life` seconds."""
        if self.signer is not None:
            return self.signer.mint(host, life, role=role, **message).encode()
        plain = {**message, "jti": tokens.new_id(), "exp": self.now() + life}
        return codec.encode(plain)

    def tell(self, host: str, role: str, message: dict[str, Any]) -> None:
        """Tell an agent what it needn't answer."""
        self.bus.publish(end_subject(host), self.envelope(host, role, message))

    async def ask(self, subject: str, host: str, role: str, message: dict[str, Any]) -> Answer:
        """Return an agent's answer that it is ready, or raise `Refused`."""
        answer = await self.answer(subject, host, role, message, Answer)
        if not answer.ready:
            raise refused(answer)
        return answer

    async def answer(self, subject: str, host: str, role: str, message: dict[str, Any], kind: type[T]) -> T:
        """Return an agent's answer, be it a refusal; or raise `Refused` where there is none."""
        try:
            request = self.envelope(host, role, message, ASKED_LIFE)
            # A plain summons has no time of signing, by which an agent that has started since would know it for a copy.
            copies = role in ("summons", "resume") and self.signer is not None
            reply = await ask(self.bus, subject, request, OPEN_TIME, copies, lambda: self.inventory.is_up(host))
            answer = codec.decode(reply, kind)
        except Nobody:
            self.inventory.lost(host)
            raise Refused(503, f"host {host} is offline", code="host_offline") from None
        except (Down, TooSlow) as error:
            if role in ("summons", "end"):
                # It may be followed yet, by a host whose clock is behind or whose target is slow: nobody would come.
                self.tell(host, "end", {"stream": message["stream"]})
            if isinstance(error, Down):
                words = "the platform has no connection to NATS, or lost it before the answer"
                raise Refused(503, words, code="bus_down") from None
            self.inventory.hangs(host)
            raise Refused(504, f"host {host} did not answer in time", code="host_slow") from None
        except ValueError:
            raise Refused(502, f"host {host} gave an invalid answer", code="bad_answer") from None
        self.inventory.here(host)
        return answer


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
