"""A platform that opens whatever it is asked for."""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred

from streamrelay.platform import Early, Limits, Opened, Platform
from streamrelay.platform.platform import TERMS, Listing
from streamrelay.platform.resumption import Resumption
from streamrelay.protocol.summons import HostInfo, StreamInfo, Terms
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
    ) -> Opened:
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
