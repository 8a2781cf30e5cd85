"""files.py: what has changed, and what is secret."""

import os

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import ConfigError
from streamrelay.files import look, read, read_secret
from tests.fakes import folder


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

    def test_credential(self) -> None:
        """A credential of systemd is taken, whatever its mode shows; another file in that mode is not."""
        self.write("secret", 0o440)
        self.patch(os, "environ", {**os.environ, "CREDENTIALS_DIRECTORY": str(self.where)})
        self.assertEqual(read_secret(self.path, "key"), b"secret")
        self.patch(os, "environ", {**os.environ, "CREDENTIALS_DIRECTORY": "/elsewhere"})
        self.assertRaises(ConfigError, read_secret, self.path, "key")
