"""docs/benchmarks.rst, from the results."""

from pathlib import Path

from bench import chains, plots, relays
from bench.results import Result, Results
from bench.sampling import say
from bench.standings import behind
from bench.tables import Verdict, pivot, simple, verdicts
from bench.works import WORKS
from bench.works.work import Work

DOCS = Path(__file__).parent.parent / "docs"

_HEAD = """\
Benchmarks
==========

.. This page is written by ``python -m bench --write``; change bench/ instead.

What the relay and whole chains cost, beside others that do the same work on the same machine. What counts here is the
CPU time of the processes under test, by the kernel's clocks, as wall time on shared machines is noise; wall time is
shown where it says more. Each figure is the median of {repetitions} repetitions, with the least and the greatest behind
it. Repetitions are interleaved (A, B, C, A, B, C, …); one during which anything else used more than 0.15 cores is taken
again, up to three times in all. All is on loopback, without a network's delays but where it says *100 ms away*.

To repeat it::

    pip install '.[bench]'
    apt-get install haproxy openssh-server      # and Go, for bench/peers/gorelay
    cargo install rathole                       # and chisel, wstunnel, frpc and frps where they are on the path
    python -m bench --write

``--quick`` does less of everything, ``--only NAME …`` some of it, and without ``--write`` the tables are only printed.
The names are {names}. A program that isn't there is left out, and named below.

"""

_LOAD = """\
The load
--------

The load is made by processes of its own, in Python, which pass blocks of ready-made frames of 1 MiB to the kernel and
count what comes back by the read, without parsing it; for echoes one process plays both ends of all pairs by epoll.
That it is not what is measured shows in bulk, where its two ends do without a relay (*no relay*) more than twice what
they do through any, and in the cores that it used itself, of the two that there are. Over TLS there is no such column;
the cores show it there, too. *Echo, flat out* with 50 and 500 pairs is the exception: the load takes about as much of
the machine's two cores as the fastest relays, so throughput and latency there are those of relay and load together, and
only the CPU per round trip is the relay's alone.

"""


def write(results: Results) -> None:
    """Write the page and its plots. Without matplotlib those that are there stay as they are."""
    DOCS.mkdir(exist_ok=True)
    text = render(results)
    for old in DOCS.glob("benchmarks-*.svg"):
        if old.name not in text:
            old.unlink()
    (DOCS / "benchmarks.rst").write_text(text)


def render(results: Results) -> str:
    works = [(work, results[work.name]) for work in WORKS if work.name in results]
    counts = [result.repetitions for _, result in works] or [0]
    repetitions = f"{min(counts)} to {max(counts)}" if len(set(counts)) > 1 else str(counts[0])
    names = ", ".join(work.name for work in WORKS)
    parts = [_HEAD.format(repetitions=repetitions, names=names)]
    parts += _machine(works)
    parts += _peers(works)
    parts += _behind(works)
    parts += _targets(works)
    for work, result in works:
        parts += _section(work, result)
    parts.append(_LOAD)
    return "\n".join(parts).rstrip() + "\n"


def _machine(works: list[tuple[Work, Result]]) -> list[str]:
    machines = dict.fromkeys(f"{result.machine} ({result.day})" for _, result in works)
    versions: dict[str, str] = {}
    skipped: dict[str, list[str]] = {}
    for work, result in works:
        versions.update({name: text for name, text in result.versions.items() if text and not versions.get(name)})
        for text in dict.fromkeys(result.skipped.values()):
            skipped.setdefault(text, []).append(work.name)
    lines = ["The machine and the programs", "----------------------------", ""]
    lines += [f"- {machine}" for machine in machines]
    lines += [f"- {text}" for text in dict.fromkeys(versions.values())]
    lines += [f"- left out of {', '.join(names)}: {text}" for text, names in skipped.items()]
    return [*lines, ""]


def _peers(works: list[tuple[Work, Result]]) -> list[str]:
    lines = ["How each is run", "---------------", ""]
    for kind in relays.ALL:
        lines += [f"**{kind.name}**", f"  {kind.settings}", ""]
    lines += ["In whole chains, and what goes through them:", ""]
    for chain in chains.CHAINS:
        lines += [f"**{chain.name}**", f"  {chain.settings}", ""]
    return lines


def _behind(works: list[tuple[Work, Result]]) -> list[str]:
    table = behind((work, result.rows) for work, result in works)
    text = (
        "Medians of all figures in which this program is second, or worse, with those that do better, the best first."
    )
    return ["Where others are better", "-----------------------", "", text, "", table, ""] if table else []


def _targets(works: list[tuple[Work, Result]]) -> list[str]:
    lines = [
        "Targets",
        "-------",
        "",
        "What was aimed at, and what was reached; *times* is a ratio to the other's figure.",
        "",
    ]
    body, reasons = [], []
    for work, result in works:
        for target in work.targets:
            verdict = Verdict(target, result.rows)
            body.append([f"{work.title}: {target.text}", *verdict.cells()[1:]])
            if target.why and verdict.reached is not None and not verdict.met and target.why not in reasons:
                reasons.append(target.why)
    lines += [simple(["target", "at most", "reached", "verdict"], body), ""]
    if reasons:
        lines += ["Why some are missed:", "", *(f"- {reason}" for reason in reasons), ""]
    return lines


def _section(work: Work, result: Result) -> list[str]:
    lines = [work.title, "-" * len(work.title), "", work.text, ""]
    if result.note:
        lines += [f"**{result.note}**", ""]
    if result.quick:
        lines += ["(A quick run: few repetitions, short ones.)", ""]
    for number, plot in enumerate(work.plots):
        if not any(plot.figure in row.figures for row in result.rows):
            continue
        name = f"benchmarks-{work.name}-{number + 1}.svg"
        try:
            plots.draw(plot, result.rows, DOCS / name)
        except ImportError:
            say(f"matplotlib is not installed: {name} isn't drawn anew")
            if not (DOCS / name).exists():
                continue
        lines += [f".. image:: {name}", f"   :alt: {plot.title}", ""]
    for table in work.tables:
        text = pivot(table, result.rows)
        if text:
            lines += [f"{table.title}:", "", text, ""]
    noise = max((max(row.others) for row in result.rows if row.others), default=0.0)
    return [*lines, f"Cores that other programs used meanwhile: {noise:.2f} at most.", ""]


def show(work: Work, result: Result) -> str:
    """A work for a terminal."""
    lines = [f"\n== {work.title} =="]
    for table in work.tables:
        if text := pivot(table, result.rows):
            lines += [f"\n{table.title}:", text]
    return "\n".join([*lines, "", verdicts(work.targets, result.rows)])
