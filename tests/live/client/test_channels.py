"""Many connections of one local port: channels of one stream, through all programs."""

import socket
import subprocess
import threading
from typing import Any

from tests.live.client.test_connect import Command
from tests.live.support.chain import HOST, shared
from tests.live.support.ports import free_port
from tests.live.support.sockets import MIB, RESET, Listener, seeded, take, take_all
from tests.live.support.waiting import WAIT, Work, until


def echo(listener: Listener) -> None:
    """Send back whatever comes, until its end, on each connection until the listener is closed."""

    def answer(connection: socket.socket) -> None:
        while data := connection.recv(65536):
            connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)

    while True:
        try:
            Work(answer, listener.accept())
        except OSError:
            return


class Port(Command):
    """A local port with a target behind it."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared(tls=True)

    def port(self, target: str) -> "tuple[subprocess.Popen[bytes], int]":
        """A native client, and the port that it listens on."""
        port = free_port()
        process = self.start(HOST, target, "--listen", f"127.0.0.1:{port}", stderr=subprocess.PIPE)
        assert process.stderr is not None
        self.addCleanup(process.stderr.close)
        self.assertIn(b"listens on", process.stderr.readline())
        return process, port

    def connect(self, port: int) -> socket.socket:
        near = socket.create_connection(("127.0.0.1", port), WAIT)
        self.addCleanup(near.close)
        near.settimeout(WAIT)
        return near

    def pair(self, port: int, listener: Listener, words: bytes) -> tuple[socket.socket, socket.socket]:
        """A local connection and the target's, each of which has heard of the other."""
        near = self.connect(port)
        near.sendall(words)
        far = listener.accept()
        self.assertEqual(take(far, len(words)), words)
        far.sendall(words)
        self.assertEqual(take(near, len(words)), words)
        return near, far

    def listed(self, listener: Listener) -> dict[str, dict[str, Any]]:
        """The streams to a target, by what follows the id of the stream that carries them."""
        streams = self.common.streams()
        return {info["stream"][22:]: info for info in streams if info["target"] == listener.target}

    def wait_for(self, listener: Listener, *names: str) -> dict[str, dict[str, Any]]:
        until(lambda: set(self.listed(listener)) == set(names), what=f"the streams {names}")
        return self.listed(listener)


class Channels(Port):
    """Channels that are opened, listed, and ended."""

    def test_many(self) -> None:
        """Two hundred connections at once are channels of one stream, whose bytes arrive, and are listed each."""
        listener = self.listen()
        self.addCleanup(Work(echo, listener).join, 1)
        process, port = self.port(listener.target)
        near = [self.connect(port) for _ in range(200)]
        for number, connection in enumerate(near):
            connection.sendall(seeded(10_000, number))
        for number, connection in enumerate(near):
            self.assertTrue(take(connection, 10_000) == seeded(10_000, number), number)
        streams = self.wait_for(listener, "", *(f".{number}" for number in range(1, 201)))
        self.assertEqual(streams[""]["channels"], 200)
        self.assertNotIn("channels", streams[".7"])
        until(lambda: self.listed(listener)[".200"]["down"] == 10_000, what="the count")
        for connection in near:
            connection.shutdown(socket.SHUT_WR)
            self.assertEqual(take_all(connection), b"")
        self.wait_for(listener, "")
        stream = streams[""]["stream"]
        self.assertEqual(self.common.platform.log.count(f"{listener.target} of {HOST}"), 1)
        until(lambda: f"stream {stream}.200 to {listener.target} ended: 1000 finished" in self.common.agent.log)
        process.terminate()
        process.wait(WAIT)
        assert process.stderr is not None
        self.assertEqual(process.stderr.read(), b"")

    def test_beside_bulk(self) -> None:
        """Beside a connection that carries all it can, and one whose program doesn't read, an echo comes back."""
        listener = self.listen()
        _, port = self.port(listener.target)
        bulk, source = self.pair(port, listener, b"bulk")
        _, stalled = self.pair(port, listener, b"stalled")
        near, far = self.pair(port, listener, b"echo")
        carried = [0]
        done = threading.Event()

        def pour(connection: socket.socket) -> None:
            try:
                while not done.is_set():
                    connection.sendall(bytes(MIB))
            except OSError:
                done.set()

        def drink() -> None:
            while data := bulk.recv(MIB):
                carried[0] += len(data)

        works = [Work(pour, source), Work(pour, stalled), Work(drink)]
        until(lambda: carried[0] > MIB, what="bulk")
        for number in range(50):
            before, words = carried[0], b"%d" % number
            near.sendall(words)
            self.assertEqual(take(far, len(words)), words)
            far.sendall(words)
            self.assertEqual(take(near, len(words)), words)
            until(lambda before=before: carried[0] > before, what="more bulk")
        done.set()
        for connection in (source, stalled, bulk):
            connection.shutdown(socket.SHUT_RDWR)
        for work in works:
            work.join(WAIT)
        print(f"figure: {carried[0] / MIB:.0f} MiB of bulk during 50 echoes")

    def test_ended(self) -> None:
        """A channel is ended by itself, the stream with all of them, and the next connection opens another one."""
        listener = self.listen()
        process, port = self.port(listener.target)
        pairs = [self.pair(port, listener, b"hello %d" % number) for number in range(3)]
        streams = self.wait_for(listener, "", ".1", ".2", ".3")
        self.common.end(streams[".2"]["stream"])
        for connection in pairs[1]:
            self.assertRaises(ConnectionResetError, connection.recv, 1)
        self.wait_for(listener, "", ".1", ".3")
        for near, far in (pairs[0], pairs[2]):
            near.sendall(b"still")
            self.assertEqual(take(far, 5), b"still")
        self.common.end(streams[""]["stream"])
        for near, far in (pairs[0], pairs[2]):
            self.assertRaises(ConnectionResetError, near.recv, 1)
            self.assertRaises(ConnectionResetError, far.recv, 1)
        self.pair(port, listener, b"again")
        process.terminate()
        process.wait(WAIT)
        assert process.stderr is not None
        said = process.stderr.read().decode().splitlines()
        words, more = (
            "streamrelay: a stream ended: 4006 ended by an operator",
            "local connections since this was last said",
        )
        self.assertEqual(said[0], words)
        counted = [line.removeprefix(words).removeprefix(f"; {more}: ") for line in said]  # at the latest at its end
        self.assertEqual(sum(int(count or 1) for count in counted), 3, said)

    def test_refused(self) -> None:
        """A target that refuses is told for that connection, which is reset; the others go on."""
        listener = self.listen()
        process, port = self.port(listener.target)
        near, far = self.pair(port, listener, b"hello")
        listener.socket.close()
        self.assertRaises(RESET, lambda: self.connect(port).recv(1))
        near.sendall(b"still")
        self.assertEqual(take(far, 5), b"still")
        assert process.stderr is not None
        line = process.stderr.readline().decode()
        self.assertEqual(line, f"streamrelay: 127.0.0.1:{listener.port} refused the connection\n")

    def test_ordinary(self) -> None:
        """Where the target's kind carries no channels, each connection is a stream of its own."""
        self.common = shared(targets='[targets.cat]\nkind = "pty"\ncommand = ["/bin/cat"]\n')
        _, port = self.port("cat")
        for number in range(2):
            near = self.connect(port)
            near.sendall(b"word %d\n" % number)
            self.assertIn(b"word", take(near, 5))
        streams = self.common.streams()
        names = [info["stream"][22:] for info in streams if info["target"] == "cat"]
        self.assertEqual(names, ["", ""])
