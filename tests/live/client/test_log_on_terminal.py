"""`streamrelay connect` of a log that a stranger writes to: on a terminal, and into a pipe."""

import os
import subprocess
from pathlib import Path

from tests.live.client.test_connect import Command, Screen
from tests.live.support.chain import HOST, shared

LOG = '[targets.log]\nkind = "log"\npath = "FOLDER/some.log"\n'
HOSTILE = b"\x1b[31mred\x1b]52;c;ZWNobyBoaQ==\x07\x1b]0;root@safe\x07\x1b[1A\x1b[2K\x1b[6n end\n"


class Escapes(Command):
    """A log's escapes and whoever reads it."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared(targets=LOG)

    def write(self) -> None:
        with open(Path(self.common.folder) / "some.log", "wb") as log:
            log.write(HOSTILE)

    def test_terminal(self) -> None:
        """A terminal gets the colours and the text, but no clipboard, title, cursor move or question."""
        self.write()
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, slave)
        self.start(HOST, "log", stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        Screen(master).expect(b"\x1b[31mred end\x1b[m\r\n")

    def test_pipe(self) -> None:
        """A pipe gets every byte as it is."""
        self.write()
        process = self.start(HOST, "log", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        self.assertEqual(process.stdout.read(len(HOSTILE)), HOSTILE)
