"""The native client's command: its output, its exit status, its one line of explanation."""

import contextlib
import fcntl
import os
import signal
import socket
import struct
import subprocess
import termios
import time
from functools import partial
from typing import Any

from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain, shared
from tests.live.support.ports import free_port
from tests.live.support.processes import PROGRAMS, environment, freeze, signal_pid
from tests.live.support.sockets import MIB, Listener, reset, seeded, take, take_all
from tests.live.support.waiting import WAIT, Work, until

SHELL = '[targets.shell]\nkind = "pty"\ncommand = ["/bin/sh"]\nenvironment = { PS1 = "ready> " }\n'


class Starting(LiveTest):
    """A test that starts native clients at a chain."""

    common: Chain

    def start(
        self, *arguments: str, chain: Chain | None = None, key: str = "", **options: Any
    ) -> "subprocess.Popen[bytes]":
        """Start the native client with a user's key, by default that of who may do everything."""
        chain = chain or self.common
        process = subprocess.Popen(
            [str(PROGRAMS / "streamrelay"), "connect", *arguments],
            env=environment(
                STREAMRELAY_PLATFORM=f"http://127.0.0.1:{chain.platform_port}",
                STREAMRELAY_KEY=key or chain.key,
                **({"STREAMRELAY_CA": chain.ca} if chain.ca else {}),
            ),
            **{"preexec_fn": partial(signal.signal, signal.SIGHUP, signal.SIG_DFL), **options},  # not as nohup has it
        )
        self.addCleanup(process.wait, WAIT)
        self.addCleanup(process.kill)
        return process


class Command(Starting):
    """A test that runs `streamrelay`."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared(targets=SHELL)

    def says(self, status: int, words: str, *arguments: str, **more: str) -> None:
        """The command ends with this status, and says why in exactly one line on standard error."""
        done = self.common.streamrelay(*arguments, more=more)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stdout, b"")
        lines = done.stderr.decode().splitlines()
        self.assertEqual(len(lines), 1, lines)
        self.assertTrue(lines[0].startswith("streamrelay: "), lines)
        self.assertIn(words, lines[0])


class ExitStatus(Command):
    """Exit status 0 to 6, as `streamrelay connect --help` has them."""

    def test_in_order(self) -> None:
        """0: the stream ended in order; nothing is said."""
        listener = self.listen()

        def greet() -> None:
            listener.accept().sendall(b"hello")
            listener.accepted[0].close()

        serving = Work(greet)
        done = self.common.streamrelay("connect", HOST, listener.target, given=b"")
        serving.result()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"hello", b""))

    def test_broken_off(self) -> None:
        """1: the stream broke off."""
        listener = self.listen()

        def break_off() -> None:
            target = listener.accept()
            take_all(target)  # the end of the client's input: the stream stands
            reset(target)

        serving = Work(break_off)
        self.says(1, "4003", "connect", HOST, listener.target)
        serving.result()

    def test_usage(self) -> None:
        """2: the command line or a file is wrong."""
        loose = self.folder / "loose.key"
        loose.write_text("srk_x")
        loose.chmod(0o644)
        self.says(2, "is not a valid host name", "connect", "a b", "log")
        self.says(2, "can't be read", "connect", HOST, "log", "--key-file", str(self.folder / "missing"))
        self.says(2, "chmod 600", "connect", HOST, "log", "--key-file", str(loose))
        self.says(2, "no platform is set", "connect", HOST, "log", "--platform", "")
        self.says(2, "not encrypted", "connect", HOST, "log", "--platform", "http://platform.example")
        self.says(2, "can't be read", "connect", HOST, "log", "--ca", str(self.folder / "missing"))
        self.says(2, "whoever reaches this port", "connect", HOST, "log", "--listen", "0.0.0.0:1")
        self.says(2, "expected host:port", "connect", HOST, "log", "--listen", "nowhere")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            where = f"127.0.0.1:{taken.getsockname()[1]}"
            self.says(2, "in use", "connect", HOST, "log", "--listen", where)

    def test_offline(self) -> None:
        """3: the host is offline."""
        self.says(3, "host nobody is offline", "connect", "nobody", "log")

    def test_denied(self) -> None:
        """4: not allowed, or no such target."""
        self.says(4, "no such target", "connect", HOST, "nothing")
        self.says(4, "no grant", "connect", HOST, "nothing", STREAMRELAY_KEY=self.common.weak_key)
        self.says(4, "not known here", "connect", HOST, "nothing", STREAMRELAY_KEY="srk_wrong")
        self.says(4, "a key is needed", "hosts", STREAMRELAY_KEY="")

    def test_target(self) -> None:
        """5: the target refused."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.says(5, "refused the connection", "connect", HOST, f"port/{taken.getsockname()[1]}")

    def test_unreached(self) -> None:
        """6: the platform can't be reached, or isn't one."""
        port = free_port()
        self.says(6, "can't be reached", "connect", HOST, "log", "--platform", f"http://127.0.0.1:{port}")
        with socket.create_server(("127.0.0.1", 0)) as other:
            where = f"http://127.0.0.1:{other.getsockname()[1]}"
            self.addCleanup(Work(rude, other).result)
            self.says(6, "can't be reached", "connect", HOST, "log", "--platform", where)


class Untrusted(LiveTest):
    """A relay whose certificate nobody here trusts."""

    def test_untrusted(self) -> None:
        """6: without the private CA the relay isn't trusted; with it, it is."""
        common = shared(tls=True)
        listener = self.listen()
        done = common.streamrelay("connect", HOST, listener.target, more={"STREAMRELAY_CA": ""}, given=b"")
        self.assertEqual(done.returncode, 6, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(b"an unknown issuer", done.stderr)
        listener = self.listen()  # the other one's connection may come still, or never

        def greet() -> None:
            listener.accept().sendall(b"trusted")
            listener.accepted[0].close()

        serving = Work(greet)
        done = common.streamrelay("connect", HOST, listener.target, given=b"")
        self.assertEqual((done.returncode, done.stdout), (0, b"trusted"), done.stderr)
        serving.result()


class Asleep(LiveTest):
    """A host that sleeps while it is asked."""

    def test_not_run_late(self) -> None:
        """What the client was told didn't open isn't run when the host wakes up."""
        deploy = '[targets.deploy]\nkind = "pty"\ncommand = ["/bin/sh", "-c", "date > FOLDER/deployed"]\n'
        chain = self.start_chain(Chain(self.folder, targets=deploy))
        chain.agent.freeze()
        self.addCleanup(chain.agent.thaw)
        done = chain.streamrelay("connect", HOST, "deploy")
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn(b"did not answer in time", done.stderr)
        chain.agent.thaw()
        deployed = self.folder / "deployed"
        until(lambda: "refused a summons" in chain.agent.log or deployed.exists(), what="the summons")
        self.assertIn("refused a summons", chain.agent.log)
        self.assertFalse(deployed.exists())


class Streams(Command):
    """What goes through the command."""

    def test_hosts(self) -> None:
        """`streamrelay hosts` lists host, target and kind, a line each; `--json` what the platform answered."""
        done = self.common.streamrelay("hosts")
        lines = done.stdout.decode().splitlines()
        self.assertIn(f"{HOST}\tshell\tpty", lines)
        self.assertIn(f"{HOST}\tport/{{number}}\ttcp", lines)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertTrue(self.common.streamrelay("hosts", "--json").stdout.startswith(b'{"hosts":[{"host":"host-1"'))

    def test_pipes(self) -> None:
        """32 MiB each way through standard input and output arrive unchanged."""
        listener = self.listen()
        up, down = seeded(32 * MIB, 1), seeded(32 * MIB, 2)

        def serve() -> bytes:
            target = listener.accept()
            sending = Work(target.sendall, down)
            got = take(target, len(up))
            sending.result()
            target.close()
            return got

        serving = Work(serve)
        done = self.common.streamrelay("connect", HOST, listener.target, given=up)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout == down)
        self.assertTrue(serving.result() == up)

    def test_files(self) -> None:
        """Standard input and output may be files."""
        listener = self.listen()
        source, sink = self.folder / "in", self.folder / "out"
        source.write_bytes(seeded(3 * MIB))

        def serve() -> None:
            target = listener.accept()
            target.sendall(take_all(target))
            target.close()

        serving = Work(serve)
        with source.open("rb") as near, sink.open("wb") as far:
            process = self.start(HOST, listener.target, stdin=near, stdout=far)
            self.assertEqual(process.wait(WAIT), 0)
        serving.result()
        self.assertEqual(sink.read_bytes(), seeded(3 * MIB))

    def test_interrupted_before_it_is_open(self) -> None:
        """A Ctrl-C while the target is being connected ends the stream as soon as it is: no target waits for nobody."""
        listener = self.listen()
        listener.socket.listen(0)
        for _ in range(4):  # so that the agent's connection waits
            waiting = socket.socket()
            self.addCleanup(waiting.close)
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", listener.port))
        process = self.start(HOST, listener.target, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)

        def targets() -> list[str]:
            return [stream["target"] for stream in self.common.streams()]

        until(lambda: listener.target in targets(), what="the stream")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.communicate(timeout=WAIT), (None, b""))
        self.assertEqual(process.returncode, 130)
        self.addCleanup(Work(lambda: [listener.accept() for _ in range(5)]).join, 1)
        self.common.platform.wait_for("has left before the answer")
        until(lambda: listener.target not in targets(), what="the stream's end")

    def test_signals_at_once(self) -> None:
        """A hang-up, a SIGTERM and a Ctrl-C at once end the stream in order, without a word."""
        listener = self.listen()
        pipe = subprocess.PIPE
        process = self.start(HOST, listener.target, stdin=pipe, stdout=pipe, stderr=pipe)
        target = listener.accept()
        target.sendall(b"?")
        assert process.stdout is not None
        self.assertEqual(process.stdout.read(1), b"?")  # so the stream is open
        freeze(process.pid)  # so that none of them finds it at its end
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCONT):
            signal_pid(process.pid, number)
        self.assertEqual(process.communicate(timeout=WAIT), (b"", b""))
        self.assertEqual(process.returncode, 129)  # by the first
        self.assertEqual(take_all(target), b"")
        target.close()

    def test_interrupted(self) -> None:
        """Who is interrupted has not got everything: the status is the signal's, though the stream ended in order."""
        listener = self.listen()
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            process = self.start(HOST, listener.target, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            target = listener.accept()
            target.sendall(b"?")
            assert process.stdout is not None
            self.assertEqual(process.stdout.read(1), b"?")  # so the stream is open
            signal_pid(process.pid, number)
            process.communicate(timeout=WAIT)
            self.assertEqual(process.returncode, status)
            self.assertEqual(take_all(target), b"")
            target.close()

    def test_nohup(self) -> None:
        """A hang-up that was ignored before the start, as nohup does it, stays ignored."""
        listener = self.listen()
        ignore = partial(signal.signal, signal.SIGHUP, signal.SIG_IGN)
        pipe = subprocess.PIPE
        process = self.start(HOST, listener.target, stdin=pipe, stdout=pipe, preexec_fn=ignore)
        assert process.stdout is not None
        with listener.accept() as target:
            target.sendall(b"1")
            self.assertEqual(process.stdout.read(1), b"1")
            signal_pid(process.pid, signal.SIGHUP)
            target.sendall(b"2")
            self.assertEqual(process.stdout.read(1), b"2")
            signal_pid(process.pid, signal.SIGTERM)
            process.communicate(timeout=WAIT)
        self.assertEqual(process.returncode, 143)

    def test_listen(self) -> None:
        """`--listen` gives a port, of number 0 any free one; each connection is a stream of its own, until a Ctrl-C."""
        listener = self.listen()
        process = self.start(HOST, listener.target, "--listen", "127.0.0.1:0", stderr=subprocess.PIPE)
        assert process.stderr is not None
        told = process.stderr.readline().decode()
        self.assertIn(f"{listener.target} of {HOST} listens on 127.0.0.1:", told)
        port = int(told.rpartition(":")[2])
        pairs = []
        for number in range(3):
            near = socket.create_connection(("127.0.0.1", port), WAIT)
            self.addCleanup(near.close)
            near.settimeout(WAIT)
            far = listener.accept()
            near.sendall(b"up %d" % number)
            self.assertEqual(far.recv(10), b"up %d" % number)
            pairs.append((near, far))
        for near, far in pairs:
            far.sendall(seeded(MIB))
            far.shutdown(socket.SHUT_WR)
            self.assertEqual(take_all(near), seeded(MIB))
            near.sendall(b"and after")
            near.close()
            self.assertEqual(take_all(far), b"and after")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(WAIT), 130)
        self.addCleanup(process.stderr.close)
        self.assertNotIn(b"Traceback", process.stderr.read())

    def burst(self, chain: Chain, count: int) -> None:
        """So many connections at once to one `--listen`: each is a stream whose bytes arrive, and none is reset."""
        port, listener, words = free_port(), self.listen(), " were dropped by "
        self.addCleanup(Work(echo, listener).join, 1)
        before = chain.relay.log.count(words)  # others' tests may have had some
        process = self.start(
            HOST, listener.target, "--listen", f"127.0.0.1:{port}", chain=chain, stderr=subprocess.PIPE
        )
        assert process.stderr is not None
        self.addCleanup(process.stderr.close)
        self.assertIn(b"listens on", process.stderr.readline())
        near = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(count)]
        for number, connection in enumerate(near):
            self.addCleanup(connection.close)
            connection.settimeout(60)
            connection.sendall(seeded(50_000, number))
        for number, connection in enumerate(near):
            self.assertTrue(take(connection, 50_000) == seeded(50_000, number), number)
        process.terminate()
        process.wait(WAIT)
        self.assertEqual(process.stderr.read(), b"")
        self.assertEqual(chain.relay.log.count(words), before)

    def test_end_of_file_before_a_shell_reads(self) -> None:
        """A shell ends at its input's end, though it takes the terminal, and drops what was typed, after that came."""
        bash = '[targets.bash]\nkind = "pty"\ncommand = ["/bin/bash", "--norc", "-i"]\n'
        slow = '[targets.slow]\nkind = "pty"\ncommand = ["/bin/sh", "-c", "sleep 1; exec bash --norc -i"]\n'
        chain = shared(targets=bash + slow)
        for _ in range(5):
            done = chain.streamrelay("connect", HOST, "bash")
            self.assertEqual(done.returncode, 0, done)
        done = chain.streamrelay("connect", HOST, "slow", given=b"echo hi\n")
        self.assertIn(b"hi", done.stdout)

    def test_reset_while_waiting(self) -> None:
        """Local connections that are reset before their streams are there give their descriptors back and open no
        streams, and an honest one behind them is served at once."""
        port, listener = free_port(), self.listen()
        self.addCleanup(Work(repeat, listener).join, 1)
        process = self.start(HOST, listener.target, "--listen", f"127.0.0.1:{port}", stderr=subprocess.PIPE)
        assert process.stderr is not None
        self.addCleanup(process.stderr.close)
        self.assertIn(b"listens on", process.stderr.readline())
        self.assertEqual(self.echoed(port), b"hello")
        before = descriptors(process.pid)
        freeze(process.pid)  # it sees none of them before it is reset
        for _ in range(200):
            reset(socket.create_connection(("127.0.0.1", port), WAIT))
        signal_pid(process.pid, signal.SIGCONT)
        began = time.monotonic()
        self.assertEqual(self.echoed(port), b"hello")
        print(f"figure: the honest one waited {time.monotonic() - began:.2f} s; streams: {len(listener.accepted)}")
        until(lambda: descriptors(process.pid) <= before, what="descriptors given back")
        self.assertLess(len(listener.accepted), 50)
        process.terminate()
        process.wait(WAIT)
        self.assertIn(b"reset", process.stderr.read())

    def echoed(self, port: int) -> bytes:
        """What one local connection gets back."""
        with socket.create_connection(("127.0.0.1", port), WAIT) as near:
            near.settimeout(WAIT)
            near.sendall(b"hello")
            near.shutdown(socket.SHUT_WR)
            return take_all(near)

    def test_burst(self) -> None:
        """Sixty connections at once work, though a relay lets only twenty handshakes of one address be undone."""
        self.burst(self.common, 60)

    def test_burst_over_tls(self) -> None:
        """The same over TLS, whose handshakes take longer."""
        self.burst(shared(tls=True), 60)

    def test_terminal(self) -> None:
        """In a terminal, a pty target has the terminal's size, also after it changes, and the terminal is put back."""
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
        before = termios.tcgetattr(slave)
        process = self.start(HOST, "shell", stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        screen = Screen(master)
        screen.expect(b"ready> ")
        os.write(master, b"stty size\r")
        screen.expect(b"33 101")
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 122, 0, 0))
        process.send_signal(signal.SIGWINCH)  # what the kernel sends to a terminal's own programs
        os.write(master, b"until stty size | grep '44 12''2'; do sleep 0.1; done; exit 5\r")  # it is told meanwhile
        screen.expect(b"44 122")
        self.assertEqual(process.wait(WAIT), 5)
        self.assertEqual(termios.tcgetattr(slave), before)
        os.close(slave)

    def test_version(self) -> None:
        """`--version` and `--help` need no platform."""
        done = self.common.streamrelay("--version")
        self.assertTrue(done.stdout.startswith(b"streamrelay "), done.stdout)
        self.assertIn(b"exit status:", self.common.streamrelay("connect", "--help").stdout)


class Screen:
    """What a terminal shows."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor, self.text = descriptor, b""
        os.set_blocking(descriptor, False)

    def expect(self, text: bytes) -> bytes:
        """Wait for this text; return what came before it."""
        until(lambda: text in self.read(), what=f"{text!r} on the screen")
        before, self.text = self.text[: self.text.index(text)], self.text[self.text.index(text) + len(text) :]
        return before

    def read(self) -> bytes:
        """Return all that has come of it, which one read of a terminal may not give, and that wasn't expected yet."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.descriptor, 65536):
                self.text += data
        return self.text


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def echo(listener: Listener) -> None:
    """Send back whatever comes, on each connection, until the listener is closed."""
    while True:
        try:
            connection = listener.accept()
        except OSError:
            return
        Work(lambda connection=connection: connection.sendall(take(connection, 50_000)))


def repeat(listener: Listener) -> None:
    """Send back each connection's bytes after its end of file, one after the other, until the listener is closed."""
    while True:
        try:
            with listener.accept() as connection:
                connection.sendall(take_all(connection))
        except ConnectionError:
            continue
        except OSError:
            return


def rude(listener: socket.socket) -> None:
    """Answer one connection with what is no HTTP."""
    connection, _ = listener.accept()
    connection.recv(1000)
    connection.sendall(b"SSH-2.0-no-HTTP-here\r\n")
    connection.close()
