"""How connections and streams end: close codes, what each says in words, and endings (protocol.rst, "Close codes")."""

from enum import IntEnum
from typing import Final

from msgspec import Struct

from streamrelay.errors import printable


class Close(IntEnum):
    """Close codes after 101; `EXPLAIN` says each in words."""

    FINISHED = 1000
    GOING_AWAY = 1001
    PROTOCOL = 1002
    BAD_UTF8 = 1007
    FLOODING = 1008
    TOO_BIG = 1009
    OUR_FAULT = 1011
    OVERLOADED = 1013
    TARGET_REFUSED = 4001
    TARGET_UNREACHABLE = 4002
    TARGET_RESET = 4003
    NOBODY_CAME = 4004
    LEG_LOST = 4005
    OPERATOR = 4006
    IDLE = 4008
    LIFETIME = 4009
    QUOTA = 4011


EXPLAIN: Final = {
    Close.FINISHED: "finished; every byte was delivered",
    Close.GOING_AWAY: "the relay is going away",
    Close.PROTOCOL: "protocol error",
    Close.BAD_UTF8: "text that is not UTF-8",
    Close.FLOODING: "too many control messages",
    Close.TOO_BIG: "a frame or control message that is too big",
    Close.OUR_FAULT: "an error in the relay or the agent",
    Close.OVERLOADED: "overloaded, try again",
    Close.TARGET_REFUSED: "the target refused the connection",
    Close.TARGET_UNREACHABLE: "the target can't be reached",
    Close.TARGET_RESET: "the target reset the connection",
    Close.NOBODY_CAME: "nobody came within the relay's patience",
    Close.LEG_LOST: "the other leg was lost",
    Close.OPERATOR: "ended by an operator",
    Close.IDLE: "idle too long",
    Close.LIFETIME: "lived too long",
    Close.QUOTA: "byte quota used up",
}


class Ending(Struct, frozen=True):
    """How a connection ended: a close code and one line that says why."""

    code: int
    reason: str = ""

    @property
    def clean(self) -> bool:
        return self.code == Close.FINISHED

    @property
    def orderly(self) -> bool:
        """Whether what came before is worth delivering: it finished, or reached one of its `Limits`."""
        return self.code in (Close.FINISHED, Close.IDLE, Close.LIFETIME, Close.QUOTA)

    def __str__(self) -> str:
        text = EXPLAIN.get(Close(self.code), "") if self.code in Close._value2member_map_ else ""
        reason = printable(self.reason) if self.reason != text else ""
        return f"{self.code} " + ": ".join(part for part in (text, reason) if part)


FINISHED: Final = Ending(Close.FINISHED)


def ending(code: Close, reason: str = "") -> Ending:
    """An ending in the code's own words, or in others that say more."""
    return Ending(int(code), reason or EXPLAIN[code])
