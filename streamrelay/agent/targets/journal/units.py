"""Units by glob.

journalctl looks once, as it starts, which units of the journal a glob means. So what follows is asked for everything,
and here it is told which entries are of such a unit, as journalctl would.
"""

from fnmatch import fnmatchcase
from typing import Final

from streamrelay.agent.targets.journal.entries import Entry

FIELDS: Final = "_SYSTEMD_UNIT,_SYSTEMD_SLICE,UNIT,OBJECT_SYSTEMD_UNIT,COREDUMP_UNIT,MESSAGE_ID,_UID,_PID"
"""Fields by which it is told."""
NONE_YET: Final = "Failed to add filter for units: No data available"
"""journalctl's complaint about a glob that means no unit of the journal."""
_COREDUMP: Final = "fc2e22bc6ee647b6b90729ab34a250b1"


def is_of(entry: Entry, glob: str) -> bool:
    """Tell whether an entry is of a unit by this glob: written by it, or about it by who may speak for units."""
    root = entry.uid == "0"
    about = (
        (entry.unit, True),
        (entry.slice, str(entry.slice).endswith(".slice")),
        (entry.about, entry.pid == "1"),
        (entry.object, root),
        (entry.dumped, root and entry.message_id == _COREDUMP),
    )
    return any(isinstance(unit, str) and counts and fnmatchcase(unit, glob) for unit, counts in about)
