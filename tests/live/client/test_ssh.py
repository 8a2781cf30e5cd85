"""ssh and scp through a stream, as a ProxyCommand."""

import getpass
import os
import shutil
from pathlib import Path

from tests.live.support.case import LiveTest
from tests.live.support.pace import timed
from tests.live.support.ports import answers, free_port
from tests.live.support.processes import PROGRAMS, need_program, need_root, run
from tests.live.support.sockets import MIB, seeded
from tests.live.support.waiting import until

RUN_FOLDER = Path("/run/sshd")


class Ssh(LiveTest):
    """Debian's own sshd behind an agent."""

    def setUp(self) -> None:
        super().setUp()
        self.sshd, self.ssh_program = need_program("sshd"), need_program("ssh")
        need_program("scp")
        need_root("an sshd of our own")
        if not RUN_FOLDER.exists():
            RUN_FOLDER.mkdir(mode=0o755)
            self.addCleanup(shutil.rmtree, RUN_FOLDER, ignore_errors=True)
        for name in ("host_key", "user_key"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{self.folder}/{name}", check=True)
        shutil.copy(self.folder / "user_key.pub", self.folder / "authorized_keys")
        self.port = free_port()
        (self.folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host_key\n"
            f"AuthorizedKeysFile {self.folder}/authorized_keys\nPidFile none\nUsePAM no\nStrictModes no\n"
            "PermitRootLogin yes\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n"
        )
        self.program("sshd", self.sshd, "-D", "-e", "-f", f"{self.folder}/sshd_config")
        until(lambda: answers(self.port), what="sshd")
        host_key = (self.folder / "host_key.pub").read_text().split()
        (self.folder / "known_hosts").write_text(f"host-1 {host_key[0]} {host_key[1]}\n")
        self.own = self.chain(targets=f'[targets.ssh]\nkind = "tcp"\naddress = "127.0.0.1:{self.port}"\n')
        (self.folder / "alice.key").write_text(self.own.key + "\n")
        (self.folder / "alice.key").chmod(0o600)

    def ssh(self, program: str, *arguments: str) -> tuple[int, bytes, bytes]:
        done = run(
            program,
            *("-F", "none", "-i", f"{self.folder}/user_key", "-o", f"UserKnownHostsFile={self.folder}/known_hosts"),
            *("-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes"),
            *("-o", f"ProxyCommand='{PROGRAMS}/streamrelay' connect %h ssh"),
            *arguments,
            seconds=60,
            more={
                "STREAMRELAY_PLATFORM": f"http://127.0.0.1:{self.own.platform_port}",
                "STREAMRELAY_KEY_FILE": f"{self.folder}/alice.key",
            },
        )
        return done.returncode, done.stdout, done.stderr

    def test_command(self) -> None:
        """A command's output and its exit status come through."""
        where = f"{getpass.getuser()}@host-1"
        self.assertEqual(self.ssh("ssh", where, "echo hello; exit 7"), (7, b"hello\n", b""))

    def test_scp(self) -> None:
        """100 MiB go up and down again unchanged."""
        source, remote, back = self.folder / "source", self.folder / "remote", self.folder / "back"
        source.write_bytes(seeded(100 * MIB, 6))
        where = f"{getpass.getuser()}@host-1:{remote}"
        with timed() as passed:
            self.assertEqual(self.ssh("scp", "-q", str(source), where), (0, b"", b""))
        up = passed()
        self.assertEqual(self.ssh("scp", "-q", where, str(back)), (0, b"", b""))
        print(f"figure: scp of 100 MiB: {up:.1f} s up, {passed() - up:.1f} s down")
        for copy in (remote, back):
            self.assertEqual(os.path.getsize(copy), 100 * MIB)
            self.assertEqual(copy.read_bytes(), source.read_bytes())
