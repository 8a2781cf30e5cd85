"""Summonses and other requests of the platform: read, verified, and remembered, so that no copy is followed."""

import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from attrs import define, field

from streamrelay.protocol import codec
from streamrelay.protocol.limits import CLOCK_SKEW, SUMMONS_LIFE
from streamrelay.protocol.summons import Agents, Answer, End, Resume, Summons
from streamrelay.protocol.tokens import MistimedError, TokenError, Verifier, WrongRole

MEMORY: Final = 2 * (SUMMONS_LIFE + CLOCK_SKEW)
"""Seconds that a summons must be remembered: twice as long as it can be valid."""
LONGEST: Final = 16384
"""Bytes of a summons at most."""

Request = TypeVar("Request", Summons, Resume, End, Agents)
Asker = TypeVar("Asker")


class AnotherRole(ValueError):
    """Refusal of a request that is of another kind."""


class ClocksDiffer(ValueError):
    """Refusal of a request for its times alone; the text is for the platform, too."""

    def __init__(self, seconds: float, is_ahead: bool, more: str = "") -> None:
        apart = f"this host's clock and the platform's differ by {seconds:.0f} s{more}"
        super().__init__(f"{apart}: this host's is {'ahead' if is_ahead else 'behind'}")


@define(eq=False)
class Pending(Generic[Asker]):
    """A summons that was heard, with its answer, or those who wait for one."""

    answer: Answer | None = None
    waiting: list[Asker] = field(factory=list)


@define(eq=False)
class Summonses(Generic[Asker]):
    """Requests to one host; without a verifier they are plain JSON (protocol.rst, "Summons").

    `now` is wall-clock time, for expiries.
    """

    verifier: Verifier | None
    now: Callable[[], float] = time.time
    heard: dict[str, Pending[Asker]] = field(factory=dict)

    def read(self, data: bytes, role: str, kind: type[Request]) -> Request:
        """Read a request that is meant for this host, now, by its platform; or raise `ValueError`."""
        if len(data) > LONGEST:
            raise ValueError("too long")
        if self.verifier is not None:
            return self._signed(self.verifier, data, role, kind)
        request = codec.decode(data, kind)
        left = request.exp - self.now()
        if left < -CLOCK_SKEW:
            raise ClocksDiffer(-left, True, " or more (or it came late)")
        if left > SUMMONS_LIFE + CLOCK_SKEW:
            raise ClocksDiffer(left - SUMMONS_LIFE, False, " or more (or its lifetime is too long)")
        return request

    def _signed(self, verifier: Verifier, data: bytes, role: str, kind: type[Request]) -> Request:
        try:
            claims = verifier.claims(data.decode("ascii", "replace"), role)
        except MistimedError as error:
            late = " (or it came late)" if error.ahead < 0 else ""
            raise ClocksDiffer(abs(error.ahead), error.ahead < 0, late) from None
        except WrongRole as error:
            raise AnotherRole(str(error)) from None
        except TokenError as error:
            raise ValueError(str(error)) from None
        if claims["exp"] > claims["iat"] + SUMMONS_LIFE:
            raise ValueError("its lifetime is too long")
        return codec.convert(claims, kind)

    def hear(self, jti: str, asker: Asker) -> tuple[Pending[Asker], bool]:
        """Return the record of a summons, with one who asks added while it has no answer; and True if it is new."""
        pending = self.heard.get(jti)
        new = pending is None
        if pending is None:
            pending = self.heard[jti] = Pending()
        if pending.answer is None:
            pending.waiting.append(asker)
        return pending, new

    def forget(self, jti: str) -> None:
        """Forget a summons; to be called `MEMORY` seconds after it was heard, when no copy can be valid any more."""
        del self.heard[jti]
