"""All whole chains: ours, the bastion by OpenSSH, and those of tunnels.py."""

import os
import pwd
import subprocess
import sys

from bench.chain import Chain
from bench.fleet import Fleet
from bench.legs import Socket
from bench.processes import Bench, free_port, program
from bench.tunnels import Chisel, Frp, Rathole, Wstunnel
from bench.versions import output_of, version_of


class StreamrelayChain(Chain):
    name = "streamrelay"
    settings = (
        "streamagent, streamrelay and ``streamrelay connect HOST TARGET --listen``, wss on both legs (zero masks, as "
        "they are by default over TLS), signed tokens; https to the platform and TLS to nats-server, whose CPU counts "
        "as well."
    )

    def compose(self, bench: Bench) -> None:
        self._fleet = Fleet(bench, self.aim, tls=True, reach=lambda port: self.reach(bench, port))
        self.parts = self._fleet.parts()
        self.parts["user"] = bench.start("streamrelay-connect", self.user(self.port))
        self.parts["user"].wait_until_listening(self.port)

    def user(self, port: int) -> list[str]:
        return self._fleet.connect(port)

    def another(self, port: int) -> list[str]:
        return [*self.user(port), f"--key-file={self._fleet.key()}"]

    def version(self) -> str:
        return f"streamrelay {version_of('streamrelay')}, Python {sys.version.split()[0]}"


class Ssh(Chain):
    name = "ssh"
    settings = (
        "OpenSSH: ``ssh -R`` on the host, sshd, ``ssh -L`` beside the user, the cipher that they agree on by "
        "default: the bastion that one would set up without such a program."
    )

    def compose(self, bench: Bench) -> None:
        public, self._middle = free_port(), free_port()
        door = SshDoor(bench)
        server = bench.start("sshd", [*door.sshd, "-D", "-o", f"ListenAddress=127.0.0.1:{public}"])
        server.wait_until_listening(public)
        self._common = [*door.ssh, "-p", str(self.reach(bench, public)), "-o", "ExitOnForwardFailure=yes"]
        self._there = door.there
        there = f"127.0.0.1:{self._middle}:127.0.0.1:{self.aim}"
        host = bench.start("ssh-R", [*self._common, "-N", "-R", there, self._there])
        host.wait_until_listening(self._middle)
        beside = bench.start("ssh-L", self.user(self.port))
        beside.wait_until_listening(self.port)
        self.parts = {"host": host, "public": server, "user": beside}

    def user(self, port: int) -> list[str]:
        middle = f"127.0.0.1:{self._middle}"
        way = ["-N", "-L", f"127.0.0.1:{port}:{middle}"] if port else ["-W", middle]
        return [*self._common, *way, self._there]

    def version(self) -> str:
        return output_of("ssh", "-V").split(",")[0].strip()


class SshDoor:
    """An sshd that takes this user's new key, and the ssh that shows it."""

    def __init__(self, bench: Bench) -> None:
        ssh, sshd, keygen = program("ssh"), program("sshd"), program("ssh-keygen")
        folder = bench.folder / "ssh"
        folder.mkdir(exist_ok=True)
        for key in ("host", "user"):
            if not (folder / key).exists():
                made = bench.start("ssh-keygen", [keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)])
                made.process.wait(20)
        (folder / "authorized").write_bytes((folder / "user.pub").read_bytes())
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        (folder / "sshd_config").write_text(
            f"HostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
            f"PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\nMaxStartups 100\n"
        )
        self.sshd = [sshd, "-e", "-f", str(folder / "sshd_config")]
        self.ssh = [
            *(ssh, "-F", "none", "-i", str(folder / "user"), "-o", "IdentitiesOnly=yes"),
            *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
        ]
        self.there = f"{pwd.getpwuid(os.getuid()).pw_name}@127.0.0.1"

    def serve(self, connection: Socket) -> "subprocess.Popen[bytes]":
        """An sshd for one connection."""
        end = connection.fileno()
        return subprocess.Popen([*self.sshd, "-i"], stdin=end, stdout=end, stderr=subprocess.DEVNULL)


CHAINS: tuple[type[Chain], ...] = (StreamrelayChain, Ssh, Chisel, Wstunnel, Frp, Rathole)
