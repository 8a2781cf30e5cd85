"""Protocols of a connection and of those that hear of it."""

from collections.abc import Sequence
from typing import Final, Protocol

from streamrelay.protocol.close import Outcome

HIGH: Final = 65536
"""Unsent bytes in one direction above which its source is no longer read."""


class Feed(Protocol):
    """A listener to the bytes that a connection receives."""

    def received(self, data: Sequence[memoryview], size: int) -> None:
        """Take bytes of the stream, `size` in all. The views are good, and may be changed, during this call only."""

    def control(self, message: bytes) -> None:
        """Take a control message, which comes in order with the bytes."""

    def eof(self) -> None:
        """Take note that no more bytes will come; the other direction goes on."""

    def over(self, outcome: Outcome) -> None:
        """Take note that nothing more will come, and nothing more can be sent. Called once."""

    def gone(self) -> None:
        """Take note that the connection holds no resources any more. Called once, after `over`."""


class Drain(Protocol):
    """A listener to a connection's news that it has room again."""

    def drained(self) -> None: ...


class Connection(Protocol):
    """One end of a splice: a websocket leg, a target, a local client. It isn't read until it is joined."""

    @property
    def unsent(self) -> int:
        """Bytes that were sent here and have not reached the kernel yet."""

    def join(self, feed: Feed, drain: Drain) -> None:
        """Start to read, and tell these two from now on."""

    def send(self, data: Sequence[memoryview], size: int) -> None:
        """Send bytes of the stream, all of them, whatever `unsent` is."""

    def send_control(self, message: bytes) -> None:
        """Send a control message, or drop it where the other end takes none."""

    def send_eof(self) -> None:
        """Send an end of file, after which no bytes are sent; the other direction goes on where it can."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def close(self, outcome: Outcome) -> None:
        """End once everything sent is out (an orderly ending), or at once where the rest is worth nothing."""

    def abort(self) -> None:
        """End now; what is unsent is lost."""
