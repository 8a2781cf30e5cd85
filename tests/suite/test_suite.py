"""Tests of what runs the tests: whatever a test does, the run comes to its end and says which test it was."""

import contextlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from configparser import ConfigParser
from functools import partial
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.files import folder as temporary
from tests.live.support.processes import alive
from tests.suite import crew, guard
from tests.suite.crew import Crew
from tests.suite.deal import LONG, ONCE, ROOT, modules
from tests.suite.report import Outcome, Report
from tests.suite.skips import Allowed, Skips

HEAD = """
import os, signal, subprocess, sys, time
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase
"""


class Planted(SynchronousTestCase):
    """Modules that are written for the test, and run as any other."""

    def setUp(self) -> None:
        self.folder = temporary(self)
        path = os.environ.get("PYTHONPATH")
        self.patch(os, "environ", {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(self.folder), path)))})
        os.environ.pop(guard.MARK, None)
        os.environ.pop("STREAMRELAY_COUNTS", None)  # runs of the tests themselves don't count
        self.shown = ""

    def go(self, *sources: str, skips: Skips | None = None, grace: float = 60.0) -> dict[str, Outcome]:
        """Run a module for each source; the outcomes by the tests' names without their module."""
        names = []
        for number, source in enumerate(sources):
            names.append(f"planted_{os.getpid()}_{time.monotonic_ns()}_{number}")
            (self.folder / f"{names[-1]}.py").write_text(HEAD + source)
        return self.run_some(names, skips, grace)

    def run_some(self, names: list[str], skips: Skips | None = None, grace: float = 60.0) -> dict[str, Outcome]:
        self.report = Report(len(names), self.folder / "trial.log", skips)
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            Crew(1, self.folder, ("-m",), self.report, grace).run(names)
            self.well = self.report.end([])
        self.shown = shown.getvalue()
        return {outcome.test.partition(".")[2]: outcome for outcome in self.report.outcomes}

    def test_notes(self) -> None:
        """What a failure has in its notes is shown: of a property test the example that failed."""
        self.go(
            "from hypothesis import given, strategies\n"
            "class A(SynchronousTestCase):\n"
            "    @given(strategies.just('the one'))\n"
            "    def test_bad(self, example): self.fail()\n"
        )
        self.assertIn("example='the one'", self.shown)

    def test_counts(self) -> None:
        """Each test counts once, by its worst outcome; the last line has the counts."""
        found = self.go(
            "class A(SynchronousTestCase):\n"
            "    def test_good(self): pass\n"
            "    def test_bad(self): self.addCleanup(self.fail, 'twice'); self.fail('once')\n"
            "    def test_skipped(self): raise SkipTest('needs a thing')\n"
            "    def test_expected(self): self.fail()\n"
            "    test_expected.todo = 'it is known'\n"
        )
        words = {name: outcome.word for name, outcome in found.items()}
        good = {"A.test_good": "passed", "A.test_expected": "passed"}
        self.assertEqual(words, {**good, "A.test_bad": "failed", "A.test_skipped": "skipped"})
        self.assertEqual(self.shown.splitlines()[-1], "2 passed, 1 failed, 1 skipped")
        self.assertIn("skipped: 1 because: needs a thing", self.shown)
        self.assertFalse(self.well)

    def test_hangs(self) -> None:
        """A test that waits for ever fails by its limit, with the line where it waits; the next one runs."""
        found = self.go(
            "class A(SynchronousTestCase):\n"
            "    time_limit = 0.2\n"
            "    def test_1(self): subprocess.run(['sleep', '1000'])\n"
            "    def test_2(self): time.sleep(1000)\n"
            "class B(SynchronousTestCase):\n"  # with a limit that a busy machine keeps
            "    def test_3(self): pass\n"
        )
        words = [found[name].word for name in ("A.test_1", "A.test_2", "B.test_3")]
        self.assertEqual(words, ["failed", "failed", "passed"])
        self.assertIn("has not ended after 0.2 s", found["A.test_2"].texts[0])
        self.assertIn("time.sleep(1000)", found["A.test_2"].texts[0])

    def test_hangs_deaf(self) -> None:
        """One that no alarm reaches is ended with its worker, which shows its stack; the next module runs."""
        deaf = (
            "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\n"  # before its time begins
            "class A(SynchronousTestCase):\n"
            "    time_limit = 0.1\n"
            "    def test_deaf(self):\n"
            "        time.sleep(1000)\n"
        )
        found = self.go(deaf, "class B(SynchronousTestCase):\n    def test_next(self): pass\n", grace=5.0)
        self.assertEqual((found["A.test_deaf"].word, found["B.test_next"].word), ("failed", "passed"))
        self.assertIn("in test_deaf", found["A.test_deaf"].texts[0])

    def test_dies(self) -> None:
        """A test that ends its process has failed; the next module runs."""
        dies = "class A(SynchronousTestCase):\n    def test_dies(self): os._exit(3)\n"
        found = self.go(dies, "class B(SynchronousTestCase):\n    def test_next(self): pass\n")
        self.assertEqual((found["A.test_dies"].word, found["B.test_next"].word), ("failed", "passed"))
        self.assertIn("ended with 3", found["A.test_dies"].texts[0])

    def test_no_module(self) -> None:
        """A module that can't be imported is a failure that says why."""
        self.go("import nothing_of_this_name\n")
        self.assertFalse(self.well)
        self.assertIn("nothing_of_this_name", self.shown)
        self.assertEqual(self.shown.splitlines()[-1], "0 passed, 1 failed, 0 skipped")

    def test_skips(self) -> None:
        """Where nothing need be missing, a skip that isn't on the list fails; the list is of reasons."""
        source = (
            "class A(SynchronousTestCase):\n"
            "    def test_known(self): raise SkipTest('needs a moon of 3 GiB')\n"
            "    def test_new(self): raise SkipTest('needs the program chromium')\n"
        )
        found = self.go(source, skips=Skips([Allowed(r"needs a moon of \d+ GiB", "there is none")]))
        self.assertEqual((found["A.test_known"].word, found["A.test_new"].word), ("skipped", "failed"))
        self.assertIn("needs the program chromium", found["A.test_new"].texts[0])

    def test_gaps(self) -> None:
        """Beside live tests one more worker of lower priority runs others from the last one on; else there is none."""
        self.patch(crew, "is_live", lambda name: name == "live")
        seen, nice = self.folder / "seen", os.getpriority(os.PRIO_PROCESS, 0)
        tells = f"print(__name__, os.nice(0) - {nice}, file=open('{seen}', 'a'))"
        waits = f"while not os.path.exists('{seen}'): time.sleep(0.01)"
        for name, body in (("live", waits), ("first", tells), ("last", tells)):
            test = f"class A(SynchronousTestCase):\n    def test_it(self):\n        {body}\n"
            (self.folder / f"{name}.py").write_text(HEAD + test)
        self.run_some(["live", "first", "last"])
        self.assertEqual(seen.read_text().split()[:2], ["last", str(min(crew.NICE, 19 - nice))])
        seen.unlink()
        self.run_some(["first", "last"])
        self.assertEqual(seen.read_text().split(), ["first", "0", "last", "0"])

    def test_list(self) -> None:
        """The list itself can be read, and says why of each."""
        for entry in Skips.read().allowed:
            self.assertTrue(entry.why)

    def test_all(self) -> None:
        """Every module of tests is dealt; the live ones are first, and left out of the quick part; those that take long
        are first of each."""
        every, quick = modules(False), modules(True)
        live = every[: len(every) - len(quick)]
        self.assertEqual(len(set(every)), len(every))
        self.assertEqual(every[len(live) :], quick)
        self.assertTrue(all(name.startswith("tests.live.") for name in live))
        self.assertIn("tests.suite.test_suite", quick)
        self.assertFalse(any(name.startswith("tests.live.") for name in quick))
        for part in (live, quick):
            long = set(LONG) & set(part)
            self.assertEqual(set(part[: len(long)]), long)
        self.assertEqual(set(LONG) - set(every), set())

    def test_again(self) -> None:
        """On a further Python all are dealt but those that are named, each of which is there."""
        left_out = set(modules(True)) - set(modules(True, again=True))
        for prefix in ONCE:
            self.assertTrue(any(module.startswith(prefix) for module in left_out), prefix)
        self.assertTrue(all(module.startswith(ONCE) for module in left_out), left_out)


class Coverage(SynchronousTestCase):
    """What `./check --coverage` measures."""

    def test_files(self) -> None:
        """Every file whose coverage is asked for is there: one that was moved doesn't drop out in silence."""
        settings = ConfigParser(interpolation=None)
        settings.read(ROOT / "setup.cfg")
        files = settings["coverage:run"]["include"].split()
        self.assertGreater(len(files), 20)
        self.assertEqual([name for name in files if not (ROOT / name).is_file()], [])


class Guarded(SynchronousTestCase):
    """What a process of tests starts ends with it."""

    def test_killed(self) -> None:
        """All that was started is killed with the one that started it: in other sessions too, and descendants."""
        script = (
            "import os, subprocess, sys, time\n"
            "from tests.suite import guard\n"
            "guard.watch()\n"
            "one = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
            "bare = ['env', '-i', 'sh', '-c', 'echo $$; exec sleep 1000']\n"
            "two = subprocess.Popen(['sh', '-c', '\"$@\"; true', 'sh', *bare], start_new_session=True)\n"
            "os.write(1, f'{one.pid} {two.pid}\\n'.encode())\n"  # at once: the other shell writes there, too
            "time.sleep(1000)\n"
        )
        started = subprocess.Popen((sys.executable, "-c", script), cwd=ROOT, stdout=subprocess.PIPE)
        assert started.stdout is not None
        with started.stdout as lines:
            pids = [int(word) for line in (lines.readline(), lines.readline()) for word in line.split()]
        self.assertEqual(len(pids), 3)
        self.end(started, pids)

    def test_one_run(self) -> None:
        """What the processes of a run start bears the mark of all of them, and what another run's start doesn't."""
        script = (
            "import os, subprocess\n"
            "from tests.suite import guard\n"
            "guard.watch()\n"
            "os.write(1, b'%d\\n' % subprocess.Popen(['sleep', '1000'], stdout=2).pid)\n"
            "os.read(0, 1)\n"
        )
        guard.watch()
        strange = {**os.environ, guard.MARK: "another"}
        for environ, ours in ((dict(os.environ), True), (strange, False)):
            pipe = subprocess.PIPE
            command = (sys.executable, "-c", script)
            with subprocess.Popen(command, cwd=ROOT, env=environ, stdin=pipe, stdout=pipe) as started:
                assert started.stdout is not None
                child = int(started.stdout.readline())
                wait_until(partial(has_environment, child), "it has no environment")
                self.assertEqual(guard.bears_mark(child), ours)
            self.ends(child)

    def ends(self, pid: int) -> None:
        wait_until(lambda: not alive(pid), "it lives on")

    def test_run_killed(self) -> None:
        """When a whole run is killed its workers end, and what their tests have started."""
        folder = temporary(self)
        (folder / "planted.py").write_text(
            f"{HEAD}class A(SynchronousTestCase):\n"
            "    def test_sleeps(self):\n"
            "        child = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
            f"        with open('{folder}/new', 'w') as file: file.write(f'{{os.getpid()}} {{child.pid}}')\n"
            f"        os.rename('{folder}/new', '{folder}/pids')\n"
            "        child.wait()\n"
        )
        started = subprocess.Popen(
            (sys.executable, "-m", "tests.suite", "--folder", str(folder / "trial"), "planted"),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(folder), "STREAMRELAY_COUNTS": ""},
            stdout=subprocess.DEVNULL,
        )
        wait_until((folder / "pids").exists, "the test didn't begin")
        self.end(started, [int(word) for word in (folder / "pids").read_text().split()])

    def end(self, started: "subprocess.Popen[bytes]", pids: list[int]) -> None:
        """Kill a process; those others end."""
        self.assertTrue(all(map(alive, pids)))
        started.kill()
        started.wait()
        wait_until(lambda: not any(map(alive, pids)), "they live on")


def wait_until(true: Callable[[], bool], else_: str) -> None:
    end = time.monotonic() + 60
    while not true():
        if time.monotonic() > end:
            raise AssertionError(else_)
        time.sleep(0.02)


def has_environment(pid: int) -> bool:
    """Whether a process' environment can be seen; for a moment of exec(2) it can't."""
    return Path(f"/proc/{pid}/environ").read_bytes() != b""
