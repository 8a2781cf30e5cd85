"""The modules of tests, in the order in which workers take them."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
LAST = "tests.live.nothing_leaked"
"""A step of its own once all others are done: it searches what all workers left."""


def modules(quick: bool) -> list[str]:
    """Return all test modules: the live ones first, and the big ones before the small, so that workers end together."""
    paths = [path for path in (ROOT / "tests").rglob("test_*.py") if "node_modules" not in path.parts]
    chosen = [path for path in paths if not (quick and is_live(path))]
    return [name(path) for path in sorted(chosen, key=lambda path: (not is_live(path), -path.stat().st_size))]


def is_live(path: Path) -> bool:
    return path.relative_to(ROOT).parts[1] == "live"


def name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)
