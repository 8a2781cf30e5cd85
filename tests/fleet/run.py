"""One run: phases, in each of which streams are opened at a steady rate while something may break."""

import asyncio
import contextlib
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

from attrs import define, evolve, field

from streamrelay.platform.relays import AVOID
from tests.fleet.chain import BASE, HOSTS, PLATFORMS, RELAYS, TARGETS, FleetChain, target_name
from tests.fleet.ends import NAME, Api, Cut, User, Wrong, serve
from tests.fleet.tally import Kill, Stream, Tally
from tests.live.support.pace import bystander
from tests.live.support.waiting import WAIT

RATE = 50.0
"""Streams a second that are asked for."""
LONG = 20
"""Of so many streams one lives until its relay is to be empty, or all is over; the others a few seconds."""
SHORT = (1.0, 4.0)
"""Seconds that those live."""
EARLY = 0.1
"""The part of a phase's streams that are asked for before something breaks."""


@define(frozen=True)
class Phase:
    """So many streams, and what breaks meanwhile: a method of `Run`, and of what. `mends`: it is made whole again."""

    name: str
    count: int
    fault: str = ""
    of: str = ""
    mends: bool = True


def whole(scale: float = 1.0) -> tuple[Phase, ...]:
    """Two thousand streams, or a part of that."""
    sizes = (
        ("all are ready", 600, "", ""),
        ("a relay drains", 300, "drain", RELAYS[0]),
        ("a platform's NATS server is killed", 200, "lose_server", PLATFORMS[0]),
        ("an agent's NATS server is killed", 200, "lose_server", HOSTS[0]),
        ("a relay is killed", 300, "kill", RELAYS[1]),
        ("all are ready again", 400, "", ""),
    )
    return tuple(Phase(name, round(count * scale), fault, of) for name, count, fault, of in sizes)


SMALL = (
    Phase("all are ready", 100),
    Phase("a platform's NATS server is killed", 60, "lose_server", PLATFORMS[0], mends=False),
    Phase("a relay drains", 70, "drain", RELAYS[0], mends=False),
    Phase("a relay is killed", 70, "kill", RELAYS[1], mends=False),
)


def listening() -> list[socket.socket]:
    """A port for each target."""
    return [socket.create_server(("127.0.0.1", 0), backlog=100) for _ in range(len(HOSTS) * TARGETS)]


def ports_of(sockets: Sequence[socket.socket]) -> list[int]:
    return [each.getsockname()[1] for each in sockets]


@define(eq=False)
class Run:
    """A fleet, and the streams through it."""

    chain: FleetChain
    sockets: Sequence[socket.socket]
    phases: Sequence[Phase]
    say: Callable[[str], None] = lambda words: None
    rate: float = RATE
    tally: Tally = field(factory=lambda: Tally(RELAYS))
    reached: Counter[str] = field(factory=Counter)
    """Streams by target."""
    broken: list[BaseException] = field(factory=list)
    """Mistakes of the test itself."""
    _count: int = 0
    _apis: list[Api] = field(factory=list)
    _emptied: dict[str, asyncio.Event] = field(factory=dict)
    """Of each relay, set when its long streams are to end."""
    _begun: float = 0.0
    _tasks: set[asyncio.Task[None]] = field(factory=set)

    @property
    def even(self) -> list[str]:
        """Phases in which all relays are ready."""
        return [phase.name for phase in self.phases if phase.fault in ("", "lose_server")]

    def now(self) -> float:
        return asyncio.get_running_loop().time() - self._begun

    async def run(self) -> Tally:
        self._begun = asyncio.get_running_loop().time()
        servers = await serve(self.sockets, self._named)
        self._apis = [Api(self.chain.ports[name], self.chain.key) for name in PLATFORMS]
        self._emptied = {relay: asyncio.Event() for relay in RELAYS}
        try:
            for phase in self.phases:
                await self._phase(phase)
            for event in self._emptied.values():
                event.set()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=WAIT)
        finally:
            for task in self._tasks:
                task.cancel()
            for api in self._apis:
                api.close()
            for server in servers:
                server.close()
        self.tally.slowness = bystander().slowness(time.monotonic() - self.now())
        return self.tally

    @staticmethod
    def _named(number: int) -> str:
        return f"{HOSTS[number // TARGETS]} {target_name(number)}"

    async def _phase(self, phase: Phase) -> None:
        """Ask for a phase's streams, each at its time, however long others take."""
        loop, fault = asyncio.get_running_loop(), None
        began = loop.time()
        for number in range(phase.count):
            await asyncio.sleep(began + number / self.rate - loop.time())
            if self.broken:
                raise self.broken[0]
            if phase.fault and number == int(phase.count * EARLY):
                fault = asyncio.create_task(getattr(self, phase.fault)(phase.of, phase.mends))
            task = asyncio.create_task(self._one(phase.name, self._count))
            self._count += 1
            self._tasks.add(task)
            task.add_done_callback(self._done)
        if fault is not None:
            await fault
        told = self.tally.phase(phase.name)
        self.say(f"{phase.name}: {told.at_once} of {told.streams} are open, {told.longest:.2f} s at the most")

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.broken.append(error)

    # -- streams ---------------------------------------------------------------------------------------------

    async def _one(self, phase: str, number: int) -> None:
        target = number * 7 % len(self.sockets)  # all hosts in turn, and all of their targets
        stream = Stream(phase, HOSTS[target // TARGETS], self.now())
        self.tally.streams.append(stream)
        try:
            await self._through(stream, number, target)
        except (Cut, Wrong) as error:
            stream.wrong = str(error)
        except asyncio.CancelledError:
            stream.wrong = f"nothing came any more for {WAIT:g} s"
            raise
        finally:
            stream.ended = self.now()

    async def _through(self, stream: Stream, number: int, target: int) -> None:
        """Open a stream and see it through."""
        random = Random(number)
        url = await self._apis[number % len(self._apis)].open(stream.host, target_name(target))
        stream.relay = next(relay for relay in RELAYS if url.startswith(f"{BASE}:{self.chain.ports[relay]}/"))
        user = await User.dial(url)
        try:
            async with asyncio.timeout(WAIT):
                name = (await user.take(NAME)).decode().strip()
            stream.ready = self.now() - stream.asked
            if name != self._named(target):
                raise Wrong(f"it leads to {name}, not to {self._named(target)}")
            self.reached[name] += 1
            lives = 10 * WAIT if number % LONG == 0 else random.uniform(*SHORT)
            until = asyncio.get_running_loop().time() + lives
            passed = await user.talk(random, until, self._emptied[stream.relay])
            self.tally.bytes += 2 * passed
        except TimeoutError:
            raise Cut(f"no byte of its target within {WAIT:g} s") from None
        finally:
            user.writer.close()
            with contextlib.suppress(OSError):
                await user.writer.wait_closed()

    # -- what breaks -----------------------------------------------------------------------------------------

    async def drain(self, relay: str, mends: bool) -> None:
        """Stop a relay in order: its streams go on, no other goes by it."""
        await asyncio.to_thread(self.chain.drain, relay)
        known, back = self.now(), float("inf")
        self.tally.drained.append((relay, known, back))
        if mends:
            await asyncio.sleep(SHORT[1])
            self._emptied[relay].set()
            await asyncio.to_thread(self.chain.has_ended, relay)
            self._emptied[relay] = asyncio.Event()
            self.tally.drained[-1] = (relay, known, self.now())
            await asyncio.to_thread(self.chain.bring_back, relay)

    async def kill(self, relay: str, mends: bool) -> None:
        """Kill a relay with its streams."""
        began = self.now()
        await asyncio.to_thread(self.chain.named[relay].kill)
        self.tally.killed.append(kill := Kill(relay, began, self.now()))
        if mends:
            await asyncio.sleep(SHORT[1])
            self.tally.killed[-1] = evolve(kill, back=self.now())
            await asyncio.to_thread(self.chain.bring_back, relay)
            await asyncio.sleep(AVOID)  # hosts that couldn't use it aren't sent there before

    async def lose_server(self, name: str, mends: bool) -> None:
        """Kill the server of NATS at which a program is."""
        server = self.chain.server_of(name)
        await asyncio.to_thread(server.kill)
        if mends:
            await asyncio.sleep(SHORT[1])
            await asyncio.to_thread(self.chain.bring_server_back, server)
