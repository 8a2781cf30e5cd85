"""The bus: NATS, by nats-py on asyncio. The only file that knows either (but for the taps, which install the loop).

Core NATS and nothing durable: what is published while the bus is down is dropped, as a late summons is useless.
Coroutines here are asyncio's; `as_deferred` brings them to Twisted.
"""

import asyncio
import random
import re
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

import msgspec
from attrs import define, field
from nats import errors as nats_errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.micro import add_service
from nats.micro.request import Request
from twisted.internet.defer import Deferred

from streamrelay.errors import ConfigError
from streamrelay.logs import Logger

log = Logger()
T = TypeVar("T")

PING: Final = 20
"""Seconds between two pings of the server; after two without an answer the connection is made anew."""
QUIET: Final = 0.1
"""Seconds without a further answer after which `gather` has them all."""
GATHER: Final = 1.0
"""Seconds that `gather` takes at the most."""
_INBOX = re.compile(r"_INBOX[A-Za-z0-9_-]*\.[!-~]+\Z")


class BusError(Exception):
    """A request has no answer; the text says why."""


class Nobody(BusError):
    """Nobody listens on the subject: the host is offline."""


class Down(BusError):
    """There is no connection to the bus."""


class TooSlow(BusError):
    """No answer came in time."""


@define(frozen=True)
class Message:
    """What came on a subject."""

    data: bytes
    reply: str
    """Where an answer is expected; empty if nowhere."""

    @property
    def wants_answer(self) -> bool:
        """A reply subject is followed only if it is an inbox: a caller may name any subject (protocol.rst)."""
        return _INBOX.match(self.reply) is not None


@define(eq=False)
class Micro:
    """How a program shows itself to NATS' service discovery (``$SRV.PING/INFO/STATS``)."""

    name: str
    version: str
    description: str
    metadata: dict[str, str]
    """May be changed in place; the next answer shows it."""
    subject: str
    """Of its one endpoint, which answers with `data`."""
    data: Callable[[], Any]


@define(eq=False)
class Bus:
    """One connection to NATS that is made again for ever; `start` doesn't wait for it."""

    urls: tuple[str, ...]
    name: str
    creds: str = ""
    ca: str = ""
    up: Callable[[], None] = lambda: None
    """Called whenever the connection stands (again)."""
    micro: Micro | None = None
    _listeners: list[tuple[str, Callable[[Message], None]]] = field(factory=list)
    _client: Client | None = None
    _task: "asyncio.Task[None] | None" = None
    _publishing: "set[asyncio.Task[None]]" = field(factory=set)
    _told: bool = False  # that the bus can't be reached; once is enough
    _tls: ssl.SSLContext | None = None

    def __attrs_post_init__(self) -> None:
        if self.creds:
            try:
                open(self.creds, "rb").close()
            except OSError as error:
                raise ConfigError(f"{self.creds}: can't be read: {error.strerror}") from None
        if self.ca or any(url.startswith(("tls:", "wss:")) for url in self.urls):
            try:
                self._tls = ssl.create_default_context(cafile=self.ca or None)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(f"{self.ca}: can't be used as certificates: {error}") from None

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
        """Close once what was published is out."""
        task, self._task = self._task, None
        if self._publishing:
            await asyncio.wait(self._publishing, timeout=1)
        try:
            await self._standing().flush(timeout=1)
        except (TimeoutError, BusError, nats_errors.Error) as error:
            log.debug("the bus closed untidily: {error}", error=error)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def publish(self, subject: str, data: bytes) -> None:
        """Publish now or never."""
        task = asyncio.get_running_loop().create_task(self._publish(subject, data))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def request(self, subject: str, data: bytes, timeout: float) -> bytes:
        """The answer to a request, or a `BusError`."""
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

    async def gather(self, subject: str) -> list[bytes]:
        """All answers to one request, however many there are."""
        client = self._standing()
        answers: list[bytes] = []
        try:
            inbox = await client.subscribe(client.new_inbox())
            await client.publish(subject, b"", reply=inbox.subject)
            end = asyncio.get_running_loop().time() + GATHER
            while (left := end - asyncio.get_running_loop().time()) > 0:
                message = await inbox.next_msg(timeout=min(QUIET, left) if answers else left)
                if not message.data and message.headers:  # nobody listens
                    break
                answers.append(message.data)
        except (TimeoutError, nats_errors.TimeoutError):
            pass
        except nats_errors.Error as error:
            raise Down(str(error)) from None
        await inbox.unsubscribe()
        return answers

    def _standing(self) -> Client:
        if self._client is None or not self._client.is_connected:
            raise Down("there is no connection to the bus")
        return self._client

    async def _publish(self, subject: str, data: bytes) -> None:
        try:
            await self._standing().publish(subject, data)
        except (BusError, nats_errors.Error) as error:
            log.debug("not published on {subject}: {error}", subject=subject, error=error)

    async def _run(self) -> None:
        """Connect, listen, and begin anew with fresh credentials when the connection closes for good."""
        while True:
            closed = asyncio.Event()
            client = Client()
            try:
                await self._connect(client, closed)
                self._client = client
                self._stands()
                await closed.wait()
                log.warn("the bus closed the connection; trying again")
            except asyncio.CancelledError:
                await client.close()
                raise
            except Exception as error:
                await self._failed(error)
            self._client = None
            await client.close()
            await asyncio.sleep(1 + random.random())

    async def _connect(self, client: Client, closed: asyncio.Event) -> None:
        async def disconnected() -> None:
            if self._task is not None:
                log.warn("the bus is lost; live streams go on")

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
            user_credentials=self.creds or None,
        )
        for subject, receive in self._listeners:
            await client.subscribe(subject, cb=_callback(receive))
        if self.micro is not None:
            await _announce(client, self.micro)
        await client.flush()

    def _stands(self) -> None:
        self._told = False
        log.info("the bus stands: {urls}", urls=" ".join(map(without_password, self.urls)))
        self.up()

    async def _failed(self, error: Exception) -> None:
        text = str(error) or type(error).__name__
        if "permissions violation" in text.lower():
            log.error("the bus refuses: {error}; check this user's permissions", error=text)
        elif not self._told:
            self._told = True
            log.warn("the bus can't be reached: {error}; trying again", error=text)


def _callback(receive: Callable[[Message], None]) -> Callable[[Msg], Coroutine[Any, Any, None]]:
    async def callback(message: Msg) -> None:
        receive(Message(message.data, message.reply))

    return callback


async def _announce(client: Client, micro: Micro) -> None:
    async def answer(request: Request) -> None:
        await request.respond(msgspec.json.encode(micro.data()))

    service = await add_service(
        client,
        name=micro.name,
        version=micro.version,
        description=micro.description,
        metadata=micro.metadata,
        stats_handler=lambda stats: micro.data(),
    )
    await service.add_endpoint(name="streams", subject=micro.subject, handler=answer)


def without_password(url: str) -> str:
    """A URL as it may be shown."""
    return re.sub(r"//[^/@]*@", "//…@", url)


def as_deferred(work: Coroutine[Any, Any, T]) -> "Deferred[T]":
    """An asyncio coroutine as a Deferred, on the reactor's own loop."""
    return Deferred.fromFuture(asyncio.ensure_future(work))
