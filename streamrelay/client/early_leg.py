"""The leg of a stream that the platform has told of and not opened yet: it is dialled while the agent is asked."""

from typing import Any

from attrs import define
from twisted.internet.defer import Deferred

from streamrelay.client.platform_api import OpenedStream
from streamrelay.websocket.client import Dialler


@define(eq=False)
class EarlyLeg:
    """The dial of the one URL that was told last."""

    dialler: Dialler
    _url: str = ""
    _dial: "Deferred[Any] | None" = None

    def told(self, opened: OpenedStream) -> None:
        """Dial this stream's URL, unless that is under way; one of a request before is dropped."""
        if opened.url != self._url:
            self.drop()
            self._url, self._dial = opened.url, Deferred.fromCoroutine(self._begin(opened.url))

    async def leg(self, opened: OpenedStream) -> Any:
        """Return the leg of a stream that is opened, whether it was told before or not; or raise `DialError`."""
        self.told(opened)
        dial, self._dial = self._dial, None
        assert dial is not None
        return await dial

    def drop(self) -> None:
        """Give up the dial, or the leg that it has brought: nobody comes for it."""
        dial, self._dial, self._url = self._dial, None, ""
        if dial is not None:
            dial.cancel()
            dial.addCallbacks(lambda leg: leg.abort(), lambda failure: None)

    async def _begin(self, url: str) -> Any:
        return await self.dialler.dial(url)
