"""Two agents under one name, with one seed, as on a machine that was copied; on a bus set up by `streamrelay host`."""

import contextlib
import json
import shutil

from tests.fakes.bus import WHO_QUESTION
from tests.live.bus.secured_bus import OTHER, LockedTest, User
from tests.live.support.chain import HOST


class Namesakes(LockedTest):
    """A copied agent beside the one that it was copied from."""

    def test_told(self) -> None:
        """Platform and both agents say so; a neighbour that answers in two names accuses itself and nobody else."""
        self.own.start_nats()
        first = self.own.start_agent()
        copy = self.folder / "copy"
        shutil.copytree(self.own.home(HOST), copy, ignore=shutil.ignore_patterns("state"))
        text = (copy / "agent.toml").read_text().replace(str(self.own.home(HOST)), str(copy))
        (copy / "agent.toml").write_text(text)
        second = self.own.twistd("streamagent-copy", "streamagent", f"--config={copy}/agent.toml")
        liar = self.user(OTHER)
        self.assertTrue(liar.may_hear("streamrelay.v1.hosts.targets"))
        for agent in (first, second):
            agent.wait_for("connected to NATS")
        self.own.start_platform()
        told = f"2 agents answer as {OTHER}: a; b;"
        for _ in range(3):  # an answer to a look comes too late where the machine is busy
            self.lie(liar)
            with contextlib.suppress(AssertionError):
                self.own.platform.wait_for(told, 10)
                break
        for line in (told, f"2 agents answer as {HOST}: "):
            self.own.platform.wait_for(line)
            self.assertEqual(self.own.platform.log.count(line), 1)
        for agent, other in ((first, second), (second, first)):
            agent.wait_for(f"another agent answers as {HOST}, too: ")
            self.assertRegex(agent.log, rf"too: [^;]+, process {other.pid}, since [^;]+; every summons")
            self.assertIn(f", process {agent.pid}, since ", self.own.platform.log)

    def lie(self, liar: User) -> None:
        """Answer the next look as two agents of one's own, and try to answer as a neighbour's."""
        liar.catch_up()  # with looks that are over
        inbox = liar.asked(WHO_QUESTION)
        for name in ("a", "b"):
            answer = json.dumps({"targets": [], "agent": name})
            self.assertTrue(liar.may_say(f"{inbox}.{OTHER}", answer))
            self.assertFalse(liar.may_say(f"{inbox}.{HOST}", answer))
