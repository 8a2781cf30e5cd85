"""Close codes of connections and streams, the words of each, and outcomes (protocol.rst, "Close codes")."""

from enum import IntEnum
from typing import Final, NamedTuple

from streamrelay.errors import printable


class CloseCode(IntEnum):
    """Close codes after 101; `EXPLAIN` says each in words."""

    FINISHED = 1000
    GOING_AWAY = 1001
    PROTOCOL = 1002
    BAD_UTF8 = 1007
    FLOODING = 1008
    TOO_BIG = 1009
    OUR_FAULT = 1011
    MOVED = 1012
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
    CloseCode.FINISHED: "finished; every byte was delivered",
    CloseCode.GOING_AWAY: "the relay is shutting down",
    CloseCode.PROTOCOL: "protocol error",
    CloseCode.BAD_UTF8: "text that is not UTF-8",
    CloseCode.FLOODING: "too many control messages",
    CloseCode.TOO_BIG: "a frame or control message that is too big",
    CloseCode.OUR_FAULT: "an error in the relay or the agent",
    CloseCode.MOVED: "the relay stops; the stream goes on elsewhere",
    CloseCode.OVERLOADED: "overloaded, try again",
    CloseCode.TARGET_REFUSED: "the target refused the connection",
    CloseCode.TARGET_UNREACHABLE: "the target can't be reached",
    CloseCode.TARGET_RESET: "the target reset the connection",
    CloseCode.NOBODY_CAME: "timed out waiting for the other side",
    CloseCode.LEG_LOST: "lost the connection to the other side",
    CloseCode.OPERATOR: "ended by an operator",
    CloseCode.IDLE: "idle too long",
    CloseCode.LIFETIME: "reached its maximum lifetime",
    CloseCode.QUOTA: "byte quota used up",
}


OUTCOMES: Final = (*(code.name.lower() for code in CloseCode), "other")
"""Words by which outcomes are counted."""


def outcome_word(code: int) -> str:
    """Return the word of a close code; a code of somebody's own is among the others."""
    return CloseCode(code).name.lower() if code in CloseCode._value2member_map_ else "other"


def may_be_sent(code: int) -> bool:
    """Tell whether a close frame may have this code (RFC 6455 §7.4)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


class Outcome(NamedTuple):
    """The end of a connection or a stream: a close code and one line that says why."""

    code: int
    reason: str = ""

    @property
    def clean(self) -> bool:
        return self.code == CloseCode.FINISHED

    @property
    def orderly(self) -> bool:
        """True if what came before is worth delivering: the stream finished, or reached one of its `Limits`."""
        return self.code in (CloseCode.FINISHED, CloseCode.IDLE, CloseCode.LIFETIME, CloseCode.QUOTA)

    def __str__(self) -> str:
        text = EXPLAIN.get(CloseCode(self.code), "") if self.code in CloseCode._value2member_map_ else ""
        reason = printable(self.reason) if self.reason != text else ""
        return f"{self.code} " + ": ".join(part for part in (text, reason) if part)


FINISHED: Final = Outcome(CloseCode.FINISHED)


def outcome(code: CloseCode, reason: str = "") -> Outcome:
    """Make an outcome in the code's own words, or in others that say more."""
    return Outcome(int(code), reason or EXPLAIN[code])
