"""A container's runs: it may be made and not started yet, and what has ended may be started again."""

from collections.abc import Callable
from typing import Final

from attrs import define, field
from twisted.internet.task import deferLater

from streamrelay.agent.targets.container.api import ApiError, DockerApi, Found, State
from streamrelay.errors import printable

LOOK: Final = 0.25
"""Seconds until it is looked whether it runs, each time twice as many, up to `SELDOM`."""
SELDOM: Final = 2.0
"""Seconds between two looks at most."""
LINGER: Final = 10.0
"""Seconds in which one that has ended may be started again while its log is followed."""
SHOWN: Final = 64
"""Characters of its name that are shown at most."""


@define(eq=False)
class Runs:
    """The runs of the container that was found, one after the other."""

    api: DockerApi
    found: Found
    _linger: float = field(init=False)
    _pause: float = LOOK
    _told: str = ""

    def __attrs_post_init__(self) -> None:
        self._linger = 0.0 if self.found.state.has_ended else LINGER

    async def is_more(self, tell: Callable[[str], None]) -> bool:
        """Wait until there may be more in the log: return True if it runs, or did meanwhile; False if it is gone, or
        has ended and isn't started in time; `TargetError` if the API can't say. `tell` is told what is waited for."""
        end = self.api.reactor.seconds() + self._linger
        while self._linger:
            await deferLater(self.api.reactor, self._pause)
            self._pause = min(2 * self._pause, SELDOM)
            try:
                found = await self.api.inspect(self.found.id)
            except ApiError as error:
                if error.is_gone:
                    return False
                raise
            before, self.found = self.found.state, found
            state, again = found.state, found.state.started != before.started
            if again:
                self._pause = LOOK
            if again or state.is_running:
                if again or self._told:
                    self._tell(tell, "was started again" if before.has_run else "was started")
                self._linger, self._told = LINGER, ""
                return True
            if state.has_ended and self.api.reactor.seconds() >= end:
                return False
            self._tell(tell, waits_for(state))
        return False

    def _tell(self, tell: Callable[[str], None], words: str) -> None:
        if self._told != words:
            self._told = words
            tell(f"container {printable(self.found.name.removeprefix('/'), SHOWN)} {words}")


def waits_for(state: State) -> str:
    """Say of a container what is waited for."""
    if not state.has_run:
        return "is not started yet: waiting for it"
    if state.has_ended:
        return f"has ended: waiting up to {LINGER:g} s for it to be started again"
    return "has ended: waiting for it, as it is to be started again"
