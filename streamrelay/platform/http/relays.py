"""The path ``/v1/relays`` of the API: the relays by which streams go, for whoever may open everything."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from twisted.web.server import Request

from streamrelay.errors import Refused
from streamrelay.platform.http.api_resource import ApiResource, Result
from streamrelay.platform.http.authenticate import Caller
from streamrelay.platform.relays import RelayChoice

UNKNOWN: Final = "unknown"
"""State of the one relay of the settings, of which nothing is heard."""


class RelayInfo(Struct, frozen=True):
    """One relay, as it says itself."""

    relay: str
    url: str
    zone: str = ""
    state: str = UNKNOWN
    load: float = 0.0
    streams: int = 0
    version: str = ""


class RelayList(ApiResource):
    """The path ``/v1/relays``: lists the relays that were heard lately (GET)."""

    path = "/v1/relays"

    async def answer_get(self, request: Request, caller: Caller) -> Result:
        user = await self.authenticator.listing(caller)
        if not user.may_everything:
            raise Refused(403, "only who may open everything is told of the relays", code="not_granted")
        choice = self.platform.choice
        if choice.fixed is None and not self.platform.bus.connected:
            raise Refused(503, "the platform has no connection to NATS", code="bus_down")
        return 200, {"relays": sorted(relays(choice), key=lambda info: info.relay)}


def relays(choice: RelayChoice) -> Iterator[RelayInfo]:
    """Yield the relays of a platform."""
    if choice.fixed is not None:
        yield RelayInfo(choice.fixed.id, choice.fixed.url)
        return
    for heard in choice.standing():
        state = heard.state
        yield RelayInfo(heard.id, state.url, state.zone, state.state, state.load, state.streams, state.version)
