"""The relays under comparison: how each is started, as its own documentation has it, and how a pair is opened."""

import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import ClassVar

from bench.certificate import Certificate
from bench.legs import End, Listener, Pair, Socket, dial, upgrade
from bench.processes import Bench, Unusable, free_port, program
from bench.relay import Forwarder, Relay, WebsocketRelay
from bench.versions import output_of, version_of

PEERS = Path(__file__).parent / "peers"


class Streamrelay(WebsocketRelay):
    name = "streamrelay"
    settings = (
        "``twistd -n streamrelay --tokens opaque``, uvloop installed; both legs raw websockets. In *arrivals* it takes "
        "signed tokens, as it does by default, and has a column with opaque ones."
    )

    def command(self, certificate: Certificate) -> list[str]:
        twistd = str(Path(sys.executable).with_name("twistd"))
        return [
            *(sys.executable, twistd, "-n", "--pidfile=", "streamrelay", "--drain=0", *self.tokens()),
            *(f"--listen=tcp:{self.port}:interface=127.0.0.1", f"--listen=tls:{self.tls_port}:interface=127.0.0.1"),
            f"--certificate={certificate.certificate},{certificate.key}",
        ]

    def tokens(self) -> tuple[str, ...]:
        return "--tokens", "opaque"

    def version(self) -> str:
        names = ("streamrelay", "twisted", "autobahn", "uvloop", "pyopenssl", "cryptography")
        return ", ".join(f"{name} {version_of(name)}" for name in names) + f", Python {sys.version.split()[0]}"


class Gorilla(WebsocketRelay):
    name = "go"
    settings = (
        "``bench/peers/gorelay``: net/http and gorilla/websocket, a goroutine for each direction, ``io.Copy`` message "
        "by message as in that library's documentation, its ``WriteBufferPool``, the connections' buffers at their "
        "default (4 KiB), all cores (GOMAXPROCS is left alone); both legs websockets."
    )
    options: ClassVar[tuple[str, ...]] = ()
    _built: ClassVar[Path | None] = None

    def command(self, certificate: Certificate) -> list[str]:
        return [
            *(str(self.build()), f"-listen=127.0.0.1:{self.port}", f"-listen-tls=127.0.0.1:{self.tls_port}"),
            *(f"-cert={certificate.certificate}", f"-key={certificate.key}"),
            *self.options,
        ]

    @classmethod
    def build(cls) -> Path:
        """Compile it, once in a run."""
        if Gorilla._built is None:
            folder = Path(tempfile.mkdtemp(prefix="streamrelay-gorelay-"))
            made = subprocess.run(
                [program("go", "/usr/local/go/bin"), "build", "-o", str(folder / "gorelay"), "."],
                cwd=PEERS / "gorelay",
                capture_output=True,
                text=True,
                timeout=300,
            )
            if made.returncode:
                shutil.rmtree(folder)
                raise Unusable(f"gorelay does not compile: {made.stderr.strip().splitlines()[-1]}")
            Gorilla._built = folder / "gorelay"
        return Gorilla._built

    @classmethod
    def clean(cls) -> None:
        if Gorilla._built is not None:
            shutil.rmtree(Gorilla._built.parent, ignore_errors=True)
            Gorilla._built = None

    def version(self) -> str:
        modules = (PEERS / "gorelay" / "go.mod").read_text().split("require ")[1].split()
        return f"{output_of('go', 'version').strip().removeprefix('go version ')}, {modules[0]} {modules[1]}"


class TunedGorilla(Gorilla):
    name = "go, tuned"
    settings = (
        "The same with ``-tuned``: ``io.CopyBuffer`` through pooled buffers of 32 KiB and past the connection's own, "
        "so that a large message goes on in frames of 32 KiB."
    )
    options = ("-tuned",)


class TransitRelay(Relay):
    name = "transit-relay"
    settings = (
        "``twistd -n transitrelay --port=tcp:…``: no websockets; both ends plain TCP after "
        "``please relay TOKEN for side SIDE``."
    )

    def start(self, bench: Bench) -> None:
        if version_of("magic-wormhole-transit-relay") == "":
            raise Unusable("magic-wormhole-transit-relay is not installed")
        self.port = free_port()
        twistd = str(Path(sys.executable).with_name("twistd"))
        listen = f"--port=tcp:{self.port}:interface=127.0.0.1"
        self.running = bench.start(self.name, [sys.executable, twistd, "-n", "--pidfile=", "transitrelay", listen])
        self.running.wait_until_listening(self.port)

    def pair(self, agent_tls: bool = False, client_tls: bool = False, source: str = "") -> Pair:
        name = secrets.token_hex(32)
        agent, client = self._end(name, source), self._end(name, source)
        for connection in (agent, client):
            answer = b""
            while not answer.endswith(b"\n"):
                answer += connection.recv(1)
            if answer != b"ok\n":
                raise ConnectionError(f"no pair: {answer!r}")
        return Pair(End(agent, False), End(client, False))

    def _end(self, name: str, source: str) -> Socket:
        connection = dial(self.port, source)
        connection.sendall(f"please relay {name} for side {secrets.token_hex(8)}\n".encode())
        return connection

    def version(self) -> str:
        return f"magic-wormhole-transit-relay {version_of('magic-wormhole-transit-relay')}"


class Websockify(Forwarder):
    name = "websockify"
    settings = (
        "``websockify PORT TARGET`` with numpy; it pairs no legs, so the client's leg is a websocket and the agent's "
        "end plain TCP, dialled by it: half of the frames' work, and a process for each connection. "
        "In bulk the client sends, so that there is a mask to take off."
    )

    def command(self, bench: Bench) -> list[str]:
        tool = program("websockify", str(Path(sys.executable).parent))
        return [tool, f"127.0.0.1:{self.port}", f"127.0.0.1:{self.far.port}"]

    def pair(self, agent_tls: bool = False, client_tls: bool = False, source: str = "") -> Pair:
        client = upgrade(dial(self.port, source), "/")
        return Pair(End(self.far.accept(), False), client)

    def version(self) -> str:
        return f"websockify {version_of('websockify')}, numpy {version_of('numpy')}"


HAPROXY = """\
global
    maxconn 8000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
frontend relay
    bind 127.0.0.1:{port}
    default_backend far
backend far
    server far 127.0.0.1:{far}
"""


class Haproxy(Forwarder):
    name = "haproxy"
    settings = (
        "TCP mode, defaults (a thread for each core, 16 KiB buffers): no websockets and no pairing; it dials the "
        "agent's end itself. As little as a relay in user space can do for a byte."
    )

    def command(self, bench: Bench) -> list[str]:
        tool = program("haproxy")
        config = bench.folder / "haproxy.cfg"
        config.write_text(HAPROXY.format(port=self.port, far=self.far.port))
        return [tool, "-db", "-f", str(config)]

    def pair(self, agent_tls: bool = False, client_tls: bool = False, source: str = "") -> Pair:
        client = End(dial(self.port, source), False)
        return Pair(End(self.far.accept(), False), client)

    def version(self) -> str:
        return output_of("haproxy", "-v").splitlines()[0].split(" - ")[0]


class Direct(Relay):
    """No relay at all: what the load itself can do."""

    name = "no relay"
    settings = "The load's two ends connected to each other: what it can do when nothing stands between."

    def start(self, bench: Bench) -> None:
        self.far = Listener()

    def pair(self, agent_tls: bool = False, client_tls: bool = False, source: str = "") -> Pair:
        client = End(dial(self.far.port, source), False)
        return Pair(End(self.far.accept(), False), client)

    def version(self) -> str:
        return ""

    def cpu(self) -> float:
        return 0.0

    def resident(self) -> int:
        return 0

    def stop(self) -> None:
        self.far.close()


ALL: tuple[type[Relay], ...] = (Streamrelay, Gorilla, TunedGorilla, Haproxy, TransitRelay, Websockify, Direct)
