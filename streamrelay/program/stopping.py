"""The stop of a program by signals: at the first it drains, at the second it cuts what runs.

running --signal--> draining --nothing runs, time is over, signal--> ending (the services stop) --signal--> ended

SIGTERM ends with status 0, as the program was told to. Twisted's own way would be to die by the signal.
"""

import signal
import time
from typing import Any, Final, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall

from streamrelay.logs import Logger, Several
from streamrelay.program.reactor import stop_reactor
from streamrelay.program.readiness import Readiness

log = Logger()

HEEDED: Final = (signal.SIGTERM, signal.SIGINT)
CUT_TIME: Final = 1.0
"""Seconds in which what is cut may come to its end, so that this is said of it."""


class Work(Protocol):
    """A program's work, as its stop sees it."""

    @property
    def kind(self) -> str:
        """Name in logs of what runs, in the singular."""

    @property
    def still_running(self) -> int:
        """Number of them."""

    def drain(self) -> "Deferred[None]":
        """Take on nothing new from now on; the answer comes once nothing runs any more."""

    def cut(self) -> "Deferred[None]":
        """Cut what runs, and say of each how it ended; the answer comes once nothing runs any more."""


@define(eq=False, repr=False)  # Python shows a signal's action whenever `getsignal` is asked, as in each fork
class Stopping:
    """One program's stop. `hurried` is called back when the services get no more time to stop in."""

    reactor: Any
    readiness: Readiness
    work: Work | None = None
    seconds: float = 0.0
    """Seconds for which work goes on; 0: it is ended at once."""
    hurried: "Deferred[None]" = field(factory=Deferred)
    _heard: int = 0  # signals
    _timer: IDelayedCall | None = None  # while it drains
    _ending: bool = False

    def install(self) -> None:
        """Heed signals from now on; again once the reactor runs, as it then installs its own."""
        for number in HEEDED:
            signal.signal(number, self._signalled)

    def _signalled(self, number: int, frame: object) -> None:
        self._heard += 1
        if self._heard > 1:  # the third one kills, whatever holds us up
            for heeded in HEEDED:
                signal.signal(heeded, signal.SIG_DFL)
        self.reactor.callFromThread(self.hear, number)

    def hear(self, number: int) -> None:
        """Take a signal's word: begin to drain, or end."""
        name = signal.Signals(number).name
        if not self.readiness.draining:
            if number == signal.SIGINT:  # the shell that has called is to see that its loop was interrupted, too
                self.reactor._exitSignal = number
            self._begin(name)
        else:
            self._hurry(name)

    @property
    def _left(self) -> str:
        return str(Several(self.work.still_running, self.work.kind)) if self.work is not None else "nothing"

    def _begin(self, name: str) -> None:
        drained = self.work.drain() if self.work is not None else None
        if drained is None or drained.called or not self.seconds:
            self.readiness.drain("stopping")
            log.info("{signal}: stopping now; {left} running", signal=name, left=self._left)
            self._end()
            return
        until = time.strftime("%H:%M:%S", time.gmtime(time.time() + self.seconds))
        self.readiness.drain(f"stopping: {self._left} still running, until {until} UTC")
        log.info(
            "{signal}: stopping; nothing new is taken on, {left} still running, until {until} UTC at most (drain = "
            "{seconds:g}); another signal ends them now",
            signal=name,
            left=self._left,
            until=until,
            seconds=self.seconds,
        )
        self._timer = self.reactor.callLater(self.seconds, self._time_over)
        drained.addCallback(lambda _: self._drained())

    def _drained(self) -> None:
        if not self._ending:
            log.info("stopping: nothing runs any more")
            self._end()

    def _time_over(self) -> None:
        log.info("stopping: the time to drain is over; it ends {left}", left=self._left)
        self._end()

    def _hurry(self, name: str) -> None:
        log.warn("{signal} again: ending now, with {left}", signal=name, left=self._left)
        self._end()
        cut = self.work.cut() if self.work is not None else succeed(None)
        cut.addTimeout(CUT_TIME, self.reactor, onTimeoutCancel=lambda value, _: None)
        cut.addCallback(lambda _: None if self.hurried.called else self.hurried.callback(None))

    def _end(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if not self._ending:
            self._ending = True
            stop_reactor(self.reactor)
