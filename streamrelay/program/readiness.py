"""Readiness of a program: whether it takes on new work, and in words why it doesn't."""

from collections.abc import Callable
from typing import Final

from attrs import define, field

STARTING: Final = "starting"


@define(eq=False)
class Readiness:
    """One program's readiness, of which its ports, its health check and systemd tell.

    starting --ready--> ready <--ready, wait--> waiting; any --drain--> draining, which ends with the program.
    ready <--hold, release--> held, as an operator wants it.
    """

    reason: str = STARTING
    """Words why the program takes on nothing new; empty if it does."""
    draining: bool = False
    """True once the program has begun to stop; what runs goes on for a while."""
    held: bool = False
    """True while an operator wants nothing new to be taken on, though the program goes on."""
    watchers: list[Callable[[], None]] = field(factory=list)
    """Called after each change."""

    @property
    def is_ready(self) -> bool:
        """Tell whether the program takes on new work."""
        return not self.reason

    def ready(self) -> None:
        """Take on new work from now on, unless the program drains."""
        if not self.draining:
            self._become("")

    def wait(self, reason: str) -> None:
        """Take on nothing new until `ready`, for this reason, unless the program drains."""
        if not self.draining:
            self._become(reason)

    def hold(self, reason: str) -> None:
        """Take on nothing new until `release`, as an operator wants it."""
        self.held = True
        self.wait(reason)

    def release(self) -> None:
        """Take on new work again."""
        self.held = False
        self.ready()

    def drain(self, reason: str) -> None:
        """Take on nothing new any more; may be called again as the reason changes."""
        self.draining = True
        self._become(reason)

    def _become(self, reason: str) -> None:
        if reason == self.reason:
            return
        self.reason = reason
        for watcher in self.watchers:
            watcher()
