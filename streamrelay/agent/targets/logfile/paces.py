"""Paces of a log: how often it is looked at, and how often its client is told of what."""

from typing import Final

LOOK: Final = 0.2
"""Seconds between two looks at a file that has nothing new."""
WATCHED: Final = 1.0
"""Seconds since the last look in which a file isn't thought to have been replaced twice."""
BURST: Final = 0.25
"""Seconds' worth of its rate that a log which was quiet may send at once."""
SKIP_EVERY: Final = 1.0
"""Seconds between two skips, each of which takes two of the control messages that a leg may send (16 a second)."""
PLACE_EVERY: Final = 0.5
"""Seconds after which bytes are followed by a place: what comes after it can't tell files that begin alike."""
FILE_EVERY: Final = 0.2
"""Seconds between two places that tell of another file, or of one that was truncated."""
