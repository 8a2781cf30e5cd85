"""lookout.py and look.py: how it is known what becomes of hosts."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.platform.fleet import lookout
from streamrelay.platform.fleet.inventory import Inventory
from streamrelay.platform.fleet.look import Look
from streamrelay.platform.fleet.lookout import Agents, Lookout
from streamrelay.protocol import codec
from streamrelay.protocol.subjects import ALL_TARGETS, DISCONNECTS
from streamrelay.protocol.summons import HostAnswer, HostQuestion, TargetInfo
from tests.documented import FIRST_ANSWER, LOOK_EVERY, LOOKS_A_SECOND, NEXT_ANSWER, STRANGE_ANSWER
from tests.fakes.bus import HOST_QUESTION, WHO_QUESTION, FakeBus
from tests.fakes.logs import Heard
from tests.fakes.reactors import LeapingLoop

LOG = (TargetInfo("log", "log"),)
UP = codec.encode(HostAnswer(LOG, "1", "vm"))
HERE = codec.encode(HostAnswer((), "1", "vm"))
STOPS = codec.encode(HostAnswer((), "1"))
OLD = codec.encode(LOG)


class Case(SynchronousTestCase):
    """A lookout whose bus is a fake, on a loop whose time leaps."""

    def setUp(self) -> None:
        self.loop = LeapingLoop()
        self.addCleanup(self.loop.close)
        self.bus, self.inventory = FakeBus(), Inventory(lambda: 1000.0)
        self.agents: list[Agents] = []
        self.lookout = Lookout(self.bus, self.inventory, str.encode, self.looked, "_INBOX_platform.me")
        self.lookout.listen()

    def looked(self, agents: Agents) -> bool:
        self.agents.append(agents)
        return any(len(names) > 1 for names in agents.values())

    def run_for(self, seconds: float, *work: tuple[float, Callable[[], object]]) -> None:
        """Let the lookout run for so long, with work to do at these times from now on."""

        async def run() -> None:
            self.lookout.start()
            for when, each in work:
                self.loop.call_later(when, each)
            await asyncio.sleep(seconds)
            self.lookout.stop()

        self.loop.run_until_complete(run())

    def event(self, host: str, kind: str, data: bytes = b"{}") -> None:
        """Bring an event of a host, now, or some time after the last one."""
        if self.loop.is_running():
            self.bus.hear(f"streamrelay.v1.event.{host}.{kind}", data, f"streamrelay.v1.event.*.{kind}")
            return

        async def bring() -> None:
            self.event(host, kind, data)
            await asyncio.sleep(1)

        self.loop.run_until_complete(bring())

    def answer(self, host: str, data: bytes = UP, nobody: bool = False) -> None:
        self.bus.hear(f"_INBOX_platform.me.{host}", data, "_INBOX_platform.me.*", nobody)

    def all_answer(self, data: bytes, *hosts: str) -> None:
        for host in hosts:
            self.answer(host, data)

    @property
    def questions(self) -> list[HostQuestion]:
        return [codec.decode(data, HostQuestion) for subject, data in self.bus.published if subject == ALL_TARGETS]

    @property
    def knocked(self) -> list[str]:
        return [subject.split(".")[3] for subject, _ in self.bus.published if subject.endswith(".end")]

    def lose_bus(self) -> None:
        self.bus.down = True
        self.bus.losses += 1
        self.lookout.lost()

    def bus_is_back(self) -> None:
        self.bus.down = False
        self.lookout.connected()

    def states(self) -> dict[str, str]:
        return {host: info.state for host, info in self.inventory.hosts.items()}


class Events(Case):
    """What hosts tell by themselves."""

    def test_told(self) -> None:
        """A host is up by its event, changes by another, and is down by its last one, or when it stops."""
        for kind, data, state in (("up", UP, "up"), ("down", b"{}", "down"), ("up", UP, "up"), ("up", STOPS, "down")):
            self.event("web-1", kind, data)
            self.assertEqual(self.states(), {"web-1": state})
        self.assertEqual(self.inventory.hosts["web-1"].targets, LOG)

    def test_flood(self) -> None:
        """Of a host that tells of itself again and again ten words a second are taken, and the last one; a down between
        them counts."""
        count = [0]
        told = self.inventory.told

        def counted(host: str, answer: HostAnswer) -> None:
            count[0] += 1
            told(host, answer)

        self.patch(Inventory, "told", lambda _, *named: counted(*named))

        async def flood() -> None:
            for number in range(1000):
                self.event("web-1", "up", codec.encode(HostAnswer((TargetInfo(f"t{number}", "tcp"),), "1", "vm")))
                await asyncio.sleep(0.001)
            self.assertEqual(self.inventory.state("neighbour"), None)
            self.event("neighbour", "up", UP)
            self.event("neighbour", "up", STOPS)
            self.event("neighbour", "down")
            await asyncio.sleep(0.5)

        self.loop.run_until_complete(flood())
        self.assertEqual([target.name for target in self.inventory.hosts["web-1"].targets], ["t999"])
        self.assertLessEqual(count[0], 10 + 2 + 1)
        self.assertEqual(self.inventory.state("neighbour"), "down")

    def test_whose(self) -> None:
        """A host is known by the subject, on which the bus lets it alone speak; what no host is named is left out."""
        for part in ("web:1", ":", "web:", "x" * 65, "a b", ""):
            self.event(part, "up", UP)
        self.assertEqual(self.states(), {"web.1": "up"})
        self.event("web-2", "up", b'{"host":"web.1","targets":[],"agent":"vm"}')
        self.assertEqual(self.inventory.hosts["web.1"].targets, LOG)

    def test_nonsense(self) -> None:
        """What is no answer changes nothing, be it an event or an answer."""
        self.event("web-1", "up", UP)
        for data in (b"", b"[]x", b"\xff", b"[" * 5000, b'[{"name": 5}]', b'{"targets":[{"name":"a b","kind":"log"}]}'):
            self.event("web-1", "up", data)
            self.answer("web-1", data)
            self.bus.hear(DISCONNECTS, data)
        self.assertEqual((self.states(), self.inventory.hosts["web-1"].targets), ({"web-1": "up"}, LOG))

    def test_spared(self) -> None:
        """Where the bus forbids events, or tells of nobody who leaves, the rest works."""
        self.assertEqual(self.bus.needed, {"_INBOX_platform.me.*"})


class Looks(Case):
    """Questions to all of them."""

    def test_first(self) -> None:
        """At the start all are asked for all that they have; the list is complete once no more come."""
        self.run_for(0.9, (0.2, lambda: self.answer("a")), (0.3, lambda: self.answer("b", OLD)))
        self.assertEqual((self.questions, self.bus.replies), ([HostQuestion()], ["_INBOX_platform.me"]))
        self.assertEqual((self.states(), self.inventory.complete), ({"a": "up", "b": "up"}, True))
        self.assertEqual(self.agents, [{"a": {"vm"}, "b": set()}])

    def test_started_anew(self) -> None:
        """An agent that has answered a look, and is started anew before its end, is no second one: who comes during
        a look tells of that by an event, and wasn't asked."""
        came = codec.encode(HostAnswer(LOG, "1", "vm, since then"))
        self.run_for(2, (0.1, lambda: self.answer("a")), (0.2, lambda: self.event("a", "up", came)))
        self.assertEqual(self.agents, [{"a": {"vm"}}])

    def test_nobody(self) -> None:
        """The first may take a second to answer; then it is known that there is none."""
        for seconds, complete in ((FIRST_ANSWER - 0.1, False), (FIRST_ANSWER + 0.1, True)):
            self.run_for(seconds)
            self.assertEqual(self.inventory.complete, complete)

    def test_no_bus(self) -> None:
        """Without a bus nothing is known; a second after it is there all are asked."""
        self.bus.down = True
        self.run_for(5)
        self.assertEqual((self.questions, self.inventory.complete), ([], False))

        self.run_for(2, (0.5, self.bus_is_back))
        self.assertEqual((len(self.questions), self.inventory.complete), (1, True))

    def test_lost(self) -> None:
        """When the bus is lost the list isn't complete any more; when it is back hosts that were there have five
        seconds, as they have lost it, too."""
        self.run_for(1.5, (0.1, lambda: self.all_answer(UP, "a", "b")))
        self.lookout.lost()
        self.assertFalse(self.inventory.complete)
        self.run_for(4.5, (0, self.lookout.connected), (0.1, lambda: self.answer("a")))
        self.assertEqual((self.inventory.complete, self.knocked, self.states()), (False, [], {"a": "up", "b": "up"}))
        self.run_for(6, (0.1, lambda: self.answer("a")), (4, lambda: self.event("b", "up", UP)))
        self.assertEqual((self.inventory.complete, self.knocked), (True, []))

    def test_lost_in_a_look(self) -> None:
        """A bus that is lost amid a look keeps nobody busy: nothing is asked until it is back, and then at once."""
        self.run_for(10, (0.1, lambda: self.answer("a")), (0.2, self.lose_bus), (8, self.bus_is_back))
        self.assertEqual((len(self.questions), self.inventory.complete), (2, False))

    def test_given_up(self) -> None:
        """A long look that is under way when the bus is lost is given up; all are asked as soon as it is back."""
        for number in range(60 * LOOKS_A_SECOND):
            self.inventory.told(f"h-{number}", HostAnswer(LOG, "1", "vm"))
        self.inventory.complete, self.lookout._looks = True, 1
        self.run_for(2.1, (1, self.lose_bus), (2, self.bus_is_back))
        self.assertEqual([(one.targets, one.spread) for one in self.questions], [(False, 12.0), (True, 1.2)])

    def test_start_of_many(self) -> None:
        """At a start the answers are spread by the hosts that are known from before."""
        for number in range(10_000):
            self.inventory.told(f"h-{number}", HostAnswer(LOG, "1", "vm"))
            self.inventory.lost(f"h-{number}")
        self.run_for(1)
        self.assertEqual([(one.targets, one.spread) for one in self.questions], [(True, 2.0)])

    def test_gaps(self) -> None:
        """A look during which messages may have been lost doesn't count, and is repeated at once."""

        def lose() -> None:
            self.bus.losses += 1

        self.run_for(1.5, (0.1, lambda: self.answer("a")), (0.2, lose))
        self.assertEqual((len(self.questions), self.inventory.complete), (2, False))

    def test_at_rest(self) -> None:
        """At rest they are asked every 30 s who is there, without what they have; now and then for that, too."""
        self.run_for(1.5, (0.1, lambda: self.answer("a")))
        self.patch(lookout, "WHOLE_EACH", 3)
        self.bus.published.clear()
        answers = [(at / 10, lambda: self.answer("a", HERE)) for at in range(5, 1300, 5)]
        self.run_for(4 * LOOK_EVERY, *answers)
        asked = [data for subject, data in self.bus.published if subject == ALL_TARGETS]
        self.assertEqual(asked, [WHO_QUESTION, WHO_QUESTION, HOST_QUESTION, WHO_QUESTION])
        self.assertEqual((self.knocked, self.inventory.hosts["a"].state), ([], "up"))

    def test_asleep(self) -> None:
        """At rest, while all answer, nothing wakes it but its looks."""
        self.run_for(1.5, (0.1, lambda: self.answer("a")))
        published = FakeBus.publish

        def publish(bus: FakeBus, subject: str, *told: Any) -> None:
            published(bus, subject, *told)
            if subject == ALL_TARGETS:
                self.loop.call_soon(self.answer, "a", HERE)

        self.patch(FakeBus, "publish", publish)
        timers: list[float] = []
        honest = self.loop.call_at

        def call_at(when: float, *work: Any, **named: Any) -> Any:
            timers.append(when)
            return honest(when, *work, **named)

        self.patch(self.loop, "call_at", call_at)
        self.run_for(10 * LOOK_EVERY)
        looks = len(self.questions) - 1
        self.assertGreaterEqual(looks, 9)
        self.assertLessEqual(len(timers), 3 * looks + 3)

    def test_many(self) -> None:
        """The more hosts there are the less often they are asked, and the longer their answers are spread; all who are
        there are asked no more than some of a second."""
        count = 60 * LOOKS_A_SECOND
        for number in range(count):
            self.inventory.told(f"h-{number}", HostAnswer(LOG, "1", "vm"))
        self.inventory.complete, self.lookout._looks = True, 1
        self.run_for(59, (5, lambda: self.all_answer(HERE, *self.inventory.hosts)))
        [question] = self.questions
        self.assertEqual((question.targets, question.spread), (False, 12.0))

    def test_unknown(self) -> None:
        """One of whom only a look tells is asked at once for what it has."""
        self.run_for(1.5, (0.1, lambda: self.answer("a")))
        self.bus.published.clear()
        hosts = ("a", "new")
        self.run_for(5, (0.1, lambda: self.all_answer(HERE, *hosts)), (4.0, lambda: self.all_answer(UP, *hosts)))
        self.assertEqual([question.targets for question in self.questions], [False, True])
        self.assertEqual(self.states(), {"a": "up", "new": "up"})

    def test_late(self) -> None:
        """An answer that comes after its look counts all the same, but one without targets takes none away."""
        self.run_for(1.5, (0.1, lambda: self.answer("a")))
        self.answer("b", UP)
        self.answer("a", HERE)
        self.assertEqual((self.states(), self.inventory.hosts["a"].targets), ({"a": "up", "b": "up"}, LOG))

    def test_namesakes(self) -> None:
        """Where a host has several agents they are looked for every 30 s, however many hosts there are."""
        for number in range(60 * LOOKS_A_SECOND):
            self.inventory.told(f"h-{number}", HostAnswer(LOG, "1", "vm"))
        self.inventory.complete, self.lookout._looks, self.lookout._several = True, 1, True

        async def pause() -> float:
            return self.lookout._pause()

        self.assertEqual(self.loop.run_until_complete(pause()), LOOK_EVERY)

    def test_error(self) -> None:
        """A look that fails is in the log with its traceback, and the next one comes."""
        heard = Heard(self)
        self.patch(FakeBus, "publish", lambda *told: 1 / 0)
        self.run_for(1)
        [line] = heard.lines
        self.assertIn("an error while hosts were looked at; it goes on", line)
        self.flushLoggedErrors(ZeroDivisionError)

    def test_quiet(self) -> None:
        """After an answer a host that is new has 0.1 s, and 0.5 s where none is known yet."""
        for known, seconds in ((set[str](), STRANGE_ANSWER), ({"a"}, NEXT_ANSWER)):
            look = Look(self.loop.time, True, known, 0)

            async def over(look: Any = look) -> float:
                began = self.loop.time()
                self.loop.call_later(0.7, look.heard, "a", "")
                await look.over()
                return self.loop.time() - began - 0.7

            self.assertAlmostEqual(self.loop.run_until_complete(over()), seconds, 1)

    def test_busy(self) -> None:
        """While this process is busy what hosts have said waits, so that no silence counts; it does from then on."""

        def be_busy() -> None:
            self.loop.leaping.now += 0.38

        self.run_for(0.95, (0.1, lambda: self.answer("a")), (0.2, be_busy))
        self.assertFalse(self.inventory.complete)
        self.run_for(1.2, (0.1, lambda: self.answer("a")), (0.2, be_busy))
        self.assertTrue(self.inventory.complete)


class Silent(Case):
    """Those that don't answer."""

    def setUp(self) -> None:
        super().setUp()
        self.run_for(1.5, (0.1, lambda: self.all_answer(UP, "a", "b")))
        self.bus.published.clear()

    def test_hangs(self) -> None:
        """One that doesn't answer a look is knocked at, once; if nobody says that it isn't there, it hangs."""
        self.run_for(4.5, (0.1, lambda: self.answer("a", HERE)))
        self.assertEqual(self.knocked, ["b"])
        self.assertEqual(self.states(), {"a": "up", "b": "up"})
        self.run_for(6.5, (0.1, lambda: self.answer("a", HERE)))
        self.assertEqual(self.states(), {"a": "up", "b": "silent"})

    def test_gone(self) -> None:
        """One that isn't there is down."""
        self.run_for(6.5, (0.1, lambda: self.answer("a", HERE)), (4, lambda: self.answer("b", b"", nobody=True)))
        self.assertEqual(self.states(), {"a": "up", "b": "down"})

    def test_heard_meanwhile(self) -> None:
        """One that is heard while it is looked what is the matter doesn't hang."""
        more = codec.encode(HostAnswer((*LOG, TargetInfo("ssh", "tcp")), "1", "vm"))
        self.run_for(6.5, (0.1, lambda: self.answer("a", HERE)), (4, lambda: self.event("b", "up", more)))
        self.assertEqual(self.states(), {"a": "up", "b": "up"})

    def test_again(self) -> None:
        """While somebody watches, one that hangs is asked every ten seconds, else as rarely as all."""
        for watched, seconds in ((True, 10), (False, LOOK_EVERY)):
            self.inventory.told("b", HostAnswer(LOG, "1", "vm"))
            self.inventory.hangs("b")

            async def pause(watched: bool = watched) -> float:
                self.lookout._watched = 0.0
                if watched:
                    self.lookout.watch()
                return self.lookout._pause()

            self.assertEqual(self.loop.run_until_complete(pause()), seconds)

    def asked_at(self, *work: tuple[float, Callable[[], object]]) -> list[float]:
        """Return when it looks within 30 s, with work to do at these times; the first look is at once."""
        asked: list[float] = []
        honest, began = self.bus.publish, self.loop.time()

        def publish(subject: str, data: bytes, reply: str = "") -> None:
            if subject == ALL_TARGETS:
                asked.append(round(self.loop.time() - began, 1))
            honest(subject, data, reply)

        self.patch(FakeBus, "publish", lambda _, *told: publish(*told))
        self.run_for(29, *work)
        return asked

    def test_watched_late(self) -> None:
        """Who comes to see the list 15 s after a look in which one hung has all asked anew at once."""
        self.inventory.hangs("b")
        asked = self.asked_at((0.1, lambda: self.answer("a", HERE)), (18, self.lookout.watch))
        self.assertEqual(asked[:2], [0.0, 18.0])

    def test_hangs_watched(self) -> None:
        """One that is found hanging between two looks while somebody sees the list has the next look come sooner."""
        answer, missed = lambda: self.all_answer(HERE, "a", "b"), lambda: self.lookout.missed(["b"])
        asked = self.asked_at((0, self.lookout.watch), (0.1, answer), (5, missed))
        self.assertEqual((self.inventory.state("b"), asked[:2]), ("silent", [0.0, 13.0]))


class Knocks(Case):
    """Messages to one of them."""

    def setUp(self) -> None:
        super().setUp()
        for number in range(400):
            self.inventory.told(f"h-{number}", HostAnswer(LOG, "1", "vm"))
        self.inventory.complete, self.lookout._looks = True, 1

    def test_nobody_watches(self) -> None:
        """Nobody is knocked at while nobody watches; nor is one that is down, ever."""
        self.inventory.lost("h-5")
        self.run_for(2)
        self.assertEqual(self.knocked, [])
        self.run_for(1.9, (0, self.lookout.watch))
        self.assertTrue(80 <= len(self.knocked) <= 100, len(self.knocked))
        self.assertNotIn("h-5", self.knocked)

    def test_few(self) -> None:
        """The same host is knocked at every three seconds at most; the answer tells who isn't there."""
        for number in range(1, 400):
            self.inventory.forget(f"h-{number}")
        self.run_for(10, (0, self.lookout.watch), (0.1, lambda: self.answer("h-0", HERE)))
        self.assertEqual(self.knocked, ["h-0"] * 4)
        self.assertEqual(set(self.bus.replies) - {"_INBOX_platform.me"}, {"_INBOX_platform.me.h-0"})
        self.answer("h-0", b"", nobody=True)
        self.assertEqual(self.inventory.state("h-0"), "down")

    def test_left(self) -> None:
        """One of whom the bus says that it has left is knocked at a second later; others' words, and other clients'
        names, are nobody's end."""

        def leave(name: str) -> None:
            self.bus.hear("$SYS.ACCOUNT.A.DISCONNECT", json.dumps({"client": {"name": name}}).encode(), DISCONNECTS)

        names = ("streamagent h-7", "streamagent unknown", "h-8", "nats micro", "streamplatform")
        self.run_for(0.9, *((0, lambda name=name: leave(name)) for name in names))
        self.assertEqual(self.knocked, [])
        self.run_for(0.5, *((-0.8, lambda name=name: leave(name)) for name in names))
        self.assertEqual((self.knocked, self.inventory.state("h-7")), (["h-7"], "up"))
