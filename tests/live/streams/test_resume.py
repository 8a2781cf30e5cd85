"""Streams that outlive their legs: relays that die, a client that comes back, and what can't go on."""

import subprocess
from typing import Any

from tests.live.streams.cut_stream import PIPES, CutStream
from tests.live.streams.test_halfclose import gone
from tests.live.support.chain import HOST
from tests.live.support.waiting import WAIT


class Resuming(CutStream):
    """A native client's stream, whose relay is killed under it."""

    def client(self, target: str, *options: str) -> "subprocess.Popen[bytes]":
        pipes: dict[str, Any] = PIPES
        return self.start(HOST, target, *options, chain=self.own, **pipes)

    def test_killed(self) -> None:
        """A relay that is killed again and again, under bytes both ways, costs no stream and no byte."""
        listener = self.listen()
        said = self.outlives_relays(self.client(listener.target), listener)
        self.assertGreaterEqual(len([line for line in said if "goes on after" in line]), 1, said)

    def test_each_direction(self) -> None:
        """A target that takes nothing until what it says is taken stops nothing else."""
        listener = self.listen()
        self.each_direction_by_itself(self.client(listener.target), listener)

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
        gone(target)
