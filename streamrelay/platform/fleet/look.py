"""One look at all hosts: who has answered, and when no more answers come."""

import asyncio
from collections.abc import Callable
from typing import Final

from attrs import define, field

from streamrelay.protocol.limits import MOST_AGENTS

FIRST: Final = 1.0
"""Seconds in which the first answer must come."""
QUIET: Final = 0.1
"""Seconds without a further answer after which there are no more."""
STRANGE: Final = 0.5
"""Seconds without a further answer where nobody is known who could be missed, as after a start."""
FURTHER: Final = 3.0
"""Seconds for which further agents of the same hosts are waited for, where that is what we look for."""
LONGEST: Final = 30.0
"""Seconds after which a look is over, however busy we are."""


@define(eq=False)
class Look:
    """A question that was asked, and its answers."""

    now: Callable[[], float]
    whole: bool
    """True if all that hosts have was asked for, False if only who is there."""
    due: set[str]
    """Hosts that should answer."""
    spread: float
    """Seconds over which the answers come."""
    patience: float = FIRST
    """Seconds in which the hosts that are due must answer."""
    agents: dict[str, set[str]] = field(factory=dict)
    """Agents that have answered by the names of their hosts."""
    missing: set[str] = field(init=False)
    """Hosts that are due and haven't answered."""
    _given_up: bool = False
    _wakes: float = 0.0  # when it will look whether it is over
    _sooner: asyncio.Event = field(factory=asyncio.Event)
    _latest: float = field(init=False)
    _began: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._began = self._latest = self.now()
        self.missing = set(self.due)

    def heard(self, host: str, agent: str) -> None:
        """Take note that a host has answered, and which of its agents, if that says so."""
        self.missing.discard(host)
        self._latest = self.now()
        names = self.agents.setdefault(host, set())
        if agent and len(names) <= MOST_AGENTS:
            names.add(agent)
        if self._end() < self._wakes:
            self._sooner.set()

    def give_up(self) -> None:
        """Be over at once, as no answer can come any more."""
        self._given_up = True
        self._sooner.set()

    async def over(self) -> None:
        """Wait until no more answers come."""
        while not self._given_up and (left := self._end() - self.now()) > 0:
            if self.missing or not self.due:
                left = min(left, max(QUIET, left / 4))  # so that it is seen if we are busy, and what they say waits
            self._wakes = self.now() + left
            self._sooner.clear()
            await within(left, self._sooner)
            if self.now() > self._wakes + QUIET / 2:
                self._latest = self.now()  # we were busy; who knows what has come

    def _end(self) -> float:
        """Return when it is over, if nothing more comes."""
        asked = self._began + self.spread
        end = max(asked, self._latest + (QUIET if self.due else STRANGE))
        if not self.agents:
            end = max(end, asked + FIRST)
        if self.missing:
            end = max(end, asked + self.patience)
        if not self.whole:
            end = max(end, asked + FURTHER)
        return min(end, asked + LONGEST)


async def within(seconds: float, event: asyncio.Event) -> None:
    """Wait for an event, so long at most."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
