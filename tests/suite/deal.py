"""The modules of tests, in the order in which workers take them."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
LAST = "tests.live.nothing_leaked"
"""A step of its own once all others are done: it searches what all workers left."""

LONG = (
    *("tests.live.streams.test_leaks", "tests.live.streams.test_vanished", "tests.live.agent.test_hostile_relay"),
    *("tests.simulation.test_simulation", "tests.simulation.test_planted", "tests.web.test_javascript_logs"),
    *("tests.web.test_javascript_promises", "tests.docs.test_docs", "tests.test_start", "tests.protocol.test_jws"),
)
"""They take long for their size: left to the end of the live tests, or of the others, they would run alone."""

ONCE = ("tests.web.", "tests.test_layers", "tests.test_prose")
"""They run Node or read text: their outcome is the same on each Python with the same packages."""


def modules(quick: bool, again: bool = False) -> list[str]:
    """Return all test modules: the live ones first, and of these the long and big ones: so workers end together.

    Where they run `again`, on another Python, those are left out that need no second run.
    """
    paths = [path for path in (ROOT / "tests").rglob("test_*.py") if "node_modules" not in path.parts]
    chosen = [
        path for path in paths if not (quick and is_live(name(path))) and not (again and name(path).startswith(ONCE))
    ]
    return [name(path) for path in sorted(chosen, key=order)]


def order(path: Path) -> tuple[bool, bool, int]:
    return not is_live(name(path)), name(path) not in LONG, -path.stat().st_size


def is_live(name: str) -> bool:
    return name.startswith("tests.live.")


def name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)
