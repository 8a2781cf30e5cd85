"""permissions.py: who may do what on the bus, as nats-server reads it."""

from itertools import combinations

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.bus import credentials
from streamrelay.bus.permissions import NAMED, BusUser, Role, parse, render
from streamrelay.errors import ConfigError


def user(role: Role, name: str = "") -> BusUser:
    return BusUser(role, credentials.generate()[1], name)


class Files(SynchronousTestCase):
    """What is written can be read again."""

    def test_round(self) -> None:
        """Every user comes back by role, name and key."""
        hosts = ("web-1", "platform", "_-", "a.b")
        users = [user("platform"), user("audit"), *(user(role, name) for name in hosts for role in NAMED)]
        self.assertEqual(parse(render(users)), users)
        self.assertEqual(parse(render([])), [])

    def test_foreign(self) -> None:
        """A file that somebody has changed is refused, as what they added would be lost."""
        whole = render([user("platform"), user("host", "web-1")])
        stranger = '    {\n      user: "x", password: "y"\n      permissions: { publish: [">"] }\n    }\n'
        for changed in (
            whole.replace("    # host web-1\n", ""),
            whole.replace("    # host web-1\n", stranger + "    # host web-1\n"),
            whole.replace("# platform", "# somebody"),
            whole.replace('nkey: "U', 'nkey: "X'),
            whole.replace("# host web-1", "# host web 1"),
            whole.replace("# host web-1", "# host"),
            whole.replace("# platform", "# platform web-1"),
        ):
            self.assertNotEqual(changed, whole)
            self.assertRaises(ConfigError, parse, changed)


class Subjects(SynchronousTestCase):
    """The lists themselves; tests/live/bus/test_permissions.py proves them by a server."""

    def test_host(self) -> None:
        """All that a host may do has its own name, or is what all agents are asked; it hears no wildcard."""
        host = user("host", "web-1")
        self.assertEqual(host.publish, ["streamrelay.v1.event.web-1.*", "_INBOX_platform.*.web-1"])
        for subject in host.subscribe:
            self.assertNotRegex(subject, r"[*>]")
            self.assertTrue("web-1" in subject or subject.startswith(("streamrelay.v1.hosts.", "$SRV.")), subject)

    def test_like_names(self) -> None:
        """Hosts whose names are alike but for dots and case share nothing but what all agents are asked."""
        names = ("a", "a.b", "a_b", "a-b", "b", "A.b", "a.B", "a.b.c", "a.open", "open", "streams.a")
        lists = [{*user("host", name).publish, *user("host", name).subscribe} for name in names]
        shared = set.intersection(*lists)
        self.assertEqual(len(shared), 8)
        for one, other in combinations(lists, 2):
            self.assertEqual(one & other, shared)
        for subject in set.union(*lists) - shared:
            self.assertEqual(len(subject.split(".")), {"st": 5, "_I": 3, "$S": 4}[subject[:2]], subject)

    def test_relay(self) -> None:
        """A relay publishes under its own name alone, and hears what its platform asks of it and NATS' discovery of
        relays, nothing else."""
        relay = user("relay", "fra-1.example")
        self.assertEqual(relay.publish, ["streamrelay.v1.relay.fra-1:example.*"])
        own, *discovery = relay.subscribe
        self.assertEqual(own, "streamrelay.v1.drain.fra-1:example")
        for subject in discovery:
            self.assertRegex(subject, r"\A\$SRV\.[A-Z]+(\.streamrelay(\.fra-1:example)?)?\Z")
        self.assertIn("streamrelay.v1.relay.*.*", user("platform").subscribe)
        self.assertIn("streamrelay.v1.drain.*", user("platform").publish)
        others = (user("host", "fra-1"), user("relay", "fra-1"), user("audit"))
        said = [subject for one in others for subject in one.publish if ".drain" in subject]
        self.assertEqual(said, [])

    def test_platform(self) -> None:
        """A host that is called platform isn't one."""
        self.assertNotEqual(user("host", "platform").subscribe, user("platform").subscribe)
        self.assertNotIn("_INBOX_platform.>", user("host", "platform").subscribe)

    def test_answers(self) -> None:
        """Only hosts may answer where they were asked, once."""
        self.assertEqual(render([user("platform"), user("audit")]).count("allow_responses"), 0)
        self.assertEqual(render([user("host", "a"), user("host", "b")]).count("allow_responses: { max: 1,"), 2)
