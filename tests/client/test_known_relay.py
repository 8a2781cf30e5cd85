"""known_relay.py: the relay that a platform's last stream came by, in a file."""

import json
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.client.known_relay import LONGEST, MOST, NOWHERE, KnownRelay, cache_file
from tests.fakes.files import folder, no_room

PLATFORM, RELAY = "https://platform.example", "wss://relay.example:8443"
URL = f"{RELAY}/client/a.secret.token"


class Known(SynchronousTestCase):
    """A cache of the test's own."""

    def setUp(self) -> None:
        self.folder = folder(self)
        self.file = self.folder / "cache/streamrelay/relays.json"

    def known(self, platform: str = PLATFORM) -> KnownRelay:
        return KnownRelay(platform, str(self.file))

    def keep(self, platform: str = PLATFORM, url: str = URL) -> None:
        known = self.known(platform)
        known.take()
        known.keep(url)

    def assert_unknown(self) -> None:
        self.assertEqual(self.known().take(), "")

    def test_kept(self) -> None:
        """The relay is kept by the platform's URL, without a word of the stream's, for its user alone."""
        self.assert_unknown()
        self.keep()
        self.assertEqual(self.known().take(), RELAY)
        self.assertEqual(self.known("https://other.example").take(), "")
        self.assertEqual(json.loads(self.file.read_bytes()), {PLATFORM: RELAY})
        modes = [path.stat().st_mode & 0o777 for path in (self.file, self.file.parent, self.file.parent.parent)]
        self.assertEqual(modes, [0o600, 0o700, 0o700])
        self.assertEqual([path.name for path in self.file.parent.iterdir()], ["relays.json"])

    def test_once(self) -> None:
        """A process takes it for its first stream alone."""
        self.keep()
        known = self.known()
        self.assertEqual([known.take(), known.take()], [RELAY, ""])

    def test_changed(self) -> None:
        """The file is written when another relay is to be kept, in one step, and not when it is the same one."""
        self.keep()
        before = self.file.stat().st_ino
        self.keep()
        self.assertEqual(self.file.stat().st_ino, before)
        self.keep(url="wss://b.example/client/t")
        self.keep("https://other.example")
        self.assertEqual(self.known().take(), "wss://b.example")
        self.assertEqual(self.known("https://other.example").take(), RELAY)

    def test_bounded(self) -> None:
        """Of more platforms than are kept those that were kept first go."""
        for number in range(MOST + 2):
            self.keep(f"https://{number}.example")
        names = [name.partition(".")[0] for name in json.loads(self.file.read_bytes())]
        self.assertEqual(names, [f"https://{number}" for number in range(2, MOST + 2)])

    def test_wrong(self) -> None:
        """A file that is none of ours, in whatever way, is as none; the next stream puts a good one in its place."""
        self.file.parent.mkdir(parents=True)
        longest = json.dumps({PLATFORM: RELAY, "x": "x" * LONGEST}).encode()
        for content in (b"", b"{", b"[]", b"\xff", b'{"a": 1}', b'{"https://platform.example": null}', longest):
            self.file.write_bytes(content)
            self.assert_unknown()
            self.keep()
            self.assertEqual(self.known().take(), RELAY)

    def test_of_others(self) -> None:
        """What others may have written is not taken, nor what is no file."""
        self.keep()
        self.file.chmod(0o622)
        self.assert_unknown()
        self.file.unlink()
        os.mkfifo(self.file)
        self.assert_unknown()
        self.file.unlink()
        self.file.mkdir()
        self.assert_unknown()
        self.keep()
        self.assertEqual([path.name for path in self.file.parent.iterdir()], ["relays.json"])

    def test_another_users(self) -> None:
        """Nothing is taken from another user's file, and nothing made in another user's folder, by root either."""
        other = os.geteuid() + 1
        self.keep()
        self.patch(os, "geteuid", lambda: other)
        self.assert_unknown()
        before = self.file.read_bytes()
        self.keep(url="wss://b.example/client/t")
        self.assertEqual(self.file.read_bytes(), before)
        self.file = self.folder / "new/streamrelay/relays.json"
        self.keep()
        self.assertFalse((self.folder / "new").exists())

    def test_no_room(self) -> None:
        """On a full disk the file stays as it is, and nothing else is left."""
        self.keep()
        with no_room():
            self.keep(url="wss://b.example/client/t")
        self.assertEqual(self.known().take(), RELAY)
        self.assertEqual([path.name for path in self.file.parent.iterdir()], ["relays.json"])

    def test_nowhere(self) -> None:
        """Without a cache, nothing is known and nothing is kept."""
        NOWHERE.keep(URL)
        self.assertEqual(NOWHERE.take(), "")

    def test_place(self) -> None:
        """It is in the user's cache, which the environment may put elsewhere, but by a whole path alone."""
        self.assertEqual(cache_file({"XDG_CACHE_HOME": "/c"}), "/c/streamrelay/relays.json")
        home = f"{Path.home()}/.cache/streamrelay/relays.json"
        self.assertEqual([cache_file({}), cache_file({"XDG_CACHE_HOME": "c"})], [home] * 2)
