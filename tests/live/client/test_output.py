"""The native client's standard output: status 0 only if every byte was taken; and its descriptors."""

import contextlib
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, shared
from tests.live.support.processes import environment, need_program, need_root, run
from tests.live.support.sockets import Listener, seeded
from tests.live.support.waiting import WAIT, Work

FULL = "streamrelay: standard output: No space left on device\n"
PIPE = 141
"""The status of a program that SIGPIPE has ended, as shells tell it."""


class Output(LiveTest):
    """`streamrelay` in a shell, with redirections."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared()

    def shell(self, line: str, **options: Any) -> "subprocess.Popen[str]":
        """A shell that runs a line, and ends with the test."""
        process = subprocess.Popen(
            ["bash", "-c", line],
            env=environment(
                STREAMRELAY_PLATFORM=f"http://127.0.0.1:{self.common.platform_port}", STREAMRELAY_KEY=self.common.key
            ),
            stderr=subprocess.PIPE,
            text=True,
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **options},
        )
        self.addCleanup(process.wait, WAIT)
        self.addCleanup(process.kill)
        return process

    def ends(self, line: str, data: bytes, listener: Listener, **options: Any) -> tuple[int, str]:
        """Status and standard error of a line whose target sends this and ends."""

        def serve() -> None:
            # Whoever can't write any more leaves before all is taken.
            with listener.accept() as target, contextlib.suppress(ConnectionError):
                target.sendall(data)

        serving = Work(serve)
        process = self.shell(line, **options)
        _, said = process.communicate(timeout=4 * WAIT)
        serving.result()
        return process.returncode, said

    def full(self) -> Path:
        """A file system of 64 KiB."""
        need_root("mount")
        where = self.folder / "small"
        where.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=64k,mode=0755", "tmpfs", str(where), check=True)
        self.addCleanup(run, "umount", str(where), check=True)
        return where

    def test_full_disk(self) -> None:
        """A disk that takes a part gives status 1 and one line, whether the stream has ended by then or not."""
        out = self.full() / "out"
        for size in (65_537, 100_000, 4_000_000):
            listener = self.listen()
            line = f"streamrelay connect {HOST} {listener.target} > {out}"
            self.assertEqual(self.ends(line, seeded(size), listener), (1, FULL), size)
            self.assertEqual(out.read_bytes(), seeded(size)[:65_536])
        listener = self.listen()
        line = f"streamrelay connect {HOST} {listener.target} > {out}"
        self.assertEqual(self.ends(line, seeded(65_536), listener), (0, ""))

    def test_takes_nothing(self) -> None:
        """An output that takes nothing gives status 1 each time, also when all comes along with the stream's end."""
        for _ in range(5):
            listener = self.listen()
            line = f"streamrelay connect {HOST} {listener.target} > /dev/full"
            self.assertEqual(self.ends(line, b"x", listener), (1, FULL))

    def test_close(self) -> None:
        """An error that comes only at the output's close, as of a quota on NFS, is told, too."""
        need_program("strace")
        out = self.folder / "out"
        listener = self.listen()
        fault = f"strace -f -o /dev/null -P {out} -e trace=close -e inject=close:error=EDQUOT"
        line = f"{fault} streamrelay connect {HOST} {listener.target} > {out}"
        self.assertEqual(self.ends(line, b"x", listener), (1, "streamrelay: standard output: Disk quota exceeded\n"))

    def test_reader_gone(self) -> None:
        """Who reads no more ends it at once, without a word: while bytes come, and while none do."""
        listener = self.listen()
        line = f"streamrelay connect {HOST} {listener.target} | head -1; echo ${{PIPESTATUS[0]}} >&2"
        process = self.shell(line, stdout=subprocess.PIPE)
        target = listener.accept()
        target.sendall(b"one\n")
        out, said = process.communicate(timeout=WAIT)  # the target goes on, and says nothing
        self.assertEqual((out, said), ("one\n", f"{PIPE}\n"))
        self.assertEqual(self.until_closed(target), b"")

        listener = self.listen()
        process = self.shell(line.replace(line.split()[3], listener.target), stdout=subprocess.PIPE)
        target = listener.accept()
        sending = Work(flood, target)
        self.assertEqual(process.communicate(timeout=WAIT)[1], f"{PIPE}\n")
        sending.result()

    def until_closed(self, target: socket.socket) -> bytes:
        target.settimeout(WAIT)
        try:
            return target.recv(100)
        except ConnectionResetError:
            return b""

    def test_hosts(self) -> None:
        """The lists of other commands are held to the same."""
        for line, status, said in (
            ("streamrelay hosts > /dev/full", 1, FULL),
            ("streamrelay hosts --json > /dev/full", 1, FULL),
            ("streamrelay hosts | sleep 0; exit ${PIPESTATUS[0]}", (0, PIPE), ""),
            ("streamrelay hosts >&-", 1, "streamrelay: standard output: Bad file descriptor\n"),
        ):
            process = self.shell(line)
            _, words = process.communicate(timeout=WAIT)
            self.assertIn(process.returncode, status if isinstance(status, tuple) else (status,), line)
            self.assertEqual(words, said, line)

    def test_key_add(self) -> None:
        """A key that nobody could read isn't made: its entry is taken out again, and that is said."""
        reader, unread = os.pipe()
        self.addCleanup(os.close, unread)
        os.close(reader)
        for number, (out, why) in enumerate(
            ((">/dev/full", "No space left on device"), (">&-", "Bad file descriptor"), ("", "Broken pipe"))
        ):
            keys = self.folder / f"keys{number}.toml"
            line = f"streamrelay key add alice --keys {keys} --grant '*:*' {out}"
            process = self.shell(line, stdout=unread)
            _, said = process.communicate(timeout=WAIT)
            expected = f"streamrelay: standard output: {why}; alice has no key, as nobody could have read it\n"
            self.assertEqual((process.returncode, said), (1, expected))
            self.assertNotIn("alice", keys.read_text())

    def test_closed(self) -> None:
        """Descriptors that are closed at the start are none of ours: no socket has their number."""
        for closed, numbers in (("<&-", "0"), (">&-", "1"), ("2>&-", "2"), ("<&- >&- 2>&-", "012")):
            listener = self.listen()
            process = self.shell(f"exec streamrelay connect {HOST} {listener.target} {closed}")
            target = listener.accept()
            try:
                for number in numbers:
                    self.assertEqual(os.readlink(f"/proc/{process.pid}/fd/{number}"), "/dev/null", closed)
            finally:
                target.close()
            process.communicate(timeout=WAIT)
            self.assertEqual(process.returncode, 0, closed)

    def test_closed_output(self) -> None:
        """Bytes for a closed standard output aren't taken; words for a closed standard error don't go elsewhere."""
        listener = self.listen()
        line = f"streamrelay connect {HOST} {listener.target} >&-"
        bad = "streamrelay: standard output: Bad file descriptor\n"
        self.assertEqual(self.ends(line, b"x", listener), (1, bad))
        for error in ("2>&-", "2>/dev/full"):
            process = self.shell(f"streamrelay connect nobody log {error}", stdout=subprocess.PIPE)
            out, _ = process.communicate(timeout=WAIT)
            self.assertEqual((process.returncode, out), (3, ""), error)


def flood(target: socket.socket) -> None:
    """Send lines until nobody takes them."""
    target.settimeout(WAIT)
    try:
        while True:
            target.sendall(b"line\n" * 10_000)
    except (BrokenPipeError, ConnectionResetError):
        target.close()
