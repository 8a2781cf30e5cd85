"""agent/terminals: programs that outlive their streams, and the streams that are attached to them."""

import gc
from typing import Any

from msgspec import UNSET

from streamrelay.agent.config import AgentConfig
from streamrelay.agent.metrics import AgentMetrics
from streamrelay.agent.service import Agent
from streamrelay.agent.summoned_stream import SummonedStream
from streamrelay.agent.terminals import model
from streamrelay.agent.terminals.attachment import MOST_BEHIND, STAYED
from streamrelay.agent.terminals.terminal import TOLD_EVERY, told_people
from streamrelay.bus.message import Message
from streamrelay.datapath.connection import HIGH
from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.protocol import codec
from streamrelay.protocol.close import FINISHED, CloseCode
from streamrelay.protocol.control import MAX_CONTROL, Control, Person, decode_control
from streamrelay.protocol.summons import Answer
from streamrelay.protocol.terminals import TerminalInfo, TerminalsAnswer
from tests.agent.test_service import MET, RELAY, Case, FakeDialler
from tests.fakes.connections import FakeConnection

KEEP = 3600.0


class Kept(Case):
    """An agent whose one target keeps its terminals."""

    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.number = 0
        self.target.keep, self.target.kind, self.target.viewer = KEEP, "pty", "terminal"

    def start(self, **settings: Any) -> None:
        config = AgentConfig("web-1", tokens="opaque", relays=(RELAY,), **settings)
        self.agent = Agent(config, self.catalogue, self.reactor, lambda: 1000.0)
        self.agent.bus, self.agent.memory = self.bus, self.memory
        self.agent.streams.legs.dialler = self.dialler = FakeDialler(self.reactor, Heartbeat(self.reactor))

    def ask(self, user: str = "ann", **claims: Any) -> Answer:
        """Summon the agent, and return its answer; the client doesn't come yet."""
        self.number += 1
        self.summon(f"jti-{self.number:018d}", stream=f"stream-{self.number:016d}", user=user, **claims)
        return self.answers()[-1]

    def open(self, user: str = "ann", **claims: Any) -> FakeConnection:
        """Open a stream whose client comes, and return its leg."""
        answer = self.ask(user, **claims)
        self.assertTrue(answer.ready, answer.reason)
        self.terminal = answer.terminal
        leg = self.dialler.legs[-1]
        leg.feed.control(MET)
        return leg

    def attach(self, user: str = "ann", **claims: Any) -> FakeConnection:
        """Attach another client, and have the screen drawn for it."""
        leg = self.open(user, terminal=self.terminal, **claims)
        self.reactor.pump([model.REST] * 2)
        return leg

    @property
    def program(self) -> FakeConnection:
        return self.target.made[-1]

    def infos(self) -> list[TerminalInfo]:
        return self.agent.streams.terminals.infos()

    def told(self, leg: FakeConnection) -> list[Control]:
        """Return what a client was told since the last time."""
        messages = [decode_control(message) for message in leg.controls]
        leg.controls.clear()
        return messages

    def sizes(self, leg: FakeConnection) -> list[tuple[int, int]]:
        """Return the sizes that a client was told since the last time."""
        return [message.size for message in self.told(leg) if message.size is not None]

    def leave(self, leg: FakeConnection) -> None:
        """Let a client go that has seen the terminal."""
        self.reactor.advance(STAYED)
        leg.lose()


class Lives(Kept):
    """How long a terminal lives."""

    def test_outlives(self) -> None:
        """A program outlives its stream, and a stream that names its terminal goes on with it; no other is started."""
        leg = self.open()
        self.program.receive(b"hello")
        self.leave(leg)
        self.assertIsNone(self.program.closed)
        self.assertEqual(self.agent.streams.infos(), [])
        self.reactor.advance(60)
        [info] = self.infos()
        self.assertEqual((info.terminal, info.user, info.detached), (self.terminal, "ann", 60))
        again = self.attach()
        self.assertIn(b"hello", bytes(again.sent))
        again.receive(b"ls\r")
        self.assertEqual(bytes(self.program.sent), b"ls\r")
        self.assertEqual(len(self.target.made), 1)
        [info] = self.infos()
        self.assertIs(info.detached, UNSET)

    def test_events(self) -> None:
        """Events of a stream name the terminal that it is attached to, with the user; those of other streams none."""
        leg = self.open()
        self.attach("bob", share=True)
        self.leave(leg)
        told = [(event["user"], event["terminal"]) for event in self.events("opened")]
        self.assertEqual(told, [("ann", self.terminal), ("bob", self.terminal)])
        [ended] = self.events("ended")
        self.assertEqual((ended["user"], ended["terminal"]), ("ann", self.terminal))
        self.target.keep = 0
        self.open()
        self.assertNotIn("terminal", self.events("opened")[-1])

    def test_kept_enough(self) -> None:
        """A terminal that nobody comes back to ends as its target says, counted from its last stream's end."""
        leg = self.open()
        other = self.attach()
        self.leave(leg)
        self.reactor.advance(2 * KEEP)
        self.assertIsNone(self.program.closed)
        self.leave(other)
        self.reactor.advance(KEEP - 1)
        self.assertIsNone(self.program.closed)
        self.reactor.advance(1)
        self.assertEqual(self.program.closing.code, CloseCode.LEG_LOST)
        self.assertEqual(self.infos(), [])
        self.assertEqual(self.ask(terminal=self.terminal).refused, "no_such_terminal")

    def test_came_back(self) -> None:
        """Whoever comes back in time ends the wait for that, also if they say nothing for long."""
        self.leave(self.open())
        self.reactor.advance(KEEP / 2)
        self.attach()
        self.reactor.advance(2 * KEEP)
        self.assertIsNone(self.program.closed)

    def test_opener_never_came(self) -> None:
        """A terminal whose opener's client never came isn't kept; one who only wanted to attach changes nothing."""
        self.ask()
        self.dialler.legs[-1].lose()
        self.assertIsNotNone(self.program.closed)
        leg = self.open()
        self.ask(terminal=self.terminal)
        self.dialler.legs[-1].lose()
        self.assertIsNone(self.program.closed)
        self.leave(leg)
        self.reactor.advance(KEEP / 2)
        self.ask(terminal=self.terminal)
        self.dialler.legs[-1].lose()
        self.assertIsNone(self.program.closed)
        self.reactor.advance(KEEP)
        self.assertIsNotNone(self.program.closed)

    def test_opener_left_at_once(self) -> None:
        """A terminal whose opener's client left before anybody saw it isn't kept, whatever that client's screen has
        said by itself; one in which somebody has typed is."""
        for said in (b"", b"\x1b[?1;2c"):
            leg = self.open()
            leg.feed.control(b'{"resize":[90,30]}')
            leg.receive(said)
            leg.lose()
            self.assertIsNotNone(self.program.closed, said)
            self.assertEqual(self.infos(), [])
        leg = self.open()
        leg.receive(b"make\r")
        leg.lose()
        self.assertIsNone(self.program.closed)

    def test_not_kept(self) -> None:
        """A stream that looks only, or names nobody, or is of a target without `keep` ends its program."""
        for changes in ({"view": True}, {"user": ""}):
            leg = self.open(**changes)
            self.assertEqual(self.terminal, "")
            self.leave(leg)
            self.assertIsNotNone(self.program.closed or self.program.aborted)
        self.target.keep = 0
        self.open()
        self.assertEqual((self.terminal, self.infos()), ("", []))

    def test_program_ends(self) -> None:
        """A program that ends tells all clients its status, behind all that it has said, and is listed no more; also
        while nobody is attached."""
        one, two = self.open(), self.attach()
        two.slow = True
        self.program.receive(b"x" * (HIGH + 1))
        self.program.receive(b"last")
        self.program.feed.control(b'{"exit":3}')
        self.program.feed.eof()
        self.program.lose()
        for leg in (one, two):
            self.assertTrue((bytes(leg.sent) + bytes(leg.queue)).endswith(b"xlast"))
            self.assertIn(3, [message.exit for message in self.told(leg)])
            self.assertEqual(leg.closing, FINISHED)
        self.assertEqual(self.infos(), [])
        leg = self.open()
        self.leave(leg)
        self.program.lose()
        self.assertEqual(self.infos(), [])
        self.assertEqual(self.ask(terminal=self.terminal).refused, "no_such_terminal")

    def test_target_read_again(self) -> None:
        """A terminal whose target is withdrawn, or keeps none any more, ends once nobody is attached; a new `keep`
        counts for the next time."""
        leg = self.open()
        self.target.keep = 0
        self.catalogue.changed()
        self.assertIsNone(self.program.closed)
        self.leave(leg)
        self.assertIsNotNone(self.program.closed)
        self.target.keep = KEEP
        self.leave(self.open())
        self.target.keep = 0
        self.catalogue.changed()
        self.assertIsNotNone(self.program.closed)
        self.target.keep = KEEP
        leg = self.open()
        self.target.keep = 2 * KEEP
        self.leave(leg)
        self.reactor.advance(KEEP + 1)
        self.assertIsNone(self.program.closed)

    def test_ended(self) -> None:
        """An operator ends a terminal, and all its streams are told so; by its user's name only that user's."""
        one, two = self.open(), self.attach()
        self.assertEqual(self.end(self.terminal, user="bob").refused, "no_such_terminal")
        self.assertEqual(self.end("x" * 22).refused, "no_such_terminal")
        self.assertTrue(self.end(self.terminal, user="ann").ready)
        for leg in (one, two):
            self.assertEqual(leg.closing.code, CloseCode.OPERATOR)
        self.assertIsNotNone(self.program.closed)
        self.assertEqual(self.end(self.terminal).refused, "no_such_terminal")

    def end(self, terminal: str, **claims: Any) -> Answer:
        message = codec.encode({"terminal": terminal, "jti": "j" * 22, "exp": 1020.0, **claims})
        self.agent._told_to_end(Message(message, "_INBOX.a"))
        return self.answers()[-1]

    def test_stop(self) -> None:
        """An agent that stops tells the clients that their terminals end with it, and ends those of nobody, too."""
        self.leave(self.open())
        alone = self.program
        leg = self.open()
        self.agent.cut()
        self.assertIn("the terminal ends with it", leg.closing.reason)
        stopped = self.agent.stopService()
        for _ in range(100):
            self.reactor.advance(0.05)
            for made in self.target.made:
                if made.closed is not None and not made.lost:
                    made.lose()
            leg.lose()
        self.successResultOf(stopped)
        self.assertIsNotNone(alone.closed)
        self.assertEqual(self.agent.streams.terminals.terminals, {})

    def test_listed(self) -> None:
        """The list tells of terminals, the oldest first, and of who is attached."""
        self.open()
        first = self.terminal
        self.reactor.advance(10)
        self.attach("bob", share=True, view=True)
        self.open("bob")
        message = codec.encode({"terminals": True, "jti": "j" * 22, "exp": 1020.0})
        self.agent._told_to_end(Message(message, "_INBOX.list"))
        [told] = [
            codec.decode(data, TerminalsAnswer) for subject, data in self.bus.published if subject == "_INBOX.list"
        ]
        self.assertEqual([info.terminal for info in told.terminals], [first, self.terminal])
        self.assertEqual([(each.user, each.view) for each in told.terminals[0].people], [("ann", False), ("bob", True)])
        self.assertEqual(
            (round(told.terminals[0].seconds), told.terminals[0].host, told.terminals[0].size), (10, "web-1", (80, 24))
        )


class May(Kept):
    """Who may attach."""

    def test_who(self) -> None:
        """The user who started it may; another one only where the summons says so; nobody is told what there is."""
        self.open()
        for changes in ({"user": "bob"}, {"user": ""}, {"user": "ANN"}, {"user": "bob", "view": True}):
            answer = self.ask(terminal=self.terminal, **changes)
            self.assertEqual((answer.refused, answer.reason), ("no_such_terminal", "no such terminal"))
        unknown = self.ask(terminal="x" * 22)
        self.assertEqual((unknown.refused, unknown.reason), ("no_such_terminal", "no such terminal"))
        self.attach("bob", share=True)
        self.attach(view=True)

    def test_refused_forgotten(self) -> None:
        """Nothing of a stream that was refused is kept."""

        def streams() -> int:
            gc.collect()
            return sum(isinstance(one, SummonedStream) for one in gc.get_objects())

        self.ask(terminal="x" * 22)
        before = streams()
        for _ in range(20):
            self.ask(terminal="x" * 22)
        self.assertLessEqual(streams(), before)

    def test_another_target(self) -> None:
        """A terminal is had by the name of its own target alone, as that is what was granted."""
        self.open()
        self.agent.streams.terminals.terminals[self.terminal].target = "another"
        self.assertEqual(self.ask(terminal=self.terminal).refused, "no_such_terminal")

    def test_looks_only(self) -> None:
        """Who only looks neither types nor has a size, and sees all."""
        self.open()
        onlooker = self.attach(view=True)
        onlooker.receive(b"rm -rf /\r")
        onlooker.feed.control(b'{"resize":[10,5]}')
        onlooker.feed.eof()
        self.reactor.advance(30)
        self.assertEqual((bytes(self.program.sent), self.program.controls), (b"", []))
        self.program.receive(b"shown")
        self.assertTrue(bytes(onlooker.sent).endswith(b"shown"))
        self.assertEqual(self.infos()[0].size, (80, 24))


class Counted(Kept):
    """How many there may be."""

    def test_most(self) -> None:
        """So many terminals may be on a host, half of them of one user, whether anybody is attached or not; attaching
        takes none."""
        self.start(max_terminals=4)
        self.leave(self.open())
        self.open()
        answer = self.ask()
        self.assertEqual(answer.refused, "busy")
        self.assertIn("half of max_terminals", answer.reason)
        self.attach()
        self.open("bob")
        self.open("bob")
        self.assertIn("(max_terminals)", self.ask("eve").reason)
        self.assertEqual(len(self.target.made), 4)

    def test_until_gone(self) -> None:
        """A terminal counts from before its program has begun until that is gone, not only ended."""
        self.start(max_terminals=2)
        leg = self.open()
        self.target.error = ValueError("no")
        self.ask("bob")
        self.target.error = None
        self.assertEqual(len(self.agent.streams.terminals.terminals), 1)
        self.target.keep = 0
        self.leave(leg)
        self.target.keep = KEEP
        self.assertIsNotNone(self.program.closed)
        self.assertEqual(self.ask().refused, "busy")
        self.program.lose()
        self.open()

    def test_metrics(self) -> None:
        """What there is of them, and what was refused for their number, stands among the limits."""
        self.start(max_terminals=2)
        self.open()
        self.ask()
        [limit] = [limit for limit in AgentMetrics(self.agent)._limits() if limit.setting == "max_terminals"]
        self.assertEqual((limit.most, limit.used, limit.refused), (2, 1, 1))

    def test_target_own(self) -> None:
        """A target's `max_streams` counts terminals that nobody is attached to, as their programs run."""
        self.target.max_streams = 1
        self.leave(self.open())
        answer = self.ask("bob")
        self.assertEqual((answer.refused, "max_streams" in answer.reason), ("busy", True))
        self.attach()


class Several(Kept):
    """Several clients at one terminal."""

    def test_both(self) -> None:
        """All see what the program says, and all type."""
        one, two = self.open(), self.attach()
        self.program.receive(b"both")
        one.receive(b"1")
        two.receive(b"2")
        self.assertEqual(bytes(self.program.sent), b"12")
        self.assertEqual(bytes(one.sent), b"both")
        self.assertTrue(bytes(two.sent).endswith(b"both"))

    def test_within_a_sequence(self) -> None:
        """Who comes within a sequence, or a character, gets the screen and then that from its beginning."""
        self.open()
        for begun, rest in ((b"text\x1b[3", b"1mred"), ("é".encode()[:1], "é".encode()[1:])):
            self.program.receive(begun)
            self.reactor.pump([0.001] * 4)
            late = self.attach()
            self.program.receive(rest)
            self.assertTrue(bytes(late.sent).endswith(begun.removeprefix(b"text") + rest))

    def test_own_copy(self) -> None:
        """Each leg has bytes of its own, which it may change in place."""
        one, two = self.open(), self.attach()
        taken: list[bytes] = []

        def spoil(data: Any, size: int) -> None:
            taken.append(bytes(data[0]))
            data[0][:] = bytes(size)

        self.patch(FakeConnection, "send", lambda leg, data, size: spoil(data, size))
        self.program.receive(b"text")
        self.assertEqual(taken, [b"text", b"text"])
        self.assertIsNot(one, two)

    def test_alone_waits(self) -> None:
        """The program waits for a client that is alone, and nothing is lost."""
        leg = self.open()
        leg.slow = True
        self.program.receive(b"a" * (HIGH + 1))
        self.assertTrue(self.program.paused)
        self.program.receive(b"b" * 1000)
        leg.slow = False
        leg.drain()
        self.assertFalse(self.program.paused)
        self.assertEqual(bytes(leg.sent), b"a" * (HIGH + 1) + b"b" * 1000)

    def test_slow_one(self) -> None:
        """The others go on while one takes nothing; it gets what it missed, or the screen as it is if that is much."""
        fast, slow = self.open(), self.attach()
        slow.slow = True
        self.program.receive(b"a" * (HIGH + 1))
        self.assertFalse(self.program.paused)
        self.program.receive(b"little")
        slow.slow = False
        slow.drain()
        slow.slow = True
        self.assertTrue(bytes(slow.sent).endswith(b"alittle"))
        self.program.receive(b"a" * (HIGH + 1))
        for _ in range(6):
            self.program.receive(b"\x1b[2J\x1b[Hlost" + b"c" * (MOST_BEHIND // 4))
            self.reactor.advance(0.001)
        self.reactor.pump([0.001] * 2000)
        self.program.receive(b"\x1b[2J\x1b[Hnow\x1b[3")
        slow.slow = False
        slow.drain()
        self.reactor.pump([model.REST] * 2)
        caught_up = bytes(slow.sent).rpartition(b"little")[2]
        self.assertNotIn(b"lost", caught_up.rpartition(b"\x1b[?2004l")[2].rpartition(b"\x1b[2J\x1b[Hnow")[2])
        self.assertTrue(caught_up.endswith(b"now\x1b[3"))
        self.assertLess(len(caught_up), HIGH + 10_000, "more than the screen")
        self.program.receive(b"1mred")
        self.assertTrue(bytes(slow.sent).endswith(b"now\x1b[31mred"))
        self.assertTrue(bytes(fast.sent).endswith(b"now\x1b[31mred"))

    def test_all_slow(self) -> None:
        """The program waits if nobody takes anything, and goes on once one leaves that was the last to wait for."""
        one, two = self.open(), self.attach()
        one.slow = two.slow = True
        self.program.receive(b"a" * (HIGH + 1))
        self.assertTrue(self.program.paused)
        self.leave(one)
        self.assertTrue(self.program.paused)
        self.leave(two)
        self.assertFalse(self.program.paused)

    def test_people(self) -> None:
        """Each client is told who is there, when it comes and when that changes, but seldom."""
        one = self.open()
        self.assertIn((Person("ann"),), [message.people for message in self.told(one)])
        self.reactor.advance(TOLD_EVERY)
        two = self.attach("bob", share=True, view=True)
        both = (Person("ann"), Person("bob", True))
        for leg in (one, two):
            self.assertIn(both, [message.people for message in self.told(leg)])
        for _ in range(40):
            self.attach().lose()
        two.lose()
        self.assertLess(len(one.controls), 4)
        self.reactor.advance(TOLD_EVERY)
        self.assertEqual(self.told(one)[-1].people, (Person("ann"),))
        self.reactor.advance(100 * TOLD_EVERY)
        self.assertEqual(self.told(one), [])

    def test_many_people(self) -> None:
        """A message about people is never longer than a control message may be; it says how many it leaves out."""
        message = told_people([Person(f"{number:0>200}") for number in range(100)])
        told = decode_control(message)
        self.assertLessEqual(len(message), MAX_CONTROL)
        self.assertEqual(len(told.people or ()) + told.others, 100)
        self.assertGreater(len(told.people or ()), 5)

    def test_size(self) -> None:
        """A terminal has the size of who typed or resized last, then of one that is left; all are told."""
        one, two = self.open(), self.attach()
        one.feed.control(b'{"resize":[100,30]}')
        self.reactor.advance(TOLD_EVERY)
        self.assertEqual(self.program.controls, [b'{"resize":[100,30]}'])
        two.feed.control(b'{"resize":[50,20]}')
        self.reactor.advance(TOLD_EVERY)
        self.assertEqual(self.infos()[0].size, (50, 20))
        self.assertEqual(self.sizes(one)[-1], (50, 20))
        one.receive(b"x")
        self.reactor.advance(TOLD_EVERY)
        self.assertEqual(self.infos()[0].size, (100, 30))
        self.assertEqual([self.sizes(leg)[-1] for leg in (one, two)], [(100, 30)] * 2)
        self.leave(one)
        self.assertEqual(self.infos()[0].size, (50, 20))
        two.feed.control(b'{"resize":[10000,10000]}')
        self.reactor.advance(TOLD_EVERY)
        self.assertEqual(self.sizes(two)[-1], (500, 200))
        self.assertEqual(self.program.controls[-1], b'{"resize":[500,200]}')

    def test_size_before_bytes(self) -> None:
        """The program gets another size no sooner than the others are told, as they draw by it what comes then."""
        one, two = self.open(), self.attach()
        self.sizes(one)  # as it was
        two.feed.control(b'{"resize":[200,50]}')
        self.assertEqual((self.program.controls, self.infos()[0].size), ([], (80, 24)))
        self.reactor.advance(TOLD_EVERY)
        self.assertEqual((self.program.controls, self.sizes(one)), ([b'{"resize":[200,50]}'], [(200, 50)]))

    def test_answers(self) -> None:
        """What terminals answer by themselves comes from one client alone, and isn't typing."""
        one, two = self.open(), self.attach()
        two.feed.control(b'{"resize":[50,20]}')
        one.feed.control(b'{"resize":[100,30]}')
        self.reactor.advance(TOLD_EVERY)
        for answer in (
            b"\x1b[?62;c",
            b"\x1b[5;1R",
            b"\x1b]11;rgb:0/0/0\x1b\\",
            b"\x1b[I",
            b"\x1bP1+r\x1b\\",
            b"\x1b[?1;2$y",
            b"\x1b[?1;0;256S",
            b"\x1b[>4;2m",
        ):
            two.receive(answer)
            one.receive(answer)
            self.assertEqual(bytes(self.program.sent), answer)
            self.program.sent.clear()
        self.assertEqual(self.infos()[0].size, (100, 30))
        two.receive(b"\x1b[?62;cls\x1b[A\r")
        self.assertEqual(bytes(self.program.sent), b"ls\x1b[A\r")
        self.reactor.advance(TOLD_EVERY)
        self.assertEqual(self.infos()[0].size, (50, 20))

    def test_answers_in_pieces(self) -> None:
        """An answer that comes in two pieces, wherever it was cut, isn't typing either; keys behind it are."""
        one, two = self.open(), self.attach()
        cuts = {b"\x1b[?62;4c": 3, b"\x1b[5;1R": 3, b"\x1b]11;rgb:0/0/0\x1b\\": 5, b"\x1bP1$r0m\x1b\\": 4}
        for answer, first in cuts.items():
            for cut in range(first, len(answer)):
                one.receive(b"x")
                two.receive(answer[:cut])
                two.receive(answer[cut:])
                self.assertEqual(bytes(self.program.sent), b"x", f"{answer!r} cut at {cut}")
                two.receive(b"ls\r")
                two.receive(answer)
                self.assertEqual(bytes(self.program.sent), b"xls\r" + answer)
                self.program.sent.clear()

    def test_keys_in_pieces(self) -> None:
        """Keys are typed, be they escape sequences in pieces, or begin as an answer does and go on otherwise."""
        self.open()
        for keys in (
            (b"\x1b",),
            (b"\x1b[1", b"5~"),
            (b"\x1b]", b"a"),
            (b"\x1bP",),
            (b"\x1b]11;ls", b"\r"),
            (b"\x1b[" + b"1" * 5000,),
        ):
            other = self.attach()
            for piece in keys:
                other.receive(piece)
            self.assertEqual(bytes(self.program.sent), b"".join(keys))
            self.program.sent.clear()

    def test_first_size(self) -> None:
        """A terminal that its target's settings would make larger than one may be begins with what it may be."""
        self.target.size = (1000, 24)
        self.open()
        self.assertEqual(self.program.controls, [b'{"resize":[500,24]}'])
        self.assertEqual(self.infos()[0].size, (500, 24))

    def test_end_of_input(self) -> None:
        """An end of file is Ctrl-D, typed again as at any terminal, but not once that client has left."""
        one, two = self.open(), self.attach()
        two.receive(b"cat\n")
        two.feed.eof()
        self.assertEqual(bytes(self.program.sent), b"cat\n\x04")
        self.reactor.advance(0.6)
        self.assertEqual(bytes(self.program.sent), b"cat\n\x04\x04")
        two.lose()
        self.reactor.advance(60)
        self.assertEqual(bytes(self.program.sent), b"cat\n\x04\x04")
        self.assertIsNone(one.closed)


class Floods(Kept):
    """Programs that write without end."""

    def test_bounded(self) -> None:
        """A flood waits for the screen, which takes it in small pieces with rests between; then the program goes on."""
        self.leave(self.open())
        while not self.program.paused:
            self.program.receive(b"y\r\n" * 20_000)
        model = self.agent.streams.terminals.terminals[self.terminal].model
        self.assertLess(model.waiting, 400_000)
        before = model.screen.cost
        self.reactor.advance(0.001)
        self.assertLess(model.screen.cost - before, 3000)
        while self.program.paused:
            self.reactor.advance(0.001)
        self.reactor.pump([0.001] * 20_000)
        self.assertEqual(model.waiting, 0)

    def test_unseen(self) -> None:
        """A flood that nobody sees takes a smaller part of the machine's time than one that somebody waits for."""
        self.leave(self.open())
        costs = []
        for _ in range(2):
            model = self.agent.streams.terminals.terminals[self.terminal].model
            self.program.receive(b"y\r\n" * 60_000)
            before = model.screen.cost
            self.reactor.pump([0.001] * 40)
            costs.append(model.screen.cost - before)
            self.attach()
        self.assertGreater(costs[1], 3 * costs[0])

    def test_error(self) -> None:
        """An error of ours in one screen is logged; its program, its clients and all other terminals go on."""
        leg = self.open()
        terminal = self.agent.streams.terminals.terminals[self.terminal]
        self.patch(terminal.model.screen, "lines", [])
        self.program.receive(b"text")
        self.open()
        self.program.receive(b"quiet")
        self.reactor.pump([0.001] * 4)
        self.assertEqual(len(self.flushLoggedErrors(IndexError)), 1)
        other = self.agent.streams.terminals.terminals[self.terminal]
        self.assertEqual((terminal.model.waiting, other.model.waiting), (0, 0))
        self.target.made[0].receive(b"more")
        self.assertEqual(bytes(leg.sent), b"textmore")
        self.reactor.pump([0.001] * 4)
        self.assertEqual("".join(terminal.model.screen.lines[0].chars).strip(), "more")

    def test_in_turn(self) -> None:
        """Terminals take turns: a flood of one doesn't keep another's screen waiting."""
        self.open()
        self.program.receive(b"y\r\n" * 60_000)
        self.open()
        self.program.receive(b"quiet")
        model = self.agent.streams.terminals.terminals[self.terminal].model
        self.reactor.pump([0.001] * 4)
        self.assertEqual(model.waiting, 0)
