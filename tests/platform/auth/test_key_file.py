"""key_file.py: the file of keys as commands edit it."""

import os
import stat
from datetime import date
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from streamrelay.errors import ConfigError
from streamrelay.platform.auth.grants import Grant, KeyRing, hash_key
from streamrelay.platform.auth.key_file import add_key, list_keys, revoke_key
from streamrelay.protocol.names import PREFIX
from tests.examples import there
from tests.fakes.files import folder

SAMPLE = """\
# Who may open what.

[keys.alice]
hash = "{0}"
grants = [
    { host = "web-*", target = "log/*" },  # her own
    { host = "db", target = "*" },
]

# Bob is on probation.
[keys."bob"]
hash = "{1}"
# [keys.carol]
grants = []
# The end of Bob's.

[keys."carol@x"]
hash = "{2}"

[[keys."carol@x".grants]]
host = "a"

[[keys."carol@x".grants]]
host = "b"

[claims.groups.alice]
grants = []
"""


def sample(path: Path) -> str:
    text = SAMPLE
    for number in range(3):
        text = text.replace(f"{{{number}}}", hash_key(str(number)))
    path.write_text(text)
    path.chmod(0o640)
    return text


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.where = folder(self)
        self.path = self.where / "keys.toml"
        self.ring = KeyRing(str(self.path))


class Adding(Case):
    """`add_key`"""

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
        wanted = [Grant('a"b\\', "x'\n]é"), Grant("*", "{}"), Grant("*", "*", view=True)]
        wanted += [Grant("a", "b", share=True), Grant("c", "d", view=True, share=True)]
        key = add_key(self.path, "alice", wanted)
        self.ring.load()
        self.assertEqual(there(self.ring.user(key)).grants, tuple(wanted))

    def test_created(self) -> None:
        """The day on which a key was made is recorded."""
        add_key(self.path, "alice", [Grant()], date(2026, 11, 25))
        self.assertEqual(list_keys(self.path)["alice"].created, date(2026, 11, 25))

    def test_no_folder(self) -> None:
        """Where no file can be made, the error names it, and no key is told."""
        path = self.where / "none" / "keys.toml"
        self.assertIn(str(path), str(self.assertRaises(ConfigError, add_key, path, "alice", [Grant()])))


class Revoking(Case):
    """`revoke_key`"""

    def test_others_stay(self) -> None:
        """A key's tables vanish, however they are written; every other line, comments too, stays as it was."""
        text = sample(self.path)
        alice = text[text.index("\n[keys.alice]") : text.index("\n# Bob")]
        bob = text[text.index('[keys."bob"]') : text.index("# The end")]
        carol = text[text.index('\n[keys."carol@x"]') : text.index("\n[claims")]
        for name, gone in (("alice", alice), ("bob", bob), ("carol@x", carol)):
            sample(self.path)
            revoke_key(self.path, name)
            self.assertEqual(self.path.read_text(), text.replace(gone, ""), name)
        for name in ("alice", "bob"):
            revoke_key(self.path, name)
        self.assertEqual(list_keys(self.path), {})
        self.ring.load()
        self.assertEqual(set(self.ring.content.claims["groups"]), {"alice"})

    def test_added_and_revoked(self) -> None:
        """What `add_key` has added `revoke_key` takes away without a trace."""
        text = sample(self.path)
        key = add_key(self.path, "dave", [Grant()])
        self.ring.load()
        self.assertEqual(there(self.ring.user(key)).name, "dave")
        revoke_key(self.path, "dave")
        self.assertEqual(self.path.read_text(), text)
        self.assertIsNone(self.ring.user(key))

    def test_mode_and_owner(self) -> None:
        """The file's mode and owner stay, no other file is left, and a link to it stays a link."""
        sample(self.path)
        if os.geteuid() == 0:
            os.chown(self.path, 12345, 12346)
        before = self.path.stat()
        link = self.where / "link.toml"
        link.symlink_to(self.path)
        revoke_key(link, "alice")
        after = self.path.stat()
        for name in ("st_mode", "st_uid", "st_gid"):
            self.assertEqual(getattr(after, name), getattr(before, name), name)
        self.assertTrue(link.is_symlink())
        self.assertEqual(sorted(path.name for path in self.where.iterdir()), ["keys.toml", "link.toml"])

    def test_line_ends(self) -> None:
        """The ends of lines stay as they are."""
        text = sample(self.path).replace("\n", "\r\n")
        self.path.write_bytes(text.encode())
        revoke_key(self.path, "bob")
        self.assertNotIn(b"bob", self.path.read_bytes())
        self.assertEqual(self.path.read_bytes().count(b"\n"), self.path.read_bytes().count(b"\r\n"))

    def test_byte_order_mark(self) -> None:
        """A file that an editor on Windows has saved keeps its keys, and those that come and go."""
        self.path.write_bytes(b"\xef\xbb\xbf" + sample(self.path).encode())
        add_key(self.path, "dora", [Grant("h", "t")])
        for name in ("alice", "bob"):
            revoke_key(self.path, name)
        self.assertEqual(list(list_keys(self.path)), ["carol@x", "dora"])

    def test_no_such_key(self) -> None:
        """A name without a key, and a file that isn't there, are told by their names; nothing changes."""
        text = sample(self.path)
        for name in ("dave", "", "keys", "ALICE", "carol"):
            error = str(self.assertRaises(ConfigError, revoke_key, self.path, name))
            self.assertIn(f"{self.path}: there is no key for {name}", error)
        self.assertEqual(self.path.read_text(), text)
        missing = self.where / "missing.toml"
        self.assertIn(str(missing), str(self.assertRaises(ConfigError, revoke_key, missing, "alice")))

    def test_by_hand(self) -> None:
        """An entry that isn't a table of its own is left alone, and said so."""
        entry = f'{{ hash = "{hash_key("x")}", grants = [] }}'
        for text in (
            f"keys.alice = {entry}\n",
            f"keys = {{ alice = {entry} }}\n",
            f"[keys]\nalice = {entry}\n",
            f'[keys]\nalice.hash = "{hash_key("x")}"\nalice.grants = []\n',
        ):
            self.path.write_text(text)
            self.path.chmod(0o600)
            self.assertIn("by hand", str(self.assertRaises(ConfigError, revoke_key, self.path, "alice")))
            self.assertEqual(self.path.read_text(), text)

    def test_full_disk(self) -> None:
        """When the new file can't be written the old one stays, alone."""
        text = sample(self.path)

        def fail(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        self.patch(os, "fsync", fail)
        self.assertIn("No space", str(self.assertRaises(ConfigError, revoke_key, self.path, "alice")))
        self.assertEqual(self.path.read_text(), text)
        self.assertEqual([path.name for path in self.where.iterdir()], ["keys.toml"])

    def test_writable_by_others(self) -> None:
        """A file that others may write to isn't edited."""
        sample(self.path)
        self.path.chmod(0o666)
        for work in (lambda: revoke_key(self.path, "alice"), lambda: add_key(self.path, "dave", [Grant()])):
            self.assertIn("chmod", str(self.assertRaises(ConfigError, work)))


class Listing(Case):
    """`list_keys`"""

    def test_platforms_own(self) -> None:
        """Root may look at a file of keys that belongs to the platform's user, and edit it."""
        sample(self.path)
        if os.geteuid() != 0:
            raise SkipTest("needs root to give a file away")
        os.chown(self.path, 4711, 4711)
        revoke_key(self.path, "alice")
        self.assertNotIn("alice", list_keys(self.path))
        self.assertEqual(self.path.stat().st_uid, 4711)

    def test_sorted(self) -> None:
        """All keys are listed by their names."""
        sample(self.path)
        found = list_keys(self.path)
        self.assertEqual(list(found), ["alice", "bob", "carol@x"])
        self.assertEqual([len(holder.grants) for holder in found.values()], [2, 0, 2])
