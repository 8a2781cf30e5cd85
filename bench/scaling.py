"""The tables of docs/scaling.rst: ``python -m bench.scaling`` prints them, with ``--write`` it writes them there."""

import re
import sys
from collections.abc import Callable, Sequence
from typing import Final

from attrs import frozen

from bench import flows, results
from bench.flows import Flow
from bench.page import DOCS
from bench.results import Results
from bench.sampling import Row, say
from bench.tables import number, simple

PAGE: Final = DOCS / "scaling.rst"
SIZES: Final = (10**3, 10**4, 10**5, 10**6)
MEASURED: Final = 10**4
"""Hosts beside whose model stands what was measured."""
_PLACE: Final = re.compile(r"(\.\. begin (\w+)\n\n).*?(\.\. end \2\n)", re.DOTALL)


@frozen
class Line:
    """A quantity for each number of hosts."""

    words: str
    of: Callable[[int], float]
    digits: int = 0


def flow_lines(words: str, of: Callable[[int], Flow], digits: int = 0) -> tuple[Line, ...]:
    """Return the four lines of a flow."""
    return (
        Line(f"{words}: messages in", lambda hosts: of(hosts).messages_in, digits),
        Line(f"{words}: messages out", lambda hosts: of(hosts).messages_out, digits),
        Line(f"{words}: kB in", lambda hosts: of(hosts).bytes_in / 1e3, digits),
        Line(f"{words}: kB out", lambda hosts: of(hosts).bytes_out / 1e3, digits),
    )


def peak(hosts: int, namesakes: bool = False) -> float:
    """Return the answers a second while those of a look at rest come."""
    spread = flows.rest_spread(hosts, namesakes)
    return hosts / spread if spread else hosts


def _sent(hosts: int) -> float:
    return flows.agent_minute(hosts)[0]


def _received(hosts: int) -> float:
    return flows.agent_minute(hosts)[1]


TABLES: Final[dict[str, tuple[Line, ...]]] = {
    "tables": (
        Line("connections", flows.connections),
        Line("subscriptions", flows.subscriptions),
        Line("distinct subjects of them", flows.distinct_subjects),
    ),
    "rest": (
        *flow_lines("a second", flows.at_rest, 1),
        Line("seconds from one look to the next", flows.period),
        Line("answers a second to a platform, average", lambda hosts: hosts / flows.period(hosts), 1),
        Line("answers a second to a platform, while they come", peak),
        Line("with a pair of one name: average", lambda hosts: hosts / flows.period(hosts, True), 1),
        Line("with a pair of one name: while they come", lambda hosts: peak(hosts, True)),
        Line("seconds of a round of knocks", flows.knock_round),
        Line("bytes a minute that an agent sends", _sent),
        Line("bytes a minute that an agent receives", _received),
    ),
    "platform": (
        *flow_lines("a start", flows.platform_start),
        Line("MB of answers to the platform, at once", lambda hosts: flows.platform_start(hosts).bytes_in / 1e6, 1),
        Line("seconds of the spread, where hosts are known", flows.hurried_spread, 1),
    ),
    "server": (
        *flow_lines("all connect anew", flows.server_restart),
        Line("attempts a second, while there is no server", flows.attempts),
        *flow_lines("all have left a server that stays", flows.departures),
    ),
}


def table(lines: Sequence[Line]) -> str:
    body = [[line.words, *(number(line.of(hosts), line.digits) for hosts in SIZES)] for line in lines]
    return simple(["hosts", *(f"{hosts:,}" for hosts in SIZES)], body)


def measured(kept: Results) -> str:
    """Return what was measured beside the model; a line of text where nothing was."""
    found = [row for row in kept["hosts"].rows if row.case == f"{MEASURED:,} hosts"] if "hosts" in kept else []
    if not found:
        return "Nothing was measured yet."
    sent, received = flows.agent_minute(MEASURED)
    compared = [("bytes a minute that an agent sends", sent, "sent")]
    compared.append(("bytes a minute that an agent receives", received, "received"))
    compared.append(("seconds until all are connected again, at least", flows.LATEST, "back"))
    spread = flows.hurried_spread(MEASURED)
    compared.append(("seconds until the list is complete again, at least", flows.LATEST + spread, "complete"))
    head = [f"{MEASURED:,} hosts", "model", "measured", "difference"]
    return simple(head, [_compared(words, value, found[0], figure) for words, value, figure in compared])


COSTS: Final = (
    ("MiB of resident memory, the platform", "rss", 0),
    ("MiB of resident memory, nats-server", "bus rss", 0),
    ("CPU seconds of the platform, for its start", "start cpu", 1),
    ("CPU seconds of the platform, when all connect anew", "back cpu", 1),
    ("per cent of a core at rest, nats-server", "bus cpu", 0),
    ("milliseconds of a search of two words, p50", "search p50", 0),
    ("milliseconds of the whole list, p50", "whole p50", 0),
)


def costs(kept: Results) -> str:
    """Return what was measured of two numbers of hosts, and where a straight line through both leads."""
    rows = {row.case: row for row in kept["hosts"].rows} if "hosts" in kept else {}
    try:
        few, many = (rows[f"{hosts:,} hosts"] for hosts in SIZES[:2])
    except KeyError:
        return "Nothing was measured yet."
    body = []
    for words, figure, digits in COSTS:
        known = few.median(figure), many.median(figure)
        slope = (known[1] - known[0]) / (SIZES[1] - SIZES[0])
        values = (*known, *(known[1] + slope * (hosts - SIZES[1]) for hosts in SIZES[2:]))
        body.append([words, *(number(value, digits) for value in values)])
    return simple(["hosts", *(f"{hosts:,}" for hosts in SIZES)], body)


def _compared(words: str, model: float, row: Row, figure: str) -> list[str]:
    got = row.median(figure)
    digits = 0 if model > 10 else 1
    return [words, number(model, digits), number(got, digits), f"{100 * (got - model) / model:+.0f} %"]


def filled(text: str, kept: Results) -> str:
    """Return a page with its tables as the model and the results have them now."""
    tables = {name: table(lines) for name, lines in TABLES.items()}
    tables |= {"measured": measured(kept), "costs": costs(kept)}
    return _PLACE.sub(
        lambda match: f"{match[1]}{tables[match[2]]}\n\n{match[3]}" if match[2] in tables else match[0], text
    )


def main() -> None:
    kept = results.load()
    if "--write" in sys.argv[1:]:
        PAGE.write_text(filled(PAGE.read_text(), kept))
        say(f"wrote {PAGE}")
        return
    for lines in TABLES.values():
        print(table(lines), end="\n\n")
    print(measured(kept), costs(kept), sep="\n\n")


if __name__ == "__main__":
    main()
