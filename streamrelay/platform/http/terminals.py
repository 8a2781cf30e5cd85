"""The paths ``/v1/hosts/<host>/terminals…`` of the API: the kept terminals that a user might attach to, and their end.

A terminal is its starter's, as long as a grant allows the target. To others it is there only by a grant that says
``share``; everybody else is told that there is none, whatever its id is.
"""

from typing import Any, Final

from msgspec import UNSET, structs
from twisted.web.server import Request

from streamrelay.bus.connection import as_deferred
from streamrelay.errors import Refused
from streamrelay.logs import Logger
from streamrelay.platform.auth.grants import User
from streamrelay.platform.auth.webhook import NAMELESS
from streamrelay.platform.http.api_resource import ApiResource, Result
from streamrelay.platform.http.authenticate import Authenticator, Caller
from streamrelay.platform.http.tally import AnswerTally
from streamrelay.platform.platform import Platform
from streamrelay.protocol.names import is_host
from streamrelay.protocol.terminals import TerminalInfo

log = Logger()

NONE: Final = "no such terminal"


def none_such() -> Refused:
    """Return what is told of a terminal that is none to who asks."""
    return Refused(404, NONE, code="no_such_terminal")


def is_named(caller: Caller, user: User) -> bool:
    """Tell whether a user's name is theirs alone: those whom the system that is asked lets in without a name can't be
    told apart, so none of them has a terminal of their own."""
    return not (caller.is_stranger and user.name == NAMELESS)


def ways(user: User, host: str, target: str, view: bool) -> list[tuple[bool, bool]]:
    """Return the terms on which a user may attach to a terminal, each as (view, share): those on which to try first,
    and behind it those for a terminal of somebody else, where they allow less.

    `view`: it is to be looked at only, as was asked for or as no grant allows more.
    """
    first = view, user.may_share(host, target, act=not view)
    others = [(True, True)] if not any(first) and user.may_share(host, target) else []
    return [first, *others]


class HostTerminals(ApiResource):
    """A path of one host's terminals."""

    def __init__(self, platform: Platform, authenticator: Authenticator, tally: AnswerTally, host: str) -> None:
        super().__init__(platform, authenticator, tally)
        self.host = host

    async def seen(self, caller: Caller, anew: bool = False) -> list[dict[str, Any]]:
        """Return the terminals that a caller sees; `Refused` where no grant is for this host."""
        user = await self.authenticator.listing(caller)
        if not user.fits(self.host):
            raise Refused(403, "no grant for that host", code="not_granted")
        if not is_host(self.host):
            raise Refused(404, "no such host", code="no_such_target")
        told, named = await as_deferred(self.platform.terminals(self.host, anew)), is_named(caller, user)
        return [row for info in told if (row := row_of(info, user, named)) is not None]


class TerminalList(HostTerminals):
    """The path ``/v1/hosts/<host>/terminals``: lists those that the caller might attach to, or end (GET)."""

    path = "/v1/hosts/HOST/terminals"

    async def answer_get(self, request: Request, caller: Caller) -> Result:
        return 200, {"terminals": [row for row in await self.seen(caller) if row.pop("attach")]}


class OneTerminal(HostTerminals):
    """The path ``/v1/hosts/<host>/terminals/<id>``: ends a terminal, with all that runs in it (DELETE)."""

    path = "/v1/hosts/HOST/terminals/ID"

    def __init__(
        self, platform: Platform, authenticator: Authenticator, tally: AnswerTally, host: str, terminal: str
    ) -> None:
        super().__init__(platform, authenticator, tally, host)
        self.terminal = terminal

    async def answer_delete(self, request: Request, caller: Caller) -> Result:
        rows = await self.seen(caller, anew=True)
        found = next((row for row in rows if row["terminal"] == self.terminal), None)
        if found is None:
            raise none_such()
        target = found["target"]
        if not found["end"]:
            raise Refused(403, f"this key may only look at {target} of {self.host}", code="not_granted")
        who = await self.authenticator.permit(caller, "end", self.host, target, terminal=self.terminal)
        await as_deferred(self.platform.end_terminal(self.host, self.terminal))
        log.info("terminal {terminal} of {host} ended by {user}", terminal=self.terminal, host=self.host, user=who.name)
        return 204, None


def row_of(info: TerminalInfo, user: User, named: bool) -> dict[str, Any] | None:
    """Return a terminal as a user sees it; None to who may neither attach to it nor end it. `named`: by their name this
    user is told from others."""
    what = info.host, info.target
    own = named and info.user == user.name and user.may(*what)
    acts = user.may(*what, act=True)
    attaches = own or user.may_share(*what)
    if not (attaches or acts):
        return None
    looks = not (acts if own else user.may_share(*what, act=True))
    told = {name: value for name, value in structs.asdict(info).items() if value is not UNSET}
    return {**told, "view": looks, "end": own or acts, "own": own, "attach": attaches}
