"""An sshd behind an agent, and ssh whose ProxyCommand is the native client."""

import getpass
import shutil
from pathlib import Path
from typing import Any

from tests.live.support.case import LiveTest
from tests.live.support.ports import free_port
from tests.live.support.processes import PROGRAMS, need_program, need_root, run
from tests.live.support.waiting import WAIT, until

RUN_FOLDER = Path("/run/sshd")
"""Where sshd locks itself up at each connection. It stays, as Debian's own does: other workers' may be at work."""


class SshTest(LiveTest):
    """Debian's own sshd, as the target ``ssh`` of a chain that the test starts."""

    space: tuple[str, ...] = ()
    """What is put before sshd's command, for example `ip netns exec NAME`."""

    def setUp(self) -> None:
        super().setUp()
        self.sshd, self.ssh_program = need_program("sshd"), need_program("ssh")
        need_program("scp")
        need_root("an sshd of our own")
        RUN_FOLDER.mkdir(mode=0o755, exist_ok=True)
        for name in ("host_key", "user_key"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{self.folder}/{name}", check=True)
        shutil.copy(self.folder / "user_key.pub", self.folder / "authorized_keys")
        host_key = (self.folder / "host_key.pub").read_text().split()
        (self.folder / "known_hosts").write_text(f"host-1 {host_key[0]} {host_key[1]}\n")
        self.where = f"{getpass.getuser()}@host-1"

    def start_with_sshd(self, **settings: Any) -> None:
        """Start sshd, and a chain whose target it is."""
        self.port = free_port()
        (self.folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host_key\n"
            f"AuthorizedKeysFile {self.folder}/authorized_keys\nPidFile none\nUsePAM no\nStrictModes no\n"
            "PermitRootLogin yes\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n"
        )
        sshd = self.program("sshd", *self.space, self.sshd, "-D", "-e", "-f", f"{self.folder}/sshd_config")
        until(lambda: "Server listening" in sshd.log, what="sshd")
        self.own = self.chain(targets=f'[targets.ssh]\nkind = "tcp"\naddress = "127.0.0.1:{self.port}"\n', **settings)
        self.platform = f"http://127.0.0.1:{self.own.platform_port}"
        (self.folder / "alice.key").write_text(self.own.key + "\n")
        (self.folder / "alice.key").chmod(0o600)

    def ssh(
        self, program: str, *arguments: str, space: tuple[str, ...] = (), options: str = "", seconds: float = 4 * WAIT
    ) -> tuple[int, bytes, bytes]:
        """Run ssh or scp to its end, the native client with these options; return its status and its outputs."""
        done = run(
            *space,
            program,
            *("-F", "none", "-i", f"{self.folder}/user_key", "-o", f"UserKnownHostsFile={self.folder}/known_hosts"),
            *("-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes"),
            *("-o", f"ProxyCommand='{PROGRAMS}/streamrelay' connect %h ssh {options}"),
            *arguments,
            seconds=seconds,
            more={"STREAMRELAY_PLATFORM": self.platform, "STREAMRELAY_KEY_FILE": f"{self.folder}/alice.key"},
        )
        return done.returncode, done.stdout, done.stderr
