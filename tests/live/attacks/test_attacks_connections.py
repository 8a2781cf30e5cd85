"""Attacks by connections to the platform, without a key: many of them, idle or half begun, plain and over TLS; and
crowds that are none, of many users behind one address."""

import contextlib
import http.client
import resource
import socket
import statistics
import time
from collections.abc import Iterator

from tests.live.support.case import LiveTest
from tests.live.support.certificates import certificates
from tests.live.support.pace import Stopwatch
from tests.live.support.ports import free_port
from tests.live.support.waiting import WAIT, until

CROWD = 1000
ATTACKER = "127.0.0.2"
OFFICE = "127.0.0.3"
USERS = 300
"""At once in the office: more than one address' connections and unfinished requests."""
WHOLE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HELLO = bytes.fromhex("160301020001")
"""How a ClientHello begins that never goes on."""
DESCRIPTORS = 512
"""Of the platform: fewer than the crowd."""
ALLOWED = DESCRIPTORS - 128
"""Connections in all."""


class Crowds(LiveTest):
    """One address that takes all the connections it can get, and a user of another one."""

    def setUp(self) -> None:
        super().setUp()
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        self.tls_port = free_port()
        certificates(self.folder)
        tls = (
            f"--listen=tls:{self.tls_port}:interface=127.0.0.1",
            f"--certificate={self.folder}/relay.pem,{self.folder}/relay.key",
        )
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, before[1]))
        self.own = self.chain(platform_options=tls)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(before[1], 4 * CROWD), before[1]))

    @contextlib.contextmanager
    def crowd(
        self, port: int, first: bytes, source: str = ATTACKER, count: int = CROWD
    ) -> Iterator[list[socket.socket]]:
        """Connections of one address that have each sent this; those dropped before aren't among them."""
        with contextlib.ExitStack() as stack:
            crowd = []
            for _ in range(count):
                with contextlib.suppress(OSError):
                    connection = stack.enter_context(
                        socket.create_connection(("127.0.0.1", port), WAIT, source_address=(source, 0))
                    )
                    connection.sendall(first)
                    crowd.append(connection)
            yield crowd

    def median(self) -> float:
        """Seconds in which a user with a key is answered."""
        times = []
        for _ in range(15):
            began = time.monotonic()
            self.assertEqual(self.own.ask("GET", "/v1/session").status, 200)
            times.append(time.monotonic() - began)
        return statistics.median(times)

    def kept_open(self) -> http.client.HTTPConnection:
        """A kept connection of a user who shares the attacker's address."""
        kept = http.client.HTTPConnection("127.0.0.1", self.own.platform_port, WAIT, source_address=(ATTACKER, 0))
        kept.connect()
        kept.auto_open = 0  # it wouldn't be the same one
        self.addCleanup(kept.close)
        self.assertEqual(self.ask_on(kept), 200)
        return kept

    def ask_on(self, kept: http.client.HTTPConnection) -> int:
        kept.request("GET", "/v1/session", headers={"Authorization": f"Bearer {self.own.key}"})
        with kept.getresponse() as answer:
            answer.read()
            return answer.status

    def flood(self, port: int, what: str, first: bytes, setting: str) -> None:
        kept = self.kept_open()
        passed = Stopwatch()
        before, descriptors = passed.fairly(self.median()), len(self.own.platform.descriptors())
        with self.crowd(port, first) as crowd:
            self.assertGreater(len(crowd), CROWD // 5)
            self.assertEqual(self.ask_on(kept), 200, "a user who was there before, behind the same address")
            passed = Stopwatch()
            during, most = passed.fairly(self.median()), len(self.own.platform.descriptors())
            print(
                f"figure: {CROWD} {what} connections of one address: a user waits {during * 1000:.1f} ms "
                f"({before * 1000:.1f} before), {most} of {DESCRIPTORS} descriptors"
            )
            self.assertLess(during, max(0.1, 10 * before))
            self.assertLess(most, ALLOWED + descriptors + 10)
            self.own.platform.wait_for(" connections were dropped by max_connections_per_address = ")
            self.own.platform.wait_for(f" connections wait for their turn by {setting}_per_address = ")
            self.assertIn(f"of {ATTACKER}", self.own.platform.log)
            self.assertLess(self.own.platform.log.count("dropped by max_connections_per_address"), 4)
        until(lambda: len(self.own.platform.descriptors()) <= descriptors, what="the descriptors")

    def test_office(self) -> None:
        """Three hundred users of one address who come at once are all answered, and another address isn't hindered."""
        before = self.own.platform.rss()
        self.own.platform.freeze()  # while they come: each has 10 s from when it is accepted
        with self.crowd(self.own.platform_port, WHOLE[:-2], OFFICE, USERS) as crowd:
            self.own.platform.thaw()
            self.assertEqual(self.own.ask("GET", "/v1/session").status, 200)
            answered, began = 0, time.monotonic()
            for connection in crowd:
                with contextlib.suppress(OSError):
                    connection.sendall(WHOLE[-2:])
            for connection in crowd:
                with contextlib.suppress(OSError):
                    answered += connection.recv(65536).startswith(b"HTTP/1.1 ")
            seconds, grown = time.monotonic() - began, self.own.platform.rss() - before
            print(f"figure: {answered} of {USERS} of one address answered in {seconds:.2f} s, {grown:.1f} MiB more")
            self.assertEqual(answered, USERS)
            self.assertLess(grown, 16)
        self.own.platform.wait_for(" connections wait for their turn by max_handshakes_per_address = ")
        self.assertNotIn("connections were dropped by", self.own.platform.log)

    def test_idle(self) -> None:
        """A thousand that have been answered and stay."""
        self.flood(self.own.platform_port, "idle", WHOLE, "max_connections")

    def test_half_sent(self) -> None:
        """A thousand whose request never ends."""
        self.flood(self.own.platform_port, "half-sent", WHOLE[:-2], "max_handshakes")

    def test_begun_with_the_one_before(self) -> None:
        """A thousand that are answered and begin another request at once, which never ends: they are cut, too."""
        self.flood(self.own.platform_port, "pipelining", WHOLE + WHOLE[:-2], "max_handshakes")
        with self.crowd(self.own.platform_port, WHOLE + WHOLE[:-2]):
            before = len(self.own.platform.descriptors())
            until(lambda: len(self.own.platform.descriptors()) < before - 50, what="the end of those that don't go on")

    def test_tls(self) -> None:
        """A thousand whose TLS handshake never ends."""
        self.flood(self.tls_port, "half-greeting", HELLO, "max_handshakes")
