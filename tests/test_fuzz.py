"""fuzz/: every input that was worth keeping, and some that hypothesis makes of them."""

import importlib.util
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from fuzz import target as targets
from fuzz.choices import Choices
from fuzz.running import BLOCKS, Sample, grown
from fuzz.target import TARGETS, Target, find
from tests.examples import examples

ROOT = Path(targets.__file__).parent.parent


def mutated(target: Target) -> st.SearchStrategy[bytes]:
    """Any bytes, and inputs of the corpus with pieces cut out, put in and repeated."""
    known = st.sampled_from([path.read_bytes() for path in target.corpus] + target.seeds)
    piece = st.one_of(st.binary(max_size=8), st.sampled_from(target.words), known.map(lambda source: source[:64]))

    def put(source: bytes, piece: bytes, place: int, gone: int) -> bytes:
        place %= len(source) + 1
        return source[:place] + piece + source[place + gone :]

    place, gone = st.integers(0, 9000), st.integers(0, 16)
    once = st.builds(put, known, piece, place, gone)
    return st.one_of(st.binary(max_size=64), once, st.builds(put, once, piece, place, gone))


class Kept(SynchronousTestCase):
    """The inputs in fuzz/corpus: those that reach every line of a target between them, and all that ever failed."""

    def test_there(self) -> None:
        """Each target has a corpus, and nothing else has."""
        self.assertEqual({path.name for path in targets.CORPUS.iterdir()}, set(TARGETS))
        for name in TARGETS:
            self.assertGreaterEqual(len(find(name).corpus), 4, name)  # so few reach all of the smallest


class Tried(SynchronousTestCase):
    """Inputs that are made on the spot."""


def _replay(name: str) -> Callable[[SynchronousTestCase], None]:
    def test(case: SynchronousTestCase) -> None:
        target = find(name)
        for source in target.seeds:
            target.run(source)
        for path in target.corpus:
            try:
                target.run(path.read_bytes())
            except Exception as error:
                raise AssertionError(f"{path.relative_to(ROOT)}: {error!r}") from error

    test.__doc__ = f"Every input kept of {name} holds that target's invariant."
    return test


def _try(name: str) -> Callable[[SynchronousTestCase], None]:
    def test(case: SynchronousTestCase) -> None:
        target = find(name)

        @examples(150)
        @given(mutated(target))
        def tried(source: bytes) -> None:
            target.run(source)

        tried()

    test.__doc__ = f"Whatever is made of what is known of {name} holds that target's invariant."
    return test


for _name in TARGETS:
    setattr(Kept, f"test_{_name}", _replay(_name))
    setattr(Tried, f"test_{_name}", _try(_name))


class Deciding(SynchronousTestCase):
    """What an input's bytes are made into, and when a run has failed."""

    def test_choices(self) -> None:
        """Decisions are the same for the same bytes, and the first ones once those are used up."""
        choices = Choices(b"\x05\x02ab\x01\x00rest")
        self.assertEqual((choices.number(4), choices.block(), choices.number(300)), (1, b"ab", 256))
        self.assertTrue(choices)
        self.assertEqual(choices.rest(), b"rest")
        self.assertFalse(choices)
        self.assertEqual(
            (choices.number(9), choices.pick("xyz"), choices.block(), choices.flag()), (0, "x", b"", False)
        )

    def test_pieces(self) -> None:
        """However bytes are cut, the pieces are all of them, in order, and none is empty."""
        for seed in range(200):
            source = random.Random(seed).randbytes(seed % 40)
            pieces = Choices(random.Random(-seed).randbytes(9)).pieces(source)
            self.assertEqual(b"".join(pieces), source)
            self.assertNotIn(b"", pieces)

    def test_growth(self) -> None:
        """A run fails if it leaves a block of memory behind at every hundredth input, or 16 MiB in all."""
        first = Sample(100_000, 1, 80.0, 500_000)
        for resident, blocks, fails in (
            (80.0, 500_000, False),
            (90.0, 500_000 + BLOCKS, False),
            (80.0, 500_001 + BLOCKS, True),
            (97.0, 500_000, True),
        ):
            self.assertIs(grown(first, Sample(1_000_000, 9, resident, blocks)), fails)

    def test_logged_failure(self) -> None:
        """An error that the code has caught and logged fails an input as well."""
        target = find("dial")
        module: Any = ModuleType("failing")
        module.fuzz = lambda source: Logger().failure("oh", Failure(KeyError("x")))
        failing = Target("dial", module)
        self.assertRaises(AssertionError, failing.run, b"")
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        target.run(b"")


class Command(SynchronousTestCase):
    """python -m fuzz"""

    def test_runs(self) -> None:
        """A short run tells executions, speed and memory and ends well; without atheris it says how to get it."""
        command = [sys.executable, "-m", "fuzz", "tokens", "--runs", "200"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
        if importlib.util.find_spec("atheris") is None:
            self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1))
            self.assertIn("pip install '.[fuzz]'", done.stderr)
            return
        self.assertEqual(done.returncode, 0, done.stderr)
        last = done.stdout.splitlines()[-1]
        self.assertRegex(last, r"^tokens: 200 executions in \d+ s, \d+ exec/s, [\d.]+ MiB resident, .* memory grew by ")
