"""Streams that go on by new legs (protocol.rst, "Streams that resume")."""

from functools import partial
from typing import Annotated, Final

from msgspec import Meta, Struct, field
from twisted.web.server import Request

from streamrelay.bus.connection import as_deferred
from streamrelay.errors import Refused
from streamrelay.logs import Logger
from streamrelay.platform.auth.grants import User
from streamrelay.platform.http.api_resource import ApiResource, Result, read_body
from streamrelay.platform.http.authenticate import Authenticator, Caller
from streamrelay.platform.http.responses import send_early, takes_lines
from streamrelay.platform.http.tally import AnswerTally
from streamrelay.platform.platform import Platform, Resumption
from streamrelay.protocol.fields import Zone
from streamrelay.protocol.limits import Bytes
from streamrelay.protocol.names import is_opaque

log = Logger()

WITHDRAWN: Final = "this may not be opened any more"


class ResumeRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``POST /v1/streams/<id>/resume``."""

    host: str
    target: str
    received: Bytes
    attempt: Annotated[int, Meta(ge=1, le=2**53 - 1)] = field(name="try")
    view: bool = False
    zone: Zone = ""


class ResumeStream(ApiResource):
    """The path ``/v1/streams/<id>/resume``: gives a stream that has lost its legs new ones (POST)."""

    path = "/v1/streams/ID/resume"

    def __init__(self, platform: Platform, authenticator: Authenticator, tally: AnswerTally, stream: str) -> None:
        super().__init__(platform, authenticator, tally)
        self.stream = stream

    async def answer_post(self, request: Request, caller: Caller) -> Result:
        wanted = read_body(request, ResumeRequest)
        try:
            user = await self._permit(caller, wanted)
        except Refused as refusal:
            log.info(
                "{user} may not resume stream {stream} to {target} of {host}: {why}",
                user=caller.name,
                stream=self.stream[:64],
                target=wanted.target[:100],
                host=wanted.host[:64],
                why=refusal.reason,
            )
            if refusal.code == "not_granted" and not caller.is_stranger:
                self.platform.withdraw(caller.name, wanted.host, self.stream, WITHDRAWN)
            raise
        again = Resumption(
            *(user.name, wanted.host, wanted.target, self.stream, wanted.received, wanted.attempt),
            view=wanted.view,
            zone=wanted.zone,
            share=user.may_share(wanted.host, wanted.target, act=not wanted.view),
        )
        early = partial(send_early, request) if takes_lines(request) else None
        opened = await as_deferred(self.platform.resume(again, early))
        log.info(
            "stream {stream} of {user} goes on: {target} of {host}",
            stream=self.stream,
            user=user.name,
            target=wanted.target,
            host=wanted.host,
        )
        return 201, opened

    async def _permit(self, caller: Caller, wanted: ResumeRequest) -> User:
        """Return the user whose stream it is, if it may still be as it was opened; or raise `Refused`."""
        if not is_opaque(self.stream):
            raise Refused(404, "no such stream", code="no_such_stream")
        user = await self.authenticator.permit(caller, "open", wanted.host, wanted.target, view=wanted.view)
        known = not caller.is_stranger or user.may(wanted.host, wanted.target)
        if known and not wanted.view and not user.may(wanted.host, wanted.target, act=True):
            raise Refused(403, f"{wanted.target} of {wanted.host} may only be looked at", code="not_granted")
        return user
