"""A client of NATS whose connections begin with TLS and credentials as we want them, and questions to all listeners."""

import asyncio
import random
import ssl
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import ParseResult, urlsplit

from attrs import define, field
from nats import errors as nats_errors
from nats.aio.client import DEFAULT_BUFFER_SIZE, Client, Srv
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.protocol.parser import AWAITING_MSG_PAYLOAD, Parser

from streamrelay.bus.credentials import Credentials
from streamrelay.bus.pulse import Pulse
from streamrelay.bus.settings import PLAIN, WEBSOCKETS, without_password
from streamrelay.bus.transports import BusTransport
from streamrelay.errors import ConfigError
from streamrelay.net.outbound import DIRECT, Outbound

PORT: Final = 4222
FIRST: Final = 1.0
"""Seconds in which the first answer to a question must come, and that of each who answered the last time."""
QUIET: Final = 0.1
"""Seconds without a further answer after which there are no more."""
STRANGE: Final = 0.5
"""The same where nobody is known who could be missed, as after a start."""
LONGEST: Final = 3.0
"""Seconds after which answers that still come are cut off, and a second more for each `A_SECOND` that are due."""
A_SECOND: Final = 5000
"""Answers a second that a busy program takes."""
MOST_BYTES: Final = 64 << 20
"""Bytes of answers, over which they are cut off."""
MOST_MESSAGE: Final = 8 << 20
"""Bytes of one message at most, eight times what nats-server lets through by default. No more is ever held of one."""
MOST_LINE: Final = 64 * 1024
"""Bytes of one line of NATS' protocol at most; a cluster's list of servers is the longest."""


class Endless(nats_errors.ProtocolError):
    """A message or a line of the server that is longer than any that we can need."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def __str__(self) -> str:
        return f"the server sent {self._what}; the connection is cut"


class BoundedParser(Parser):
    """nats-py's parser, which by itself gathers as many bytes as a server announces, or sends without end of line."""

    nc: "NatsClient"

    async def parse(self, data: bytes = b"") -> None:
        self.nc.pulse.hear()
        await super().parse(data)
        endless = self._endless()
        if endless is not None:
            self.reset()
            await self.nc._error_cb(endless)
            raise endless

    def _endless(self) -> Endless | None:
        if self.state == AWAITING_MSG_PAYLOAD:
            if self.needed > MOST_MESSAGE:
                return Endless(f"a message of {self.needed} bytes, over {MOST_MESSAGE}")
        elif len(self.buf) > MOST_LINE:
            return Endless(f"a line of over {MOST_LINE} bytes")
        return None


class Hangs(nats_errors.StaleConnectionError):
    """Silence of a server that was asked whether it is there."""


class Withheld(nats_errors.Error):
    """Silence towards a server that offers no TLS, or while the credentials can't be read."""


class NatsClient(Client):
    """nats-py's client, which shows its credentials and certificate as their files hold them now, and nothing in plain.

    nats-py by itself keeps the public key that it read first, hangs on a credentials file without a JWT, and goes on in
    plain where a server, or who poses as one, doesn't ask for TLS. `plain` are the places where that is allowed.
    """

    def __init__(
        self,
        plain: frozenset[tuple[str | None, int]],
        load: Callable[[], Credentials | None],
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
        outbound: Outbound = DIRECT,
    ) -> None:
        super().__init__()
        self.url = ""
        """The server that is being tried, or connected, without a user or password."""
        self.pulse = Pulse(self._send_ping, self._hangs)
        self._ps = BoundedParser(self)
        self._plain_places, self._load_credentials, self._load_tls = plain, load, tls
        self._outbound = outbound

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """TLS for the next connection; nats-py asks for it at every one."""
        return self._load_tls() or super().ssl_context

    @property
    def own_address(self) -> str:
        """Our own IP address in the connection."""
        return self._transport.own_address if isinstance(self._transport, BusTransport) else ""

    @property
    def has_others(self) -> bool:
        """True if more than one server is known, by the settings or by another server's word."""
        return len(self._server_pool) > 1

    def wait_between(self, seconds: float) -> None:
        """Let this time pass between two attempts at one server from now on."""
        self.options["reconnect_time_wait"] = seconds

    async def _ping_interval(self) -> None:
        await self.pulse.beat(lambda: self.is_connected)

    async def _hangs(self) -> None:
        if self.is_connected:
            await self._process_op_err(Hangs())

    async def _process_op_err(self, e: Exception) -> None:
        if isinstance(e, nats_errors.StaleConnectionError) and not isinstance(e, nats_errors.UnexpectedEOF):
            await self._error_cb(Hangs())
            if isinstance(self._transport, BusTransport):
                self._transport.abort()  # there is nobody with whom it could be closed in order
        await super()._process_op_err(e)

    async def _connect_to_server(self, s: Srv) -> None:
        s.uri = self._as_told(s)
        self.url = without_password(s.uri.geturl())
        seconds = self.options["connect_timeout"]
        transport: BusTransport
        if s.uri.scheme in WEBSOCKETS:
            from streamrelay.bus.websocket_transport import WebsocketTransport

            transport = websocket = WebsocketTransport(self._outbound)
            await websocket.open(s.uri, self.ssl_context if s.uri.scheme == "wss" else None, s.tls_name, seconds)
        else:
            transport = BusTransport(self._outbound)
            await transport.connect(s.uri, DEFAULT_BUFFER_SIZE, seconds)
        self._transport = transport

    def _as_told(self, server: Srv) -> ParseResult:
        """Return a server's URL; one that another has told us of is reached as that one is, by websocket if need be,
        of which nats-py doesn't think."""
        schemes = {known.uri.scheme for known in self._server_pool if not known.discovered} & set(WEBSOCKETS)
        return server.uri._replace(scheme=min(schemes)) if server.discovered and schemes else server.uri

    def _connect_command(self) -> bytes:
        """Return the first that a server hears of us, or raise `Withheld`."""
        server = self._current_server
        if not self._is_encrypted() and (server is None or place(server.uri.geturl()) not in self._plain_places):
            raise Withheld("the server offers no TLS, and its URL is not nats://; check nats, and tls in nats-server")
        try:
            shown = self._load_credentials()
        except ConfigError as error:
            raise Withheld(str(error)) from None
        if shown is not None:
            self._auth_configured = True
            self._signature_cb = shown.sign
            if shown.jwt:
                self._user_jwt_cb = shown.jwt.encode
            else:
                self._public_nkey = shown.public
        return super()._connect_command()

    def _is_encrypted(self) -> bool:
        writer = getattr(self._transport, "_io_writer", None)
        return writer is not None and writer.get_extra_info("ssl_object") is not None


def is_too_slow(error: Exception) -> bool:
    """Tell whether messages were dropped, as they came faster than they were taken."""
    return isinstance(error, nats_errors.SlowConsumerError)


def place(url: str) -> tuple[str | None, int]:
    parts = urlsplit(url)
    return parts.hostname, parts.port or PORT


def plain_places(urls: Iterable[str]) -> frozenset[tuple[str | None, int]]:
    """Return the places of these URLs where we log in without TLS."""
    return frozenset(place(url) for url in urls if urlsplit(url).scheme in PLAIN)


def soon() -> float:
    """Return the seconds between two attempts at a server that is down."""
    return 0.5 + random.random()


@define(frozen=True)
class Gathered:
    """Answers to one question, each with the name of who gave it."""

    answers: list[tuple[str, bytes]]
    complete: bool = True
    """True if nothing was cut off, and nobody is missing who was due."""
    missing: frozenset[str] = frozenset()
    """Names of those who were due and haven't answered."""


@define(eq=False)
class Gathering:
    """Answers as they come on an inbox, until there are no more."""

    inbox: str
    known: frozenset[str]
    """Names of those who are due."""
    coming: "asyncio.Queue[Msg]" = field(factory=asyncio.Queue)
    answers: dict[str, bytes] = field(factory=dict)
    _missing: set[str] = field(init=False)
    """Those of the known who haven't answered."""
    _size: int = 0

    def __attrs_post_init__(self) -> None:
        self._missing = set(self.known)

    async def hear(self) -> Gathered:
        now = asyncio.get_running_loop().time
        began = latest = now()
        heard, quiet = False, QUIET if self.known else STRANGE
        last = began + LONGEST + len(self.known) / A_SECOND
        while True:
            end = max(began + FIRST, latest + quiet) if self._missing or not heard else latest + quiet
            try:
                async with asyncio.timeout_at(min(end, last)):
                    message = await self.coming.get()
            except TimeoutError:
                if now() - end > QUIET / 2 and now() < last:  # we were busy; who knows what has come
                    latest = now()
                    continue
                return self._gathered(complete=end <= last and not self._missing)
            heard, latest = True, now()
            if message.subject == self.inbox:  # here the server says that nobody listens, or one who lies says so
                continue
            if not self._take(message.subject[len(self.inbox) + 1 :], message.data):
                return self._gathered(complete=False)

    def _take(self, name: str, answer: bytes) -> bool:
        """Keep the first answer of each; return False if there is no room for it."""
        if name in self.answers:
            return True
        self._size += len(answer)
        if self._size > MOST_BYTES:
            return False
        self.answers[name] = answer
        self._missing.discard(name)
        return True

    def _gathered(self, complete: bool) -> Gathered:
        return Gathered(list(self.answers.items()), complete, frozenset(self._missing))


async def gather(client: Client, subject: str, data: bytes, known: frozenset[str]) -> Gathered:
    """Ask all who listen on a subject. Who answers is the last part of the subject that the answer comes on."""
    gathering = Gathering(client.new_inbox(), known)
    heard = []
    try:
        for where in (gathering.inbox, f"{gathering.inbox}.*"):
            heard.append(await client.subscribe(where, cb=gathering.coming.put))
        await client.publish(subject, data, reply=gathering.inbox)
        return await gathering.hear()
    finally:
        for subscription in heard:
            await forget(subscription)


async def forget(subscription: Subscription) -> None:
    try:
        await subscription.unsubscribe()
    except nats_errors.Error:
        pass  # with its connection
