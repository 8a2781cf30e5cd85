"""requests.py: a request survives the loss of a server of NATS, as it is sent again."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field
from nats import errors as nats_errors

from streamrelay.bus.message import Down, Nobody, TooSlow
from streamrelay.bus.pulse import Pulse
from streamrelay.bus.requests import AGAIN, GRACE, Requests
from tests.bus.test_pulse import OnALoop
from tests.fakes.reactors import awaited


@define
class Client:
    """A client of NATS whose requests become what the test says, each in its turn: `Answered`, or an error."""

    becomes: list[Callable[[], Coroutine[Any, Any, bytes]]]
    data: bytes = b""
    has_others: bool = True
    sent: list[float] = field(factory=list)
    pulse: Pulse = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.pulse = Pulse(self.ping, self.ping)

    async def ping(self) -> None:
        self.pulse.hear()

    async def request(self, subject: str, data: bytes, timeout: float) -> "Client":
        self.sent.append(round(asyncio.get_running_loop().time(), 3))
        became = self.becomes[min(len(self.sent), len(self.becomes)) - 1]
        return Client([], data=await became())


def answered(data: bytes, seconds: float) -> Callable[[], Coroutine[Any, Any, bytes]]:
    async def work() -> bytes:
        await asyncio.sleep(seconds)
        return data

    return work


def failing(error: Exception, seconds: float = 0.001) -> Callable[[], Coroutine[Any, Any, bytes]]:
    async def work() -> bytes:
        await asyncio.sleep(seconds)
        raise error

    return work


LOST = answered(b"never", 1e6)
NOBODY = failing(nats_errors.NoRespondersError())
UNSENT = failing(nats_errors.OutboundBufferLimitError())


class Copies(OnALoop):
    """Copies of a request."""

    def setUp(self) -> None:
        super().setUp()
        self.requests = Requests()

    def ask(self, *becomes: Callable[[], Coroutine[Any, Any, bytes]], copies: bool = True) -> tuple[object, float]:
        """The answer or the kind of error, and the seconds until then."""
        client: Any = Client(list(becomes))
        self.client, began = client, self.loop.time()
        try:
            found: object = self.run_it(self.requests.ask(client, "a", b"", 10.0, copies))
        except (Down, Nobody, TooSlow) as error:
            found = type(error)
        self.assertEqual(self.requests.waiting, {})
        self.assertEqual(asyncio.all_tasks(self.loop), set())
        return found, round(self.loop.time() - began, 3)

    def at(self, *times: float) -> None:
        """Let the host be back at these times, which says so."""
        for when in times:
            self.loop.call_later(when, self.requests.repeat, "a")

    def lose(self, when: float, back: float = 0.0) -> None:
        self.loop.call_later(when, self.requests.lose)
        if back:
            self.loop.call_later(back, self.requests.stand)

    def test_once(self) -> None:
        """Without news of the host or of the connection it is sent once, however long it takes."""
        self.loop.call_later(1.0, self.requests.repeat, "another")
        self.assertEqual(self.ask(answered(b"a", 9.0)), (b"a", 9.0))
        self.assertEqual(self.ask(LOST), (TooSlow, 10.0))
        self.assertEqual(len(self.client.sent), 1)

    def test_host_back(self) -> None:
        """What the host's server has lost, be it the request or the answer, is sent again when the host is back."""
        self.at(0.3)
        self.assertEqual(self.ask(LOST, answered(b"copy", 0.01)), (b"copy", 0.31))

    def test_own_connection(self) -> None:
        """What our own server has lost is sent again when we are connected again."""
        self.lose(0.1, back=0.15)
        self.assertEqual(self.ask(LOST, answered(b"copy", 0.01)), (b"copy", 0.16))

    def test_first(self) -> None:
        """The first one's answer counts as well, when copies are out."""
        self.at(0.1, 0.2)
        self.assertEqual(self.ask(answered(b"first", 0.5), LOST), (b"first", 0.5))
        self.assertEqual(len(self.client.sent), 3)

    def test_nobody(self) -> None:
        """That nobody hears the first is the answer; that nobody hears a copy, or that it can't be sent, is none: it is
        sent again for two seconds."""
        self.assertEqual(self.ask(NOBODY)[0], Nobody)
        self.lose(0.1, back=0.2)
        self.assertEqual(self.ask(answered(b"first", 5), NOBODY), (b"first", 5.0))
        self.assertTrue(GRACE < self.client.sent[-1] - self.client.sent[1] + 2 * AGAIN < GRACE + 4 * AGAIN)
        self.lose(0.1, back=0.2)
        found, took = self.ask(LOST, NOBODY, UNSENT, NOBODY, answered(b"copy", 0.01))
        self.assertEqual(found, b"copy")
        self.assertAlmostEqual(took, 0.2 + 3 * (AGAIN + 0.001) + 0.01, 2)

    def test_none(self) -> None:
        """Of what isn't to be followed twice no copy is sent."""
        self.at(0.1)
        self.assertEqual(self.ask(LOST, copies=False), (TooSlow, 10.0))
        self.assertEqual(len(self.client.sent), 1)

    def test_connection(self) -> None:
        """Once there is a connection again, an answer to a copy may take its time; while there is none it may not."""
        self.lose(1.0)
        self.assertEqual(self.ask(LOST), (Down, 1.0 + GRACE))
        for copies, found in ((True, (b"late", 8.0)), (False, (Down, 1.0 + GRACE))):
            self.lose(1.0, back=1.5)
            self.assertEqual(self.ask(answered(b"late", 8.0), LOST, copies=copies), found)


class Back(OnALoop):
    """A connection that may be made to another server."""

    def test_may_be_back(self) -> None:
        """It may for two seconds after a loss, where there is another server; never where there was no connection."""
        requests, client = Requests(), Client([])
        alone: Any = Client([], has_others=False)
        known: Any = client

        async def look() -> list[bool]:
            requests.lose()
            found = [requests.may_be_back(each) for each in (None, alone, known)]
            await asyncio.sleep(GRACE)
            return [*found, requests.may_be_back(known)]

        self.assertEqual(self.run_it(look()), [False, False, True, False])

    def test_between(self) -> None:
        """Between the end of a connection and the moment in which it is told, it may be, too."""

        async def look() -> bool:
            known: Any = Client([])
            return Requests().may_be_back(known)

        self.assertTrue(awaited(look()))
