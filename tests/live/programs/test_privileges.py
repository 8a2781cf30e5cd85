"""A relay that is started by root for its low port, and gives root up."""

import os
import pwd
import signal
import socket
import sys
import tempfile
from pathlib import Path

from streamrelay.protocol.tokens import new_id
from tests.live.support.case import LiveTest
from tests.live.support.chain import Chain
from tests.live.support.ports import answers, free_port
from tests.live.support.processes import PROGRAMS, need_root, twistd
from tests.live.support.waiting import WAIT, until


def low_port() -> int:
    """A free port that only root may bind."""
    for port in range(1023, 600, -1):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port below 1024")


class Dropped(LiveTest):
    """``twistd --uid --gid``"""

    def test_low_port(self) -> None:
        """With --uid and --gid a relay binds a port below 1024 and then runs as that user, with no groups of root's."""
        need_root("a port below 1024")
        user, port = pwd.getpwnam("nobody"), low_port()
        self.folder.chmod(0o777)
        command = [*twistd(), f"--uid={user.pw_uid}", f"--gid={user.pw_gid}", "streamrelay", "--tokens=opaque"]
        relay = self.program("relay", *command, f"--listen=tcp:{port}:interface=127.0.0.1")
        until(lambda: answers(port), what="the relay")

        def status_of() -> dict[str, str]:
            lines = Path(f"/proc/{relay.pid}/status").read_text().splitlines()
            return dict(line.split(":", 1) for line in lines if ":" in line)

        until(lambda: set(status_of()["Uid"].split()) == {str(user.pw_uid)}, what="the user")  # after the port
        status = status_of()
        self.assertEqual(set(status["Gid"].split()), {str(user.pw_gid)})
        self.assertNotIn("0", status["Groups"].split())
        self.assertEqual(int(status["CapEff"], 16), 0)
        token = new_id()
        client = self.websocket(f"ws://127.0.0.1:{port}/client/{token}")
        agent = self.websocket(f"ws://127.0.0.1:{port}/agent/{token}")
        self.assertIn("met", agent.recv(WAIT))
        client.send(b"hello")
        self.assertEqual(agent.recv(WAIT), b"hello")

    def test_own_files(self) -> None:
        """An agent that gives root up takes targets of the user it becomes, and what it keeps is that user's; so does a
        platform with its keys. Another user's are refused."""
        need_root("another user's files")
        user = pwd.getpwnam("nobody")
        drop, keys, state = self.folder / "targets.d", self.folder / "keys.toml", self.folder / "state"
        drop.mkdir(0o755)
        (drop / "a.toml").write_text('[targets.a]\nkind = "tcp"\naddress = "127.0.0.1:1"\n')
        keys.write_text("")
        for path in (drop, drop / "a.toml", keys):
            path.chmod(0o755 if path == drop else 0o600)
            os.chown(path, user.pw_uid, user.pw_gid)
        state.mkdir(0o700)
        os.chown(state, user.pw_uid, user.pw_gid)
        become = (*twistd(), f"--uid={user.pw_uid}", f"--gid={user.pw_gid}")
        options = ("--host=h", "--tokens=opaque", "--relay=ws://127.0.0.1:1", f"--state={state}", f"--drop-in={drop}")
        agent = self.program("agent", *become, "streamagent", *options)
        agent.wait_for("agent of h, 1 target")
        until(lambda: (state / "followed.h").exists(), what="what the agent keeps")
        self.assertEqual({path.stat().st_uid for path in state.iterdir()}, {user.pw_uid})
        listen = f"--listen=tcp:{free_port()}:interface=127.0.0.1"
        platform = ("streamplatform", "--tokens=opaque", "--relay=ws://127.0.0.1:1", f"--keys={keys}", listen)
        self.program("platform", *become, *platform).wait_for("platform for ws://127.0.0.1:1")
        os.chown(keys, user.pw_uid + 1, user.pw_gid)
        refused = self.program("refused", *become, *platform)
        self.assertEqual(refused.process.wait(WAIT), 1)
        self.assertIn(f"{keys}: this file of keys belongs to another user", refused.log)


class Sockets(LiveTest):
    """Ports that are unix sockets."""

    def test_mode(self) -> None:
        """A unix socket is for its owner and group whatever the umask, unless its mode is given."""
        for number, (more, mode) in enumerate((("", 0o660), (":mode=666", 0o666), (":mode=600", 0o600))):
            path = self.folder / f"{number}.sock"
            command = (sys.executable, str(PROGRAMS / "twistd"), "-n", "--pidfile=", "--umask=0")
            relay = self.program(
                f"relay-{number}", *command, "streamrelay", "--tokens=opaque", f"--listen=unix:{path}{more}"
            )
            relay.wait_for("opaque tokens, patience")
            self.assertEqual(path.stat().st_mode & 0o777, mode)


class Signals(LiveTest):
    """Signals that end a program."""

    def test_two(self) -> None:
        """Several in a row end each program soon, with status 0 or as the shell is to see SIGINT, or as the third one
        does, which kills; without a traceback."""
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)):
            chain = self.start_chain(Chain(Path(tempfile.mkdtemp(dir=self.folder))))
            for program in (chain.platform, chain.agent, chain.relay):
                program.process.send_signal(first)
                program.process.send_signal(second)
                program.process.send_signal(second)
            for program in (chain.platform, chain.agent, chain.relay):
                until(lambda program=program: not program.alive, what=f"the end of {program.name}")
                self.assertIn(program.process.returncode, (0, -first, -second), program.log)
                self.assertNotIn("Traceback", program.log)
            chain.stop()
