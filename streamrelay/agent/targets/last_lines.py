"""The last lines of a log with which a stream begins: as many as its client asks for, within the target's settings."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from attrs import define
from msgspec import structs

from streamrelay.agent.targets.kind import Kind
from streamrelay.agent.targets.view_only import Onlooker
from streamrelay.datapath.connection import Connection, Drain, Feed
from streamrelay.logs import Several
from streamrelay.protocol import codec
from streamrelay.protocol.close import Outcome
from streamrelay.protocol.control import Control
from streamrelay.protocol.limits import Lines
from streamrelay.protocol.summons import Terms


class LogKind(Kind, frozen=True, kw_only=True):
    """Settings of a target that is, or has, a log."""

    lines: Lines = 100
    """Lines of a log that are sent before it is followed, if its client doesn't say how many."""
    most_lines: Lines = 1000
    """Lines that a client may ask for; where `lines` are more, as many as those."""


L = TypeVar("L", bound=LogKind)


async def begin_with(settings: L, terms: Terms, connect: Callable[[L], Awaitable[Connection]]) -> Connection:
    """Connect a log by settings with as many lines as the terms ask for; a client that gets fewer is told."""
    if terms.lines is None:
        return await connect(settings)
    most = max(settings.lines, settings.most_lines)
    connection = await connect(structs.replace(settings, lines=min(terms.lines, most)))
    if terms.lines <= most or terms.place:
        return connection
    return Announced(
        connection, f"of this log no more than its last {Several(most, 'line')} can be had (most_lines of the target)"
    )


@define(eq=False)
class Announced(Onlooker):
    """A log that has a note for its client behind its first place. What the client sends is dropped, as by all logs."""

    note: str

    def join(self, feed: Feed, drain: Drain) -> None:
        self.target.join(_Announcer(feed, self.note), drain)


@define(eq=False)
class _Announcer(Feed):
    """A log's feed that puts a note behind the first control message."""

    feed: Feed
    note: str

    def received(self, data: Sequence[memoryview], size: int) -> None:
        self.feed.received(data, size)

    def control(self, message: bytes) -> None:
        self.feed.control(message)
        note, self.note = self.note, ""
        if note:
            self.feed.control(codec.encode(Control(note=note)))

    def eof(self) -> None:
        self.feed.eof()

    def over(self, outcome: Outcome) -> None:
        self.feed.over(outcome)

    def gone(self) -> None:
        self.feed.gone()
