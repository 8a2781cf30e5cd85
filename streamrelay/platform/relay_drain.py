"""The drain of a relay of the bus: it is asked by a request that it can verify, and its own word says that it is so."""

from collections.abc import Callable
from typing import Any, Final, Protocol

from attrs import define

from streamrelay.bus.message import Down, Nobody, TooSlow
from streamrelay.errors import Refused
from streamrelay.logs import Logger
from streamrelay.platform.refusals import no_bus, refused
from streamrelay.platform.relays import HeardRelay, RelayChoice
from streamrelay.protocol import codec
from streamrelay.protocol.limits import CLOCK_SKEW
from streamrelay.protocol.subjects import drain_subject
from streamrelay.protocol.summons import Answer

log = Logger()

ANSWER_TIME: Final = 7.0
"""Seconds within which a relay must answer."""
TOLD_TIME: Final = 3.0
"""Seconds after its answer within which its state must come, which tells it every two."""

Envelope = Callable[[str, str, dict[str, Any], float], bytes]
"""Makes a request to a program: its name, the request's role, what it says, and the seconds that it lives."""


class Bus(Protocol):
    """The bus, as far as it is needed here."""

    async def request(self, subject: str, data: bytes, timeout: float) -> bytes: ...


@define(frozen=True)
class RelayDrain:
    """The requests of operators to the relays of one bus."""

    bus: Bus
    choice: RelayChoice
    envelope: Envelope

    async def ask(self, relay: str, drain: bool, user: str) -> HeardRelay:
        """Have a relay drained, or take streams again, and return it as it tells its state then; or raise `Refused`."""
        if self.choice.heard(relay) is None:
            raise Refused(404, "no such relay is heard on the bus", code="no_such_relay")
        answer = await self._request(relay, {"drain": drain, "user": user})
        if not answer.ready:
            raise refused(answer)
        told = await self.choice.told(relay, lambda state: state.drained == drain, TOLD_TIME)
        if told is None:
            raise Refused(504, f"relay {relay} has agreed, and doesn't say that it is so", code="relay_slow")
        what = "drained" if drain else "no longer drained"
        log.info("relay {relay} is {what}, as {user} wants it", relay=relay, what=what, user=user or "somebody")
        return told

    async def _request(self, relay: str, message: dict[str, Any]) -> Answer:
        life = ANSWER_TIME - CLOCK_SKEW  # it isn't followed any more once nobody waits
        try:
            data = self.envelope(relay, "drain", message, life)
            return codec.decode(await self.bus.request(drain_subject(relay), data, ANSWER_TIME), Answer)
        except Nobody:
            why = "it has gone, or can't be drained as its user of the bus, or its version, is of before that"
            raise Refused(503, f"relay {relay} doesn't listen: {why}", code="relay_offline") from None
        except Down:
            raise no_bus() from None
        except TooSlow:
            raise Refused(504, f"relay {relay} did not answer in time", code="relay_slow") from None
        except ValueError:
            raise Refused(502, f"relay {relay} gave an invalid answer", code="bad_answer") from None
