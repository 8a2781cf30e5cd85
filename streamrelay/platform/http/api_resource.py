"""One path of the platform's API: who asks, what is asked in a body, and how a result or a refusal is answered."""

from collections.abc import Awaitable, Callable
from typing import ClassVar, Final, TypeVar

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from streamrelay.errors import Refused
from streamrelay.logs import Logger
from streamrelay.platform.auth.credentials import Credentials
from streamrelay.platform.http import cookies
from streamrelay.platform.http.authenticate import Authenticator, Caller, SessionOver
from streamrelay.platform.http.bounded_request import MAX_BODY
from streamrelay.platform.http.credentials import read_credentials
from streamrelay.platform.http.limits import remember
from streamrelay.platform.http.origin import header, share
from streamrelay.platform.http.responses import send_json, send_problem
from streamrelay.platform.http.tally import AnswerTally
from streamrelay.platform.platform import Platform
from streamrelay.protocol import codec

log = Logger()

Body = TypeVar("Body", bound=Struct)
Result = tuple[int, object]
"""An answer's status, and its body before it becomes JSON."""
SENT: Final[Result] = (0, None)
"""The result of a request that was answered otherwise."""


class ApiResource(Resource):
    """One path of the API: a coroutine for each method returns a status and a body, or raises `Refused`."""

    isLeaf = True
    path: ClassVar[str]
    """Path as it is counted: of one stream's, none tells which."""

    def __init__(self, platform: Platform, authenticator: Authenticator, tally: AnswerTally) -> None:
        super().__init__()
        self.platform, self.authenticator, self.tally = platform, authenticator, tally

    def render(self, request: Request) -> int:
        Deferred.fromCoroutine(self._render(request)).addErrback(
            lambda failure: log.failure("an error while a request was answered", failure)
        )
        return NOT_DONE_YET

    async def _render(self, request: Request) -> None:
        gone = request.notifyFinish()
        lost: list[Failure] = []
        gone.addErrback(lost.append)
        refusal = None
        status, body = 500, None
        began = self.tally.clock()
        try:
            credentials = read_credentials(request, self.authenticator.proxies)
            status, body = await self._answer(request, credentials)
        except Refused as refused:
            refusal = refused
        except Exception:
            log.failure("an error while {method} {path} was answered", method=request.method, path=request.path)
            refusal = Refused(500, "an error in the platform; see its log")
        self.tally.answered(request, self.path, refusal, self.tally.clock() - began)
        if lost:
            if not lost[0].check(ConnectionDone):
                log.debug("a client closed the connection before its answer: {why}", why=lost[0].value)
        elif refusal is not None:
            send_problem(request, refusal)
        elif (status, body) != SENT:
            send_json(request, status, body)

    async def _answer(self, request: Request, credentials: Credentials) -> Result:
        if share(request, self.authenticator.origins):
            return 204, None
        method = request.method.decode("ascii", "replace").lower()
        work: Callable[[Request, Caller], Awaitable[Result]] | None = getattr(self, f"answer_{method}", None)
        if work is None:
            raise Refused(405, "this path does not take this method")
        caller = await self._caller(request, credentials)
        if caller.session or credentials.authorization:
            remember(request, caller.user.name)
        return await work(request, caller)

    async def _caller(self, request: Request, credentials: Credentials) -> Caller:
        try:
            caller = await self.authenticator.caller(credentials)
        except SessionOver:
            cookies.clear(request)
            raise
        newer = self.authenticator.sessions.renew(caller.session) if caller.session and credentials.safe else None
        if newer is not None:
            cookies.write(request, newer, self.authenticator.sessions.life)
        return caller


def read_body(request: Request, kind: type[Body]) -> Body:
    """Return a request's JSON body, or raise `Refused`: 415 if it isn't named JSON, 400 if it isn't as expected."""
    content_type = (header(request, "content-type") or "").split(";")[0].strip().lower()
    if content_type != "application/json":  # a form of another site can't send this without asking first
        raise Refused(415, "expected Content-Type: application/json")
    expected = ", ".join(f'"{name}": …' for name in kind.__struct_encode_fields__)
    try:
        return codec.decode(request.content.read(MAX_BODY) if request.content else b"", kind)
    except ValueError as error:
        raise Refused(400, f"expected {{{expected}}}: {error}") from None
