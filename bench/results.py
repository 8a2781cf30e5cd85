"""Measured results, kept in bench/results.json so that one work can be measured again without the others."""

from pathlib import Path

import msgspec
from msgspec import Struct

from bench.machine import Machine
from bench.sampling import Row

FILE = Path(__file__).with_name("results.json")


class Result(Struct):
    """One work, measured."""

    day: str
    quick: bool
    repetitions: int
    machine: Machine
    rows: list[Row]
    versions: dict[str, str]
    skipped: dict[str, str]
    note: str = ""
    """What a reader must know of these figures."""


Results = dict[str, Result]


def load() -> Results:
    return msgspec.json.decode(FILE.read_bytes(), type=Results) if FILE.exists() else {}


def save(results: Results) -> None:
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
