"""state.py: what an agent keeps over its starts, and from whom."""

import os
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.followed import Memory, NothingKept
from streamrelay.agent.state import own_secret, take_up
from streamrelay.agent.targets.sealed_places import Seal, seal, unseal
from streamrelay.errors import ConfigError
from streamrelay.program.state_directory import find_state
from tests.agent.test_followed import summons
from tests.fakes.files import folder
from tests.fakes.logs import Heard


class Kept(SynchronousTestCase):
    """The secret of places, as each start of an agent finds it."""

    def setUp(self) -> None:
        self.where = folder(self)
        self.state = self.where / "state"
        self.patch(Seal, "secret", Seal.secret)
        self.patch(os, "environ", {})
        self.heard = Heard(self)
        self.host = "web-1"
        self.memory: Memory = NothingKept(Clock(), lambda: 1000.0)
        self.addCleanup(lambda: self.memory.close())

    def start(self, named: str | None = None) -> None:
        """Another start, of which nothing is left but what was kept."""
        Seal.secret = os.urandom(32)
        self.memory.close()
        self.memory = NothingKept(Clock(), lambda: 1000.0)
        named = str(self.state) if named is None else named
        self.memory = take_up(named, self.host, Clock(), lambda: 1000.0)

    def holds(self, sealed: str) -> bool:
        return unseal(sealed, "log") == "1.2"

    def test_over_starts(self) -> None:
        """A place is good after another start with the same directory, and with no other one."""
        self.start()
        sealed = seal("1.2", "log")
        self.start()
        self.assertTrue(self.holds(sealed))
        self.start(str(self.where / "other"))
        self.assertFalse(self.holds(sealed))
        self.assertEqual(self.heard.events, [])

    def test_not_the_machine(self) -> None:
        """What every user of the machine may read is no part of the secret: two agents of one machine have two."""
        self.start()
        one = Seal.secret
        self.start(str(self.where / "other"))
        self.assertNotEqual(one, Seal.secret)
        self.assertEqual(len(one), 32)

    def test_modes(self) -> None:
        """The directory and the secret in it are made for their owner alone, and nothing else is left there."""
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.start()
        kept = [self.state, *sorted(self.state.iterdir())]
        modes = [(path.name, path.stat().st_mode & 0o777) for path in kept]
        self.assertEqual(modes, [("state", 0o700), ("followed.web-1", 0o600), ("places.key", 0o600)])

    def test_of_systemd(self) -> None:
        """Without a setting it is the first directory that systemd has made; the setting goes before it."""
        self.patch(os, "environ", {"STATE_DIRECTORY": f"{self.where}/one:{self.where}/two"})
        self.assertEqual(find_state("", "agent"), self.where / "one")
        self.assertEqual(find_state(str(self.state), "agent"), self.state)

    def test_followed(self) -> None:
        """A summons that was followed isn't after another start with the same directory; without one nothing is that
        could have been signed before it."""
        self.start()
        self.assertIsNone(self.memory.refusal(summons("j" * 22, 1020.0, 990.0)))
        self.start()
        self.assertIsNotNone(self.memory.refusal(summons("j" * 22, 1020.0, 990.0)))
        self.assertIsNone(self.memory.refusal(summons("k" * 22, 1020.0, 990.0)))
        self.start("")
        self.assertIsNotNone(self.memory.refusal(summons("l" * 22, 1020.0, 990.0)))
        self.assertIsNone(self.memory.refusal(summons("l" * 22, 1036.0, 1006.0)))

    def test_long_names(self) -> None:
        """Hosts with names as long as can be keep what they have followed, each its own."""
        for host in ("a.b", f"{'x' * 60}." * 4 + "y" * 9, f"{'x' * 60}." * 4 + "z" * 9):
            self.host = host
            self.start()
            self.assertIsNone(self.memory.refusal(summons("j" * 22, 1020.0, 990.0)))
            self.start()
            self.assertIsNotNone(self.memory.refusal(summons("j" * 22, 1020.0, 990.0)))
        self.assertEqual(self.heard.events, [])

    def test_none(self) -> None:
        """Without a directory, or in one where nothing can be made, a place is good until the agent ends, and the log
        says why."""
        (self.where / "file").write_text("")
        for named, why in (
            ("", "no setting state, and no STATE_DIRECTORY"),
            ("/proc/none", "/proc/none: No such file or directory"),
            (str(self.where / "file"), "Not a directory"),
        ):
            self.start(named)
            sealed = seal("1.2", "log")
            self.assertTrue(self.holds(sealed))
            self.assertIn(why, self.heard.text)
            self.start(named)
            self.assertFalse(self.holds(sealed))

    def test_others(self) -> None:
        """What others may read or write keeps the agent from starting, with the command that mends it."""
        self.start()
        secret = self.state / "places.key"
        for path, mode, words in (
            (secret, 0o640, f"{secret}: others may read this secret of the agent; run: chmod 600 {secret}"),
            (self.state, 0o770, "others may write to this directory of the agent's state; run: chmod go-w"),
            (self.state, 0o757, "run: chmod go-w"),
        ):
            good = path.stat().st_mode
            path.chmod(mode)
            self.assertIn(words, str(self.assertRaises(ConfigError, self.start)))
            path.chmod(good)
        self.start()

    def test_another_users(self) -> None:
        """A directory of another user's keeps the agent from starting."""
        self.start()
        if os.geteuid() == 0:
            os.chown(self.state, 4711, 0)
        else:
            self.patch(os, "geteuid", lambda: 4711)
        self.assertIn("belongs to another user", str(self.assertRaises(ConfigError, self.start)))

    def test_damaged(self) -> None:
        """A secret that was cut is none: the agent doesn't start, and says what to do."""
        for content in (b"", b"x" * 31, b"x" * 33):
            path = self.where / f"{len(content)}.key"
            path.write_bytes(content)
            path.chmod(0o600)
            self.assertIn("delete it", str(self.assertRaises(ConfigError, own_secret, path)))

    def test_raced(self) -> None:
        """Two who make the secret at once get the same, whoever comes first."""
        path = self.where / "raced.key"
        self.patch(Path, "exists", lambda path: False)
        self.assertEqual(own_secret(path), own_secret(path))
