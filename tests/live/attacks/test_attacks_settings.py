"""Attacks by mistake: a wrong setting opens nothing, neither at the start nor when files are read again.

tests.live.programs.test_cli_errors has all the words; here are those mistakes that would let somebody in.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamrelay.platform.auth.grants import Grant
from streamrelay.protocol.tokens import new_id
from tests.live.attacks.attack import AttackTest, Decoy
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST
from tests.live.support.settings import SettingsTest
from tests.live.support.waiting import until


class WrongSettings(SettingsTest):
    """A setting that is wrong or missing keeps a program from starting."""

    def test_fails_closed(self) -> None:
        """Unknown settings, keys that can't be read, and empty lists of them: nothing runs without its checks."""
        public, key = f"--platform-key={self.folder}/platform.pub", f"--key={self.folder}/platform.key"
        relay, users = "--relay=ws://127.0.0.1:8780", f"--keys={self.folder}/keys.toml"
        agent = f'host = "host-1"\nplatform_key = ["{self.folder}/platform.pub"]\n'
        self.refuses(
            "streamrelay",
            ((self.settings("platform_key = []"),), "signed tokens need --platform-key"),
            ((self.settings("platform_keys = []"), public), "platform_keys"),
            ((self.settings("origins = []"), public), "origins"),
            ((self.settings("max_handshakes = 0"), public), "max_handshakes"),
            ((f"--platform-key={self.file('empty.pub', '')}",), "not a public key"),
            ((public, f"--platform-key={self.folder}/missing.pub"), "can't be read"),
            ((public, "--origin="), "expected scheme://host"),
        )
        self.refuses(
            "streamagent",
            ((self.settings('host = "host-1"\nplatform_key = []'),), "signed summonses need"),
            ((self.settings(agent + 'nats = ["nats://192.0.2.1:4222"]'),), "not encrypted"),
            ((self.settings(agent + 'relays = ["http://127.0.0.1"]'),), "expected ws://"),
        )
        self.refuses(
            "streamplatform",
            ((relay, key), "give --keys FILE"),
            ((relay, key, self.settings("[anonymouse]\ngrants = []", "keys")), "anonymouse"),
            ((relay, key, self.settings('[keys.a]\nhash = "srk_x"\ngrants = []', "keys")), "hash"),
            (("--relay=ws://192.0.2.1", key, users), "not encrypted"),
            (("--relay=ws://localhost.evil.example", key, users), "not encrypted"),
        )

    def settings(self, text: str, option: str = "config") -> str:
        """An option that names a new file of this text."""
        return f"--{option}={self.file(f'{new_id()}.toml', text)}"


class Unencrypted(AttackTest):
    """Nothing secret leaves the machine in the clear unless somebody has said ``insecure``."""

    watched = False  # each starts a program

    def test_client(self) -> None:
        """The native client sends its key over http:// to no other machine, whatever that is called."""
        for platform in ("http://192.0.2.1", "http://localhost.evil.example", "http://127.0.0.1.evil.example"):
            done = self.common.streamrelay("hosts", "--platform", platform)
            self.assertEqual(done.returncode, 2)
            self.assertIn(b"is not encrypted; use https:// or --insecure", done.stderr)


class ReadAgain(AttackTest):
    """A file that has become wrong while a program runs leaves in force what was."""

    def refusal(self, decoy: Decoy, key: str) -> int:
        return self.common.ask("POST", "/v1/streams", {"host": HOST, "target": decoy.target}, key).status

    def test_keys(self) -> None:
        """With a broken key file the keys that were known stay good, and no others become so."""
        with kept(self.common.keys):
            self.break_keys()

    def break_keys(self) -> None:
        for wrong in (
            b"[keys.alice\n",
            b'[keys.eve]\nhash = "sha256:1"\ngrants = [{}]\n',
            b'[anonymous]\ngrants = [{ host = "*", target = "*", more = 1 }]\n',
            b"\xff\xfe\0",
        ):
            decoy = self.decoy()
            self.common.keys.write_bytes(wrong)
            self.assertEqual(self.refusal(decoy, self.common.key), 201, wrong)
            answer = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": decoy.target}, None)
            self.assertEqual(answer.status, 401, wrong)
            body = {"host": HOST, "target": decoy.target}
            self.assertEqual(self.ask_wrongly("srk_" + "e" * 43, body).status, 401, wrong)
            self.assert_reached(decoy, 1)
        self.common.keys.unlink()
        self.assertEqual(self.refusal(self.decoy(), self.common.key), 201)
        self.assertIn("can't read the keys again", self.common.platform.log)

    def test_no_keys(self) -> None:
        """An empty key file is a valid one: it lets nobody in."""
        with kept(self.common.keys):
            self.common.keys.write_bytes(b"")
            decoy = self.decoy()
            answer = self.ask_wrongly(self.common.key, {"host": HOST, "target": decoy.target})
            self.assertEqual(answer.status, 401)
            self.assert_reached(decoy, 0)

    def test_targets(self) -> None:
        """With a broken list of targets the agent keeps those that it had, and takes on none of the new ones."""
        decoy, other = self.decoy(), self.decoy()
        before = self.common.agent.log.count("can't read the targets again")
        self.common.write_agent(
            f'[targets.new]\nkind = "tcp"\naddress = "127.0.0.1:{other.port}"\n[targets.bad-{before}]\n'
        )
        self.addCleanup(self.common.write_agent, "")
        self.common.agent.wait_for("can't read the targets again", count=before + 1)
        self.assertEqual(self.refusal(decoy, self.common.key), 201)
        answer = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": "new"})
        self.assertEqual((answer.status, answer.json["code"]), (404, "no_such_target"))
        self.assert_reached(decoy, 1)
        self.assert_reached(other, 0)


@contextmanager
def kept(path: Path) -> Iterator[None]:
    """Let a file be as it was after the block: an attack may be tried again."""
    content = path.read_bytes()
    try:
        yield
    finally:
        path.write_bytes(content)


class OthersFiles(LiveTest):
    """Files of targets and keys that another user of the machine may write to, or replace."""

    def test_targets(self) -> None:
        """A dropped-in file that others may write to opens nothing, be it new or one that was in force: the agent keeps
        what it had, says once what mends it, and takes the file up when that is done."""
        drop, decoy = self.folder / "targets.d", Decoy()
        self.addCleanup(decoy.close)
        drop.mkdir(0o755)
        own = self.chain(agent=f'drop_in = "{drop}"')

        def write(name: str, mode: int) -> None:
            new = self.folder / "new.toml"
            new.write_text(f'[targets.{name}]\nkind = "tcp"\naddress = "127.0.0.1:{decoy.port}"\n')
            new.chmod(mode)
            new.replace(drop / "new.toml")  # at once: the agent may look between the two

        def status(name: str) -> int:
            return own.ask("POST", "/v1/streams", {"host": HOST, "target": name}).status

        def count() -> int:
            return own.agent.log.count(f"others may write to this file of targets; run: chmod go-w {drop}/new.toml")

        (drop / "new.toml").touch(0o664)
        (drop / "new.toml").chmod(0o664)
        until(count, what="the refusal")
        write("new", 0o664)
        self.assertEqual(status("new"), 404)
        (drop / "new.toml").chmod(0o644)
        until(lambda: status("new") == 201, what="the target")
        before = count()
        write("other", 0o666)
        until(lambda: count() > before, what="the refusal")
        self.assertEqual((status("other"), status("new"), count()), (404, 201, before + 1))

    def test_keys(self) -> None:
        """A key that somebody has put into a file, by a directory that others may write to, lets nobody in."""
        own = self.chain()
        self.folder.chmod(0o777)
        self.addCleanup(self.folder.chmod, 0o755)
        key = own.add_key("eve", Grant("*", "*"))
        self.assertEqual(own.ask("GET", "/v1/hosts", key=key).status, 401)
        self.assertEqual(own.ask("GET", "/v1/hosts").status, 200)
        own.platform.wait_for(f"others may write to this directory of keys; run: chmod go-w {self.folder}")
        self.folder.chmod(0o755)
        self.assertEqual(own.ask("GET", "/v1/hosts", key=key).status, 200)
