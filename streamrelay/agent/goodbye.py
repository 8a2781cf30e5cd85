"""The stop of an agent's streams: none is let in any more, those that there are run on, then all are ended in order."""

from typing import Any, Final

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from streamrelay.agent.summoned_stream import SummonedStream
from streamrelay.protocol.close import CloseCode, outcome

GOODBYE: Final = 2.0
"""Seconds that streams get at a stop to end in order."""
ANSWERED: Final = 0.5
"""Seconds that they get where all is to end now."""
SHUTTING_DOWN: Final = "the agent is shutting down"
WITH_TERMINAL: Final = f"{SHUTTING_DOWN}, and the terminal ends with it"


@define(eq=False)
class Goodbye:
    """The end of a set of streams, which says nothing before its `begin`."""

    reactor: Any
    streams: set[SummonedStream]
    begun: bool = False
    """True once no stream is let in any more, while others may still run."""
    _drained: "Deferred[None] | None" = None  # no stream is left

    def begin(self) -> "Deferred[None]":
        """Let no stream in, and none open channels, any more; the answer comes once nothing is left of all."""
        self.begun, self._drained = True, Deferred()
        for summoned in tuple(self.streams):
            if summoned.carrying is not None:
                summoned.carrying.take_no_more()
        self.look()
        return self._drained

    def look(self) -> None:
        """Take note that a stream may have been the last one."""
        if self._drained is not None and not self._drained.called and not self.streams:
            self._drained.callback(None)

    def cut(self) -> "Deferred[None]":
        """End all streams, and cut those that take longer than `ANSWERED`; the answer comes once nothing is left."""
        self._end_all()
        cut = self.reactor.callLater(ANSWERED, self._abort_all)
        return self.begin().addCallback(lambda _: cut.cancel() if cut.active() else None)

    async def end(self) -> None:
        """End all streams, in order if they take no longer than `GOODBYE`."""
        self.begun = True  # first, so that no stream begins which nobody would end
        self._end_all()
        end = self.reactor.seconds() + GOODBYE
        while self.streams and self.reactor.seconds() < end:
            await deferLater(self.reactor, 0.05)
        self._abort_all()

    def _end_all(self) -> None:
        for summoned in tuple(self.streams):
            why = WITH_TERMINAL if summoned.terminal else SHUTTING_DOWN
            summoned.end(outcome(CloseCode.LEG_LOST, why))

    def _abort_all(self) -> None:
        for summoned in tuple(self.streams):
            summoned.abort()
