"""watched.py: a websocket whose peer asks by control messages whether the link lives."""

import json

from twisted.internet.task import Clock

from streamrelay.datapath.connection import HIGH
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.datapath.splice import Splice
from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.websocket.frames import BINARY, CLOSE, TEXT
from streamrelay.websocket.watched import WatchedConnection
from tests.documented import CONTROL_BURST, MAX_CONTROL, PAGE_IS_FAST, PAGE_MESSAGE
from tests.fakes.channels import FakeChannel
from tests.fakes.connections import Ear, FakeConnection
from tests.fakes.frames import frame
from tests.websocket import test_connection


class Case(test_connection.Case):
    """The relay's side, which waits until it is joined."""

    def setUp(self) -> None:
        self.clock, self.channel, self.ear = Clock(), FakeChannel(), Ear()
        self.connection = WatchedConnection(self.channel, self.clock, Heartbeat(self.clock), self.masking, True)
        self.key = test_connection.KEY

    def join(self) -> None:
        self.connection.join(self.ear, self.ear)

    def ask(self, number: int) -> None:
        self.receive(TEXT, b'{"ping": %d}' % number)

    def pongs(self) -> list[int]:
        """The numbers of those that were said since the last time."""
        return [json.loads(payload)["pong"] for opcode, payload in self.sent() if opcode == TEXT]

    def send(self, size: int, seed: int = 0) -> bytes:
        data = bytes((seed + place) % 251 for place in range(1000)) * (size // 1000 + 1)
        self.connection.send([memoryview(data)[:size]], size)
        return data[:size]


class Asked(Case):
    """What it is asked."""

    def test_answered(self) -> None:
        """A ping is answered at once with its number, and nobody else hears of it."""
        self.join()
        self.ask(1)
        self.ask(2**53 - 1)
        self.assertEqual(self.sent(), [(TEXT, b'{"pong":1}'), (TEXT, b'{"pong":%d}' % (2**53 - 1))])
        self.assertEqual(self.ear.said, [])

    def test_others_pass(self) -> None:
        """All other control messages, a peer's own pongs too, pass as ever."""
        self.join()
        for message in (b'{"resize":[80,24]}', b'{"pong":1}', b'{"pings":1}', b'{"ping":null}'):
            self.receive(TEXT, message)
        self.receive(TEXT, b'{"eof":true}')
        self.assertEqual(len(self.ear.named("control")), 4)
        self.assertEqual(len(self.ear.named("eof")), 1)
        self.assertEqual(self.pongs(), [])

    def test_malformed(self) -> None:
        """A ping that is no number from 1 to 2^53 - 1 breaks the protocol; so does one that isn't UTF-8, or is long."""
        for message, code in (
            (b'{"ping":0}', CloseCode.PROTOCOL),
            (b'{"ping":-1}', CloseCode.PROTOCOL),
            (b'{"ping":1.5}', CloseCode.PROTOCOL),
            (b'{"ping":"1"}', CloseCode.PROTOCOL),
            (b'{"ping":9007199254740992}', CloseCode.PROTOCOL),
            (b'{"ping":[[', CloseCode.PROTOCOL),
            (b"[]", CloseCode.PROTOCOL),
            (b"\xff", CloseCode.BAD_UTF8),
            (b'{"ping":1%s}' % (b" " * MAX_CONTROL), CloseCode.TOO_BIG),
        ):
            self.setUp()
            self.join()
            self.receive(TEXT, message)
            self.assertEqual(self.sent_codes(), [code], message)

    def test_flood(self) -> None:
        """Pings count as control messages: one too many closes the leg, and each answer is no longer than its ping."""
        self.join()
        for number in range(CONTROL_BURST):
            self.receive(TEXT, b'{"ping":%d}' % (number + 1))
        answers = self.sent()
        self.assertEqual([opcode for opcode, _ in answers], [TEXT] * CONTROL_BURST)
        self.assertLessEqual(max(len(payload) for _, payload in answers), len(b'{"ping":80}'))
        self.ask(1)
        self.assertEqual(self.sent_codes(), [CloseCode.FLOODING])

    def test_unread(self) -> None:
        """Of answers to one who doesn't read only the last is kept, and it goes out once there is room."""
        self.join()
        self.channel.full = True
        self.send(100)
        for number in range(1, 10):
            self.ask(number)
        self.channel.take()
        self.channel.drain()
        self.assertEqual(self.pongs(), [9])
        self.assertEqual(self.ear.said, [("drained",)])

    def test_closing(self) -> None:
        """Nothing is answered behind a close."""
        self.join()
        self.channel.full = True
        self.send(100)
        self.ask(1)
        self.connection.close(outcome(CloseCode.IDLE))
        self.ask(2)
        self.channel.drain()
        self.assertEqual([opcode for opcode, _ in self.sent()], [BINARY, CLOSE])


class Unasked(Case):
    """What it is told without having asked: where its ping may lie unread behind what it has sent."""

    def test_quiet(self) -> None:
        """A link over which nothing goes costs nothing, nor does one over which something goes to the peer."""
        self.join()
        self.beats(2)
        self.assertEqual(self.pongs(), [])
        for _ in range(3):
            self.receive(BINARY, b"a key")
            self.send(10)
            self.beats(1)
        self.assertEqual(self.pongs(), [])

    def test_pong_frames(self) -> None:
        """A browser's answers to the relay's own pings are no reason for more: a page that is hidden costs nothing."""
        self.join()
        for _ in range(12):
            self.beats(1)
            self.receive(10)
        self.assertEqual(self.pongs(), [])

    def test_waits(self) -> None:
        """While it waits for the other leg it isn't read, and told at each beat."""
        self.beats(3)
        self.assertEqual(self.pongs(), [0, 0, 0])

    def test_sends(self) -> None:
        """One that sends, slowly and to a target that says nothing, is told at each beat that it comes in."""
        self.join()
        self.channel.receive(frame(BINARY, bytes(10_000), self.key)[:100])
        for _ in range(3):
            self.beats(1)
            self.channel.receive(bytes(100))
        self.assertEqual(self.pongs(), [0, 0, 0])

    def test_sends_much(self) -> None:
        """One that sends much is told, though it hears others: what it hears may end, and its ping be late."""
        self.join()
        for _ in range(2):
            self.receive(BINARY, bytes(20_000))
            self.send(10)
            self.beats(1)
        self.assertEqual(self.pongs(), [0, 0])

    def test_paused(self) -> None:
        """One that isn't read, as the agent takes no more, is told so at once and at each beat, not at each pause."""
        agent = FakeConnection(slow=True)
        Splice(self.connection, agent, lambda _: None).start()
        self.receive(BINARY, bytes(HIGH + 1))
        self.assertEqual((self.channel.paused, self.pongs()), (True, [0]))
        for _ in range(10):
            agent.drain()
            self.receive(BINARY, bytes(HIGH + 1))
        self.assertEqual((self.channel.paused, self.pongs()), (True, []))
        self.beats(2)
        self.assertEqual(self.pongs(), [0, 0])

    def test_answer_is_not_forgotten(self) -> None:
        """An answer that waits for room isn't lost for a word that nobody has asked for."""
        self.join()
        self.channel.full = True
        self.send(100)
        self.ask(7)
        self.connection.pause()
        self.channel.take()
        self.channel.drain()
        self.assertEqual(self.pongs(), [7])


class Pieces(Case):
    """What it is sent."""

    def sizes(self) -> tuple[list[int], bytes]:
        """The sizes of the messages that were sent since the last time, and all their bytes."""
        data, place = self.channel.take(), 0
        found: list[bytes] = []
        while place < len(data):
            size, begin = data[place + 1], place + 2
            if size == 126:
                size, begin = int.from_bytes(data[begin : begin + 2], "big"), begin + 2
            elif size == 127:
                size, begin = int.from_bytes(data[begin : begin + 8], "big"), begin + 8
            found.append(data[begin : begin + size])
            place = begin + size
        return list(map(len, found)), b"".join(found)

    def test_small(self) -> None:
        """A page sees whole messages alone, so it gets small ones: one comes now and then on a slow link, too."""
        self.join()
        sent = self.send(3 * PAGE_MESSAGE + 7)
        self.assertEqual(self.sizes(), ([PAGE_MESSAGE, PAGE_MESSAGE, PAGE_MESSAGE, 7], sent))
        self.send(PAGE_MESSAGE)
        self.assertEqual(self.sizes()[0], [PAGE_MESSAGE])

    def test_many_views(self) -> None:
        """Messages that came in tiny frames don't go out in as many."""
        self.join()
        self.connection.send([memoryview(b"a")] * 10_000, 10_000)
        self.assertEqual(self.sizes(), ([PAGE_MESSAGE, PAGE_MESSAGE, 10_000 - 2 * PAGE_MESSAGE], b"a" * 10_000))

    def test_fast(self) -> None:
        """Who takes 16 MiB in a beat isn't slow: whatever else comes in it, and in the next beat, goes in one piece."""
        self.join()
        size = 1 << 17
        for _ in range(PAGE_IS_FAST // size):
            self.send(size)
        self.assertEqual(set(self.sizes()[0]), {PAGE_MESSAGE})
        self.send(size)
        self.assertEqual(self.sizes()[0], [size])
        self.beats(1)
        self.sizes()
        self.send(size)
        self.assertEqual(self.sizes()[0], [size])
        self.beats(1)
        self.sizes()
        self.send(size)
        self.assertEqual(set(self.sizes()[0]), {PAGE_MESSAGE})
