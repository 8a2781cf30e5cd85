"""Wrong settings: each ends the program with one clear line, and never with a traceback."""

import socket
from pathlib import Path

from tests.live.support.certificates import certificates
from tests.live.support.processes import PROGRAMS, run
from tests.live.support.settings import SettingsTest

AGENT = 'host = "host-1"\nplatform_key = ["{folder}/platform.pub"]\n'


class WrongSettings(SettingsTest):
    """A program that is given them doesn't start, and says why."""

    def test_relay(self) -> None:
        """The relay: keys, origins, ports, tokens, files."""
        key, public = str(self.folder / "platform.key"), f"--platform-key={self.folder}/platform.pub"
        other = self.file("other.pem", "-----BEGIN CERTIFICATE-----\n")
        certificates(self.folder)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.refuses(
                "streamrelay",
                ((), "signed tokens need --platform-key"),
                ((f"--platform-key={self.folder}/missing",), "missing: can't be read: No such file"),
                ((f"--platform-key={key}",), "this is a private key; only the public one belongs here"),
                ((f"--platform-key={other}",), "not a public key in PEM form"),
                ((f"--platform-key={self.folder}",), "can't be read: Is a directory"),
                ((public, f"--listen=tcp:{port}:interface=127.0.0.1"), "in use"),
                (
                    (public, "--listen=nonsense:1"),
                    "expected tls:PORT, tcp:PORT:interface=ADDRESS, unix:PATH or systemd:NAME",
                ),
                ((public, "--listen=tcp:99999:interface=127.0.0.1"), "port must be"),
                ((public, "--listen=tcp:0"), "other machines would reach it without TLS"),
                ((public, "--listen=tcp:0:interface=0.0.0.0"), "other machines would reach it without TLS"),
                ((public, "--listen=tls:0"), "TLS needs a certificate; give --certificate CERTIFICATE,KEY"),
                ((public, "--listen=tls:0", f"--certificate={self.folder}/missing.pem,{key}"), "missing.pem: can't be"),
                (
                    (public, "--listen=tls:0", f"--certificate={self.folder}/relay.pem,{key}"),
                    "is another certificate's",
                ),
                ((public, "--listen=tls:0", f"--certificate={other}"), "holds no private key"),
                ((public, "--agent-ca=ca.pem"), "agents show certificates over TLS only"),
                ((public, "--proxy=10.0.0.1/8"), "expected an address or a network such as 10.0.0.0/8"),
                ((public, "--proxy=example.com"), "expected an address or a network such as 10.0.0.0/8"),
                ((public, "--origin=https://panel.example/"), "without a path"),
                ((public, "--origin=null"), "expected scheme://host"),
                ((public, "--origin=*"), "expected scheme://host"),
                ((public, "--origin=HTTPS://panel.example"), "lower case"),
                ((public, "--tokens=none"), "tokens"),
                ((public, "--patience=soon"), "expected a number"),
                ((public, "--patience=-1"), "patience"),
                ((public, "--id=a b"), "id"),
                ((f"--config={self.folder}/missing.toml",), "missing.toml: can't be read"),
                ((f"--config={self.file('a.toml', 'listen = 7')}",), "listen"),
                ((f"--config={self.file('b.toml', 'orgin = []')}", public), "orgin"),
                ((f"--config={self.file('c.toml', 'not toml')}",), "c.toml: not TOML"),
                ((f"--config={self.file('d.toml', 'listen = []')}", public), "nothing to listen on"),
            )

    def test_agent(self) -> None:
        """The agent: its name, its keys, its bus, and every kind of target."""
        base = AGENT.format(folder=self.folder)

        def given(number: int, text: str) -> tuple[str, ...]:
            return (f"--config={self.file(f'agent-{number}.toml', base + text)}",)

        self.refuses(
            "streamagent",
            ((), "host"),
            (("--host=a b",), "host"),
            (("--host=host-1",), "signed summonses need --platform-key"),
            (("--host=host-1", f"--platform-key={self.folder}/platform.key"), "this is a private key"),
            (("--host=host-1", "--tokens=opaque"), "--relay must name the relays"),
            (given(1, 'nats = ["nats://bus.example"]\n'), "not encrypted; use tls:// or --insecure"),
            (given(2, 'nats = ["http://127.0.0.1"]\n'), "expected tls://"),
            (given(3, 'relays = ["https://relay.example"]\n'), "expected ws://"),
            (given(4, f'ca = "{self.folder}/missing"\n'), "missing"),
            (given(5, f'ca = "{self.folder}/platform.pub"\n'), "platform.pub"),
            (given(6, "hots = 1\n"), "hots"),
            (given(7, '[targets.a]\nkind = "serial"\n'), "serial"),
            (given(8, '[targets.a]\nkind = "tcp"\naddress = "nowhere"\n'), "expected host:port"),
            (given(9, '[targets.a]\nkind = "tcp"\naddress = "127.0.0.1:1"\nport = 1\n'), "port"),
            (given(10, '[targets.a]\nkind = "log"\npath = "log"\n'), "expected an absolute path"),
            (given(11, '[targets.a]\nkind = "pty"\ncommand = []\n'), "command"),
            (given(12, '[targets."a b"]\nkind = "log"\npath = "/log"\n'), "a b"),
            (given(13, '[targets."vm/{name}"]\nkind = "log"\npath = "/{name}"\n'), "name"),
            (
                given(14, '[targets."vm/{name}"]\nkind = "log"\npath = "/{name}"\nparts = { name = "(" }\n'),
                "not a regular expression",
            ),
            (
                given(15, '[targets.a]\nkind = "log"\npath = "/{name}"\n'),
                "{name} is not a part of the name",
            ),
            (given(16, "targets = 7\n"), "targets"),
            (given(17, f'nats_creds = "{self.folder}/missing.creds"\n'), "missing.creds"),
            (given(18, f'drop_in = "{self.folder}/missing.d"\n'), "missing.d"),
        )

    def test_state(self) -> None:
        """What an agent keeps over a restart mustn't be for others to read or write."""
        wide, told = self.folder / "wide", self.folder / "told"
        for path, mode in ((wide, 0o770), (told, 0o700)):
            path.mkdir()
            path.chmod(mode)
        (told / "places.key").write_bytes(bytes(32))
        (told / "places.key").chmod(0o640)
        options = ("--host=host-1", "--tokens=opaque", "--relay=ws://127.0.0.1:1")
        self.refuses(
            "streamagent",
            (
                (*options, f"--state={wide}"),
                f"others may write to this directory of the agent's state; run: chmod go-w {wide}",
            ),
            ((*options, f"--state={told}"), f"run: chmod 600 {told}/places.key"),
        )

    def test_platform(self) -> None:
        """The platform: its private key, its users' file, its relay."""
        loose = self.folder / "loose.key"
        loose.write_bytes((self.folder / "platform.key").read_bytes())
        loose.chmod(0o644)
        public = self.folder / "public.pem"
        public.write_bytes((self.folder / "platform.pub").read_bytes())
        public.chmod(0o600)
        key, keys = f"--key={self.folder}/platform.key", f"--keys={self.folder}/keys.toml"
        relay = "--relay=ws://127.0.0.1:8780"
        hashes = '[keys.a]\nhash = "sha256:1"\ngrants = []\n'
        self.refuses(
            "streamplatform",
            ((), "relay"),
            ((relay,), "give --keys FILE"),
            ((relay, keys), "signing needs --key FILE"),
            ((relay, keys, f"--key={loose}"), "chmod 600"),
            ((relay, keys, f"--key={self.folder}/missing"), "missing: can't be read"),
            ((relay, keys, f"--key={public}"), "this is a public key"),
            ((relay, key, f"--keys={self.folder}/missing.toml"), "missing.toml: can't be read"),
            ((relay, key, f"--keys={self.file('bad.toml', hashes)}"), "bad.toml"),
            ((relay, key, f"--keys={self.file('odd.toml', '[user.a]')}"), "user"),
            (("--relay=ws://relay.example", key, keys), "not encrypted; use wss:// or --insecure"),
            (("--relay=https://relay.example", key, keys), "expected ws://"),
            ((relay, key, keys, "--nats=nats://bus.example"), "not encrypted"),
            ((relay, key, keys, "--listen=tcp:x:interface=127.0.0.1"), "--listen tcp:x"),
        )

    def test_other_reactor(self) -> None:
        """A reactor that isn't asyncio's is refused."""
        status, log, text = self.end(("--reactor=poll", "-n", "--pidfile=", "streamrelay", "--tokens=opaque"))
        self.assertNotIn(status, (0, None))
        self.assertIn("streamrelay needs Twisted's asyncio reactor, and PollReactor is installed already", log + text)
        self.assertNotIn("Traceback", log + text)

    def test_unknown_option(self) -> None:
        """An option that doesn't exist is named."""
        for program in ("streamrelay", "streamagent", "streamplatform"):
            status, log, text = self.end(("-n", "--pidfile=", program, "--no-such"))
            self.assertNotIn(status, (0, None))
            self.assertIn("no-such", (log + text).splitlines()[-1], "the usage hides it")
            self.assertNotIn("Traceback", log + text)

    def test_help(self) -> None:
        """`--help` of each program names every option, and `twistd --help` every program."""
        listed = run(str(PROGRAMS / "twistd"), "--help").stdout.decode()
        for program, option in (
            ("streamrelay", "--platform-key"),
            ("streamagent", "--drop-in"),
            ("streamplatform", "--keys"),
        ):
            self.assertIn(program, listed)
            self.assertIn(option, self.end((program, "--help"))[1])

    def test_keygen(self) -> None:
        """keygen and key add keep what exists, and say so in one line."""
        program = str(PROGRAMS / "streamrelay")
        before = (self.folder / "platform.key").read_bytes()
        done = run(program, "keygen", cwd=self.folder)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)
        self.assertIn(b"File exists", done.stderr)
        self.assertEqual((self.folder / "platform.key").read_bytes(), before)
        add = (program, "key", "add", "alice", "--grant", "web-*:log/*")
        done = run(*add, cwd=self.folder)
        self.assertEqual(done.returncode, 0)
        self.assertTrue(done.stdout.startswith(b"srk_"))
        self.assertNotIn(done.stdout.strip(), (self.folder / "keys.toml").read_bytes())
        done = run(*add, cwd=self.folder)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)
        done = run(program, "key", "add", "bob", "--grant", "web", cwd=self.folder)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)
        for name, mode in (("platform.key", 0o600), ("platform.pub", 0o644), ("keys.toml", 0o600)):
            self.assertEqual((Path(self.folder) / name).stat().st_mode & 0o777, mode, name)
