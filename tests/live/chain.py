"""The harness: the installed programs as processes of their own, on free ports of loopback, in a directory that goes.

Nothing sleeps for a process to be ready: each is asked until it answers. What a test starts ends with the test; a
`shared` chain ends when `STANDING` of other settings were wanted since, or with the run. If the run is killed, a guard
ends all of them.
"""

import atexit
import base64
import hashlib
import http.client
import json
import os
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random, sample
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from streamrelay.grants import Grant
from streamrelay.keys import add_key
from streamrelay.tokens import Signer, generate, new_id
from tests.authority import Authority
from tests.live.pace import bystander
from tests.live.secrets import SUITE
from tests.suite import guard

HOST = "host-1"
V1 = "streamrelay.v1"
RAW = "binary"
WAIT = 60.0
"""Seconds in which anything that is waited for must come, on a machine with ten times as much to do as it can."""
MIB = 1 << 20
PROGRAMS = Path(sys.executable).parent

Offer = str | tuple[str, ...] | None
"""Subprotocols that a websocket offers."""


def until(true: Callable[[], Any], seconds: float = WAIT, what: str = "it") -> Any:
    """Ask until the answer is true, and give it back; `AssertionError` if it isn't in time."""
    end = time.monotonic() + seconds
    while True:
        answer = true()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come within {seconds:g} s")
        time.sleep(0.02)


def seeded(size: int, seed: int = 1) -> bytes:
    """Bytes that look random and are the same in every run."""
    return Random(seed).randbytes(size)


_own = int(os.environ.get("STREAMRELAY_WORKER", "0")) % 4
_ports = iter(sample(range(20_000 + 3000 * _own, 23_000 + 3000 * _own), 3000))


def free_port(address: str = "127.0.0.1") -> int:
    """A port that nobody listens on: each is given once, and none that the kernel gives to outgoing connections.

    Workers of a run have ranges of their own, so that none takes what another was just given.
    """
    for port in _ports:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                continue
        return port
    raise AssertionError("no free port is left")


def need_root(what: str) -> None:
    if os.geteuid() != 0:
        raise SkipTest(f"needs root for {what}")


def need_program(name: str) -> str:
    """Where a program is, also where only root's path leads."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        raise SkipTest(f"needs the program {name}")
    return found


class LiveTest(SynchronousTestCase):
    """A test with a directory of its own, and programs that end with it."""

    if os.environ.get("STREAMRELAY_TESTS") == "quick":
        skip = "a live test, and STREAMRELAY_TESTS is quick"

    def setUp(self) -> None:
        bystander()
        self.folder = Path(tempfile.mkdtemp(prefix="streamrelay-test-"))
        self.folder.chmod(0o755)  # for sshd, and for users that a test becomes
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(SUITE.collect, self.folder)  # once all programs have ended, and before that

    def program(self, name: str, *command: str, **more: Any) -> "Program":
        started = Program(name, command, self.folder, **more)
        self.addCleanup(started.stop)
        return started

    def twistd(self, name: str, *options: str, **more: Any) -> "Program":
        return self.program(name, *twistd(), name, *options, **more)

    def chain(self, **settings: Any) -> "Chain":
        """A chain of this test alone."""
        chain = Chain(self.folder, **settings)
        self.addCleanup(chain.stop)
        chain.start()
        return chain

    def listen(self, address: str = "127.0.0.1") -> "Listener":
        """A target's port."""
        listener = Listener(address)
        self.addCleanup(listener.close)
        return listener

    def websocket(self, url: str, subprotocol: Offer = V1, **more: Any) -> ClientConnection:
        """A websocket that ends with the test."""
        leg = websocket(url, subprotocol, **more)
        self.addCleanup(hang_up, leg)
        return leg

    def refused(self, url: str, **more: Any) -> int:
        """The status by which a websocket is refused before its 101."""
        return self.assertRaises(InvalidStatus, websocket, url, **more).response.status_code

    def open(self, chain: "Chain", target: str, **more: Any) -> str:
        """Open a stream by the API, and give its URL."""
        answer = chain.ask("POST", "/v1/streams", {"host": HOST, "target": target}, **more)
        self.assertEqual(answer.status, 201, answer.text)
        return str(answer.json["url"])

    def stream(self, chain: "Chain", subprotocol: Offer = V1) -> tuple[ClientConnection, socket.socket]:
        """A stream to a tcp target through the whole chain: the client's websocket, and the target's connection."""
        listener = self.listen()
        url = self.open(chain, listener.target)
        leg = self.websocket(url, subprotocol, ca=chain.ca)
        return leg, listener.accept()

    def assert_closed(self, leg: ClientConnection, code: int, seconds: float = WAIT) -> None:
        """The websocket ends with this close code, in time."""
        self.assertEqual(close_code(leg, seconds), code, leg.close_reason)


def twistd() -> tuple[str, ...]:
    return (sys.executable, str(PROGRAMS / "twistd"), "-n", "--pidfile=")


class Program:
    """One process, its output in a file."""

    def __init__(
        self, name: str, command: tuple[str, ...], folder: Path, environment: dict[str, str] | None = None
    ) -> None:
        self.name, self.command = name, command
        self.folder, self.environment = folder, environment
        self.path = folder / f"{name}.out"
        self.start()

    def start(self) -> None:
        SUITE.command("\0".join(self.command).encode())
        SUITE.watch_processes()
        with self.path.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=environment(**self.environment or {}),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def log(self) -> str:
        return self.path.read_text(errors="replace")

    def wait_for(self, text: str, seconds: float = WAIT, count: int = 1) -> None:
        """Until the log holds a text so often."""
        until(lambda: self.log.count(text) >= count, seconds, f"{text!r} in the log of {self.name}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.alive:
            self.process.terminate()
            try:
                self.process.wait(8)
            except subprocess.TimeoutExpired:
                self.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def rss(self) -> float:
        """MiB of memory."""
        return rss(self.pid)

    def descriptors(self) -> list[str]:
        """What its descriptors stand for, but for numbers that change."""
        folder = f"/proc/{self.pid}/fd"
        found = []
        for number in os.listdir(folder):
            try:
                found.append(os.readlink(f"{folder}/{number}").split(":")[0])
            except FileNotFoundError:
                continue
        return sorted(found)


def rss(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"no process {pid}")


def environment(**more: str) -> dict[str, str]:
    """What programs inherit: nothing of ours beside the path and the guard's mark, and no proxy."""
    guard.watch()
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "USER", "SHELL", guard.MARK) if name in os.environ}
    return {"PATH": f"{PROGRAMS}:{os.environ.get('PATH', '/usr/bin:/bin')}", **kept, **more}


def run(*command: str, seconds: float = 4 * WAIT, more: dict[str, str] | None = None, **options: Any) -> Any:
    """Run a program to its end."""
    SUITE.command("\0".join(command).encode())
    SUITE.watch_processes()
    done = subprocess.run(command, timeout=seconds, env=environment(**more or {}), capture_output=True, **options)
    SUITE.seen(f"output: {command[0]}", done.stderr)
    if not {"key", "host"} & set(command[1:2]):  # these print a new secret, once
        SUITE.seen(f"output: {command[0]}", done.stdout)
    return done


class Chain:
    """nats-server, relay, agent and platform. The agent's target ``port/N`` is the port N of this machine."""

    def __init__(
        self,
        folder: Path,
        tls: bool = False,
        tokens: str = "signed",
        relay: tuple[str, ...] = (),
        relay_port: int | None = None,
        targets: str = "",
        agent: str = "",
        space: tuple[str, ...] = (),
        address: str = "127.0.0.1",
        platform: str = "",
        platform_options: tuple[str, ...] = (),
    ) -> None:
        self.folder, self.tls, self.tokens, self.address = folder, tls, tokens, address
        self.space = space
        """What is put before the agent's command, for example `ip netns exec NAME`."""
        self.ca = str(folder / "ca.pem") if tls else None
        self.nats_port, self.platform_port = free_port(), free_port()
        self.relay_port = relay_port or free_port()
        self.nats_url = f"nats://{address}:{self.nats_port}"
        name = "localhost" if tls and address == "127.0.0.1" else address
        self.relay_url = f"{'wss' if tls else 'ws'}://{name}:{self.relay_port}"
        self.relay_options, self.targets, self.agent_settings = relay, targets, agent
        self.platform_settings = platform
        self.platform_options = platform_options
        self.programs: list[Program] = []
        self.write_files()

    # -- files -----------------------------------------------------------------------------------------------

    def write_files(self) -> None:
        generate(self.folder / "platform.key", self.folder / "platform.pub")
        self.signer = Signer.load(str(self.folder / "platform.key"))
        if self.tls:
            self.authority = certificates(self.folder, self.address)
        self.keys = self.folder / "keys.toml"
        self.key = self.add_key("alice", Grant("*", "*"))
        self.weak_key = self.add_key("bob", Grant(HOST, "port/*"), Grant("other-*", "*"))
        self.write_agent(self.targets)

    def add_key(self, name: str, *grants: Grant) -> str:
        """A new user's key."""
        return SUITE.secret("API key", add_key(self.keys, name, list(grants)))

    def write_agent(self, targets: str) -> None:
        trust = f'ca = "{self.ca}"\n' if self.ca else ""
        own = f'tokens = "{self.tokens}"\nrelays = ["{self.relay_url}"]\n' if self.tokens == "opaque" else ""
        new = self.folder / "agent.toml.new"
        new.write_text(
            f'host = "{HOST}"\nnats = ["{self.nats_url}"]\nplatform_key = ["{self.folder}/platform.pub"]\n'
            f"{trust}{own}{self.agent_settings}\n"
            '[targets."port/{number}"]\nkind = "tcp"\naddress = "127.0.0.1:{number}"\n'
            'parts = { number = "[0-9]{1,5}" }\n\n'
            '[targets."port6/{number}"]\nkind = "tcp"\naddress = "[::1]:{number}"\n'
            'parts = { number = "[0-9]{1,5}" }\n\n' + targets.replace("FOLDER", str(self.folder))
        )
        new.replace(self.folder / "agent.toml")  # at once: an agent that runs may read it at any time

    # -- processes -------------------------------------------------------------------------------------------

    def start(self) -> None:
        self.start_nats()
        self.start_relay()
        self.start_agent()
        self.start_platform()
        self.wait()

    def add(self, name: str, *command: str) -> Program:
        program = Program(name, command, self.folder)
        self.programs.append(program)
        return program

    def start_nats(self) -> None:
        command = nats_command(self.nats_port, self.address)
        self.nats = self.add("nats-server", *command)

    def start_relay(self) -> None:
        self.relay = self.add("streamrelay", *twistd(), "streamrelay", *self.relay_arguments())

    def relay_arguments(self) -> tuple[str, ...]:
        where = f"{self.relay_port}:interface={self.address}"
        shown = (f"--certificate={self.folder}/relay.pem,{self.folder}/relay.key",) if self.tls else ()
        plain = () if self.tls or self.address == "127.0.0.1" else ("--insecure",)
        tokens = ("--tokens=opaque",) if self.tokens == "opaque" else (f"--platform-key={self.folder}/platform.pub",)
        listen = f"--listen={'tls' if self.tls else 'tcp'}:{where}"
        return (listen, *shown, *plain, *tokens, *self.relay_options)

    def start_agent(self) -> None:
        self.agent = self.add(
            "streamagent", *self.space, *twistd(), "streamagent", f"--config={self.folder}/agent.toml"
        )

    def start_platform(self) -> None:
        self.platform = self.add("streamplatform", *twistd(), "streamplatform", *self.platform_arguments())

    def platform_arguments(self) -> tuple[str, ...]:
        tokens = ("--tokens=opaque",) if self.tokens == "opaque" else (f"--key={self.folder}/platform.key",)
        (self.folder / "platform.toml").write_text(self.platform_settings)
        return (
            f"--config={self.folder}/platform.toml",
            f"--listen=tcp:{self.platform_port}:interface=127.0.0.1",
            f"--relay={self.relay_url}",
            f"--keys={self.keys}",
            f"--nats={self.nats_url}",
            *(() if self.address == "127.0.0.1" else ("--insecure",)),
            *tokens,
            *self.platform_options,
        )

    def wait(self) -> None:
        """Until all is up."""
        until(lambda: answers(self.relay_port, self.address), what="the relay")
        until(self.hosts, what="the agent")

    def stop(self) -> None:
        for program in reversed(self.programs):
            if program.alive:
                program.process.terminate()
        for program in reversed(self.programs):
            program.stop()

    @property
    def alive(self) -> bool:
        return all(program.alive for program in self.programs)

    # -- asking ----------------------------------------------------------------------------------------------

    def ask(
        self, method: str, path: str, body: object = None, key: str | None = "", headers: dict[str, str] | None = None
    ) -> "Answer":
        """A request to the platform, with the key that may do everything unless another is given (None: no key)."""
        given = {"Content-Type": "application/json"} if body is not None else {}
        if key is not None:
            given["Authorization"] = f"Bearer {key or self.key}"
        text = body if isinstance(body, (str, bytes)) or body is None else json.dumps(body)
        return ask(self.platform_port, method, path, text, {**given, **(headers or {})})

    def hosts(self) -> list[str]:
        """Those that the platform sees; none while it isn't up."""
        try:
            return [host["host"] for host in self.ask("GET", "/v1/hosts").json["hosts"]]
        except (OSError, http.client.HTTPException, KeyError, ValueError):
            return []

    def leg_url(self, role: str, token: str) -> str:
        return f"{self.relay_url}/{role}/{token}"

    def pair(self, **claims: Any) -> tuple[str, str]:
        """A client's and an agent's URL of one new stream, with tokens minted here."""
        if self.tokens == "opaque":
            token = SUITE.secret("token", new_id())
            return self.leg_url("client", token), self.leg_url("agent", token)
        stream = new_id()
        mint = self.signer.mint
        client = mint("relay", role="client", sub=stream, **claims)
        return self.leg_url("client", client), self.leg_url("agent", mint("relay", role="agent", sub=stream, **claims))

    def streamrelay(self, *arguments: str, **more: Any) -> Any:
        """Run the native client's command to its end."""
        extra = {
            "STREAMRELAY_PLATFORM": f"http://127.0.0.1:{self.platform_port}",
            "STREAMRELAY_KEY": self.key,
            **({"STREAMRELAY_CA": self.ca} if self.ca else {}),
            **more.pop("more", {}),
        }
        return run(str(PROGRAMS / "streamrelay"), *arguments, more=extra, **more)


class RelayAlone(Chain):
    """Only the relay: the test is the agent and the platform."""

    def start(self) -> None:
        self.start_relay()
        until(lambda: answers(self.relay_port, self.address), what="the relay")


STANDING = 4
"""Shared chains that stand at a time, of different settings."""
_standing: dict[str, Chain] = {}
"""The one that was wanted last is the last."""


def shared(**settings: Any) -> Chain:
    """A chain for several tests: one that stands if it has the same settings and is well."""
    name = repr(sorted(settings.items()))
    chain = _standing.pop(name, None)
    if chain is not None and chain.alive:
        _standing[name] = chain
        return chain
    if chain is not None:
        stop_chain(chain)
    while len(_standing) >= STANDING:
        stop_chain(_standing.pop(next(iter(_standing))))
    kind = settings.pop("kind", None) or (RelayAlone if settings.pop("alone", False) else Chain)
    chain = kind(Path(tempfile.mkdtemp(prefix="streamrelay-test-")), **settings)
    _standing[name] = chain
    chain.start()
    return chain


@atexit.register
def stop_shared() -> None:
    while _standing:
        stop_chain(_standing.popitem()[1])


def stop_chain(chain: Chain) -> None:
    chain.stop()
    SUITE.collect(chain.folder)
    shutil.rmtree(chain.folder, ignore_errors=True)


def nats_command(port: int, address: str = "127.0.0.1") -> tuple[str, ...]:
    program = shutil.which("nats-server", path=str(PROGRAMS)) or shutil.which("nats-server")
    if program is None:
        raise SkipTest("needs the program nats-server")
    return (program, "-a", address, "-p", str(port))


def answers(port: int, address: str = "127.0.0.1") -> bool:
    """Whether somebody listens."""
    try:
        socket.create_connection((address, port), 1).close()
    except OSError:
        return False
    return True


# -- HTTP ------------------------------------------------------------------------------------------------------


class Answer:
    """An HTTP answer."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers = response.status, response.headers
        body = response.read()
        SUITE.answer("HTTP answer", self.status, self.headers.items(), body)
        self.text = body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def ask(port: int, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT)
    try:
        connection.request(method, path, body, headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


# -- websockets ------------------------------------------------------------------------------------------------


def websocket(
    url: str,
    subprotocol: Offer = V1,
    ca: str | None = None,
    origin: str | None = None,
    headers: dict[str, str] | None = None,
    sock: socket.socket | None = None,
) -> ClientConnection:
    """A websocket of the independent library."""
    SUITE.token(url)
    if url.startswith("wss:"):
        parts = urllib.parse.urlsplit(url)
        sock = over_tls(str(parts.hostname), int(parts.port or 443), ca)
        url = "ws:" + url.removeprefix("wss:")
    try:
        leg = connect(
            url,
            subprotocols=[subprotocol] if isinstance(subprotocol, str) else subprotocol,
            origin=origin,
            additional_headers=headers,
            sock=sock,
            compression=None,
            max_size=None,
            proxy=None,
            ping_interval=None,
            open_timeout=WAIT,
            close_timeout=5,  # a leg whose messages nobody reads gets no answer to its close
        )
    except InvalidStatus as refusal:
        response = refusal.response
        SUITE.answer("websocket refused", response.status_code, response.headers.raw_items(), response.body or b"")
        raise
    return leg.__enter__()


def over_tls(host: str, port: int, ca: str | None) -> socket.socket:
    """The plain end of a TLS connection that one thread of its own reads and writes.

    The library reads in one thread and writes in another, which an SSL object doesn't bear.
    """
    context = ssl.create_default_context(cafile=ca)
    secure = context.wrap_socket(socket.create_connection((host, port), WAIT), server_hostname=host)
    near, far = socket.socketpair()
    threading.Thread(target=carry, args=(secure, far), daemon=True).start()
    return near


def carry(secure: ssl.SSLSocket, plain: socket.socket) -> None:
    """Carry bytes both ways until either end is closed."""
    pending: dict[socket.socket, bytes] = {secure: b"", plain: b""}  # by where it goes
    other: dict[socket.socket, socket.socket] = {secure: plain, plain: secure}
    with secure, plain:
        secure.setblocking(False)
        plain.setblocking(False)
        while True:
            readers = [end for end in other if len(pending[other[end]]) < MIB]
            writers = [end for end in other if pending[end]]
            select.select(readers, writers, [], 0 if secure.pending() and secure in readers else None)
            for end in readers:
                try:
                    data = end.recv(65536)
                except (BlockingIOError, ssl.SSLWantReadError):
                    continue
                except OSError:
                    return
                if not data:
                    flush(other[end], pending[other[end]])
                    return
                pending[other[end]] += data
            for end in other:
                try:
                    pending[end] = pending[end][end.send(pending[end]) :] if pending[end] else b""
                except (BlockingIOError, ssl.SSLWantWriteError):
                    continue
                except OSError:
                    return


def flush(end: socket.socket, rest: bytes) -> None:
    """Send what is left, and let its reader have it before the end."""
    end.settimeout(WAIT)
    try:
        end.sendall(rest)
        end.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def hang_up(leg: ClientConnection) -> None:
    """Drop a websocket without a word."""
    try:
        leg.socket.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    leg.close_socket()  # and what else the library holds for it, three descriptors and a thread


def close_code(leg: ClientConnection, seconds: float = WAIT) -> int | None:
    """Read until the websocket ends, and give its close code; 1006 if it had none."""
    end = time.monotonic() + seconds
    try:
        while True:
            leg.recv(max(0.0, end - time.monotonic()))
    except ConnectionClosed as closed:
        SUITE.seen("close reason", closed.rcvd.reason if closed.rcvd else "")
        return closed.rcvd.code if closed.rcvd else 1006
    except TimeoutError:
        return None


def read_exactly(leg: ClientConnection, size: int, seconds: float = 60.0) -> bytes:
    """So many bytes of binary messages."""
    parts, count = [], 0
    while count < size:
        message = leg.recv(seconds)
        if isinstance(message, str):
            raise AssertionError(f"a control message in between: {message}")
        parts.append(message)
        count += len(message)
    return b"".join(parts)


def read_all(leg: ClientConnection, seconds: float = 60.0) -> tuple[bytes, list[Any], int]:
    """Everything until the close: the bytes, the control messages, and the close code."""
    parts, controls = [], []
    try:
        while True:
            message = leg.recv(seconds)
            if isinstance(message, str):
                controls.append(json.loads(message))
            else:
                parts.append(message)
    except ConnectionClosed as closed:
        return b"".join(parts), controls, closed.rcvd.code if closed.rcvd else 1006


def send_all(leg: ClientConnection, data: bytes, step: int = 65536) -> None:
    view = memoryview(data)
    for begin in range(0, len(view), step):
        leg.send(view[begin : begin + step])


class PlainLeg:
    """A client's websocket without any buffer of its own: it reads when it is told to, and only then."""

    def __init__(self, url: str) -> None:
        SUITE.token(url)
        parts = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((parts.hostname or "", parts.port or 80), WAIT)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {RAW}\r\n\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.socket.recv(1)
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise AssertionError(head.decode())

    def send(self, data: bytes) -> None:
        """One binary frame, masked with a key of zeros."""
        size = len(data)
        length = bytes([0x80 | size]) if size < 126 else b"\xff" + struct.pack(">Q", size)
        self.socket.sendall(b"\x82" + length + bytes(4) + data)

    def messages(self) -> Iterator[bytes]:
        """The payloads of binary frames, as they come."""
        while True:
            first, second = self._read(2)
            size = second & 127
            if size > 125:
                size = int.from_bytes(self._read(2 if size == 126 else 8), "big")
            payload = self._read(size)
            if first & 15 == 8:
                return
            if first & 15 in (0, 1, 2):
                yield payload

    def _read(self, size: int) -> bytes:
        taken = bytearray(size)
        view = memoryview(taken)
        while view:
            count = self.socket.recv_into(view)
            if not count:
                raise AssertionError("the relay closed")
            view = view[count:]
        return bytes(taken)


# -- targets ---------------------------------------------------------------------------------------------------


class Listener:
    """A port, or a unix socket, to which an agent connects."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        if address.startswith("/"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(address)
            self.port = 0
        else:
            self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
            self.socket.bind((address, 0))
            self.port = self.socket.getsockname()[1]
        self.socket.listen(100)
        self.socket.settimeout(WAIT)
        self.target = f"port6/{self.port}" if ":" in address else f"port/{self.port}"
        self.accepted: list[socket.socket] = []

    def accept(self) -> socket.socket:
        connection, _ = self.socket.accept()
        connection.settimeout(WAIT)
        self.accepted.append(connection)
        return connection

    def close(self) -> None:
        for connection in (self.socket, *self.accepted):
            connection.close()


def take(connection: socket.socket, size: int) -> bytes:
    """So many bytes of a socket."""
    taken = bytearray(size)
    view = memoryview(taken)
    while view:
        count = connection.recv_into(view)
        if not count:
            raise AssertionError(f"an end of file with {len(view)} bytes to come")
        view = view[count:]
    return bytes(taken)


def take_all(connection: socket.socket) -> bytes:
    """Everything until the end of file."""
    parts = []
    while data := connection.recv(1 << 18):
        parts.append(data)
    return b"".join(parts)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def exchange(listener: "Listener", data: bytes) -> str:
    """Be a target that sends something while it reads all that comes; the hash of that."""
    target = listener.accept()
    sending = Work(target.sendall, data)
    got = take_all(target)
    sending.result()
    target.close()
    return sha(got)


def reset(connection: socket.socket) -> None:
    """Close with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Work(threading.Thread):
    """A function in a thread; `result` waits for it, and raises what it raised."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        super().__init__(daemon=True)
        self._function, self._arguments = function, arguments
        self._value: Any = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._value = self._function(*self._arguments)
        except BaseException as error:
            self._error = error

    def result(self, seconds: float = 60.0) -> Any:
        self.join(seconds)
        if self.is_alive():
            raise AssertionError(f"{self._function.__name__} is not done after {seconds:g} s")
        if self._error is not None:
            raise self._error
        return self._value


# -- NATS ------------------------------------------------------------------------------------------------------


class NatsClient:
    """A stranger on the bus: publishes what it wants, and hears what it subscribed to."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT)
        self._lines = self.socket.makefile("rb")
        self._lines.readline()
        self._number = 0
        self._send(b'CONNECT {"verbose":false,"headers":true,"no_responders":true}')
        self.flush()

    def _send(self, line: bytes, payload: bytes | None = None) -> None:
        self.socket.sendall(line + b"\r\n" + (b"" if payload is None else payload + b"\r\n"))

    def flush(self) -> None:
        """Until the server has done what was asked before."""
        self._send(b"PING")
        while self._lines.readline().strip() != b"PONG":
            pass

    def subscribe(self, subject: str) -> None:
        self._number += 1
        self._send(f"SUB {subject} {self._number}".encode())
        self.flush()

    def publish(self, subject: str, payload: bytes, reply: str = "") -> None:
        self._send(f"PUB {subject} {reply} {len(payload)}".replace("  ", " ").encode(), payload)

    def message(self, seconds: float = WAIT) -> bytes | None:
        """The next message's payload; None if none comes in time."""
        self.socket.settimeout(seconds)
        self.reply = ""
        try:
            while True:
                words = self._lines.readline().split()
                if not words:
                    raise AssertionError("the bus closed the connection")
                if words[0] in (b"MSG", b"HMSG"):
                    if words[0] == b"MSG" and len(words) == 5:
                        self.reply = words[3].decode()
                    payload = self._lines.read(int(words[-1]) + 2)[:-2]
                    SUITE.harvest(payload)
                    return payload[int(words[-2]) if words[0] == b"HMSG" else 0 :]
                if words[0] == b"PING":
                    self._send(b"PONG")
        except TimeoutError:
            self._lines = self.socket.makefile("rb")  # one that timed out reads no more
            return None
        finally:
            self.socket.settimeout(WAIT)

    def ask(self, subject: str, payload: bytes, seconds: float = WAIT) -> Any:
        """A request's answer as JSON; None if none comes."""
        inbox = f"_INBOX.{new_id().replace('-', 'x')}.1"
        self.subscribe(inbox)
        self.publish(subject, payload, inbox)
        answer = self.message(seconds)
        return None if answer is None else json.loads(answer)

    def answer(self, payload: bytes) -> None:
        """Wait for a request, and answer it."""
        self.message()
        self.publish(self.reply, payload)
        self.flush()

    def close(self) -> None:
        self.socket.close()


# -- certificates ----------------------------------------------------------------------------------------------


def certificates(folder: Path, address: str = "127.0.0.1") -> Authority:
    """A private CA (ca.pem), and the relay's certificate for localhost and `address` (relay.pem, relay.key)."""
    authority = Authority(folder / "ca.pem")
    authority.issue(folder / "relay.pem", "localhost", address)
    return authority


def signal_pid(pid: int, number: int = signal.SIGTERM) -> None:
    """To a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def alive(pid: int) -> bool:
    """Whether a process lives; a zombie doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
