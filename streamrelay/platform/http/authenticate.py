"""Authentication: the one place that says who a request's user is, and if they may (protocol.rst, "Who asks").

The first credential that a request brings counts. A bad one is refused, never passed over for a weaker one:

1. ``Authorization``: a key, or a JWT of the issuer,
2. the cookie of the console's session,
3. with ``forward``, any other Authorization or Cookie: the system that is asked may know it,
4. nothing: the anonymous user, on this machine alone.
"""

from collections.abc import Mapping
from math import ceil

from attrs import define, field
from twisted.web.server import Request

from streamrelay.errors import Refused
from streamrelay.logs import Logger
from streamrelay.net.proxies import Proxies
from streamrelay.platform.auth.grants import KeyRing, UnknownKey, User, hash_key
from streamrelay.platform.auth.oidc import BearerError, Issuer
from streamrelay.platform.auth.sessions import Sessions, csrf_of
from streamrelay.platform.auth.throttle import Throttle
from streamrelay.platform.auth.webhook import Action, Asking, Question
from streamrelay.platform.http import cookies
from streamrelay.platform.http.origin import NO_PROXIES, client_address, header, is_local, is_own_page
from streamrelay.protocol.names import PREFIX

log = Logger()


@define(frozen=True)
class Caller:
    """The sender of a request: a user, or a stranger whom the system that is asked may know."""

    user: User
    address: str
    csrf: str = ""
    """Of the console's session, if there is one."""
    credentials: Mapping[str, str] = field(factory=dict, repr=False)
    """Only of a stranger: headers by which the system that is asked may know them."""

    @property
    def is_stranger(self) -> bool:
        return bool(self.credentials)

    @property
    def name(self) -> str:
        """For logs."""
        return self.user.name or f"somebody at {self.address}"


@define(eq=False)
class Authenticator:
    """Lets requests in, or refuses them."""

    ring: KeyRing
    sessions: Sessions
    throttle: Throttle
    issuer: Issuer | None = None
    asking: Asking | None = None
    proxies: Proxies = NO_PROXIES
    origins: tuple[str, ...] = ()
    """Origins of pages elsewhere that may ask; by a key or a JWT alone, which such a page must have of its own."""

    async def caller(self, request: Request) -> Caller:
        """Who asks, or `Refused`."""
        address = client_address(request, self.proxies)
        authorization = header(request, "authorization")
        if authorization is not None:
            return await self._by_authorization(request, authorization, address)
        if header(request, "origin") in self.origins and not is_own_page(request):
            raise Refused(401, "a page of another site needs a key", code="no_key")
        token = cookies.read(request)
        if token is not None:
            return self._by_session(request, token, address)
        if self._forwards and cookies.others(request):
            return self._stranger(request, address)
        user = self._anonymous(request)
        if user is None:
            raise Refused(401, "a key is needed", code="no_key")
        return Caller(user, address)

    def is_nobody(self, request: Request) -> bool:
        """Whether a request brings no credential at all, where one is needed."""
        brings = header(request, "authorization") is not None or cookies.read(request) is not None
        strangers = self._forwards and bool(cookies.others(request))
        return not brings and not strangers and self._anonymous(request) is None

    def _anonymous(self, request: Request) -> User | None:
        return self.ring.user(None) if is_local(request) else None

    async def _by_authorization(self, request: Request, authorization: str, address: str) -> Caller:
        scheme, _, bearer = authorization.partition(" ")
        bearer = bearer.strip()
        if scheme.lower() == "bearer" and bearer:
            if self.issuer is not None and bearer.count(".") == 2:
                return Caller(await self._by_jwt(self.issuer, bearer, address), address)
            user = self.ring.user(bearer)
            if user is not None:
                return Caller(user, address)
            if bearer.startswith(PREFIX) or not self._forwards:
                raise self.refuse(address, "this key is not known here")
        if not self._forwards:
            raise Refused(401, "expected Authorization: Bearer KEY", code="no_key")
        return self._stranger(request, address)

    async def _by_jwt(self, issuer: Issuer, token: str, address: str) -> User:
        try:
            claims = await issuer.claims(token)
        except BearerError as error:
            raise self.refuse(address, "this token is not accepted here", str(error)) from None
        return User(issuer.user_of(claims), self.ring.claimed(claims))

    def _by_session(self, request: Request, token: str, address: str) -> Caller:
        session = self.sessions.find(token)
        user = self.ring.holder(session.name, session.key_hash) if session is not None else None
        if user is None:
            self.sessions.end(token)
            cookies.clear(request)
            raise self.refuse(address, "this session is over; sign in again")
        if cookies.is_forged(request, token):
            raise Refused(403, "this does not come from the console's own page", code="csrf")
        return Caller(user, address, csrf_of(token))

    def _stranger(self, request: Request, address: str) -> Caller:
        authorization, cookie = header(request, "authorization"), cookies.others(request)
        if request.method not in cookies.SAFE and not is_own_page(request):
            raise Refused(403, "this does not come from a page of this site", code="csrf")
        sent = {"Authorization": authorization, "Cookie": cookie}
        return Caller(User("", ()), address, credentials={name: value for name, value in sent.items() if value})

    @property
    def _forwards(self) -> bool:
        return self.asking is not None and self.asking.config.forward

    def sign_in(self, request: Request, key: str) -> tuple[User, str]:
        """The holder of a key and a new session's token, or `Refused`."""
        address = client_address(request, self.proxies)
        if not is_own_page(request):
            raise Refused(403, "this does not come from the console's own page", code="csrf")
        try:
            user = self.ring.sign_in(key)
        except UnknownKey as error:
            raise self.refuse(address, str(error)) from None
        old = cookies.read(request)
        if old is not None:
            self.sessions.end(old)
        log.info("{user} signed in from {address}", user=user.name, address=address)
        return user, self.sessions.begin(user.name, hash_key(key))

    def refuse(self, address: str, reason: str, detail: str = "") -> Refused:
        """A bad credential's answer: 401, or 429 where an address sends too many. A good one passes in any case:
        nobody can guess 256 bits, and those behind one address must not be locked out by one of them.
        """
        wait = self.throttle.fail(address)
        if wait:
            return Refused(429, "too many bad keys from this address", code="too_many", retry_after=ceil(wait))
        log.info("refused a request from {address}: {reason}", address=address, reason=detail or reason)
        return Refused(401, reason, code="no_key")

    async def permit(
        self, caller: Caller, action: Action, host: str, target: str, stream: str | None = None, view: bool = False
    ) -> User:
        """The user in whose name a stream is opened or ended, or `Refused` 403. `view`: it may only be looked at."""
        if not caller.is_stranger and not caller.user.may(host, target):
            raise Refused(403, "no grant for that host and target", code="not_granted")
        return await self._ask(caller, action, host, target, stream, view)

    async def listing(self, caller: Caller) -> User:
        """The user whose grants say what a list shows, or `Refused`."""
        return await self._ask(caller, "list")

    async def _ask(
        self,
        caller: Caller,
        action: Action,
        host: str | None = None,
        target: str | None = None,
        stream: str | None = None,
        view: bool = False,
    ) -> User:
        if self.asking is None:
            return caller.user
        name = None if caller.is_stranger else caller.user.name
        question = Question(action, name, host, target, stream, caller.address, view)
        verdict = await self.asking.decide(question, caller.credentials)
        return User(verdict.user, verdict.grants) if caller.is_stranger else caller.user
