"""enrolment.py: `streamrelay host` and `streamrelay relay`."""

import re
import stat
import tomllib
from pathlib import Path

from streamrelay.agent.catalogue import Catalogue
from streamrelay.agent.config import AgentConfig
from streamrelay.bus import credentials
from streamrelay.bus.permissions import parse
from streamrelay.program.settings import load
from streamrelay.protocol.tokens import Verifier, generate
from streamrelay.relay.config import RelayConfig
from tests.fakes.commands import CommandCase
from tests.fakes.files import no_room

PLATFORM = """\
relay = "wss://relay.example:8443"
nats = ["tls://somebody:secret@nats.example:4222"]
nats_nkey = "{where}/platform.nkey"
key = "{where}/platform.key"
keys = "{where}/keys.toml"
ca = "{where}/trust.pem"
"""


class Case(CommandCase):
    """A platform's directory."""

    def setUp(self) -> None:
        super().setUp()
        generate(self.where / "platform.key", self.where / "platform.pub")
        (self.where / "trust.pem").write_text("certificates")
        self.write(PLATFORM)
        self.users = self.where / "nats-users.conf"

    def write(self, text: str) -> None:
        (self.where / "platform.toml").write_text(text.format(where=self.where))

    def host(self, action: str, *arguments: str) -> int:
        for stream in (self.out, self.err):
            stream.seek(0)
            stream.truncate()
        more = ["--users", str(self.users)]
        if action == "add":
            more += ["--config", str(self.where / "platform.toml"), "--hosts", str(self.where / "hosts")]
        return self.run_command("host", action, *arguments, *more)

    def known(self) -> dict[str, str]:
        return {user.name or user.role: user.nkey for user in parse(self.users.read_text())}

    def refused(self, *arguments: str) -> str:
        """The one line with which a command is refused; nothing has changed by it."""
        before = {path: path.read_bytes() for path in self.where.rglob("*") if path.is_file()}
        self.assertEqual(self.host(*arguments), 2)
        after = {path: path.read_bytes() for path in self.where.rglob("*") if path.is_file()}
        self.assertEqual(after, before)
        self.assertEqual((self.out.getvalue(), self.err.getvalue().count("\n")), ("", 1))
        return self.err.getvalue()


class Adding(Case):
    """host add"""

    def folder(self, name: str = "web-1") -> Path:
        return self.where / "hosts" / name

    def test_folder(self) -> None:
        """A host's folder holds all that its agent needs, the seed for its owner alone."""
        self.assertEqual(self.host("add", "web-1"), 0)
        names = {path.name: stat.S_IMODE(path.stat().st_mode) for path in self.folder().iterdir()}
        self.assertEqual(names, {"agent.toml": 0o600, "host.nkey": 0o600, "platform.pub": 0o644, "ca.pem": 0o644})
        self.assertEqual(stat.S_IMODE(self.folder().stat().st_mode), 0o700)
        self.assertEqual((self.folder() / "platform.pub").read_text(), (self.where / "platform.pub").read_text())
        self.assertEqual((self.folder() / "ca.pem").read_text(), "certificates")
        Verifier.load([str(self.folder() / "platform.pub")], "web-1")
        self.assertEqual(credentials.public_key(str(self.folder() / "host.nkey")), self.known()["web-1"])

    def test_handshake_first(self) -> None:
        """A bus that begins with TLS does so for the host, too."""
        for text, expected in ((PLATFORM, False), (PLATFORM + "nats_handshake_first = true\n", True)):
            self.write(text)
            name = f"host-{expected}"
            self.assertEqual(self.host("add", name), 0)
            settings = tomllib.loads((self.folder(name) / "agent.toml").read_text())
            self.assertEqual(settings.get("nats_handshake_first", False), expected)

    def test_settings(self) -> None:
        """Its agent's settings are whole, without a target and without another's password; paths are the folder's."""
        self.host("add", "web-1")
        path = str(self.folder() / "agent.toml")
        config = load(AgentConfig, path, {})
        self.assertEqual((config.host, config.nats), ("web-1", ("tls://nats.example:4222",)))
        self.assertEqual((config.nats_nkey, config.platform_key, config.ca), ("host.nkey", ("platform.pub",), "ca.pem"))
        self.assertEqual((config.relays, config.insecure), (("wss://relay.example:8443",), False))
        catalogue = Catalogue(path)
        catalogue.load()
        self.assertEqual(catalogue.entries, {})
        self.assertNotIn("secret", "".join(item.read_text() for item in self.folder().iterdir()))

    def test_dots(self) -> None:
        """A host may be named by its domain name; what isn't one is refused in words, and a like one is another."""
        for name in ("web-1.example.com", "web-1", "WEB-1.example.com", ".".join(["x" * 62] * 4)):
            self.assertEqual(self.host("add", name), 0)
            self.assertEqual(load(AgentConfig, str(self.folder(name) / "agent.toml"), {}).host, name)
        self.assertIn("is a host web-1.example.com already", self.refused("add", "web-1.example.com"))
        for name in ("web-1.", ".", "..", ".web", "web..1", "web-1:example", "x." * 127, "../web"):
            self.assertIn("is not a valid host name (1 to 253 of A-Za-z0-9_-, with", self.refused("add", name))
        self.assertEqual(self.host("remove", "web-1.example.com"), 0)
        self.assertEqual(sorted(self.known())[:3], ["WEB-1.example.com", "audit", "platform"])
        self.assertIn("web-1", self.known())

    def test_example(self) -> None:
        """The targets that stand there as a comment are some, once the marks are gone, and the shell has a user."""
        self.host("add", "web-1")
        path = self.folder() / "agent.toml"
        path.write_text(re.sub(r"^# (?=\[|\w+ = )", "", path.read_text(), flags=re.MULTILINE))
        catalogue = Catalogue(str(path), may_change_users=True, check_file=lambda path, why: None)
        catalogue.load()
        self.assertEqual(catalogue.find("ssh").kind, "tcp")
        self.assertEqual(catalogue.settings("shell").runs_as, "guest")

    def test_options(self) -> None:
        """The bus' URL as hosts see it, and where the folder will be, can be given."""
        self.assertEqual(self.host("add", "web-1", "--nats", "tls://a", "--nats", "tls://b", "--at", "/etc/sr"), 0)
        config = load(AgentConfig, str(self.folder() / "agent.toml"), {})
        self.assertEqual((config.nats, config.nats_nkey), (("tls://a", "tls://b"), "/etc/sr/host.nkey"))
        self.assertEqual((config.platform_key, config.ca), (("/etc/sr/platform.pub",), "/etc/sr/ca.pem"))

    def test_opaque(self) -> None:
        """A platform that doesn't sign makes agents that need no signature."""
        self.write(PLATFORM + 'tokens = "opaque"\n')
        self.host("add", "web-1")
        self.assertEqual(load(AgentConfig, str(self.folder() / "agent.toml"), {}).tokens, "opaque")
        self.assertFalse((self.folder() / "platform.pub").exists())

    def test_plain(self) -> None:
        """A plain bus on loopback is told of as no use to other machines; one elsewhere needs `insecure`."""
        self.write(PLATFORM.replace("tls://somebody:secret@nats.example", "nats://127.0.0.1"))
        self.assertEqual(self.host("add", "web-1"), 0)
        self.assertIn("nats://127.0.0.1:4222: this is a loopback address", self.out.getvalue())
        self.assertIn("not encrypted", self.refused("add", "web-2", "--nats", "nats://nats.example"))
        self.write(PLATFORM + "insecure = true\n")
        self.assertEqual(self.host("add", "web-2", "--nats", "nats://nats.example"), 0)
        self.assertTrue(load(AgentConfig, str(self.folder("web-2") / "agent.toml"), {}).insecure)

    def test_users(self) -> None:
        """The first host brings the platform and the audit, by seeds of their own; the next ones keep them."""
        self.host("add", "web-1")
        first = self.known()
        self.assertEqual(set(first), {"platform", "audit", "web-1"})
        for name in ("platform", "audit"):
            path = self.where / f"{name}.nkey"
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
            self.assertEqual(credentials.public_key(str(path)), first[name])
        (self.where / "audit.nkey").unlink()
        self.host("add", "web-2")
        self.assertEqual(self.known(), {**first, "web-2": self.known()["web-2"]})
        self.assertEqual(len(set(self.known().values())), 4)
        self.assertEqual(stat.S_IMODE(self.users.stat().st_mode), 0o644)

    def test_own_seed(self) -> None:
        """A platform that has a seed keeps it; a new one takes the old one's place."""
        seed, public = credentials.generate()
        path = self.where / "platform.nkey"
        path.write_bytes(seed)
        path.chmod(0o644)
        self.assertIn("chmod 600", self.refused("add", "web-1"))
        path.chmod(0o600)
        self.host("add", "web-1")
        self.assertEqual(self.known()["platform"], public)
        path.unlink()
        self.host("add", "web-2")
        self.assertNotEqual(self.known()["platform"], public)
        self.assertEqual(self.known()["platform"], credentials.public_key(str(path)))

    def test_no_secret_shown(self) -> None:
        """No seed appears in what the command says, or in the file of users."""
        self.host("add", "web-1")
        shown = self.out.getvalue() + self.err.getvalue() + self.users.read_text()
        for path in self.where.rglob("*.nkey"):
            self.assertNotIn(path.read_text().strip(), shown)

    def test_refused(self) -> None:
        """A name that can't be or is taken, a folder that is there, and settings that don't do change nothing."""
        for name in ("a..b", "*", ">", "", "../x", "x" * 65, "a b", "a\n"):
            self.refused("add", name)
        self.assertFalse((self.where / "hosts").exists())
        self.host("add", "web-1")
        self.assertIn("already", self.refused("add", "web-1"))
        self.folder("web-2").mkdir()
        self.assertIn(str(self.folder("web-2")), self.refused("add", "web-2"))
        self.write(PLATFORM.replace("nats_nkey", "# nats_nkey"))
        self.assertIn("nats_nkey", self.refused("add", "web-3"))
        self.write(PLATFORM.replace("trust.pem", "none.pem"))
        self.assertIn("none.pem", self.refused("add", "web-3"))
        self.assertFalse(self.folder("web-3").exists())
        self.write("relay = ")
        self.assertIn("platform.toml", self.refused("add", "web-3"))

    def test_no_room(self) -> None:
        """Where a file can't be written nothing has changed, be it a seed of the platform's or a host's settings."""
        with no_room():
            self.assertIn("platform.nkey: can't be written", self.refused("add", "web-1"))
        self.assertEqual(self.host("add", "web-1"), 0)
        with no_room():
            self.assertIn("agent.toml: can't be written", self.refused("add", "web-2"))
        self.assertEqual(self.host("add", "web-2"), 0)

    def test_changed_users(self) -> None:
        """A file of users that somebody else has changed isn't written over."""
        self.host("add", "web-1")
        self.users.write_text(self.users.read_text() + "\n# mine\nnkey: x\n")
        for arguments in (("add", "web-2"), ("remove", "web-1"), ("list",)):
            self.assertIn(str(self.users), self.refused(*arguments))


class Others(Case):
    """host list, host remove"""

    def test_list(self) -> None:
        """Hosts are listed with their public keys, and nothing else is."""
        self.assertEqual(self.host("list"), 0)
        self.assertEqual(self.out.getvalue(), "")
        self.host("add", "web-1")
        self.host("add", "web-2")
        self.host("list")
        known = self.known()
        self.assertEqual(self.out.getvalue(), f"web-1\t{known['web-1']}\nweb-2\t{known['web-2']}\n")

    def test_remove(self) -> None:
        """A host that is removed is no user any more; others are, and its folder stays."""
        self.host("add", "web-1")
        self.host("add", "web-2")
        self.assertEqual(self.host("remove", "web-1"), 0)
        self.assertEqual(set(self.known()), {"platform", "audit", "web-2"})
        self.assertTrue((self.where / "hosts" / "web-1" / "host.nkey").exists())
        self.assertIn("reload", self.err.getvalue())
        for name in ("web-1", "platform", "", "web"):
            self.refused("remove", name)

    def test_nowhere(self) -> None:
        """A directory that isn't there is named."""
        self.users = self.where / "none" / "nats-users.conf"
        self.assertIn(str(self.where / "none"), self.refused("remove", "web-1"))

    def test_read_as_toml(self) -> None:
        """A host's settings are TOML whatever the platform's hold."""
        self.write(PLATFORM.replace("wss://relay.example:8443", "wss://relay.example/a'b"))
        self.host("add", "web-1")
        text = (self.where / "hosts" / "web-1" / "agent.toml").read_text()
        self.assertEqual(tomllib.loads(text)["relays"], ["wss://relay.example/a'b"])


class Relays(Case):
    """relay add, list and remove"""

    def setUp(self) -> None:
        super().setUp()
        self.write(PLATFORM.replace('relay = "wss://relay.example:8443"', 'relays = ["wss://{{id}}.relay.example"]'))

    def relay(self, action: str, *arguments: str) -> int:
        for stream in (self.out, self.err):
            stream.seek(0)
            stream.truncate()
        more = ["--users", str(self.users)]
        if action == "add":
            more += ["--config", str(self.where / "platform.toml"), "--relays", str(self.where / "relays")]
        return self.run_command("relay", action, *arguments, *more)

    def refused(self, *arguments: str) -> str:
        self.assertEqual(self.relay(*arguments), 2)
        self.assertEqual((self.out.getvalue(), self.err.getvalue().count("\n")), ("", 1))
        return self.err.getvalue()

    def folder(self, name: str = "fra-1") -> Path:
        return self.where / "relays" / name

    def test_folder(self) -> None:
        """A relay's folder holds settings that are whole, with its name as the audience of its tokens; nobody needs to
        be told anything else."""
        self.assertEqual(self.relay("add", "fra-1", "wss://fra-1.relay.example", "--zone", "fra", "--at", "/etc/sr"), 0)
        names = {path.name: stat.S_IMODE(path.stat().st_mode) for path in self.folder().iterdir()}
        self.assertEqual(names, {"relay.toml": 0o600, "relay.nkey": 0o600, "platform.pub": 0o644, "ca.pem": 0o644})
        config = load(RelayConfig, str(self.folder() / "relay.toml"), {})
        self.assertEqual((config.id, config.url, config.zone), ("fra-1", "wss://fra-1.relay.example", "fra"))
        self.assertEqual((config.nats, config.nats_nkey), (("tls://nats.example:4222",), "/etc/sr/relay.nkey"))
        self.assertEqual((config.ca, config.platform_key), ("/etc/sr/ca.pem", ("/etc/sr/platform.pub",)))
        self.assertNotIn("fra-1.relay.example", self.out.getvalue())
        self.assertNotIn("secret@", (self.folder() / "relay.toml").read_text())
        self.assertEqual(credentials.public_key(str(self.folder() / "relay.nkey")), self.known()["fra-1"])

    def test_beside_hosts(self) -> None:
        """Hosts and relays may have the same name, and neither's command drops or lists the other's users."""
        self.assertEqual(self.relay("add", "web-1", "wss://web-1.relay.example"), 0)
        self.assertEqual(self.host("add", "web-1"), 0)
        self.assertEqual(self.relay("add", "fra-1", "wss://fra-1.relay.example"), 0)
        found = [(user.role, user.name) for user in parse(self.users.read_text())]
        self.assertEqual(found[2:], [("relay", "web-1"), ("host", "web-1"), ("relay", "fra-1")])
        self.relay("list")
        self.assertEqual([line.split("\t")[0] for line in self.out.getvalue().splitlines()], ["web-1", "fra-1"])
        self.assertEqual(self.relay("remove", "web-1"), 0)
        self.host("list")
        self.assertEqual(self.out.getvalue().split("\t")[0], "web-1")
        self.assertIn("there is no relay 'web-1'", self.refused("remove", "web-1"))

    def test_agents(self) -> None:
        """Agents of such a platform dial the relays that it allows, and no others."""
        self.host("add", "web-1")
        config = load(AgentConfig, str(self.where / "hosts" / "web-1" / "agent.toml"), {})
        self.assertEqual(config.relays, ("wss://*.relay.example",))

    def test_doubts(self) -> None:
        """A URL that the platform doesn't allow, or that leads nowhere from elsewhere, is told of."""
        self.assertEqual(self.relay("add", "a", "wss://b.relay.example"), 0)
        self.assertIn("setting relays of the platform doesn't allow it", self.out.getvalue())
        self.assertEqual(self.relay("add", "b", "ws://127.0.0.1:1"), 0)
        self.assertIn("ws://127.0.0.1:1: this is a loopback address", self.out.getvalue())

    def test_refused(self) -> None:
        """What can't be a relay changes nothing."""
        for name, url, more, words in (
            *(("a b", "wss://a.relay.example", (), "not a valid relay name"), ("a", "https://a", (), "expected ws://")),
            *(("a", "ws://a.relay.example", (), "not encrypted"), ("a", "wss://a", ("--zone", "a b"), "zone 'a b'")),
        ):
            self.assertIn(words, self.refused("add", name, url, *more))
        self.write(PLATFORM + 'tokens = "opaque"\n')
        self.assertIn("signed tokens", self.refused("add", "a", "wss://a.relay.example"))
        self.assertFalse(self.users.exists())
