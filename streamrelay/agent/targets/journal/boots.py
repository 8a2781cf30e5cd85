"""The boot that this machine is in.

journalctl puts the entries of several boots in the order of their clocks. One whose clock is behind would be sought
before what is told already, and never be shown; asked for by its id it is.
"""

import re
from pathlib import Path
from typing import Final

BOOT_ID: Final = "/proc/sys/kernel/random/boot_id"
_IN_CURSOR: Final = re.compile(r"(?:\A|;)b=([0-9a-f]{32})(?:;|\Z)")


def present_boot() -> str:
    """Read the id of this machine's present boot as the journal has it; empty where there is none to read."""
    try:
        return Path(BOOT_ID).read_text("ascii").strip().replace("-", "")
    except (OSError, ValueError):
        return ""


def boot_of(cursor: str) -> str:
    """Return the boot of a cursor's entry; empty if it tells none."""
    found = _IN_CURSOR.search(cursor)
    return found[1] if found else ""
