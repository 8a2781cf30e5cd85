"""pulse.py: a server that hangs is found out by whoever waits for an answer."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from attrs import define, field
from nats import errors as nats_errors
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.bus.connection import Bus
from streamrelay.bus.message import Down, TooSlow
from streamrelay.bus.nats_client import Hangs, NatsClient
from streamrelay.bus.pulse import DOUBT, LONG_SILENCE, REST, SILENCE, Pulse
from streamrelay.bus.requests import GRACE
from tests.examples import T
from tests.fakes.logs import Heard
from tests.fakes.reactors import LeapingLoop


class OnALoop(SynchronousTestCase):
    """Tests whose time goes by at once."""

    def setUp(self) -> None:
        self.loop = LeapingLoop()
        self.addCleanup(self.loop.close)

    def run_it(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)


class Waits(OnALoop):
    """Who waits for an answer."""

    def setUp(self) -> None:
        super().setUp()
        self.pinged: list[float] = []
        self.lost: list[float] = []
        self.pulse = Pulse(self.ping, self.lose)

    async def ping(self) -> None:
        self.pinged.append(self.loop.time())

    async def lose(self) -> None:
        self.lost.append(self.loop.time())

    async def wait(self, seconds: float, *heard: float) -> None:
        """Wait so long, while something comes at those times."""
        for when in heard:
            self.loop.call_later(when, self.pulse.hear)
        with self.pulse.felt():
            await asyncio.sleep(seconds)

    def test_answered(self) -> None:
        """An answer that comes soon costs no ping."""
        self.run_it(self.wait(DOUBT - 0.1))
        self.run_it(asyncio.sleep(60))
        self.assertEqual((self.pinged, self.lost), ([], []))

    def test_slow(self) -> None:
        """Where the host is slow and the server answers, or has other things to say, nothing is lost."""
        self.run_it(self.wait(60, DOUBT + 0.01))
        self.assertEqual((self.pinged, self.lost), ([DOUBT], []))

    def test_hangs(self) -> None:
        """A server from which not one byte comes counts for lost; what it said before the question is no answer."""
        self.run_it(self.wait(60, DOUBT - 0.01))
        self.assertEqual((self.pinged, self.lost), ([DOUBT], [DOUBT + SILENCE]))

    def test_again(self) -> None:
        """A server that has answered, and hangs right after that, is found out by the next who waits."""

        async def one_after_another() -> None:
            await self.wait(DOUBT + 0.1, DOUBT + 0.05)
            await self.wait(60)

        self.run_it(one_after_another())
        self.assertEqual(self.lost, [DOUBT + 0.1 + DOUBT + SILENCE])

    def test_many(self) -> None:
        """However many wait, the server is asked once."""

        async def all_of_them() -> None:
            await asyncio.gather(*(self.wait(SILENCE) for _ in range(50)))

        self.run_it(all_of_them())
        self.assertEqual(self.pinged, [DOUBT])

    def beat(self, seconds: float, *heard: float, connected: bool = True) -> None:
        """Let it beat so long, while something comes at those times."""

        async def beats() -> None:
            for when in heard:
                self.loop.call_later(when, self.pulse.hear)
            beating = asyncio.create_task(self.pulse.beat(lambda: connected))
            await asyncio.sleep(seconds)
            beating.cancel()

        self.run_it(beats())

    def test_rests(self) -> None:
        """A server is asked from time to time though nobody waits, so an agent at rest finds out that it hangs."""
        self.beat(3 * REST - 1, REST + 1, 2 * REST + LONG_SILENCE - 1)
        self.assertEqual((self.pinged, self.lost), ([REST, 2 * REST], []))
        self.beat(REST + LONG_SILENCE + 1)
        self.assertEqual(self.lost, [3 * REST - 1 + REST + LONG_SILENCE])

    def test_unconnected(self) -> None:
        """Where there is no connection nobody is asked."""
        self.beat(5 * REST, connected=False)
        self.assertEqual((self.pinged, self.lost), ([], []))

    def test_hurried(self) -> None:
        """Who waits for an answer doesn't wait for the longer silence that is allowed at rest; nor the other way."""

        async def rests_and_waits() -> None:
            self.pulse.doubt(LONG_SILENCE)
            await self.wait(60)

        self.run_it(rests_and_waits())
        self.assertEqual((self.pinged, self.lost), ([0], [DOUBT + SILENCE]))

        async def waits_and_rests() -> None:
            self.pulse.doubt()
            self.pulse.doubt(LONG_SILENCE)
            await asyncio.sleep(60)

        began = self.loop.time()
        self.run_it(waits_and_rests())
        self.assertEqual(self.lost[1:], [began + SILENCE])


@define
class Asked:
    """A client of NATS whose host answers after so long, and whose connection is lost before that."""

    bus: Bus
    answer_after: float
    lost_after: float
    is_connected: bool = True
    pulse: Pulse = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.pulse = Pulse(self.nothing, self.nothing)

    async def nothing(self) -> None: ...

    async def request(self, subject: str, data: bytes, timeout: float) -> "Asked":
        asyncio.get_running_loop().call_later(self.lost_after, self.bus.requests.lose)
        await asyncio.sleep(self.answer_after)
        return self

    data = b"ready"


class Requests(OnALoop):
    """Requests whose connection is lost while they wait."""

    def ask(self, answer_after: float, lost_after: float) -> tuple[object, float]:
        """The answer or the kind of error, and the seconds until then."""
        bus = Bus(("nats://127.0.0.1:1",), "test")
        client: Any = Asked(bus, answer_after, lost_after)
        bus._client = client
        began = self.loop.time()
        try:
            found: object = self.run_it(bus.request("a", b"", 10.0))
        except (Down, TooSlow) as error:
            found = type(error)
        self.assertEqual(bus.requests.waiting, {})
        return found, round(self.loop.time() - began, 3)

    def test_lost(self) -> None:
        """Nobody waits ten seconds for an answer that the lost connection may have had on its way."""
        self.assertEqual(self.ask(60, 1), (Down, 1 + GRACE))

    def test_back(self) -> None:
        """An answer of a host that took longer than the bus was away is an answer."""
        self.assertEqual(self.ask(2, 1), (b"ready", 2))

    def test_late(self) -> None:
        """A loss shortly before the end gives no more time."""
        self.assertEqual(self.ask(60, 9.5), (Down, 10))
        self.assertEqual(self.ask(60, 11), (TooSlow, 10))


class Told(OnALoop):
    """What the log says of a server that hangs."""

    def test_once(self) -> None:
        """The server is named, and that it can't be had afterwards is said as well."""
        bus, heard = Bus(("nats://127.0.0.1:1",), "test"), Heard(self)
        client = bus._trying = NatsClient(frozenset(), lambda: None)
        client.url = "nats://bus:4222"
        for error in (Hangs(), Hangs(), ConnectionRefusedError(111, "refused")):
            self.run_it(bus._failed(error))
        gone, refused = heard.lines
        self.assertEqual(gone, "NATS at nats://bus:4222 doesn't answer any more; connecting again")
        self.assertIn("can't connect to NATS at nats://bus:4222", refused)
        self.assertIsInstance(Hangs(), nats_errors.StaleConnectionError)
