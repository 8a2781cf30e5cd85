"""Ways out of the native client on a real terminal, and what it leaves of that."""

import json
import os
import signal
import subprocess
import termios
from functools import partial

from tests.live.client.test_connect import SHELL, Screen
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, shared
from tests.live.support.processes import PROGRAMS, environment, signal_pid
from tests.live.support.waiting import WAIT, Work, until

FULL = b"printf '\\033[?1049h\\033[?1h\\033[?1002;1006h\\033[?25lhere %d\\n' 7; sleep 600\r"


class Leaving(LiveTest):
    """`streamrelay connect` on a pseudo-terminal of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared(targets=SHELL)
        self.user, self.terminal = os.openpty()
        for descriptor in (self.user, self.terminal):
            self.addCleanup(os.close, descriptor)
        self.before, self.screen = termios.tcgetattr(self.terminal), Screen(self.user)

    def start(self, target: str, *options: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [str(PROGRAMS / "streamrelay"), "connect", HOST, target, *options],
            env=environment(
                STREAMRELAY_PLATFORM=f"http://127.0.0.1:{self.common.platform_port}", STREAMRELAY_KEY=self.common.key
            ),
            stdin=self.terminal,
            stdout=self.terminal,
            stderr=self.terminal,
            start_new_session=True,
            preexec_fn=partial(signal.signal, signal.SIGHUP, signal.SIG_DFL),  # not as nohup has it
        )
        self.addCleanup(process.wait, WAIT)
        self.addCleanup(process.kill)
        return process

    def left(self, process: "subprocess.Popen[bytes]", status: int) -> None:
        """It ends with this status, and the terminal is as it was."""
        self.assertEqual(process.wait(WAIT), status)
        self.assertEqual(termios.tcgetattr(self.terminal), self.before)

    def test_escape(self) -> None:
        """A shell is left by the keys that were told at its start; what only looks like them goes to the shell."""
        process = self.start("shell")
        self.screen.expect(b"~. at the beginning of a line ends this terminal")
        self.screen.expect(b"ready> ")
        os.write(self.user, b"echo a~.b\r~~.\r")
        self.screen.expect(b"a~.b\r\n")
        self.screen.expect(b"~.: ")  # not found
        self.screen.expect(b"ready> ")
        os.write(self.user, b"~.")
        self.left(process, 130)

    def test_no_escape(self) -> None:
        """Without an escape character all keys are the shell's, and nothing is said."""
        process = self.start("shell", "--escape", "none")
        self.assertNotIn(b"streamrelay", self.screen.expect(b"ready> "))
        os.write(self.user, b"~.\r")
        self.screen.expect(b"~.: ")
        os.write(self.user, b"exit 7\r")
        self.left(process, 7)

    def test_watching(self) -> None:
        """Who may only look is told at the start how to leave, and each of these keys does it at once."""
        for keys in (b"\x03", b"\x04", b"ls~."):
            process = self.start("shell", "--view")
            self.screen.expect(b"view only: ")
            self.screen.expect(b"Ctrl-C, Ctrl-D or ~. ends this terminal")
            self.screen.expect(b"ready> ")
            os.write(self.user, keys)
            self.left(process, 130)

    def test_cut(self) -> None:
        """What a full-screen program has switched on in the terminal is switched off when it is cut, however that
        comes: by the user, by the host, by a signal; also by what can't be left in order."""
        for cut in (self.escape_it, self.kill_it, self.end_it):
            process = self.start("shell")
            self.screen.expect(b"ready> ")
            os.write(self.user, FULL)
            self.screen.expect(b"here 7\r\n")
            cut(process)
            self.screen.expect(b"\x1b[?25h\x1b[?1006l\x1b[?1002l\x1b[?1l\x1b[?1049l")
            process.wait(WAIT)
            self.assertEqual(termios.tcgetattr(self.terminal), self.before)

    def escape_it(self, process: "subprocess.Popen[bytes]") -> None:
        os.write(self.user, b"\r~.")

    def kill_it(self, process: "subprocess.Popen[bytes]") -> None:
        signal_pid(process.pid, signal.SIGTERM)

    def end_it(self, process: "subprocess.Popen[bytes]") -> None:
        def ended() -> bool:  # its host may be late to tell of it
            listed = json.loads(self.common.streamrelay("streams", "--json").stdout)["streams"]
            if listed:
                self.common.streamrelay("end", *(one["stream"] for one in listed))
            return process.poll() is not None

        until(ended, what="the client's end")

    def test_stalled(self) -> None:
        """The keys work, and the terminal is put back, also while the relay doesn't answer."""
        process = self.start("shell")
        self.screen.expect(b"ready> ")
        self.common.relay.freeze()
        self.addCleanup(self.common.relay.thaw)
        os.write(self.user, b"~.")
        self.left(process, 130)

    def test_target_ends(self) -> None:
        """When the target has ended nobody needs to press a key."""
        listener = self.listen()
        serving = Work(lambda: listener.accept().sendall(b"hello"))
        process = self.start(listener.target)
        self.screen.expect(b"hello")
        serving.result()
        listener.accepted[0].shutdown(1)  # it sends no more, and would take more
        self.left(process, 0)

    def test_signals(self) -> None:
        """SIGTERM and a hang-up put the terminal back, too."""
        for number, status in ((signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)):
            process = self.start("shell")
            self.screen.expect(b"ready> ")
            signal_pid(process.pid, number)
            self.left(process, status)
