"""Attacks of who may open a shell, on the agent whose host it is."""

import os
import pwd
import signal
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.live.agent.targets.test_targets import Ear
from tests.live.attacks.dropped import Dropped
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain
from tests.live.support.processes import alive, need_program, need_root, run, signal_pid
from tests.live.support.waiting import until
from tests.live.support.websockets import V1, close_code

TARGETS = """
[targets.shell]
kind = "pty"
command = ["sh"]
user = "nobody"
environment = { PS1 = "" }

[targets.sudo]
kind = "pty"
command = ["sh"]
user = "nobody"
groups = ["mail"]
sudo = true
umask = "027"
environment = { PS1 = "" }

[targets.own]
kind = "pty"
command = ["sh"]
environment = { PS1 = "" }

[targets.exit]
kind = "pty"
command = ["sh", "-c", "echo bye; exit 7"]
user = "nobody"

[targets.signals]
kind = "pty"
command = ["grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"]
user = "nobody"

[targets.missing]
kind = "pty"
command = ["no-such-program-here"]
user = "nobody"

[targets.stranger]
kind = "pty"
command = ["sh"]
user = "no-such-user-here"
"""


NAMES = "COLORTERM HOME LANG LOGNAME PATH PS1 SHELL TERM USER"
"""The variables of a shell."""


class Shells(LiveTest):
    """Commands of another user, by the launcher of an agent that has given root up."""

    def setUp(self) -> None:
        super().setUp()
        need_root("an agent that can change users")
        self.chain_ = Dropped(self.folder, targets=TARGETS)
        self.addCleanup(self.chain_.stop)
        self.chain_.start()

    def shell(self, target: str) -> Ear:
        return Ear(self.websocket(self.open(self.chain_, target), V1))

    def said(self, ear: Ear, command: str) -> str:
        """What a shell says to a command, and its status."""
        ear.leg.send(f"({command}) 2>&1; echo status=$?=\n".encode())
        found = ear.expect(r"echo status=\$\?=\r\n((?:.|\r\n)*?)status=(\d+)=\r\n")
        return f"{found[1]}{found[2]}".replace("\r\n", "\n")

    def refusal(self, target: str) -> str:
        answer = self.chain_.ask("POST", "/v1/streams", {"host": HOST, "target": target})
        self.assertEqual(answer.status, 502, answer.text)
        return answer.text

    def test_added(self) -> None:
        """A target that is added while the agent runs opens, as its user, and so do those of before."""
        added = '\n[targets.added]\nkind = "pty"\ncommand = ["sh"]\nuser = "nobody"\nenvironment = { PS1 = "" }\n'
        self.chain_.write_agent(TARGETS + added)
        self.chain_.agent.wait_for("targets read again")
        for target in ("added", "shell"):
            self.assertEqual(self.said(self.shell(target), "id -un"), "nobody\n0")

    def test_secrets(self) -> None:
        """The agent's user reads seed and key and traces the agent by its own shell; nobody can't by nobody's."""
        agent, folder = self.chain_.agent.pid, self.folder
        attempts = {
            f"cat {folder}/host.nkey": "Permission denied",
            f"cat {folder}/agent.key": "Permission denied",
            f"cat {folder}/state/places.key": "Permission denied",
            f"cat {folder}/agent.toml": "Permission denied",
            f"echo >> {folder}/agent.toml": "Permission denied",
            f"cat /proc/{agent}/mem": "Permission denied",
            f"cat /proc/{agent}/environ": "Permission denied",
            f"ls -l /proc/{agent}/fd/": "Permission denied",
            f"kill -0 {agent}": "not permitted",
            f"kill -9 {agent}": "not permitted",
            f"kill -9 {self.launcher()}": "not permitted",
            f"cat /proc/{self.launcher()}/mem": "Permission denied",
        }
        nobodys = self.shell("shell")
        for command, words in attempts.items():
            said = self.said(nobodys, command)
            self.assertIn(words, said, command)
            self.assertNotEqual(said[-1:], "0", command)
        self.assertTrue(self.chain_.agent.alive)
        own = self.shell("own")  # that these attempts can succeed
        self.assertEqual(self.said(own, f"cat {folder}/host.nkey"), "the secret host.nkey\n0")
        self.assertEqual(self.said(own, f"kill -0 {agent}"), "0")

    def launcher(self) -> int:
        """The launcher's pid: the one child of the agent from its start on."""
        agent = self.chain_.agent.pid
        children = Path(f"/proc/{agent}/task/{agent}/children").read_text().split()
        return int(children[0])

    def test_on_purpose(self) -> None:
        """User, groups, umask, limits, descriptors, no_new_privs and the terminal are set, not inherited."""
        nobody = pwd.getpwnam("nobody")
        shell, sudo, own = self.shell("shell"), self.shell("sudo"), self.shell("own")
        wanted = {
            "id -u; id -g; id -Gn": f"{nobody.pw_uid}\n{nobody.pw_gid}\nnogroup\n0",
            "umask; echo $TERM $COLORTERM": "0022\nxterm-256color truecolor\n0",
            "ulimit -c; ulimit -Sn": "0\n1024\n0",
            "awk '/Max processes/ { print $3, $4 }' /proc/self/limits": "4096 4096\n0",
            "awk '$6 == 0' /proc/keys": "0",
            "tr '\\0' '\\n' < /proc/$$/environ | cut -d= -f1 | sort | tr '\\n' ' '": f"{NAMES} 0",
            "grep -h NoNewPrivs /proc/self/status": "NoNewPrivs:\t1\n0",
            "grep -c -E 'Cap(Prm|Eff|Amb).*[1-9a-f]' /proc/self/status": "0\n1",
            "find /proc/$$/fd -type l ! -lname '/dev/pts/*' ! -lname /dev/tty": "0",
            "stat -c %U $(tty)": "nobody\n0",
            "stty -a | grep -o -w -e -*iutf8": "iutf8\n0",
            "echo wĤ\x7f語\x7fx": "wx\n0",
            "stty size; pwd": "24 80\n/\n0",
            "echo $HOME $USER $LOGNAME $SHELL": f"{nobody.pw_dir} nobody nobody {nobody.pw_shell}\n0",
        }
        self.assertEqual({command: self.said(shell, command) for command in wanted}, wanted)
        alike = [command for command in wanted if command.startswith(("umask", "stty", "echo w"))]
        self.assertEqual([self.said(own, command) for command in alike], [wanted[command] for command in alike])
        self.assertEqual(self.said(sudo, "umask"), "0027\n0")
        self.shell("signals").expect("SigBlk:\t0{16}\r\nSigIgn:\t0{16}\r\n")
        self.assertEqual(self.said(sudo, "id -Gn"), "nogroup mail\n0")
        self.assertEqual(self.said(sudo, "grep -h NoNewPrivs /proc/self/status"), "NoNewPrivs:\t0\n0")

    def test_ends(self) -> None:
        """A command's status and output come, also where a job in the background has the terminal; a client who
        leaves hangs its group up, and its agent's end ends all."""
        ended = self.shell("exit")
        ended.expect("bye\r\n")
        self.assertEqual(close_code(ended.leg), 1000)
        held = self.shell("shell")
        held.leg.send(b"sleep 300 & echo job=$!.; exit\n")
        job = int(held.expect(r"job=(\d+)\.")[1])
        self.addCleanup(signal_pid, job, signal.SIGKILL)
        self.assertEqual((close_code(held.leg), alive(job)), (1000, True))
        ears = [self.shell("shell") for _ in range(2)]
        pids = [int(self.said(ear, "echo $$").split()[0]) for ear in ears]
        ears[0].leg.close()
        until(lambda: not alive(pids[0]), what="the end of what a client left")
        self.assertTrue(alive(pids[1]))
        launcher = self.launcher()
        self.chain_.agent.kill()
        until(lambda: not alive(pids[1]), what="the end of what a killed agent left")
        until(lambda: not alive(launcher), what="the launcher's end")

    def test_refused(self) -> None:
        """What can't be started is refused with the reason."""
        self.assertIn("no-such-program-here: no such program for nobody", self.refusal("missing"))
        self.assertIn("no-such-user-here: no such user", self.refusal("stranger"))

    def test_told(self) -> None:
        """The start says which shells amount to the agent, and no others; and which lack their user."""
        self.assertRegex(self.chain_.agent.log, "whoever may open own can do all that this agent can")
        self.assertIn("the users of stranger are unknown on this host; these can't be opened", self.chain_.agent.log)

    def test_launcher_killed(self) -> None:
        """A launcher that root has killed is missed: the log says so, its shells end, and the next one is refused."""
        ear = self.shell("shell")
        os.kill(self.launcher(), signal.SIGKILL)
        self.assertEqual(close_code(ear.leg), 1000)
        self.chain_.agent.wait_for("the launcher has ended (it was killed): no command runs as another user")
        self.assertIn("started anew", self.refusal("shell"))


class Unprivileged(LiveTest):
    """An agent that isn't started as root."""

    def start(self, targets: str) -> Chain:
        space: tuple[str, ...] = ()
        if os.geteuid() == 0:
            space = (need_program("unshare"), "--user", "--map-user=4711")
            if run(*space, "true").returncode:
                raise SkipTest("needs a user namespace for an agent without root")
        chain = Chain(self.folder, targets=targets, space=space)
        self.addCleanup(chain.stop)
        return chain

    def test_told(self) -> None:
        """It starts, and says at each start which targets amount to the host itself."""
        chain = self.start('[targets.own]\nkind = "pty"\ncommand = ["sh"]\n')
        chain.start()
        chain.agent.wait_for("whoever may open own can do all that this agent can: no other user runs it")
        chain.agent.restart()
        chain.agent.wait_for("whoever may open own can do all that this agent can", count=2)

    def test_refused(self) -> None:
        """It doesn't start with a target of another user, whose command it would have to run itself."""
        chain = self.start('[targets.other]\nkind = "pty"\ncommand = ["sh"]\nuser = "nobody"\n')
        agent = chain.start_agent()
        until(lambda: not agent.alive, what="the agent's end")
        self.assertEqual(agent.process.returncode, 1)
        self.assertIn(
            f"{self.folder}/agent.toml: targets.'other': user: only an agent that was started as root, with such a "
            "target in its files, can run commands as nobody\n",
            agent.log,
        )
        self.assertNotIn("Traceback", agent.log)
