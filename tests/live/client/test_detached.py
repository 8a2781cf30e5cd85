"""The native client while its stream has no leg: what it says, what keys do, and how it ends where it can't go on."""

import os
import re
import signal
import socket
import subprocess
import termios
import time
from typing import Any

from tests.live.client.test_connect import Command, Screen
from tests.live.support.chain import HOST
from tests.live.support.cuts import kill_relay
from tests.live.support.files import change
from tests.live.support.ports import answers, free_port
from tests.live.support.processes import need_program, signal_pid
from tests.live.support.sockets import MIB, seeded, take
from tests.live.support.waiting import WAIT, Work, until

TARGETS = """
[targets.shell]
kind = "pty"
command = ["/bin/sh"]
environment = { PS1 = "ready> ", TERM = "xterm" }

[targets.editor]
kind = "pty"
command = ["vim", "-u", "NONE", "-n", "FOLDER/text"]
environment = { TERM = "xterm" }
"""


MOVES = re.compile(rb"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[ -/]*[0-Z^-~]|\s")
"""Of what an editor writes, what shows nothing: the last of it may come late."""


class Detached(Command):
    """A client whose relay goes away."""

    def setUp(self) -> None:
        super().setUp()
        self.own = self.chain(targets=TARGETS, agent="hold = 600\n")

    def relay_back(self) -> None:
        self.own.relay.start()
        until(lambda: answers(self.own.relay_port), what="the relay")

    def detached(self) -> int:
        listed = self.own.streams()
        return sum(1 for one in listed if one.get("detached") is not None)

    def until_nothing(self) -> None:
        """Until the host has no stream any more, far sooner than it would end one that it holds."""
        until(lambda: not self.own.streams(), what="no stream on the host")


class OnTerminal(Detached):
    """On a pseudo-terminal of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.user, self.terminal = os.openpty()
        for descriptor in (self.user, self.terminal):
            self.addCleanup(os.close, descriptor)
        self.before, self.screen = termios.tcgetattr(self.terminal), Screen(self.user)

    def begin(self, target: str) -> "subprocess.Popen[bytes]":
        three: dict[str, Any] = {"stdin": self.terminal, "stdout": self.terminal, "stderr": self.terminal}
        return self.start(HOST, target, chain=self.own, start_new_session=True, **three)

    def ended(self, process: "subprocess.Popen[bytes]", status: int, words: bytes = b"") -> None:
        """It ends with this status and one line, and the terminal is as it was."""
        self.assertEqual(process.wait(WAIT), status, self.screen.read())
        self.assertEqual(termios.tcgetattr(self.terminal), self.before)
        lines = [line for line in self.screen.read().splitlines() if line.startswith(b"streamrelay: ")]
        self.assertEqual(len(lines), 1 if words else 0, lines)
        self.assertIn(words, b"".join(lines))

    def test_editor(self) -> None:
        """An editor isn't disturbed when its stream is cut, and gets the keys that were typed meanwhile."""
        need_program("vim")
        process = self.begin("editor")
        self.screen.expect(b"text")
        os.write(self.user, b"ihello")
        self.screen.expect(b"hello")
        self.own.relay.kill()
        until(self.detached, what="a stream without a leg")
        self.screen.read()
        self.screen.text = b""
        os.write(self.user, b" world")
        time.sleep(1)
        self.assertEqual(MOVES.sub(b"", self.screen.read()), b"")
        self.relay_back()
        self.screen.expect(b"world")
        os.write(self.user, b"\x1b:wq\r")
        self.ended(process, 0)
        self.assertEqual((self.folder / "text").read_text(), "hello world\n")

    def test_left(self) -> None:
        """The keys that end a terminal work without a leg, and its program on the host ends, too."""
        process = self.begin("shell")
        self.screen.expect(b"ready> ")
        self.own.relay.kill()
        until(self.detached, what="a stream without a leg")
        self.screen.read()
        self.screen.text = b""
        os.write(self.user, b"~.")
        self.ended(process, 130)
        self.until_nothing()

    def test_withdrawn(self) -> None:
        """A user whose grant is withdrawn meanwhile is told so, and what he had on the host ends."""
        process = self.begin("shell")
        self.screen.expect(b"ready> ")
        self.own.relay.kill()
        until(self.detached, what="a stream without a leg")
        self.screen.text = b""
        change(self.own.keys, ('host = "*"', 'host = "none"'))
        self.relay_back()
        self.ended(process, 1, b"no grant")

    def test_hold_passes(self) -> None:
        """Who can't go on within the hold is told so, with the reason."""
        self.own.agent_settings = "hold = 3\n"
        self.own.write_agent(TARGETS)
        with self.own.agent.saying("connected to NATS"):  # the platform may list the one of before
            self.own.agent.restart()
        process = self.begin("shell")
        self.screen.expect(b"ready> ")
        self.screen.text = b""
        self.own.relay.kill()
        self.ended(process, 1, b"the stream ended: 4005")

    def test_agent_stops(self) -> None:
        """When the agent is stopped the user is told so at once."""
        process = self.begin("shell")
        self.screen.expect(b"ready> ")
        self.screen.text = b""
        self.own.agent.stop()
        self.ended(process, 1, b"shutting down")

    def test_agent_stops_meanwhile(self) -> None:
        """When the agent was killed and started anew while the stream had no leg, the user is told that it is over."""
        process = self.begin("shell")
        self.screen.expect(b"ready> ")
        self.screen.text = b""
        self.own.relay.kill()
        until(self.detached, what="a stream without a leg")
        with self.own.agent.saying("connected to NATS"):
            self.own.agent.kill()
            self.own.agent.start()
        self.relay_back()
        self.ended(process, 1, b"no such stream on this host; perhaps its agent was restarted")


class ForAnother(Detached):
    """Standard input and output are another program's, as ssh's, and standard error is the user's terminal."""

    def test_silent(self) -> None:
        """Nothing is written amid what the other program draws when the stream is cut and goes on, unless that is asked
        for."""
        for options, said in ((), False), (("--verbose",), True):
            user, terminal = os.openpty()
            for descriptor in (user, terminal):
                self.addCleanup(os.close, descriptor)
            listener, screen, pipe = self.listen(), Screen(user), subprocess.PIPE
            process = self.start(
                HOST, listener.target, *options, chain=self.own, stdin=pipe, stdout=pipe, stderr=terminal
            )
            target = listener.accept()
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(b"a")
            process.stdin.flush()
            self.assertEqual(target.recv(1), b"a")
            kill_relay(self.own)
            process.stdin.write(b"b")
            process.stdin.close()
            self.assertEqual(target.recv(1), b"b")
            target.close()
            self.assertEqual(process.wait(WAIT), 0)
            process.stdout.close()
            self.assertEqual(b"the stream is cut" in screen.read(), said)
            self.assertEqual(bool(screen.text), said)


class LocalPort(Detached):
    """`--listen`, whose connections are channels of one stream."""

    COUNT = 5

    def begin(self, target: str) -> "subprocess.Popen[bytes]":
        self.port = free_port()
        process = self.start(HOST, target, f"--listen=127.0.0.1:{self.port}", chain=self.own, stderr=subprocess.PIPE)
        assert process.stderr is not None
        self.addCleanup(process.stderr.close)
        self.assertIn(b"listens on", process.stderr.readline())
        return process

    def dial(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), WAIT)
        self.addCleanup(connection.close)
        return connection

    def test_killed(self) -> None:
        """Several connections go on over relays that are killed, both ways, and no byte is lost."""
        listener, size = self.listen(), 4 * MIB
        self.begin(listener.target)
        pairs = [(self.dial(), listener.accept()) for _ in range(self.COUNT)]
        works = []
        for number, (near, far) in enumerate(pairs):
            up, down = seeded(size, number), seeded(size, number + 100)
            for sender, taker, data in ((near, far, up), (far, near, down)):
                works.append((Work(trickle, sender, data), Work(take, taker, size), data))
        for _ in range(3):
            time.sleep(1)
            kill_relay(self.own)
        for sending, taking, data in works:
            sending.result()
            self.assertEqual(taking.result(), data)

    def test_stopped(self) -> None:
        """When it is stopped by Ctrl-C nothing is left on the host, whether its stream has a leg or not."""
        for away in (False, True):
            listener = self.listen()
            process = self.begin(listener.target)
            connection, target = self.dial(), listener.accept()
            connection.sendall(b"x")
            self.assertEqual(target.recv(1), b"x")
            if away:
                self.own.relay.kill()
                until(self.detached, what="a stream without a leg")
            signal_pid(process.pid, signal.SIGINT)
            self.assertEqual(process.wait(WAIT), 130)
            self.until_nothing()


def trickle(connection: socket.socket, data: bytes) -> None:
    for at in range(0, len(data), MIB // 4):
        connection.sendall(data[at : at + MIB // 4])
        time.sleep(0.2)
