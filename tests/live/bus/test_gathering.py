"""The lists of hosts and streams, asked of many agents at once on a real bus."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import nats
from attrs import define, field
from nats.aio.msg import Msg

from streamrelay.bus import nats_client
from streamrelay.platform import Platform, Refused
from streamrelay.platform.silent_hosts import LOOK_AGAIN
from streamrelay.protocol import codec
from streamrelay.protocol.subjects import ALL_STREAMS, ALL_TARGETS, end_subject
from streamrelay.protocol.summons import WHO_QUESTION, TargetInfo
from tests.live.support.case import LiveTest
from tests.live.support.nats import nats_command
from tests.live.support.ports import answers, free_port
from tests.live.support.processes import Program
from tests.live.support.waiting import until

TRIES = 3
MANY = 300
ONE = codec.encode([TargetInfo("log", "log")])


@define(eq=False)
class Hosts:
    """Agents, all on one connection, that answer what the test says."""

    names: list[str]
    asked: list[str] = field(factory=list)
    answer: bytes = ONE
    client: Any = None
    delay: Callable[[int], float] = lambda number: 0.0
    """Seconds that each waits with its answer."""

    async def start(self, url: str) -> None:
        self.client = await nats.connect(url, error_cb=self.failed)
        for subject in (ALL_TARGETS, ALL_STREAMS):
            await self.client.subscribe(subject, cb=self.tell)
        await self.client.flush()

    async def failed(self, error: Exception) -> None:
        """The bus, or the test, is over."""

    async def fall_silent(self, message: Msg) -> None:
        """Take what a host is sent that hangs."""

    async def tell(self, message: Msg) -> None:
        if message.data != WHO_QUESTION:  # by which a platform looks for namesakes, at times of its own
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

    def run_with(self, work: Callable[[Platform], Awaitable[None]]) -> None:
        async def run() -> None:
            platform = Platform("wss://relay.example", (self.url,), clock=lambda: self.age)
            await self.hosts.start(self.url)
            platform.start()
            try:
                async with asyncio.timeout(60):
                    while not platform.bus.connected:
                        await asyncio.sleep(0.02)
                    await work(platform)
            finally:
                await platform.stop()
                await self.hosts.client.close()

        asyncio.run(run())

    async def asked_again(self, platform: Platform) -> Any:
        """The list, by a question of its own."""
        self.age += 2
        return await platform.hosts()

    def test_one_question(self) -> None:
        """Twenty who ask for hosts and streams at once cause one question for each, and all get all 300 hosts."""

        async def work(platform: Platform) -> None:
            lists = await asyncio.gather(*(platform.hosts() for _ in range(20)))
            await asyncio.gather(*(platform.streams() for _ in range(20)))
            self.assertEqual(len({(len(hosts), hosts.complete) for hosts in lists}), 1)
            self.assertEqual(self.hosts.asked, [ALL_TARGETS, ALL_STREAMS])
            count = len(lists[0])
            for _ in range(10):  # a busy machine's hosts may fall silent between their answers
                asked = len(self.hosts.asked)
                count = max(count, len(await self.asked_again(platform)))
                self.assertEqual(len(self.hosts.asked), asked + 1)
                if count == MANY:
                    break
            self.assertEqual(count, MANY)

        self.run_with(work)

    def test_nothing_fits(self) -> None:
        """One who may see none of the hosts causes a question in ten seconds, and none while others ask."""

        async def work(platform: Platform) -> None:
            questions = []
            for self.age, name in ((0, "db"), (3, "host-7"), (9, "db"), (12, "db"), (13, "db"), (22, "db")):
                await platform.hosts({name}.__contains__)
                questions.append(len(self.hosts.asked))
            self.assertEqual(questions, [1, 2, 2, 2, 3, 3])

        self.run_with(work)

    def test_leaving(self) -> None:
        """One who asked first and leaves before the answer takes it from nobody."""

        async def work(platform: Platform) -> None:
            first = asyncio.ensure_future(platform.hosts())
            others = [asyncio.ensure_future(platform.hosts()) for _ in range(5)]
            await asyncio.sleep(0)
            first.cancel()
            self.assertEqual({len(hosts) for hosts in await asyncio.gather(*others)}, {MANY})
            self.assertEqual((first.cancelled(), self.hosts.asked), (True, [ALL_TARGETS]))

        self.run_with(work)

    def test_slow(self) -> None:
        """Hosts that were there are waited for longer than the others' quiet; one that is gone is missed once."""

        async def work(platform: Platform) -> None:
            self.assertEqual(len(await platform.hosts()), MANY)
            self.hosts.delay = lambda number: 0.3 if number == MANY - 1 else 0.0
            hosts = await self.asked_again(platform)
            self.assertEqual((len(hosts), hosts.complete), (MANY, True))
            self.hosts.names.remove("host-7")
            self.hosts.delay = lambda number: 0.0
            for complete in (False, True):
                hosts = await self.asked_again(platform)
                self.assertEqual((len(hosts), hosts.complete), (MANY - 1, complete))

        self.run_with(work)

    def test_hanging(self) -> None:
        """A host that hangs is missed in every list, as the bus says that it still listens, until it is gone."""

        async def work(platform: Platform) -> None:
            hangs = await self.hosts.client.subscribe(end_subject("host-7"), cb=self.hosts.fall_silent)
            await self.hosts.client.flush()
            told: list[bool] = []
            for _ in range(TRIES):  # a busy machine's bus may say late who listens
                while len(await self.asked_again(platform)) < MANY:
                    pass
                self.hosts.names.remove("host-7")
                lists = [await self.asked_again(platform) for _ in range(3)]
                self.assertEqual({len(hosts) for hosts in lists}, {MANY - 1})
                told = [hosts.complete for hosts in lists]
                if not any(told):
                    break
                self.hosts.names.append("host-7")
            self.assertEqual(told, [False] * 3)
            await hangs.unsubscribe()
            self.age += LOOK_AGAIN
            while not (await self.asked_again(platform)).complete:
                pass

        self.run_with(work)

    def test_too_long(self) -> None:
        """Answers that still come when time is over are cut off, and the list says so."""
        self.patch(nats_client, "LONGEST", 1.5)
        self.patch(nats_client, "STRANGE", 60.0)  # on a busy machine they may fall silent between answers

        async def work(platform: Platform) -> None:
            self.hosts.delay = lambda number: 0.01
            hosts = await platform.hosts()
            self.assertEqual((0 < len(hosts) < MANY, hosts.complete), (True, False))

        self.run_with(work)

    def test_too_much(self) -> None:
        """Answers of more bytes than are taken are cut off, and the list says so."""
        self.patch(nats_client, "MOST_BYTES", 100 * len(ONE))

        async def work(platform: Platform) -> None:
            hosts = await platform.hosts()
            self.assertEqual((len(hosts), hosts.complete), (100, False))

        self.run_with(work)

    def test_dropped(self) -> None:
        """Answers that the client's library drops, as they come too fast for it, are missing with a word."""

        async def work(platform: Platform) -> None:
            client: Any = platform.bus._client
            subscribe = client.subscribe

            async def narrow(*arguments: Any, **options: Any) -> Any:
                return await subscribe(*arguments, **options, pending_msgs_limit=1)

            client.subscribe = narrow
            hosts = await platform.hosts()
            self.assertEqual((0 < len(hosts) < MANY, hosts.complete), (True, False))

        self.run_with(work)

    def test_lost(self) -> None:
        """A bus that is lost while the hosts answer gives no list at all, and the next one is whole."""

        async def work(platform: Platform) -> None:
            self.hosts.delay = lambda number: 0.02
            asking = asyncio.ensure_future(platform.hosts())
            while not self.hosts.asked:
                await asyncio.sleep(0.02)
            self.nats.kill()
            try:
                await asking
            except Refused as refused:
                self.assertEqual((refused.status, refused.code), (503, "bus_down"))
            else:
                self.fail("a part of the list was given for all of it")
            self.hosts.delay = lambda number: 0.0
            self.nats.start()
            while not (platform.bus.connected and self.hosts.client.is_connected):
                await asyncio.sleep(0.05)
            while len(await self.asked_again(platform)) < MANY:
                pass

        self.run_with(work)

    def test_nobody(self) -> None:
        """Where nobody listens that is known at once, and is the whole list."""
        self.hosts.names.clear()

        async def work(platform: Platform) -> None:
            await self.hosts.client.drain()
            hosts = await platform.hosts()
            self.assertEqual((list(hosts), hosts.complete), ([], True))

        self.run_with(work)
