"""files.py: what has changed, and what is secret."""

import os
import shlex
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.client.access import read_key
from streamrelay.client.log_place import LogPlace
from streamrelay.errors import ConfigError
from streamrelay.files import Owners, Watched, look, read, read_own, read_secret
from streamrelay.platform.auth.grants import Grant
from streamrelay.platform.auth.key_file import add_key, list_keys
from streamrelay.platform.enrolment import Users
from streamrelay.program.settings import read_toml
from tests.fakes.files import folder
from tests.fakes.logs import Heard


class Files(SynchronousTestCase):
    """Files of settings."""

    def setUp(self) -> None:
        self.where = folder(self)
        self.path = str(self.where / "file")

    def write(self, text: str, mode: int = 0o600) -> None:
        with open(self.path, "w") as file:
            file.write(text)
        os.chmod(self.path, mode)

    def test_look(self) -> None:
        """A look differs once a file is written, replaced or removed."""
        seen = {look(self.path)}
        self.write("a")
        seen.add(look(self.path))
        self.write("ab")
        seen.add(look(self.path))
        os.unlink(self.path)
        self.assertEqual(len(seen), 3)
        self.assertIn(look(self.path), seen)

    def test_owner(self) -> None:
        """A look differs once who may read the file differs: its mode, its owner, its group."""
        self.write("a")
        seen = [look(self.path)]
        os.chmod(self.path, 0o640)
        seen.append(look(self.path)[2:])
        if os.geteuid() == 0:
            for owner in ((1, 0), (1, 1)):
                os.chown(self.path, *owner)
                seen.append(look(self.path)[2:])
        self.assertEqual(len(set(seen)), len(seen))

    def test_missing(self) -> None:
        """A file that can't be read is refused by its name."""
        for reader in (read, lambda path: read_secret(path, "key")):
            self.assertIn(self.path, str(self.assertRaises(ConfigError, reader, self.path)))

    def test_secret(self) -> None:
        """What others may read or write is no secret: refused, with the command that mends it."""
        for mode, good in ((0o600, True), (0o400, True), (0o640, False), (0o604, False), (0o620, False)):
            self.path = str(self.where / f"{mode:o}")  # each its own, as one of mode 0400 can't be written to
            self.write("secret", mode)
            if good:
                self.assertEqual(read_secret(self.path, "key"), b"secret")
            else:
                error = str(self.assertRaises(ConfigError, read_secret, self.path, "key"))
                self.assertEqual(error, f"{self.path}: others may read this key; run: chmod 600 {self.path}")

    def test_lent(self) -> None:
        """A secret of root's may be read by its group, to which a service belongs, and by nobody else; nor written."""
        self.write("secret", 0o600)

        def roots(mode: int) -> None:
            found = SimpleNamespace(st_uid=0, st_mode=stat.S_IFREG | mode)
            self.patch(os, "fstat", lambda _: found)

        self.patch(os, "geteuid", lambda: 997)
        for mode, good in ((0o640, True), (0o440, True), (0o644, False), (0o660, False), (0o650, False)):
            roots(mode)
            if good:
                self.assertEqual(read_secret(self.path, "key"), b"secret")
            else:
                self.assertIn("chmod 640", str(self.assertRaises(ConfigError, read_secret, self.path, "key")))
        self.patch(os, "geteuid", lambda: 0)
        roots(0o640)
        self.assertIn("chmod 600", str(self.assertRaises(ConfigError, read_secret, self.path, "key")))
        self.patch(Owners, "becoming", 997)
        self.assertEqual(read_secret(self.path, "key"), b"secret")

    def test_quoted(self) -> None:
        """The command that mends it can be pasted, whatever the file's name has in it."""
        self.path = str(self.where / "a key's")
        self.write("secret", 0o620)
        for refused in (read_secret, read_own):
            error = str(self.assertRaises(ConfigError, refused, self.path, "key"))
            self.assertEqual(shlex.split(error.partition("run: ")[2])[2:], [self.path])

    def test_credential(self) -> None:
        """A credential of systemd is taken, whatever its mode shows; another file in that mode is not."""
        self.write("secret", 0o440)
        self.patch(os, "environ", {**os.environ, "CREDENTIALS_DIRECTORY": str(self.where)})
        self.assertEqual(read_secret(self.path, "key"), b"secret")
        self.patch(os, "environ", {**os.environ, "CREDENTIALS_DIRECTORY": "/elsewhere"})
        self.assertRaises(ConfigError, read_secret, self.path, "key")


class Own(SynchronousTestCase):
    """Files that say what others may do."""

    def setUp(self) -> None:
        self.where = folder(self)
        self.path = self.where / "keys"
        self.path.write_bytes(b"x")
        self.path.chmod(0o644)
        self.user = os.geteuid()

    def refusal(self, path: Path | None = None) -> str:
        return str(self.assertRaises(ConfigError, read_own, str(path or self.path), "keys"))

    def test_modes(self) -> None:
        """Neither the file nor its directory may be one that the group or others write to, but for a directory with the
        sticky bit; the command that mends it is told."""
        for path, what in ((self.path, "file"), (self.where, "directory")):
            for mode in (0o664, 0o646, 0o666):
                before = path.stat().st_mode
                path.chmod(mode | 0o100)
                expected = f"{path}: others may write to this {what} of keys; run: chmod go-w {path}"
                self.assertEqual(self.refusal(), expected)
                path.chmod(before)
                self.assertEqual(read_own(str(self.path), "keys"), b"x")
        self.where.chmod(0o1777)
        self.assertEqual(read_own(str(self.path), "keys"), b"x")

    def test_owner(self) -> None:
        """It may be root's, ours, or that user's whom the program is about to become; nobody else's."""
        if self.user == 0:
            os.chown(self.path, 4711, 0)
        else:
            self.patch(os, "geteuid", lambda: 4712)
        self.assertIn(f"{self.path.parent if self.user else self.path}: this ", self.refusal())
        self.assertIn("belongs to another user", self.refusal())
        self.patch(Owners, "becoming", 4711 if self.user == 0 else self.user)
        self.assertEqual(read_own(str(self.path), "keys"), b"x")

    def test_link(self) -> None:
        """A link counts for what it leads to: that file, and its directory."""
        link = folder(self) / "link"
        link.symlink_to(self.path)
        self.assertEqual(read_own(str(link), "keys"), b"x")
        self.where.chmod(0o777)
        self.assertIn(f"{self.where}: others may write to this directory of keys", self.refusal(link))
        self.where.chmod(0o700)
        self.path.chmod(0o664)
        self.assertIn(f"{link}: others may write to this file of keys", self.refusal(link))

    def test_missing(self) -> None:
        """A file that isn't there, or a directory, is refused by its name."""
        for path in (self.where / "none", self.where / "none/none", self.where):
            self.assertIn(f"{path}: can't be read: ", self.refusal(path))

    def test_pipe(self) -> None:
        """A named pipe is refused at once: opening it waits for one who writes, and the whole program with it."""
        pipe = self.where / "pipe"
        os.mkfifo(pipe, 0o600)
        self.assertEqual(self.refusal(pipe), f"{pipe}: can't be read: not a regular file")


class Regular(SynchronousTestCase):
    """What may never end is read by nobody: named pipes and devices."""

    def test_refused(self) -> None:
        """All that settings, keys and tokens are read with refuse a named pipe, and a device, at once, by its name."""
        pipe = folder(self) / "pipe"
        os.mkfifo(pipe, 0o600)
        readers: list[Callable[[str], object]] = [
            read,
            read_toml,
            read_key,
            lambda path: read_secret(path, "key"),
            lambda path: list_keys(Path(path)),
            lambda path: add_key(Path(path), "alice", [Grant()]),
            lambda path: Users(Path(path)).read(),
            lambda path: LogPlace("web-1", "log", path).load(),
        ]
        for reader in readers:
            for path in (str(pipe), "/dev/zero"):
                error = self.assertRaises(ConfigError, reader, path)
                self.assertEqual(str(error), f"{path}: can't be read: not a regular file")

    def test_no_directory(self) -> None:
        """A file of the bus' users that isn't there holds none; one that can't be there is an error in one line."""
        there = folder(self) / "file"
        self.assertEqual(Users(there).read(), [])
        there.touch()
        for path, why in ((there / "users", "Not a directory"), (there.with_name("x" * 300), "File name too long")):
            error = self.assertRaises(ConfigError, Users(path).read)
            self.assertEqual(str(error), f"{path}: can't be read: {why}")

    def test_shell(self) -> None:
        """What a shell passes by a descriptor is taken as it is: the pipe of `<(…)`, or standard input."""
        ours, theirs = os.pipe()
        os.write(theirs, b'id = "r"')
        os.close(theirs)
        self.addCleanup(os.close, ours)
        self.assertEqual(read_toml(f"/dev/fd/{ours}"), {"id": "r"})


class Watching(SynchronousTestCase):
    """Files that change."""

    def setUp(self) -> None:
        self.path = folder(self) / "file"
        self.path.write_text("old")
        self.error: Exception | None = None
        self.held, self.tries = "", 0
        self.news: list[str] = []
        self.files = Watched("the words", lambda: [str(self.path)], self.read, lambda: self.news.append(self.held))
        self.files.load()
        self.heard = Heard(self)

    def read(self) -> None:
        self.tries += 1
        if self.error is not None:
            raise self.error
        self.held = self.path.read_text()

    def told(self) -> list[str]:
        """The errors that were logged."""
        return [str(event["error"]) for event in self.heard.events]

    def test_changed(self) -> None:
        """What has changed is read once, and told; what has not isn't read, but by force."""
        self.files.refresh()
        self.assertEqual((self.tries, self.news), (1, []))
        self.path.write_text("new words")
        for again in (self.files.refresh, self.files.glance, self.files.refresh):
            again()
        self.assertEqual((self.tries, self.news), (2, ["new words"]))
        self.files.refresh(force=True)
        self.assertEqual(self.news, ["new words"] * 2)

    def test_failed(self) -> None:
        """What couldn't be read is tried again at every look though nothing else changes, whatever was raised: what was
        read before stays, and each error is told once until there is another or it was read."""
        self.path.write_text("newer")
        for error, text in (
            (ConfigError("half of it"), "half of it"),
            (OSError(24, "Too many open files", "/x"), "/x: Too many open files"),
            (MemoryError("of a kind that nobody expects"), "MemoryError: of a kind that nobody expects"),
        ):
            self.error = error
            for _ in range(3):
                self.files.refresh()
            self.assertEqual((self.told()[-1], self.held), (text, "old"))
        self.assertEqual((len(self.told()), self.tries), (3, 10))
        self.files.refresh(force=True)
        self.assertEqual(len(self.told()), 4, "who asks for it waits to hear how it went")
        self.error = None
        self.files.refresh()
        self.assertEqual((self.held, self.news), ("newer", ["newer"]))
        self.path.write_text("newest")
        self.error = error
        self.files.refresh()
        self.assertEqual(len(self.told()), 5)

    def test_glance(self) -> None:
        """Who asks often doesn't try again what has failed: a change is tried, and the next look."""
        self.path.write_text("newer")
        self.error = ConfigError("half of it")
        for _ in range(9):
            self.files.glance()
        self.assertEqual(self.tries, 2)
        self.error = None
        self.files.glance()
        self.assertEqual(self.held, "old")
        self.files.refresh()
        self.assertEqual(self.held, "newer")

    def test_unseen(self) -> None:
        """Files that can't even be looked for are an error, told once; found again unchanged they aren't read."""
        paths: list[Path] = []

        def find() -> list[str]:
            if not paths:
                raise OSError(24, "Too many open files", "/x")
            return [str(self.path)]

        self.files.paths = find
        for _ in range(2):
            self.files.refresh()
            self.files.refresh()
            paths.append(self.path)
            self.files.refresh()
            paths.clear()
        self.assertEqual((self.told(), self.tries), (["/x: Too many open files"] * 2, 1))
