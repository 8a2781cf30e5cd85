"""A stream of the native client that outlives its legs: when one is lost the platform is asked for another one."""

import random
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field
from msgspec import UNSET
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from streamrelay.client.early_leg import EarlyLeg
from streamrelay.client.known_relay import relay_of
from streamrelay.client.platform_api import OpenedStream, PlatformApi, PlatformError
from streamrelay.client.stream_request import ResumeRequest, StreamRequest
from streamrelay.protocol.close import CloseCode, Outcome, outcome
from streamrelay.resume.connection import ResumableConnection
from streamrelay.resume.outgoing import OutOfReach
from streamrelay.resume.presence import Presence
from streamrelay.websocket.dial_errors import DialError

if TYPE_CHECKING:  # as in stream.py
    from streamrelay.websocket.client import Dialler

FIRST_PAUSE: Final = 0.2
"""Seconds between the first two tries."""
LONGER: Final = 1.25
"""By how much each further pause is longer. It is a fourth of all before it, so an outage is outlasted by some third of
its own length; twice as long it would be by all of it (architecture.rst, "Resuming")."""
LONGEST_PAUSE: Final = 10.0
USELESS: Final = 1.6
"""By how much a pause is longer, beside that, behind a leg that was of no use."""
STEADY: Final = 5.0
"""Seconds that a leg must have lived so that the next one is asked for at once, if it has brought nothing."""
NEVER: Final = (400, 401, 403, 404, 405, 410)
"""Statuses after which it isn't worth asking again."""


def end_of(error: Exception) -> Outcome:
    """Return the outcome of a stream that never goes on; that of one which ended in order is another for who has missed
    its end."""
    ended = getattr(error, "ended", UNSET)
    if ended is UNSET or ended.code in (CloseCode.FINISHED, CloseCode.LEG_LOST):
        return outcome(CloseCode.LEG_LOST, str(error))
    return Outcome(ended.code, ended.reason)


@define(eq=False)
class ResumingStream:
    """One stream that is kept alive, from its first leg on. `say` is told when it is cut, and when it goes on."""

    api: PlatformApi
    dialler: "Dialler"
    request: StreamRequest
    opened: OpenedStream
    say: Callable[[str], None]
    jitter: Callable[[], float] = random.random
    connection: ResumableConnection = field(init=False)
    _attempt: int = 0
    _pause: float = 0
    _took: float = 0  # the last try, in vain: a platform with much to do is left as much time again
    _attached_at: float = 0
    _reached: int = 0  # when the last leg was attached
    _relay: str = ""  # of the last leg, if it may well be there
    _working: "Deferred[None] | None" = None

    def __attrs_post_init__(self) -> None:
        self.connection = ResumableConnection(self._clock, self._lost, presence=Presence(self._clock))

    @property
    def _clock(self) -> IReactorTime:
        clock: IReactorTime = self.api.reactor
        return clock

    @property
    def _progress(self) -> int:
        """What has come and what was confirmed of both directions: it grows while a leg is of use."""
        return self.connection.incoming.received + self.connection.outgoing.confirmed

    def begin(self, leg: Any) -> ResumableConnection:
        """Return the connection that stands for all legs, of which this is the first."""
        self._attached_at = self._clock.seconds()
        self._relay = relay_of(self.opened.url)
        self.connection.first = leg
        return self.connection

    def _lost(self, why: Outcome) -> None:
        now = self._clock.seconds()
        if now - self._attached_at >= STEADY or self._progress > self._reached:
            self._pause = self._took = 0
        else:
            self._pause *= USELESS
        if why.code == CloseCode.MOVED:
            self._relay = ""
        self.say(f"the stream is cut ({why}); going on is tried for {self.opened.resume:g} s")
        self._working = Deferred.fromCoroutine(self._go_on(now, str(why)))
        self._working.addErrback(self._failed)

    async def _go_on(self, lost_at: float, why: str) -> None:
        """Ask for a leg until there is one, or the hold has passed, or it is said that there will be none."""
        until = lost_at + self.opened.resume
        while not self.connection.is_over:
            if self._pause:
                pause = min(LONGEST_PAUSE, max(self._pause, self._took))
                await deferLater(self._clock, pause * (1 - self.jitter() / 2))
            self._pause = min(LONGEST_PAUSE, LONGER * self._pause or FIRST_PAUSE)
            if self.connection.is_over:
                return
            asked_at = self._clock.seconds()
            try:
                opened, leg = await self._try()
            except (PlatformError, DialError) as error:
                self._took = self._clock.seconds() - asked_at
                why = str(error)
                if getattr(error, "status", 0) in NEVER:
                    self.connection.give_up(end_of(error))
                    return
                if self._clock.seconds() >= until:
                    why = f"not resumed within {self.opened.resume:g} s: {why}"
                    break
                continue
            self._take(opened, leg, lost_at)
            return
        self.connection.give_up(outcome(CloseCode.LEG_LOST, why))

    async def _try(self) -> tuple[OpenedStream, Any]:
        self._attempt += 1
        wanted, opened = self.request, self.opened
        about = wanted.host, wanted.target, opened.view, wanted.zone
        early, relay, self._relay = EarlyLeg(self.dialler), self._relay, ""
        if relay:  # once for each leg, as many may be cut at once, and fail again and again
            early.begin(relay)
        request = ResumeRequest(opened.stream, *about, self.connection.incoming.received, self._attempt)
        try:
            again = await self.api.resume(request, early.told)
        except Exception:
            early.drop()
            raise
        return again, await early.leg(again)

    def _take(self, opened: OpenedStream, leg: Any, lost_at: float) -> None:
        now = self._clock.seconds()
        self._attached_at = now
        try:
            self.connection.attach(leg, opened.received)
        except OutOfReach as error:
            leg.abort()
            self.connection.give_up(outcome(CloseCode.LEG_LOST, str(error)))
            return
        self._reached, self._relay = self._progress, relay_of(opened.url)
        if not self.connection.is_over:
            self.say(f"the stream goes on after {now - lost_at:.1f} s")

    def _failed(self, failure: Any) -> None:
        failure.printTraceback(file=sys.stderr)  # ours, for whoever reports it
        self.connection.give_up(outcome(CloseCode.OUR_FAULT, f"a bug in streamrelay: {failure.value}"))
