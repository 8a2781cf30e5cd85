"""A reactor in memory in place of the global one, and a loop for one coroutine."""

import asyncio
import selectors
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import twisted.internet
from attrs import define, field
from twisted.internet import asyncioreactor
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IHostnameResolver, IHostResolution, IResolutionReceiver
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.examples import T


def awaited(work: Coroutine[Any, Any, T]) -> T:
    """The result of an asyncio coroutine, on a loop of its own."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


class Leaping(selectors.SelectSelector):
    """A selector that waits for nothing: the time until the next timer is over at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if not found and timeout:
            self.now += timeout
        return found


class LeapingLoop(asyncio.SelectorEventLoop):
    """A loop whose time is its selector's."""

    def __init__(self) -> None:
        self.leaping = Leaping()
        super().__init__(self.leaping)

    def time(self) -> float:
        return self.leaping.now


def leaping(work: Coroutine[Any, Any, T]) -> T:
    """The result of an asyncio coroutine, on a loop of its own whose timers take no time."""
    loop = LeapingLoop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


class FakeReactor(MemoryReactorClock, asyncioreactor.AsyncioSelectorReactor):  # type: ignore[misc]
    """A memory reactor that passes for Twisted's asyncio reactor."""

    nameResolver: Any = None

    def __init__(self) -> None:
        MemoryReactorClock.__init__(self)
        self._asyncioEventloop = asyncio.new_event_loop()
        self.from_threads: list[Callable[[], object]] = []

    def callFromThread(self, *arguments: Any, **named: Any) -> None:  # Twisted's own are not of one mind on names
        self.from_threads.append(lambda: arguments[0](*arguments[1:], **named))

    def hear_thread(self) -> None:
        """Wait until a thread has something to say, and call that."""
        for _ in range(60_000):
            if self.from_threads:
                self.from_threads.pop(0)()
                return
            time.sleep(0.001)
        raise AssertionError("no thread has said anything")


@implementer(IHostnameResolver, IHostResolution)
@define(eq=False)
class FakeNames:
    """A resolver with a list of its own, which notes what it was asked."""

    names: dict[str, list[str]]
    asked: list[str] = field(factory=list)
    name: str = "all that was asked"

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        self.asked.append(hostName)
        resolutionReceiver.resolutionBegan(self)
        itself = [hostName] if isIPAddress(hostName) or isIPv6Address(hostName) else []
        for address in self.names.get(hostName, itself):
            kind = IPv6Address if ":" in address else IPv4Address
            resolutionReceiver.addressResolved(kind("TCP", address, portNumber))
        resolutionReceiver.resolutionComplete()
        return self

    def cancel(self) -> None:
        raise AssertionError("it has ended before it can be cancelled")


def install(case: SynchronousTestCase) -> FakeReactor:
    """Make a fake reactor the global one for the time of a test."""
    reactor = FakeReactor()
    missing = object()
    modules: dict[str, Any] = sys.modules
    package: Any = twisted.internet
    before = modules.get("twisted.internet.reactor", missing)
    modules["twisted.internet.reactor"] = reactor
    attribute = getattr(package, "reactor", missing)
    package.reactor = reactor

    def restore() -> None:
        reactor._asyncioEventloop.close()
        asyncio.set_event_loop(None)
        if before is missing:
            del modules["twisted.internet.reactor"]
        else:
            modules["twisted.internet.reactor"] = before
        if attribute is missing:
            del package.reactor
        else:
            package.reactor = attribute

    case.addCleanup(restore)
    return reactor


class Ending(MemoryReactorClock):
    """A reactor that ends when a test says so."""

    def end(self) -> None:
        for act, arguments, named in self.triggers.get("after", {}).get("shutdown", []):
            act(*arguments, **named)

    def removeSystemEventTrigger(self, triggerID: object) -> None:
        self.triggers["after"]["shutdown"].clear()
