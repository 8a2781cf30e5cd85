"""A run's samples as an SVG file: four panels over time, with a line at each restart."""

from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape

from tests.soak.tally import Break
from tests.soak.watch import Sample

COLOURS = {"nats": "#8d99ae", "relay": "#0b6e4f", "agent-1": "#3a7ca5", "agent-2": "#81c3d7", "platform": "#e09f3e"}
WIDTH, HEIGHT, LEFT, TOP = 760, 150, 60, 40
PANELS: tuple[tuple[str, Callable[[Sample], float | None]], ...] = (
    ("memory, MiB", lambda one: one.rss),
    ("descriptors", lambda one: float(one.descriptors)),
    ("event-loop lag, p99, ms", lambda one: one.lag),
    ("timers", lambda one: one.timers),
)


def svg(samples: Sequence[Sample], breaks: Sequence[Break]) -> str:
    """Return the picture."""
    seconds = max((one.at for one in samples), default=1.0) or 1.0
    parts = [_legend(samples)]
    for number, (title, figure) in enumerate(PANELS):
        parts.append(_panel(TOP + number * (HEIGHT + 50), title, figure, samples, breaks, seconds))
    height = TOP + len(PANELS) * (HEIGHT + 50)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {height}" '
        f'font-family="sans-serif" font-size="11">\n<rect width="100%" height="100%" fill="#fff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _legend(samples: Sequence[Sample]) -> str:
    programs = dict.fromkeys(one.program for one in samples)
    return "\n".join(
        f'<text x="{LEFT + 100 * number}" y="16" fill="{COLOURS.get(program, "#555")}">{escape(program)}</text>'
        for number, program in enumerate(programs)
    )


def _panel(
    top: int,
    title: str,
    figure: Callable[[Sample], float | None],
    samples: Sequence[Sample],
    breaks: Sequence[Break],
    seconds: float,
) -> str:
    most = max((figure(one) or 0.0 for one in samples), default=0.0) or 1.0
    bottom = top + HEIGHT
    parts = [
        f'<text x="{LEFT}" y="{top - 5}">{title}</text>',
        f'<text x="{LEFT - 5}" y="{top + 10}" text-anchor="end">{most:.4g}</text>',
        f'<text x="{LEFT - 5}" y="{bottom}" text-anchor="end">0</text>',
        f'<text x="{LEFT + WIDTH}" y="{bottom + 14}" text-anchor="end">{seconds:.0f} s</text>',
        f'<path d="M{LEFT},{top}V{bottom}H{LEFT + WIDTH}" fill="none" stroke="#222"/>',
    ]
    for one in breaks:
        x = LEFT + WIDTH * min(1.0, one.began / seconds)
        parts.append(f'<path d="M{x:.1f},{top}V{bottom}" stroke="{COLOURS.get(one.program, "#555")}" opacity=".25"/>')
    for (program, _), points in _lives(samples, figure).items():
        highest: dict[int, float] = {}  # of each column
        for at, y in points:
            x = round(LEFT + WIDTH * at / seconds)
            highest[x] = max(highest.get(x, 0.0), y)
        line = " ".join(f"{x},{bottom - HEIGHT * y / most:.1f}" for x, y in highest.items())
        parts.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS.get(program, "#555")}"/>')
    return "\n".join(parts)


def _lives(
    samples: Sequence[Sample], figure: Callable[[Sample], float | None]
) -> dict[tuple[str, int], list[tuple[float, float]]]:
    """Return points by program and process: a line doesn't go on through a restart."""
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for one in samples:
        if (value := figure(one)) is not None:
            found.setdefault((one.program, one.pid), []).append((one.at, value))
    return found
