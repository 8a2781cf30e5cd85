"""View only: a target that is looked at, while nothing that its client sends has an effect."""

from collections.abc import Sequence
from typing import Final

from attrs import define

from streamrelay import wire
from streamrelay.errors import PeerError, TargetError
from streamrelay.splice import Connection, Drain, Feed
from streamrelay.wire import Ending, Refusal, Viewer

HARMLESS: Final = ("terminal", "log")
"""Viewers of what can be looked at."""


def check_view(viewer: Viewer) -> None:
    """Raise `TargetError` where a client can't be kept from acting; before anything is connected."""
    if viewer not in HARMLESS:
        raise TargetError(Refusal.NOT_ALLOWED, "this target can't be opened for looking only")


def view_only(connection: Connection, viewer: Viewer) -> Connection:
    """A connection that takes nothing of its client but the size of its window."""
    check_view(viewer)
    return Onlooker(connection)


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
        """Dropped."""

    def send_control(self, message: bytes) -> None:
        """A window's size acts on nothing but what is shown."""
        try:
            resize = wire.decode_control(message).resize
        except PeerError:
            return
        if resize is not None:
            self.target.send_control(wire.encode(wire.Control(resize=resize)))

    def send_eof(self) -> None:
        """Dropped: to a terminal it would be a key."""

    def pause(self) -> None:
        self.target.pause()

    def resume(self) -> None:
        self.target.resume()

    def close(self, ending: Ending) -> None:
        self.target.close(ending)

    def abort(self) -> None:
        self.target.abort()


_check: type[Connection] = Onlooker
