"""A network of a test's own: what it changes there would have the browsers of other tests drop what they load."""

import ctypes
import os
import subprocess

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.live.support.processes import need_program, need_root, run
from tests.live.support.sockets import table

_NEW_NETWORK = 0x40000000
HOOKS = (("input", "dport"), ("output", "sport"))
FORGOTTEN = "add table inet forgotten\n" + "".join(
    f"add chain inet forgotten {hook} {{ type filter hook {hook} priority 0; }}\n" for hook, _ in HOOKS
)
_libc = ctypes.CDLL(None, use_errno=True)


def own_network(test: SynchronousTestCase) -> str:
    """Put this thread, and what it starts, into a network namespace with nothing but loopback, until the test is over;
    return where the program `ip` is."""
    need_root("network namespaces")
    ip = need_program("ip")
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    test.addCleanup(os.close, before)
    if _libc.unshare(_NEW_NETWORK):
        raise SkipTest(f"needs network namespaces: {os.strerror(ctypes.get_errno())}")
    test.addCleanup(_back, before)
    run(ip, "link", "set", "lo", "up", check=True)
    return ip


def _back(namespace: int) -> None:
    if _libc.setns(namespace, _NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "can't go back to the network of before")


def add_space(test: SynchronousTestCase, ip: str, name: str) -> None:
    """Add a network namespace of this name, until the test is over."""
    try:
        run(ip, "netns", "add", name, check=True)
    except subprocess.CalledProcessError as error:
        raise SkipTest(f"needs network namespaces: {error.stderr.decode().strip()}") from None
    test.addCleanup(run, ip, "netns", "del", name)


class FarNetwork:
    """A network namespace behind a bridge, which stops to carry anything while both its links stay up.

    `outside` is this side's address, `inside` the far one's; `space` is put before a command that is to run there.
    """

    def __init__(self, test: SynchronousTestCase) -> None:
        self.ip = own_network(test)
        number = os.getpid() % 250
        self.far, self.between = f"streamrelay-far-{os.getpid()}", f"streamrelay-mid-{os.getpid()}"
        self.outside, self.inside = f"10.214.{number}.1", f"10.214.{number}.2"
        near = f"srn{os.getpid()}"
        for name in (self.far, self.between):
            add_space(test, self.ip, name)
        for command in (
            f"-n {self.between} link add bridge type bridge",
            f"link add {near} type veth peer name near netns {self.between}",
            f"-n {self.between} link add far type veth peer name eth netns {self.far}",
            f"-n {self.between} link set near master bridge up",
            f"-n {self.between} link set far master bridge up",
            f"-n {self.between} link set bridge up",
            f"addr add {self.outside}/24 dev {near}",
            f"link set {near} up",
            f"-n {self.far} addr add {self.inside}/24 dev eth",
            f"-n {self.far} link set lo up",
            f"-n {self.far} link set eth up",
        ):
            run(self.ip, *command.split(), check=True)
        test.addCleanup(run, self.ip, "link", "del", near)
        self.space = (self.ip, "netns", "exec", self.far)

    def cut(self) -> None:
        """From now on no packet passes, and nobody is told."""
        run(self.ip, "-n", self.between, "link", "set", "bridge", "down", check=True)

    def mend(self) -> None:
        """Packets pass again."""
        run(self.ip, "-n", self.between, "link", "set", "bridge", "up", check=True)

    def ports(self, port: int) -> list[int]:
        """The ports inside of connections to a port outside that stand."""
        text = run(*self.space, "cat", "/proc/net/tcp", check=True).stdout.decode()
        return [int(near[-4:], 16) for near, far, _, _ in table(text) if int(far[-4:], 16) == port]

    def forget(self, ports: list[int]) -> None:
        """Of connections of these ports inside no packet passes any more, as if a router had forgotten them; nobody is
        told, and new ones stand."""
        rules = (f"add rule inet forgotten {hook} tcp {which} {one} drop\n" for one in ports for hook, which in HOOKS)
        text = FORGOTTEN + "".join(rules)
        run(*self.space, need_program("nft"), "-f", "-", input=text.encode(), check=True)
