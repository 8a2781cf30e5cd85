"""Attacks on what all streams of an agent share: here, the threads that look up names."""

import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed

from twisted.trial.unittest import SkipTest

from streamrelay.platform.auth.grants import Grant
from tests.documented import LOOKUPS_EACH
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST
from tests.live.support.pace import timed
from tests.live.support.waiting import WAIT, until


class Lookups(LiveTest):
    """Names that hang: those of targets take no thread that others need."""

    def test_hanging(self) -> None:
        """While one user's lookups of targets' names hang, an address, a log and others' names open as without."""
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
        other = chain.add_key("carol", Grant("*", "*"))
        until(lambda: chain.ask("GET", "/v1/hosts", key=other).status == 200, what="her key")

        def opening(target: str, key: str = "") -> tuple[int, float]:
            with timed() as passed:
                status = chain.ask("POST", "/v1/streams", {"host": HOST, "target": target}, key).status
            return status, passed.fair

        with ThreadPoolExecutor(48) as many:
            hanging = [many.submit(opening, f"named/x{number}") for number in range(40)]
            refused = 0
            for each in as_completed(hanging):  # what is over the user's share, at once
                refused += each.result()[0] == 503
                if refused == 40 - LOOKUPS_EACH:
                    break
            others = many.submit(opening, "named/others", other)
            while b"others" not in silent.recv(4096):  # her name is looked up
                pass
            for target in (self.listen().target, "log"):
                status, seconds = opening(target)
                self.assertEqual(status, 201, target)
                self.assertLess(seconds, 5, target)
                self.assertFalse(others.done())
            counts = Counter(each.result()[0] for each in hanging)
            self.assertEqual(counts, {503: 40 - LOOKUPS_EACH, 504: LOOKUPS_EACH})
            self.assertEqual(others.result()[0], 504)
        self.assertIn("names of targets are looked up at once, 8 for one user; refused as busy", chain.agent.log)
