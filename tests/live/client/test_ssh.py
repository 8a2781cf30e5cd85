"""ssh and scp through a stream, as a ProxyCommand."""

import os

from tests.live.support.pace import timed
from tests.live.support.sockets import MIB, seeded
from tests.live.support.ssh import SshTest


class Ssh(SshTest):
    """Debian's own sshd behind an agent."""

    def setUp(self) -> None:
        super().setUp()
        self.start_with_sshd()

    def test_command(self) -> None:
        """A command's output and its exit status come through."""
        self.assertEqual(self.ssh("ssh", self.where, "echo hello; exit 7"), (7, b"hello\n", b""))

    def test_scp(self) -> None:
        """100 MiB go up and down again unchanged."""
        source, remote, back = self.folder / "source", self.folder / "remote", self.folder / "back"
        source.write_bytes(seeded(100 * MIB, 6))
        where = f"{self.where}:{remote}"
        with timed() as passed:
            self.assertEqual(self.ssh("scp", "-q", str(source), where), (0, b"", b""))
        up = passed()
        self.assertEqual(self.ssh("scp", "-q", where, str(back)), (0, b"", b""))
        print(f"figure: scp of 100 MiB: {up:.1f} s up, {passed() - up:.1f} s down")
        for copy in (remote, back):
            self.assertEqual(os.path.getsize(copy), 100 * MIB)
            self.assertEqual(copy.read_bytes(), source.read_bytes())
