"""platform/namesakes.py: hosts that have more than one agent."""

from typing import Any

from streamrelay.agent.summonses import Summonses
from streamrelay.platform.fleet.look import Look
from streamrelay.protocol.summons import Agents
from streamrelay.protocol.tokens import Verifier
from tests.documented import MOST_AGENTS
from tests.fakes.logs import Heard
from tests.platform.test_platform import Case


class Looking(Case):
    """A platform that looks at agents which are there."""

    def setUp(self) -> None:
        super().setUp()
        self.heard = Heard(self)

    def look(self, *agents: tuple[str, str]) -> list[tuple[str, list[str]]]:
        """Look once, with these hosts and their agents; return who was told of which."""
        self.bus.published.clear()
        look = Look(lambda: 0.0, False, set(), 0.0)
        for host, agent in agents:
            look.heard(host, agent)
        self.several = self.platform.namesakes.looked(look.agents)
        return [(subject.split(".")[3], self.agents(subject, data)) for subject, data in self.bus.published]

    def agents(self, subject: str, data: bytes) -> list[str]:
        """What an agent reads of a message, if that is one to its host that the platform has signed."""
        host = subject.split(".")[3]
        self.assertEqual(subject, f"streamrelay.v1.host.{host}.end")
        found = Summonses[Any](Verifier.load([self.public], host)).read(data, "agents", Agents)
        return list(found.agents)

    def lines(self) -> list[str]:
        lines = self.heard.lines
        self.heard.events.clear()
        return lines

    def test_told(self) -> None:
        """Two agents of one host are told in the log once, to both at each look, and once when it is over."""
        two = [("web-1", "vm-a"), ("web-1", "vm-b"), ("web-2", "vm-c")]
        for number in range(3):
            self.assertEqual(self.look(*two), [("web-1", ["vm-a", "vm-b"])])
            self.assertEqual(len(self.lines()), not number)
        self.assertTrue(self.several)
        for _ in range(2):
            self.assertEqual(self.look(*two[:1]), [])
            self.assertEqual(self.lines(), [])
        self.assertEqual(self.look(*two[:1]), [])
        [line] = self.lines()
        self.assertIn("no more than one agent answers as web-1 any more", line)
        self.look(*two)
        [line] = self.lines()
        self.assertIn("2 agents answer as web-1: vm-a; vm-b; every summons goes to all of them", line)

    def test_late(self) -> None:
        """An agent whose answer is missed now and then isn't over, nor told again."""
        self.look(("web-1", "vm-a"), ("web-1", "vm-b"))
        for _ in range(5):
            self.look(("web-1", "vm-a"))
            self.look(("web-1", "vm-a"))
            self.look(("web-1", "vm-a"), ("web-1", "vm-b"))
        self.assertEqual(len(self.lines()), 1)

    def test_restart(self) -> None:
        """An agent that starts anew, beside one that stops and tells no name any more, isn't a second one."""
        for agents in (["old"], ["", "new"], ["new"]):
            self.assertEqual(self.look(*(("web-1", agent) for agent in agents)), [])
        self.assertEqual(self.lines(), [])

    def test_liars(self) -> None:
        """A host that answers in many names accuses itself alone, in a line of bounded length."""
        self.look(("web-1", "vm-a"), *(("liar", f"{number:02}\n{'x' * 150}") for number in range(20)))
        [line] = self.lines()
        self.assertIn("answer as liar: 00?xxx", line)
        self.assertNotIn("web-1", line)
        self.assertLess(len(line), MOST_AGENTS * 160 + 300)
        self.assertEqual([subject for subject, _ in self.bus.published], ["streamrelay.v1.host.liar.end"])

    def test_many(self) -> None:
        """Where as many agents are found as are kept of one host, the line says that there may be more."""
        for count, words in (
            (MOST_AGENTS - 1, f"{MOST_AGENTS - 1} agents"),
            (MOST_AGENTS, f"{MOST_AGENTS} or more agents"),
        ):
            [(_, told)] = self.look(*((f"web-{count}", f"vm-{number}") for number in range(count)))
            self.assertEqual(len(told), count)
            [line] = self.lines()
            self.assertIn(f"{words} answer as web-{count}: vm-0; ", line)
