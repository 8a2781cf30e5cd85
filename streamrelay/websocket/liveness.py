"""Liveness of a websocket's peer, in beats: when to ping it, and when it is dead (protocol.rst, "Liveness").

Sans-IO: `Liveness` is told what happened, and says at each beat what to do. The first row that fits counts:

======================================  ==============================================================================
the peer                                at a beat
======================================  ==============================================================================
waits, nobody has joined it             DEAD if it was reset, which isn't read; PING each 4th: it wants to know that
                                        we live
was heard since the last beat           the count of quiet beats begins anew
isn't read (paused), or doesn't read    the count stands still, as no answer can be expected; TCP's own silence tells a
(something is unsent)                   dead peer from a slow one, if something is in flight: DEAD if its kernel has
                                        answered nothing for 45 s, else PING_UNREAD, so that something is in flight
is quiet                                the count grows: PING at each 4th, DEAD at the 9th; with much sent to it since,
                                        only once it has had time to read that, or its kernel is silent, too
======================================  ==============================================================================

A side that dialled also pings at each 4th beat a peer that is heard, or quiet for less. Nothing is pinged behind unsent
bytes. Of a leg that its stream outlives it is 2nd in place of 4th and 3rd in place of 9th, and 15 s: to give it up
costs a resumption, to wait for it costs the user.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final

from attrs import define

from streamrelay.datapath.heartbeat import BEAT, DEAD_BEATS, PING_BEATS, SLOWEST, SOON_DEAD_BEATS, SOON_PING_BEATS

UNREAD: Final = 8 * 1024 * 1024
"""Bytes that were sent and that a peer may not have read: kernels between us hold no more."""


class Action(Enum):
    """One beat's advice."""

    NOTHING = "nothing"
    PING = "ping"
    PING_UNREAD = "ping unread"
    """Ping a peer whose pong will be read later, together with others of its kind."""
    DEAD = "dead"


@define(eq=False)
class Liveness:
    """One peer's signs of life. `heard`, `joined` and `paused` are set as it happens, without a call's cost."""

    dialled: bool
    """True if we dialled the peer: it may see nothing else of us, while we can't read, than pings."""
    heard: bool = True
    """True if anything came since the last beat; a new connection counts as heard."""
    joined: bool = False
    """True once the peer is read, but for pauses."""
    paused: bool = False
    """True while the peer isn't read, though it was joined."""
    outlived: bool = False
    """True if the stream outlives this leg."""
    sent: int = 0
    """Bytes sent to the peer since the last beat at which it had been heard; its owner adds them."""
    _before: int = 0  # and from the beat before that one on
    _age: int = 0  # beats in all
    _quiet: int = 0  # beats without a sign
    _stuck: int = 0  # beats in which the peer took nothing of what is unsent
    _unsent: int = 0  # at the last beat

    @property
    def patience(self) -> float:
        """Seconds of silence that make a peer dead, if it can be expected to answer."""
        return BEAT * self._dead_beats

    @property
    def _dead_beats(self) -> int:
        return SOON_DEAD_BEATS if self.outlived else DEAD_BEATS

    @property
    def stuck(self) -> bool:
        """True if the peer has taken nothing of what is unsent for as long as makes a quiet one dead."""
        return self._stuck >= DEAD_BEATS - 1

    def slack(self) -> float:
        """Return the seconds that the peer may need to read what it was sent, before it can answer anything."""
        return min(self._before + self.sent, UNREAD) / SLOWEST

    def beat(
        self, unsent: int, kernel_is_silent: Callable[[float], bool], is_gone: Callable[[], bool] = lambda: False
    ) -> Action:
        """Count a beat and say what to do; `kernel_is_silent` tells of so many seconds, `is_gone` of a reset, if need
        be."""
        self._age += 1
        self._stuck = self._stuck + 1 if unsent and unsent == self._unsent else 0
        self._unsent = unsent
        if self.joined:
            if self.heard:
                self.heard, self._quiet = False, 0
                self._before, self.sent = self.sent, 0
            elif self.paused or unsent:
                return self._unread(kernel_is_silent)
            else:
                self._quiet += 1
        elif is_gone():
            return Action.DEAD
        if self._quiet >= self._dead_beats:
            has_had_time = self._quiet >= self._dead_beats + self.slack() // BEAT
            return Action.DEAD if has_had_time else self._unread(kernel_is_silent)
        return Action.PING if self._ping_is_due() and not unsent else Action.NOTHING

    def _unread(self, kernel_is_silent: Callable[[float], bool]) -> Action:
        """What is unsent is in flight, or else a ping is: its kernel must answer either, or has reset the leg."""
        if kernel_is_silent(self.patience):
            return Action.DEAD
        return Action.NOTHING if self._unsent else Action.PING_UNREAD

    def _ping_is_due(self) -> bool:
        by_age = self.dialled or not self.joined
        every = SOON_PING_BEATS if self.outlived else PING_BEATS
        return bool(self._quiet and self._quiet % every == 0) or (by_age and self._age % PING_BEATS == 0)
