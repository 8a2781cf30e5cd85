"""agent/namesakes.py: word of other agents of the same host."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.namesakes import Namesakes
from streamrelay.agent.summonses import Summonses
from streamrelay.protocol.summons import Agents
from streamrelay.protocol.tokens import Signer, Verifier
from tests.documented import LOOK_EVERY, MOST_AGENTS, NAMESAKES_SILENCE
from tests.fakes.files import key_pair
from tests.fakes.logs import Heard


class Told(SynchronousTestCase):
    """An agent vm-a of web-1, and a platform."""

    def setUp(self) -> None:
        private, public = key_pair(self)
        self.signer = Signer.load(str(private))
        summonses = Summonses[Any](Verifier.load([str(public)], "web-1"))
        self.clock, self.heard = Clock(), Heard(self)
        self.namesakes = Namesakes(self.clock, "web-1", "now", lambda data: summonses.read(data, "agents", Agents))
        self.namesakes.own = "vm-a"
        self.addCleanup(self.namesakes.stop)

    def tell(self, *agents: str, host: str = "web-1", role: str = "agents") -> bool:
        return self.namesakes.told(self.signer.mint(host, role=role, agents=agents).encode())

    def test_told(self) -> None:
        """The log says it once, and once when nothing has been heard of it for three looks."""
        for _ in range(4):
            self.assertTrue(self.tell("vm-a", "vm-b"))
            self.clock.advance(LOOK_EVERY)
        [line] = self.heard.lines
        self.assertIn("another agent answers as web-1, too: vm-b; every summons goes to both", line)
        self.clock.advance(NAMESAKES_SILENCE - LOOK_EVERY - 1)
        self.assertEqual(len(self.heard.lines), 1)
        self.clock.advance(1)
        self.assertIn("no other agent answers as web-1 any more", self.heard.lines[1])
        self.tell("vm-a", "vm-b")
        self.assertEqual(len(self.heard.lines), 3)

    def test_own(self) -> None:
        """Word of agents among which this one isn't is of before its start, and one of itself alone is no news."""
        self.assertTrue(self.tell("vm-a0", "vm-b"))
        self.assertTrue(self.tell("vm-a"))
        self.assertEqual((self.heard.lines, self.clock.getDelayedCalls()), ([], []))

    def test_many(self) -> None:
        """Where there are more agents than a message holds, those that aren't in it say so, too."""
        self.assertTrue(self.tell(*(f"vm-0{number}" for number in range(MOST_AGENTS))))
        [line] = self.heard.lines
        self.assertIn("another agent answers as web-1, too: vm-00; vm-01; ", line)

    def test_forged(self) -> None:
        """What isn't signed for this host as such word is none: a neighbour's, a summons, nonsense."""
        self.assertFalse(self.tell("vm-a", "vm-b", host="web-2"))
        self.assertFalse(self.tell("vm-a", "vm-b", role="end"))
        self.assertFalse(self.tell(*("x" * 20,) * 9))
        self.assertFalse(self.namesakes.told(b'{"agents":["vm-a","vm-b"],"jti":"12345678","exp":9999999999}'))
        self.assertEqual(self.heard.lines, [])
