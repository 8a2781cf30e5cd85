"""The legs of a stream of this host which outlives them, and the time in which its end must be confirmed."""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall

from streamrelay.datapath.heartbeat import SLOWEST
from streamrelay.protocol.close import Outcome
from streamrelay.protocol.control import Word
from streamrelay.resume.connection import ResumableConnection
from streamrelay.websocket.close_frame import CLOSE_TIME


@define(eq=False)
class HeldConnection(ResumableConnection):
    """One stream's legs. Once its end is said the stream has no target any more, nor limits; so it has a time, which no
    request for another leg makes longer. `too_late` is called when it is up."""

    too_late: Callable[[], None] = field(kw_only=True)
    hold: float = field(kw_only=True)
    """Seconds for which the stream is held without a leg, which its end may wait for, too."""
    has_confirmed: bool = False
    """True once the client has confirmed anything, before any end was said by it."""
    _last: IDelayedCall | None = None

    def leg_said(self, message: bytes, word: Word) -> None:
        ResumableConnection.leg_said(self, message, word)
        if self.outgoing.taken and not self.is_over:
            self.has_confirmed = True

    def close(self, outcome: Outcome) -> None:
        ResumableConnection.close(self, outcome)
        if self.outcome is not None and not self.is_over and self._last is None:
            seconds = max(self.hold, CLOSE_TIME) + self.outgoing.weight / SLOWEST
            self._last = self.clock.callLater(seconds, self._too_late)

    def stop(self) -> None:
        """Take note that nothing of the stream is left."""
        if self._last is not None:
            self._last.cancel()
            self._last = None

    def _too_late(self) -> None:
        self._last = None
        self.too_late()
        self.abort()
