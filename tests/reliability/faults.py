"""The faults of faults.toml: what must happen, how soon, and the live test that shows it."""

import tomllib
from pathlib import Path

from attrs import frozen


@frozen
class Fault:
    """A row of docs/reliability.rst."""

    name: str
    """By which its test names it."""
    what: str
    must: str
    test: str
    """Below tests.live."""
    seconds: float | None = None
    """None: no time is promised; the test says in words what it saw."""
    slack: float = 0.0
    """Seconds more for what comes at a time, not within one."""


ROWS = [Fault(**row) for row in tomllib.loads(Path(__file__).with_suffix(".toml").read_text())["fault"]]
FAULTS = {fault.name: fault for fault in ROWS}
