"""The paths ``/v1/relays…`` of the API: the relays by which streams go, and their drain."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from twisted.web.server import Request

from streamrelay.bus.connection import as_deferred
from streamrelay.errors import Refused
from streamrelay.platform.auth.grants import User
from streamrelay.platform.http.api_resource import ApiResource, Result
from streamrelay.platform.http.authenticate import Authenticator, Caller
from streamrelay.platform.http.tally import AnswerTally
from streamrelay.platform.platform import Platform
from streamrelay.platform.relays import HeardRelay, RelayChoice
from streamrelay.protocol.names import is_host

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
    drained: bool = False
    """True if an operator has drained it, which can be undone."""
    drain: bool = False
    """True if who asks may drain it, and undo that."""


class RelayList(ApiResource):
    """The path ``/v1/relays``: lists the relays that were heard lately (GET): all to who may open everything, to others
    those that they may drain."""

    path = "/v1/relays"

    async def answer_get(self, request: Request, caller: Caller) -> Result:
        user = await self.authenticator.listing(caller)
        if not (user.may_everything or user.drain):
            raise Refused(403, "only who may open everything, or drain relays, is told of them", code="not_granted")
        choice = self.platform.choice
        if choice.fixed is None and not self.platform.bus.connected:
            raise Refused(503, "the platform has no connection to NATS", code="bus_down")
        found = (info for info in relays(choice, user) if info.drain or user.may_everything)
        return 200, {"relays": sorted(found, key=lambda info: info.relay)}


class OneDrain(ApiResource):
    """The path ``/v1/relays/<id>/drain``: has a relay drained (POST), or takes that back (DELETE)."""

    path = "/v1/relays/ID/drain"

    def __init__(self, platform: Platform, authenticator: Authenticator, tally: AnswerTally, relay: str) -> None:
        super().__init__(platform, authenticator, tally)
        self.relay = relay

    async def answer_post(self, request: Request, caller: Caller) -> Result:
        return await self._drain(caller, undo=False)

    async def answer_delete(self, request: Request, caller: Caller) -> Result:
        return await self._drain(caller, undo=True)

    async def _drain(self, caller: Caller, undo: bool) -> Result:
        user = await self.authenticator.permit_drain(caller, self.relay)
        if not is_host(self.relay):
            raise Refused(404, "no such relay", code="no_such_relay")
        return 200, relay_info(await as_deferred(self.platform.drain(self.relay, undo, user.name)), user)


def relays(choice: RelayChoice, user: User) -> Iterator[RelayInfo]:
    """Yield the relays of a platform, as a user sees them."""
    if choice.fixed is not None:
        yield RelayInfo(choice.fixed.id, choice.fixed.url)
        return
    for heard in choice.standing():
        yield relay_info(heard, user)


def relay_info(heard: HeardRelay, user: User) -> RelayInfo:
    """Return a relay of the bus as a user sees it."""
    state = heard.state
    about = (state.url, state.zone, state.state, state.load, state.streams, state.version, state.drained)
    return RelayInfo(heard.id, *about, user.may_drain(heard.id))
