"""Figures as tables of reStructuredText that a terminal shows as well."""

from collections.abc import Sequence
from statistics import median

from bench.sampling import Row
from bench.works.work import Table, Target


def simple(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A simple table; its first column is text, the others are figures."""
    columns = list(zip(head, *body, strict=True))
    widths = [max(len(cell) for cell in column) for column in columns]
    rule = "  ".join("=" * width for width in widths)

    def line(cells: Sequence[str]) -> str:
        first, *others = cells
        return "  ".join([first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(others, widths[1:], strict=True))])

    return "\n".join([rule, line(head), rule, *(line(row) for row in body), rule])


def pivot(table: Table, rows: Sequence[Row]) -> str:
    """A row for each case, a column for each relay; empty if nobody has this figure."""
    rows = [row for row in rows if any(row.figures.get(table.figure, ()))]
    if not rows:
        return ""
    cases = list(dict.fromkeys(row.case for row in rows))
    relays = list(dict.fromkeys(row.relay for row in rows))
    cells = {(row.case, row.relay): _cell(table, row) for row in rows}
    body = [[case, *(cells.get((case, relay), "-") for relay in relays)] for case in cases]
    return simple(["", *relays], body)


def _cell(table: Table, row: Row) -> str:
    values = row.figures[table.figure]
    middle = number(median(values), table.digits)
    if not table.spread or len(values) == 1:
        return middle
    return f"{middle} ({number(min(values), table.digits)}..{number(max(values), table.digits)})"


def number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}"


class Verdict:
    """What became of a target; `reached` is None where a program that it needs is missing."""

    def __init__(self, target: Target, rows: Sequence[Row]) -> None:
        self.target = target
        self.reached: float | None = None
        self.least = self.most = 0.0
        ours = _find(rows, target.case, target.relay)
        base = _find(rows, target.base or target.case, target.against or target.relay)
        if ours is None or base is None:
            return
        values = ours.figures[target.figure]
        if target.against or target.base:
            ratios = [a / b for a, b in zip(values, base.figures[target.figure], strict=False) if b]
            self.reached = ours.median(target.figure) / base.median(target.figure)
            self.least, self.most = min(ratios), max(ratios)
        else:
            self.reached, self.least, self.most = median(values), min(values), max(values)

    @property
    def met(self) -> bool:
        return self.reached is not None and self.reached <= self.target.limit

    def cells(self) -> list[str]:
        unit = " times" if self.target.against or self.target.base else ""
        limit = f"{self.target.limit:g}{unit}"
        if self.reached is None:
            return [self.target.text, limit, "-", "not run"]
        reached = f"{self.reached:.2f} ({self.least:.2f}..{self.most:.2f})"
        return [self.target.text, limit, reached, "met" if self.met else "missed"]


def _find(rows: Sequence[Row], case: str, relay: str) -> Row | None:
    return next((row for row in rows if row.case == case and row.relay == relay), None)


def verdicts(targets: Sequence[Target], rows: Sequence[Row]) -> str:
    """The targets of a work with what was reached."""
    body = [Verdict(target, rows).cells() for target in targets]
    return simple(["target", "at most", "reached", "verdict"], body) if body else ""
