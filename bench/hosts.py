"""Many hosts: nats-server, a platform and simulated agents, and pages that see the list of hosts."""

import http.client
import json
import selectors
import socket
import sys
import time
from pathlib import Path
from typing import Any, Final

from bench.processes import Bench, Program, Unusable, free_port, program
from streamrelay.bus.permissions import render
from streamrelay.platform.auth.grants import Grant
from streamrelay.platform.auth.key_file import add_key

AGENTS: Final = Path(__file__).with_name("agents.py")
_NATS: Final = """\
listen: 127.0.0.1:{port}
max_connections: 100000
no_auth_user: bench
include users.conf
"""
_TIME: Final = 100.0
"""Seconds that anything may take."""
_TAIL: Final = 200
"""Bytes of what came before in which a word may have begun."""


class Agents:
    """The program of the agents, which is told what to do."""

    def __init__(self, bench: Bench, nats_port: int, count: int) -> None:
        port = free_port()
        command = [sys.executable, str(AGENTS), str(nats_port), str(port), str(count)]
        self.program = bench.start("agents", command)
        self._socket = self._dial(port)
        self._lines = self._socket.makefile("rb")

    def _dial(self, port: int) -> socket.socket:
        """Connect, once all agents are there."""
        end = time.monotonic() + _TIME
        while time.monotonic() < end and self.program.process.poll() is None:
            try:
                return socket.create_connection(("127.0.0.1", port), 1)
            except OSError:
                time.sleep(0.1)
        raise Unusable(f"the agents did not come: {self.program.last_words()}")

    def told(self, command: str) -> dict[str, int]:
        """Have something done, and return the counts since the start."""
        self._socket.settimeout(_TIME)
        self._socket.sendall(command.encode() + b"\n")
        counts: dict[str, int] = json.loads(self._lines.readline())
        return counts

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


class Pages:
    """Pages that are open: each has its request for what changes, and takes all that comes."""

    def __init__(self, port: int, key: str, count: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._seen: dict[socket.socket, bytes] = {}
        self.wrong = 0
        """Hosts that one of the pages was told to be down or silent, and were not."""
        request = f"GET /v1/hosts/changes HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n\r\n"
        for _ in range(count):
            page = socket.create_connection(("127.0.0.1", port), 5)
            page.sendall(request.encode())
            page.setblocking(False)
            self._selector.register(page, selectors.EVENT_READ)
            self._seen[page] = b""
        self._first = next(iter(self._seen))
        self.seconds_until("event: begin")

    def take(self, seconds: float) -> list[tuple[socket.socket, bytes]]:
        """Return what comes next, each time with the end of what came before."""
        taken = []
        for ready, _ in self._selector.select(seconds):
            page = ready.fileobj
            assert isinstance(page, socket.socket)
            came = page.recv(1 << 18)
            if not came:
                raise ConnectionError("the platform has closed a page's request")
            taken.append((page, self._seen[page] + came))
            if page is self._first:
                self.wrong += came.count(b'"state":"down"') + came.count(b'"state":"silent"')
            self._seen[page] = (self._seen[page] + came)[-_TAIL:]
        return taken

    def rest(self, seconds: float) -> None:
        """Take what comes for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.take(left)

    def seconds_until(self, words: str) -> float:
        """Return the seconds until all pages were told these words; of one whose last bytes have them, none."""
        began, due = time.monotonic(), set(self._seen)
        while due:
            if time.monotonic() > began + _TIME:
                raise TimeoutError(f"{len(due)} pages were not told {words!r}")
            due -= {page for page, text in self.take(1) if words.encode() in text}
        return time.monotonic() - began

    def close(self) -> None:
        for page in self._seen:
            page.close()
        self._selector.close()


class Hosts:
    """So many agents on one server of NATS, whose accounts are as ours are but for users by host, and one platform."""

    pages: Pages

    def __init__(self, bench: Bench, count: int) -> None:
        self._bench, self.count = bench, count
        self._nats_port, self._port = free_port(), free_port()
        users = render([]).replace("users: [", "users: [ { user: bench, password: bench }", 1)
        (bench.folder / "users.conf").write_text(users)
        (bench.folder / "hosts.conf").write_text(_NATS.format(port=self._nats_port))
        keys = bench.folder / f"hosts-{count}.toml"
        keys.unlink(missing_ok=True)
        self.key = add_key(keys, "alice", [Grant("*", "*")])
        self._keys = keys
        self.nats = self._start_nats()
        self.agents = Agents(bench, self._nats_port, count)
        self.platform: Program | None = None

    def _start_nats(self) -> Program:
        server = program("nats-server", str(Path(sys.executable).parent))
        nats = self._bench.start("nats-server", [server, "-c", str(self._bench.folder / "hosts.conf")])
        nats.wait_until_listening(self._nats_port)
        return nats

    def restart_nats(self) -> None:
        """Have all agents, and the platform, lose their connections."""
        self.nats.stop()
        self.nats = self._start_nats()

    def start_platform(self) -> float:
        """Start the platform, after the end of one that runs; return the seconds until its list is complete."""
        if self.platform is not None:
            self.platform.stop()
        twistd = str(Path(sys.executable).with_name("twistd"))
        began = time.monotonic()
        self.platform = self._bench.start(
            "streamplatform",
            [
                *(sys.executable, twistd, "-n", "--pidfile=", "streamplatform", "--relay=ws://127.0.0.1:1"),
                *(f"--nats=nats://127.0.0.1:{self._nats_port}", "--tokens=opaque", f"--keys={self._keys}"),
                f"--listen=tcp:{self._port}:interface=127.0.0.1",
            ],
        )
        self.wait_until_complete()
        return time.monotonic() - began

    def open_pages(self, count: int) -> None:
        self.pages = Pages(self._port, self.key, count)

    def is_complete(self) -> bool:
        """Tell whether all hosts are known, and up."""
        try:
            status, body = self.get(self.dialled(), "/v1/hosts?limit=1")
        except OSError:
            return False
        found: dict[str, Any] = json.loads(body)
        return status == 200 and found["complete"] is True and found["up"] == self.count

    def wait_until_complete(self) -> None:
        end = time.monotonic() + _TIME
        while not self.is_complete():
            if time.monotonic() > end:
                raise TimeoutError(f"the list of {self.count} hosts is not complete")
            time.sleep(0.1)

    def dialled(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIME)

    def get(self, connection: http.client.HTTPConnection, path: str) -> tuple[int, bytes]:
        """Ask the platform as a page does, but for gzip."""
        connection.request("GET", path, headers={"Authorization": f"Bearer {self.key}"})
        with connection.getresponse() as response:
            return response.status, response.read()

    def milliseconds(self, paths: list[str]) -> list[float]:
        """Return the time of each of these requests, one after the other on one connection."""
        connection, taken = self.dialled(), []
        for path in paths:
            began = time.perf_counter()
            status, body = self.get(connection, path)
            taken.append(1e3 * (time.perf_counter() - began))
            if status != 200:
                raise ConnectionError(f"{path} was answered {status}: {body[:100]!r}")
        connection.close()
        return taken

    def stop(self) -> None:
        if hasattr(self, "pages"):
            self.pages.close()
        self.agents.close()
        for running in (self.platform, self.agents.program, self.nats):
            if running is not None:
                running.stop()
