"""Lag of a program's event loop: a histogram of its admin listener, and what lies between two readings of it."""

import re
from collections.abc import Mapping

BUCKET = re.compile(r'^streamrelay_event_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)


def buckets(metrics: str) -> dict[float, float]:
    """How many looks at the loop were late by no more than so many seconds, since the program was started."""
    return {float(bound): float(count) for bound, count in BUCKET.findall(metrics)}


def late(before: Mapping[float, float], after: Mapping[float, float], share: float) -> float | None:
    """Milliseconds by which no more than so many of the looks between two readings were late, a histogram's bound;
    None if there was no look."""
    looks = {bound: count - before.get(bound, 0.0) for bound, count in after.items()}
    total = max(looks.values(), default=0.0)
    return next((1000 * bound for bound in sorted(looks) if total and looks[bound] >= share * total), None)
