"""`streamrelay connect` of a log that a stranger writes to: on a terminal, and into a pipe."""

import os
import signal
import subprocess
from pathlib import Path

from tests.live.client.test_connect import Command, Screen
from tests.live.support.chain import HOST, shared
from tests.live.support.sockets import MIB
from tests.live.support.waiting import WAIT

LOG = (
    '[targets.log]\nkind = "log"\npath = "FOLDER/some.log"\n[targets.later]\nkind = "log"\npath = "FOLDER/later.log"\n'
)
HOSTILE = b"\x1b[31mred\x1b]52;c;ZWNobyBoaQ==\x07\x1b]0;root@safe\x07\x1b[1A\x1b[H\x1b[6n end\n"
BAR = b"still\x1b[m\n 10%\r 55%\r100%\n\x1b[7mlast\n"


class Escapes(Command):
    """A log's escapes and whoever reads it."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared(targets=LOG)

    def write(self) -> None:
        with open(Path(self.common.folder) / "some.log", "wb") as log:
            log.write(HOSTILE + BAR)

    def test_terminal(self) -> None:
        """A terminal gets the colours, over lines, and the text, but no clipboard, title, cursor move or question; a
        progress bar as it ended; and its colours back when somebody leaves."""
        self.write()
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, slave)
        process = self.start(HOST, "log", stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        screen = Screen(master)
        screen.expect(b"\x1b[31mred end\r\nstill\x1b[m\r\n")
        screen.expect("\r\x1b[m\x1b[K100% \u21ba\r\n\x1b[7mlast\r\n".encode())
        process.send_signal(signal.SIGINT)
        screen.expect(b"\x1b[m")

    def test_pipe(self) -> None:
        """A pipe gets every byte as it is."""
        self.write()
        process = self.start(HOST, "log", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        self.assertEqual(process.stdout.read(len(HOSTILE)), HOSTILE)


class Words(Command):
    """What `streamrelay connect` says of a log, beside its bytes."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared(targets=LOG)
        self.path = Path(self.common.folder) / "later.log"
        self.path.unlink(missing_ok=True)

    def test_waits(self) -> None:
        """A log that isn't there is said on standard error, and that it is; a hole and UTF-16, too. Ctrl-C is told."""
        pipe = subprocess.PIPE
        process = self.start(HOST, "later", stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)
        assert process.stdout is not None
        assert process.stderr is not None
        lines = iter(process.stderr.readline, b"")
        self.assertEqual(next(lines), b"streamrelay: waiting for the log: it does not exist\n")
        text = b"\xff\xfe" + "Grün\n".encode("utf-16-le")
        new = self.path.with_suffix(".new")
        with new.open("wb") as log:
            log.write(text)
            log.seek(64 * MIB, os.SEEK_CUR)
            log.write(text[2:])
        new.rename(self.path)
        self.assertEqual(next(lines), b"streamrelay: the log can be read now\n")
        self.assertEqual(next(lines), b"streamrelay: the log's text is UTF-16LE from here on\n")
        self.assertEqual(next(lines), b"streamrelay: %d NUL bytes left out here, as NUL says nothing\n" % (64 * MIB))
        self.assertEqual(process.stdout.read(len(text) * 2 - 2), text + text[2:])
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.communicate(timeout=WAIT), (b"", b""))
        self.assertEqual(process.returncode, 130)
        for said in (f"{self.path} can't be read: it does not exist; who follows it", f"{self.path} can be read again"):
            self.assertEqual(self.common.agent.log.count(said), 1)
