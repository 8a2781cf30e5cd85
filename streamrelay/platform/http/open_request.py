"""Requests for a stream: who may have it, on which terms, and what the log tells of it."""

from collections.abc import Callable

from msgspec import Struct

from streamrelay.errors import Refused
from streamrelay.logs import Logger
from streamrelay.platform.auth.grants import User
from streamrelay.platform.http.authenticate import Authenticator, Caller
from streamrelay.platform.http.terminals import is_named, ways
from streamrelay.platform.new_stream import Early, Opened
from streamrelay.platform.platform import Platform
from streamrelay.protocol.control import Place
from streamrelay.protocol.fields import TerminalOrNone, Zone
from streamrelay.protocol.limits import Bytes, Lines
from streamrelay.protocol.summons import Refusal, Terms

log = Logger()


class OpenRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``POST /v1/streams``."""

    host: str
    target: str
    view: bool = False
    place: Place = ""
    after: Bytes = 0
    lines: Lines | None = None
    channels: bool = False
    zone: Zone = ""
    resume: bool = False
    terminal: TerminalOrNone = ""


async def permit(authenticator: Authenticator, caller: Caller, wanted: OpenRequest) -> tuple[User, bool]:
    """Return the user in whose name a stream is opened, and whether it may only be looked at; or raise `Refused`,
    which the log tells."""
    host, target = wanted.host, wanted.target
    view = wanted.view or not (caller.is_stranger or caller.user.may(host, target, act=True))
    try:
        user = await authenticator.permit(caller, "open", host, target, view=view, terminal=wanted.terminal)
        if wanted.terminal and not is_named(caller, user):
            raise Refused(403, "only who has a name has terminals", code="not_granted")
    except Refused as refusal:
        log.info(
            "{user} may not open {target} of {host}: {why}",
            user=caller.name,
            target=target[:100],
            host=host[:64],
            why=refusal.reason,
        )
        raise
    if caller.is_stranger and user.may(host, target):  # as the asked system's own grants say
        view = view or not user.may(host, target, act=True)
    return user, view


async def open_stream(
    platform: Platform, user: User, wanted: OpenRequest, view: bool, early: Callable[[Early], None] | None
) -> Opened:
    """Open a stream as it may be, or raise `Refused`."""

    async def opened(view: bool, share: bool) -> Opened:
        return await platform.open(
            *(user.name, wanted.host, wanted.target),
            terms=Terms(view, wanted.place, wanted.after, lines=wanted.lines),
            early=early,
            channels=wanted.channels,
            zone=wanted.zone,
            resume=wanted.resume,
            terminal=wanted.terminal,
            share=share,
        )

    if not wanted.terminal:
        return await opened(view, False)
    first, *others = ways(user, wanted.host, wanted.target, view)
    try:
        return await opened(*first)
    except Refused as refusal:
        if refusal.code != Refusal.NO_SUCH_TERMINAL or not others:
            raise
    return await opened(*others[0])


def tell_opened(opened: Opened, user: User, wanted: OpenRequest) -> None:
    """Tell the log of a stream that was opened, and of the kept terminal that it is of."""
    view = ", view-only" if opened.view else ""
    how = "attached to" if wanted.terminal else "new"
    kept = f", {how} terminal {opened.terminal}" if opened.terminal else ""
    log.info(
        "stream {stream} opened for {user}: {target} of {host}{only}",
        only=f"{view}{kept}",
        stream=opened.stream,
        user=user.name,
        target=wanted.target,
        host=wanted.host,
    )
