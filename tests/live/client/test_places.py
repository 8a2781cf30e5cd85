"""The native client goes on in a log at the very byte where the command before has stopped."""

import signal
import subprocess

from tests.live.client.test_connect import Command
from tests.live.support.chain import HOST, shared
from tests.live.support.processes import signal_pid
from tests.live.support.waiting import WAIT, Work, until

LOG = '[targets.followed]\nkind = "log"\npath = "FOLDER/followed.log"\nlines = 2\nmost_lines = 5\n'


class Places(Command):
    """A log that is followed by one command after the other."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared(targets=LOG)
        self.log = self.common.folder / "followed.log"
        self.log.write_bytes(b"".join(b"line %d\n" % number for number in range(10)))

    def follow(self, *options: str, until_it_ends_with: bytes) -> tuple[bytes, str]:
        """What a command prints until a Ctrl-C, and what it says."""
        pipe = subprocess.PIPE
        process = self.start(HOST, "followed", *options, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)
        assert process.stdout is not None
        out = b""
        while not out.endswith(until_it_ends_with):
            out += process.stdout.read(1) or self.fail(f"it ended after {out!r}")
        signal_pid(process.pid, signal.SIGINT)
        more, said = process.communicate(timeout=WAIT)
        self.assertEqual((process.returncode, more), (130, b""))
        return out, said.decode()

    def append(self, text: bytes) -> None:
        with self.log.open("ab") as file:
            file.write(text)

    def test_place_file(self) -> None:
        """With a file each command prints what the one before has not, within a line, too, and after a rotation."""
        place = str(self.folder / "place")
        first, said = self.follow("--place-file", place, until_it_ends_with=b"line 9\n")
        self.assertEqual((first, said), (b"line 8\nline 9\n", ""))
        self.append(b"half of ")
        self.assertEqual(self.follow("--place-file", place, until_it_ends_with=b" of "), (b"half of ", ""))
        self.append(b"a line\n")
        self.log.rename(self.log.with_suffix(".log.1"))
        self.log.write_bytes(b"new\n")
        self.assertEqual(self.follow("--place-file", place, until_it_ends_with=b"new\n"), (b"a line\nnew\n", ""))
        done = self.common.streamrelay("connect", HOST, "port/1", "--place-file", place)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"this is a place in followed of host-1", done.stderr)

    def test_since_place(self) -> None:
        """A place that was told on standard error is one to go on at; at another log's lines may be missing."""
        _, said = self.follow("-v", until_it_ends_with=b"line 9\n")
        told = [line for line in said.splitlines() if "to go on here: " in line]
        options = told[0].partition("to go on here: ")[2].replace("'", "").split()
        self.append(b"more\n")
        self.assertEqual(self.follow(*options, until_it_ends_with=b"more\n"), (b"more\n", ""))
        out, said = self.follow("--since-place", "nowhere", until_it_ends_with=b"more\n")
        self.assertEqual((out, said), (b"line 9\nmore\n", "streamrelay: lines may be missing here\n"))

    def test_lines(self) -> None:
        """The client says with how many of the last lines it begins; what the target's settings refuse is told."""
        self.assertEqual(self.follow("--lines", "3", until_it_ends_with=b"9\n"), (b"line 7\nline 8\nline 9\n", ""))
        out, said = self.follow("--lines", "100", until_it_ends_with=b"9\n")
        self.assertEqual(out.count(b"\n"), 5)
        self.assertIn("of this log no more than its last 5 lines can be had", said)

    def test_no_log(self) -> None:
        """Lines and places that are asked of what is no log are told to mean nothing; the file isn't made."""
        listener, place = self.listen(), self.folder / "place"
        serving = Work(lambda: listener.accept().close())
        done = self.common.streamrelay("connect", HOST, listener.target, "--place-file", str(place), given=b"")
        serving.result()
        words = f"streamrelay: {listener.target} of {HOST} is no log; lines and places mean nothing to it\n"
        self.assertEqual((done.returncode, done.stderr.decode()), (0, words))
        self.assertFalse(place.exists())

    def test_killed(self) -> None:
        """After a kill nothing is left out."""
        place = self.folder / "place"
        process = self.start(
            HOST, "followed", "--place-file", str(place), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        self.assertEqual(process.stdout.read(14), b"line 8\nline 9\n")
        until(place.exists, what="the place's file")
        process.kill()
        process.wait(WAIT)
        self.append(b"more\n")
        out, _ = self.follow("--place-file", str(place), until_it_ends_with=b"more\n")
        self.assertTrue(b"line 8\nline 9\nmore\n".endswith(out), out)
