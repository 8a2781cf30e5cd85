"""Who imports whom: the table of the packages is the architecture, and docs/architecture.rst shows the same."""

import ast
import re
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import streamrelay

ROOT = Path(streamrelay.__file__).parent
DOCS = Path(__file__).resolve().parents[1] / "docs"
PARTS = {"channels", "resume", "websocket", "bus", "program", "datapath", "net", "protocol"}
"""What the four programs share."""
RULES = {
    "protocol": set(),
    "net": {"protocol"},
    "datapath": {"protocol"},
    "bus": {"net", "protocol"},
    "program": {"net", "protocol"},
    "websocket": {"datapath", "net", "protocol"},
    "channels": {"datapath", "protocol"},
    "resume": {"datapath", "protocol"},
    "relay": PARTS,
    "agent": PARTS,
    "platform": PARTS,
    "client": PARTS,
    "demo": {"bus", "platform", "protocol"},
    "main": {"client", "platform", "program", "protocol"},
}
"""Which other packages the modules of each may import."""
EVERYBODYS = {"errors", "logs", "files"}


@cache
def imports(path: Path) -> frozenset[str]:
    """The modules that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return frozenset(found)


def modules(root: Path = ROOT) -> dict[str, set[str]]:
    """What each of our modules imports; a package is a module too."""
    found = {}
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = set(imports(path))
    del found[""]
    return found


def ours(found: dict[str, set[str]]) -> dict[str, set[str]]:
    """The arrows between our modules."""
    prefix = "streamrelay."
    return {
        module: {name.removeprefix(prefix) for name in names if name.removeprefix(prefix) in found} - {module}
        for module, names in found.items()
    }


def wrong(found: dict[str, set[str]]) -> list[str]:
    """The arrows that no rule allows."""
    return [
        f"{module} imports {name}"
        for module, names in ours(found).items()
        for name in sorted(names)
        if (mine := module.partition(".")[0]) != (package := name.partition(".")[0])
        and package not in EVERYBODYS | RULES.get(mine, set())
    ]


def circles(arrows: dict[str, set[str]]) -> set[str]:
    """The modules that are left when whoever imports nothing that is left is taken away, again and again."""
    left = dict(arrows)
    while free := [module for module, names in left.items() if not names & set(left)]:
        for module in free:
            del left[module]
    return set(left)


class House(SynchronousTestCase):
    """The imports of every module of the package, late ones too."""

    def setUp(self) -> None:
        self.modules = modules()

    def users_of(self, *names: str) -> set[str]:
        """Our modules that import one of these, or something in them."""
        wanted = tuple(f"{name}." for name in names)
        return {
            module for module, found in self.modules.items() if any(f"{name}.".startswith(wanted) for name in found)
        }

    def test_packages(self) -> None:
        """Every package has a rule, and no rule is for one that there isn't."""
        packages = {module.partition(".")[0] for module in self.modules}
        self.assertEqual(packages - EVERYBODYS - {"web"}, set(RULES))

    def test_rules(self) -> None:
        """A module imports from its own package, and from those that the table names."""
        self.assertEqual(wrong(self.modules), [])

    def test_planted(self) -> None:
        """An import from the relay to the agent would be found, and so would one that closes a circle."""
        self.modules["relay.leg"] |= {"streamrelay.agent.service"}
        self.assertEqual(wrong(self.modules), ["relay.leg imports agent.service"])
        self.modules["protocol.codec"] |= {"streamrelay.protocol.summons"}
        self.modules["protocol.summons"] |= {"streamrelay.protocol.codec"}
        self.assertLessEqual({"protocol.codec", "protocol.summons"}, circles(ours(self.modules)))

    def test_no_circles(self) -> None:
        """No module imports itself, by whatever way."""
        self.assertEqual(circles(ours(self.modules)), set())

    def test_documented(self) -> None:
        """docs/architecture.rst has the same packages with the same rules."""
        text = (DOCS / "architecture.rst").read_text()
        section = text[text.index("\nThe house\n===") : text.index("\nWhere is")]
        rows = re.findall(
            r"^   \* - ``(\w+)``\n     - [^\n]+(?:\n       [^\n]+)*\n     - ([^\n]+)$", section, re.MULTILINE
        )
        told = {package: set(re.findall(r"``(\w+)``", names)) for package, names in rows}
        all_parts = "the eight parts"
        told |= {package: PARTS for package, names in rows if names == all_parts}
        self.assertEqual(told, RULES)

    def test_where(self) -> None:
        """Every file that docs/architecture.rst names is there."""
        text = (DOCS / "architecture.rst").read_text()
        named = re.findall(r"``((?:[a-z_0-9]+/)+[a-z_0-9]+\.(?:py|js))``", text)
        self.assertGreater(len(named), 20)
        self.assertEqual(
            [name for name in named if not any((at / name).exists() for at in (ROOT, ROOT.parent, DOCS.parent))], []
        )

    def test_one_file_knows(self) -> None:
        """Autobahn, nats, asyncio and the reactor are each known only where they must be."""
        self.assertEqual(self.users_of("autobahn"), set())
        self.assertEqual(self.users_of("_nvx_xormasker"), {"websocket.frames"})
        transports = {"bus.transports", "bus.websocket_transport"}
        self.assertEqual(
            self.users_of("nats"),
            {"bus.connection", "bus.nats_client", "bus.requests", "bus.subscriptions"} | transports,
        )
        self.assertEqual(self.users_of("nkeys"), {"bus.credentials"})
        self.assertEqual(
            self.users_of("asyncio"),
            {
                "bus.connection",
                "bus.nats_client",
                "bus.pulse",
                "bus.requests",
                "bus.transports",
                "bus.websocket_transport",
                "datapath.socket_channel",
                "datapath.tls_channel",
                "platform.asking",
                "platform.fleet.look",
                "platform.fleet.lookout",
                "platform.http.changes",
                "platform.relays",
                "platform.shared_answer",
                "program.reactor",
            },
        )
        taps = {"relay.tap", "agent.tap", "platform.tap"}
        self.assertEqual(self.users_of("twisted.internet.reactor"), taps | {"client.commands"})

    def test_no_clocks_below(self) -> None:
        """Only who signs, asks for the date of what is signed, or tells people a time, knows the wall clock; below, a
        clock is given."""
        self.assertEqual(
            self.users_of("time"),
            {
                "agent.service",
                "demo.__main__",
                "platform.auth.sessions",
                "platform.platform",
                "program.lost_lines",
                "program.reactor",
                "program.stopping",
                "protocol.clocks",
                "protocol.requests",
                "protocol.tokens",
                "relay.service",
            },
        )
