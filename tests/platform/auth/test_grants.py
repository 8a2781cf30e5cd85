"""grants.py: who may open what."""

import os
from typing import Never

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import ConfigError
from streamrelay.files import read_own
from streamrelay.platform.auth import grants
from streamrelay.platform.auth.grants import Grant, KeyRing, User, hash_key
from streamrelay.platform.auth.key_file import add_key
from tests.examples import there
from tests.fakes.files import folder


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

    def test_dots(self) -> None:
        """In a grant's host a dot is a dot, and * stands for dots, too."""
        user = User("u", (Grant("web-*.example.com", "log"), Grant("a.b", "*")))
        hosts = ("web-1.example.com", "web-1.dc2.example.com", "web-1.example.com.x", "web-1", "a.b", "a_b", "axb")
        self.assertEqual([host for host in hosts if user.may(host, "log")], [hosts[0], hosts[1], "a.b"])

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

    def test_view(self) -> None:
        """Who may only look may open and see, but not act; of two grants the one that allows more counts."""
        user = User("u", (Grant("*", "vm/*", view=True), Grant("h", "vm/a")))
        for target, allowed in (("vm/a", (True, True)), ("vm/b", (True, False)), ("log", (False, False))):
            self.assertEqual((user.may("h", target), user.may("h", target, act=True)), allowed)
            self.assertEqual((user.may_see("h", target), user.may_see("h", target, act=True)), allowed)
        self.assertTrue(user.may_see("h", "vm/{name}", act=True))
        self.assertFalse(user.may_see("other", "vm/{name}", act=True))

    def test_share(self) -> None:
        """Terminals of others are for who has a grant that says so, for looks where that is all it is for; a grant that
        doesn't say so adds nothing to it, and whoever holds it may open the target as by any other."""
        looks = Grant("web-*", "shell", view=True, share=True)
        user = User("u", (Grant("*", "*"), looks, Grant("db", "shell", share=True)))
        for host, target, looked, acted in (
            ("web-1", "shell", True, False),
            ("web-1", "log", False, False),
            ("db", "shell", True, True),
            ("other", "shell", False, False),
        ):
            told = user.may_share(host, target), user.may_share(host, target, act=True)
            self.assertEqual(told, (looked, acted), (host, target))
        self.assertTrue(User("u", (Grant("db", "shell", share=True),)).may("db", "shell", act=True))
        self.assertFalse(User("u", (looks,)).may("web-1", "shell", act=True))

    def test_everything(self) -> None:
        """Who may open every target of every host for more than looks may everything, shared or not."""
        for grant, everything in (
            (Grant("*", "*"), True),
            (Grant("*", "*", share=True), True),
            (Grant("*", "*", view=True), False),
            (Grant("*", "log"), False),
            (Grant("**", "*"), False),
        ):
            self.assertEqual(User("u", (grant,)).may_everything, everything, grant)


class Ring(SynchronousTestCase):
    """The file of keys."""

    def setUp(self) -> None:
        self.addCleanup(os.umask, os.umask(0o022))  # a file that a group may write to is refused
        self.path = folder(self) / "keys.toml"
        self.ring = KeyRing(str(self.path))

    def user(self, key: str | None) -> User:
        user = self.ring.user(key)
        assert user is not None
        return user

    def test_added(self) -> None:
        """A key that was added is known, by its holder's name and grants; no other is."""
        key = add_key(self.path, "alice", [Grant("web-*", "log/*"), Grant("db", "*")])
        other = add_key(self.path, "bob@x", [Grant()])
        self.ring.load()
        alice = self.user(key)
        self.assertEqual((alice.name, alice.grants), ("alice", (Grant("web-*", "log/*"), Grant("db", "*"))))
        self.assertEqual(self.user(other).name, "bob@x")
        for wrong in ("", key[:-1], key + " ", key.upper(), hash_key(key), "é\ud800"):
            self.assertIsNone(self.ring.user(wrong), wrong)
        self.assertIsNone(self.ring.user(None))

    def test_whose(self) -> None:
        """A mistake in an entry is told with whose it is, and with what may be meant."""
        add_key(self.path, "alice", [Grant("web-*", "log/*")])
        good = self.path.read_text()
        for find, put, words in (
            (
                "target =",
                "targt =",
                "keys.'bob': Object contains unknown field `targt` - at `$.grants[0]`; is target meant?",
            ),
            ("grants =", "grant =", "keys.'bob': Object contains unknown field `grant`; is grants or drain meant?"),
            ('"log/*"', "7", "keys.'bob': Expected `str`, got `int` - at `$.grants[0].target`"),
        ):
            wrong = good.replace("alice", "bob").replace(find, put)
            self.path.write_text(good + wrong)
            self.assertEqual(str(self.assertRaises(ConfigError, self.ring.load)), f"{self.path}: {words}")
        self.path.write_text(good + '[claims.groups."a b"]\ngrants = [{ hots = "*" }]\n')
        error = str(self.assertRaises(ConfigError, self.ring.load))
        self.assertIn("claims.'groups'.'a b': Object contains unknown field `hots`", error)

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

    def test_unquoted(self) -> None:
        """A key's name with a dot and without quotes is told as that, with the name."""
        self.path.write_text(f'[keys.ann.smith]\nhash = "{hash_key("x")}"\ngrants = []\n')
        error = str(self.assertRaises(ConfigError, KeyRing(str(self.path)).load))
        self.assertIn(str(self.path), error)
        self.assertIn('; a name with a dot needs quotes: "ann.smith"', error)

    def test_anonymous(self) -> None:
        """Who has no key is somebody only if the file says so, and a wrong key never is."""
        self.path.write_text('[anonymous]\ngrants = [{ target = "log" }]\n')
        self.ring.load()
        self.assertTrue(self.user(None).may("any", "log"))
        self.assertIsNone(self.ring.user("wrong"))

    def test_claims(self) -> None:
        """An issuer's user may open, share, and drain, what their claims name, be a claim a text or a list; nothing by
        any other."""
        self.path.write_text(
            '[claims.groups.ops]\ngrants = [{ host = "a" }]\ndrain = ["fra-*"]\n'
            '[claims.groups."x y"]\ngrants = [{ host = "b" }]\n'
            '[claims.sub.carol]\ngrants = [{ host = "c", share = true }]\n'
        )
        self.ring.load()
        for claims, hosts in (
            ({"groups": ["dev", "ops"]}, ["a"]),
            ({"groups": "ops", "sub": "carol"}, ["a", "c"]),
            ({"groups": ["x y", "ops"]}, ["a", "b"]),
            ({"groups": "opsx"}, []),
            ({"groups": "x"}, []),
            ({"groups": {"ops": 1}}, []),
            ({"groups": [["ops"], None, 7]}, []),
            ({"Groups": "ops"}, []),
            ({}, []),
        ):
            user = self.ring.claimed("u", claims)
            self.assertEqual([grant.host for grant in user.grants], hosts, claims)
            self.assertEqual(user.may_drain("fra-1"), "a" in hosts, claims)
            self.assertEqual([host for host in hosts if user.may_share(host, "shell")], ["c"] * ("c" in hosts))

    def test_writable_by_others(self) -> None:
        """A file that others may write to is refused, with what to do; one that becomes so changes nothing."""
        key = add_key(self.path, "alice", [Grant()])
        for mode in (0o620, 0o602, 0o666):
            self.path.chmod(mode)
            error = str(self.assertRaises(ConfigError, self.ring.load))
            self.assertIn(f"chmod go-w {self.path}", error)
        self.path.chmod(0o644)
        self.ring.load()
        self.path.write_text("")
        self.path.chmod(0o666)
        self.assertEqual(self.user(key).name, "alice")
        self.path.chmod(0o600)
        self.assertIsNone(self.ring.user(key))

    def test_holder(self) -> None:
        """A key's holder is known by name and hash while both stand together in the file."""
        key = add_key(self.path, "alice", [Grant("a")])
        self.ring.load()
        self.assertEqual(self.ring.holder("alice", hash_key(key)), User("alice", (Grant("a"),)))
        self.assertIsNone(self.ring.holder("alice", hash_key("another")))
        self.assertIsNone(self.ring.holder("bob", hash_key(key)))

    def test_grants_changed(self) -> None:
        """Grants that are edited in the file count at the next request, and the key stays what it is."""
        key = add_key(self.path, "alice", [Grant("web-1", "log")])
        self.assertFalse(self.user(key).may("web-2", "log"))
        text = self.path.read_text()
        self.assertIn('"web-1"', text)
        self.path.write_text(text.replace('"web-1"', '"web-*"'))
        self.assertTrue(self.user(key).may("web-2", "log"))
        self.assertFalse(self.user(key).may("web-2", "shell"))

    def test_read_again(self) -> None:
        """A changed file counts at the next request; one that became wrong or vanished changes nothing."""
        key = add_key(self.path, "alice", [Grant()])
        self.ring.load()
        later = add_key(self.path, "bob", [Grant()])
        self.assertEqual(self.user(later).name, "bob")
        for change in (lambda: self.path.write_text("[broken"), self.path.unlink):
            change()
            self.assertEqual(self.user(key).name, "alice")
        self.path.write_text("")
        self.assertIsNone(self.ring.user(key))


class Installed(SynchronousTestCase):
    """A file that can't be read at first."""

    def test_revoked(self) -> None:
        """A key is revoked though the first reading of its file fails for a reason that passes: at the next look."""
        self.addCleanup(os.umask, os.umask(0o022))
        path = folder(self) / "keys.toml"
        key = add_key(path, "alice", [Grant()])
        ring = KeyRing(str(path))
        ring.load()

        def fail(*arguments: object) -> Never:
            raise ConfigError("can't be read: Permission denied")

        broken = self.patch(grants, "read_own", fail)
        path.write_text("")
        self.assertEqual(there(ring.user(key)).name, "alice")
        broken.restore()
        ring.files.refresh()
        self.assertIsNone(ring.user(key))


class Changing(SynchronousTestCase):
    """Files that change."""

    def test_changed_while_read(self) -> None:
        """A file that changes while it is read is read again at the next request."""
        self.addCleanup(os.umask, os.umask(0o022))
        path = folder(self) / "keys.toml"
        key = add_key(path, "alice", [Grant()])
        ring = KeyRing(str(path))

        def change(name: str, what: str) -> bytes:
            content = read_own(name, what)
            path.write_text("")  # the key is revoked now
            self.patch(grants, "read_own", read_own)
            return content

        self.patch(grants, "read_own", change)
        ring.load()
        self.assertIsNone(ring.user(key))
