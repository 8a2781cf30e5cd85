"""followed.py: no copy of a summons is followed after a restart."""

import errno
import os

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent import followed
from streamrelay.agent.followed import Followed, NothingKept
from streamrelay.errors import ConfigError
from streamrelay.protocol.summons import Answer, Summons
from tests.documented import CLOCK_SKEW, SUMMONS_LIFE, SUMMONSES_KEPT
from tests.examples import STREAM
from tests.fakes.files import folder


def code(answer: Answer | None) -> str:
    """Of a refusal; empty if it is none."""
    return answer.refused if answer else ""


def summons(jti: str, exp: float, iat: float | None = None) -> Summons:
    return Summons(stream=STREAM, target="log", relay="wss://relay.example", token="t", jti=jti, exp=exp, iat=iat)


class File(SynchronousTestCase):
    """The file of what was followed."""

    def setUp(self) -> None:
        self.time = 1000.0
        self.path = str(folder(self) / "followed.web-1")
        self.followed: Followed | None = None
        self.addCleanup(self.stop)
        self.start()

    def stop(self) -> None:
        if self.followed is not None:
            self.followed.close()
        self.followed = None

    def start(self) -> None:
        """A start of the agent, after its end."""
        self.stop()
        self.followed = Followed(self.path, lambda: self.time)

    def follow(self, jti: str, left: float = SUMMONS_LIFE) -> str:
        assert self.followed is not None
        return code(self.followed.refusal(summons(jti, self.time + left)))

    def test_over_starts(self) -> None:
        """A summons is followed once, however often the agent starts, and others are, too."""
        self.assertEqual((self.follow("a"), self.follow("b"), self.follow("a")), ("", "", "bad_summons"))
        for number in range(3):
            self.start()
            self.assertEqual((self.follow("a"), self.follow("b")), ("bad_summons", "bad_summons"))
            self.assertEqual(self.follow(f"c{number}"), "")

    def test_killed(self) -> None:
        """It is in the file before it is followed, so it is known however the agent ends."""
        self.follow("a")
        with open(self.path, "rb") as file:
            self.assertNotEqual(file.read().strip(b"\0"), b"")

    def test_clock_set_back(self) -> None:
        """A copy stays refused, though the clock was set back to a time at which it would be valid again."""
        self.follow("a")
        self.time += 1000
        self.start()
        self.time -= 1000
        self.assertEqual(self.follow("a"), "bad_summons")

    def test_room(self) -> None:
        """The file has its size from the first day on; 8192 are remembered while they may be valid, one more is busy,
        also after a restart, and what has expired gives way."""
        size = os.path.getsize(self.path)
        for number in range(SUMMONSES_KEPT):
            self.assertEqual(self.follow(str(number)), "")
        self.assertEqual(self.follow("more"), "busy")
        self.time += SUMMONS_LIFE + CLOCK_SKEW
        self.start()
        self.assertEqual((self.follow("more"), self.follow("0")), ("busy", "bad_summons"))
        self.time += 1
        self.assertEqual((self.follow("more"), self.follow("1")), ("", "bad_summons"))
        self.assertEqual(os.path.getsize(self.path), size)

    def test_first_to_expire(self) -> None:
        """After a restart those give way that expired first, wherever they stand in the file."""
        self.patch(followed, "ROOM", 2)
        os.truncate(self.path, 0)
        self.start()
        self.follow("late", 30)
        self.follow("early", 10)
        self.start()
        self.time += 16
        self.assertEqual((self.follow("new"), self.follow("late")), ("", "bad_summons"))

    def test_cut(self) -> None:
        """A file that was cut, as by a crash while it was made, keeps what it has."""
        self.follow("a")
        os.truncate(self.path, 40)
        self.start()
        self.assertEqual((self.follow("a"), self.follow("b")), ("bad_summons", ""))

    def test_mode(self) -> None:
        """It is for its owner alone, whatever the umask."""
        self.addCleanup(os.umask, os.umask(0))
        os.unlink(self.path)
        self.start()
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)
        os.chmod(self.path, 0o660)
        self.assertIn("run: chmod go-w", str(self.assertRaises(ConfigError, self.start)))

    def test_unwritable(self) -> None:
        """What can't be written isn't followed: the client is told to try again, and the next one is followed."""

        def fail(*arguments: object) -> int:
            raise OSError(errno.EROFS, "Read-only file system")

        write = os.pwrite
        self.patch(os, "pwrite", fail)
        assert self.followed is not None
        answer = self.followed.refusal(summons("a", self.time))
        assert answer is not None
        self.assertEqual(answer.refused, "busy")
        self.assertIn(f"{self.path}: can't be written: Read-only file system", answer.reason)
        self.patch(os, "pwrite", write)
        self.assertEqual(self.follow("a"), "")

    def test_two(self) -> None:
        """A second agent with the same file doesn't start, as each would overwrite what the other knows."""
        error = self.assertRaises(ConfigError, Followed, self.path, lambda: self.time)
        self.assertIn("another agent of this host uses it", str(error))


class Nothing(SynchronousTestCase):
    """An agent that keeps nothing."""

    def setUp(self) -> None:
        self.clock, self.ahead = Clock(), 0.0
        self.memory = NothingKept(self.clock, lambda: 1000 + self.clock.seconds() + self.ahead)

    def refusal(self, iat: float | None) -> str:
        return code(self.memory.refusal(summons("j", 1e10, iat)))

    def test_before_the_start(self) -> None:
        """Whatever was signed before the start is refused as busy, by a clock that is 5 s ahead, too; what is signed
        11 s after the start, by a clock that is 5 s behind, is followed."""
        for signed in (970, 1000, 1000 + CLOCK_SKEW):
            self.assertEqual(self.refusal(signed), "busy")
        self.clock.advance(11)
        self.assertEqual(self.refusal(1011 - CLOCK_SKEW), "")

    def test_unsigned(self) -> None:
        """What isn't signed is followed: who can copy it can make it up, too."""
        self.assertEqual(self.refusal(None), "")

    def test_clock_set_later(self) -> None:
        """A clock that is set after the start, as at a boot, doesn't make what was signed before it seem new."""
        self.ahead = 5000.0
        self.clock.advance(1)
        self.assertEqual(self.refusal(6000), "busy")
