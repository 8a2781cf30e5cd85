"""Attacks on what all streams of an agent share: here, the threads that look up names."""

import socket
from concurrent.futures import ThreadPoolExecutor

from twisted.trial.unittest import SkipTest

from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST
from tests.live.support.pace import timed
from tests.live.support.waiting import WAIT


class Lookups(LiveTest):
    """Names that hang: those of targets take no thread that others need."""

    def test_hanging(self) -> None:
        """While 40 lookups of targets' names hang, a port at an address and a log open as fast as without."""
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(silent.close)
        silent.settimeout(WAIT)
        try:
            silent.bind(("127.83.42.1", 53))
        except PermissionError:
            raise SkipTest("needs root, for a name server's port") from None
        (self.folder / "resolv.conf").write_text("nameserver 127.83.42.1\noptions timeout:30 attempts:1\n")
        (self.folder / "a.log").write_text("a line\n")
        apart = f'mount --bind {self.folder}/resolv.conf /etc/resolv.conf && exec "$@"'
        chain = self.chain(
            space=("unshare", "--mount", "sh", "-c", apart, "apart"),
            targets='[targets.log]\nkind = "log"\npath = "FOLDER/a.log"\n\n'
            '[targets."named/{name}"]\nkind = "tcp"\naddress = "{name}.example:80"\nparts = { name = "[a-z0-9]+" }\n',
        )

        def opening(target: str) -> tuple[int, float]:
            with timed() as passed:
                status = chain.ask("POST", "/v1/streams", {"host": HOST, "target": target}).status
            return status, passed.fair

        with ThreadPoolExecutor(40) as many:
            hanging = [many.submit(opening, f"named/x{number}") for number in range(40)]
            for _ in range(10):  # as many as one pool of threads for all would have
                silent.recv(4096)
            for target in (self.listen().target, "log"):
                status, seconds = opening(target)
                self.assertEqual(status, 201, target)
                self.assertLess(seconds, 5, target)
                self.assertFalse(all(each.done() for each in hanging))
            self.assertEqual({each.result()[0] for each in hanging} & {200, 201}, set())
