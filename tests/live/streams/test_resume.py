"""Streams that outlive their legs: relays that die, a client that comes back, and what can't go on."""

import hashlib
import subprocess
import threading
import time
from collections.abc import Callable

from tests.live.client.test_connect import Command
from tests.live.support.chain import HOST, Chain
from tests.live.support.ports import answers
from tests.live.support.sockets import MIB, seeded, take, take_all
from tests.live.support.waiting import WAIT, Work, until

CUTS = 5


class Resuming(Command):
    """A native client's stream, whose relay is killed under it."""

    def setUp(self) -> None:
        super().setUp()
        self.own: Chain = self.chain()

    def kill_relay(self) -> None:
        self.own.relay.kill()
        self.own.relay.start()
        until(lambda: answers(self.own.relay_port, self.own.address), what="the relay")

    def client(self, target: str, *options: str) -> "subprocess.Popen[bytes]":
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return self.start(HOST, target, *options, chain=self.own, **pipes)

    def test_killed(self) -> None:
        """A relay that is killed again and again, under bytes both ways, costs no stream and no byte."""
        listener, size = self.listen(), 24 * MIB
        up, down = seeded(size, 1), seeded(size, 2)
        client = self.client(listener.target)
        target = listener.accept()
        assert client.stdin is not None and client.stdout is not None and client.stderr is not None
        stop, standard_input = threading.Event(), client.stdin

        def trickle(write: Callable[[bytes], object], data: bytes) -> None:
            for at in range(0, size, MIB):
                write(data[at : at + MIB])
                stop.wait(0.25)

        def close_after(data: bytes) -> None:
            trickle(standard_input.write, data)
            standard_input.close()

        works = [Work(close_after, up), Work(trickle, target.sendall, down)]
        at_target, at_client = Work(take, target, size), Work(client.stdout.read, size)
        cuts = 0
        while (at_target.is_alive() or at_client.is_alive()) and cuts < CUTS:
            time.sleep(1)
            self.kill_relay()
            cuts += 1
        for work in works:
            work.result(120)
        self.assertEqual(hashlib.sha256(at_target.result(120)).digest(), hashlib.sha256(up).digest())
        self.assertEqual(hashlib.sha256(at_client.result(120)).digest(), hashlib.sha256(down).digest())
        self.assertEqual(take_all(target), b"")
        target.close()
        self.assertEqual(client.stdout.read(), b"")
        self.assertEqual(client.wait(WAIT), 0)
        said = client.stderr.read().decode().splitlines()
        self.assertGreaterEqual(len([line for line in said if "goes on after" in line]), 1, said)
        until(lambda: not self.own.ask("GET", "/v1/streams").json["streams"], what="no stream")

    def test_not_resumed(self) -> None:
        """With --no-resume a stream ends with its leg, as it does for an agent that holds none."""
        listener = self.listen()
        client = self.client(listener.target, "--no-resume")
        target = listener.accept()
        target.sendall(b"hello")
        assert client.stdout is not None
        self.assertEqual(client.stdout.read(5), b"hello")
        self.own.relay.kill()
        self.assertEqual(client.wait(WAIT), 1)
        self.assertEqual(take_all(target), b"")
