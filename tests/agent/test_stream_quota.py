"""stream_quota.py: how many streams a user and a target may have at once."""

import re

from streamrelay.agent.catalogue import read_entry
from streamrelay.agent.config import AgentConfig
from streamrelay.agent.service import Agent
from streamrelay.protocol.summons import Refusal
from tests.agent.test_service import RELAY, Case
from tests.fakes.logs import Heard

USER_FULL = "too many streams of this user on this host (max_streams_per_user)"
TARGET_FULL = "too many streams to this target (its max_streams)"


class Quotas(Case):
    """An agent that may have ten streams, three of one user."""

    def setUp(self) -> None:
        super().setUp()
        config = AgentConfig("web-1", tokens="opaque", relays=(RELAY,), max_streams=10, max_streams_per_user=3)
        agent = Agent(config, self.catalogue, self.reactor, lambda: 1000.0)
        agent.bus, agent.streams.legs.dialler = self.bus, self.dialler
        self.agent = agent

    def opened(self, count: int, name: str = "", **changes: str) -> list[str]:
        """Why each of so many summonses was refused; empty if it wasn't."""
        before = len(self.answers())
        for number in range(count):
            self.summon(f"{name}-number-{number}", **{"stream": f"{name}{number}".rjust(22, "s"), **changes})
        answers = self.answers()[before:]
        self.assertEqual([bool(answer.reason) for answer in answers], [bool(answer.refused) for answer in answers])
        self.assertLessEqual({answer.refused for answer in answers}, {"", Refusal.BUSY})
        return [answer.reason for answer in answers]

    def end_all(self) -> None:
        """Let all streams end, and let go of what they hold."""
        for info in self.agent.streams.infos():
            self.agent.streams.end(info.stream)
        for connection in (*self.dialler.legs, *self.target.made):
            if connection.aborted or connection.closing:
                connection.lose()
        self.assertEqual(self.agent.streams.infos(), [])

    def test_user(self) -> None:
        """One user has three streams, also while they wait for clients; others and the nameless have theirs."""
        self.assertEqual(self.opened(5, "a", user="alice"), ["", "", "", USER_FULL, USER_FULL])
        self.assertEqual(len(self.target.made), 3)
        self.assertEqual(self.opened(1, "b", user="bob"), [""])
        self.assertEqual(self.opened(5, "n"), [""] * 5)
        self.assertEqual(self.opened(2, "c", user="carol"), ["", "too many streams on this host (max_streams)"])

    def test_user_again(self) -> None:
        """What has ended, and holds nothing any more, counts no longer."""
        self.opened(3, "a", user="alice")
        self.end_all()
        self.assertEqual(self.opened(4, "b", user="alice"), ["", "", "", USER_FULL])

    def test_target(self) -> None:
        """A target with a limit of its own has so many streams, whoever opens them, and again once they have ended."""
        self.target.max_streams = 2
        reasons = [self.opened(1, user, user=user) for user in ("alice", "bob", "carol")]
        self.assertEqual(reasons, [[""], [""], [TARGET_FULL]])
        self.assertEqual((len(self.target.made), len(self.agent.streams.infos())), (2, 2))
        self.end_all()
        self.assertEqual(self.opened(3, "again"), ["", "", TARGET_FULL])

    def test_no_excuse(self) -> None:
        """Of one that nobody asked for by an inbox, too, nothing is dialled or left when it is refused."""
        self.target.max_streams = 1
        for number in range(4):
            self.summon(f"number-{number}", reply="")
        self.assertEqual((len(self.dialler.dialled), len(self.agent.streams.infos())), (1, 1))

    def test_told(self) -> None:
        """Each limit is told at once and then once a minute, with the count and who met it most."""
        heard = Heard(self)
        self.opened(3 + 4, "a", user="alice")
        self.opened(3 + 1, "b", user="bob")
        self.target.max_streams = 1
        self.opened(2, "c")
        self.reactor.advance(60)

        def told(limit: str) -> list[str]:
            line = rf"^{limit} allows no more streams; refused as busy since the last such line: (.*?)(?: {{|$)"
            return re.findall(line, heard.text, re.M)

        per_user = ["1, 1 of alice", "4, 3 of alice, the others of 1 more"]
        self.assertEqual(told("max_streams_per_user = 3"), per_user)
        self.assertEqual(told("a target's own max_streams"), ["1, 1 of log", "1, 1 of log"])

    def test_settings(self) -> None:
        """A host gives one user 500 streams, and a target as many as it has; a limit below that is a table's own."""
        config = AgentConfig("web-1", tokens="opaque", relays=(RELAY,))
        self.assertEqual((config.max_streams, config.max_streams_per_user), (1000, 500))
        table = {"kind": "tcp", "address": "127.0.0.1:22"}
        self.assertEqual(read_entry("x", table).settings.max_streams, 0)
        self.assertEqual(read_entry("x", {**table, "max_streams": 7}).settings.max_streams, 7)
        self.assertRaises(ValueError, read_entry, "x", {**table, "max_streams": -1})
        shell = {"kind": "pty", "command": ["/bin/sh"], "user": "nobody", "max_streams": 7}
        self.assertEqual(read_entry("x", shell).settings.offered("x", None).max_streams, 7)
