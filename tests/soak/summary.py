"""The figures of a run, and whether anything was lost, doubled, leaked or didn't recover."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import linear_regression, median

from msgspec import Struct

from tests.soak.tally import Break, Tally
from tests.soak.watch import Sample

LEAST = 1200.0
"""Seconds over which a slope of memory is worth a judgement."""
STEEPEST = 1.0
"""MiB an hour."""


class Slope(Struct):
    """How memory grew in the second half of a program's longest life."""

    per_hour: float
    """MiB."""
    seconds: float
    """Of that half."""
    rss: float
    """MiB at the end."""


class Recovery(Struct):
    """How long after a program's return new streams succeeded, in seconds."""

    count: int
    median: float
    longest: float


class Summary(Struct):
    """All of it, as summary.json has it."""

    seed: int
    seconds: float
    bytes: int
    """That came and were compared."""
    lines: int
    """Of followed logs."""
    longest_echo: float
    """Seconds."""
    wrong: int
    """Streams with bytes lost, doubled or changed."""
    streams: dict[str, dict[str, int]]
    """Outcomes by kind."""
    recoveries: dict[str, Recovery]
    slopes: dict[str, Slope]
    descriptors: dict[str, tuple[int, int]]
    """Before the load and after it."""
    lag: dict[str, float]
    """Milliseconds under which it was in 99 of 100 samples."""
    timers: dict[str, float]
    """Most delayed calls that were seen at once."""
    faults: list[str]
    """Why the run failed; empty if it did not."""


def summary(
    seed: int,
    seconds: float,
    tally: Tally,
    samples: Sequence[Sample],
    descriptors: Mapping[str, tuple[Sequence[str], Sequence[str]]],
) -> Summary:
    found = slopes(samples)
    return Summary(
        seed=seed,
        seconds=round(seconds, 1),
        bytes=tally.bytes,
        lines=tally.lines,
        longest_echo=round(tally.longest_echo, 3),
        wrong=tally.wrong,
        streams={kind: dict(counts.most_common()) for kind, counts in sorted(tally.counts.items())},
        recoveries=recoveries(tally.breaks),
        slopes=found,
        descriptors={name: (len(before), len(after)) for name, (before, after) in descriptors.items()},
        lag=lags(samples),
        timers=timers(samples),
        faults=[*tally.judge(), *leaks(found, descriptors)],
    )


def slopes(samples: Sequence[Sample]) -> dict[str, Slope]:
    found = {}
    for program in dict.fromkeys(one.program for one in samples):
        own = [one for one in samples if one.program == program]
        lives = [[one for one in own if one.pid == pid] for pid in dict.fromkeys(one.pid for one in own)]
        life = max(lives, key=lambda each: each[-1].at - each[0].at)
        half = [one for one in life if one.at >= (life[0].at + life[-1].at) / 2]
        if len(half) > 2:
            per_second = linear_regression([one.at for one in half], [one.rss for one in half]).slope
            found[program] = Slope(round(3600 * per_second, 2), half[-1].at - half[0].at, round(half[-1].rss, 1))
    return found


def leaks(found: Mapping[str, Slope], descriptors: Mapping[str, tuple[Sequence[str], Sequence[str]]]) -> list[str]:
    steep = [
        f"{program}: memory grew by {one.per_hour:g} MiB an hour"
        for program, one in found.items()
        if one.seconds >= LEAST and one.per_hour > STEEPEST
    ]
    left = {program: Counter(after) - Counter(before) for program, (before, after) in descriptors.items()}
    return steep + [f"{program}: descriptors left: {dict(more)}" for program, more in left.items() if more]


def recoveries(breaks: Sequence[Break]) -> dict[str, Recovery]:
    found: dict[str, list[float]] = {}
    for one in breaks:
        if one.recovered is not None:
            found.setdefault(f"{one.program} {one.way}", []).append(one.recovered - one.returned)
    return {name: Recovery(len(all), round(median(all), 3), round(max(all), 3)) for name, all in sorted(found.items())}


def lags(samples: Sequence[Sample]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for one in samples:
        if one.lag is not None:
            found.setdefault(one.program, []).append(one.lag)
    return {program: sorted(lags)[int(0.99 * (len(lags) - 1))] for program, lags in found.items()}


def timers(samples: Sequence[Sample]) -> dict[str, float]:
    most: dict[str, float] = {}
    for one in samples:
        if one.timers is not None:
            most[one.program] = max(most.get(one.program, 0.0), one.timers)
    return most


def words(told: Summary) -> str:
    """Return the summary as people read it."""
    lines = [
        f"{told.seconds:.0f} s, seed {told.seed}: {told.bytes / 2**30:.2f} GiB and {told.lines} log lines compared; "
        f"lost, doubled or changed in {told.wrong} streams; "
        f"longest echo {told.longest_echo:g} s"
    ]
    for kind, counts in told.streams.items():
        lines.append(f"  {kind}: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    for name, one in told.recoveries.items():
        lines.append(
            f"  {name}: {one.count} times; new streams {one.median:g} s (longest {one.longest:g} s) after return"
        )
    for program, slope in told.slopes.items():
        before, after = told.descriptors.get(program, (0, 0))
        lag = f"; loop lag under {told.lag[program]:g} ms" if program in told.lag else ""
        delayed = f"; at most {told.timers[program]:g} delayed calls" if program in told.timers else ""
        lines.append(
            f"  {program}: RSS {slope.rss:g} MiB, {slope.per_hour:+g} MiB an hour over {slope.seconds:.0f} s; "
            f"descriptors {before} before, {after} after{lag}{delayed}"
        )
    lines += [f"FAULT: {fault}" for fault in told.faults]
    return "\n".join(lines) + "\n"
