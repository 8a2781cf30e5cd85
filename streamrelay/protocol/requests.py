"""Requests of the platform on the bus, to an agent or to a relay: read, and verified (protocol.rst, "Summons")."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from attrs import define

from streamrelay.protocol import codec
from streamrelay.protocol.limits import CLOCK_SKEW, SUMMONS_LIFE
from streamrelay.protocol.relay_state import Drain
from streamrelay.protocol.summons import Agents, End, Resume, Summons
from streamrelay.protocol.terminals import EndTerminal, ListTerminals
from streamrelay.protocol.tokens import MistimedError, TokenError, Verifier, WrongRole

MEMORY: Final = 2 * (SUMMONS_LIFE + CLOCK_SKEW)
"""Seconds that a request must be remembered: twice as long as it can be valid."""
LONGEST: Final = 16384
"""Bytes of a request at most."""

Request = TypeVar("Request", Summons, Resume, End, Agents, Drain, ListTerminals, EndTerminal)


class AnotherRole(ValueError):
    """Refusal of a request that is of another kind."""


class ClocksDiffer(ValueError):
    """Refusal of a request for its times alone; the text is for the platform, too."""

    def __init__(self, what: str, seconds: float, is_ahead: bool, more: str = "") -> None:
        apart = f"this {what}'s clock and the platform's differ by {seconds:.0f} s{more}"
        super().__init__(f"{apart}: this {what}'s is {'ahead' if is_ahead else 'behind'}")


@define(eq=False)
class Requests:
    """Requests to one program; without a verifier they are plain JSON. `now` is wall-clock time, for expiries."""

    verifier: Verifier | None
    now: Callable[[], float] = time.time
    what: str = "host"
    """Word for the program in what is refused: host or relay."""

    def read(self, data: bytes, role: str, kind: type[Request]) -> Request:
        """Read a request that is meant for this program, now, by its platform; or raise `ValueError`."""
        if len(data) > LONGEST:
            raise ValueError("too long")
        if self.verifier is not None:
            return self._signed(self.verifier, data, role, kind)
        request = codec.decode(data, kind)
        left = request.exp - self.now()
        if left < -CLOCK_SKEW:
            raise ClocksDiffer(self.what, -left, True, " or more (or it came late)")
        if left > SUMMONS_LIFE + CLOCK_SKEW:
            raise ClocksDiffer(self.what, left - SUMMONS_LIFE, False, " or more (or its lifetime is too long)")
        return request

    def _signed(self, verifier: Verifier, data: bytes, role: str, kind: type[Request]) -> Request:
        try:
            claims = verifier.claims(data.decode("ascii", "replace"), role)
        except MistimedError as error:
            late = " (or it came late)" if error.ahead < 0 else ""
            raise ClocksDiffer(self.what, abs(error.ahead), error.ahead < 0, late) from None
        except WrongRole as error:
            raise AnotherRole(str(error)) from None
        except TokenError as error:
            raise ValueError(str(error)) from None
        if claims["exp"] > claims["iat"] + SUMMONS_LIFE:
            raise ValueError("its lifetime is too long")
        return codec.convert(claims, kind)
