"""Attacks on what an agent knows over a restart: places of logs that are made up, summonses that are copied.

Each test restarts an agent of its own, so none goes beside a neighbour.
"""

import base64
from hashlib import blake2b
from pathlib import Path

from streamrelay.agent.targets.logfile.position import NOTHING
from streamrelay.protocol.tokens import new_id
from tests.live.agent.targets.test_logs import Reader
from tests.live.attacks.attack import Decoy
from tests.live.attacks.test_attacks_bus import OPEN
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain
from tests.live.support.nats import NatsClient
from tests.live.support.waiting import until

TARGETS = r"""
[targets.log]
kind = "log"
path = "FOLDER/secret.log"
lines = 1
"""


def readable() -> bytes:
    """What every user of this machine can read of it, and an earlier agent made its secret of."""
    machine = Path("/etc/machine-id")
    content = machine.read_bytes().strip() if machine.exists() else b""
    return blake2b(content, person=b"streamrelay:seal").digest()


class Places(LiveTest):
    """Places in logs."""

    def test_made_up(self) -> None:
        """A place that is sealed by what every user of the host can read counts as lost: nothing older is shown."""
        self.common = self.chain(targets=TARGETS)
        path = self.folder / "secret.log"
        path.write_bytes(b"a password\nthe last line\n")
        found = path.stat()
        place = f"0+{found.st_dev:x}.{found.st_ino:x}.0.0.{NOTHING:x}.0"
        mark = blake2b(f"{place}\nlog {path}".encode(), key=readable(), digest_size=16).digest()
        reader = Reader(self, "log", place=f"{place}~{base64.urlsafe_b64encode(mark).decode().rstrip('=')}")
        self.assertEqual((reader.read(b"the last line\n"), reader.events), (b"the last line\n", ["lost"]))


class Restarts(LiveTest):
    """A summons that was followed, copied by somebody on the bus, who publishes it again once the agent is another."""

    def setUp(self) -> None:
        super().setUp()
        self.own = Chain(self.folder)
        self.addCleanup(self.own.stop)
        self.decoy, self.followed = Decoy(), 0
        self.addCleanup(self.decoy.close)

    def begin(self) -> None:
        self.own.start()
        self.bus = NatsClient(self.own.nats_port)
        self.addCleanup(self.bus.close)

    def restart(self, kill: bool = False) -> None:
        """End the agent, and start it again until it hears the bus."""
        if kill:
            self.own.agent.kill()
        connected = self.own.agent.log.count("connected to NATS")
        self.own.agent.restart()
        self.own.agent.wait_for("connected to NATS", count=connected + 1)

    def summons(self) -> bytes:
        stream, signer = new_id(), self.own.signer
        token = signer.mint("relay", role="agent", sub=stream)
        target, relay = self.decoy.target, self.own.relay_url
        return signer.mint(HOST, role="summons", stream=stream, target=target, relay=relay, token=token).encode()

    def follow(self, summons: bytes) -> str:
        """What the agent answers."""
        answer = self.bus.ask(OPEN, summons)
        if answer.get("ready"):
            self.followed += 1
            until(lambda: self.decoy.connections >= self.followed, what="its connection")
            return "ready"
        return str(answer["refused"])

    def test_copied(self) -> None:
        """It is followed once, though the agent was restarted or killed since; a new one is followed at once."""
        self.begin()
        summons = self.summons()
        self.assertEqual(self.follow(summons), "ready")
        for kill in (False, True):
            self.restart(kill)
            self.assertEqual(self.follow(summons), "bad_summons")
        self.assertIn("refused a summons: it is a copy of one that was followed before", self.own.agent.log)
        self.assertEqual(self.follow(self.summons()), "ready")
        self.assertEqual(self.decoy.connections, 2)

    def test_nothing_kept(self) -> None:
        """An agent without a directory of state refuses what was signed before its start, and says so; what is signed
        later it follows."""
        self.own.state = ""
        self.own.write_agent("")
        self.begin()
        until(lambda: self.follow(self.summons()) == "ready", what="the first 6 s")
        summons = self.summons()
        self.assertEqual(self.follow(summons), "ready")
        self.restart()
        self.assertIn(self.follow(summons), ("busy", "bad_summons"))  # that one, if the restart took 35 s
        self.assertIn("this agent keeps nothing over a restart: no setting state", self.own.agent.log)
        self.assertEqual(self.decoy.connections, self.followed)
        until(lambda: self.follow(self.summons()) == "ready", what="the first 6 s")
        self.assertEqual(self.decoy.connections, self.followed)
