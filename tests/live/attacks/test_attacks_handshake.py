"""Attacks before anybody has shown a token: slowness, size, bytes that come too early, upgrades that are none."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable

from tests.live.attacks.attack import PANEL, AttackTest, Reply, frame, read_reply, upgrade
from tests.live.support.chain import RelayAlone
from tests.live.support.pace import Stopwatch
from tests.live.support.ports import answers
from tests.live.support.waiting import WAIT, until

CUT = 5.0
"""Seconds from accept until a handshake that isn't done is cut."""
LATE = 10.0
"""Seconds by which the relay may come to it late on a busy machine; what drips goes on for a minute and more."""
HELLO = bytes.fromhex("160301020001") + b"\x00"
"""How a ClientHello begins that never goes on."""


class Slow(AttackTest):
    """Whoever is slow is cut after 5 s in all, whatever else they do."""

    def drip(self, data: bytes, gap: float) -> Callable[[socket.socket], None]:
        def attack(connection: socket.socket) -> None:
            for at in range(len(data)):
                try:
                    connection.sendall(data[at : at + 1])
                except OSError:
                    return
                time.sleep(gap)

        return attack

    def test_slow(self) -> None:
        """Silence, dripping headers, a TLS hello that stops or drips, headers that drip over TLS: all cut at 5 s."""
        decoy = self.decoy()
        request = upgrade(self.opened(decoy))
        plain, tls = self.relay_at, ("127.0.0.1", self.common.tls_port)
        attacks: dict[str, tuple[Callable[[], socket.socket], Callable[[socket.socket], None]]] = {
            "silence": (lambda: self.connect(plain), lambda _: None),
            "half a request": (lambda: self.connect(plain), lambda c: c.sendall(request[:-2])),
            "dripping headers": (lambda: self.connect(plain), self.drip(request[:-2], 0.2)),
            "silence before TLS": (lambda: self.connect(tls), lambda _: None),
            "half a hello": (lambda: self.connect(tls), lambda c: c.sendall(HELLO)),
            "dripping hello": (lambda: self.connect(tls), self.drip(HELLO + bytes(60), 0.2)),
            "silence over TLS": (self.connect_tls, lambda _: None),
            "dripping headers over TLS": (self.connect_tls, self.drip(request[:-2], 0.2)),
        }
        results: dict[str, tuple[Reply, float, float]] = {}

        def one(name: str) -> None:
            connect, attack = attacks[name]
            passed = Stopwatch()  # before it is accepted
            connection = connect()
            attacking = threading.Thread(target=attack, args=(connection,), daemon=True)
            attacking.start()
            results[name] = (read_reply(connection, WAIT), passed(), passed.fair)

        works = [threading.Thread(target=one, args=(name,)) for name in attacks]
        for work in works:
            work.start()
        for work in works:
            work.join(WAIT)
        self.assertEqual(set(results), set(attacks))
        for name, (reply, seconds, fair) in results.items():
            self.assertIn(reply.ended, ("eof", "reset"), name)
            self.assertEqual(reply.raw, b"", name)
            self.assertTrue(seconds > CUT - 0.5 and fair < CUT + LATE, f"{name}: cut after {seconds:.2f} s")
        self.assert_reached(decoy, 1)


class HandshakeLimit(AttackTest):
    """Handshakes at once are bounded.

    How many of them one address may have (20), also behind a proxy, is shown where those settings are tested.
    """

    watched = False

    def test_full(self) -> None:
        """Over the limit the answer is 503 at once; when the slow ones are cut there is room again."""
        settings = self.folder / "relay.toml"
        settings.write_text("max_handshakes = 10\n")
        relay = RelayAlone(self.folder, relay=(f"--config={settings}",))
        self.addCleanup(relay.stop)
        relay.start()
        at = ("127.0.0.1", relay.relay_port)
        until(lambda: answers(relay.relay_port))
        client, agent = relay.pair()
        agent_leg = self.websocket(agent)
        client_leg = self.websocket(client)
        agent_leg.recv(WAIT)
        relay.relay.freeze()  # while they come, so that none is cut before the last one is there
        slow = [self.connect(at) for _ in range(10)]  # accepted in this order, before the next one
        refused = self.connect(at)
        relay.relay.thaw()
        reply = read_reply(refused, WAIT)
        self.assertEqual((reply.status, reply.ended), (503, "eof"))
        self.assertEqual(reply.body, b"full or shutting down, try again later\n")
        client_leg.send(b"still here")
        self.assertEqual(agent_leg.recv(WAIT), b"still here")
        for connection in slow:
            self.assertIn(read_reply(connection, WAIT).ended, ("eof", "reset"))
        self.websocket(relay.pair()[0])


class Size(AttackTest):
    """Nothing of over 16 KiB is read of somebody who hasn't come in."""

    def flood(self, begin: bytes, piece: bytes) -> tuple[Reply, int]:
        """Send without end; the answer, and how many bytes went out before the connection was cut."""
        connection = self.connect()
        connection.settimeout(WAIT)
        sent = 0
        with contextlib.suppress(OSError):
            connection.sendall(begin)
            while sent < 400 << 20:
                sent += connection.send(piece)
        return read_reply(connection, WAIT), sent

    def test_endless_header(self) -> None:
        """A header without an end is cut, with 431 if the answer still gets through, and costs no memory."""
        with self.memory(self.common.relay, most=2):
            for begin in (b"GET /client/x HTTP/1.1\r\nX: ", b"GET /", b"\r\n", b"G"):
                reply, sent = self.flood(begin, b"x" * 65536)
                self.assertIn(reply.status, (431, 400, None), begin)
                self.assertIn(reply.ended, ("eof", "reset"))
                self.assertLess(sent, 8 << 20)

    def test_just_over(self) -> None:
        """One byte over 16 KiB is answered 431, and closed; a request of 16 KiB is none too many."""
        token = self.common.pair()[0].rpartition("/")[2]
        bare = upgrade(f"/client/{token}", "X: ")
        over = upgrade(f"/client/{token}", "X: " + "x" * (16385 - len(bare)))
        self.assertEqual(len(over), 16385)
        reply = self.send_request(over)
        self.assertEqual((reply.status, reply.ended), (431, "eof"))
        self.assertEqual(self.send_request(upgrade(f"/client/{token}", "X: " + "x" * (16384 - len(bare)))).status, 101)

    def test_many_headers(self) -> None:
        """Thousands of tiny headers are cut by their size as well."""
        reply = self.send_request(upgrade("/client/x", *(f"{number:x}:" for number in range(4000))))
        self.assertIn(reply.status, (431, None))
        self.assertIn(reply.ended, ("eof", "reset"))

    def test_big_frame_of_a_stranger(self) -> None:
        """A frame of 400 MB without a handshake, and after a refused one, is cut at once and costs no memory."""
        header = b"\x82\xff" + (400 << 20).to_bytes(8, "big") + bytes(4)
        with self.memory(self.common.relay, most=2):
            for begin in (header, upgrade("/client/" + "x" * 32) + header):
                reply, sent = self.flood(begin, bytes(65536))
                self.assertIn(reply.status, (400, 401, 431, None))
                self.assertIn(reply.ended, ("eof", "reset"))
                self.assertLess(sent, 8 << 20)

    def test_big_frame_that_waits(self) -> None:
        """A frame of 400 MB on a leg that has met nobody stays with its sender: it isn't read."""
        path = self.common.pair()[0].removeprefix(self.common.relay_url)
        with self.memory(self.common.relay, most=2):
            leg = self.leg(path)
            leg.settimeout(1)
            leg.sendall(b"\x82\xff" + (400 << 20).to_bytes(8, "big") + bytes(4))
            sent = 0
            with contextlib.suppress(TimeoutError):
                while True:
                    sent += leg.send(bytes(65536))
            self.assertLess(sent, 16 << 20)


class TooEarly(AttackTest):
    """What comes before its time reaches nobody."""

    def test_second_request(self) -> None:
        """A second request, a frame or a body right behind the first request cuts the connection before any 101."""
        for more in (upgrade("/client/" + "x" * 32), frame(2, b"early"), b"\0", b"\r\n"):
            decoy = self.decoy()
            path = self.opened(decoy)
            reply = self.send_request(upgrade(path) + more)
            self.assertEqual((reply.raw, reply.ended), (b"", "reset"), more)
            self.assert_reached(decoy, 1)
            self.assertEqual(self.send_request(upgrade(path)).status, 401, "its token is used up")

    def test_refused_leaves_no_pipe(self) -> None:
        """After a refusal nothing of the connection is read: a request or a frame behind it gets no answer."""
        decoy = self.decoy()
        path = self.opened(decoy)
        bad = "/client/" + "y" * 32
        for first, status in (
            (upgrade(bad), 401),
            (upgrade(path, "Origin: https://evil.example"), 403),
            (upgrade("/nothing"), 404),
            (upgrade(path).replace(b"GET", b"POST"), 405),
            (upgrade(path).replace(b"Version: 13", b"Version: 99"), 400),
            (upgrade(path).replace(b"Upgrade: websocket\r\n", b""), 426),
            (upgrade(path).replace(b"HTTP/1.1", b"HTTP/1.0"), 426),
        ):
            for later in (upgrade(path), frame(2, b"through the pipe")):
                reply = self.send_request(first + later)
                self.assertEqual((reply.status, reply.ended), (status, "eof"), first)
                self.assertEqual(reply.raw.count(b"HTTP/1.1 "), 1, reply.raw)
        self.assert_reached(decoy, 1)
        self.leg(path)

    def test_unpaired(self) -> None:
        """Bytes of a leg that has met nobody reach no target; the agent's reach no client before both have met."""
        decoy = self.decoy()
        self.opened(decoy)
        client = self.leg(self.common.pair()[0].removeprefix(self.common.relay_url))
        client.sendall(frame(2, b"is anybody there?") * 100)
        client_url, agent_url = self.common.pair()
        agent = self.leg(agent_url.removeprefix(self.common.relay_url))
        agent.sendall(frame(2, b"early"))
        self.assert_reached(decoy, 1)
        self.assertEqual(self.websocket(client_url).recv(WAIT), b"early")

    def test_smuggling(self) -> None:
        """Requests that two programs might read differently are refused, and open nothing."""
        decoy = self.decoy()
        path = self.opened(decoy)
        good, bearer = upgrade(path), f"Authorization: Bearer {'z' * 32}"
        offer = f"Sec-WebSocket-Protocol: token.{'z' * 32}"
        for request, status in (
            (upgrade(path, "Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
            (upgrade(path, "Content-Length: 400000000") + bytes(4000), 400),
            (upgrade(path, "Content-Length : 5"), 400),
            (upgrade(path, "Host: evil.example"), 400),
            (upgrade(path, " folded: line"), 400),
            (upgrade(path, "no colon"), 400),
            (upgrade(path, offer), 400),
            (upgrade(path, bearer), 400),
            (upgrade(path, bearer, offer), 400),
            (upgrade("/client", bearer, offer), 400),
            (upgrade(f"{path}?token={'z' * 32}"), 401),
            (upgrade(f"http://relay.example{path}"), 404),
            (good.replace(b"GET ", b"GET  "), 400),
            (good.replace(b"GET", b"CONNECT"), 405),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(100), 405),
            (b"\x16\x03\x01" + bytes(200) + b"\r\n\r\n", 400),
        ):
            reply = self.send_request(request)
            self.assertEqual((reply.status, reply.ended), (status, "eof"), request)
        self.assert_reached(decoy, 1)
        self.leg(path)

    def test_control_characters(self) -> None:
        """CR, LF, NUL, escapes and other bytes that aren't text are 400, wherever they stand, and come back nowhere."""
        decoy, before = self.decoy(), len(self.common.relay.log)  # other tests' origins stand in it
        path = self.opened(decoy)
        for bad in ("\0", "\r", "\n", "\x1b[31m", "\x7f", "\x08"):
            for request in (
                upgrade(f"{path}{bad}"),
                upgrade(f"/client/{bad}token"),
                upgrade(path, f"X: a{bad}b"),
                upgrade(path, f"X{bad}: a"),
                upgrade(path, f"Origin: {PANEL}{bad}X"),
                upgrade(path, f"Sec-WebSocket-Protocol: {bad}evil, binary"),
                upgrade("/client", f"Authorization: Bearer {bad}evil-token"),
                upgrade("/client", f"Sec-WebSocket-Protocol: token.{bad}evil-token"),
            ):
                reply = self.send_request(request)
                self.assertEqual((reply.status, reply.body), (400, b"malformed request\n"), request)
        for escaped in ("%0d%0aSet-Cookie:%20x=y", "%00", "%1b[31m", "%2e%2e%2fagent"):
            reply = self.send_request(upgrade(f"{path}{escaped}"))
            self.assertEqual((reply.status, reply.body), (401, b"this token is not valid here\n"), escaped)
        self.assertNotIn("Set-Cookie", self.common.relay.log[before:])
        self.assertNotIn("evil", self.common.relay.log[before:])
        self.assert_reached(decoy, 1)
        self.leg(path)
