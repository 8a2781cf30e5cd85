"""Changes of the list of hosts as they come: ``GET /v1/hosts/changes``, by server-sent events (WHATWG HTML, 9.2)."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from twisted.web.server import Request
from zope.interface import implementer

from streamrelay.bus.connection import as_deferred
from streamrelay.errors import Refused
from streamrelay.logs import Logger
from streamrelay.platform.fleet.shown import Shown
from streamrelay.platform.fleet.views import Views
from streamrelay.platform.http.api_resource import SENT, ApiResource, Result
from streamrelay.platform.http.authenticate import Authenticator, Caller
from streamrelay.platform.http.credentials import read_credentials
from streamrelay.platform.http.hosts import counts
from streamrelay.platform.http.responses import problem_of, secure_headers
from streamrelay.platform.http.tally import AnswerTally
from streamrelay.platform.platform import Platform
from streamrelay.platform.refusals import no_bus

log = Logger()

GATHERED: Final = 0.25
"""Seconds in which changes are gathered."""
BREATH: Final = 15.0
"""Seconds between two signs of life, at each of which it is asked whether the user may still see what they see."""
MOST_WATCHERS: Final = 100
"""Requests of one user that are kept open."""
MOST_AT_ONCE: Final = 2000
"""Hosts that one event tells of at most."""


@implementer(IPushProducer)
@define(eq=False)
class Watcher:
    """A request that is told of changes; one that takes nothing is told later what has changed until then."""

    request: Request
    view: Shown
    resumed: Callable[[], None]
    """Called when it takes again what is written."""
    over: "Deferred[None]" = field(factory=Deferred)
    _paused: bool = False
    _missed: set[str] = field(factory=set)
    _known: tuple[bool, bool] | None = None

    def begin(self, complete: bool, connected: bool) -> None:
        self.request.registerProducer(self, True)
        self._known = (complete, connected)
        self.say("begin", {**counts(self.view), "complete": complete})
        if not connected:
            self._tell_trouble()

    def tell(self, hosts: Iterable[str], complete: bool, connected: bool) -> None:
        """Tell of hosts that have changed, and whether all are known, and can be."""
        self._missed.update(hosts)
        if self._paused:
            return
        if self._known != (complete, connected) and not connected:
            self._tell_trouble()
        if self._missed or self._known != (complete, connected):
            for some in _portions(sorted(self._missed)):
                entries = [(host, self.view.entries.get(host)) for host in some]
                shown = [msgspec.Raw(entry.json) for _, entry in entries if entry is not None]
                gone = [host for host, entry in entries if entry is None]
                self.say("change", {"hosts": shown, "gone": gone, **counts(self.view), "complete": complete})
        self._known = (complete, connected)
        self._missed.clear()

    def _tell_trouble(self) -> None:
        self.say("trouble", problem_of(no_bus()))

    def say(self, event: str, data: object) -> None:
        self.request.write(b"event: " + event.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n")

    def breathe(self) -> None:
        if not self._paused and not self.over.called:
            self.request.write(b": \n\n")

    def end(self, refusal: Refused | None = None) -> None:
        """End it, with the reason if there is anybody who hears that."""
        if self.over.called:
            return
        if refusal is not None:
            self.say("over", problem_of(refusal))
            self.request.unregisterProducer()
            self.request.finish()
        self.over.callback(None)

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self.resumed()

    def stopProducing(self) -> None:
        self.end()


@define(eq=False)
class Watchers:
    """All who are told of changes."""

    views: Views
    platform: Platform
    here: dict[Watcher, str] = field(factory=dict)
    """Requests that are told of changes, with the names of their users."""
    ending: bool = False
    _timer: asyncio.TimerHandle | None = None

    def __attrs_post_init__(self) -> None:
        inventory = self.platform.inventory
        inventory.changed.append(self._changed)
        inventory.completed.append(self._soon)

    def _changed(self, host: str) -> None:
        self.views.touch(host)
        self._soon()

    def _soon(self) -> None:
        if self._timer is None and self.here:
            self._timer = asyncio.get_running_loop().call_later(GATHERED, self._tell)

    def _tell(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        complete, connected = self.platform.inventory.complete, self.platform.bus.connected
        changed = {view: view.news() for view in self.views.watched}
        for watcher in tuple(self.here):
            watcher.tell(changed[watcher.view], complete, connected)

    def come(self, request: Request, user: str, view: Shown) -> Watcher:
        """Begin to tell somebody, or raise `Refused`."""
        if self.ending:
            raise _stops()
        if list(self.here.values()).count(user) >= MOST_WATCHERS:
            words = f"{MOST_WATCHERS} requests of this user are told of changes already"
            raise Refused(429, words, code="too_many_pages", retry_after=10)
        self._tell()  # what is older than who comes now
        if view not in self.views.watched:
            view.news()  # of which nobody was told, nor has to be
        watcher = Watcher(request, view, self._soon)
        self.here[watcher] = user
        self.views.watch(view)
        watcher.begin(self.platform.inventory.complete, self.platform.bus.connected)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        del self.here[watcher]
        self.views.leave(watcher.view)

    def end(self) -> None:
        """End all of them, as the platform stops."""
        self.ending = True
        for watcher in tuple(self.here):
            watcher.end(_stops())


class Changes(ApiResource):
    """The path ``/v1/hosts/changes``: tells of changes until who asks leaves (GET)."""

    path = "/v1/hosts/changes"

    def __init__(
        self, platform: Platform, authenticator: Authenticator, tally: AnswerTally, watchers: Watchers
    ) -> None:
        super().__init__(platform, authenticator, tally)
        self.watchers = watchers

    async def answer_get(self, request: Request, caller: Caller) -> Result:
        user = await self.authenticator.listing(caller)
        view = self.watchers.views.of(user.grants)
        request.setResponseCode(200)
        secure_headers(request)
        request.setHeader("Content-Type", "text/event-stream")
        request.setHeader("X-Accel-Buffering", "no")  # nginx would hold it back
        watcher = self.watchers.come(request, user.name, view)
        breath = Deferred.fromCoroutine(self._breathe(watcher, request))
        breath.addErrback(_breathed)
        try:
            await watcher.over
        finally:
            breath.cancel()
            self.watchers.leave(watcher)
        return SENT

    async def _breathe(self, watcher: Watcher, request: Request) -> None:
        """Keep it alive for as long as its user may see what they see."""
        while not watcher.over.called:
            self.platform.lookout.watch()
            await as_deferred(asyncio.sleep(BREATH))
            try:
                caller = await self._caller(request, read_credentials(request, self.authenticator.proxies))
                user = await self.authenticator.listing(caller)
                if user.grants != watcher.view.grants:
                    raise Refused(409, "what this user may see has changed", code="changed")
            except Refused as refusal:
                watcher.end(refusal)
            watcher.breathe()


def _stops() -> Refused:
    return Refused(503, "the platform stops", code="unavailable", retry_after=2)


def _breathed(failure: Failure) -> None:
    if failure.check(CancelledError, asyncio.CancelledError) is None:
        log.failure("an error while a page was told of changes", failure)


def _portions(hosts: list[str]) -> list[list[str]]:
    """Return hosts in portions for one event each; one of nobody, if there are none."""
    return [hosts[start : start + MOST_AT_ONCE] for start in range(0, max(len(hosts), 1), MOST_AT_ONCE)]
