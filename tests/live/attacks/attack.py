"""What the attacks share: a chain that is attacked, a neighbour who may not notice, a decoy that nothing may reach.

The table of attacks is in docs/security.rst, "Attacks": what happens, and which test shows it.
"""

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.live.support.case import LiveTest
from tests.live.support.certificates import certificates
from tests.live.support.chain import HOST, Chain, shared
from tests.live.support.http import Answer, ask
from tests.live.support.pace import Stopwatch
from tests.live.support.ports import free_port
from tests.live.support.processes import Program, environment, twistd
from tests.live.support.secrets import SUITE
from tests.live.support.sockets import Listener, take
from tests.live.support.waiting import WAIT, until
from tests.live.support.websockets import V1

ROOT = Path(__file__).resolve().parents[3]
PANEL = "https://panel.example"
"""The page that may open streams."""
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
LEAST = 300
"""Round trips of the neighbour that a window has at least."""
FLOOR = 0.1
"""Seconds, on a free machine, below which a neighbour's p99 is never taken for an attack's doing. What the table of
attacks is about took it to 119 ms and more; below that, wall time on a machine whose cores are taken by other tests
tells of them. What a turn of the reactor may cost is held by quick tests in CPU time; each window is printed."""
HOPS = 6
"""How many times a bystander's p99 a neighbour's may be on a busy machine: it waits its turn at each of our programs,
twice, and a bystander at one process, once."""
TRIES = 3
"""Windows until a neighbour is taken to have noticed: other programs of the machine may take the cores for a while."""


_others = count()


@frozen
class Window:
    """Round trips of a neighbour: how many, and seconds."""

    count: int
    median: float
    p99: float
    worst: float
    bystander: float
    """The p99 of a process that only echoes, beside it."""

    def __str__(self) -> str:
        times = (self.median, self.p99, self.worst, self.bystander)
        median, p99, worst, beside = (f"{seconds * 1000:.2f}" for seconds in times)
        return f"{self.count} round trips, median {median} ms, p99 {p99}, worst {worst}, a bystander's p99 {beside}"


class Bystander:
    """An echo stream through a chain that others attack (tests.live.attacks.bystander), and its baseline."""

    def __init__(self, chain: Chain) -> None:
        listener = Listener()
        descriptor = listener.socket.fileno()
        self._process = subprocess.Popen(
            (sys.executable, "-m", "tests.live.attacks.bystander", str(descriptor)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(descriptor,),
            cwd=ROOT,
            env=environment(),
        )
        target = listener.target
        listener.close()
        self._answer()  # before there is a stream, which waits for its client no longer than 30 s
        answer = chain.ask("POST", "/v1/streams", {"host": HOST, "target": target})
        if answer.status != 201:
            raise AssertionError(answer.text)
        self._say(answer.json["url"])
        self.baseline = self.rest()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError("the neighbour's stream was lost, or its bytes were")
        return line.decode()

    def _window(self, least: int) -> Window:
        self._say(f"end {least}")
        return Window(**json.loads(self._answer()))

    def rest(self) -> Window:
        """A window while nothing is attacked."""
        self._say("begin")
        return self._window(1000)

    def watch(self, attack: Callable[[], object]) -> Window:
        """A window during an attack; `AssertionError` if a byte was lost, doubled or changed."""
        self._say("begin")
        try:
            attack()
        finally:
            window = self._window(LEAST)
        return window

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class AttackedChain(Chain):
    """A chain with everything that is attacked: origins, TLS beside plain, a list of relays, debug lines everywhere."""

    lists = 0
    """Lists of targets that the agent was given."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        certificates(folder)
        self.tls_port = free_port()
        self._neighbour: Bystander | None = None
        super().__init__(folder, **settings)

    def relay_arguments(self) -> tuple[str, ...]:
        origins = (PANEL, page_origin(), f"http://127.0.0.1:{self.platform_port}")
        return (
            *super().relay_arguments(),
            f"--listen=tls:{self.tls_port}:interface=127.0.0.1",
            f"--certificate={self.folder}/relay.pem,{self.folder}/relay.key",
            *(f"--origin={origin}" for origin in origins),
            "--debug",
        )

    def write_agent(self, targets: str) -> None:
        self.agent_settings = f'relays = ["{self.relay_url}"]\n'
        super().write_agent(targets)

    def start_agent(self) -> Program:
        command = (*self.space, *twistd(), "streamagent", f"--config={self.folder}/agent.toml", "--debug")
        self.agent = self.add("streamagent", *command)
        return self.agent

    def platform_arguments(self) -> tuple[str, ...]:
        return (*super().platform_arguments(), "--debug")

    def relist(self, targets: str) -> None:
        """Give the agent these targets, and wait until it has them; its log says no more than that it has read some."""
        self.lists += 1
        mark = f"list-{self.lists}"
        self.write_agent(f'{targets}\n[targets.{mark}]\nkind = "tcp"\naddress = "127.0.0.1:1"\n')
        until(lambda: mark in self.listed(), what="the new list of targets")

    def listed(self) -> list[str]:
        hosts = self.ask("GET", "/v1/hosts").json.get("hosts", [])
        return [target["name"] for host in hosts for target in host["targets"]]

    @property
    def bystander(self) -> Bystander:
        self._neighbour = self._neighbour or Bystander(self)
        return self._neighbour

    def stop(self) -> None:
        if self._neighbour is not None:
            self._neighbour.close()
        super().stop()


@cache
def page_origin() -> str:
    """The origin of a page that may open streams, on this machine."""
    return f"http://127.0.0.1:{free_port()}"


class Decoy(Listener):
    """A target's port that counts what reaches it."""

    def __init__(self) -> None:
        super().__init__()
        self.connections, self.data = 0, b""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        try:
            while True:
                try:
                    connection = self.accept()
                except TimeoutError:
                    continue
                self.connections += 1
                threading.Thread(target=self._read, args=(connection,), daemon=True).start()
        except OSError:
            return

    def _read(self, connection: socket.socket) -> None:
        connection.settimeout(None)
        try:
            while data := connection.recv(65536):
                self.data += data
        except OSError:
            return


@frozen
class Reply:
    """What came back on a connection: all its bytes, and how it stands."""

    raw: bytes
    ended: str
    """"eof", "reset", or "open"."""

    @property
    def status(self) -> int | None:
        words = self.raw.split(b" ", 2)
        return int(words[1]) if words[0].startswith(b"HTTP/") else None

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]


def upgrade(path: str, *more: str) -> bytes:
    """A websocket's opening request with more header lines."""
    lines = (
        f"GET {path} HTTP/1.1",
        "Host: relay.example",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {KEY}",
        *more,
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def frame(opcode: int, payload: bytes = b"", first: int = 0x80, masked: bool = True, length: bytes = b"") -> bytes:
    """One frame of a client, its mask of zeros; `length` overrides the length's bytes."""
    size = len(payload)
    short = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    if size > 65535:
        short = b"\x7f" + size.to_bytes(8, "big")
    length = length or short
    mark = 0x80 if masked else 0
    return bytes([first | opcode, mark | length[0]]) + length[1:] + (bytes(4) if masked else b"") + payload


def read_reply(connection: socket.socket, seconds: float, until_body: bool = True) -> Reply:
    """Read until the end of the connection, or of a 101's head, or of the time."""
    raw, end = b"", time.monotonic() + seconds
    try:
        while not (until_body and raw.startswith(b"HTTP/1.1 101") and b"\r\n\r\n" in raw):
            connection.settimeout(max(0.001, end - time.monotonic()))
            data = connection.recv(65536)
            if not data:
                return Reply(raw, "eof")
            raw += data
    except TimeoutError:
        return Reply(raw, "open")
    except OSError:
        return Reply(raw, "reset")
    return Reply(raw, "open")


class AttackTest(LiveTest):
    """Attacks on one chain. Every test runs beside a neighbour, and again if that noticed; see `FLOOR` and `TRIES`."""

    kind: type["AttackedChain"] = AttackedChain
    watched = True
    """False where a test starts programs itself: their starting takes the cores, and that is no attack."""

    def setUp(self) -> None:
        super().setUp()
        self.common: AttackedChain = shared(kind=self.kind)  # type: ignore[assignment]
        self.relay_at = ("127.0.0.1", self.common.relay_port)
        if self.watched:
            setattr(self, self._testMethodName, partial(self.unnoticed, getattr(self, self._testMethodName)))

    def unnoticed(self, attack: Callable[[], object]) -> None:
        """The attack's own assertions hold, and the neighbour's p99 stays near its baseline, or a bystander's.

        The baseline is that before or that after it: other work of the machine comes and goes.
        """
        bystander = self.common.bystander
        for _ in range(TRIES):
            passed = Stopwatch()
            window = bystander.watch(attack)
            print(f"figure: beside {self.id().rpartition('attacks.')[2]}: {window}")
            before = bystander.baseline
            bound = max(2 * before.p99, HOPS * window.bystander)
            if window.p99 < bound or passed.fairly(window.p99) < FLOOR:
                return
            bystander.baseline = bystander.rest()
            if window.p99 < 2 * bystander.baseline.p99:
                return
        self.fail(f"the neighbour noticed: {window}; at rest before: {before}; after: {bystander.baseline}")

    def decoy(self) -> Decoy:
        decoy = Decoy()
        self.addCleanup(decoy.close)
        return decoy

    def assert_reached(self, decoy: Decoy, connections: int, data: bytes = b"") -> None:
        """So many connections and just these bytes have reached a target, also a moment later."""
        until(lambda: decoy.connections >= connections and len(decoy.data) >= len(data), what="what is to come")
        time.sleep(0.05)
        self.assertEqual((decoy.connections, decoy.data), (connections, data))

    def opened(self, decoy: Decoy) -> str:
        """The path of the client's leg of a stream whose agent waits; its target is the decoy."""
        url = self.open(self.common, decoy.target)
        return url.removeprefix(self.common.relay_url)

    def connect(self, to: tuple[str, int] | None = None) -> socket.socket:
        connection = socket.create_connection(to or self.relay_at, WAIT)
        self.addCleanup(connection.close)
        return connection

    def connect_tls(self) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=str(self.common.folder / "ca.pem"))
        secure = context.wrap_socket(self.connect(("127.0.0.1", self.common.tls_port)), server_hostname="localhost")
        self.addCleanup(secure.close)
        return secure

    def ask_wrongly(self, key: str, body: object) -> Answer:
        """Ask for a stream by a wrong key, from an address of its own: those of one address are throttled."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        source = f"127.{os.getpid() % 250 + 1}.{next(_others) % 250}.1"
        return ask(self.common.platform_port, "POST", "/v1/streams", json.dumps(body), headers, source)

    def send_request(self, request: bytes) -> Reply:
        """Send a request to the relay, and read its answer."""
        connection = self.connect()
        try:
            connection.sendall(request)
        except OSError:
            pass  # it may have been cut in the middle; what came back says why
        reply = read_reply(connection, WAIT)
        SUITE.seen("attack's answer", b"" if reply.status == 101 else reply.raw)
        if reply.status != 101:
            connection.close()
        return reply

    def leg(self, path: str, *more: str) -> socket.socket:
        """An open leg as a bare socket."""
        connection = self.connect()
        connection.sendall(upgrade(path, f"Sec-WebSocket-Protocol: {V1}", *more))
        connection.settimeout(WAIT)
        head = b""
        while not head.endswith(b"\r\n\r\n") and (byte := connection.recv(1)):  # and no byte of a frame behind it
            head += byte
        self.assertEqual(Reply(head, "open").status, 101, head)
        return connection

    def closed_with(self, connection: socket.socket) -> int:
        """The code of the close frame that comes; 1006 if the connection just ends."""
        connection.settimeout(WAIT)
        try:
            while True:
                first, size = take(connection, 2)
                payload = take(connection, int.from_bytes(take(connection, 2), "big") if size == 126 else size)
                if first == 0x88:
                    SUITE.seen("close reason", payload[2:])
                    return int.from_bytes(payload[:2], "big")
        except (OSError, AssertionError):
            return 1006

    @contextmanager
    def memory(self, *programs: Any, most: float) -> Iterator[None]:
        """No program grows by more than so many MiB."""
        before = [program.rss() for program in programs]
        yield
        for program, old in zip(programs, before, strict=True):
            self.assertLess(program.rss() - old, most, f"MiB more in {program.name}")


def pages(content: str, port: int) -> subprocess.Popen[bytes]:
    """A web server of one page, in a process of its own."""
    script = (
        "import http.server, sys\n"
        "class Page(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200); self.send_header('Content-Type', 'text/html'); self.end_headers()\n"
        f"        self.wfile.write({content.encode()!r})\n"
        "    def log_message(self, *_): pass\n"
        # A browser may hold a second connection on which it asks for nothing.
        f"http.server.ThreadingHTTPServer(('127.0.0.1', {port}), Page).serve_forever()\n"
    )
    return subprocess.Popen((sys.executable, "-c", script), env={"PATH": os.environ.get("PATH", "")})
