"""The leg of a stream that the platform has told of and not opened yet: it is dialled while the agent is asked, over a
connection that was begun while the platform was, where its relay is the one known from before."""

from typing import Any

from attrs import define
from twisted.internet.defer import Deferred

from streamrelay.client.known_relay import NOWHERE, KnownRelay
from streamrelay.client.platform_api import OpenedStream
from streamrelay.websocket.client import Dialler
from streamrelay.websocket.ready import Ready


@define(eq=False)
class EarlyLeg:
    """The dial of the one URL that was told last."""

    dialler: Dialler
    known: KnownRelay = NOWHERE
    _url: str = ""
    _dial: "Deferred[Any] | None" = None
    _ready: Ready | None = None

    def begin(self, relay: str = "") -> None:
        """Begin to connect this relay, or else the one that is known from before, if there is one."""
        if relay := relay or self.known.take():
            self._ready = self.dialler.make_ready(relay)

    def told(self, opened: OpenedStream) -> None:
        """Dial this stream's URL, unless that is under way; one of a request before is dropped."""
        if opened.url != self._url:
            self._drop_dial()
            self._url, self._dial = opened.url, Deferred.fromCoroutine(self._begin(opened.url))

    async def leg(self, opened: OpenedStream) -> Any:
        """Return the leg of a stream that is opened, whether it was told before or not; or raise `DialError`."""
        self.told(opened)
        dial, self._dial = self._dial, None
        assert dial is not None
        leg = await dial
        self.known.keep(opened.url)
        return leg

    def drop(self) -> None:
        """Give up the dial, or the leg that it has brought: nobody comes for it."""
        self._drop_dial()
        ready, self._ready = self._ready, None
        if ready is not None:
            ready.drop()

    def _drop_dial(self) -> None:
        dial, self._dial, self._url = self._dial, None, ""
        if dial is not None:
            dial.cancel()
            dial.addCallbacks(lambda leg: leg.abort(), lambda failure: None)

    async def _begin(self, url: str) -> Any:
        ready, self._ready = self._ready, None
        return await self.dialler.dial(url, ready=ready)
