"""terminals.py: the kept terminals of a host, as the platform asks its agent for them."""

import contextlib
from typing import Any

from streamrelay.bus.message import Nobody, TooSlow
from streamrelay.platform import Platform
from streamrelay.platform.resumption import Resumption
from streamrelay.platform.terminals import FRESH, MOST_HOSTS, OLD
from streamrelay.protocol import codec
from streamrelay.protocol.summons import Answer, End, Refusal, Resume, Summons
from streamrelay.protocol.terminals import Attached, EndTerminal, ListTerminals, TerminalInfo, TerminalsAnswer
from streamrelay.protocol.tokens import Verifier
from tests.fakes.reactors import awaited
from tests.platform.test_platform import Case, put_bus

TERMINAL = "t" * 22
OLD_AGENT = codec.encode(Answer(refused=Refusal.BAD_SUMMONS, reason="host web-1: the request is invalid here"))


def info(terminal: str = TERMINAL, host: str = "web-1", user: str = "alice", **more: Any) -> TerminalInfo:
    people = (Attached(user, False, "s" * 22),)
    return TerminalInfo(terminal, host, "shell", user, 5.0, more.pop("people", people), (80, 24), **more)


def ready(**more: Any) -> bytes:
    return codec.encode(Answer(ready=True, kind="pty", viewer="terminal", **more))


class TerminalCase(Case):
    """A platform whose agents answer as the test says."""

    def claims(self, role: str) -> dict[str, Any]:
        """The last request that was sent, which is signed for this role."""
        return Verifier.load([self.public], "web-1").claims(self.bus.asked[-1][1].decode(), role)


class Attaching(TerminalCase):
    """Streams of kept terminals."""

    def test_new(self) -> None:
        """Without a terminal none is asked for, and what the agent has started is told."""
        self.bus.answers += [ready(terminal=TERMINAL), ready()]
        self.assertEqual(self.open(target="shell").terminal, TERMINAL)
        self.assertFalse({"terminal", "share"} & set(self.claims("summons")))
        self.assertEqual(self.open(target="shell").terminal, "")

    def test_named(self) -> None:
        """The summons names the terminal, and says whether it may be another user's; nobody is told a URL before the
        agent has confirmed it."""
        for share in (False, True):
            told: list[object] = []
            self.bus.answers.append(ready(terminal=TERMINAL))
            opened = self.open(target="shell", terminal=TERMINAL, share=share, early=told.append)
            summons = codec.convert(self.claims("summons"), Summons)
            self.assertEqual((summons.terminal, summons.share, summons.user), (TERMINAL, share, "alice"))
            self.assertEqual((opened.terminal, told), (TERMINAL, []))

    def test_none_such(self) -> None:
        """An agent that has no such terminal, for this user, says so, and it is like a stream that is over."""
        self.bus.answers.append(codec.encode(Answer(refused=Refusal.NO_SUCH_TERMINAL, reason="no such terminal")))
        refused = self.refused(self.platform.open("bob", "web-1", "shell", terminal=TERMINAL))
        self.assertEqual((refused.status, refused.code), (410, "no_such_terminal"))

    def test_old_agent(self) -> None:
        """An agent that knows no terminals has started a program anew: its stream is ended and never given out. The
        same goes for one that names another terminal."""
        for answer in (ready(), ready(terminal="u" * 22)):
            self.bus.answers.append(answer)
            refused = self.refused(self.platform.open("alice", "web-1", "shell", terminal=TERMINAL))
            self.assertEqual((refused.status, refused.code), (502, "too_old"))
            subject, data = self.bus.published.pop()
            self.assertEqual(subject, "streamrelay.v1.host.web-1.end")
            ended = Verifier.load([self.public], "web-1").claims(data.decode(), "end")["stream"]
            self.assertEqual(ended, self.claims("summons")["stream"])

    def test_resumed(self) -> None:
        """A stream that goes on may be of another user's terminal only where that is still granted."""
        for share in (False, True):
            self.bus.answers.append(ready(resume=120))
            again = Resumption("bob", "web-1", "shell", "s" * 22, 0, 1, share=share)
            awaited(self.platform.resume(again))
            self.assertEqual(codec.convert(self.claims("resume"), Resume).share, share)


class Listed(TerminalCase):
    """The list of one host."""

    def setUp(self) -> None:
        super().setUp()
        self.time = 0.0
        self.platform.kept.clock = lambda: self.time

    def listed(self, host: str = "web-1") -> list[TerminalInfo]:
        return awaited(self.platform.terminals(host))

    def answer(self, *infos: TerminalInfo) -> None:
        self.bus.answers.append(codec.encode(TerminalsAnswer(infos)))

    def test_asked(self) -> None:
        """The agent is asked by a request that is signed for it, and what it tells of itself alone is taken."""
        long = Attached("u" * 301, False, "s")
        self.answer(info(), info("u" * 22, "web-2"), info("v" * 22, people=(long,)), info("w" * 22, detached=-1.0))
        self.assertEqual(self.listed(), [info()])
        self.assertEqual(self.bus.asked[0][0], "streamrelay.v1.host.web-1.end")
        self.assertEqual(self.claims("terminals")["aud"], "web-1")

    def test_shared(self) -> None:
        """Who asks within a second shares an answer, unless something was opened or ended here since, or they want to
        know it as it is."""
        awaited(self.share())

    async def share(self) -> None:
        ask = self.platform.terminals
        self.answer(info())
        await ask("web-1")
        self.time += FRESH / 2
        await ask("web-1")
        self.assertEqual(len(self.bus.asked), 1)
        self.bus.answers += [ready(terminal=TERMINAL)]
        await self.platform.open("alice", "web-1", "shell")
        self.answer(info(), info("u" * 22))
        self.assertEqual(len(await ask("web-1")), 2)
        self.bus.answers.append(codec.encode(Answer(ready=True)))
        await self.platform.end_terminal("web-1", TERMINAL)
        self.answer(info("u" * 22))
        self.assertEqual(len(await ask("web-1")), 1)
        self.answer()
        self.assertEqual(await ask("web-1", anew=True), [])
        self.time += 2 * FRESH
        self.answer(info())
        self.assertEqual(len(await ask("web-1")), 1)

    def test_many_hosts(self) -> None:
        """What is kept of answers is bounded, whatever hosts are asked for."""
        for number in range(MOST_HOSTS + 5):
            self.answer()
            self.listed(f"h{number}")
        self.assertLessEqual(len(self.platform.kept._hosts), MOST_HOSTS)

    def test_old(self) -> None:
        """An agent that knows none isn't asked again for a minute, as that would fill its log; then it is."""
        for _ in range(3):
            self.bus.answers.append(OLD_AGENT)
            self.assertEqual(self.refused(self.platform.terminals("web-1")).code, "too_old")
            for _ in range(2):
                self.assertEqual(self.refused(self.platform.terminals("web-1", anew=True)).code, "too_old")
            self.time += OLD
        self.assertEqual(len(self.bus.asked), 3)
        self.answer(info())
        self.assertEqual(len(self.listed()), 1)

    def test_refused(self) -> None:
        """A host that is offline, hangs, talks nonsense, or whose agent is of before terminals, is told as that."""
        for answer, status, code in (
            (Nobody(), 503, "host_offline"),
            (TooSlow(), 504, "host_slow"),
            (b"[]", 502, "bad_answer"),
            (b'{"terminals":[{"terminal":1}]}', 502, "bad_answer"),
            (OLD_AGENT, 502, "too_old"),
            (codec.encode(Answer(refused=Refusal.BUSY, reason="stops")), 503, "busy"),
        ):
            self.bus.answers.append(answer)
            self.time += OLD
            refused = self.refused(self.platform.terminals("web-1"))
            self.assertEqual((refused.status, refused.code), (status, code))
        self.assertEqual(self.bus.published, [])
        self.bus.down = True
        self.assertEqual(self.refused(self.platform.terminals("web-1")).code, "bus_down")


class Ended(TerminalCase):
    """The end of a terminal."""

    def test_ended(self) -> None:
        """The agent is asked to end it; one that it hasn't is 404, as one that is to be ended is no stream."""
        self.bus.answers.append(codec.encode(Answer(ready=True)))
        awaited(self.platform.end_terminal("web-1", TERMINAL))
        self.assertEqual(self.bus.asked[0][0], "streamrelay.v1.host.web-1.end")
        self.assertEqual(codec.convert(self.claims("end_terminal"), EndTerminal).terminal, TERMINAL)
        self.bus.answers.append(codec.encode(Answer(refused=Refusal.NO_SUCH_TERMINAL, reason="no such terminal")))
        refused = self.refused(self.platform.end_terminal("web-1", TERMINAL))
        self.assertEqual((refused.status, refused.code), (404, "no_such_terminal"))
        self.bus.answers.append(TooSlow())
        self.assertEqual(self.refused(self.platform.end_terminal("web-1", TERMINAL)).code, "host_slow")

    def test_plain(self) -> None:
        """Without a key requests are plain, and an agent tells them from one another, and from others."""
        platform = Platform("wss://relay.example")
        bus = put_bus(platform)
        bus.answers += [codec.encode(TerminalsAnswer()), codec.encode(Answer(ready=True))]
        awaited(platform.terminals("web-1"))
        awaited(platform.end_terminal("web-1", TERMINAL))
        read: list[list[str]] = []
        for _, data in bus.asked:
            read.append([])
            for kind in (ListTerminals, EndTerminal, End, Summons):
                with contextlib.suppress(ValueError):
                    codec.decode(data, kind)
                    read[-1].append(kind.__name__)
        self.assertEqual(read, [["ListTerminals"], ["EndTerminal"]])
