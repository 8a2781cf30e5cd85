"""Which skips are allowed where nothing that a test needs may be missing: those of skips.toml."""

import re
import tomllib
from pathlib import Path

from attrs import define, frozen

LIST = Path(__file__).with_name("skips.toml")


@frozen
class Allowed:
    """Reasons of skips that are no fault, and why they aren't."""

    reason: str
    why: str


@define(eq=False)
class Skips:
    """The list."""

    allowed: list[Allowed]

    @classmethod
    def read(cls) -> "Skips":
        entries = tomllib.loads(LIST.read_text()).get("allowed", [])
        return cls([Allowed(**entry) for entry in entries])

    def allow(self, reason: str) -> bool:
        return any(re.fullmatch(entry.reason, reason, re.DOTALL) for entry in self.allowed)
