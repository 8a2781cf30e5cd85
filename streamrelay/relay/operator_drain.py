"""The drain of a relay by an operator: no stream begins there until that is taken back, while those that live go on.

It is asked for by a platform, over the bus, in a request that the platform has signed for this relay (protocol.rst,
"Relays"). A restart ends it, as nothing is kept on disk.
"""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from streamrelay.errors import printable
from streamrelay.logs import Logger, Several
from streamrelay.program.readiness import Readiness
from streamrelay.protocol.relay_state import Drain
from streamrelay.protocol.requests import MEMORY, ClocksDiffer, Requests
from streamrelay.protocol.summons import Answer, Refusal
from streamrelay.protocol.tokens import Verifier

log = Logger()


@define(eq=False)
class OperatorDrain:
    """The drain of one relay, as platforms ask for it. `now` is wall-clock time, for what is signed, `clock`
    monotonic."""

    relay: str
    clock: IReactorTime
    now: Callable[[], float]
    verifier: Callable[[], Verifier | None]
    """Returns the verifier that counts now; without one nothing is followed."""
    readiness: Readiness
    running: Callable[[], int]
    """Returns the number of streams that live."""
    _followed: dict[str, Answer] = field(factory=dict)
    """Answers to what was asked lately, by its id: a copy changes nothing."""

    def ask(self, data: bytes) -> Answer:
        """Follow a request, and return what it is answered."""
        verifier = self.verifier()
        try:
            if verifier is None:
                raise ValueError("this relay knows no platform's key")
            asked = Requests(verifier, self.now, "relay").read(data, "drain", Drain)
        except ValueError as error:
            log.warn("refused a request to drain: {error}", error=error)
            shown = (
                error if isinstance(error, ClocksDiffer) else "the request is invalid here; the relay's log says why"
            )
            return Answer(refused=Refusal.BAD_SUMMONS, reason=f"relay {self.relay}: {shown}")
        if asked.jti not in self._followed:
            self._followed[asked.jti] = self._follow(asked)
            self.clock.callLater(MEMORY, self._followed.pop, asked.jti)
        return self._followed[asked.jti]

    def _follow(self, asked: Drain) -> Answer:
        if self.readiness.draining:
            return Answer(
                refused=Refusal.RELAY_BUSY, reason=f"relay {self.relay} stops; started again it takes streams"
            )
        who = printable(asked.user) or "somebody"
        if asked.drain and not self.readiness.held:
            left = Several(self.running(), "stream")
            log.info("drained, as {user} wants it: no stream begins here, {left} still running", user=who, left=left)
            self.readiness.hold(f"drained, as {who} wants it")
        elif not asked.drain and self.readiness.held:
            log.info("no longer drained, as {user} wants it: streams begin here again", user=who)
            self.readiness.release()
        return Answer(ready=True)
