"""Authentication: the one place that says who a request's user is, and if they may (protocol.rst, "Who asks").

It is decided on `Credentials`, without HTTP. The first credential that a request brings counts; a bad one is refused,
never passed over for a weaker one:

1. ``Authorization``: a key, or a JWT of the issuer,
2. the cookie of the console's session,
3. with ``forward``, any other Authorization or Cookie: the system that is asked may know it,
4. nothing: the anonymous user, on this machine alone, and for no page of another site.
"""

from collections.abc import Mapping
from math import ceil

from attrs import define, field
from msgspec import UNSET, UnsetType

from streamrelay.errors import Refused
from streamrelay.logs import Logger
from streamrelay.net.proxies import Proxies
from streamrelay.platform.auth.credentials import Credentials
from streamrelay.platform.auth.grants import KeyRing, UnknownKey, User, hash_key
from streamrelay.platform.auth.oidc import BearerError, Issuer, MistimedBearer
from streamrelay.platform.auth.session_token import csrf_of
from streamrelay.platform.auth.sessions import Sessions
from streamrelay.platform.auth.throttle import Throttle
from streamrelay.platform.auth.webhook import Action, Asking, Question
from streamrelay.protocol.names import PREFIX

log = Logger()


@define(frozen=True)
class Caller:
    """The sender of a request: a user, or a stranger whom the system that is asked may know."""

    user: User
    address: str
    session: str = field(default="", repr=False)
    """The token of the console's session, if there is one."""
    forwarded: Mapping[str, str] = field(factory=dict, repr=False)
    """Only of a stranger: headers by which the system that is asked may know them."""

    @property
    def is_stranger(self) -> bool:
        return bool(self.forwarded)

    @property
    def csrf(self) -> str:
        """The CSRF token of the session; empty without one."""
        return csrf_of(self.session) if self.session else ""

    @property
    def name(self) -> str:
        """For logs."""
        return self.user.name or f"somebody at {self.address}"


class SessionOver(Refused):
    """A session that is over, so that its cookie is to be forgotten."""


@define(eq=False)
class Authenticator:
    """Lets requests in, or refuses them."""

    ring: KeyRing
    sessions: Sessions
    throttle: Throttle
    issuer: Issuer | None = None
    asking: Asking | None = None
    proxies: Proxies = field(factory=Proxies)
    origins: tuple[str, ...] = ()
    """Origins of pages elsewhere that may ask; by a key or a JWT alone, which such a page must have of its own."""

    async def caller(self, credentials: Credentials) -> Caller:
        """Return who asks, or raise `Refused`."""
        if credentials.authorization is not None:
            return await self._by_authorization(credentials)
        if credentials.origin in self.origins and not credentials.own_page:
            raise Refused(401, "a page of another site needs a key", code="no_key")
        if credentials.session is not None:
            return self._by_session(credentials, credentials.session)
        if self._forwards and credentials.cookies:
            return self._stranger(credentials)
        user = self._anonymous(credentials)
        if user is None:
            raise Refused(401, "a key is needed", code="no_key")
        return Caller(user, credentials.address)

    def is_nobody(self, credentials: Credentials) -> bool:
        """Return whether there is no credential at all, where one is needed."""
        brings = credentials.authorization is not None or credentials.session is not None
        strangers = self._forwards and bool(credentials.cookies)
        return not brings and not strangers and self._anonymous(credentials) is None

    def _anonymous(self, credentials: Credentials) -> User | None:
        return self.ring.user(None) if credentials.local and credentials.own_page else None

    async def _by_authorization(self, credentials: Credentials) -> Caller:
        bearer, address = credentials.bearer, credentials.address
        if bearer:
            if self.issuer is not None and bearer.count(".") == 2:
                return Caller(await self._by_jwt(self.issuer, bearer, address), address)
            user = self.ring.user(bearer)
            if user is not None:
                return Caller(user, address)
            if bearer.startswith(PREFIX) or not self._forwards:
                raise self.refuse(address, "this key is not known here")
        if not self._forwards:
            raise Refused(401, "expected Authorization: Bearer KEY", code="no_key")
        return self._stranger(credentials)

    async def _by_jwt(self, issuer: Issuer, token: str, address: str) -> User:
        try:
            claims = await issuer.claims(token)
        except MistimedBearer as error:
            raise self.refuse(address, f"this token is not accepted now: {error}") from None
        except BearerError as error:
            raise self.refuse(address, "this token is not accepted here", str(error)) from None
        return self.ring.claimed(issuer.user_of(claims), claims)

    def _by_session(self, credentials: Credentials, token: str) -> Caller:
        session = self.sessions.find(token)
        user = self.ring.holder(session.name, session.key_hash) if session is not None else None
        if user is None:
            self.sessions.end(token)
            raise self.refuse(credentials.address, "this session is over; sign in again", kind=SessionOver)
        if credentials.forged:
            raise Refused(403, "this does not come from the console's own page", code="csrf")
        return Caller(user, credentials.address, token)

    def _stranger(self, credentials: Credentials) -> Caller:
        if not credentials.safe and not credentials.own_page:
            raise Refused(403, "this does not come from a page of this site", code="csrf")
        sent = {"Authorization": credentials.authorization, "Cookie": credentials.cookies}
        forwarded = {name: value for name, value in sent.items() if value}
        return Caller(User("", ()), credentials.address, forwarded=forwarded)

    @property
    def _forwards(self) -> bool:
        return self.asking is not None and self.asking.config.forward

    def sign_in(self, credentials: Credentials, key: str) -> tuple[User, str]:
        """Return the holder of a key and a new session's token, or raise `Refused`."""
        if not credentials.own_page:
            raise Refused(403, "this does not come from the console's own page", code="csrf")
        try:
            user = self.ring.sign_in(key)
        except UnknownKey as error:
            raise self.refuse(credentials.address, str(error)) from None
        if credentials.session is not None:
            self.sessions.end(credentials.session)
        log.info("{user} signed in from {address}", user=user.name, address=credentials.address)
        return user, self.sessions.begin(user.name, hash_key(key))

    def sign_out(self, caller: Caller) -> None:
        """End the session by which somebody asks, or raise `Refused`."""
        if not caller.session:
            raise Refused(404, "not signed in, so there is no session to end", code="no_such_session")
        self.sessions.end(caller.session)
        log.info("{user} signed out", user=caller.user.name)

    def refuse(self, address: str, reason: str, detail: str = "", kind: type[Refused] = Refused) -> Refused:
        """A bad credential's answer: 401, or 429 where an address sends too many. A good one passes in any case:
        nobody can guess 256 bits, and those behind one address must not be locked out by one of them.
        """
        wait = self.throttle.fail(address)
        if wait:
            return kind(429, "too many bad keys from this address", code="too_many", retry_after=ceil(wait))
        log.info("refused a request from {address}: {reason}", address=address, reason=detail or reason)
        return kind(401, reason, code="no_key")

    async def permit(
        self,
        caller: Caller,
        action: Action,
        host: str,
        target: str,
        stream: str | None = None,
        view: bool = False,
        terminal: str = "",
    ) -> User:
        """The user in whose name a stream, or the terminal that is named, is opened or ended, or `Refused` 403. `view`:
        it may only be looked at."""
        if not caller.is_stranger and not caller.user.may(host, target):
            raise Refused(403, "no grant for that host and target", code="not_granted")
        return await self._ask(caller, action, host, target, stream, view, terminal=terminal or UNSET)

    async def permit_drain(self, caller: Caller, relay: str) -> User:
        """The user in whose name a relay is drained, or taken back, or `Refused` 403."""
        if caller.is_stranger or not caller.user.may_drain(relay):
            raise Refused(403, "no grant to drain that relay", code="not_granted")
        return await self._ask(caller, "drain", relay=relay)

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
        relay: str | UnsetType = UNSET,
        terminal: str | UnsetType = UNSET,
    ) -> User:
        if self.asking is None:
            return caller.user
        name = None if caller.is_stranger else caller.user.name
        question = Question(action, name, host, target, stream, caller.address, view, relay, terminal)
        verdict = await self.asking.decide(question, caller.forwarded)
        return User(verdict.user, verdict.grants) if caller.is_stranger else caller.user
