"""Summonses and other requests of the platform: read, verified, and remembered, so that no copy is followed."""

from typing import Generic, TypeVar

from attrs import define, field

from streamrelay.protocol.requests import Requests
from streamrelay.protocol.summons import Answer

Asker = TypeVar("Asker")


@define(eq=False)
class Pending(Generic[Asker]):
    """A summons that was heard, with its answer, or those who wait for one."""

    answer: Answer | None = None
    waiting: list[Asker] = field(factory=list)


@define(eq=False)
class Summonses(Requests, Generic[Asker]):
    """Requests to one host; without a verifier they are plain JSON (protocol.rst, "Summons")."""

    heard: dict[str, Pending[Asker]] = field(factory=dict)

    def hear(self, jti: str, asker: Asker) -> tuple[Pending[Asker], bool]:
        """Return the record of a summons, with one who asks added while it has no answer; and True if it is new."""
        pending = self.heard.get(jti)
        new = pending is None
        if pending is None:
            pending = self.heard[jti] = Pending()
        if pending.answer is None:
            pending.waiting.append(asker)
        return pending, new

    def forget(self, jti: str) -> None:
        """Forget a summons; to be called `MEMORY` seconds after it was heard, when no copy can be valid any more."""
        del self.heard[jti]
