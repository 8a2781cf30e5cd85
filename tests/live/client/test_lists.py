"""`streamrelay streams` and `streamrelay end`, with a stream of the native client's own."""

import subprocess
from typing import Any

from tests.live.client.test_connect import Command
from tests.live.support.chain import HOST
from tests.live.support.waiting import WAIT, until


class Streams(Command):
    """A stream to look only, that is listed and ended."""

    def whole(self, *words: str) -> Any:
        """A command in order, once the host has told its streams in time, as a busy one may not."""
        return until(lambda: (done := self.common.streamrelay(*words)).returncode == 0 and done, what=words[0])

    def listed(self) -> list[list[str]]:
        lines = self.whole("streams", f"{HOST}:shell").stdout.decode().splitlines()
        return [line.split("\t") for line in lines]

    def again(self, stream: str) -> tuple[int, bytes]:
        done = self.common.streamrelay("end", stream)
        return done.returncode, done.stderr

    def test_listed_and_ended(self) -> None:
        """A stream is told to be view only, is listed with its user, ends by its name, and its client says so."""
        before = {stream[0] for stream in self.listed()}  # others' tests may have left some, which are held
        process = self.start(
            HOST, "shell", "--view", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        self.assertEqual(process.stdout.read(6), b"ready>")
        streams = [stream for stream in self.listed() if stream[0] not in before]
        self.assertEqual([stream[1:4] for stream in streams], [[HOST, "shell", "alice"]])
        done = self.whole("end", streams[0][0])
        self.assertEqual((done.stdout, done.stderr), (b"", b""))
        _, said = process.communicate(timeout=WAIT)
        self.assertEqual(process.returncode, 1)
        self.assertEqual(
            said.decode().splitlines(),
            [
                "streamrelay: view only: nothing that is sent from here reaches the target",
                "streamrelay: the stream ended: 4006 ended by an operator",
            ],
        )
        words = f"streamrelay: {streams[0][0]}: no such stream\n".encode()
        until(lambda: self.again(streams[0][0]) == (4, words), what="no such stream")
