"""The table of docs/scaling.rst that a whole run writes."""

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.page import DOCS
from bench.tables import simple
from tests.fleet.tally import Kept, Tally

PAGE = DOCS / "scaling.rst"
MEASURED = Path(__file__).with_name("measured.json")
_PLACE = re.compile(r"(\.\. begin fleet\n\n).*?(\.\. end fleet\n)", re.DOTALL)
HEAD = ("phase", "streams", "in one request", "median, s", "99 of 100, s", "longest, s", "by relay", "died", "cut")


class Measured(Struct):
    """What a run gave."""

    command: str
    day: str
    load: float
    """The machine's, of the last five minutes."""
    slowness: float
    shares: dict[str, float]
    bytes: int
    phases: list[Kept]


def measured(tally: Tally, even: Sequence[str], command: str, day: str, load: float) -> Measured:
    """Return what is kept of a run."""
    return Measured(command, day, load, tally.slowness, tally.shares(even), tally.bytes, tally.phases())


def table(found: Measured) -> str:
    """Return the run in words, as the page and a terminal show it."""
    body = [
        [
            *(kept.name, f"{kept.streams:,}", f"{kept.at_once:,}"),
            *(f"{seconds:.3f}" for seconds in (kept.p50, kept.p99, kept.longest)),
            *(", ".join(str(count) for count in kept.by_relay.values()), f"{kept.died}", f"{kept.cut}"),
        ]
        for kept in found.phases
    ]
    shares = ", ".join(f"{relay} {share:+.1%}" for relay, share in found.shares.items())
    return (
        f"``{found.command}``, {found.day}, at a load of {found.load:.1f}: a bit of work took {found.slowness:.1f} "
        f"times as long as on a free one. {found.bytes:,} bytes were compared. From even, where all relays are ready, "
        f"their shares were {shares}.\n\n{simple(HEAD, body)}"
    )


def kept() -> Measured:
    """Return what the last run gave that was written."""
    return msgspec.json.decode(MEASURED.read_bytes(), type=Measured)


def filled(text: str, found: Measured) -> str:
    """Return the page with a run's table."""
    return _PLACE.sub(lambda match: f"{match[1]}{table(found)}\n\n{match[2]}", text)


def write(found: Measured) -> None:
    MEASURED.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    PAGE.write_text(filled(PAGE.read_text(), found))
