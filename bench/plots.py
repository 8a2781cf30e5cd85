"""Bars of medians with whiskers from least to greatest, as SVG files beside the page."""

from collections.abc import Sequence
from pathlib import Path

from bench.sampling import Row
from bench.works.work import Plot

_COLOURS = {
    "streamrelay": "#0b6e4f",
    "go": "#3a7ca5",
    "go, tuned": "#81c3d7",
    "haproxy": "#8d99ae",
    "transit-relay": "#e09f3e",
    "websockify": "#9e2a2b",
    "ssh": "#6d597a",
    "chisel": "#e09f3e",
    "wstunnel": "#9e2a2b",
}


def draw(plot: Plot, rows: Sequence[Row], path: Path) -> None:
    """Draw one plot; needs matplotlib."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "streamrelay", "font.family": "sans-serif"})
    from matplotlib import pyplot

    rows = [row for row in rows if plot.figure in row.figures and row.relay != "no relay"]
    cases = [case for case in dict.fromkeys(row.case for row in rows) if not plot.cases or case in plot.cases]
    relays = list(dict.fromkeys(row.relay for row in rows))
    found = {(row.case, row.relay): row for row in rows}
    figure, axes = pyplot.subplots(figsize=(9, 0.5 + len(cases) * (0.22 * len(relays) + 0.18)))
    height = 0.8 / len(relays)
    for index, relay in enumerate(relays):
        here = [(place, found[case, relay]) for place, case in enumerate(cases) if (case, relay) in found]
        middles = [row.median(plot.figure) for _, row in here]
        below = [middle - min(row.figures[plot.figure]) for middle, (_, row) in zip(middles, here, strict=True)]
        above = [max(row.figures[plot.figure]) - middle for middle, (_, row) in zip(middles, here, strict=True)]
        axes.barh(
            [place + (index - (len(relays) - 1) / 2) * height for place, _ in here],
            middles,
            height * 0.9,
            xerr=[below, above],
            color=_COLOURS.get(relay, "#555555"),
            ecolor="#222222",
            error_kw={"linewidth": 0.8},
            label=relay,
        )
    shorten = len(cases) > 1 and plot.cases
    axes.set_yticks(range(len(cases)), [case.split(",")[0] if shorten else case.replace(", ", ",\n") for case in cases])
    axes.invert_yaxis()
    if plot.logarithmic:
        axes.set_xscale("log")
    axes.set_title(f"{plot.title} (less is better)", fontsize=10)
    axes.grid(axis="x", linewidth=0.4)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, bbox_to_anchor=(1.0, 1.0), loc="upper left")
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)
