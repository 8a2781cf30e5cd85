"""A kept terminal as one connection, whatever streams it goes by: where one is lost for good, it is attached to anew.

What the host shows then is its screen as it is, so nothing of what came meanwhile is missing there. What is typed while
there is no stream is dropped: nobody sees what it would do.
"""

import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from streamrelay.client.platform_api import PlatformError
from streamrelay.client.resuming import FIRST_PAUSE, LONGEST_PAUSE, NEVER
from streamrelay.datapath.connection import Connection, Drain, Feed
from streamrelay.protocol.close import CloseCode, Outcome, outcome
from streamrelay.websocket.dial_errors import DialError

LOST: Final = (CloseCode.LEG_LOST, CloseCode.GOING_AWAY, CloseCode.MOVED)
"""Ends of a stream that say nothing of the terminal."""
PATIENCE: Final = 3600.0
"""Seconds for which it is tried while nobody says that there is no such terminal."""
OLD: Final = "too_old"


@define(eq=False)
class KeptTerminal:
    """One terminal. `attach` asks for a stream of it, and `again` is called once there is another one."""

    clock: IReactorTime
    leg: Connection
    attach: Callable[[], Coroutine[Any, Any, Connection]]
    say: Callable[[str], object]
    again: Callable[[], object] = lambda: None
    _feed: Feed | None = None
    _drain: Drain | None = None
    _stream: "_Stream | None" = None  # the stream of now
    _paused: bool = False
    _eof: bool = False
    _trying: "Deferred[None] | None" = field(default=None, init=False)

    @property
    def unsent(self) -> int:
        return self.leg.unsent if self._stream is not None else 0

    def join(self, feed: Feed, drain: Drain) -> None:
        self._feed, self._drain = feed, drain
        self._take(self.leg)

    def send(self, data: Sequence[memoryview], size: int) -> None:
        if self._stream is not None:
            self.leg.send(data, size)

    def send_control(self, message: bytes) -> None:
        if self._stream is not None:
            self.leg.send_control(message)

    def send_eof(self) -> None:
        self._eof = True
        if self._stream is not None:
            self.leg.send_eof()

    def pause(self) -> None:
        self._paused = True
        if self._stream is not None:
            self.leg.pause()

    def resume(self) -> None:
        self._paused = False
        if self._stream is not None:
            self.leg.resume()

    def close(self, outcome: Outcome) -> None:
        if self._stream is not None:
            self._stream.last = True
            self.leg.close(outcome)
        else:
            self._over(outcome)

    def abort(self) -> None:
        if self._stream is not None:
            self._stream.last = True
            self.leg.abort()
        else:
            self._over(outcome(CloseCode.LEG_LOST))

    def _take(self, leg: Connection) -> None:
        self.leg, self._stream = leg, _Stream(self)
        leg.join(self._stream, self._stream)
        if self._stream is None:  # it was lost before
            return
        if self._paused:
            leg.pause()
        if self._eof:
            leg.send_eof()

    def lost(self, stream: "_Stream", how: Outcome) -> None:
        """Take note that a stream is over: attach to the terminal anew, unless it has ended, too."""
        if stream is not self._stream:
            return
        self._stream = None
        if stream.last or how.code not in LOST:
            self._over(how)
            return
        if self._drain is not None:
            self._drain.drained()
        self.say(f"the stream is over ({how}); its terminal is attached to anew, what is typed until then is dropped")
        self._trying = Deferred.fromCoroutine(self._go_on(how))
        self._trying.addErrback(self._failed)

    async def _go_on(self, how: Outcome) -> None:
        until, pause = self.clock.seconds() + PATIENCE, 0.0
        while self._feed is not None:
            try:
                leg = await self.attach()
            except (PlatformError, DialError) as error:
                ends = getattr(error, "status", 0) in NEVER or getattr(error, "code", "") == OLD
                if ends or self.clock.seconds() >= until:
                    self._over(outcome(CloseCode.LEG_LOST, f"{how.reason}; {error}"))
                    return
                pause = min(LONGEST_PAUSE, 2 * pause or FIRST_PAUSE)
                await deferLater(self.clock, pause)
                continue
            if self._feed is None:
                leg.abort()
                return
            self._take(leg)
            self.again()
            return

    def _over(self, how: Outcome) -> None:
        feed, self._feed, self._drain = self._feed, None, None
        if feed is not None:
            feed.over(how)
            feed.gone()

    def _failed(self, failure: Any) -> None:
        failure.printTraceback(file=sys.stderr)  # ours, for whoever reports it
        self._over(outcome(CloseCode.OUR_FAULT, f"a bug in streamrelay: {failure.value}"))

    def feed_of(self, stream: "_Stream") -> Feed | None:
        """Return who hears what a stream brings; nobody if it isn't the one of now."""
        return self._feed if stream is self._stream else None

    def drained(self, stream: "_Stream") -> None:
        if stream is self._stream and self._drain is not None:
            self._drain.drained()


@define(eq=False)
class _Stream(Feed, Drain):
    """What one stream of a terminal tells, as long as it is the one of now."""

    terminal: KeptTerminal
    last: bool = False
    """True if none follows, as we have ended it."""

    def received(self, data: Sequence[memoryview], size: int) -> None:
        if (feed := self.terminal.feed_of(self)) is not None:
            feed.received(data, size)

    def control(self, message: bytes) -> None:
        if (feed := self.terminal.feed_of(self)) is not None:
            feed.control(message)

    def eof(self) -> None:
        if (feed := self.terminal.feed_of(self)) is not None:
            feed.eof()

    def drained(self) -> None:
        self.terminal.drained(self)

    def over(self, outcome: Outcome) -> None:
        self.terminal.lost(self, outcome)

    def gone(self) -> None:
        """Nothing is kept of it by then."""


_check: type[Connection] = KeptTerminal
