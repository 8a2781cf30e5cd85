"""waiting.py: logs that can't be read under their path for now, and who is told."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from streamrelay.agent.targets.logfile import unreadable
from streamrelay.agent.targets.logfile.unreadable import passed_over, readable, waited_for
from streamrelay.agent.targets.logfile.waiting import LASTING
from tests.agent.targets.logfile.test_log import LogTest
from tests.fakes.logs import Heard

NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """Files are opened as a user to whom they don't belong; root may read them all."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(own)


class Told(LogTest):
    """A log that can't be read at times, with its clients and the agent's log."""

    def setUp(self) -> None:
        super().setUp()
        self.heard = Heard(self)
        self.path.parent.chmod(0o755)  # for whoever isn't root, too

    def wait(self) -> None:
        """Time for what lasts to be told."""
        for _ in range(12):
            self.look()

    def check(self, why: str, mend: Callable[[], None], before: bytes = b"") -> None:
        """The client and the agent's log have heard why, once; and once that it is over, with what comes then."""
        self.wait()
        self.wait()
        self.assertEqual(self.reader.notes, [f"waiting for the log: {why}"])
        said = f"{self.path} can't be read: {why}; who follows it is told, and waits"
        self.assertEqual(self.heard.lines, [said])
        mend()
        self.wait()
        self.assertEqual(self.reader.notes, [f"waiting for the log: {why}", "the log can be read now"])
        self.assertEqual(self.heard.lines, [said, f"{self.path} can be read again"])
        self.assertEqual(self.reader.data, before + b"new\n")

    def test_not_there_yet(self) -> None:
        """A log that doesn't exist yet is told of at once, and again when it is there."""
        self.follow()
        self.assertEqual(self.reader.notes, ["waiting for the log: it does not exist"])
        self.check("it does not exist", lambda: self.append(b"new\n"))

    def test_gone(self) -> None:
        """A log that is gone for longer than a rotation takes is told of."""
        self.append(b"old\n")
        self.follow()
        self.path.unlink()
        self.look()
        self.assertEqual(self.reader.notes, [])
        self.check("it does not exist", lambda: self.append(b"new\n"), b"old\n")

    def test_directory(self) -> None:
        """A directory that stands in a log's place after a rotation is told of, also where its size is 0."""
        self.append(b"old\n")
        self.follow()
        self.rotate()
        self.path.mkdir()

        def mend() -> None:
            self.path.rmdir()
            self.append(b"new\n")

        self.check("not a regular file", mend, b"old\n")

    def test_permission(self) -> None:
        """A log that rotation has made for others to read is told of until its permissions are mended."""
        self.append(b"old\n")
        self.follow()
        self.rotate()
        self.append(b"new\n")
        self.path.chmod(0)
        if os.geteuid() != 0:
            self.check("Permission denied", lambda: self.path.chmod(0o644), b"old\n")
            return
        with as_nobody():
            self.check("Permission denied", self.mend_as_root, b"old\n")

    def mend_as_root(self) -> None:
        os.seteuid(0)
        self.path.chmod(0o644)
        os.seteuid(NOBODY)

    def test_elsewhere(self) -> None:
        """A link that leads out of the log's directory is told of, but not where it leads."""
        (self.path.parent / "in").mkdir()
        secret, self.path = self.path.parent / "secret", self.path.parent / "in" / "log"
        self.append(b"old\n")
        self.follow(within=str(self.path.parent))
        secret.write_bytes(b"secret\n")
        self.path.unlink()
        self.path.symlink_to(secret)

        def mend() -> None:
            self.path.unlink()
            self.append(b"new\n")

        self.check("its path is not allowed", mend, b"old\n")

    def test_rotated(self) -> None:
        """A rotated file that can't be read is a gap for the client, and the agent's log says which and why."""
        middle = self.path.with_name("log.1")

        def replace() -> None:
            middle.unlink()
            middle.mkdir()

        for spoil, why in (
            (lambda: middle.chmod(0), "Permission denied"),
            (replace, "it is packed, or no regular file"),
        ):
            for old in self.path.parent.glob("log*"):
                old.unlink()
            self.append(b"one\n")
            self.follow()
            self.look()
            self.rotate()
            self.append(b"two\n")
            self.rotate()
            self.append(b"three\n")
            spoil()
            with as_nobody():
                self.reader.go_on()
                self.wait()
            self.assertEqual(self.reader.events, [b"one\n", "lost", b"three\n"])
            said = f"{middle} can't be read: {why}; its lines are missing where its log is followed"
            self.assertEqual(self.heard.lines.pop(), said)
            self.assertEqual(self.heard.lines.count(said), 1)

    def test_rotations(self) -> None:
        """Of rotations as they should be nothing is told."""
        self.append(b"0\n")
        self.follow()
        for number in range(1, 30):
            self.rotate()
            self.look()
            self.append(b"%d\n" % number)
            self.look()
        self.assertEqual(self.reader.notes, [])
        self.assertEqual(self.heard.lines, [])

    def test_once_for_all(self) -> None:
        """Of several clients each is told, and the agent's log once."""
        self.follow()
        first = self.reader
        self.addCleanup(first.connection.abort)
        self.follow()
        self.wait()
        self.append(b"new\n")
        self.wait()
        for reader in (first, self.reader):
            self.assertEqual(len(reader.notes), 2)
        self.assertEqual(len(self.heard.lines), 2)

    def test_mended_between(self) -> None:
        """What was told to the agent's log is taken back by the next client that finds it mended."""
        self.follow()
        self.reader.connection.abort()
        self.append(b"new\n")
        self.follow()
        self.look()
        self.assertEqual(self.heard.lines[1:], [f"{self.path} can be read again"])

    def test_flapping(self) -> None:
        """However often it changes, a client is told of it at most twice a second."""
        self.follow()
        for _ in range(100):
            self.append(b"new\n")
            self.clock.pump([LASTING / 10, 0, 0])
            self.path.unlink()
            self.clock.pump([LASTING / 10, 0, 0])
        self.assertLessEqual(len(self.reader.notes), 2 * 20 + 2)

    def test_bounded(self) -> None:
        """Of however many paths clients name, no more than so many are remembered."""
        self.patch(unreadable, "_said", {})
        self.patch(unreadable, "MOST", 3)
        for number in range(10):
            waited_for(f"/{number}", "why")
        self.assertEqual(list(unreadable._said), ["/7", "/8", "/9"])
        readable("/8")
        passed_over("/8", "why")
        self.assertEqual(self.heard.lines[-1], "/8 can't be read: why; its lines are missing where its log is followed")
