"""grants.py: who may open what."""

import stat

from twisted.trial.unittest import SynchronousTestCase

from streamrelay import grants
from streamrelay.errors import ConfigError
from streamrelay.grants import PREFIX, Grant, KeyRing, User, add_key, hash_key
from tests.fakes import folder


class Grants(SynchronousTestCase):
    """What a user may open, and see."""

    def test_may(self) -> None:
        """A target may be opened if one grant matches both its host and its name, in full and in case."""
        user = User("u", (Grant("web-*", "log/*"), Grant("db", "*")))
        for host, target, allowed in (
            ("web-1", "log/nginx", True),
            ("web-1", "log/a/b", True),
            ("db", "anything", True),
            ("web-1", "ssh", False),
            ("db2", "log/x", False),
            ("Web-1", "log/x", False),
            ("xweb-1", "log/x", False),
            ("", "", False),
        ):
            self.assertEqual(user.may(host, target), allowed, (host, target))
        self.assertFalse(User("u", ()).may("a", "b"))

    def test_may_see(self) -> None:
        """A pattern is listed if some name of it may be granted, a plain target only if it is."""
        user = User("u", (Grant("h", "vm/web/*"), Grant("h", "log")))
        for pattern, seen in (
            ("log", True),
            ("ssh", False),
            ("vm/{name}/console", True),
            ("vm/web/{x}", True),
            ("vm/db/{x}", False),
            ("log/{x}", True),
        ):
            self.assertEqual(user.may_see("h", pattern), seen, pattern)
        self.assertFalse(user.may_see("other", "log"))


class Ring(SynchronousTestCase):
    """The file of keys."""

    def setUp(self) -> None:
        self.path = folder(self) / "keys.toml"
        self.ring = KeyRing(str(self.path))

    def test_added(self) -> None:
        """A key that was added is known, by its holder's name and grants; no other is."""
        key = add_key(self.path, "alice", [Grant("web-*", "log/*"), Grant("db", "*")])
        other = add_key(self.path, "bob@x", [Grant()])
        self.ring.load()
        alice = self.ring.user(key)
        self.assertEqual((alice.name, alice.grants), ("alice", (Grant("web-*", "log/*"), Grant("db", "*"))))
        self.assertEqual(self.ring.user(other).name, "bob@x")
        for wrong in ("", key[:-1], key + " ", key.upper(), hash_key(key), "é\ud800"):
            self.assertIsNone(self.ring.user(wrong), wrong)
        self.assertIsNone(self.ring.user(None))

    def test_hashed(self) -> None:
        """The file is its owner's alone and holds the hash of a key, which begins so that scanners find it."""
        key = add_key(self.path, "alice", [Grant()])
        self.assertTrue(key.startswith(PREFIX))
        self.assertGreaterEqual(len(key), 40)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertNotIn(key, self.path.read_text())
        self.assertIn(hash_key(key), self.path.read_text())

    def test_not_twice(self) -> None:
        """A name has one key, and odd names none; the file stays as it was."""
        add_key(self.path, "alice", [Grant()])
        before = self.path.read_text()
        for name in ("alice", "", "a b", 'a"]', "x" * 65, "a\n"):
            self.assertRaises(ConfigError, add_key, self.path, name, [Grant()])
        self.assertEqual(self.path.read_text(), before)

    def test_quoted(self) -> None:
        """Whatever globs are granted, the file stays readable and says the same."""
        wanted = [Grant('a"b\\', "x'\n]é"), Grant("*", "{}")]
        key = add_key(self.path, "alice", wanted)
        self.ring.load()
        self.assertEqual(self.ring.user(key).grants, tuple(wanted))

    def test_wrong_files(self) -> None:
        """A file that is missing, broken, or has unknown keys is refused by its name."""
        good = f'hash = "{hash_key("x")}"\ngrants = []\n'
        for text in (
            None,
            "[keys",
            "[keys.a]\n",
            '[keys.a]\nhash = "md5:x"\ngrants = []\n',
            f"[keys.a]\n{good}admin = true\n",
            f'[keys."a b"]\n{good}',
            '[keys.a]\nhash = "plain"\ngrants = []\n',
            "[anonymous]\n",
            "[other]\n",
            '[anonymous]\ngrants = [{ hosts = "*" }]\n',
        ):
            if text is not None:
                self.path.write_text(text)
            self.assertIn(str(self.path), str(self.assertRaises(ConfigError, self.ring.load)), text)

    def test_anonymous(self) -> None:
        """Who has no key is somebody only if the file says so, and a wrong key never is."""
        self.path.write_text('[anonymous]\ngrants = [{ target = "log" }]\n')
        self.ring.load()
        self.assertTrue(self.ring.user(None).may("any", "log"))
        self.assertIsNone(self.ring.user("wrong"))

    def test_read_again(self) -> None:
        """A changed file counts at the next request; one that became wrong or vanished changes nothing."""
        key = add_key(self.path, "alice", [Grant()])
        self.ring.load()
        later = add_key(self.path, "bob", [Grant()])
        self.assertEqual(self.ring.user(later).name, "bob")
        for change in (lambda: self.path.write_text("[broken"), self.path.unlink):
            change()
            self.assertEqual(self.ring.user(key).name, "alice")
        self.path.write_text("")
        self.assertIsNone(self.ring.user(key))


class Changing(SynchronousTestCase):
    """Files that change."""

    def test_changed_while_read(self) -> None:
        """A file that changes while it is read is read again at the next request."""
        path = folder(self) / "keys.toml"
        key = add_key(path, "alice", [Grant()])
        ring = KeyRing(str(path))

        def change(*arguments: object) -> dict:
            table = read(*arguments)
            path.write_text("")  # the key is revoked now
            self.patch(grants, "read_toml", read)
            return table

        read = grants.read_toml
        self.patch(grants, "read_toml", change)
        ring.load()
        self.assertIsNone(ring.user(key))
