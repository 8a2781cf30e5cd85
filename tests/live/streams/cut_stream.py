"""A stream of a program's standard input and output, whose relay is killed again and again: what must come out."""

import hashlib
import subprocess
import threading
import time
from collections.abc import Callable

from tests.live.client.test_connect import Command
from tests.live.support.chain import Chain
from tests.live.support.ports import answers
from tests.live.support.sockets import MIB, Listener, give, seeded, take, take_all
from tests.live.support.waiting import WAIT, Work, until

CUTS = 5
SIZE = 24 * MIB
PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


class CutStream(Command):
    """A chain of the test's own, whose relay may be killed."""

    def setUp(self) -> None:
        super().setUp()
        self.own: Chain = self.chain()

    def kill_relay(self) -> None:
        self.own.relay.kill()
        self.own.relay.start()
        until(lambda: answers(self.own.relay_port, self.own.address), what="the relay")

    def outlives_relays(self, client: "subprocess.Popen[bytes]", listener: Listener) -> list[str]:
        """Relays that are killed under bytes both ways cost the stream of `client` neither an end nor a byte; return
        the lines that it has said."""
        up, down = seeded(SIZE, 1), seeded(SIZE, 2)
        target = listener.accept()
        assert client.stdin is not None and client.stdout is not None and client.stderr is not None
        client_in = client.stdin

        cut = threading.Event()

        def send_up(data: bytes) -> None:
            trickle(client_in.write, data, cut)
            client_in.close()

        works = [Work(send_up, up), Work(trickle, target.sendall, down, cut)]
        at_target, at_client = Work(take, target, SIZE), Work(client.stdout.read, SIZE)
        for _ in range(CUTS):
            time.sleep(1)
            self.kill_relay()
        cut.set()
        for work in works:
            work.result(120)
        self.assertEqual(hashlib.sha256(at_target.result(120)).digest(), hashlib.sha256(up).digest())
        self.assertEqual(hashlib.sha256(at_client.result(120)).digest(), hashlib.sha256(down).digest())
        self.assertEqual(take_all(target), b"")
        target.close()
        self.assertEqual(client.stdout.read(), b"")
        status, said = client.wait(WAIT), client.stderr.read().decode()
        self.assertEqual(status, 0, said)
        until(lambda: not self.own.streams(), what="no stream")
        return said.splitlines()

    def each_direction_by_itself(self, client: "subprocess.Popen[bytes]", listener: Listener) -> None:
        """A target that takes nothing before all that it says is taken, and a client that has much for it."""
        up, down = seeded(SIZE, 1), seeded(SIZE, 2)
        target = listener.accept()
        assert client.stdin is not None and client.stdout is not None
        works = [Work(client.stdin.write, up), Work(give, target, down)]
        self.assertEqual(client.stdout.read(SIZE), down)
        self.assertEqual(take(target, SIZE), up)
        for work in works:
            work.result()


def trickle(write: Callable[[bytes], object], data: bytes, cut: threading.Event) -> None:
    """Write it in as much time as the relay is to be killed in, and the last of it only once it was cut so often."""
    for at in range(0, len(data), MIB):
        if at + MIB >= len(data):
            cut.wait()
        write(data[at : at + MIB])
        cut.wait(0.25)
