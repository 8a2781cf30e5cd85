"""A network of a test's own: what it changes there would have the browsers of other tests drop what they load."""

import ctypes
import os

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.live.support.processes import need_program, need_root, run

_NEW_NETWORK = 0x40000000
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
