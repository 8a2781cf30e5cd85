"""rotation.py: the files that rotation has put beside a log."""

import os
import threading
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.targets.logfile import rotation
from streamrelay.agent.targets.logfile.file import LogFile, open_log
from streamrelay.agent.targets.logfile.position import NOTHING, Position
from streamrelay.agent.targets.logfile.rotation import beside, successor
from streamrelay.agent.targets.logfile.search import find
from tests.examples import finished, there
from tests.fakes.files import folder


class Rotation(SynchronousTestCase):
    """A directory with a log, rotated ones, and others."""

    def setUp(self) -> None:
        self.folder = folder(self)
        self.path = str(self.folder / "log")

    def make(self, *names: str) -> None:
        for name in names:
            (self.folder / name).write_text(name)

    def take(self, file: LogFile | None) -> str | None:
        """What it holds."""
        if file is None:
            return None
        text = file.read(100).decode()
        file.close()
        return text

    def names(self) -> set[str]:
        with beside(self.path) as neighbours:
            finished(neighbours.look((0, 0)))
            return {each.name for each in neighbours.found}

    def after(self, name: str) -> tuple[str | None, bool | None]:
        file = there(open_log(str(self.folder / name)))
        self.addCleanup(file.close)
        found, missing = finished(successor(self.path, file))
        return self.take(found), missing

    def test_names(self) -> None:
        """Rotated are the log's own name with a number or a date, perhaps packed; nothing else."""
        names = {"log.1", "log.2.gz", "log-20260731", "log.2026-07-31", "log.old", "log_3", "log-20260731.xz"}
        self.make(*names, "log", "log2", "logs.1", "log.conf", "log-secret.1", "log.1.bak", "x.log.1", "log.123456x")
        self.assertEqual(self.names(), names)

    def test_names_that_keep_their_ending(self) -> None:
        """So are names with a number or a date before the log's ending; those of other programs' logs are not."""
        self.path = str(self.folder / "app.log")
        names = {"app.1.log", "app-20260731.log", "app-2026-07-31.log", "app.2026-07-31.1.log.gz", "app_2026073112.log"}
        names |= {"app-1785499200.log", "app.log.1", "app.log-20260731"}
        self.make(*names, "app.log", "app-2.log", "app-8080.log", "app-10.0.0.1.log", "app-x.log", "app.1.txt")
        self.assertEqual(self.names(), names)

    def test_dates_that_keep_their_ending(self) -> None:
        """Their order is that of the dates, or the numbers; a row by other names isn't mixed with them."""
        self.path = str(self.folder / "app.log")
        self.make("app.log", "app-20260730.log", "app-20260731.log", "app-20260731-1.log", "app.2.log", "app.1.log")
        self.make("app.log.0", "app.log-20260801")
        self.assertEqual(self.after("app-20260730.log"), ("app-20260731.log", False))
        self.assertEqual(self.after("app-20260731.log"), ("app-20260731-1.log", False))
        self.assertEqual(self.after("app-20260731-1.log"), ("app.log", False))
        self.assertEqual(self.after("app.2.log"), ("app.1.log", False))
        self.assertEqual(self.after("app.1.log"), ("app.log", False))

    def test_link(self) -> None:
        """Where the log is a link, as Kubernetes makes it, its neighbours are those of the file that it leads to."""
        pods = self.folder / "pods"
        pods.mkdir()
        for name in ("0.log", "0.log.20260730-120000", "0.log.20260731-120000", "0.log.20260729-120000.gz"):
            (pods / name).write_text(name)
        link = self.folder / "web.log"
        link.symlink_to(pods / "0.log")
        self.make("web.log.1")
        self.path = str(link)
        self.assertEqual(self.after("pods/0.log.20260730-120000"), ("0.log.20260731-120000", False))
        self.assertEqual(self.after("pods/0.log.20260731-120000"), ("0.log", False))
        self.assertEqual(self.names(), {path.name for path in pods.iterdir()} - {"0.log"})
        with self.assertRaises(OSError), beside(self.path, str(self.folder / "elsewhere")):
            pass

    def test_neighbours(self) -> None:
        """A huge directory isn't searched to its end."""
        self.patch(rotation, "NEIGHBOURS", 5)
        self.make(*(f"log.{number}" for number in range(1, 10)))
        self.assertEqual(len(self.names()), 5)

    def test_find(self) -> None:
        """A file is found by its identity under the log's name or a rotated one, and under no other."""
        self.make("log", "log.1", "log.2.gz", "log-secret")
        for name, text in (("log", "log"), ("log.1", "log.1"), ("log.2.gz", None), ("log-secret", None)):
            self.assertEqual(self.take(finished(find(self.path, beginning(self.folder / name))).file), text)

    def test_find_links(self) -> None:
        """A link or a pipe under a rotated one's name is never opened."""
        self.make("log", "secret")
        (self.folder / "log.1").symlink_to(self.folder / "secret")
        os.mkfifo(self.folder / "log.2")
        for name in ("secret", "log.2"):
            self.assertIsNone(finished(find(self.path, beginning(self.folder / name))).file)

    def test_numbers(self) -> None:
        """Lower numbers are newer, then comes the log itself."""
        self.make("log", "log.1", "log.2", "log.10")
        self.assertEqual(self.after("log.10"), ("log.2", False))
        self.assertEqual(self.after("log.2"), ("log.1", False))
        self.assertEqual(self.after("log.1"), ("log", False))

    def test_dates(self) -> None:
        """Later dates are newer, then comes the log itself; numbers are another row."""
        self.make("log", "log.1", "log-20260730", "log-20260731")
        self.assertEqual(self.after("log-20260730"), ("log-20260731", False))
        self.assertEqual(self.after("log-20260731"), ("log", False))

    def test_packed(self) -> None:
        """What can't be read in between is missing."""
        self.make("log", "log.1", "log.2.gz", "log.3", "log.4")
        self.assertEqual(self.after("log.4"), ("log.3", False))
        self.assertEqual(self.after("log.3"), ("log.1", True))

    def test_elsewhere(self) -> None:
        """After a file that isn't beside the log comes the log, and nobody knows whether something is missing."""
        self.make("log", "another")
        self.assertEqual(self.after("another"), ("log", None))

    def test_none(self) -> None:
        """Where there is none yet, there is none."""
        self.make("log.1")
        self.assertEqual(self.after("log.1"), (None, False))
        self.assertEqual(finished(successor(self.path, None)), (None, None))

    def test_swapped_directory(self) -> None:
        """Rotated files are those of the directory that was looked at, also if a link leads elsewhere by now."""
        inner, evil = self.folder / "in" / "logs", self.folder / "evil"
        for where in (inner, evil):
            where.mkdir(parents=True)
            for name in ("log", "log.1", "log.2"):
                (where / name).write_text(f"{where.name} {name}")
        file = there(open_log(str(inner / "log.2")))
        self.addCleanup(file.close)
        steps = successor(str(inner / "log"), file, str(self.folder / "in"))
        self.patch(rotation, "SLICE", 1)
        next(steps)
        inner.rename(inner.with_name("aside"))
        inner.symlink_to(evil)
        self.assertEqual(self.take(finished(steps)[0]), "logs log.1")
        self.assertEqual(finished(successor(str(inner / "log"), file, str(self.folder / "in"))), (None, None))
        self.assertIsNone(finished(find(str(inner / "log"), beginning(evil / "log.1"), str(self.folder / "in"))).file)

    def renamed_after(self, step: int, names: list[str], renames: list[tuple[str, str]]) -> str | None:
        """What is found behind the first file if after so many steps these are renamed, as by a rotation."""
        for path in self.folder.iterdir():
            path.unlink()
        self.make(*names)
        file = there(open_log(str(self.folder / names[0])))
        steps = successor(self.path, file)
        for _ in range(step):
            next(steps)
        for before, after in renames:
            (self.folder / before).rename(self.folder / after)
        if not (self.folder / "log").exists():
            (self.folder / "log").write_text("newest")
        found, _ = finished(steps)
        file.close()
        return self.take(found)

    def test_renamed_meanwhile(self) -> None:
        """While others are looked at a rotation goes on, whole or in part: no file is passed over by it."""
        self.patch(rotation, "SLICE", 1)
        for step in (1, 2, 3):
            names, renames = ["log.2", "log.1", "log"], [("log.2", "log.3"), ("log.1", "log.2"), ("log", "log.1")]
            for count in range(4):
                self.assertIn(self.renamed_after(step, names, renames[:count]), ("log.1", None), (step, count))
            dated = self.renamed_after(min(step, 2), ["log-20260730", "log"], [("log", "log-20260731")])
            self.assertIn(dated, ("log", None), step)
        self.assertNotEqual(self.renamed_after(4, [*names, "other"], [("other", "log.1")]), "other")


def beginning(path: Any) -> Position:
    """The position at a file's beginning."""
    status = os.stat(path)
    return Position(status.st_dev, status.st_ino, 0, 0, NOTHING, 0)


class ManyFiles(SynchronousTestCase):
    """A directory with thousands of names such as rotation gives, as one who may write there can make them."""

    def setUp(self) -> None:
        self.folder = folder(self)
        self.path = str(self.folder / "log")
        self.calls = 0
        self.most = 0
        for name in ("lstat", "open"):
            self.patch(os, name, self.counted(getattr(os, name)))

    def counted(self, function: Any) -> Any:
        own = threading.get_ident()

        def call(*arguments: Any, **named: Any) -> Any:
            self.calls += threading.get_ident() == own
            return function(*arguments, **named)

        return call

    def steps(self, steps: Any) -> Any:
        """The result of work by steps, and note how many files were looked at or opened in one of them."""

        def counted() -> Any:
            while True:
                self.calls = 0
                try:
                    next(steps)
                except StopIteration as done:
                    return done.value
                finally:
                    self.most = max(self.most, self.calls)
                yield

        return finished(counted())

    def test_find(self) -> None:
        """Each step of a search for a place's file looks at few of them, also for one that isn't there."""
        for number in range(1000):
            (self.folder / f"log.{number}").touch()
        for wanted in (beginning(self.folder / "log.999"), Position(0, 0, 0, 0, NOTHING, 0)):
            found = self.steps(find(self.path, wanted)).file
            self.assertEqual(found is None, wanted.inode == 0)
            if found is not None:
                found.close()
        self.assertLessEqual(self.most, 30)

    def test_successor(self) -> None:
        """So does each step of a search for the file that came next, also if none of 1,000 before it can be read."""
        for number in range(1, 1000):
            (self.folder / f"log.{number}").symlink_to("nowhere")
        (self.folder / "log.1000").write_text("old")
        (self.folder / "log").write_text("new")
        old = there(open_log(str(self.folder / "log.1000")))
        self.addCleanup(old.close)
        newer, missing = self.steps(successor(self.path, old))
        self.assertEqual((newer.read(10), missing), (b"new", True))
        newer.close()
        self.assertLessEqual(self.most, 30)
