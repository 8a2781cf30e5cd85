"""What the ``streamrelay`` command loads before it does anything: each module is a part of a millisecond."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent
LOADED = """
import os, sys
from streamrelay.main import main
end = os._exit
def tell(status):
    print("loaded", *sys.modules)
    sys.stdout.flush()
    end(status)
os._exit = tell
try:
    main(sys.argv[1:])
except SystemExit as done:
    tell(done.code or 0)
"""
HEAVY = {
    "autobahn": "nothing; its masker is a module of its own",
    "txaio": "autobahn's",
    "twisted.web": "the platform's site",
    "twisted.python.url": "URLs beyond ASCII",
    "hyperlink": "the same",
    "nats": "the bus",
    "nkeys": "the bus",
    "jwt": "tokens of a platform's issuer",
    "re2": "patterns of targets",
    "automat": "the relay's legs",
    "pkg_resources": "setuptools' old entry points",
    "importlib.metadata": "the same",
    "twisted.application": "daemons",
    "streamrelay.websocket.connection": "legs that are open",
    "streamrelay.client.stdio": "streams that are open",
    "streamrelay.datapath.socket_channel": "the same",
    "streamrelay.relay": "another program",
    "streamrelay.agent": "another program",
    "streamrelay.platform": "another program",
    "streamrelay.bus": "another program",
}
"""What `connect` must not load until its platform has answered, with what it is for."""
MOST, MOST_TO_HELP = 300, 20
DAEMONS = {
    "relay": (
        400,
        (
            "autobahn",
            "txaio",
            "jwt",
            "nats",
            "aiohttp",
            "twisted.web",
            "h11",
            "prometheus_client",
            "streamrelay.agent",
            "streamrelay.platform",
        ),
    ),
    "agent": (
        560,
        (
            "autobahn",
            "txaio",
            "jwt",
            "twisted.web",
            "hyperlink",
            "prometheus_client",
            "streamrelay.relay",
            "streamrelay.platform",
        ),
    ),
    "platform": (
        510,
        ("autobahn", "txaio", "twisted.web.client", "prometheus_client", "streamrelay.relay", "streamrelay.agent"),
    ),
}
"""How much each daemon may load to be made, and what not."""
"""Modules besides Python's own."""


def within(modules: list[str], packages: Iterable[str]) -> set[str]:
    """Those of some packages that have modules here."""
    return {package for package in packages for name in modules if f"{name}.".startswith(f"{package}.")}


class Started(SynchronousTestCase):
    """The command in a process of its own."""

    def load(self, *arguments: str) -> list[str]:
        """Names of all modules that a run of the command has loaded."""
        done = subprocess.run(
            [sys.executable, "-c", LOADED, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120
        )
        *_, last = done.stdout.splitlines()
        self.assertTrue(last.startswith("loaded "), done.stdout + done.stderr)
        return last.split()[1:]

    def others(self, modules: list[str]) -> list[str]:
        """Those that aren't Python's own, nor loaded by this very installation at each start."""
        given = subprocess.run(
            [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True
        )
        known = {*sys.stdlib_module_names, *given.stdout.split()}
        return [name for name in modules if name.partition(".")[0] not in known]

    def test_connect(self) -> None:
        """Until the platform has answered, `connect` loads nothing that it doesn't need, and not much at all."""
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        asked: list[bytes] = []

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                asked.append(connection.recv(4096))
                connection.sendall(b'HTTP/1.1 403 No\r\nContent-Length: 15\r\n\r\n{"detail":"no"}')

        answering = threading.Thread(target=answer, daemon=True)
        answering.start()
        modules = self.load("connect", "web-1", "ssh", "--platform", f"http://127.0.0.1:{listening.getsockname()[1]}")
        answering.join(120)
        self.assertTrue(asked[0].startswith(b"POST /v1/streams HTTP/1.1\r\n"), asked)
        self.assertEqual(within(modules, HEAVY), set())
        self.assertLessEqual(len(self.others(modules)), MOST)
        self.assertGreater(len(self.others(modules)), MOST // 2)  # it is counted

    def test_help(self) -> None:
        """What only prints words loads no library at all."""
        for arguments in (("--version",), ("--help",), ("connect", "--help"), ("keygen", "--help")):
            others = self.others(self.load(*arguments))
            self.assertEqual([name for name in others if name.partition(".")[0] != "streamrelay"], [])
            self.assertLessEqual(len(others), MOST_TO_HELP)

    def test_daemons(self) -> None:
        """A daemon loads what it is made of, and nothing of the others'."""
        for name, (most, others) in DAEMONS.items():
            code = f"import streamrelay.{name}.tap, sys; print(*sys.modules)"
            done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
            modules = done.stdout.split()
            self.assertEqual(within(modules, others), set(), name)
            self.assertLessEqual(len(self.others(modules)), most, name)
