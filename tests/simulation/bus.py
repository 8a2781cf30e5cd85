"""NATS of the simulated world, as nats-py's client shows it to `streamrelay.bus.connection`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field
from nats import errors as nats_errors

from streamrelay.bus.pulse import Pulse
from streamrelay.bus.subscriptions import NO_RESPONDERS, STATUS
from tests.simulation.process import Process

Hear = Callable[["Letter"], Awaitable[None]]


@define(frozen=True)
class Letter:
    """A message of NATS, as a subscription is given it."""

    subject: str
    data: bytes
    reply: str = ""
    headers: dict[str, str] | None = None

    @property
    def is_summons(self) -> bool:
        return self.subject.endswith(".open")


@define
class Post:
    """How the bus carries messages that are requests: as NATS does, or worse."""

    latency: float = 0.001
    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    """How often a message comes seconds later than it should, and so behind others."""


@define(eq=False)
class Server:
    """The server of NATS. Who is cut off from it doesn't hear that at once."""

    random: Any
    post: Post = field(factory=Post)
    say: Callable[[str], None] = lambda line: None
    clients: "dict[SimulatedNats, None]" = field(factory=dict)
    down: bool = False
    """True while nobody can connect."""
    hangs: bool = False
    """True while it keeps its connections and says nothing."""
    inboxes: int = 0
    """Inboxes that were made, so that no two are the same."""
    summoned: float = 0.0
    """When the last one comes of the summonses that are on their way; until then an agent may begin a stream."""

    def carry(self, letter: Letter) -> int:
        """Bring a letter to all who listen, and return how many those are, as far as anybody is told."""
        heard = 0
        if self.hangs:
            return 1
        for client in self.clients:
            for subscription in client.listening(letter.subject):
                heard += 1
                for delay in self._delays():
                    event = client.process.later(delay, client.deliver, subscription, letter)
                    if letter.is_summons:
                        self.summoned = max(self.summoned, event.when)
        return heard

    def _delays(self) -> list[float]:
        post, dice = self.post, self.random
        if dice.random() < post.lost:
            return []
        delays = [post.latency * (0.5 + dice.expovariate(2.0))]
        if dice.random() < post.doubled:
            delays.append(delays[0] + dice.choice((0.0, 0.01, 3.0)))
        if dice.random() < post.late:
            delays[0] += dice.choice((0.05, 1.0, 6.0, 20.0))
        return delays

    def drop(self, client: "SimulatedNats") -> None:
        """Let a client lose its connection."""
        if self.clients.pop(client, False) is None:
            client.process.enter()
            client.lost()


@define(eq=False)
class Subscription:
    """What one client listens to: a subject, or all that have anything in place of its ``*``."""

    client: "SimulatedNats"
    subject: str
    hear: Hear | None
    is_open: bool = True
    is_wild: bool = field(init=False)
    _begin: str = field(init=False)  # of the subject, before its *
    _end: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._begin, star, self._end = self.subject.partition("*")
        self.is_wild = bool(star)

    def fits(self, subject: str) -> bool:
        if not subject.startswith(self._begin) or not subject.endswith(self._end):
            return False
        between = subject[len(self._begin) : len(subject) - len(self._end)]
        return bool(between) and "." not in between

    async def unsubscribe(self) -> None:
        self.is_open = False
        self.client.subscriptions.pop(self, None)

    async def drain(self) -> None:
        """End it once what was sent until then has come."""
        if not self.client.is_connected:
            raise nats_errors.ConnectionClosedError
        await self.client.flush()
        await self.unsubscribe()


@define(eq=False)
class SimulatedNats:
    """nats-py's client, as far as `Bus` calls it."""

    server: Server
    process: Process
    url: str = "nats://bus"
    subscriptions: dict[Subscription, None] = field(factory=dict)
    closed: bool = False
    options: dict[str, Any] = field(factory=dict)
    pulse: Pulse = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.pulse = Pulse(self._ping, self._hangs)

    @property
    def is_connected(self) -> bool:
        return self in self.server.clients

    async def connect(self, **options: Any) -> None:
        self.options = options
        await asyncio.sleep(self.server.post.latency)
        while self.server.down or self.server.hangs:
            await options["error_cb"](nats_errors.NoServersError())
            await asyncio.sleep(1.0)
        if not self.closed:
            self.server.clients[self] = None

    async def subscribe(self, subject: str, cb: Hear | None = None) -> Subscription:
        subscription = Subscription(self, subject, cb)
        self.subscriptions[subscription] = None
        return subscription

    async def flush(self, timeout: float = 10) -> None:
        await asyncio.sleep(2 * self.server.post.latency)

    async def publish(self, subject: str, data: bytes, reply: str = "") -> None:
        if not self.server.carry(Letter(subject, data, reply)) and reply:
            self.server.carry(Letter(reply, b"", headers={STATUS: NO_RESPONDERS}))

    async def request(self, subject: str, data: bytes, timeout: float) -> Letter:
        inbox, answer = self.new_inbox(), asyncio.get_running_loop().create_future()

        async def hear(letter: Letter) -> None:
            if not answer.done():
                answer.set_result(letter)

        subscription = await self.subscribe(inbox, hear)
        try:
            if not self.server.carry(Letter(subject, data, inbox)):
                await asyncio.sleep(2 * self.server.post.latency)
                raise nats_errors.NoRespondersError
            return await asyncio.wait_for(answer, timeout)
        finally:
            await subscription.unsubscribe()

    async def close(self) -> None:
        self.closed = True
        self.server.clients.pop(self, None)

    def new_inbox(self) -> str:
        self.server.inboxes += 1
        return f"{self.options.get('inbox_prefix', '_INBOX')}.{self.process.name}-{self.server.inboxes}"

    own_address = ""

    def wait_between(self, seconds: float) -> None: ...

    async def _ping(self) -> None:
        if not self.server.hangs:
            self.process.later(2 * self.server.post.latency, self.pulse.hear)

    async def _hangs(self) -> None:
        self.server.drop(self)

    # -- what the server calls -------------------------------------------------------------------------------

    def listening(self, subject: str) -> list[Subscription]:
        return [one for one in self.subscriptions if one.subject == subject or (one.is_wild and one.fits(subject))]

    def deliver(self, subscription: Subscription, letter: Letter) -> None:
        if subscription.is_open and subscription.hear is not None and self.is_connected:
            self.process.loop.create_task(subscription.hear(letter))

    def lost(self) -> None:
        """The connection is gone; it is made again, as nats-py does by itself."""
        self.process.loop.create_task(self._again())

    async def _again(self) -> None:
        await self.options["disconnected_cb"]()
        await asyncio.sleep(self.server.random.uniform(0.5, 1.5))
        while self.server.down or self.server.hangs:
            await asyncio.sleep(self.server.random.uniform(0.5, 1.5))
        if not self.closed:
            self.server.clients[self] = None
            await self.options["reconnected_cb"]()
