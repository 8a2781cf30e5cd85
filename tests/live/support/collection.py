"""What each process of a run hands over for the search for secrets, in files of one folder until the last step."""

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from attrs import define, field

FOLDER = "STREAMRELAY_SEEN"
"""The variable that names the folder; without it each process keeps and searches its own."""


@define(eq=False)
class Collection:
    """A file of this process: a line of JSON for each thing that is handed over, and its bytes if it has any."""

    folder: Path
    _file: BinaryIO = field(init=False)
    _turn: BinaryIO = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._turn = (self.folder / "turn").open("wb")
        # Unbuffered: what was handed over is there even if the process is killed.
        self._file = (self.folder / f"{os.getpid()}.seen").open("ab", buffering=0)

    def is_turn(self) -> bool:
        """Whether it is this process that looks at all others, for its whole run: one does, and if it ends another."""
        try:
            fcntl.flock(self._turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def secret(self, kind: str, text: str) -> None:
        self._file.write(json.dumps({"secret": kind, "text": text}).encode() + b"\n")

    def seen(self, source: str, data: bytes) -> None:
        self._file.write(json.dumps({"seen": source, "size": len(data)}).encode() + b"\n" + data)


def of_this_run() -> Collection | None:
    """The collection of this process, if the run has a folder for them."""
    folder = os.environ.get(FOLDER)
    return Collection(Path(folder)) if folder else None


def replay(folder: Path, secret: Callable[[str, str], object], seen: Callable[[str, bytes], object]) -> None:
    """Hand over again what all processes have collected."""
    for path in sorted(folder.glob("*.seen")):
        with path.open("rb") as file:
            for line in file:
                entry = json.loads(line)
                if "secret" in entry:
                    secret(entry["secret"], entry["text"])
                else:
                    seen(entry["seen"], file.read(entry["size"]))
