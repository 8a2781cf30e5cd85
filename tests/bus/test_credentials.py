"""credentials.py: NKEYs and credentials files."""

import base64

import nkeys
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.bus import credentials
from streamrelay.errors import ConfigError
from tests.fakes.files import folder

JWT = "eyJ0eXAi.eyJqdGki.c2lnbmVk"
CREDS = """\
-----BEGIN NATS USER JWT-----
{jwt}
------END NATS USER JWT------

************************* IMPORTANT *************************
-----BEGIN USER NKEY SEED-----
{seed}
------END USER NKEY SEED------
"""


class Case(SynchronousTestCase):
    """A file of secrets."""

    def setUp(self) -> None:
        self.path = folder(self) / "secret"
        self.seed, self.public = credentials.generate()

    def write(self, text: str | bytes, mode: int = 0o600) -> str:
        self.path.write_bytes(text.encode() if isinstance(text, str) else text)
        self.path.chmod(mode)
        return str(self.path)

    def refused(self, text: str | bytes, mode: int = 0o600, creds: bool = False) -> str:
        path = self.write(text, mode)
        error = str(self.assertRaises(ConfigError, credentials.load, "" if creds else path, path if creds else ""))
        self.assertIn(path, error)
        self.assertNotIn(self.seed.decode(), error)
        return error


class Nkeys(Case):
    """A seed alone."""

    def test_signs(self) -> None:
        """What a seed signs is verified by its public half, and by no other."""
        shown = credentials.load(self.write(self.seed + b"\n"), "")
        assert shown is not None
        self.assertEqual((shown.public, shown.jwt), (self.public, ""))
        signature = base64.b64decode(shown.sign("nonce"))
        self.assertTrue(nkeys.from_seed(bytearray(self.seed)).verify(b"nonce", signature))
        other = nkeys.from_seed(bytearray(credentials.generate()[0]))
        self.assertRaises(nkeys.ErrInvalidSignature, other.verify, b"nonce", signature)
        self.assertNotIn(self.seed.decode(), repr(shown))

    def test_generated(self) -> None:
        """Every key is new, of a user, and in the form that NATS takes."""
        made = {credentials.generate() for _ in range(20)}
        self.assertEqual(len({seed for seed, _ in made} | {public for _, public in made}), 40)
        for seed, public in made:
            self.assertRegex(seed.decode(), r"\ASU[A-Z2-7]{56}\Z")
            self.assertRegex(public, f"\\A{credentials.PUBLIC}\\Z")

    def test_mode(self) -> None:
        """A seed that others may read is refused with the command that mends it."""
        for mode in (0o640, 0o604, 0o660, 0o610):
            self.assertIn(f"chmod 600 {self.path}", self.refused(self.seed, mode))
        self.assertIn(
            "chmod 600", str(self.assertRaises(ConfigError, credentials.public_key, self.write(self.seed, 0o644)))
        )

    def test_wrong(self) -> None:
        """What is no user's seed is refused, one with a wrong letter and other kinds of keys among it."""
        text = self.seed.decode()
        changed = text[:20] + ("A" if text[20] != "A" else "B") + text[21:]
        account = nkeys.encode_seed(bytes(32), nkeys.PREFIX_BYTE_ACCOUNT)
        for wrong in ("", "SU", changed, text[:-1], text + "A", text.lower(), account, b"\xff" * 58, f"{text} {text}"):
            self.assertIn("SU…", self.refused(wrong))
        self.assertIn("public", self.refused(self.public))

    def test_missing(self) -> None:
        """A file that isn't there is refused by its name; none is asked for, none is read."""
        self.assertRaises(ConfigError, credentials.load, str(self.path), "")
        self.assertRaises(ConfigError, credentials.load, "", str(self.path))
        self.assertIsNone(credentials.load("", ""))


class Files(Case):
    """Credentials files."""

    def test_whole(self) -> None:
        """A credentials file brings its JWT, and its seed signs."""
        shown = credentials.load("", self.write(CREDS.format(jwt=JWT, seed=self.seed.decode())))
        assert shown is not None
        self.assertEqual((shown.jwt, shown.public), (JWT, self.public))
        self.assertNotIn(JWT, repr(shown))

    def test_windows(self) -> None:
        """The ends of its lines may be those of Windows."""
        text = CREDS.format(jwt=JWT, seed=self.seed.decode()).replace("\n", "\r\n")
        shown = credentials.load("", self.write(text))
        assert shown is not None
        self.assertEqual(shown.jwt, JWT)

    def test_wrong(self) -> None:
        """A file that is empty, cut off, or of something else is refused at once."""
        whole = CREDS.format(jwt=JWT, seed=self.seed.decode())
        for wrong in (
            "",
            "no credentials",
            self.seed,
            whole[:40],
            whole[: whole.index("SEED")],
            CREDS.format(jwt=JWT, seed="SUX"),
        ):
            self.refused(wrong, creds=True)
        self.assertIn("chmod 600", self.refused(whole, 0o644, creds=True))
