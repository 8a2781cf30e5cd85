"""Where other programs do better than this one: of all figures by which a page compares them."""

from collections.abc import Iterable, Sequence
from statistics import median

from bench.sampling import Row
from bench.tables import number, simple
from bench.works.work import Table, Work

OURS = "streamrelay"
NOT_OTHERS = ("no relay", "no tunnel", "streamrelay, opaque")
HEAD = ("", OURS, "better")


def behind(works: Iterable[tuple[Work, Sequence[Row]]]) -> str:
    """A table of what we are second in, or worse, with those that are better, best first; empty if we are nowhere."""
    body = [
        line for work, rows in works for table in work.tables if table.better for line in _behind(work, table, rows)
    ]
    return simple(HEAD, body) if body else ""


def _behind(work: Work, table: Table, rows: Sequence[Row]) -> list[list[str]]:
    lines = []
    for case in dict.fromkeys(row.case for row in rows):
        figures = {
            row.relay: median(row.figures[table.figure])
            for row in rows
            if row.case == case and row.relay not in NOT_OTHERS and row.figures.get(table.figure)
        }
        if OURS not in figures:
            continue
        ours, sign = figures.pop(OURS), 1 if table.better == "least" else -1
        better = sorted((sign * figure, name) for name, figure in figures.items() if sign * figure < sign * ours)
        if better:
            named = "; ".join(f"{name} {number(abs(figure), table.digits)}" for figure, name in better)
            lines.append([f"{work.title}: {case}: {table.title}", number(ours, table.digits), named])
    return lines
