"""podman's own rotation: where a log has a bound (``max-size``) it is begun anew when it is full, and what its readers
haven't been given by then is gone. Nothing in what they get tells of it, so the log's first message is looked at."""

from collections.abc import Callable
from typing import Final
from zlib import crc32

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall

from streamrelay.agent.targets.container.api import DockerApi, Found
from streamrelay.agent.targets.container.body import QUERY, deliver, in_time
from streamrelay.agent.targets.container.messages import Piece
from streamrelay.errors import TargetError

LOOK: Final = 2.0
"""Seconds between two looks."""


@define(eq=False)
class Rotations:
    """A watch for rotations of a log; `tell` is called after one, again and again until it returns True."""

    api: DockerApi
    container: Found
    tell: Callable[[], bool]
    _known: tuple[int, int] | None = None
    _next: IDelayedCall | None = None
    _work: "Deferred[None] | None" = None
    _stopped: bool = False

    def start(self) -> None:
        self._look()

    def stop(self) -> None:
        self._stopped = True
        if self._next is not None:
            self._next.cancel()
            self._next = None
        work, self._work = self._work, None
        if work is not None:
            work.addErrback(lambda failure: failure.trap(CancelledError) and None)
            work.cancel()

    def _look(self) -> None:
        self._next = None
        self._work = Deferred.fromCoroutine(self._compare())

    async def _compare(self) -> None:
        try:
            first = await first_message(self.api, self.container)
        except TargetError:  # who follows the log has it said
            first = None
        if first is not None and not self._stopped and (self._known in (None, first) or self.tell()):
            self._known = first
        self._work = None
        if not self._stopped:
            self._next = self.api.reactor.callLater(LOOK, self._look)


async def first_message(api: DockerApi, container: Found) -> tuple[int, int] | None:
    """Return what tells a log's first message from others; None if there is none yet."""

    async def read() -> tuple[int, int] | None:
        first = First()
        body = deliver(await api.log(container.id, QUERY), container, first)
        try:
            await first.done
        finally:
            body.stop()
        return first.found

    return await in_time(api, read())


@define(eq=False)
class First:
    """A listener to a log's first message."""

    found: tuple[int, int] | None = None
    done: "Deferred[None]" = field(factory=Deferred)
    _sum: int = 0

    def heard(self, piece: Piece) -> bool:
        self._sum = crc32(piece.text, self._sum)
        if piece.ends and not self.done.called:
            self.found = (piece.time, self._sum)
            self.done.callback(None)
        return not piece.ends

    def over(self, why: str) -> None:
        if not self.done.called:
            self.done.callback(None)
