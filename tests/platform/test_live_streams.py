"""live_streams.py: what is listed of streams, and how often the hosts are asked for it."""

import asyncio
from typing import Any

from streamrelay.platform.live_streams import Listing, LiveStreams
from streamrelay.protocol import codec
from streamrelay.protocol.summons import HostInfo, StreamInfo
from tests.documented import LIST_FRESH, STREAM_ANSWERS
from tests.platform.test_platform import Case as PlatformCase


def told(stream: str, host: str = "web-1", **more: Any) -> dict[str, Any]:
    about = {"target": "log", "user": "alice", "seconds": 5.0, "up": 1, "down": 2, "waiting": False}
    return {"stream": stream, "host": host, **about, **more}


class Case(PlatformCase):
    """A platform whose clocks are the test's."""

    live: LiveStreams

    def setUp(self) -> None:
        super().setUp()
        self.time = 1000.0
        self.missed: list[str] = []
        self.live = self.platform.live_streams
        self.live.clock = self.live._shared.clock = lambda: self.time
        self.live.missed = self.missed.extend
        self.live.now = lambda: 1e9 + self.time

    def fleet(self, count: int) -> None:
        self.platform.inventory.hosts = {f"h{n}": HostInfo(f"h{n}", ()) for n in range(count)}

    def tell(self, *streams: dict[str, Any]) -> None:
        self.bus.gathered = [("web-1", codec.encode([one for one in streams if one["host"] == "web-1"]))]

    def list(self, anew: bool = False) -> Listing[StreamInfo]:
        """The list; all on one loop, as a question belongs to that on which it was asked."""
        return self.loop.run_until_complete(self.live.listed(anew))

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        if not hasattr(self, "_loop"):
            self._loop = asyncio.new_event_loop()
            self.addCleanup(self._loop.close)
        return self._loop

    @property
    def questions(self) -> int:
        return len(self.bus.asked)


class Rows(Case):
    """What is told of a stream."""

    def test_since(self) -> None:
        """Each has the time since when it is there, by the platform's clock."""
        self.tell(told("s1", seconds=60.5))
        [info] = self.list()
        self.assertEqual((info.since, info.seconds), (1e9 + 1000 - 60.5, 60.5))

    def test_left_out(self) -> None:
        """What no stream can be is left out, whoever tells it; a host's other streams aren't."""
        long = "x" * 301
        wrong = ({"stream": long}, {"target": long}, {"user": long}, {"seconds": -1}, {"seconds": 1e300}, {"host": "x"})
        self.bus.gathered = [("web-1", codec.encode([told("good"), *({**told("bad"), **one} for one in wrong)]))]
        self.assertEqual([info.stream for info in self.list()], ["good"])


class Pace(Case):
    """How often the hosts are asked."""

    def test_few(self) -> None:
        """Of few hosts a list is good for two seconds, and asked for anew after an opening."""
        self.fleet(100)
        for at, questions in ((0.0, 1), (LIST_FRESH - 0.1, 1), (LIST_FRESH, 2)):
            self.time = 1000 + at
            self.list()
            self.assertEqual(self.questions, questions, at)
        self.live.opened("s", "web-1", "log", "alice")
        self.time += 0.2
        self.list()
        self.assertEqual(self.questions, 3)

    def test_many(self) -> None:
        """Of many hosts no more than a thousand answers a second are asked for, whatever is opened and ended, and
        however many want the list."""
        self.fleet(10 * STREAM_ANSWERS)
        self.list()
        for step in range(1, 100):
            self.time = 1000 + step * 0.3
            self.live.opened(f"s{step}", "web-1", "log", "alice")
            self.live.ended("web-1", f"s{step}")
            self.list()
        self.assertEqual(self.questions, 3)
        self.assertLess(len(self.live._changes), 40)

    def test_anew(self) -> None:
        """Who needs a question of their own waits until one may be asked."""
        self.fleet(STREAM_ANSWERS // 20)
        slept: list[float] = []
        sleep = asyncio.sleep

        async def nap(seconds: float) -> None:
            slept.append(round(seconds, 3))
            await sleep(0)

        self.patch(asyncio, "sleep", nap)
        self.list()
        self.time += 0.01
        self.list(anew=True)
        self.assertEqual((self.questions, slept), (2, [0.04]))

    def test_nothing_kept(self) -> None:
        """While nobody wants a list nothing is kept of what is opened and ended."""
        for number in range(100):
            self.live.opened(f"s{number}", "web-1", "log", "alice")
            self.live.ended("web-1", f"s{number}")
        self.assertEqual(self.live._changes, {})
        self.list()
        self.live.opened("s", "web-1", "log", "alice")
        self.assertEqual(len(self.live._changes), 1)
        self.time += LIST_FRESH
        self.live.opened("t", "web-1", "log", "alice")
        self.assertEqual(self.live._changes, {})


class Changes(Case):
    """What was opened and ended here since the hosts were asked."""

    def setUp(self) -> None:
        super().setUp()
        self.fleet(10_000)
        self.platform.inventory.be_complete(True)
        self.tell(told("old"), told("channels", channels=1), told("channels.1"))
        self.assertEqual(len(self.list()), 3)

    def names(self) -> set[str]:
        return {info.stream for info in self.list()}

    def test_opened(self) -> None:
        """What was opened is listed though nobody was asked: it waits for its client, for so long."""
        self.live.opened("new", "web-2", "shell", "bob")
        self.time += 3
        [new] = [info for info in self.list() if info.stream == "new"]
        self.assertEqual((new.host, new.target, new.user, new.waiting), ("web-2", "shell", "bob", True))
        self.assertEqual((new.seconds, new.since), (3.0, 1e9 + 1000))
        self.assertEqual(self.questions, 1)
        self.tell(told("old"), told("new"))
        self.time += 10
        self.assertEqual(self.names(), {"old", "new"})
        self.assertEqual(self.questions, 2)

    def test_ended(self) -> None:
        """What was ended isn't listed, nor are its channels; a channel by itself is one."""
        self.live.ended("web-1", "channels.1")
        self.assertEqual(self.names(), {"old", "channels"})
        self.live.ended("web-1", "channels")
        self.assertEqual(self.names(), {"old"})
        self.live.ended("web-2", "old")  # another host's of that name
        self.assertEqual(self.names(), {"old"})
        self.live.opened("old", "web-1", "log", "alice")
        self.live.ended("web-1", "old")
        self.assertEqual(self.names(), set())
        self.assertEqual(self.questions, 1)

    def test_later_question(self) -> None:
        """An answer to a later question counts: what still lives is listed again."""
        self.live.ended("web-1", "old")
        self.time += 10
        self.assertIn("old", self.names())
        self.assertEqual(self.questions, 2)

    def test_whole(self) -> None:
        """Whether the list is whole is as its answer was."""
        self.bus.complete, self.bus.missing = False, frozenset(("web-7",))
        self.time += 10
        before = self.list()
        self.live.opened("new", "web-2", "shell", "bob")
        after = self.list()
        self.assertIsNot(before, after)
        self.assertEqual((after.complete, after.missing, after.cut), (False, {"web-7"}, False))
        self.assertIs(self.list(), after)
        self.assertEqual(self.missed, ["web-7"])
