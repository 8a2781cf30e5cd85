"""Refusals in HTTP's terms: an agent's, and those of the platform itself."""

from typing import Any, Final

from msgspec import UNSET

from streamrelay.errors import Refused, printable
from streamrelay.protocol.summons import Answer, PastEnd, Refusal

AGAIN: Final = 2
"""Seconds after which it is worth asking again where a host or a relay takes no more streams now."""

STATUS: Final = {
    Refusal.NO_SUCH_TARGET: 404,
    Refusal.TARGET_REFUSED: 502,
    Refusal.TARGET_UNREACHABLE: 504,
    Refusal.DIAL_FAILED: 502,
    Refusal.NOT_ALLOWED: 403,
    Refusal.BAD_SUMMONS: 502,
    Refusal.BUSY: 503,
    Refusal.RELAY_BUSY: 503,
    Refusal.NO_SUCH_STREAM: 404,
    Refusal.STREAM_OVER: 410,
    Refusal.STALE: 409,
    Refusal.NO_SUCH_TERMINAL: 410,
}


class StreamOver(Refused):
    """Refusal of a stream that is to be resumed and can't be."""

    ended: PastEnd | None = None
    """End of the stream, if that is known."""

    def __init__(self, reason: str, ended: PastEnd | None = None, **more: Any) -> None:
        super().__init__(410, reason, code=Refusal.STREAM_OVER, **more)
        self.ended = ended


def no_bus() -> Refused:
    """Return what anybody is told who asks while there is no connection to the bus."""
    return Refused(503, "the platform has no connection to NATS", code="bus_down")


def refused(answer: Answer) -> Refused:
    """Return what the one who has asked for a stream is told of an agent's answer that isn't ready."""
    if answer.refused == Refusal.STREAM_OVER:
        return StreamOver(printable(answer.reason), None if answer.ended is UNSET else answer.ended)
    status = STATUS.get(answer.refused, 502)
    again = AGAIN if status == 503 else 0
    return Refused(status, printable(answer.reason), code=answer.refused, retry_after=again)
