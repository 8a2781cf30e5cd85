"""Metrics of a program as it declares them, read when somebody asks: no library, and nothing on the data path.

Their labels are words of ours, each from a list that is closed: no user, host, target, stream, address or token, and
nothing that another may make up.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from streamrelay import __version__
from streamrelay.program.histogram import Histogram
from streamrelay.program.lag import LoopLag
from streamrelay.program.readiness import Readiness

Values = Mapping[tuple[str, ...], float | Histogram]


class Family(Struct, frozen=True):
    """One metric with all its samples: `values` by the values of `labels`."""

    name: str
    """Without the suffix of its kind (``_total``, ``_bucket``)."""
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...]
    values: Values


Families = Callable[[], Iterable[Family]]
"""Metrics of a program as they are now."""


def gauge(name: str, help: str, value: float) -> Family:
    return Family(name, "gauge", help, (), {(): value})


def gauges(name: str, help: str, label: str, values: Mapping[str, float]) -> Family:
    return Family(name, "gauge", help, (label,), {(word,): value for word, value in values.items()})


def counter(name: str, help: str, value: float) -> Family:
    return Family(name, "counter", help, (), {(): value})


def counters(name: str, help: str, label: str, values: Mapping[str, float], words: Iterable[str] = ()) -> Family:
    """Return a counter with a label; each of the `words` is told from the start, as 0."""
    told: dict[tuple[str, ...], float | Histogram] = {(word,): 0.0 for word in words}
    told |= {(word,): float(value) for word, value in values.items()}
    return Family(name, "counter", help, (label,), told)


def histogram(name: str, help: str, seen: Histogram) -> Family:
    return Family(name, "histogram", help, (), {(): seen})


class Limit(Struct, frozen=True):
    """A limit by the name of its setting: how much it allows, what of that is taken, and whom it has turned away."""

    setting: str
    most: float
    used: float | None = None
    """None where there is no one figure, as each address or user has its own."""
    refused: int | None = None
    """None where those are counted in another metric."""


def limits(all_limits: Sequence[Limit]) -> Iterator[Family]:
    """Yield the three metrics of limits."""
    yield gauges(
        "streamrelay_limit", "Most that a setting allows", "setting", {one.setting: one.most for one in all_limits}
    )
    used = {one.setting: one.used for one in all_limits if one.used is not None}
    yield gauges("streamrelay_limit_used", "What of that is taken", "setting", used)
    refused = {one.setting: float(one.refused) for one in all_limits if one.refused is not None}
    yield counters("streamrelay_limit_refusals", "Those whom that setting has turned away", "setting", refused)


def certificates(ends: Mapping[str, float]) -> Family:
    """Return when certificates of ours end, by what they are for; 0 stands for none."""
    return gauges(
        "streamrelay_certificate_expiry_timestamp_seconds",
        "When the first of the certificates that are shown expires",
        "use",
        {use: end for use, end in ends.items() if end},
    )


def of_program(program: str, readiness: Readiness, trouble: Callable[[], str], lag: LoopLag) -> Iterator[Family]:
    """Yield what every program tells of itself."""
    about = (program, __version__, sys.version.split()[0])
    yield Family(
        "streamrelay_build_info",
        "gauge",
        "Always 1; the labels say which",
        ("program", "version", "python"),
        {about: 1.0},
    )
    yield gauge("streamrelay_ready", "1 if new work is taken, as /health says", float(not trouble()))
    drains = readiness.draining or readiness.held
    yield gauge("streamrelay_draining", "1 once the program has begun to stop, or was drained", float(drains))
    yield histogram("streamrelay_event_loop_lag_seconds", "How late a timer is called", lag.seen)
    yield gauge("streamrelay_delayed_calls", "Timers that are set", len(lag.clock.getDelayedCalls()))
