"""The bus: NATS, by nats-py on asyncio. Only this file and `nats_client` know nats-py.

Core NATS and nothing durable: what is published while the bus is down is dropped, as a late summons is useless.
Coroutines here are asyncio's; `as_deferred` brings them to Twisted.
"""

import asyncio
import random
import re
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from attrs import define, evolve, field
from nats import errors as nats_errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from twisted.internet.defer import Deferred

from streamrelay.bus import credentials
from streamrelay.bus.nats_client import Gathered, NatsClient, Withheld, forget, gather, place
from streamrelay.bus.settings import without_password
from streamrelay.bus.tls import tls_context, words
from streamrelay.files import Watched
from streamrelay.logs import Logger
from streamrelay.net.certificates import split_pair

log = Logger()
T = TypeVar("T")

PING: Final = 20
"""Seconds between two pings of the server; after two unanswered ones the connection is made anew."""
REFUSED: Final = 10.0
"""Seconds until the next attempt when the bus doesn't let us hear what we must."""
_INBOX = re.compile(r"_INBOX[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_:=$-]+)+\Z")


class BusError(Exception):
    """Lack of an answer to a request; the text says why."""


class Nobody(BusError):
    """Lack of anybody who listens on the subject: the host is offline."""


class Down(BusError):
    """Lack of a connection to the bus."""


class TooSlow(BusError):
    """Lack of an answer in time."""


@define(frozen=True)
class Message:
    """A message that came on a subject."""

    data: bytes
    reply: str
    """Subject on which an answer is expected; empty if none is."""

    @property
    def wants_answer(self) -> bool:
        """True if the reply subject is an inbox: no other is answered, as a caller may name any (protocol.rst)."""
        return _INBOX.match(self.reply) is not None


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
    inbox: str = ""
    """Prefix of the subjects on which answers to our requests come; empty if we never ask."""
    up: Callable[[], None] = lambda: None
    """Called whenever there is a connection, be it the first or another one."""
    _listeners: list[tuple[str, Callable[[Message], None]]] = field(factory=list)
    _client: Client | None = None
    _task: "asyncio.Task[None] | None" = None
    _publishing: "set[asyncio.Task[None]]" = field(factory=set)
    _closed: asyncio.Event = field(factory=asyncio.Event)  # the client of now is done for
    _known: dict[str, frozenset[str]] = field(factory=dict)  # who answered the last time, by what was asked
    _losses: int = 0  # of the connection
    _dropped: int = 0  # messages that came faster than they were taken
    _deaf: bool = False  # that client may not hear what it must
    _told: str = ""  # the last complaint; once is enough
    files: Watched = field(init=False)
    _tls: ssl.SSLContext | None = None

    def __attrs_post_init__(self) -> None:
        credentials.load(self.nkey, self.creds)
        self.files = Watched("the certificates for NATS", self._paths, self._read)
        self.files.load()

    def _paths(self) -> list[str]:
        return [path for path in {self.ca, *split_pair(self.certificate)} if path]

    def _read(self) -> None:
        if self.ca or self.certificate or any(url.startswith("tls:") for url in self.urls):
            self._tls = tls_context(self.ca, self.certificate)

    @property
    def connected(self) -> bool:
        return self._client is not None and self._client.is_connected

    def listen(self, subject: str, receive: Callable[[Message], None]) -> None:
        """Subscribe, now and after every reconnect; to be called before `start`."""
        self._listeners.append((subject, receive))

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
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def publish(self, subject: str, data: bytes) -> None:
        """Publish now or never: without a connection the message is dropped."""
        task = asyncio.get_running_loop().create_task(self._publish(subject, data))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def request(self, subject: str, data: bytes, timeout: float) -> bytes:
        """Return the answer to a request, or raise `Nobody`, `Down`, or `TooSlow` after `timeout` seconds."""
        client = self._standing()
        try:
            message = await client.request(subject, data, timeout=timeout)
        except nats_errors.NoRespondersError:
            raise Nobody(subject) from None
        except (TimeoutError, nats_errors.TimeoutError):
            raise TooSlow(f"no answer within {timeout:g} s") from None
        except nats_errors.Error as error:
            raise Down(str(error)) from None
        return message.data

    async def gather(self, subject: str, data: bytes = b"", patient: bool = False) -> Gathered:
        """The answers of all who listen; `Down` if the bus was lost meanwhile, as then nobody knows what is missing.

        If `patient`, also the further answers of those who give more than one; that takes three seconds.
        """
        client, losses, dropped = self._standing(), self._losses, self._dropped
        try:
            found = await gather(client, subject, data, self._known.get(subject, frozenset()), patient)
        except nats_errors.Error as error:
            raise Down(str(error)) from None
        # nats-py connects again by itself, but answers that were sent meanwhile never come.
        if self._losses != losses:
            raise Down("the connection to NATS was lost before all hosts had answered")
        self._known[subject] = frozenset(name for name, _ in found.answers)
        return evolve(found, complete=found.complete and self._dropped == dropped)

    def _standing(self) -> Client:
        if self._client is None or not self._client.is_connected:
            raise Down("there is no connection to NATS")
        return self._client

    async def _publish(self, subject: str, data: bytes) -> None:
        try:
            await self._standing().publish(subject, data)
        except (BusError, nats_errors.Error) as error:
            log.debug("not published on {subject}: {error}", subject=subject, error=error)

    async def _run(self) -> None:
        """Connect, listen, and begin anew with fresh credentials when the connection closes for good."""
        while True:
            self._closed, self._deaf = asyncio.Event(), False
            plain = frozenset(place(url) for url in self.urls if url.startswith("nats:"))
            client = NatsClient(plain, lambda: credentials.load(self.nkey, self.creds), lambda: self._tls)
            try:
                await self._connect(client, self._closed)
                if not self._deaf:
                    self._client = client
                    self._stands()
                    await self._closed.wait()
                    log.warn("NATS closed the connection; connecting again")
            except asyncio.CancelledError:
                await client.close()
                raise
            except Exception as error:
                await self._failed(error)
            self._client = None
            await client.close()
            await asyncio.sleep(REFUSED if self._deaf else 1 + random.random())

    async def _connect(self, client: Client, closed: asyncio.Event) -> None:
        async def disconnected() -> None:
            self._losses += 1
            if self._task is not None:
                log.warn("lost the connection to NATS; live streams go on")

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
            connect_timeout=5,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.5 + random.random(),  # type: ignore[arg-type]
            ping_interval=PING,
            max_outstanding_pings=2,
            pending_size=-1,
            tls=self._tls,
            inbox_prefix=self.inbox or "_INBOX",
        )
        for subject, receive in self._listeners:
            await client.subscribe(subject, cb=_callback(receive))
        if self.inbox:  # so that it is known now, not at the first request, whether we may hear answers
            await forget(await client.subscribe(client.new_inbox()))
        # Twice, as nats-py's PING overtakes what it still holds back: the answer to the second one comes behind the
        # server's word on every subscription.
        await client.flush()
        await client.flush()

    def _stands(self) -> None:
        self._told = ""
        log.info("connected to NATS at {urls}", urls=self._shown_urls())
        self.up()

    async def _failed(self, error: Exception) -> None:
        """Log what nats-py reports: the server's refusals, and why there is no connection."""
        if isinstance(error, nats_errors.UnexpectedEOF) and self.connected:
            return  # the end of the connection that stood, of which `disconnected` tells; no try has failed yet
        text = without_password(words(error)) or type(error).__name__
        lower = text.lower()
        if isinstance(error, nats_errors.SlowConsumerError):
            self._dropped += 1
        if "permissions violation" in lower and "for subscription" in lower and "$srv" not in lower:
            self._deaf = True
            self._closed.set()
        if text != self._told:
            self._complain(error, text, lower)

    def _complain(self, error: Exception, text: str, lower: str) -> None:
        if isinstance(error, nats_errors.SlowConsumerError):
            log.error("NATS sent messages faster than this program takes them: {error}; some were dropped", error=text)
        elif "permissions violation" in lower:
            log.error("NATS refused a permission: {error}; check this user's permissions in nats-server", error=text)
        elif "authorization violation" in lower or "authentication" in lower:
            log.error(
                "NATS refused this user: {error}; check nats_nkey, nats_creds or the password in nats", error=text
            )
        elif isinstance(error, Withheld):
            log.error("not logging in to NATS: {error}; trying again", error=text)
        elif self._told:
            return  # that there is no connection was said already, and why
        else:
            log.warn("can't connect to NATS at {urls}: {error}; trying again", urls=self._shown_urls(), error=text)
        self._told = text

    def _shown_urls(self) -> str:
        return " ".join(map(without_password, self.urls))


def _callback(receive: Callable[[Message], None]) -> Callable[[Msg], Coroutine[Any, Any, None]]:
    async def callback(message: Msg) -> None:
        try:
            receive(Message(message.data, message.reply))
        except Exception:
            log.failure("an error while a message on {subject} was read", subject=message.subject)

    return callback


def as_deferred(work: Coroutine[Any, Any, T]) -> "Deferred[T]":
    """Make a Deferred of an asyncio coroutine, which runs on the reactor's own loop."""
    return Deferred.fromFuture(asyncio.ensure_future(work))
