"""The Protocols of a connection and of what hears of it."""

from collections.abc import Sequence
from typing import Final, Protocol

from streamrelay.protocol.close import Outcome

HIGH: Final = 65536
"""Unsent bytes in one direction above which its source is no longer read."""


class Feed(Protocol):
    """What a connection tells of the bytes that it receives."""

    def received(self, data: Sequence[memoryview], size: int) -> None:
        """Bytes of the stream, `size` in all. The views are good, and may be changed, during this call only."""

    def control(self, message: bytes) -> None:
        """A control message, in order with the bytes."""

    def eof(self) -> None:
        """No more bytes will come; the other direction goes on."""

    def over(self, outcome: Outcome) -> None:
        """Nothing more will come, and nothing more can be sent. Told once."""

    def gone(self) -> None:
        """The connection holds no resources any more. Told once, after `over`."""


class Drain(Protocol):
    """Whom a connection tells that it has room again."""

    def drained(self) -> None: ...


class Connection(Protocol):
    """One end of a splice: a websocket leg, a target, a local client. It isn't read until it is joined."""

    @property
    def unsent(self) -> int:
        """Bytes that were sent here and have not reached the kernel yet."""

    def join(self, feed: Feed, drain: Drain) -> None:
        """Start to read, and tell these two."""

    def send(self, data: Sequence[memoryview], size: int) -> None:
        """Send bytes of the stream, all of them, whatever `unsent` is."""

    def send_control(self, message: bytes) -> None:
        """Send a control message, or drop it where the other end takes none."""

    def send_eof(self) -> None:
        """No more bytes will be sent; the other direction goes on where it can."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def close(self, outcome: Outcome) -> None:
        """End once everything sent is out (an orderly ending), or at once where the rest is worth nothing."""

    def abort(self) -> None:
        """End now."""
