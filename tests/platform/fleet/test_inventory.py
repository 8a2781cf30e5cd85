"""inventory.py: what is known of hosts."""

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.platform.fleet import inventory
from streamrelay.platform.fleet.inventory import Inventory
from streamrelay.protocol.limits import MOST_TARGETS
from streamrelay.protocol.summons import HostAnswer, TargetInfo
from tests.fakes.logs import Heard

LOG = (TargetInfo("log", "log"),)
UP = HostAnswer(LOG, "1.2", "vm-a", labels={"site": "fra"}, address="10.0.0.7")


class Known(SynchronousTestCase):
    """An inventory with a clock of its own."""

    def setUp(self) -> None:
        self.now = 1000.0
        self.changed: list[str] = []
        self.inventory = Inventory(lambda: self.now, changed=[self.changed.append])

    def test_down(self) -> None:
        """What was known of a host stays known when it is down, with when it was last there; back, it is as before."""
        self.inventory.told("a", UP)
        self.now += 5
        self.inventory.lost("a")
        info = self.inventory.hosts["a"]
        self.assertEqual((info.state, info.seen, info.targets, info.version), ("down", 1005.0, LOG, "1.2"))
        self.assertEqual((info.labels, info.address), ({"site": "fra"}, "10.0.0.7"))
        self.now += 5
        self.inventory.lost("a")
        self.assertEqual(self.inventory.hosts["a"].seen, 1005.0)
        self.inventory.told("a", UP)
        self.assertEqual((self.inventory.state("a"), self.inventory.hosts["a"].seen), ("up", None))

    def test_silent(self) -> None:
        """One that hangs has been seen when it began to; what is down doesn't hang, and what is heard is up."""
        self.inventory.told("a", UP)
        self.inventory.hangs("a")
        self.now += 50
        self.inventory.hangs("a")
        self.assertEqual((self.inventory.state("a"), self.inventory.hosts["a"].seen), ("silent", 1000.0))
        self.inventory.lost("a")
        self.assertEqual(self.inventory.hosts["a"].seen, 1000.0)
        self.inventory.hangs("a")
        self.assertEqual(self.inventory.state("a"), "down")
        self.inventory.here("a")
        self.assertEqual(self.inventory.state("a"), "up")

    def test_stops(self) -> None:
        """An agent that stops, and so tells no targets, is down; it keeps those that it had."""
        self.inventory.told("a", UP)
        self.inventory.told("a", HostAnswer((), "1.2"))
        self.assertEqual((self.inventory.state("a"), self.inventory.hosts["a"].targets), ("down", LOG))

    def test_no_targets(self) -> None:
        """A host whose agent has no targets, and names itself, is up."""
        self.inventory.told("a", HostAnswer((), "1.2", "vm-a"))
        self.assertEqual(self.inventory.state("a"), "up")

    def test_older(self) -> None:
        """An older agent's event, which has targets alone, takes nothing away of what it has said otherwise."""
        self.inventory.told("a", UP)
        self.inventory.told("a", HostAnswer(()))
        self.assertEqual((self.inventory.hosts["a"].targets, self.inventory.hosts["a"].version), ((), "1.2"))

    def test_changed(self) -> None:
        """Who wants to know is told of each change, and of nothing that isn't one."""
        for work in (
            lambda: self.inventory.told("a", UP),
            lambda: self.inventory.told("a", UP),
            lambda: self.inventory.here("a"),
            lambda: self.inventory.here("never heard of"),
            lambda: self.inventory.lost("a"),
            lambda: self.inventory.lost("a"),
            lambda: self.inventory.forget("a"),
            lambda: self.inventory.forget("a"),
        ):
            work()
        self.assertEqual(self.changed, ["a"] * 3)

    def test_cut(self) -> None:
        """Of a host that has more targets than can be listed some are, and it is told; of one with just as many not."""
        many = tuple(TargetInfo(f"t{number}", "tcp") for number in range(MOST_TARGETS + 1))
        for name, answer, complete in (
            ("most", HostAnswer(many[1:], "1", "vm"), True),
            ("more", HostAnswer(many, "1", "vm"), False),
            ("says so", HostAnswer(many[1:], "1", "vm", complete=False), False),
        ):
            self.inventory.told(name, answer)
            info = self.inventory.hosts[name]
            self.assertEqual((len(info.targets), info.complete), (MOST_TARGETS, complete), name)

    def test_full(self) -> None:
        """Over the most no new host is taken, which is said once; those that are known go on to change."""
        heard = Heard(self)
        self.patch(inventory, "MOST_HOSTS", 2)
        for name in ("a", "b", "c", "d"):
            self.inventory.told(name, UP)
        self.inventory.told("a", HostAnswer(LOG, "2", "vm-a"))
        self.assertEqual((sorted(self.inventory.hosts), self.inventory.hosts["a"].version), (["a", "b"], "2"))
        [line] = heard.lines
        self.assertIn("the platform knows 2 hosts, and takes no more", line)
