"""What people do through a local port: a database's clients, a clone, a page with many pictures."""

import http.server
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from bench.chain import Chain
from bench.chains import CHAINS, SshDoor
from bench.processes import Bench, Others, Unusable, free_port, program
from bench.sampling import Plan, Row, Sample, interleave, say
from bench.works.clicking import FLAGS
from bench.works.work import NEAR_AND_FAR, Table, Target, Work

LIMIT = 120.0
"""Seconds for each."""
POSTGRES = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
CLIENTS, TRANSACTIONS = 4, 15
PICTURES = 60
FILES = 100


class Straight(Chain):
    """Without a tunnel: far away, the way to the host is as long as both of a tunnel's."""

    name = "no tunnel"

    def compose(self, bench: Bench) -> None:
        self.trip *= 2
        self.port = self.reach(bench, self.aim)

    def version(self) -> str:
        return ""


class Task:
    """Something to do through a port: `port` is that of the server."""

    name: ClassVar[str]
    port: int

    def __init__(self, bench: Bench, stack: ExitStack) -> None:
        """Start the server, or raise `Unusable`."""
        raise NotImplementedError

    def do(self, port: int) -> float:
        """Do it through a port; say which part of it failed."""
        raise NotImplementedError


def _run(command: list[str], **environment: str) -> "subprocess.CompletedProcess[str]":
    everything = {**os.environ, "LC_ALL": "C", **environment}
    try:
        return subprocess.run(command, capture_output=True, text=True, env=everything, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"{command[0]} did not end within {LIMIT:.0f} s") from None


class Pgbench(Task):
    name = f"pgbench -C, {CLIENTS * TRANSACTIONS} transactions of {CLIENTS} clients"

    def __init__(self, bench: Bench, stack: ExitStack) -> None:
        self._pgbench, initdb, postgres = (program(name, *POSTGRES) for name in ("pgbench", "initdb", "postgres"))
        folder = tempfile.mkdtemp(prefix="streamrelay-bench-")
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        other: list[str] = []
        if os.getuid() == 0:  # as which it doesn't run
            shutil.chown(folder, "nobody")
            user = pwd.getpwnam("nobody").pw_uid
            other = [program("setpriv"), f"--reuid={user}", "--clear-groups", "env", f"--chdir={folder}"]
        made = _run([*other, initdb, "-D", folder, "-A", "trust", "-U", "bench"])
        if made.returncode:
            raise Unusable(f"initdb failed: {made.stderr.strip()}")
        self.port = free_port()
        options = ["-h", "127.0.0.1", "-p", str(self.port), "-k", "", "-F"]
        server = bench.start("postgres", [*other, postgres, "-D", folder, *options])
        stack.callback(server.stop)
        server.wait_until_said("ready to accept connections")
        made = _run([*self._command(self.port), "-i", "-q"])
        if made.returncode:
            raise Unusable(f"pgbench -i failed: {made.stderr.strip()}")

    def _command(self, port: int) -> list[str]:
        return [self._pgbench, "-h", "127.0.0.1", "-p", str(port), "-U", "bench", "postgres"]

    def do(self, port: int) -> float:
        done = _run([*self._command(port), "-n", "-S", "-C", f"-c{CLIENTS}", f"-j{CLIENTS}", f"-t{TRANSACTIONS}"])
        worked = re.search(r"actually processed: (\d+)/(\d+)", done.stdout)
        return 1 - int(worked[1]) / int(worked[2]) if worked else 1.0


class Clone(Task):
    name = "git clone over ssh"

    def __init__(self, bench: Bench, stack: ExitStack) -> None:
        self._git, self._door = program("git"), SshDoor(bench)
        self._there, self._here = bench.folder / "repository", bench.folder / "clone"
        self._there.mkdir()
        for number in range(FILES):
            (self._there / f"{number}").write_bytes(os.urandom(10_000))
        me = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
        for command in (["init", "-q"], ["add", "."], [*me, "commit", "-q", "-m", "files"]):
            made = _run([self._git, "-C", str(self._there), *command])
            if made.returncode:
                raise Unusable(f"git {command[0]} failed: {made.stderr.strip()}")
        self.port = free_port()
        server = bench.start("sshd", [*self._door.sshd, "-D", "-o", f"ListenAddress=127.0.0.1:{self.port}"])
        stack.callback(server.stop)
        server.wait_until_listening(self.port)

    def do(self, port: int) -> float:
        shutil.rmtree(self._here, ignore_errors=True)
        url = f"ssh://{self._door.there}:{port}{self._there}"
        _run([self._git, "clone", "-q", url, str(self._here)], GIT_SSH_COMMAND=" ".join(self._door.ssh))
        same = [name for name in map(str, range(FILES)) if self._is_same(name)]
        return 1 - len(same) / FILES

    def _is_same(self, name: str) -> bool:
        there, here = self._there / name, self._here / name
        return here.exists() and here.read_bytes() == there.read_bytes()


PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'


class _Pictures(http.server.BaseHTTPRequestHandler):
    """A page and its pictures, a connection for each."""

    def do_GET(self) -> None:
        pictures = "".join(f'<img src="/{number}.svg">' for number in range(PICTURES - 1))
        is_picture = self.path.endswith(".svg")
        self.send_response(200)
        self.send_header("Content-Type", "image/svg+xml" if is_picture else "text/html")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(PICTURE if is_picture else f"<!doctype html>{pictures}".encode())

    def log_message(self, *_: Any) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Say nothing: a picture that is missing is counted at the other end."""


class Page(Task):
    name = f"{PICTURES} requests of a browser, a connection each"

    def __init__(self, bench: Bench, stack: ExitStack) -> None:
        chromium = program("chromium")
        try:
            from playwright.sync_api import sync_playwright
        except ImportError:
            raise Unusable("playwright is not installed") from None
        server = _Server(("127.0.0.1", 0), _Pictures)
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        self._browser = stack.enter_context(sync_playwright()).chromium.launch(executable_path=chromium, args=FLAGS)
        stack.callback(self._browser.close)

    def do(self, port: int) -> float:
        page = self._browser.new_page()
        try:
            page.goto(f"http://127.0.0.1:{port}/", wait_until="load", timeout=LIMIT * 1e3)
            shown = page.evaluate("[...document.images].filter((one) => one.naturalWidth).length")
            return 1 - (int(shown) + 1) / PICTURES
        finally:
            page.close()


def _measure(chain: Chain, task: Task) -> Sample:
    others, before, began = Others(), chain.cpu(), time.perf_counter()
    failed = task.do(chain.port)
    wall, cpu = time.perf_counter() - began, chain.cpu() - before
    figures = {"wall": wall * 1e3, "cpu": cpu * 1e3, "worked": (1 - failed) * 100, "failed": failed * 100}
    return Sample(figures, others.cores())


TASKS: tuple[type[Task], ...] = (Pgbench, Clone, Page)


def run(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    for kind in TASKS:
        with ExitStack() as stack:
            try:
                task = kind(plan.bench, stack)
            except Unusable as reason:
                plan.skipped[kind.name] = str(reason)
                say(f"{kind.name} is left out: {reason}")
                continue
            for where, trip in NEAR_AND_FAR.items():
                chains = plan.started(partial(one, trip, task.port) for one in (*CHAINS, Straight))
                rows += interleave(plan, f"{kind.name}, {where}", chains, partial(_measure, task=task), 2)
                for chain in chains:
                    chain.stop()
    return rows


DAILY = Work(
    "daily",
    "What people do through a local port",
    f"*pgbench -C* connects anew for each transaction; the repository has {FILES} files of 10 kB; the browser is "
    "Chromium, which asks for six pictures at a time, and the server closes each connection. *No tunnel* is the same "
    "straight to the server; far away its round trip is as long as both of a tunnel's. Two repetitions.",
    run,
    (
        Table("wall", "Milliseconds (wall time)", 0, better="least"),
        Table("worked", "Per cent of it that worked", 1, False),
        Table("cpu", "CPU milliseconds of the whole chain", 0),
    ),
    (),
    tuple(
        Target(f"{kind.name}, {where}: failed", "failed", f"{kind.name}, {where}", 0.0)
        for kind in TASKS
        for where in NEAR_AND_FAR
    ),
)
