"""The bus: NATS, by nats-py on asyncio. Only this file, `nats_client`, `requests` and `subscriptions` know nats-py.

Core NATS and nothing durable: what is published while the bus is down is dropped, as a late summons is useless.
Coroutines here are asyncio's; `as_deferred` brings them to Twisted.
"""

import asyncio
import random
import ssl
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, TypeVar

from attrs import define, evolve, field
from nats import errors as nats_errors
from twisted.internet.defer import Deferred

from streamrelay.bus import credentials
from streamrelay.bus.complaints import Complaints, is_deafening, is_login_refused
from streamrelay.bus.message import BusError, Down, Message
from streamrelay.bus.nats_client import Gathered, NatsClient, forget, gather, is_too_slow, plain_places, soon
from streamrelay.bus.requests import Requests
from streamrelay.bus.settings import ENCRYPTED, without_password
from streamrelay.bus.subscriptions import Subscriptions
from streamrelay.bus.tls import tls_context
from streamrelay.files import Watched
from streamrelay.logs import Logger
from streamrelay.net.certificates import expiry_of, split_pair
from streamrelay.net.outbound import DIRECT, Outbound

log = Logger()
T = TypeVar("T")

ANSWER_TIME: Final = 5.0
"""Seconds that a server may take for each step of a connection."""
LOOK: Final = 0.02
"""Seconds between two looks whether there is a connection again."""
REFUSED: Final = 10.0
"""Seconds until the next attempt when the bus doesn't let us hear what we must."""
SELDOM: Final = 30.0
"""Seconds between two attempts at last, while the bus refuses our user; each wait is twice the one before."""


@define(eq=False)
class Bus:
    """A connection to NATS that is made again for ever; `start` doesn't wait for it."""

    urls: tuple[str, ...]
    name: str
    creds: str = ""
    """Path of a NATS credentials file; empty if there is none."""
    nkey: str = ""
    """Path of a file with an NKEY's seed; empty if there is none."""
    ca: str = ""
    certificate: str = ""
    """Files of the certificate that is shown to a server which asks for one: ``CERTIFICATE,KEY``."""
    handshake_first: bool = False
    """True if the servers begin with TLS, before a word of NATS (nats-server's ``handshake_first``)."""
    outbound: Outbound = DIRECT
    inbox: str = ""
    """Prefix of the subjects on which answers to our requests come; empty if we never ask."""
    up: Callable[[], None] = lambda: None
    """Called whenever there is a connection, be it the first or another one."""
    lost: Callable[[], None] = lambda: None
    """Called whenever a connection is lost."""
    _subscriptions: Subscriptions = field(factory=Subscriptions)
    _client: NatsClient | None = None
    _trying: NatsClient | None = None  # the client of now, be there a connection or not
    _task: "asyncio.Task[None] | None" = None
    _publishing: "set[asyncio.Task[None]]" = field(factory=set)
    _closed: asyncio.Event = field(factory=asyncio.Event)  # the client of now is done for
    requests: Requests = field(factory=Requests)
    _dropped: int = 0  # messages that came faster than they were taken
    _deaf: bool = False  # that client may not hear what it must
    _refusals: int = 0  # of our user, since there was a connection
    _complaints: Complaints = field(init=False)
    files: Watched = field(init=False)
    expiry: float = 0.0  # of the certificate that is shown, since the epoch; 0: there is none
    _tls: ssl.SSLContext | None = None

    def __attrs_post_init__(self) -> None:
        credentials.load(self.nkey, self.creds)
        self._complaints = Complaints(self.handshake_first)
        self.files = Watched("the certificates for NATS", self._paths, self._read)
        self.files.load()

    def _paths(self) -> list[str]:
        return [path for path in {self.ca, *split_pair(self.certificate)} if path]

    def _read(self) -> None:
        if self.ca or self.certificate or self.handshake_first or any(url.startswith(ENCRYPTED) for url in self.urls):
            self._tls, self.expiry = tls_context(self.ca, self.certificate), expiry_of(self.certificate)

    @property
    def losses(self) -> int:
        """Number of times that a connection was lost."""
        return self.requests.losses

    @property
    def gaps(self) -> int:
        """Number of times that messages for us may have been lost, until now."""
        return self.losses + self._dropped

    @property
    def connected(self) -> bool:
        return self._client is not None and self._client.is_connected

    @property
    def has_others(self) -> bool:
        """True if there is more than one server, so that who has lost one may be back by another in a moment."""
        return self._client is not None and self._client.has_others

    async def is_back(self) -> bool:
        """Return whether there is a connection; one that was lost just now is waited for if it can be had elsewhere."""
        while not self.connected and self.requests.may_be_back(self._client):
            await asyncio.sleep(LOOK)
        return self.connected

    @property
    def address(self) -> str:
        """Our own IP address in the connection; empty where there is none."""
        return self._client.own_address if self.connected and self._client is not None else ""

    def listen(self, subject: str, receive: Callable[[Message], None], needed: bool = True) -> None:
        """Subscribe, now and after every reconnect; to be called before `start`.

        Where the server forbids a subject that isn't `needed`, that is logged, and the rest works.
        """
        self._subscriptions.add(subject, receive, needed)

    def ignore(self, subject: str) -> None:
        """Listen to a subject no more, once what is on its way has been received."""
        self._begin(self._subscriptions.drop(subject))

    def start(self) -> None:
        """Connect in the background; to be called inside the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Close once what was published is out; after about two seconds in any case."""
        task, self._task = self._task, None
        if self._publishing:
            await asyncio.wait(self._publishing, timeout=1)
        try:
            await self._standing().flush(timeout=1)
        except (TimeoutError, BusError, nats_errors.Error) as error:
            log.debug("the connection to NATS was not closed in order: {error}", error=error)
        while task is not None and not task.done():  # on Python 3.11 asyncio.wait_for may swallow the first
            task.cancel()
            await asyncio.wait([task], timeout=0.2)

    def publish(self, subject: str, data: bytes, reply: str = "") -> None:
        """Publish now or never: without a connection the message is dropped.

        Where nobody listens, the server says so on the subject `reply`, if there is one; see `Message.nobody`.
        """
        self._begin(self._publish(subject, data, reply))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def request(self, subject: str, data: bytes, timeout: float, copies: bool = False) -> bytes:
        """Return the answer to a request, or raise `Nobody`, `Down`, or after `timeout` seconds `TooSlow`.

        A server that hangs is `Down` within about six seconds, be `timeout` longer, and at once from then on. With
        `copies` it is sent again where a server may have lost it; see `requests`.
        """
        return await self.requests.ask(self._standing(), subject, data, timeout, copies)

    async def gather(self, subject: str, due: frozenset[str], data: bytes = b"") -> Gathered:
        """The answers of all who listen, of whom these are `due`; `Down` if the bus was lost meanwhile, as then nobody
        knows what is missing."""
        client, losses, dropped = self._standing(), self.losses, self._dropped
        try:
            with client.pulse.felt():
                found = await gather(client, subject, data, due)
        except nats_errors.Error as error:
            raise Down(str(error)) from None
        # nats-py connects again by itself, but answers that were sent meanwhile never come.
        if self.losses != losses:
            raise Down("the connection to NATS was lost before all hosts had answered")
        return evolve(found, complete=found.complete and self._dropped == dropped)

    def _standing(self) -> NatsClient:
        if self._client is None or not self._client.is_connected:
            raise Down("there is no connection to NATS")
        return self._client

    async def _publish(self, subject: str, data: bytes, reply: str = "") -> None:
        try:
            await self._standing().publish(subject, data, reply=reply)
        except nats_errors.MaxPayloadError:
            self._complaints.tell_too_long(subject, len(data))
        except (BusError, nats_errors.Error) as error:
            log.debug("not published on {subject}: {error}", subject=subject, error=error)

    async def _run(self) -> None:
        """Connect, listen, and begin anew with fresh credentials when the connection closes for good."""
        while True:
            self._closed, self._deaf = asyncio.Event(), False
            load = partial(credentials.load, self.nkey, self.creds)
            client = NatsClient(plain_places(self.urls), load, lambda: self._tls, self.outbound)
            self._trying = client
            try:
                await self._connect(client, self._closed)
                if not self._deaf:
                    self._client = client
                    self._stands()
                    await self._closed.wait()
                    log.warn("NATS at {url} closed the connection; connecting again", url=client.url)
            except asyncio.CancelledError:
                await client.close()
                raise
            except Exception as error:
                await self._failed(error)
            self._client = None
            await client.close()
            await asyncio.sleep(REFUSED if self._deaf else 1 + random.random())

    async def _connect(self, client: NatsClient, closed: asyncio.Event) -> None:
        async def disconnected() -> None:
            self.requests.lose()
            if self._task is not None:
                log.warn("lost the connection to NATS at {url}; live streams go on", url=client.url)
                self.lost()

        async def reconnected() -> None:
            self._stands()

        async def over() -> None:
            closed.set()

        await client.connect(
            servers=list(self.urls),
            name=self.name,
            error_cb=self._failed,
            disconnected_cb=disconnected,
            reconnected_cb=reconnected,
            closed_cb=over,
            connect_timeout=ANSWER_TIME,  # type: ignore[arg-type]
            max_reconnect_attempts=-1,
            reconnect_time_wait=soon(),  # type: ignore[arg-type]
            pending_size=-1,
            tls=self._tls,
            tls_handshake_first=self.handshake_first,
            inbox_prefix=self.inbox or "_INBOX",
        )
        await self._subscriptions.take_up(client)
        if self.inbox:  # so that it is known now, not at the first request, whether we may hear answers
            await forget(await client.subscribe(client.new_inbox()))
        # Twice, as nats-py's PING overtakes what it still holds back: the answer to the second one comes behind the
        # server's word on every subscription.
        await client.flush()
        await client.flush()

    def _stands(self) -> None:
        self._complaints.forget()
        self.requests.stand()
        self._refusals = 0
        if self._trying is not None:
            self._trying.wait_between(soon())
        log.info("connected to NATS at {url}", url=self._where())
        self.up()

    async def _failed(self, error: Exception) -> None:
        """Log what nats-py reports: the server's refusals, and why there is no connection."""
        if isinstance(error, nats_errors.UnexpectedEOF) and self.connected:
            return  # the end of the connection that stood, of which `disconnected` tells; no try has failed yet
        if is_too_slow(error):
            self._dropped += 1
        elif is_deafening(error) and not self._subscriptions.can_spare(str(error)):
            self._deaf = True
            self._closed.set()
        elif is_login_refused(error):
            self._refusals += 1
            if self._trying is not None:
                self._trying.wait_between(min(2.0**self._refusals, SELDOM) * random.uniform(0.5, 1))
        self._complaints.hear(error, self._where())

    def _where(self) -> str:
        """Return the URL of the server that is tried or connected; of all of them before that."""
        return (self._trying and self._trying.url) or " ".join(map(without_password, self.urls))


def as_deferred(work: Coroutine[Any, Any, T]) -> "Deferred[T]":
    """Make a Deferred of an asyncio coroutine, which runs on the reactor's own loop."""
    return Deferred.fromFuture(asyncio.ensure_future(work))
