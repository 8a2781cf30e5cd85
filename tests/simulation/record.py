"""A campaign's record in a file: what is done of it is done, whenever it was stopped."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Final

from attrs import asdict, define, field

from tests.simulation.campaign import Tally
from tests.simulation.verdict import Verdict


@define(eq=False)
class Record:
    """A file with a line for each share of seeds that was run; without a path nothing is kept.

    A line that was cut off, as the program was killed while it wrote, counts as none; nor do those of other code.
    """

    path: Path | None
    of: str
    """Mark of what is run."""
    _done: dict[tuple[int, int], Tally] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._done = {}
        if self.path is not None and self.path.exists():
            for line in self.path.read_text().splitlines():
                self._read(line)

    def _read(self, line: str) -> None:
        """Take note of a line."""
        try:
            read = json.loads(line)
        except ValueError:
            return
        if read["of"] == self.of:
            failed = [(seed, Verdict(**each)) for seed, each in read["tally"].pop("failed")]
            self._done[read["first"], read["last"]] = Tally(**read["tally"], failed=failed)

    def done(self, share: range) -> Tally | None:
        """Return what a share of the seeds has brought, if it was run."""
        return self._done.get((share[0], share[-1]))

    def add(self, share: range, tally: Tally) -> None:
        """Take note of a share that was run."""
        if self.path is not None:
            line = {"of": self.of, "first": share[0], "last": share[-1], "tally": asdict(tally)}
            with self.path.open("a") as file:
                file.write(f"\n{json.dumps(line)}")  # behind whatever was cut off


def code() -> str:
    """Return a mark of what is run: of the programs, and of the simulation."""
    root = Path(__file__).parents[2]
    digest = sha256()
    for folder in ("streamrelay", "tests/simulation"):
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


NO_RECORD: Final = Record(None, "")
