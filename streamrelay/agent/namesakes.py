"""Word of the platform that other agents answer as this host (protocol.rst, "Namesakes")."""

import os
from collections.abc import Callable
from socket import gethostname
from typing import Final

from attrs import define
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamrelay.logs import Logger
from streamrelay.protocol.limits import LOOK_EVERY, MOST_AGENTS
from streamrelay.protocol.summons import Agents

log = Logger()

SILENCE: Final = 3.5 * LOOK_EVERY
"""Seconds without such word after which there is no other agent."""


@define(eq=False)
class Namesakes:
    """Other agents of this host: said when the platform tells of the first, and when it does no longer."""

    clock: IReactorTime
    host: str
    since: str
    """Time at which this agent has started."""
    read: Callable[[bytes], Agents]
    """Reads and verifies the platform's word, or raises `ValueError` if it is none."""
    own: str = ""
    """Name of this agent among them, while it is none that stops: whoever starts in its place is none beside it."""
    _over: IDelayedCall | None = None

    def told(self, data: bytes) -> bool:
        """Take a message, if it is such word."""
        try:
            agents = self.read(data).agents
        except ValueError:
            return False
        others = [agent for agent in agents if agent != self.own]
        # A list without us is one of before our start, or full.
        if others and (len(others) < len(agents) or len(agents) == MOST_AGENTS):
            self._heard(others)
        return True

    def start(self) -> None:
        """Take a name; not before, as a daemon has another process then."""
        self.own = f"{gethostname()[:64]}, process {os.getpid()}, since {self.since}"

    def stop(self) -> None:
        self.own = ""
        if self._over is not None:
            self._over.cancel()
            self._over = None

    def _heard(self, others: list[str]) -> None:
        if self._over is not None:
            self._over.reset(SILENCE)
            return
        self._over = self.clock.callLater(SILENCE, self._ended)
        log.warn(
            "another agent answers as {host}, too: {others}; every summons goes to both: give each a name and a key of "
            "its own",
            host=self.host,
            others="; ".join(others),
        )

    def _ended(self) -> None:
        self._over = None
        log.info("no other agent answers as {host} any more", host=self.host)
