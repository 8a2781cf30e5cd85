"""target_files.py: which files are read again, how many, and by whom."""

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.catalogue import Catalogue
from streamrelay.agent.target_files import TOLD, Apart, Content, Read, TargetFiles, in_thread
from streamrelay.errors import ConfigError
from tests.fakes.files import folder
from tests.fakes.logs import Heard
from tests.fakes.reactors import FakeReactor

MANY = 400


@define(eq=False)
class Aside:
    """Work that is done when the test says so."""

    waiting: list[tuple[Callable[[], Any], Callable[[Any], None]]] = field(factory=list)

    def __call__(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self.waiting.append((work, done))

    def work(self) -> Callable[[], None]:
        """Do what waits, as a thread does; the reactor is told by calling the result."""
        work, done = self.waiting.pop(0)
        result = work()
        return lambda: done(result)


_apart: Apart = Aside()


def calls(work: Callable[[], object]) -> int:
    """How many functions are called while this is done."""
    counted = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return counted


class Case(SynchronousTestCase):
    """A directory of many files with a target each."""

    def setUp(self) -> None:
        self.where = folder(self)
        self.where.chmod(0o755)
        for number in range(MANY):
            self.write(number)

    def write(self, number: int, more: str = "") -> None:
        path = self.where / f"{number:05}.toml"
        path.write_text(f'[targets.t{number}{more}]\nkind = "log"\npath = "/x"\n')
        path.chmod(0o644)


class Changed(Case):
    """Reading by a function that notes what it is asked for."""

    def setUp(self) -> None:
        super().setUp()
        self.asked: list[str] = []
        self.taken: list[Read[str]] = []
        self.files: TargetFiles[str] = TargetFiles(self.paths, self.read, self.taken.append, lambda: None)
        self.files.load()

    def paths(self) -> list[str]:
        return sorted(str(path) for path in self.where.iterdir())

    def read(self, path: str) -> Content[str]:
        self.asked.append(path)
        with open(path) as file:
            text = file.read()
        if "wrong" in text:
            raise ConfigError(f"{path}: wrong")
        return Content({path: text}, {})

    def read_now(self, force: bool = False) -> list[str]:
        self.asked.clear()
        self.files.refresh(force)
        return [os.path.basename(path) for path in self.asked]

    def test_only_changed(self) -> None:
        """Of many files only those that are new, changed, or were wrong are read again; by force, all are."""
        self.assertEqual(len(self.asked), MANY)
        self.assertEqual(self.read_now(), [])
        self.write(7, "new")
        self.assertEqual(self.read_now(), ["00007.toml"])
        (self.where / "00009.toml").unlink()
        self.assertEqual(self.read_now(), [])
        self.assertEqual(len(self.taken[-1].targets), MANY - 1)
        self.write(MANY)
        self.write(3, "wrong")
        self.assertEqual(self.read_now(), ["00003.toml", f"{MANY:05}.toml"])
        self.assertEqual(self.read_now(), ["00003.toml"])
        self.write(3)
        self.assertEqual(self.read_now(), ["00003.toml"])
        self.assertEqual(self.read_now(), [])
        self.assertEqual(len(self.read_now(force=True)), MANY)

    def test_many_wrong(self) -> None:
        """When many files become wrong at once, a few are told by themselves and the others by their number."""
        heard = Heard(self)
        for number in range(MANY):
            self.write(number, "wrong")
        for _ in range(2):
            self.files.refresh()
        self.assertEqual(len(heard.lines), TOLD + 1)
        self.assertIn(f"the targets of {MANY - TOLD} more files", heard.lines[-1])
        self.files.refresh(force=True)
        self.assertEqual(heard.lines[TOLD + 1 :], heard.lines[: TOLD + 1], "who asks for it waits to hear how it went")

    def test_one_at_a_time(self) -> None:
        """While files are looked at nobody looks a second time; who has asked for all of them meanwhile gets them."""
        aside = self.files.apart = Aside()
        for _ in range(3):
            self.files.refresh()
        self.assertEqual(len(aside.waiting), 1)
        self.asked.clear()
        self.files.refresh(force=True)
        aside.work()()
        self.assertEqual((self.asked, len(aside.waiting)), ([], 1))
        aside.work()()
        self.assertEqual((len(self.asked), len(aside.waiting)), (MANY, 0))


class Turns(Case):
    """How much of the work is done where streams wait for it."""

    def test_reactors_turns(self) -> None:
        """The reactor's turns neither look at files nor read them, and take few steps for each target there is."""
        catalogue = Catalogue("", str(self.where))
        catalogue.load()
        told: list[int] = []
        catalogue.changed = lambda: told.append(len(catalogue.entries))
        aside = catalogue.files.apart = Aside()
        self.write(7, "new")
        self.assertLess(calls(catalogue.files.refresh), 20)
        self.assertIn("t7", catalogue.entries)
        done: list[Callable[[], None]] = []
        self.assertGreater(calls(lambda: done.append(aside.work())), MANY)
        self.assertIn("t7", catalogue.entries)
        self.assertLess(calls(done[0]), 12 * MANY)
        self.assertIn("t7new", catalogue.entries)
        self.assertEqual(told, [MANY])
        self.assertLess(calls(catalogue.files.refresh), 20)
        done[0] = aside.work()
        self.assertLess(calls(done[0]), 20)

    def test_thread(self) -> None:
        """The work is done by another thread, and its result is given to the reactor."""
        reactor = FakeReactor()
        got: list[object] = []
        in_thread(reactor)(_thread, got.append)
        self.assertEqual(got, [])
        reactor.hear_thread()
        self.assertEqual(got, ["targets"])


def _thread() -> str:
    return threading.current_thread().name
