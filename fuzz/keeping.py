"""Which of the inputs that a run has found are worth keeping."""

import sys
from pathlib import Path
from types import FrameType
from typing import Any

from fuzz import target as targets
from fuzz.running import INSTRUMENTED
from fuzz.target import Target

Step = tuple[str, int, int]
"""From one line of a file to another."""


def reached(target: Target, source: bytes) -> set[Step]:
    """The steps from line to line that an input takes."""
    steps: set[Step] = set()

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        path = frame.f_code.co_filename
        if not str(frame.f_globals.get("__name__")).startswith(tuple(INSTRUMENTED)):
            return None
        before = frame.f_lineno

        def step(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal before
            steps.add((path, before, frame.f_lineno))
            before = frame.f_lineno
            return step

        return step

    sys.settrace(enter)
    try:
        target.run(source)
    finally:
        sys.settrace(None)
    return steps


def keep(name: str, found: str) -> None:
    """Make the corpus of `name` the smallest inputs, of it and of the directory `found`, that reach all that they do.

    Inputs that once failed stay whatever they reach.
    """
    target = targets.find(name)
    old = [path for path in target.corpus if not path.name.startswith("crash-")]
    sources = {path.read_bytes() for path in [*old, *Path(found).glob("*")]} | set(target.seeds)
    known: set[Step] = set()
    kept = []
    for source in sorted(sources, key=lambda source: (len(source), source)):
        steps = reached(target, source)
        if not steps <= known:
            known |= steps
            kept.append((source, steps))
    for source, steps in kept[::-1]:  # what larger ones reach as well
        others = set().union(*(others for other, others in kept if other is not source))
        if steps <= others:
            kept.remove((source, steps))
    for path in old:
        path.unlink()
    for source, _ in kept:
        targets.keep(name, source)
    print(f"{name}: {len(kept)} of {len(sources)} inputs reach all {len(known)} steps")
