"""TLS on every public wire: names, rotation, agents' certificates."""

import asyncio
import signal
import socket
import ssl
from pathlib import Path

from websockets.sync.client import ClientConnection

from streamrelay.protocol.tokens import new_id
from tests.authority import Authority
from tests.documented import HANDSHAKE_TIME
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, RelayAlone
from tests.live.support.http import Answer
from tests.live.support.pace import Stopwatch
from tests.live.support.ports import free_port
from tests.live.support.processes import run, twistd
from tests.live.support.promise import promised
from tests.live.support.sockets import RESET, take
from tests.live.support.waiting import WAIT, Work, until
from tests.live.support.websockets import websocket


def shown(port: int, name: str, ca: Path) -> str:
    """The first name of the certificate that a port shows to whoever asks for `name`."""
    context = ssl.create_default_context(cafile=str(ca))
    context.check_hostname = False
    with (
        socket.create_connection(("127.0.0.1", port), WAIT) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        certificate = secure.getpeercert()
    assert certificate is not None
    return str(certificate["subject"][0][0][1])


class Rotation(LiveTest):
    """Certificates of a running relay."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority(self.folder / "ca.pem")
        first = self.authority.issue(self.folder / "a.pem", "localhost", "127.0.0.1")
        second = self.authority.issue(self.folder / "b.pem", "*.b.example")
        self.port = free_port()
        self.relay = self.twistd(
            *("streamrelay", "--tokens=opaque", f"--listen=tls:{self.port}:interface=127.0.0.1"),
            *(f"--certificate={first}", f"--certificate={second}"),
        )
        self.relay.wait_for("opaque tokens, patience")

    def names(self) -> tuple[str, str]:
        localhost, other = (shown(self.port, name, self.folder / "ca.pem") for name in ("localhost", "x.b.example"))
        return localhost, other

    def legs(self) -> list[ClientConnection]:
        token, ca = new_id(), str(self.folder / "ca.pem")
        legs = [self.websocket(f"wss://localhost:{self.port}/{role}/{token}", ca=ca) for role in ("client", "agent")]
        self.assertIn("met", legs[1].recv(WAIT))
        return legs

    def echo(self, legs: list[ClientConnection], data: bytes) -> None:
        for sender, receiver in (legs, reversed(legs)):
            sender.send(data)
            self.assertEqual(receiver.recv(WAIT), data)

    def test_names(self) -> None:
        """The certificate that fits the name is shown, and legs come in by it."""
        self.assertEqual(self.names(), ("localhost", "*.b.example"))
        self.echo(self.legs(), b"hello")

    def test_rotated(self) -> None:
        """A changed file is shown to new handshakes by itself, at SIGHUP at once; a live stream notices nothing."""
        beside = self.neighbour(*self.legs())
        self.authority.issue(self.folder / "b.pem", "*.b.example", "new.b.example")
        self.relay.wait_for("certificates read again: localhost, *.b.example, new.b.example")
        self.authority.issue(self.folder / "a.pem", "new.example")
        with promised("certificate rotated"):
            self.relay.process.send_signal(signal.SIGHUP)
            until(lambda: self.names() == ("new.example", "*.b.example"), what="the new certificate")
        beside.goes_on()
        self.assertTrue(self.relay.alive)

    def test_broken(self) -> None:
        """A broken file changes nothing but the log, by SIGHUP and by itself; once it is mended it is taken."""
        beside = self.neighbour(*self.legs())
        (self.folder / "a.pem").write_text("-----BEGIN CERTIFICATE-----\nbroken\n")
        with promised("certificate broken"):
            self.relay.process.send_signal(signal.SIGHUP)
            self.relay.wait_for("can't read the certificates again")
        self.assertIn("a.pem", self.relay.log)
        self.assertNotIn("Traceback", self.relay.log)
        self.assertEqual(self.names(), ("localhost", "*.b.example"))
        beside.goes_on()
        self.authority.issue(self.folder / "a.pem", "mended.example")
        until(lambda: self.names() == ("mended.example", "*.b.example"), what="the mended certificate")

    def test_old_versions(self) -> None:
        """Nothing below TLS 1.2 is spoken."""
        ask = ("openssl", "s_client", "-connect", f"127.0.0.1:{self.port}")
        self.assertNotEqual(run(*ask, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", input=b"").returncode, 0)
        self.assertIn(b"ECDHE", run(*ask, "-tls1_2", input=b"").stdout)


class AgentCertificates(LiveTest):
    """A relay that demands a certificate of agents."""

    def begin(self, names: tuple[str, ...], stranger: bool = False) -> None:
        """A chain whose agent shows a certificate for these names; with none if they are empty."""
        issuer = Authority(self.folder / "stranger.pem") if stranger else Authority(self.folder / "agents.pem")
        if stranger:
            Authority(self.folder / "agents.pem")
        pair = issuer.issue(self.folder / "host.pem", *names) if names else ""
        self.started = self.chain(
            tls=True,
            relay=(f"--agent-ca={self.folder}/agents.pem",),
            agent=f'certificate = "{pair}"\n' if pair else "",
        )
        self.listener = self.listen()

    def ask(self) -> Answer:
        return self.started.ask("POST", "/v1/streams", {"host": HOST, "target": self.listener.target})

    def test_its_own(self) -> None:
        """An agent with a certificate in its host's name works; clients need none."""
        self.begin((HOST,))
        answer = self.ask()
        self.assertEqual(answer.status, 201, answer.text)
        leg = self.websocket(answer.json["url"], ca=self.started.ca)
        target = self.listener.accept()
        leg.send(b"hello")
        self.assertEqual(take(target, 5), b"hello")

    def dial_fails(self, why: str) -> None:
        answer = self.ask()
        self.assertEqual((answer.status, answer.json["code"]), (502, "dial_failed"), answer.text)
        self.started.relay.wait_for(why)
        self.assertNotIn("Traceback", self.started.relay.log + self.started.agent.log)

    def test_none(self) -> None:
        """An agent without one is refused at once, and the API says that it can't reach the relay."""
        self.begin(())
        with promised("dial failed"):
            self.dial_fails("it has shown no certificate")

    def test_of_another(self) -> None:
        """A certificate in another host's name doesn't serve, though its CA is the right one."""
        self.begin(("host-2",))
        self.dial_fails("its certificate is for host-2, not for host-1")

    def test_of_a_stranger(self) -> None:
        """A certificate of another CA ends the handshake."""
        self.begin((HOST,), stranger=True)
        answer = self.ask()
        self.assertEqual((answer.status, answer.json["code"]), (502, "dial_failed"), answer.text)
        self.assertIn("doesn't know the issuer of the certificate that it was shown", answer.json["detail"])
        self.started.relay.wait_for("TLS handshakes failed, since the last such line 1: 1 of 127.0.0.1: TLS: the cert")
        self.assertIn("has an unknown issuer, streamrelay test CA, not in agent_ca", self.started.relay.log)


class PlatformTls(LiveTest):
    """The platform's own port."""

    def test_hosts(self) -> None:
        """``streamrelay hosts`` asks a platform over TLS by a private CA; without that CA it says why not."""
        authority = Authority(self.folder / "ca.pem")
        pair = authority.issue(self.folder / "web.pem", "localhost")
        port = free_port()
        chain = self.chain()
        platform = self.program(
            "platform-by-tls",
            *twistd(),
            *("streamplatform", f"--listen=tls:{port}:interface=127.0.0.1", f"--certificate={pair}"),
            *(f"--relay={chain.relay_url}", f"--keys={chain.keys}", f"--nats={chain.nats_url}"),
            f"--key={self.folder}/platform.key",
        )
        platform.wait_for("connected to NATS")
        where = {"STREAMRELAY_PLATFORM": f"https://localhost:{port}"}

        def listed() -> bool:  # once its host has answered it, which it asks as it comes to the bus
            listing = chain.streamrelay("hosts", "--ca", str(self.folder / "ca.pem"), more=where)
            self.assertEqual(listing.returncode, 0, listing.stderr)
            return HOST.encode() in listing.stdout

        until(listed, what="the host")
        unknown = chain.streamrelay("hosts", more=where)
        self.assertEqual(unknown.returncode, 6)
        self.assertIn(b"the certificate of localhost has an unknown issuer, streamrelay test CA", unknown.stderr)
        platform.wait_for("127.0.0.1: TLS: the other end doesn't know the issuer of the certificate")


class Crowds(LiveTest):
    """Many connections of one address."""

    def setUp(self) -> None:
        super().setUp()
        self.alone = RelayAlone(self.folder, tls=True, tokens="opaque")
        self.addCleanup(self.alone.stop)
        self.alone.start()
        self.trust = ssl.create_default_context(cafile=self.alone.ca)

    def silent(self, address: str = "127.0.0.1") -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.alone.relay_port), WAIT, (address, 0))
        self.addCleanup(connection.close)
        return connection

    def hello(self, plain: socket.socket) -> None:
        self.addCleanup(self.trust.wrap_socket(plain, server_hostname="localhost").close)

    def stand_before_another(self) -> list[socket.socket] | None:
        """Give 20 silent connections, of which another one of their address has waited for the first to go; None if
        they were cut before that came about, as their time was over."""
        passed = Stopwatch()
        silent = [self.silent() for _ in range(20)]
        waiting = self.silent()
        hello = Work(lambda: self.hello(waiting))
        try:
            self.hello(self.silent("127.0.0.2"))
            waits = hello.is_alive()
            silent[0].close()
            hello.result()
        except OSError:
            if passed() < HANDSHAKE_TIME:
                raise
        if passed() < HANDSHAKE_TIME:
            self.assertTrue(waits)
            return silent
        self.assertRaises(ConnectionResetError, silent[-1].recv, 1)
        return None

    def test_silent(self) -> None:
        """Behind 20 silent connections the next of that address waits for one of them to go, those of others don't. Of
        more than 200 that wait the last is dropped. When all are cut, that address comes in as before."""
        while (silent := self.stand_before_another()) is None:
            pass
        crowd = [self.silent() for _ in range(200)]
        self.assertRaises(RESET, lambda: self.silent().recv(1))
        self.assertRaises(ConnectionResetError, silent[-1].recv, 1)
        self.assertRaises(ConnectionResetError, crowd[0].recv, 1)
        websocket(f"{self.alone.relay_url}/client/{new_id()}", ca=self.alone.ca).close()

    def test_one_office(self) -> None:
        """Fifty users behind one address who open their streams at once all come in, but for whom their own machine
        holds up until the time for it is over."""
        port, line = self.alone.relay_port, b"HTTP/1.1 101 Switching Protocols\r\n"

        async def come_in() -> bytes:
            passed = Stopwatch()
            try:
                return await ask_to_come_in()
            except (OSError, asyncio.IncompleteReadError):
                if passed() < HANDSHAKE_TIME:
                    raise
                return b"late"

        async def ask_to_come_in() -> bytes:
            reader, writer = await asyncio.open_connection("localhost", port, ssl=self.trust)
            writer.write(
                f"GET /client/{new_id()} HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "Sec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            answer = await reader.readuntil(b"\n")
            writer.close()
            return answer

        async def all_come() -> list[bytes]:
            return await asyncio.gather(*(come_in() for _ in range(50)))

        came = asyncio.run(all_come())
        self.assertEqual(set(came) - {b"late"}, {line})
        self.assertGreater(came.count(line), 20)  # as many as may be at it at once
