"""Files that are installed by hooks, in several steps: each counts as soon as the program may read all of it."""

import os
import pwd
import resource
import shutil
import signal
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from websockets.exceptions import WebSocketException

from streamrelay.platform.auth.key_file import list_keys, revoke_key
from streamrelay.protocol.tokens import new_id
from tests.authority import Authority
from tests.live.relay.test_tls import shown
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain
from tests.live.support.ports import free_port
from tests.live.support.processes import Program, need_root, twistd
from tests.live.support.waiting import WAIT, until
from tests.live.support.websockets import hang_up, websocket

Steps = list[Callable[[], None]]


class Foreign(Chain):
    """A chain whose programs run as nobody, so that not every file can be read."""

    as_nobody = ("setpriv", "--reuid=nobody", "--clear-groups")

    def add(self, name: str, *command: str) -> Program:
        return super().add(name, *(() if name == "nats-server" else self.as_nobody), *command)


class InstalledTest(LiveTest):
    """Steps of an installation, after each of which the program has looked at least once."""

    def setUp(self) -> None:
        need_root("another user")
        super().setUp()
        self.nobody = pwd.getpwnam("nobody").pw_uid
        self.folder.chmod(0o1777)  # others can make files there, and replace none

    def orders(self, path: Path, content: bytes) -> dict[str, Steps]:
        """Ways by which content gets into a file of nobody's, 0600; before the last step it can't be read."""
        new = path.with_suffix(".new")

        def write() -> None:
            new.write_bytes(content)
            new.chmod(0o600)
            os.chown(new, 0, 0)

        def rename() -> None:
            new.replace(path)

        def own(which: Path = path) -> None:
            os.chown(which, self.nobody, -1)

        def shut() -> None:
            write()
            new.chmod(0)
            own(new)
            rename()

        def finish() -> None:
            path.write_bytes(content)

        def make_readable() -> None:
            path.chmod(0o600)

        def install() -> None:
            write()
            own(new)
            rename()

        def half() -> None:
            path.write_bytes(content[: len(content) // 2] + b"\n[")

        return {
            "write, rename, chown": [write, rename, own],
            "chown, rename, chmod": [shut, make_readable],
            "in two halves": [half, finish],
            "removed, then there": [path.unlink, install],
        }

    def own(self, *paths: Path) -> None:
        for path in paths:
            os.chown(path, self.nobody, -1)

    def install(self, steps: Steps, told: Callable[[], bool]) -> None:
        """All steps but the last, until the program says that it can't read the file; then the last."""
        for step in steps[:-1]:
            step()
        until(told, what="the line that it can't be read")
        steps[-1]()


class Keys(InstalledTest):
    """The file of keys."""

    def setUp(self) -> None:
        super().setUp()
        self.chain_ = Foreign(self.folder)
        self.own(*(self.folder / name for name in ("platform.key", "platform.pub", "agent.toml")), self.chain_.keys)
        self.addCleanup(self.chain_.stop)
        self.chain_.start()

    def ask(self, key: str) -> int:
        return self.chain_.ask("GET", "/v1/hosts", key=key).status

    def test_revoked(self) -> None:
        """A key that was revoked is refused within seconds, in whatever order its file is written, renamed, chmod'ed
        and chown'ed, be it asked meanwhile or not; as long as the file can't be read the log says so, once."""
        keys, log = self.chain_.keys, lambda: self.chain_.platform.log
        copy = self.folder / "copy.toml"
        for name in self.orders(keys, b""):
            key = self.chain_.add_key(f"user-{name.split(',')[0].split()[-1]}", *())
            self.own(keys)
            until(lambda key=key: self.ask(key) == 200, what="the new key")
            shutil.copy(keys, copy)
            revoke_key(copy, next(user for user in list_keys(copy) if user.startswith("user")))
            before = log().count("can't read the keys again")

            def told(key: str = key, before: int = before, asks: bool = "," in name) -> bool:
                return (not asks or self.ask(key) == 200) and log().count("can't read the keys again") > before

            self.install(self.orders(keys, copy.read_bytes())[name], told)
            until(lambda key=key: self.ask(key) == 401, what=f"the refusal after {name}")
            self.assertEqual(self.ask(self.chain_.key), 200, name)
        self.assertNotIn("Traceback", log())

    def test_hangup(self) -> None:
        """SIGHUP reads the keys, and says what it has read."""
        before = self.chain_.platform.log.count("keys read again: 2")
        self.chain_.platform.process.send_signal(signal.SIGHUP)
        self.chain_.platform.wait_for("keys read again: 2", count=before + 1)

    def test_told_once(self) -> None:
        """A file that can't be read is told once however often it is tried, and again when it fails otherwise."""
        log = self.chain_.platform
        os.chown(self.chain_.keys, 0, -1)
        log.wait_for("can't be read: Permission denied")
        for _ in range(50):
            self.ask(self.chain_.key)
        self.chain_.keys.unlink()
        log.wait_for("can't be read: No such file or directory")
        self.assertEqual(log.log.count("can't read the keys again"), 2)


class Certificates(InstalledTest):
    """A relay's certificates, and those by which it knows agents."""

    def setUp(self) -> None:
        super().setUp()
        self.authority, self.agents = Authority(self.folder / "ca.pem"), Authority(self.folder / "agents.pem")
        self.pair = self.authority.issue(self.folder / "a.pem", "localhost")
        self.files = [self.folder / name for name in ("a.pem", "a.key", "agents.pem")]
        self.own(*self.files)
        self.port = free_port()
        self.relay = self.program(
            *("relay", *Foreign.as_nobody, *twistd(), "streamrelay", "--tokens=opaque", f"--certificate={self.pair}"),
            *(f"--listen=tls:{self.port}:interface=127.0.0.1", f"--agent-ca={self.folder}/agents.pem"),
        )
        self.relay.wait_for("opaque tokens, patience")

    def told(self) -> Callable[[], bool]:
        before = self.relay.log.count("can't read the certificates again")
        return lambda: self.relay.log.count("can't read the certificates again") > before

    def test_rotated(self) -> None:
        """A new certificate and key are shown within seconds, in whatever order they are installed."""
        for number, name in enumerate(self.orders(self.folder / "a.key", b"")):
            fresh = f"new-{number}.example"
            other = self.folder / "other.pem"
            self.authority.issue(other, fresh)
            steps = self.orders(self.folder / "a.key", other.with_suffix(".key").read_bytes())[name]
            shutil.copy(other, self.folder / "a.pem")
            self.install(steps, self.told())
            until(lambda fresh=fresh: self.shows(fresh), what=name)
        self.assertNotIn("Traceback", self.relay.log)

    def shows(self, name: str) -> bool:
        """Whether a certificate of this name is shown; not if a handshake took longer than the relay's five seconds."""
        try:
            return shown(self.port, "x", self.folder / "ca.pem") == name
        except OSError:
            return False

    def test_agents(self) -> None:
        """Another CA of agents counts within seconds, in whatever order its file is installed: the old CA's agents are
        refused, the new one's come in."""
        for name in self.orders(self.folder / "agents.pem", b""):
            old = self.agents.issue(self.folder / "old.pem", HOST)
            self.agents = Authority(self.folder / "new-agents.pem")
            new = self.agents.issue(self.folder / "new.pem", HOST)
            content = (self.folder / "new-agents.pem").read_bytes()
            until(lambda old=old: self.comes_in(old), what=f"the old agent before {name}")  # a handshake has 5 s
            self.install(self.orders(self.folder / "agents.pem", content)[name], self.told())
            until(lambda new=new: self.comes_in(new), what=f"the new agent after {name}")
            self.assertFalse(self.comes_in(old), name)
        self.assertNotIn("Traceback", self.relay.log)

    def comes_in(self, pair: str) -> bool:
        """Whether an agent that shows this certificate is let in."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        context.load_cert_chain(*pair.split(","))
        with socket.create_connection(("127.0.0.1", self.port), WAIT) as plain:
            try:
                secure = context.wrap_socket(plain, server_hostname="localhost")
                hang_up(websocket(f"ws://localhost:{self.port}/agent/{new_id()}", sock=secure))
            except (OSError, EOFError, WebSocketException):
                return False
        return True


class Targets(InstalledTest):
    """Files of targets beside the agent's own."""

    def setUp(self) -> None:
        super().setUp()
        (self.folder / "drop").mkdir()
        self.chain_ = Foreign(self.folder, agent=f'drop_in = "{self.folder}/drop"')
        self.own(*(self.folder / name for name in ("platform.key", "platform.pub", "agent.toml")), self.chain_.keys)
        self.addCleanup(self.chain_.stop)
        self.chain_.start()

    def names(self) -> set[str]:
        rows = self.chain_.ask("GET", "/v1/hosts").json["hosts"]
        return {target["name"] for row in rows for target in row["targets"]}

    def told(self) -> Callable[[], bool]:
        before = self.chain_.agent.log.count("can't read the targets again")
        return lambda: self.chain_.agent.log.count("can't read the targets again") > before

    def test_dropped_in(self) -> None:
        """A new file of targets counts within seconds, in whatever order it is installed; so does one in a directory
        that couldn't be listed for a while, in which time no target is lost."""
        path = self.folder / "drop/more.toml"
        for number, name in enumerate(self.orders(path, b"")):
            path.write_bytes(b"")
            self.own(path)
            content = f'[targets.new-{number}]\nkind = "tcp"\naddress = "127.0.0.1:1"\n'.encode()
            self.install_without_word(self.orders(path, content)[name])
            until(lambda number=number: f"new-{number}" in self.names(), what=name)
        told = self.told()
        (self.folder / "drop").chmod(0)
        until(told, what="the line that the directory can't be listed")
        self.assertIn(f"new-{number}", self.names())
        path.write_text('[targets.last]\nkind = "tcp"\naddress = "127.0.0.1:1"\n')
        (self.folder / "drop").chmod(0o755)
        until(lambda: "last" in self.names(), what="the last file")
        self.assertNotIn("Traceback", self.chain_.agent.log)

    def install_without_word(self, steps: Steps) -> None:
        """A file that isn't there is no fault, so nothing is told of it."""
        for step in steps[:-1]:
            step()
        if (self.folder / "drop/more.toml").exists():
            until(self.told_now, what="the line that it can't be read")
        steps[-1]()

    def told_now(self) -> bool:
        lines = [line for line in self.chain_.agent.log.splitlines() if "targets" in line]
        return any(words in lines[-1] for words in ("stays in force", "kept back"))  # known by now, or not yet


class Starved(LiveTest):
    """An agent that can open no file for a while."""

    def test_no_descriptors(self) -> None:
        """An agent without a descriptor for its files reads its targets again once it has one."""
        chain = self.chain()
        before = self.limit(chain.agent.pid, 3)  # as many as it never closes, and none of those it has just now
        chain.write_agent('[targets.late]\nkind = "tcp"\naddress = "127.0.0.1:1"\n')
        chain.agent.wait_for("Too many open files")
        self.limit(chain.agent.pid, before)
        chain.agent.wait_for("targets read again: 3")
        # The platform's list is from before for up to two seconds.
        until(lambda: '"late"' in chain.ask("GET", "/v1/hosts").text, what="the new target")

    def limit(self, pid: int, most: int) -> int:
        """Set a program's soft limit of descriptors, and give back what it was."""
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, hard))
        return soft
