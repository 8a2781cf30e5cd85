"""Chains of programs that are made for nothing but a port at the other end: chisel, wstunnel, frp, rathole."""

import os
import secrets
from pathlib import Path

from bench.certificate import Certificate
from bench.chain import Chain
from bench.processes import Bench, free_port, program
from bench.versions import output_of


class Chisel(Chain):
    name = "chisel"
    settings = (
        "``chisel server --reverse`` with a certificate, ``chisel client … R:…`` on the host, ``chisel client …`` "
        "beside the user."
    )

    def compose(self, bench: Bench) -> None:
        tool = program("chisel")
        certificate = Certificate.make(bench.folder)
        public, self._middle = free_port(), free_port()
        files = [f"--tls-key={certificate.key}", f"--tls-cert={certificate.certificate}"]
        server = bench.start("chisel", [tool, "server", "--host=127.0.0.1", f"--port={public}", "--reverse", *files])
        server.wait_until_listening(public)
        url = f"https://localhost:{self.reach(bench, public)}"
        self._client = [tool, "client", f"--tls-ca={certificate.certificate}", url]
        there = f"R:127.0.0.1:{self._middle}:127.0.0.1:{self.aim}"
        host = bench.start("chisel-host", [*self._client, there])
        host.wait_until_listening(self._middle)
        beside = bench.start("chisel-user", self.user(self.port))
        beside.wait_until_listening(self.port)
        self.parts = {"host": host, "public": server, "user": beside}

    def user(self, port: int) -> list[str]:
        here = f"127.0.0.1:{port}" if port else "stdio"
        return [*self._client, f"{here}:127.0.0.1:{self._middle}"]

    def version(self) -> str:
        return f"chisel {output_of('chisel', '--version').strip()}"


class Wstunnel(Chain):
    name = "wstunnel"
    settings = (
        "``wstunnel server wss://…``, ``wstunnel client -R`` on the host, ``wstunnel client -L`` beside the user; "
        "by default it doesn't look at the server's certificate."
    )

    def compose(self, bench: Bench) -> None:
        self._tool = program("wstunnel", os.path.expanduser("~/.cargo/bin"))
        certificate = Certificate.make(bench.folder)
        public, self._middle = free_port(), free_port()
        files = [f"--tls-certificate={certificate.certificate}", f"--tls-private-key={certificate.key}"]
        server = bench.start("wstunnel", [self._tool, "server", f"wss://127.0.0.1:{public}", *files])
        server.wait_until_listening(public)
        self._url = f"wss://127.0.0.1:{self.reach(bench, public)}"
        there = f"tcp://127.0.0.1:{self._middle}:127.0.0.1:{self.aim}"
        host = bench.start("wstunnel-host", [self._tool, "client", "-R", there, self._url])
        host.wait_until_listening(self._middle)
        beside = bench.start("wstunnel-user", self.user(self.port))
        beside.wait_until_listening(self.port)
        self.parts = {"host": host, "public": server, "user": beside}

    def user(self, port: int) -> list[str]:
        here = f"tcp://127.0.0.1:{port}" if port else "stdio"
        middle = f"127.0.0.1:{self._middle}"
        return [self._tool, "client", "-L", f"{here}:{middle}" if port else f"{here}://{middle}", self._url]

    def version(self) -> str:
        return output_of("wstunnel", "--version").strip()


FRPS = """\
bindAddr = "127.0.0.1"
bindPort = {public}
auth.token = "{word}"
transport.tls.force = true
transport.tls.certFile = "{certificate.certificate}"
transport.tls.keyFile = "{certificate.key}"
"""
FRPC = """\
serverAddr = "127.0.0.1"
serverPort = {reach}
auth.token = "{word}"
transport.tls.trustedCaFile = "{certificate.certificate}"
"""
FRP_HOST = """\
[[proxies]]
name = "source"
type = "stcp"
secretKey = "{word}"
localIP = "127.0.0.1"
localPort = {far}
"""
FRP_USER = """\
[[visitors]]
name = "user"
type = "stcp"
serverName = "source"
secretKey = "{word}"
bindAddr = "127.0.0.1"
bindPort = {port}
"""


class Frp(Chain):
    name = "frp"
    settings = (
        "``frps`` with a certificate, ``frpc`` with an ``stcp`` proxy on the host, ``frpc`` with its visitor beside "
        "the user; all else by default (TLS, streams multiplexed over one connection)."
    )
    has_pipe = False

    def compose(self, bench: Bench) -> None:
        frps, self._frpc = program("frps"), program("frpc")
        self._folder, self._word = bench.folder, secrets.token_hex(16)
        certificate = Certificate.make(bench.folder)
        public = free_port()
        settings = self._write("frps", FRPS.format(public=public, word=self._word, certificate=certificate))
        server = bench.start("frps", [frps, "-c", str(settings)])
        server.wait_until_listening(public)
        self._common = FRPC.format(reach=self.reach(bench, public), word=self._word, certificate=certificate)
        settings = self._write("frpc-host", self._common + FRP_HOST.format(word=self._word, far=self.aim))
        host = bench.start("frpc-host", [self._frpc, "-c", str(settings)])
        host.wait_until_said("start proxy success")
        beside = bench.start("frpc-user", self.user(self.port))
        beside.wait_until_listening(self.port)
        self.parts = {"host": host, "public": server, "user": beside}

    def user(self, port: int) -> list[str]:
        settings = self._write(f"frpc-user-{port}", self._common + FRP_USER.format(word=self._word, port=port))
        return [self._frpc, "-c", str(settings)]

    def _write(self, name: str, text: str) -> Path:
        path = self._folder / f"{name}.toml"
        path.write_text(text)
        return path

    def version(self) -> str:
        return f"frp {output_of('frps', '--version').strip()}"


RATHOLE_SERVER = """\
[server]
bind_addr = "127.0.0.1:{public}"
default_token = "{word}"
[server.transport]
type = "websocket"
[server.transport.websocket]
tls = true
[server.transport.tls]
pkcs12 = "{bundle}"
pkcs12_password = "{word}"
[server.services.source]
bind_addr = "127.0.0.1:{port}"
"""
RATHOLE_CLIENT = """\
[client]
remote_addr = "localhost:{reach}"
default_token = "{word}"
[client.transport]
type = "websocket"
[client.transport.websocket]
tls = true
[client.transport.tls]
trusted_root = "{certificate}"
hostname = "localhost"
[client.services.source]
local_addr = "127.0.0.1:{far}"
"""


class Rathole(Chain):
    name = "rathole"
    settings = (
        "Two programs: ``rathole --client`` on the host, ``rathole --server`` in public, websocket transport over TLS "
        "between them; the user's way to the public one is plain TCP, without a program of its own. So it does half "
        "of the encrypting, and less of everything."
    )
    has_user = False

    def compose(self, bench: Bench) -> None:
        tool, openssl = program("rathole", os.path.expanduser("~/.cargo/bin")), program("openssl")
        certificate = Certificate.make(bench.folder)
        bundle, word = bench.folder / "rathole.p12", secrets.token_hex(16)
        made = bench.start(
            "openssl",
            [openssl, "pkcs12", "-export", "-in", str(certificate.both), "-out", str(bundle), "-passout", "env:WORD"],
            WORD=word,
        )
        made.process.wait(20)
        public = free_port()
        server, client = bench.folder / "rathole-server.toml", bench.folder / "rathole-client.toml"
        server.write_text(RATHOLE_SERVER.format(public=public, word=word, bundle=bundle, port=self.port))
        there = bench.start("rathole-public", [tool, "--server", str(server)])
        there.wait_until_listening(public)
        reach, trusted = self.reach(bench, public), certificate.certificate
        client.write_text(RATHOLE_CLIENT.format(reach=reach, word=word, certificate=trusted, far=self.aim))
        host = bench.start("rathole-host", [tool, "--client", str(client)])
        there.wait_until_listening(self.port)
        self.port = self.reach(bench, self.port)
        self.parts = {"host": host, "public": there}

    def version(self) -> str:
        lines = (line.partition(":") for line in output_of("rathole", "--version").splitlines())
        return f"rathole {next(value.strip() for name, _, value in lines if name == 'Build Version')}"
