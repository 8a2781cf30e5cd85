"""Schedules in another process, whose strings have other hashes."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def histories_of(module: str, seeds: list[int]) -> str:
    """Return what a module's `histories` prints of these seeds there."""
    work = f"from {module} import histories; histories({seeds})"
    other = {"0": "1"}.get(os.environ.get("PYTHONHASHSEED", ""), "0")
    environment = {**os.environ, "PYTHONHASHSEED": other}
    there = subprocess.run(
        [sys.executable, "-c", work], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return there.stdout
