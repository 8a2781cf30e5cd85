"""A database's bulk copies through a local port, while the relay is killed again and again."""

import hashlib
import os
import shutil
import subprocess
import threading
from functools import partial
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.live.client.test_connect import Command
from tests.live.support.chain import HOST
from tests.live.support.cuts import cutting, going_on, kill_relay
from tests.live.support.ports import free_port
from tests.live.support.processes import need_program, need_root, run
from tests.live.support.waiting import Work

ROWS = 120_000
SECONDS = 8.0


def postgresql() -> Path:
    """Where its programs are, of the newest version: Debian has them in a place of their own, where none of them knows
    of the system's databases; others have them on the path."""
    found = [place for place in Path("/usr/lib/postgresql").glob("*/bin") if (place / "initdb").exists()]
    if found:
        return max(found, key=lambda place: float(place.parent.name))
    if (other := shutil.which("initdb")) and shutil.which("postgres"):
        return Path(other).parent
    raise SkipTest("needs postgresql")


class Database(Command):
    """PostgreSQL behind an agent, in a folder and on a port of this test."""

    def setUp(self) -> None:
        super().setUp()
        programs, setpriv = postgresql(), need_program("setpriv")
        need_root("a database of another user")
        psql = str(programs / "psql")
        data = self.folder / "data"
        data.mkdir()
        os.chown(data, 65534, -1)
        nobody = (setpriv, "--reuid=65534", "--clear-groups", "env", f"--chdir={data}")
        run(*nobody, str(programs / "initdb"), "-D", f"{data}/base", "-A", "trust", "-U", "test", check=True)
        self.port = free_port()
        options = ("-h", "127.0.0.1", "-p", str(self.port), "-k", "", "-F")
        server = self.program("postgres", *nobody, str(programs / "postgres"), "-D", f"{data}/base", *options)
        server.wait_for("ready to accept connections")
        self.own = self.chain()
        local = free_port()
        listening = self.start(
            HOST, f"port/{self.port}", f"--listen=127.0.0.1:{local}", chain=self.own, stderr=subprocess.PIPE
        )
        assert listening.stderr is not None
        self.addCleanup(listening.stderr.close)
        self.assertIn(b"listens on", listening.stderr.readline())
        self.through = (psql, "-h", "127.0.0.1", "-p", str(local), "-U", "test", "-q", "-d", "postgres", "-c")
        run(*self.through, "create table t (number int, words text)", check=True)

    def copy(self, command: str) -> "subprocess.Popen[bytes]":
        pipe = subprocess.PIPE
        process = subprocess.Popen((*self.through, command), stdin=pipe, stdout=pipe, stderr=pipe)
        for end in (process.stdin, process.stdout, process.stderr):
            assert end is not None
            self.addCleanup(end.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_copies(self) -> None:
        """A bulk copy into a table and one out of it are whole, however often the relay is killed meanwhile."""
        rows = [b"%d\t%s\n" % (number, hashlib.md5(b"%d" % number).hexdigest().encode() * 4) for number in range(ROWS)]
        pause = threading.Event()
        steps = [b"".join(rows[at : at + ROWS // 40]) for at in range(0, ROWS, ROWS // 40)]
        into = self.copy("\\copy t from pstdin")
        assert into.stdin is not None and into.stderr is not None

        def feed() -> None:
            assert into.stdin is not None
            for step in steps:
                into.stdin.write(step)
                pause.wait(SECONDS / len(steps))
            into.stdin.close()

        with cutting(partial(kill_relay, self.own), 2, partial(going_on, self.own)) as cuts:
            Work(feed).result(120)
            self.assertEqual((into.wait(120), into.stderr.read()), (0, b""))
            out = self.copy("\\copy (select * from t order by number) to pstdout")
            assert out.stdout is not None and out.stderr is not None
            came = bytearray()
            while piece := out.stdout.read(len(steps[0])):
                came += piece
                pause.wait(SECONDS / len(steps))
            self.assertEqual((out.wait(120), out.stderr.read()), (0, b""))
        self.assertTrue(bytes(came) == b"".join(rows), "other rows came than were sent")
        print(f"figure: {len(came) / 1e6:.0f} MB into a table and out of it, over {cuts.count} kills")
