"""The whole product: chains from a host's port to a port beside the user, and opening streams."""

import http.client
import json
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from bench.chain import Chain
from bench.chains import CHAINS
from bench.fleet import HOST, Fleet
from bench.legs import Listener, dial, dial_tls, read_head
from bench.processes import machine_busy
from bench.pump import flow
from bench.relays import Direct
from bench.sampling import Plan, Row, Sample, interleave
from bench.works.work import Plot, Table, Target, Work

SECONDS = 1.5


def _bulk(chain: Any, plan: Plan, from_client: bool) -> Sample:
    pair = chain.pair()
    before = chain.shares() if isinstance(chain, Chain) else {}
    try:
        got = flow(chain, [pair], 65536, seconds=plan.seconds(SECONDS), from_client=from_client)
    finally:
        pair.close()
    gigabytes = got.payload / 1e9
    figures = {"cpu": got.relay / gigabytes, "speed": gigabytes / got.wall, "load_share": got.load / got.wall}
    if before:
        figures.update({name: (cpu - before[name]) / gigabytes for name, cpu in chain.shares().items()})
    return Sample(figures, got.others / got.wall)


def run_chain(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    chains = plan.started((*CHAINS, Direct))
    rows += interleave(plan, "from the host to the user", chains, lambda chain: _bulk(chain, plan, False))
    rows += interleave(plan, "from the user to the host", chains, lambda chain: _bulk(chain, plan, True))
    for chain in chains:
        chain.stop()
    return rows


class _Greeter:
    """A target that says one byte to whoever connects."""

    def __init__(self) -> None:
        self._listener = Listener()
        self.port = self._listener.port
        self._kept: list[socket.socket] = []
        threading.Thread(target=self._greet, daemon=True).start()

    def _greet(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            with suppress(OSError):
                connection.sendall(b"!")
            self._kept = [*self._kept[-50:], connection]

    def close(self) -> None:
        self._listener.close()


class _Opening:
    """Streams opened one after the other over one HTTP connection, by signed tokens."""

    name = "streamrelay"

    def __init__(self, plan: Plan, tls: bool) -> None:
        self._plan, self._tls = plan, tls
        self._greeter = _Greeter()
        self._fleet = Fleet(plan.bench, self._greeter.port, tls)
        self._context = ssl.create_default_context(cafile=str(self._fleet.certificate.certificate))
        self._api = self._dial_api()
        for _ in range(20):
            self._open()

    def _dial_api(self) -> http.client.HTTPConnection:
        port = self._fleet.platform_port
        if self._tls:
            return http.client.HTTPSConnection("localhost", port, timeout=20, context=self._context)
        return http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def _open(self) -> tuple[float, float]:
        """Seconds from the request to the API's answer, and to the first byte."""
        body = json.dumps({"host": HOST, "target": "source"})
        began = time.perf_counter()
        self._api.request("POST", "/v1/streams", body, {"Content-Type": "application/json"})
        answer = self._api.getresponse()
        text = answer.read()
        answered = time.perf_counter()
        if answer.status != 201:
            raise ConnectionError(f"no stream: {answer.status} {text[:200]!r}")
        url = urlsplit(json.loads(text)["url"])
        port = self._fleet.relay_port
        with dial_tls(port, self._context) if self._tls else dial(port) as connection:
            connection.sendall(
                f"GET {url.path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            got = read_head(connection)
            if not got.startswith(b"HTTP/1.1 101"):
                raise ConnectionError(f"no websocket: {got[:100]!r}")
            got = got.split(b"\r\n\r\n", 1)[1]
            while len(got) < 3:
                piece = connection.recv(64)
                if not piece:
                    raise ConnectionError("the stream was cut")
                got += piece
            ended = time.perf_counter()
        return answered - began, ended - began

    def measure(self) -> Sample:
        count = 60 if self._plan.quick else 200
        before, busy, began = self._fleet.cpu(), machine_busy(), time.monotonic()
        mine = time.process_time()
        times = [self._open() for _ in range(count)]
        wall = time.monotonic() - began
        cpu, mine = self._fleet.cpu() - before, time.process_time() - mine
        answers, firsts = sorted(answer for answer, _ in times), sorted(first for _, first in times)
        figures = {
            "p50": firsts[count // 2] * 1e3,
            "p99": firsts[int(count * 0.99)] * 1e3,
            "api": answers[count // 2] * 1e3,
            "cpu": cpu / count * 1e3,
        }
        return Sample(figures, max(0.0, machine_busy() - busy - cpu - mine) / wall)

    def close(self) -> None:
        self._api.close()
        self._fleet.stop()
        self._greeter.close()


def run_opening(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    for case, tls in (("plain", False), ("TLS everywhere", True)):
        opening = _Opening(plan, tls)
        rows += interleave(plan, case, [opening], lambda subject: subject.measure())
        opening.close()
    return rows


CHAIN = Work(
    "chain",
    "Whole chains",
    "A TCP port on a host that only dials out, to a TCP port beside the user, through a public process: three "
    "programs each, both ways to the public one encrypted (rathole has two, and one such way). The CPU of all of them "
    "counts. One connection, as fast as it "
    "goes.",
    run_chain,
    (
        Table("cpu", "CPU seconds of all programs per GB", better="least"),
        Table("host", "of these: the host's", spread=False),
        Table("public", "of these: the public process", spread=False),
        Table("user", "of these: the user's", spread=False),
        Table("speed", "GB a second (wall time)", spread=False, better="most"),
    ),
    (Plot("cpu", "CPU seconds of the whole chain per GB"),),
    tuple(
        Target(f"{case}: CPU of the whole chain against {against}", "cpu", case, 1.0, against)
        for against in ("chisel", "wstunnel", "ssh")
        for case in ("from the host to the user", "from the user to the host")
    ),
)

_HANDSHAKES = (
    "This work waits for the API's whole answer, as a page's script does: over TLS the agent's handshake comes before "
    "it, the client's after it, and the tables show how much of the time is before that answer. The native client and "
    "the Python library ask for the relay's URL at once (early answers), and dial while the agent does."
)

OPENING = Work(
    "opening",
    "Opening a stream",
    "``POST /v1/streams`` to the first byte at the client: platform, bus, agent, target, relay and the client's "
    "websocket, all on this machine, one after the other, 200 a repetition.",
    run_opening,
    (
        Table("p50", "Median, milliseconds"),
        Table("p99", "99th percentile, milliseconds"),
        Table("api", "of the median: until the API's answer, milliseconds"),
        Table("cpu", "CPU milliseconds of relay, agent, platform and nats-server per stream"),
    ),
    (),
    (
        Target("plain: median, ms", "p50", "plain", 8.0),
        Target("plain: 99th percentile, ms", "p99", "plain", 25.0),
        Target("TLS everywhere: median, ms", "p50", "TLS everywhere", 8.0, why=_HANDSHAKES),
        Target("TLS everywhere: 99th percentile, ms", "p99", "TLS everywhere", 25.0),
    ),
)
