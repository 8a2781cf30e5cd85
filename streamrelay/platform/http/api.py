"""The platform's HTTP API and its console page (protocol.rst, "The platform's API")."""

from functools import partial
from typing import Final

from msgspec import Struct
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from streamrelay import __version__
from streamrelay.bus.connection import as_deferred
from streamrelay.errors import Refused
from streamrelay.logs import Logger
from streamrelay.platform.auth.credentials import Credentials
from streamrelay.platform.auth.session_token import csrf_of
from streamrelay.platform.fleet.views import Views
from streamrelay.platform.http import cookies
from streamrelay.platform.http.api_resource import SENT, ApiResource, Result, read_body
from streamrelay.platform.http.assets import pages
from streamrelay.platform.http.authenticate import Authenticator, Caller
from streamrelay.platform.http.changes import Changes, Watchers
from streamrelay.platform.http.health import Health
from streamrelay.platform.http.hosts import Hosts
from streamrelay.platform.http.open_request import OpenRequest, open_stream, permit, tell_opened
from streamrelay.platform.http.relays import OneDrain, RelayList
from streamrelay.platform.http.responses import send_early, send_problem, takes_lines
from streamrelay.platform.http.resume import ResumeStream
from streamrelay.platform.http.stream_list import StreamLists
from streamrelay.platform.http.tally import OPENING, AnswerTally
from streamrelay.platform.http.terminals import OneTerminal, TerminalList
from streamrelay.platform.live_streams import Listing
from streamrelay.platform.platform import Platform
from streamrelay.program.readiness import Readiness
from streamrelay.protocol.summons import StreamInfo

log = Logger()

ONLY_LOOKS: Final = "this key may only look"


class SignInRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``POST /v1/session``."""

    key: str


class Streams(ApiResource):
    """The path ``/v1/streams``: opens a stream (POST), lists those that live (GET)."""

    path = OPENING

    def __init__(
        self, platform: Platform, authenticator: Authenticator, tally: AnswerTally, lists: StreamLists
    ) -> None:
        super().__init__(platform, authenticator, tally)
        self.lists = lists

    async def answer_post(self, request: Request, caller: Caller) -> Result:
        wanted = read_body(request, OpenRequest)
        user, view = await permit(self.authenticator, caller, wanted)
        early = partial(send_early, request) if takes_lines(request) else None
        opened = await as_deferred(open_stream(self.platform, user, wanted, view, early))
        tell_opened(opened, user, wanted)
        if request.channel is None:  # nobody knows of it, and its target would wait for nobody
            log.info(
                "stream {stream} is ended: {user} has left before the answer", stream=opened.stream, user=user.name
            )
            await as_deferred(self.platform.end(wanted.host, opened.stream))
        return 201, opened

    async def answer_get(self, request: Request, caller: Caller) -> Result:
        user = await self.authenticator.listing(caller)
        # For who has no grants nobody needs to be asked.
        listing = await as_deferred(self.platform.streams()) if user.grants else Listing[StreamInfo]()
        self.lists.send(request, user, listing)
        return SENT


class OneStream(ApiResource):
    """The path ``/v1/streams/<id>``: ends a stream (DELETE)."""

    path = "/v1/streams/ID"

    def __init__(self, platform: Platform, authenticator: Authenticator, tally: AnswerTally, stream: str) -> None:
        super().__init__(platform, authenticator, tally)
        self.stream = stream

    async def answer_delete(self, request: Request, caller: Caller) -> Result:
        """End a stream at all hosts that claim it: one that invents a stream must not keep the true one from its
        end."""
        user = await self.authenticator.listing(caller)
        if not user.grants:
            raise Refused(404, "no such stream", code="no_such_stream")
        if all(grant.view for grant in user.grants):
            raise Refused(403, f"{ONLY_LOOKS}, so it ends no stream", code="not_granted")
        for anew in (False, True):  # who sees it in the list needn't wait until all hosts are asked
            streams = await as_deferred(self.platform.streams(anew=anew))
            seen = [info for info in streams if info.stream == self.stream and user.may(info.host, info.target)]
            if seen:
                break
        named = [info for info in seen if user.may(info.host, info.target, act=True)]
        failures: list[Refused] = []
        for info in {info.host: info for info in named}.values():
            try:
                who = await self.authenticator.permit(caller, "end", info.host, info.target, info.stream)
                await as_deferred(self.platform.end(info.host, info.stream))
                log.info("stream {stream} of {host} ended by {user}", stream=info.stream, host=info.host, user=who.name)
            except Refused as refusal:
                failures.append(refusal)
        if failures:
            raise failures[0]
        if seen and not named:
            raise Refused(403, f"{ONLY_LOOKS} at {seen[0].target} of {seen[0].host}", code="not_granted")
        if not named and not streams.complete:
            raise Refused(503, "not all hosts answered, and none of those that did has this stream", code="incomplete")
        if not named:
            raise Refused(404, "no such stream", code="no_such_stream")
        return 204, None


class Session(ApiResource):
    """The path ``/v1/session``: signs in at the console (POST), tells who is signed in (GET), signs out (DELETE)."""

    path = "/v1/session"

    async def _answer(self, request: Request, credentials: Credentials) -> Result:
        if request.method == b"POST":  # by somebody who isn't known yet
            return self._sign_in(request, credentials)
        if request.method == b"GET" and self.authenticator.is_nobody(credentials):  # a question, not a fault
            return 200, {"user": None, "csrf": ""}
        return await super()._answer(request, credentials)

    def _sign_in(self, request: Request, credentials: Credentials) -> Result:
        user, token = self.authenticator.sign_in(credentials, read_body(request, SignInRequest).key.strip())
        cookies.write(request, token, self.authenticator.sessions.life)
        return 201, {"user": user.name, "csrf": csrf_of(token), "version": __version__}

    async def answer_get(self, request: Request, caller: Caller) -> Result:
        known = {"user": caller.user.name, "csrf": caller.csrf}
        return 200, known if caller.is_stranger else {**known, "version": __version__}

    async def answer_delete(self, request: Request, caller: Caller) -> Result:
        self.authenticator.sign_out(caller)
        cookies.clear(request)
        return 204, None


class Root(Resource):
    """The root of all paths: those of the API, and the files of the pages."""

    def __init__(
        self,
        platform: Platform,
        authenticator: Authenticator,
        viewers: str = "",
        tally: AnswerTally | None = None,
        readiness: Readiness | None = None,
    ) -> None:
        super().__init__()
        self.platform, self.authenticator = platform, authenticator
        # Readiness of the program; the platform itself has none, as it is a library's.
        self.readiness = readiness or Readiness()
        self.tally = tally or AnswerTally(platform.clock)
        self.pages = pages(lambda: platform.choice.sources, viewers)
        self.views = Views(platform.inventory)
        self.watchers, self.stream_lists = Watchers(self.views, platform), StreamLists()

    def getChild(self, path: bytes, request: Request) -> Resource:
        segments = (path, *(request.postpath or ()))
        if segments in self.pages:
            return self.pages[segments]
        parts = self.platform, self.authenticator, self.tally
        match segments:
            case [b"v1", b"streams"]:
                child: Resource = Streams(*parts, self.stream_lists)
            case [b"v1", b"streams", stream]:
                child = OneStream(*parts, stream.decode("utf-8", "replace"))
            case [b"v1", b"streams", stream, b"resume"]:
                child = ResumeStream(*parts, stream.decode("utf-8", "replace"))
            case [b"v1", b"hosts"]:
                child = Hosts(*parts, self.views)
            case [b"v1", b"hosts", b"changes"]:
                child = Changes(*parts, self.watchers)
            case [b"v1", b"hosts", host, b"terminals"]:
                child = TerminalList(*parts, host.decode("utf-8", "replace"))
            case [b"v1", b"hosts", host, b"terminals", terminal]:
                child = OneTerminal(*parts, *(part.decode("utf-8", "replace") for part in (host, terminal)))
            case [b"v1", b"relays"]:
                child = RelayList(*parts)
            case [b"v1", b"relays", relay, b"drain"]:
                child = OneDrain(*parts, relay.decode("utf-8", "replace"))
            case [b"v1", b"session"]:
                child = Session(*parts)
            case [b"health"]:
                child = Health(self.platform, self.readiness)
            case _:
                child = Missing()
        request.postpath = []
        return child


class Missing(Resource):
    """The answer to any path that there is not: 404."""

    isLeaf = True

    def render(self, request: Request) -> int:
        send_problem(request, Refused(404, "no such path"))
        return NOT_DONE_YET
