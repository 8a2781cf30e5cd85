"""etc/ and docs/examples: every sample is read by the program that it is for."""

import grp
import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.python import usage
from twisted.scripts.twistd import ServerOptions  # type: ignore[attr-defined]
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from streamrelay.agent import tap as agent_tap
from streamrelay.agent.catalogue import Catalogue
from streamrelay.agent.config import AgentConfig
from streamrelay.bus.permissions import parse, render
from streamrelay.files import write_new
from streamrelay.platform import tap as platform_tap
from streamrelay.platform.auth.grants import KeyRing
from streamrelay.platform.auth.sessions import SessionsConfig
from streamrelay.platform.config import PlatformConfig
from streamrelay.program import options
from streamrelay.program.settings import load
from streamrelay.relay import tap as relay_tap
from streamrelay.relay.config import RelayConfig
from tests.fakes.files import folder

ROOT = Path(__file__).resolve().parents[2]
ETC = ROOT / "etc"
INSTALLED = "/etc/streamrelay/"
"""Where the samples say that their files are."""
TAPS = {"streamrelay": relay_tap, "streamagent": agent_tap, "streamplatform": platform_tap}


def program(name: str) -> str:
    """The path of a program, or a skip that names it."""
    places = [str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin"]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        raise SkipTest(f"needs the program {name}")
    return found


def certificate(where: Path, name: str) -> None:
    """A key and a certificate that signs itself, as NAME.key and NAME.pem."""
    subprocess.run(
        [
            *(program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", "2", "-subj", f"/CN={name}.example", "-addext", f"subjectAltName=DNS:{name}.example"),
            *("-addext", "keyUsage=critical,digitalSignature,keyCertSign"),
            *("-keyout", str(where / f"{name}.key"), "-out", str(where / f"{name}.pem")),
        ],
        check=True,
        capture_output=True,
    )


class Settings(SynchronousTestCase):
    """The TOML files, by the product's own loaders."""

    def test_relay(self) -> None:
        """The relay's sample is a whole configuration."""
        config = load(RelayConfig, str(ETC / "relay.toml"), {})
        self.assertEqual(config.tokens, "signed")

    def test_agent(self) -> None:
        """The agent's sample is a whole configuration, and its targets can be found, patterns too."""
        load(AgentConfig, str(ETC / "agent.toml"), {})
        # Here the file may be whoever's.
        catalogue = Catalogue(str(ETC / "agent.toml"), may_change_users=True, check_file=lambda path, why: None)
        catalogue.load()
        names = ["ssh", "reports", "db/postgres", "syslog", "log/nginx", "vm/mail/console", "vm/mail", "shell"]
        names += ["container/web-1/log", "container/web-1/shell", "unit/nginx"]
        kinds = [catalogue.find(name).kind for name in names]
        self.assertEqual(
            kinds, ["tcp", "tcp", "unix", "log", "log", "unix", "qemu", "pty", *["container"] * 2, "journal"]
        )
        self.assertEqual(len(catalogue.entries), len(names))
        own = [name for name, entry in catalogue.entries.items() if entry.settings.runs and not entry.settings.runs_as]
        self.assertEqual(own, [], "run by the agent's own user")

    def test_platform(self) -> None:
        """The platform's sample is a whole configuration, for the relay of the relay's sample."""
        config = load(PlatformConfig, str(ETC / "platform.toml"), {})
        relay = load(RelayConfig, str(ETC / "relay.toml"), {})
        agent = load(AgentConfig, str(ETC / "agent.toml"), {})
        self.assertEqual(config.relay_id, relay.id)
        self.assertIn(config.relay, agent.relays)

    def test_commented(self) -> None:
        """What the samples of platform and keys show as comments can be put in force as it stands."""
        where = folder(self)
        for name in ("platform.toml", "keys.toml"):
            text = re.sub(r"^# (?=\[|\w+ = )", "", (ETC / name).read_text(), flags=re.MULTILINE)
            write_new(where / name, text.encode(), 0o600)
        config = load(PlatformConfig, str(where / "platform.toml"), {})
        assert config.oidc is not None and config.ask is not None
        self.assertEqual((config.oidc.issuer, config.ask.timeout), ("https://login.example/", 2))
        self.assertEqual(config.sessions, SessionsConfig())
        ring = KeyRing(str(where / "keys.toml"))
        ring.load()
        self.assertTrue(ring.claimed("u", {"groups": ["ops"]}).grants)
        self.assertIsNotNone(ring.user(None))

    def test_keys(self) -> None:
        """The sample of keys is read, and nobody's key is one of them."""
        path = folder(self) / "keys.toml"
        write_new(path, (ETC / "keys.toml").read_bytes(), 0o600)
        ring = KeyRing(str(path))
        ring.load()
        self.assertEqual(set(ring.content.keys), {"alice", "support"})
        self.assertIsNone(ring.user("srk_none"))
        self.assertIsNone(ring.user(None))


class Units(SynchronousTestCase):
    """The systemd units."""

    def commands(self) -> dict[str, list[str]]:
        found = {}
        for path in ETC.glob("*.service"):
            lines = [line for line in path.read_text().splitlines() if line.startswith("ExecStart=")]
            self.assertEqual(len(lines), 1, path.name)
            found[path.stem] = shlex.split(lines[0].removeprefix("ExecStart="))
        return found

    def test_options(self) -> None:
        """Each unit starts the program of its name by options that twistd and the program have."""
        self.patch(options, "install_reactor", lambda fast=False: None)
        self.patch(pwd, "getpwnam", lambda name: (name, "x", 4711))
        self.patch(grp, "getgrnam", lambda name: (name, "x", 4711))
        commands = self.commands()
        self.assertEqual(set(commands), {*TAPS, "streamrelay@"})
        for unit, (twistd, *arguments) in commands.items():
            name = unit.removesuffix("@")
            at = arguments.index(name)
            self.assertEqual(Path(twistd).name, "twistd")
            ServerOptions().parseOptions(arguments[:at])
            own = TAPS[name].Options()
            own.parseOptions(arguments[at + 1 :])
            self.assertTrue((ETC / Path(own["config"]).name).exists(), own["config"])
            self.assertEqual(Path(own["config"]).parent, Path(INSTALLED) / ("%i" if unit.endswith("@") else ""))

    def test_unknown_option(self) -> None:
        """The check above would notice an option that there isn't."""
        self.patch(options, "install_reactor", lambda fast=False: None)
        self.assertRaises(usage.UsageError, relay_tap.Options().parseOptions, ["--no-such-option"])


class Others(SynchronousTestCase):
    """Files for other programs, read by these."""

    def sample(self, name: str) -> Path:
        """A sample whose files are in a directory of this test."""
        where = folder(self)
        here = str(where).replace(" ", "\\ ") if name.endswith(".cfg") else where
        text = (ETC / name).read_text().replace(INSTALLED, f"{here}/")
        (where / name).write_text(text)
        return where / name

    def test_nats(self) -> None:
        """nats-server takes its sample, and the users of it are as `streamrelay host` writes them today."""
        path = self.sample("nats-server.conf")
        users = (ETC / "nats-users.conf").read_text()
        self.assertEqual(render(parse(users)), users)
        (path.parent / "nats-users.conf").write_text(users)
        server = program("nats-server")
        certificate(path.parent, "nats")
        done = subprocess.run([server, "-t", "-c", str(path)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_haproxy(self) -> None:
        """HAProxy takes its samples without a warning."""
        for name in ("haproxy.cfg", "haproxy-many.cfg"):
            self.assert_haproxy(name)

    def assert_haproxy(self, name: str) -> None:
        path = self.sample(name)
        proxy = program("haproxy")
        certificate(path.parent, "relay")
        (path.parent / "haproxy").mkdir()
        pem = (path.parent / "relay.pem").read_text() + (path.parent / "relay.key").read_text()
        (path.parent / "haproxy" / "relay.pem").write_text(pem)
        done = subprocess.run([proxy, "-c", "-f", str(path)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("WARNING", done.stderr)

    def test_examples(self) -> None:
        """The examples compile."""
        paths = list((ROOT / "docs" / "examples").glob("*.py"))
        self.assertEqual(len(paths), 2)
        for path in paths:
            compile(path.read_text(), str(path), "exec")
