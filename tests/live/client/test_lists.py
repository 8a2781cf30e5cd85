"""`streamrelay streams` and `streamrelay end`, with a stream of the native client's own."""

import subprocess

from tests.live.client.test_connect import Command
from tests.live.support.chain import HOST
from tests.live.support.waiting import WAIT


class Streams(Command):
    """A stream to look only, that is listed and ended."""

    def test_listed_and_ended(self) -> None:
        """A stream is told to be view only, is listed with its user, ends by its name, and its client says so."""
        process = self.start(
            HOST, "shell", "--view", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        self.assertEqual(process.stdout.read(6), b"ready>")
        listed = self.common.streamrelay("streams", f"{HOST}:shell").stdout.decode().splitlines()
        streams = [line.split("\t") for line in listed]
        self.assertEqual([stream[1:4] for stream in streams], [[HOST, "shell", "alice"]])
        done = self.common.streamrelay("end", streams[0][0])
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        _, said = process.communicate(timeout=WAIT)
        self.assertEqual(process.returncode, 1)
        self.assertEqual(
            said.decode().splitlines(),
            [
                "streamrelay: view only: nothing that is sent from here reaches the target",
                "streamrelay: the stream ended: 4006 ended by an operator",
            ],
        )
        done = self.common.streamrelay("end", streams[0][0])
        self.assertEqual(
            (done.returncode, done.stderr), (4, f"streamrelay: {streams[0][0]}: no such stream\n".encode())
        )
