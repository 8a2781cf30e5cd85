"""Promises of docs/reliability.rst, which live tests hold and record (tests/reliability)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.live.support.pace import Stopwatch, timed
from tests.reliability.faults import FAULTS

MARK = "promise: "


@contextmanager
def promised(name: str) -> Iterator[Stopwatch]:
    """Time what must happen after a fault, and hold that to the promise."""
    with timed() as passed:
        yield passed
        took = passed()
    in_time(name, took, passed.fairly(took))


def in_time(name: str, took: float, fair: float) -> None:
    """Record the seconds that it took, and hold what they would have been on a free machine to the promise."""
    fault = FAULTS[name]
    assert fault.seconds is not None, f"no time is promised for {name}"
    assert fair < fault.seconds + fault.slack, f"{fault.what}: {fair:.3f} s, promised are {fault.seconds:g}"
    record(name, seconds=round(took, 4), fair=round(fair, 4))


def kept(name: str, words: str) -> None:
    """Record what was seen of a promise without a time."""
    assert FAULTS[name].seconds is None, f"a time is promised for {name}"
    record(name, words=words)


def record(name: str, **seen: object) -> None:
    print(MARK + json.dumps({"name": name, **seen}))
