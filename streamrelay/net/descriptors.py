"""Descriptors of this process: how many connections they are enough for."""

import resource
from typing import Final

RESERVE: Final = 128
"""Descriptors that connections leave for the bus, for files, for questions to others, and for those just dropped."""
MOST: Final = 50_000
"""Connections at once that are allowed, however many descriptors there may be."""
SPARE: Final = 64
"""Connections beyond the most that may stay until they are told so; there are descriptors left for twice as many."""


def allowed() -> int:
    """Return how many connections this process' descriptors (RLIMIT_NOFILE) allow."""
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if descriptors == resource.RLIM_INFINITY:
        return MOST
    return min(MOST, max(descriptors - RESERVE, descriptors // 2))


def spare(most: int) -> int:
    """Return how many connections beyond the most may stay until their requests are whole, to be told that there is no
    room: an answer before that is lost in a reset."""
    return min(SPARE, most // 4)
