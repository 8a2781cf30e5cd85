"""platform/silent_hosts.py: hosts that hang, and are still on the bus."""

import asyncio
from typing import Any

from streamrelay.agent.summonses import Summonses
from streamrelay.bus.message import Nobody, TooSlow
from streamrelay.platform.silent_hosts import LOOK_AGAIN
from streamrelay.protocol import codec
from streamrelay.protocol.summons import Agents, HostAnswer
from streamrelay.protocol.tokens import Verifier
from tests.fakes.reactors import awaited
from tests.platform.test_platform import Case


class Silent(Case):
    """A platform whose bus tells who is missing."""

    def complete(self, missing: str = "", *knocked: Exception) -> bool:
        """Ask for the list of hosts, in which these are missing, and let the bus answer the looks at them so."""
        self.bus.asked.clear()
        self.bus.missing, self.bus.complete = frozenset(missing.split()), not missing
        self.bus.answers.extend(knocked)

        async def ask() -> bool:
            hosts = await self.platform._ask_hosts()
            await asyncio.sleep(0)  # tasks that it has begun
            return hosts.complete

        return awaited(ask())

    @property
    def looked_at(self) -> list[str]:
        return sorted(subject for subject, _ in self.bus.asked if subject.endswith(".end"))

    def setUp(self) -> None:
        super().setUp()
        self.age = 1000.0
        self.platform.silent.clock = lambda: self.age

    def test_gone(self) -> None:
        """A host that has left the bus is missed once, as before."""
        self.assertFalse(self.complete("a:b", Nobody("")))
        self.assertEqual(self.looked_at, ["streamrelay.v1.host.a:b.end"])
        self.assertTrue(self.complete())
        self.assertEqual(self.looked_at, [])

    def test_hanging(self) -> None:
        """A host that is there and doesn't answer is missed in each list, until it answers or is gone."""
        self.assertFalse(self.complete("a b", TooSlow(""), TooSlow("")))
        for _ in range(3):
            self.assertFalse(self.complete())
            self.assertEqual(self.looked_at, [])
        self.bus.gathered = [("a", codec.encode(HostAnswer(())))]
        self.assertFalse(self.complete())
        self.age += LOOK_AGAIN
        self.assertFalse(self.complete("", Nobody("")))
        self.assertEqual(self.looked_at, ["streamrelay.v1.host.b.end"])
        self.assertTrue(self.complete())

    def test_older_answer(self) -> None:
        """An answer to the question about namesakes, which takes seconds, may be older than what a list has found."""
        self.assertFalse(self.complete("a", TooSlow("")))
        self.bus.gathered, self.bus.missing = [("a", codec.encode(HostAnswer(())))], frozenset()
        awaited(self.platform._ask_agents())
        self.bus.gathered = []
        self.assertFalse(self.complete())

    def test_harmless(self) -> None:
        """Whom it is sent to by the look has nothing to do nor to say."""
        self.complete("web-1", TooSlow(""))
        [data] = [data for subject, data in self.bus.asked if subject == "streamrelay.v1.host.web-1.end"]
        self.assertEqual(Summonses[Any](Verifier.load([self.public], "web-1")).read(data, "agents", Agents).agents, ())
