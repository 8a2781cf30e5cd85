"""docs/reliability.rst, made of the faults and of what was measured."""

import json
from pathlib import Path
from typing import Any

from tests.reliability.faults import ROWS, Fault

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.rst"
MEASURED = Path(__file__).with_name("measured.json")
SIMULATED = Path(__file__).with_name("simulated.rst")
"""What the simulation has shown, as it stands below the table."""

HEAD = """\
Reliability
===========

.. This page is written by ``python -m tests.reliability``; change tests/reliability/ instead.

What happens when something breaks, how soon that is promised, and how soon it was. Each row is a test with real
processes, which fails where its promise is broken. Those in which a host vanishes run as root, in network namespaces.

The times are the wall's seconds on a loaded machine: two cores, shared with other test runs, on which a bit of work
took up to SLOWER times as long as on a free one. Where they are more than what is promised, the time in brackets is
what it would have been on a free one, and that is what the test holds. Of several measurements the longest is shown.

To repeat it, or the rows of some tests alone::

    python -m tests.reliability
    python -m tests.reliability streams.test_halfclose bus.test_nats

.. list-table::
   :header-rows: 1
   :widths: 22 34 8 16 20

   * - Fault
     - What must happen
     - Promised
     - Measured
     - Test, below tests/live
"""


def measured() -> dict[str, dict[str, Any]]:
    """Return what was measured of each fault that was."""
    found: dict[str, dict[str, Any]] = json.loads(MEASURED.read_text())
    return found


def page(seen: dict[str, dict[str, Any]]) -> str:
    """Return the page's text."""
    slower = max((one["seconds"] / one["fair"] for one in seen.values() if one.get("fair", 0) >= 0.01), default=1)
    rows = "".join(row(fault, seen.get(fault.name)) for fault in ROWS)
    return HEAD.replace("SLOWER", f"{slower:.0f}") + rows + SIMULATED.read_text()


def row(fault: Fault, seen: dict[str, Any] | None) -> str:
    within = "" if fault.seconds is None else f"{fault.seconds:g} s"
    cells = (fault.what, fault.must, within or "always", shown(fault, seen), f"``{fault.test}``")
    return "".join(f"   {'*' if not number else ' '} - {cell}\n" for number, cell in enumerate(cells))


def shown(fault: Fault, seen: dict[str, Any] | None) -> str:
    """Return what was measured, in words; the seconds of a free machine only where they matter."""
    if seen is None:
        return "not measured yet"
    if fault.seconds is None:
        return str(seen["words"])
    more = f" ({seconds(seen['fair'])})" if seen["seconds"] > fault.seconds + fault.slack else ""
    return f"{seconds(seen['seconds'])}{more}"


def seconds(number: float) -> str:
    """Return seconds in words, the shortest ones in milliseconds."""
    if number < 0.01:
        return f"{number * 1000:.1f} ms"
    return f"{number * 1000:.0f} ms" if number < 1 else f"{number:.1f} s"
