"""A platform that opens whatever it is asked for."""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred

from streamrelay.errors import Refused
from streamrelay.platform import Early, Limits, Opened, Platform
from streamrelay.platform.platform import TERMS, Listing
from streamrelay.platform.resumption import Resumption
from streamrelay.protocol.summons import HostInfo, Refusal, StreamInfo, Terms
from streamrelay.protocol.terminals import TerminalInfo
from tests.examples import T


@define(eq=False)
class FakePlatform(Platform):
    """A platform that opens what the test says."""

    relay: str = "wss://relay.example"
    result: Opened | Exception | None = None
    there: list[HostInfo] = field(factory=list)
    live: list[StreamInfo] = field(factory=list)
    complete: bool = True
    asked: int = 0
    """How often for a list."""
    opening: "Deferred[None] | None" = None
    """What is waited for before a stream is opened."""
    opened: list[tuple[str, str, str]] = field(factory=list)
    terms: list[Terms] = field(factory=list)
    channels: list[bool] = field(factory=list)
    zones: list[str] = field(factory=list)
    ended: list[tuple[str, str]] = field(factory=list)
    resumed: list[Resumption] = field(factory=list)
    withdrawn: list[tuple[str, str, str]] = field(factory=list)
    kept_there: list[TerminalInfo] = field(factory=list)
    untold: Refused | None = None
    """What is said in place of the kept terminals."""
    attached: list[tuple[str, bool, bool]] = field(factory=list)
    """Terminals that were to be attached to: their ids, to look only, and of others."""
    lets: tuple[tuple[bool, bool], ...] = ((False, False), (False, True), (True, False), (True, True))
    """On which of these terms the host has such a terminal."""

    async def open(
        self,
        user: str,
        host: str,
        target: str,
        links: int = 0,
        limits: Limits | None = None,
        terms: Terms = TERMS,
        early: Callable[[Early], None] | None = None,
        channels: bool = False,
        zone: str = "",
        resume: bool = False,
        terminal: str = "",
        share: bool = False,
    ) -> Opened:
        if terminal:
            self.attached.append((terminal, terms.view, share))
            if (terms.view, share) not in self.lets:
                raise Refused(410, "no such terminal", code=Refusal.NO_SUCH_TERMINAL)
        self.zones.append(zone)
        self.opened.append((user, host, target))
        self.terms.append(terms)
        self.channels.append(channels)
        if early is not None:
            early(Early("s", "wss://relay/client/t", 5.0))
        if self.opening is not None:
            await self.opening
        return self._give()

    async def resume(self, again: Resumption, early: Callable[[Early], None] | None = None) -> Opened:
        self.resumed.append(again)
        return self._give()

    def withdraw(self, user: str, host: str, stream: str, reason: str) -> None:
        self.withdrawn.append((user, host, stream))

    async def terminals(self, host: str, anew: bool = False) -> list[TerminalInfo]:
        self.asked += 1
        if self.untold is not None:
            raise self.untold
        return [info for info in self.kept_there if info.host == host]

    async def end_terminal(self, host: str, terminal: str) -> None:
        self.ended.append((host, terminal))

    async def know_hosts(self) -> None:
        """Take what is up now for the inventory."""
        self.asked += 1
        for info in self.there:
            self.inventory._set(info)
        self.inventory.be_complete(self.complete)

    async def streams(self, anew: bool = False) -> Listing[StreamInfo]:
        return self._listed(self.live)

    def _listed(self, what: list[T]) -> Listing[T]:
        self.asked += 1
        listing = Listing(what)
        listing.complete = self.complete
        return listing

    async def end(self, host: str, stream: str) -> None:
        self.ended.append((host, stream))

    def _give(self) -> Opened:
        if isinstance(self.result, Exception):
            raise self.result
        assert self.result is not None, "a stream was opened and none was to be"
        return self.result
