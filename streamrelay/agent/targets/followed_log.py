"""A log as a connection: text and places, from a source that follows it. What a client sends is not taken."""

from collections.abc import Sequence
from typing import Final, Protocol

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.datapath.connection import Connection, Drain, Feed
from streamrelay.protocol import codec
from streamrelay.protocol.close import FINISHED, Outcome
from streamrelay.protocol.control import Control

PLACE_AFTER: Final = 0.25
"""Seconds after which text is followed by a place; a leg may send 16 control messages a second."""


class Source(Protocol):
    """A follower of a log, which tells a `Followed` of it."""

    def start(self, log: "Followed") -> None:
        """Begin to read. The first thing to tell is a place."""

    def place(self) -> str:
        """Return the place behind all that was told; empty where there is none, as within a line."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def stop(self) -> None:
        """Let go of everything; called once, perhaps without a start."""


class TakesNothing:
    """A log's connection towards its client, of whom nothing is taken."""

    __slots__ = ()

    def abort(self) -> None:
        raise NotImplementedError

    def close(self, outcome: Outcome) -> None:
        """End at once: there is nothing that was sent to wait for."""
        self.abort()

    def send(self, data: Sequence[memoryview], size: int) -> None:
        """Drop what the client sends: a log takes nothing."""

    def send_control(self, message: bytes) -> None:
        """Drop what the client says: a log takes nothing."""

    def send_eof(self) -> None:
        """Ignore the client's end of file: a log goes on when its reader has nothing to say."""


@define(eq=False)
class Followed(TakesNothing):
    """A log that a source tells, in order. The text of one turn of the reactor goes out as one, as sources read line
    by line."""

    clock: IReactorTime
    source: Source
    skip: int = 0
    """Bytes of the text to come that the client has already, and doesn't get."""
    unsent: int = 0
    _feed: Feed | None = None
    _stopped: bool = False
    _texts: list[bytes] = field(factory=list)
    _sending: IDelayedCall | None = None
    _placing: IDelayedCall | None = None

    # -- what the source tells -------------------------------------------------------------------------------

    def place(self, place: str, lost: bool = False) -> None:
        """Tell the client that what follows comes after this place; `lost`: lines may be missing before it."""
        self._send()
        if self._feed is not None:
            self._feed.control(codec.encode(Control(place=place, lost=lost)))

    def note(self, words: str) -> None:
        """Tell who reads the log something about it, as why nothing comes."""
        self._send()
        if self._feed is not None:
            self._feed.control(codec.encode(Control(note=words)))

    def text(self, text: bytes) -> None:
        if self.skip:
            passed = min(self.skip, len(text))
            self.skip -= passed
            text = text[passed:]
        if text:
            self._texts.append(text)
            if self._sending is None:
                self._sending = self.clock.callLater(0, self._send)
            if self._placing is None:
                self._placing = self.clock.callLater(PLACE_AFTER, self._place)

    def ended(self, outcome: Outcome = FINISHED) -> None:
        """End the connection with this outcome, as nothing more will come."""
        self._send()
        self._stop()
        feed, self._feed = self._feed, None
        if feed is not None:
            if outcome.clean:
                feed.eof()
            feed.over(outcome)
            feed.gone()

    def _send(self) -> None:
        if self._sending is not None and self._sending.active():
            self._sending.cancel()
        self._sending = None
        data = b"".join(self._texts)
        self._texts.clear()
        if data and self._feed is not None:
            self._feed.received([memoryview(data)], len(data))

    def _place(self) -> None:
        self._placing = None
        place = "" if self.skip else self.source.place()
        if place:
            self.place(place)
        else:
            self._placing = self.clock.callLater(PLACE_AFTER, self._place)

    def _stop(self) -> None:
        if self._placing is not None:
            self._placing.cancel()
            self._placing = None
        if not self._stopped:
            self._stopped = True
            self.source.stop()

    # -- as a connection -------------------------------------------------------------------------------------

    def join(self, feed: Feed, drain: Drain) -> None:
        self._feed = feed
        self.source.start(self)

    def pause(self) -> None:
        if not self._stopped:
            self.source.pause()

    def resume(self) -> None:
        if not self._stopped:
            self.source.resume()

    def abort(self) -> None:
        self._stop()
        self._texts.clear()
        self._send()
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.over(FINISHED)
            feed.gone()


_check: type[Connection] = Followed
