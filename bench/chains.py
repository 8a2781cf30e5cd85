"""Whole chains, from a TCP port of a host that only dials out to a TCP port beside the user, by a public process.

Each is three programs (rathole: two): one on the host, one in public, one beside the user, both of whose ways to the
public one are encrypted. To the load a chain looks like a relay whose ends are plain TCP.
"""

import os
import pwd
import secrets
import sys

from bench.certificate import Certificate
from bench.fleet import Fleet
from bench.legs import End, Listener, Pair, dial
from bench.processes import Bench, Program, free_port, program
from bench.relays import Relay, output_of, version_of


class Chain(Relay):
    """A chain: `far` is the port of the load that the host's end connects, `port` the one beside the user."""

    far: Listener
    port: int
    parts: dict[str, Program]
    """Whose CPU counts."""

    def start(self, bench: Bench) -> None:
        self.far = Listener()
        self.parts = {}
        self.port = free_port()
        self.compose(bench)
        self.far.forget()

    def compose(self, bench: Bench) -> None:
        """Start the three programs."""
        raise NotImplementedError

    def pair(self, agent_tls: bool = False, client_tls: bool = False, source: str = "") -> Pair:
        client = End(dial(self.port, source), False)
        return Pair(End(self.far.accept(), False), client)

    def cpu(self) -> float:
        return sum(part.cpu() for part in self.parts.values())

    def shares(self) -> dict[str, float]:
        return {name: part.cpu() for name, part in self.parts.items()}

    def stop(self) -> None:
        for part in reversed(self.parts.values()):
            part.stop()
        self.far.close()


class StreamrelayChain(Chain):
    name = "streamrelay"
    settings = (
        "streamagent, streamrelay and ``streamrelay connect HOST TARGET --listen``, wss on both legs (zero masks, as "
        "they are by default over TLS), signed tokens; the platform and nats-server only open the stream "
        "and don't count."
    )

    def compose(self, bench: Bench) -> None:
        self._fleet = Fleet(bench, self.far.port, tls=True)
        client, self.port = self._fleet.connect()
        self.parts = {"host": self._fleet.agent, "public": self._fleet.relay, "user": client}

    def stop(self) -> None:
        super().stop()
        self._fleet.stop()

    def version(self) -> str:
        return f"streamrelay {version_of('streamrelay')}, Python {sys.version.split()[0]}"


class Ssh(Chain):
    name = "ssh"
    settings = (
        "OpenSSH: ``ssh -R`` on the host, sshd, ``ssh -L`` beside the user, the cipher that they agree on by "
        "default: the bastion that one would set up without such a program."
    )

    def compose(self, bench: Bench) -> None:
        ssh, sshd, keygen = program("ssh"), program("sshd"), program("ssh-keygen")
        user = pwd.getpwuid(os.getuid()).pw_name
        folder = bench.folder / "ssh"
        folder.mkdir(exist_ok=True)
        for key in ("host", "user"):
            if not (folder / key).exists():
                made = bench.start("ssh-keygen", [keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)])
                made.process.wait(20)
        (folder / "authorized").write_bytes((folder / "user.pub").read_bytes())
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        public, middle = free_port(), free_port()
        (folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{public}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
            f"PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\nMaxStartups 100\n"
        )
        server = bench.start("sshd", [sshd, "-D", "-e", "-f", str(folder / "sshd_config")])
        server.wait_until_listening(public)
        common = [
            *(ssh, "-N", "-F", "none", "-i", str(folder / "user"), "-p", str(public), "-o", "IdentitiesOnly=yes"),
            *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ExitOnForwardFailure=yes"),
        ]
        there = f"{user}@127.0.0.1"
        host = bench.start("ssh-R", [*common, "-R", f"127.0.0.1:{middle}:127.0.0.1:{self.far.port}", there])
        host.wait_until_listening(middle)
        beside = bench.start("ssh-L", [*common, "-L", f"127.0.0.1:{self.port}:127.0.0.1:{middle}", there])
        beside.wait_until_listening(self.port)
        self.parts = {"host": host, "public": server, "user": beside}

    def version(self) -> str:
        return output_of("ssh", "-V").split(",")[0].strip()


class Chisel(Chain):
    name = "chisel"
    settings = (
        "``chisel server --reverse`` with a certificate, ``chisel client … R:…`` on the host, ``chisel client …`` "
        "beside the user."
    )

    def compose(self, bench: Bench) -> None:
        tool = program("chisel")
        certificate = Certificate.make(bench.folder)
        public, middle = free_port(), free_port()
        files = [f"--tls-key={certificate.key}", f"--tls-cert={certificate.certificate}"]
        server = bench.start("chisel", [tool, "server", "--host=127.0.0.1", f"--port={public}", "--reverse", *files])
        server.wait_until_listening(public)
        client = [tool, "client", f"--tls-ca={certificate.certificate}", f"https://localhost:{public}"]
        host = bench.start("chisel-host", [*client, f"R:127.0.0.1:{middle}:127.0.0.1:{self.far.port}"])
        host.wait_until_listening(middle)
        beside = bench.start("chisel-user", [*client, f"127.0.0.1:{self.port}:127.0.0.1:{middle}"])
        beside.wait_until_listening(self.port)
        self.parts = {"host": host, "public": server, "user": beside}

    def version(self) -> str:
        return f"chisel {output_of('chisel', '--version').strip()}"


class Wstunnel(Chain):
    name = "wstunnel"
    settings = (
        "``wstunnel server wss://…``, ``wstunnel client -R`` on the host, ``wstunnel client -L`` beside the user."
    )

    def compose(self, bench: Bench) -> None:
        tool = program("wstunnel", os.path.expanduser("~/.cargo/bin"))
        certificate = Certificate.make(bench.folder)
        public, middle = free_port(), free_port()
        url = f"wss://127.0.0.1:{public}"
        files = [f"--tls-certificate={certificate.certificate}", f"--tls-private-key={certificate.key}"]
        server = bench.start("wstunnel", [tool, "server", url, *files])
        server.wait_until_listening(public)
        host = bench.start(
            "wstunnel-host", [tool, "client", "-R", f"tcp://127.0.0.1:{middle}:127.0.0.1:{self.far.port}", url]
        )
        host.wait_until_listening(middle)
        beside = bench.start(
            "wstunnel-user", [tool, "client", "-L", f"tcp://127.0.0.1:{self.port}:127.0.0.1:{middle}", url]
        )
        beside.wait_until_listening(self.port)
        self.parts = {"host": host, "public": server, "user": beside}

    def version(self) -> str:
        return output_of("wstunnel", "--version").strip()


class Rathole(Chain):
    name = "rathole"
    settings = (
        "Two programs: ``rathole --client`` on the host, ``rathole --server`` in public, websocket transport over TLS "
        "between them; the user's way to the public one is plain TCP, without a program of its own. So it does half "
        "of the encrypting, and less of everything."
    )

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
        transport = '[{side}.transport]\ntype = "websocket"\n[{side}.transport.websocket]\ntls = true\n'
        server, client = bench.folder / "rathole-server.toml", bench.folder / "rathole-client.toml"
        server.write_text(
            f'[server]\nbind_addr = "127.0.0.1:{public}"\ndefault_token = "{word}"\n'
            + transport.format(side="server")
            + f'[server.transport.tls]\npkcs12 = "{bundle}"\npkcs12_password = "{word}"\n'
            + f'[server.services.source]\nbind_addr = "127.0.0.1:{self.port}"\n'
        )
        client.write_text(
            f'[client]\nremote_addr = "localhost:{public}"\ndefault_token = "{word}"\n'
            + transport.format(side="client")
            + f'[client.transport.tls]\ntrusted_root = "{certificate.certificate}"\nhostname = "localhost"\n'
            + f'[client.services.source]\nlocal_addr = "127.0.0.1:{self.far.port}"\n'
        )
        there = bench.start("rathole-public", [tool, "--server", str(server)])
        there.wait_until_listening(public)
        host = bench.start("rathole-host", [tool, "--client", str(client)])
        there.wait_until_listening(self.port)
        self.parts = {"host": host, "public": there}

    def version(self) -> str:
        lines = (line.partition(":") for line in output_of("rathole", "--version").splitlines())
        return f"rathole {next(value.strip() for name, _, value in lines if name == 'Build Version')}"


CHAINS: tuple[type[Chain], ...] = (StreamrelayChain, Ssh, Chisel, Wstunnel, Rathole)
