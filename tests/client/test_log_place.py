"""log_place.py: where a log stands at standard output, and the file that keeps it."""

import io
import json
from contextlib import redirect_stderr

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.client.log_place import LogPlace
from streamrelay.errors import ConfigError
from tests.fakes.files import folder, no_room


class Places(SynchronousTestCase):
    """A place, with a file."""

    def setUp(self) -> None:
        self.path = folder(self) / "place"
        self.place = LogPlace("web-1", "log", str(self.path))

    def again(self) -> LogPlace:
        """The place with which another command begins."""
        place = LogPlace("web-1", "log", str(self.path))
        place.load()
        return place

    def test_kept(self) -> None:
        """A command goes on behind the last byte that the one before has passed on."""
        self.place.load()
        self.place.at("p1")
        self.place.passed(100)
        self.place.at("p2")
        self.place.passed(3)
        self.place.passed(4)
        self.place.finish(False)
        again = self.again()
        self.assertEqual((again.place, again.after), ("p2", 7))

    def test_killed(self) -> None:
        """After a kill it goes on at the last place: what came behind that comes again, and nothing is left out."""
        self.place.at("p1")
        self.place.passed(100)
        again = self.again()
        self.assertEqual((again.place, again.after), ("p1", 0))

    def test_no_more_bytes(self) -> None:
        """A command that gets nothing keeps what the one before kept."""
        self.place.at("p1")
        self.place.passed(9)
        self.place.finish(False)
        before = self.path.read_bytes()
        self.again().finish(False)
        self.assertEqual(self.path.read_bytes(), before)

    def test_others(self) -> None:
        """A file of another log, or with something else in it, is refused by its name, and stays as it is."""
        self.place.at("p1")
        for host, target in (("web-2", "log"), ("web-1", "log2")):
            other = LogPlace(host, target, str(self.path))
            self.assertIn("a place in log of web-1", str(self.assertRaises(ConfigError, other.load)))
        for content in ("\n", "{}", "p1", '{"host":"web-1","target":"log","place":""}', "\xff"):
            self.path.write_text(content, encoding="latin-1")
            self.assertIn("holds no place", str(self.assertRaises(ConfigError, self.place.load)))
            self.assertEqual(self.path.read_text(encoding="latin-1"), content)
        folder_itself = LogPlace("web-1", "log", str(self.path.parent))
        self.assertIn("Is a directory", str(self.assertRaises(ConfigError, folder_itself.load)))

    def test_empty(self) -> None:
        """A file that a full disk has left empty is as if it weren't there, with a word that names it."""
        self.path.touch()
        said = io.StringIO()
        with redirect_stderr(said):
            self.assertEqual(self.again().place, "")
        self.assertIn(f"{self.path}: this file is empty", said.getvalue())
        self.assertEqual(said.getvalue().count("\n"), 1)
        with redirect_stderr(said):  # no plain file, so none that may be put in its place
            self.assertRaises(ConfigError, LogPlace("web-1", "log", "/dev/null").load)

    def said(self, verbose: bool = False) -> str:
        said = io.StringIO()
        with redirect_stderr(said):
            self.place.finish(verbose)
            self.place.finish(verbose)
        return said.getvalue()

    def test_no_room(self) -> None:
        """A file that can't be written keeps what it held, and that is said at once, and once."""
        self.place.at("p1")
        said = io.StringIO()
        with no_room(), redirect_stderr(said):
            self.place.at("p2")
            self.assertEqual(said.getvalue(), f"streamrelay: {self.path}: can't be written: File too large\n")
            self.place.at("p3")
            self.place.finish(False)
        self.assertEqual(said.getvalue().count("\n"), 1)
        self.assertTrue(self.place.failure)
        self.assertEqual(json.loads(self.path.read_text())["place"], "p1")
        self.assertEqual([path.name for path in self.path.parent.iterdir()], ["place"])

    def test_words(self) -> None:
        """How to go on is told to who asks for it, ready for a shell; that there is no place to who wants a file."""
        self.assertEqual(self.said(), "streamrelay: log of web-1 has told no place\n")
        self.place = LogPlace("web-1", "log")
        self.assertEqual(self.said(True), "streamrelay: log of web-1 has told no place\n")
        for verbose, words in ((False, ""), (True, "streamrelay: to go on here: --since-place 'p;1' --after 5\n")):
            self.place = LogPlace("web-1", "log")
            self.place.at("p;1")
            self.place.passed(5)
            self.assertEqual(self.said(verbose), words)
