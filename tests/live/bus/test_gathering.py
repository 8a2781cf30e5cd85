"""The lists of hosts and streams, asked of many agents at once on a real bus."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import nats
from attrs import define, field
from nats.aio.msg import Msg

from streamrelay.bus import nats_client
from streamrelay.bus.nats_client import NatsClient
from streamrelay.platform import Platform, Refused
from streamrelay.platform import platform as platform_module
from streamrelay.protocol import codec
from streamrelay.protocol.subjects import ALL_STREAMS, ALL_TARGETS, PLATFORM_INBOX, end_subject
from streamrelay.protocol.summons import HostAnswer, TargetInfo
from tests.fakes.bus import WHO_QUESTION
from tests.live.support.case import LiveTest
from tests.live.support.nats import nats_command
from tests.live.support.ports import answers, free_port
from tests.live.support.processes import Program
from tests.live.support.waiting import WAIT, until

MANY = 300
ONE_UP = codec.encode(HostAnswer((TargetInfo("log", "log"),), "1", "vm"))
ONE = codec.encode([TargetInfo("log", "log")])


@define(eq=False)
class Hosts:
    """Agents, all on one connection, that answer what the test says."""

    names: list[str]
    asked: list[str] = field(factory=list)
    answer: bytes = ONE
    client: Any = None
    knocked: dict[str, Any] = field(factory=dict)
    """Subscriptions to what a knock comes on."""
    delay: Callable[[int], float] = lambda number: 0.0
    """Seconds that each waits with its answer."""

    async def start(self, url: str) -> None:
        self.client = await nats.connect(url, error_cb=self.failed, reconnected_cb=self.come)
        for subject in (ALL_TARGETS, ALL_STREAMS):
            await self.client.subscribe(subject, cb=self.tell)
        for name in self.names:
            self.knocked[name] = await self.client.subscribe(end_subject(name), cb=self.fall_silent)
        await self.client.flush()

    async def come(self) -> None:
        """Tell of all hosts what they have, as agents do when they are back."""
        for name in self.names:
            await self.client.publish(f"streamrelay.v1.event.{name}.up", ONE_UP)

    async def failed(self, error: Exception) -> None:
        """The bus, or the test, is over."""

    async def fall_silent(self, message: Msg) -> None:
        """Take what a host is sent that hangs."""

    async def tell(self, message: Msg) -> None:
        if message.data != WHO_QUESTION:  # by which a platform looks again, at times of its own
            self.asked.append(message.subject)
        for number, name in enumerate(tuple(self.names)):
            await asyncio.sleep(self.delay(number))
            answer = self.answer if message.subject == ALL_TARGETS else b"[]"
            await self.client.publish(f"{message.reply}.{name}", answer)


class Gatherings(LiveTest):
    """A platform, a real bus, and 300 hosts on it."""

    def setUp(self) -> None:
        super().setUp()
        port = free_port()
        self.url = f"nats://127.0.0.1:{port}"
        self.nats: Program = self.program("nats-server", *nats_command(port))
        until(lambda: answers(port), what="nats-server")
        self.hosts = Hosts([f"host-{number}" for number in range(MANY)])
        self.age = 0.0
        self.patch(platform_module, "KNOWN_TIME", WAIT)  # on a busy machine a look takes longer

    def run_with(self, work: Callable[[Platform], Awaitable[None]]) -> None:
        async def run() -> None:
            platform = Platform("wss://relay.example", (self.url,), clock=lambda: self.age)
            await self.hosts.start(self.url)
            platform.start()
            try:
                async with asyncio.timeout(4 * WAIT):
                    while not platform.bus.connected:
                        await asyncio.sleep(0.02)
                    await work(platform)
            finally:
                await platform.stop()
                await self.hosts.client.close()

        asyncio.run(run())

    async def streams_again(self, platform: Platform) -> Any:
        """The list of streams, by a question of its own."""
        self.age += 2
        return await platform.streams()

    async def known(self, platform: Platform) -> None:
        """Wait until all hosts are: a busy bus brings answers when the look at them is over."""
        while len(await platform.hosts()) < MANY:
            await asyncio.sleep(0.02)

    async def become(self, platform: Platform, host: str, state: str) -> None:
        """Wait until a host is known to be so."""
        while platform.inventory.state(host) != state:
            platform.lookout.watch()
            await asyncio.sleep(0.02)

    def test_one_question(self) -> None:
        """All hosts are known by one question, however many ask for them and how often; of streams twenty who ask at
        once cause one."""

        async def work(platform: Platform) -> None:
            lists = await asyncio.gather(*(platform.hosts() for _ in range(20)))
            self.assertEqual({hosts.complete for hosts in lists}, {True})
            await self.known(platform)
            await asyncio.gather(*(platform.streams() for _ in range(20)))
            self.assertEqual(self.hosts.asked, [ALL_TARGETS, ALL_STREAMS])
            for _ in range(10):
                self.age += 2
                await platform.hosts()
            self.assertEqual(self.hosts.asked, [ALL_TARGETS, ALL_STREAMS])

        self.run_with(work)

    def test_events(self) -> None:
        """A host that comes, changes, and stops is known so by its own word."""

        async def work(platform: Platform) -> None:
            await self.known(platform)
            await self.hosts.client.subscribe(end_subject("new"), cb=self.hosts.fall_silent)  # or a knock finds it gone
            for kind, data, state in (("up", ONE_UP, "up"), ("down", b"{}", "down"), ("up", ONE_UP, "up")):
                await self.hosts.client.publish(f"streamrelay.v1.event.new.{kind}", data)
                await self.become(platform, "new", state)
            self.assertEqual((len(await platform.hosts()), self.hosts.asked), (MANY + 1, [ALL_TARGETS]))

        self.run_with(work)

    def test_gone(self) -> None:
        """A host that is gone without a word is found so by a knock, as nobody listens at its subject any more; one
        that is there isn't, though it never answers a knock."""

        async def work(platform: Platform) -> None:
            await self.known(platform)
            for host in ("host-9", "host-299"):
                await self.hosts.knocked[host].unsubscribe()
            await self.become(platform, "host-9", "down")
            await self.become(platform, "host-299", "down")
            self.assertNotIn("down", [platform.inventory.state(host) for host in ("host-7", "host-8")])
            self.assertEqual(self.hosts.asked, [ALL_TARGETS])

        self.run_with(work)

    def test_hanging(self) -> None:
        """A host that hangs is told so, in its state and in each list of streams, until it answers again."""

        async def work(platform: Platform) -> None:
            await self.known(platform)
            self.hosts.names.remove("host-7")
            self.assertFalse((await self.streams_again(platform)).complete)
            await self.become(platform, "host-7", "silent")
            self.assertFalse((await self.streams_again(platform)).complete)
            self.assertEqual(len(await platform.hosts()), MANY)
            self.hosts.names.append("host-7")
            await self.become(platform, "host-7", "up")
            while not (await self.streams_again(platform)).complete:
                pass  # its answer, or another's, was late

        self.run_with(work)

    def test_slow(self) -> None:
        """Hosts that were there are waited for longer than the others' quiet."""
        self.patch(nats_client, "FIRST", WAIT)  # on a busy machine they are late by more than they are held back
        self.patch(nats_client, "LONGEST", 2 * WAIT)

        async def work(platform: Platform) -> None:
            await self.known(platform)
            self.hosts.delay = lambda number: 0.3 if number == MANY - 1 else 0.0
            self.assertTrue((await self.streams_again(platform)).complete)

        self.run_with(work)

    def test_too_long(self) -> None:
        """Answers that still come when time is over are cut off, and the list of streams says so."""
        self.patch(nats_client, "LONGEST", 1.5)

        async def work(platform: Platform) -> None:
            await platform.hosts()
            self.hosts.delay = lambda number: 0.01
            self.assertFalse((await platform.streams()).complete)

        self.run_with(work)

    def test_too_much(self) -> None:
        """Answers of more bytes than are taken are cut off, and the list of streams says so."""
        self.patch(nats_client, "MOST_BYTES", 100 * len(b"[]"))

        async def work(platform: Platform) -> None:
            await platform.hosts()
            self.assertFalse((await platform.streams()).complete)

        self.run_with(work)

    def test_dropped(self) -> None:
        """Where the client's library drops answers, as they come too fast for it, hosts are asked until all are
        known."""
        self.patch(platform_module, "KNOWN_TIME", 1.0)
        subscribe = NatsClient.subscribe
        narrowed: list[Any] = []

        async def narrow(client: Any, subject: str, **options: Any) -> Any:
            if subject.startswith(PLATFORM_INBOX) and subject.endswith(".*") and not narrowed:
                subscription = await subscribe(client, subject, **options, pending_msgs_limit=1)
                narrowed.append(subscription)
                return subscription
            return await subscribe(client, subject, **options)

        self.patch(NatsClient, "subscribe", narrow)

        async def work(platform: Platform) -> None:
            first = await platform.hosts()
            self.assertEqual((first.complete, len(narrowed)), (False, 1))
            narrowed[0]._pending_msgs_limit = MANY
            narrowed[0]._pending_queue._maxsize = MANY
            while not (await platform.hosts()).complete:
                pass
            await self.known(platform)

        self.run_with(work)

    def test_lost(self) -> None:
        """A bus that is lost while the hosts answer gives no list at all, and the next one is whole."""

        async def work(platform: Platform) -> None:
            self.hosts.delay = lambda number: 0.02
            await platform.hosts()
            asking = asyncio.ensure_future(platform.streams())
            while ALL_STREAMS not in self.hosts.asked:
                await asyncio.sleep(0.02)
            self.nats.kill()
            for work in (asking, platform.hosts()):
                try:
                    await work
                except Refused as refused:
                    self.assertEqual((refused.status, refused.code), (503, "bus_down"))
                else:
                    self.fail("a part of the list was given for all of it")
            self.hosts.delay = lambda number: 0.0
            self.nats.start()
            while not (platform.bus.connected and self.hosts.client.is_connected):
                await asyncio.sleep(0.05)
            while not (await platform.hosts()).complete:
                pass
            await self.known(platform)

        self.run_with(work)

    def test_nobody(self) -> None:
        """Where nobody listens that is known within moments, and is the whole list."""
        self.hosts.names.clear()

        async def work(platform: Platform) -> None:
            await self.hosts.client.drain()
            hosts = await platform.hosts()
            self.assertEqual((list(hosts), hosts.complete), ([], True))

        self.run_with(work)
