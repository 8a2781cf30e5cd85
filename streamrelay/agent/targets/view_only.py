"""View only: a target that is looked at, while nothing that its client sends has an effect."""

from collections.abc import Sequence
from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.agent.targets.terminal.keys import told_size
from streamrelay.agent.targets.vnc_filter import Spectator
from streamrelay.datapath.connection import Connection, Drain, Feed
from streamrelay.errors import PeerError, TargetError
from streamrelay.protocol import codec
from streamrelay.protocol.close import CloseCode, Outcome, outcome
from streamrelay.protocol.control import Control
from streamrelay.protocol.summons import LOOKED_AT, Refusal, Viewer

PIECE: Final = 8192
"""Bytes of a VNC client that are read in one turn of the reactor: some milliseconds of the smallest messages, so that
a client that floods with them doesn't hold up others."""


def check_view(viewer: Viewer) -> None:
    """Raise `TargetError` where a client can't be kept from acting; before anything is connected."""
    if viewer not in LOOKED_AT:
        raise TargetError(Refusal.NOT_ALLOWED, "this target can't be opened for looking only")


def view_only(connection: Connection, viewer: Viewer, clock: IReactorTime) -> Connection:
    """Wrap a connection so that its client can do nothing but look, or raise `TargetError` as `check_view` does."""
    check_view(viewer)
    return Screen(connection, clock) if viewer == "vnc" else Onlooker(connection)


@define(eq=False)
class Onlooker:
    """A terminal or a log without its input."""

    target: Connection

    @property
    def unsent(self) -> int:
        return self.target.unsent

    def join(self, feed: Feed, drain: Drain) -> None:
        self.target.join(feed, drain)

    def send(self, data: Sequence[memoryview], size: int) -> None:
        """Drop what the client types."""

    def send_control(self, message: bytes) -> None:
        """Pass on a window's size, which acts on nothing but what is shown, and drop anything else."""
        size = told_size(message)
        if size is not None:
            self.target.send_control(codec.encode(Control(resize=size)))

    def send_eof(self) -> None:
        """Drop the client's end of file: to a terminal it would be a key."""

    def pause(self) -> None:
        self.target.pause()

    def resume(self) -> None:
        self.target.resume()

    def close(self, outcome: Outcome) -> None:
        self.target.close(outcome)

    def abort(self) -> None:
        self.target.abort()


_check: type[Connection] = Onlooker


@define(eq=False)
class Screen(Onlooker, Feed, Drain):
    """A VNC screen whose client's messages pass through a `Spectator`."""

    clock: IReactorTime
    spectator: Spectator = field(factory=Spectator)
    _feed: Feed = field(init=False)
    _drain: Drain = field(init=False)
    _held: bytearray = field(factory=bytearray)
    """Bytes that the client has sent and that were not looked at yet."""
    _next: IDelayedCall | None = None
    _eof: bool = False
    _over: bool = False

    @property
    def unsent(self) -> int:
        return self.target.unsent + len(self._held)

    def join(self, feed: Feed, drain: Drain) -> None:
        self._feed, self._drain = feed, drain
        self.target.join(self, self)

    # -- from the client -------------------------------------------------------------------------------------

    def send(self, data: Sequence[memoryview], size: int) -> None:
        if self._over:
            return
        for piece in data:
            self._held += piece
        if self._next is None:
            self._look()

    def send_control(self, message: bytes) -> None:
        """Drop a control message: a screen has the size that it has."""

    def send_eof(self) -> None:
        self._eof = True
        if self._next is None:
            self.target.send_eof()

    def close(self, outcome: Outcome) -> None:
        """Close the target; what was not looked at yet has no effect that anybody would miss."""
        self._stop()
        self.target.close(outcome)

    def abort(self) -> None:
        self._stop()
        self.target.abort()

    def _look(self) -> None:
        """Pass on what may pass of the next piece, and come again if there are more."""
        self._next = None
        piece = bytes(self._held[:PIECE])
        del self._held[:PIECE]
        try:
            self._pass_on(self.spectator.from_client(piece))
        except PeerError as error:
            self._refuse(error)
            return
        if self._held:
            self._next = self.clock.callLater(0, self._look)
            return
        if self._eof:
            self.target.send_eof()
        self.drained()

    def _pass_on(self, data: bytes) -> None:
        if data:
            self.target.send([memoryview(data)], len(data))

    def _refuse(self, error: PeerError) -> None:
        self._stop()
        self.over(outcome(CloseCode(error.code), error.reason))
        self.target.abort()

    def _stop(self) -> None:
        self._held.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    # -- from the target -------------------------------------------------------------------------------------

    def received(self, data: Sequence[memoryview], size: int) -> None:
        if self._over:
            return
        if not self.spectator.following:
            self._feed.received(data, size)
            return
        try:
            shown, said = self.spectator.from_server(b"".join(data))
        except PeerError as error:
            self._refuse(error)
            return
        if shown:
            self._feed.received([memoryview(bytearray(shown))], len(shown))
        self._pass_on(said)

    def control(self, message: bytes) -> None:
        self._feed.control(message)

    def eof(self) -> None:
        self._feed.eof()

    def over(self, outcome: Outcome) -> None:
        if not self._over:
            self._over = True
            self._stop()
            self._feed.over(outcome)

    def gone(self) -> None:
        self._feed.gone()

    def drained(self) -> None:
        if not self.unsent:
            self._drain.drained()


_screen: type[Connection] = Screen
