"""Attacks on what an agent knows over a restart: places of logs that are made up.

Each test restarts an agent of its own, so none goes beside a neighbour.
"""

import base64
from hashlib import blake2b
from pathlib import Path

from streamrelay.agent.targets.logfile.file import check
from tests.live.agent.targets.test_logs import Reader
from tests.live.support.case import LiveTest

TARGETS = r"""
[targets.log]
kind = "log"
path = "FOLDER/secret.log"
lines = 1
"""


def readable() -> bytes:
    """What every user of this machine can read of it, and an earlier agent made its secret of."""
    machine = Path("/etc/machine-id")
    content = machine.read_bytes().strip() if machine.exists() else b""
    return blake2b(content, person=b"streamrelay:seal").digest()


class Places(LiveTest):
    """Places in logs."""

    def test_made_up(self) -> None:
        """A place that is sealed by what every user of the host can read counts as lost: nothing older is shown."""
        self.common = self.chain(targets=TARGETS)
        path = self.folder / "secret.log"
        path.write_bytes(b"a password\nthe last line\n")
        found = path.stat()
        place = f"{found.st_dev}.{found.st_ino}.0.0.{check(b'')}"
        mark = blake2b(f"{place}\nlog {path}".encode(), key=readable(), digest_size=16).digest()
        reader = Reader(self, "log", place=f"{place}~{base64.urlsafe_b64encode(mark).decode().rstrip('=')}")
        self.assertEqual((reader.read(b"the last line\n"), reader.events), (b"the last line\n", ["lost"]))
