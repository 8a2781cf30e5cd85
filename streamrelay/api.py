"""The platform's HTTP API and its console page (protocol.rst, "Platform API")."""

from collections.abc import Coroutine
from importlib import resources
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from attrs import define
from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.web.http import Request as HttpRequest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from streamrelay import wire
from streamrelay.bus import as_deferred
from streamrelay.errors import Refused
from streamrelay.grants import KeyRing, User
from streamrelay.logs import Logger
from streamrelay.platform import Platform

log = Logger()

MAX_BODY: Final = 16384
"""Bytes of a request's body."""

PAGES: Final = {
    b"": ("console.html", "text/html; charset=utf-8"),
    b"console.css": ("console.css", "text/css; charset=utf-8"),
    b"icon.svg": ("icon.svg", "image/svg+xml"),
    b"console.js": ("console.js", "text/javascript; charset=utf-8"),
}
"""All files that are served, by path; there are no others."""

_TITLES: Final = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    413: "Request too large",
    415: "Unsupported media type",
    500: "Internal error",
    502: "The target refused",
    503: "Unavailable",
    504: "Too slow",
}


class OpenRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``POST /v1/streams``."""

    host: str
    target: str


@define(eq=False)
class Gate:
    """Who may pass: a bearer key, or nobody in particular where the file allows it."""

    ring: KeyRing

    def user(self, request: Request) -> User:
        """Who asks, or `Refused`. Without a key only this machine is answered."""
        authorization = _header(request, "authorization")
        bearer = None
        if authorization is not None:
            scheme, _, bearer = authorization.partition(" ")
            if scheme.lower() != "bearer" or not bearer:
                raise Refused(401, "expected Authorization: Bearer KEY", code="no_key")
        user = self.ring.user(bearer.strip() if bearer else None)
        if user is None:
            raise Refused(401, "this key is not known here" if bearer else "a key is needed", code="no_key")
        if bearer is None and not _is_local(request):
            raise Refused(401, "a key is needed", code="no_key")
        return user


def _header(request: Request, name: str) -> str | None:
    """A header as text, whatever bytes it holds."""
    value = request.getHeader(name.encode())
    return None if value is None else value.decode("utf-8", "replace")


def _is_local(request: Request) -> bool:
    """Whether a request comes from this machine, by one of its own names (no DNS rebinding) and through no proxy."""
    try:
        name = urlsplit("//" + (_header(request, "host") or "")).hostname or ""
    except ValueError:
        return False
    peer = getattr(request.getClientAddress(), "host", "")
    proxied = any(_header(request, header) for header in ("forwarded", "x-forwarded-for", "via"))
    return wire.is_loopback(name) and wire.is_loopback(peer) and not proxied


class ApiResource(Resource):
    """One path of the API: coroutines of asyncio that return a status and a body, or raise `Refused`."""

    isLeaf = True

    def __init__(self, platform: Platform, gate: Gate) -> None:
        super().__init__()
        self.platform, self.gate = platform, gate

    def render(self, request: Request) -> int:
        method = request.method.decode("ascii", "replace")
        work = getattr(self, f"answer_{method.lower()}", None)
        Deferred.fromCoroutine(self._render(request, work)).addErrback(
            lambda failure: log.failure("a request failed", failure)
        )
        return NOT_DONE_YET

    async def _render(self, request: Request, work: Any) -> None:
        gone = request.notifyFinish()
        lost: list[Failure] = []
        gone.addErrback(lost.append)
        try:
            if work is None:
                raise Refused(405, "this path does not take this method")
            user = self.gate.user(request)
            answer: Coroutine[Any, Any, tuple[int, object]] = work(request, user)
            status, body = await as_deferred(answer)
        except Refused as refusal:
            status, body = refusal.status, problem(refusal)
        except Exception:
            log.failure("{method} {path} failed", method=request.method, path=request.path)
            status, body = 500, problem(Refused(500, "an error in the platform; see its log"))
        if lost:
            if not lost[0].check(ConnectionDone):
                log.debug("a client left before its answer: {why}", why=lost[0].value)
            return
        send_json(request, status, body)


def problem(refusal: Refused) -> dict[str, Any]:
    """RFC 9457."""
    return {
        "type": "about:blank",
        "title": _TITLES.get(refusal.status, "Error"),
        "status": refusal.status,
        "detail": refusal.reason,
        "code": refusal.code or _TITLES.get(refusal.status, "error").lower().replace(" ", "_"),
    }


def send_json(request: Request, status: int, body: object) -> None:
    request.setResponseCode(status)
    secure_headers(request)
    if status == 401:
        request.setHeader("WWW-Authenticate", 'Bearer realm="streamrelay"')
    if status == 204:
        request.finish()
        return
    request.setHeader("Content-Type", "application/json" if status < 400 else "application/problem+json")
    request.write(msgspec.json.encode(body))
    request.finish()


def secure_headers(request: Request, policy: str = "default-src 'none'") -> None:
    """What every answer carries."""
    request.setHeader("Cache-Control", "no-store")
    request.setHeader("X-Content-Type-Options", "nosniff")
    request.setHeader("Referrer-Policy", "no-referrer")
    request.setHeader("Cross-Origin-Resource-Policy", "same-origin")
    request.setHeader("Content-Security-Policy", f"{policy}; base-uri 'none'; frame-ancestors 'none'")


class Streams(ApiResource):
    """/v1/streams"""

    async def answer_post(self, request: Request, user: User) -> tuple[int, object]:
        content_type = (_header(request, "content-type") or "").split(";")[0].strip().lower()
        if content_type != "application/json":  # a form of another site can't send this without asking first
            raise Refused(415, "expected Content-Type: application/json")
        try:
            wanted = wire.decode(request.content.read(MAX_BODY) if request.content else b"", OpenRequest)
        except ValueError as error:
            raise Refused(400, f'expected {{"host": …, "target": …}}: {error}') from None
        if not user.may(wanted.host, wanted.target):
            log.info(
                "{user} may not open {target} of {host}",
                user=user.name,
                target=wanted.target[:100],
                host=wanted.host[:64],
            )
            raise Refused(403, "this key has no grant for that host and target", code="not_granted")
        opened = await self.platform.open(user.name, wanted.host, wanted.target)
        log.info(
            "stream {stream} opened for {user}: {target} of {host}",
            stream=opened.stream,
            user=user.name,
            target=wanted.target,
            host=wanted.host,
        )
        return 201, opened

    async def answer_get(self, request: Request, user: User) -> tuple[int, object]:
        streams = await self.platform.streams()
        return 200, {"streams": [info for info in streams if user.may(info.host, info.target)]}


class OneStream(ApiResource):
    """/v1/streams/<id>"""

    def __init__(self, platform: Platform, gate: Gate, stream: str) -> None:
        super().__init__(platform, gate)
        self.stream = stream

    async def answer_delete(self, request: Request, user: User) -> tuple[int, object]:
        for info in await self.platform.streams():
            if info.stream == self.stream and user.may(info.host, info.target):
                await self.platform.end(info.host, info.stream)
                log.info("stream {stream} ended by {user}", stream=info.stream, user=user.name)
                return 204, None
        raise Refused(404, "no such stream", code="no_such_stream")


class Hosts(ApiResource):
    """/v1/hosts"""

    async def answer_get(self, request: Request, user: User) -> tuple[int, object]:
        hosts = []
        for info in await self.platform.hosts():
            targets = [target for target in info.targets if user.may_see(info.host, target.name)]
            if targets:
                hosts.append({"host": info.host, "targets": targets})
        return 200, {"hosts": hosts}


class Page(Resource):
    """One file of the console."""

    isLeaf = True

    def __init__(self, name: str, content_type: str, policy: str) -> None:
        super().__init__()
        self.content = resources.files("streamrelay.web").joinpath(name).read_bytes()
        self.content_type, self.policy = content_type, policy

    def render(self, request: Request) -> bytes | int:
        if request.method not in (b"GET", b"HEAD"):
            send_json(request, 405, problem(Refused(405, "this path does not take this method")))
            return NOT_DONE_YET
        request.setHeader("Content-Type", self.content_type)
        secure_headers(request, self.policy)
        return self.content


class Root(Resource):
    """All paths there are."""

    def __init__(self, platform: Platform, ring: KeyRing) -> None:
        super().__init__()
        self.platform, self.gate = platform, Gate(ring)
        relay = urlsplit(platform.relay)
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'none'; "
            f"connect-src 'self' {relay.scheme}://{relay.netloc}"
        )
        self.pages = {path: Page(name, kind, policy) for path, (name, kind) in PAGES.items()}

    def getChild(self, path: bytes, request: Request) -> Resource:
        rest = list(request.postpath or ())
        if path in self.pages and not rest:
            return self.pages[path]
        match [path, *rest]:
            case [b"v1", b"streams"]:
                child: Resource = Streams(self.platform, self.gate)
            case [b"v1", b"streams", stream]:
                child = OneStream(self.platform, self.gate, stream.decode("utf-8", "replace"))
            case [b"v1", b"hosts"]:
                child = Hosts(self.platform, self.gate)
            case _:
                child = Missing()
        request.postpath = []
        return child


class Missing(Resource):
    """No such path."""

    isLeaf = True

    def render(self, request: Request) -> int:
        send_json(request, 404, problem(Refused(404, "no such path")))
        return NOT_DONE_YET


class BoundedRequest(Request):
    """A request whose body is no longer than `MAX_BODY`."""

    def gotLength(self, length: int | None) -> None:
        """A body without a length comes in chunks; no client of this API needs to send one."""
        super().gotLength(length)
        if length is None or length > MAX_BODY:
            status = b"411 Length Required" if length is None else b"413 Content Too Large"
            self.channel.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.channel.loseConnection()


class QuietSite(Site):
    """A site without an access log: what matters is logged in our own words."""

    noisy = False

    def log(self, request: HttpRequest) -> None: ...


def site(platform: Platform, ring: KeyRing) -> Site:
    """The factory to listen with."""
    factory = QuietSite(Root(platform, ring), requestFactory=BoundedRequest, timeout=60)
    factory.displayTracebacks = False
    return factory
