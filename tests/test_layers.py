"""Who imports whom: down only. The table is the architecture."""

import ast
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import streamrelay

ROOT = Path(streamrelay.__file__).parent
LEVELS = [
    # L0: names, errors and rules, without I/O; wire and frames build upon errors
    {"errors"},
    {"logs", "endings"},
    {"wire", "files", "starting"},
    {"tokens", "frames", "opening"},
    # L1
    {"rendezvous", "arrivals", "attempts", "sessions"},
    # L2: bytes in and out; connections and the splice that joins them
    {"channel", "pulse", "deadlines", "splice", "certificates", "peer"},
    {"sockets", "allowance"},
    {"tls"},
    {"framed", "plain", "leg", "limits"},
    # L3: the seams to the world
    {"proxies", "checks"},
    {"config", "credentials"},
    {"nats_client", "shared", "names", "again"},
    {"knock"},
    {"websocket", "dial", "bus", "stdio", "terminal", "grants"},
    {"fetch"},
    {
        "targets.kind",
        "targets.tty",
        "targets.addresses",
        "targets.connecting",
        "targets.paths",
        "targets.qmp",
        "targets.rfb",
    },
    {"targets.seals", "targets.following", "targets.log_file", "targets.log_skips"},
    {"targets.log_rotation"},
    {"targets.log_places"},
    {"targets.container_messages", "targets.container_api", "targets.journal_entries", "targets.journalctl"},
    {"targets.container_spots", "targets.container_hijack"},
    {"targets.container_body"},
    {
        "targets.log",
        "targets.pty",
        "targets.view",
        "targets.container_log",
        "targets.journal",
        "targets.qemu_listeners",
    },
    {"targets.container_exec"},
    {"targets.tcp", "targets.unix", "targets.qemu", "targets.container"},
    {"targets.catalogue", "summonses", "vigil", "discovery", "keys"},
    {"errand"},
    {"permissions"},
    # HTTP: what comes in and goes out, and those who are asked about it
    {"origin", "answers", "jwks", "ask", "site"},
    {"cookies", "oidc", "pages"},
    {"gate"},
    # L4: services, and the HTTP interface of one of them
    {"relay", "streams", "platform", "client"},
    {"agent"},
    {"api"},
    # L5: programs
    {"options", "machine", "hosts", "children"},
    {"relay_tap", "agent_tap", "platform_tap", "commands", "demo"},
    {"main"},
]


def imports(path: Path) -> set[str]:
    """The modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


def modules() -> dict[str, set[str]]:
    """What each of our modules imports."""
    paths = [path for path in ROOT.rglob("*.py") if path.name != "__init__.py"]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): imports(path) for path in paths}


class Layers(SynchronousTestCase):
    """The imports of every module of the package, late ones too."""

    def setUp(self) -> None:
        self.level = {name: index for index, names in enumerate(LEVELS) for name in names}
        self.modules = modules()

    def users_of(self, *names: str) -> set[str]:
        """Our modules that import one of these, or something in them."""
        wanted = tuple(f"{name}." for name in names)
        return {
            module for module, found in self.modules.items() if any(f"{name}.".startswith(wanted) for name in found)
        }

    def test_all_stand_in_the_table(self) -> None:
        """Every module has one level, and the table names no others."""
        self.assertEqual(set(self.modules), set(self.level))
        self.assertEqual(len(self.level), sum(len(names) for names in LEVELS))

    def test_down_only(self) -> None:
        """A module imports only from levels below its own."""
        wrong = [
            f"{module} imports {name}"
            for module, found in self.modules.items()
            for name in self.level
            if f"streamrelay.{name}" in found and self.level[name] >= self.level[module]
        ]
        self.assertEqual(wrong, [])

    def test_one_file_knows(self) -> None:
        """autobahn, nats, asyncio and the reactor are each known only where they must be."""
        self.assertEqual(self.users_of("autobahn"), {"websocket", "dial"})
        self.assertEqual(self.users_of("nats"), {"bus", "nats_client"})
        self.assertEqual(self.users_of("nkeys"), {"credentials"})
        self.assertEqual(self.users_of("asyncio"), {"bus", "nats_client", "options", "shared", "sockets", "tls"})
        taps = {"relay_tap", "agent_tap", "platform_tap"}
        self.assertEqual(self.users_of("twisted.internet.reactor"), taps | {"commands"})

    def test_no_clocks_below(self) -> None:
        """Only who signs, or asks for the date of what is signed, knows the wall clock; below, a clock is given."""
        self.assertEqual(
            self.users_of("time"), {"tokens", "relay", "agent", "platform", "summonses", "options", "demo"}
        )
