"""Typical mistakes of an administrator: the line that they look at names the cause and the place.

Where a mistake has its test already, the table points there; what is left is tried here, on one chain.
"""

import importlib
import inspect
import re
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.protocol.tokens import Signer, generate, new_id
from tests.live.agent.hostile_relay import Server
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain, shared
from tests.live.support.http import ask
from tests.live.support.nats import NatsClient
from tests.live.support.ports import free_port
from tests.live.support.waiting import WAIT, until

TARGETS = """\
[targets.gone]
kind = "unix"
path = "FOLDER/no-such.sock"

[targets.noprogram]
kind = "pty"
command = ["/no/such/program"]

"""


class Mistake(NamedTuple):
    """`words` are what the line says; `test` is where that is seen."""

    name: str
    words: str
    test: str


CLI = "tests.live.programs.test_cli_errors.WrongSettings"
STATUS = "tests.live.client.test_connect.ExitStatus"
CAUSES = "tests.bus.test_complaints.Causes"
TRANSPORTS = "tests.bus.test_transports"
LOGIN = "tests.live.bus.test_login"
HERE = f"{__name__}.Tried"

MISTAKES = (
    Mistake("NATS is down", "Connection refused", f"{CAUSES}.test_words"),
    Mistake("NATS is down, in the log", "can't connect to NATS", "tests.live.bus.test_nats.Restarts.test_late"),
    Mistake("NATS at a wrong port", "what listens there isn't NATS", f"{CAUSES}.test_words"),
    Mistake("NATS by a wrong name", "Name or service not known", f"{CAUSES}.test_words"),
    Mistake("an NKEY that the bus doesn't know", "NATS refused this user", f"{LOGIN}.Refusals.test_unknown"),
    Mistake("a wrong password of the bus", "NATS refused this user", f"{LOGIN}.Passwords.test_not_logged"),
    Mistake("permissions of another host", "check this user's permissions", f"{LOGIN}.Refusals.test_wrong_name"),
    Mistake("tls:// for a bus without TLS", "no TLS", "tests.bus.test_nats_client.First.test_no_tls"),
    Mistake("nats:// beyond this machine", "is not encrypted", f"{LOGIN}.Refusals.test_plain_elsewhere"),
    Mistake("a bus that begins with TLS", "set nats_handshake_first", f"{LOGIN}.Certificates.test_handshake_first"),
    Mistake("a bus that wants a certificate", "wants a certificate", f"{CAUSES}.test_refusals"),
    Mistake("http:// for the bus", "expected tls://", f"{CLI}.test_agent"),
    Mistake(
        "wss:// where NATS has no websocket", "is NATS behind that path?", f"{TRANSPORTS}.ByWebsocket.test_refused"
    ),
    Mistake("a proxy that wants a login", "give them in outbound_login", "tests.net.test_tunnels.Http.test_refused"),
    Mistake("a proxy that is none", "doesn't answer as an HTTP proxy", "tests.net.test_tunnels.Http.test_no_proxy"),
    Mistake("a proxy that refuses the bus", "it doesn't allow a connection", f"{TRANSPORTS}.Proxies.test_refused"),
    Mistake("https:// for the relay", "expected ws://", f"{CLI}.test_platform"),
    Mistake("wss:// for the platform", "is a relay's URL", "tests.client.test_commands.Lines.test_wrong_platform"),
    Mistake("ws:// where TLS is", "use wss://", "tests.websocket.test_client.Dialled.test_says_who_and_where"),
    Mistake("wss:// where no TLS is", "TLS isn't spoken there", f"{HERE}.test_dialled"),
    Mistake("http:// where TLS is", "this port speaks TLS", "tests.net.test_tls.Strangers.test_plain"),
    Mistake("the relay's port for the platform's", "as no platform does", f"{HERE}.test_no_platform"),
    Mistake("an origin with a path", "without a path", f"{CLI}.test_relay"),
    Mistake("an origin that isn't the page's", "is not allowed", f"{HERE}.test_origin"),
    Mistake("two targets of one name", "b.toml", "tests.agent.test_catalogue.Files.test_twice"),
    Mistake("a missing file", "can't be read: No such file", f"{CLI}.test_relay"),
    Mistake("no TOML", "not TOML", f"{CLI}.test_relay"),
    Mistake("an unknown setting", "orgin", f"{CLI}.test_relay"),
    Mistake("an unknown option", "no-such", f"{CLI}.test_unknown_option"),
    Mistake("a wrong prefix of the relay", "no relay is at this path", f"{HERE}.test_prefix"),
    Mistake("a proxy that takes Upgrade out", "takes the header Upgrade out", f"{HERE}.test_dialled"),
    Mistake("a proxy whose relay is down", "the proxy in front of it doesn't reach it", f"{HERE}.test_dialled"),
    Mistake("a proxy without its PROXY header", "see the setting proxy_protocol", f"{HERE}.test_dropped_proxy"),
    Mistake("a platform key that the relay lacks", "its log says why", f"{HERE}.test_dialled"),
    Mistake("no key", "a key is needed", f"{STATUS}.test_denied"),
    Mistake("a key without the grant", "no grant", f"{STATUS}.test_denied"),
    Mistake("an unknown host", "is offline", f"{STATUS}.test_offline"),
    Mistake("an unknown target", "no such target", f"{STATUS}.test_denied"),
    Mistake("a target whose port is closed", "refused the connection", f"{STATUS}.test_target"),
    Mistake("a target whose socket is missing", "no-such.sock", f"{HERE}.test_targets"),
    Mistake("a target whose program is missing", "/no/such/program: no such program", f"{HERE}.test_targets"),
)


class Table(SynchronousTestCase):
    """The mistakes, and where each is tried."""

    def test_tried(self) -> None:
        """Each has a test, in which its words stand."""
        self.assertGreaterEqual(len(MISTAKES), 30)
        for mistake in MISTAKES:
            path, case, test = mistake.test.rsplit(".", 2)
            method: Any = getattr(getattr(importlib.import_module(path), case), test, None)
            self.assertTrue(inspect.isfunction(method), mistake.test)
            self.assertIn(mistake.words, inspect.getsource(method), mistake.name)


class Tried(LiveTest):
    """One chain; what is wrong is said at the laptop, in the API's answer, or in a log."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared(targets=TARGETS)

    def summon(self, relay: str, token: str = "") -> str:
        """Why an agent that is summoned to a relay doesn't come; its log must say the same."""
        bus, stream, listener = NatsClient(self.common.nats_port), new_id(), self.listen()
        self.addCleanup(bus.close)
        mint = self.common.signer.mint
        claims: dict[str, Any] = {"stream": stream, "target": listener.target, "relay": relay, "user": "test"}
        claims["token"] = token or mint("relay", role="agent", sub=stream)
        summons = mint(HOST, role="summons", **claims)
        answer = bus.ask(f"streamrelay.v1.host.{HOST}.open", summons.encode(), WAIT)
        self.assertEqual(answer["refused"], "dial_failed")
        self.common.agent.wait_for(f"stream {stream} to {listener.target} refused: {answer['reason']}")
        return str(answer["reason"])

    def says(self, status: int, *arguments: str) -> str:
        """What `streamrelay` says, in one line, as it ends with this status."""
        done = self.common.streamrelay(*arguments, given=b"")
        self.assertEqual((done.returncode, done.stdout, done.stderr.count(b"\n")), (status, b"", 1), done.stderr)
        return str(done.stderr.decode())

    def test_dialled(self) -> None:
        """An agent that doesn't get in at a relay says who was refused by which URL, and why."""
        relay = f"ws://127.0.0.1:{self.common.relay_port}"
        generate(self.folder / "other.key", self.folder / "other.pub")
        forged = Signer.load(str(self.folder / "other.key")).mint("relay", role="agent", sub=new_id())
        self.assertEqual(self.summon(relay, forged), f"agent {HOST} was refused by {relay}: 401; its log says why")
        self.common.relay.wait_for("signed by an unknown key")
        for answer, words in (
            (self.without_upgrade, "426: a proxy in between takes the header Upgrade out"),
            (bad_gateway, "502: the proxy in front of it doesn't reach it"),
        ):
            proxy = self.proxy(answer)
            self.assertEqual(self.summon(proxy), f"agent {HOST} was refused by {proxy}: {words}")
        for where, words in (
            (relay.replace("ws:", "wss:"), "TLS isn't spoken there"),
            (f"ws://127.0.0.1:{free_port()}", "refused"),
        ):
            self.assertRegex(self.summon(where), f"agent {HOST} can't reach {where}: .*{words}")

    def proxy(self, answer: Callable[[bytes], bytes]) -> str:
        """The URL of something in front of the relay, which answers each request as it is told."""
        server = Server(lambda connection: connection.sendall(answer(connection.recv(8192))))
        self.addCleanup(server.close)
        return f"ws://127.0.0.1:{server.port}"

    def without_upgrade(self, request: bytes) -> bytes:
        """The relay's own answer to a request whose Upgrade was lost on the way."""
        with socket.create_connection(("127.0.0.1", self.common.relay_port), WAIT) as relay:
            relay.sendall(re.sub(rb"(?i)upgrade: websocket\r\n", b"", request))
            answer = b""
            while more := relay.recv(8192):
                answer += more
        return answer

    def test_prefix(self) -> None:
        """A relay's URL whose prefix is wrong: the laptop is told whose dial was refused, and which setting it is."""
        port = free_port()
        wrong = f"ws://127.0.0.1:{port}/wrong"
        own = self.start_chain(Chain(self.folder, relay_port=port, platform_options=(f"--relay={wrong}",)))
        words = f"agent {HOST} was refused by {wrong}: 404: no relay is at this path; is its prefix right in the"
        target = self.listen().target
        done = own.streamrelay("connect", HOST, target, given=b"")
        self.assertEqual(done.returncode, 5)
        self.assertIn(words, done.stderr.decode())
        answer = own.ask("POST", "/v1/streams", {"host": HOST, "target": target})
        self.assertEqual((answer.status, answer.json["code"]), (502, "dial_failed"))
        self.assertIn(words, answer.json["detail"])

    def test_no_platform(self) -> None:
        """Where the laptop asks a relay, its line says what answered there; so does curl."""
        port = self.common.relay_port
        said = self.says(6, "hosts", "--platform", f"http://127.0.0.1:{port}")
        self.assertIn(f"http://127.0.0.1:{port} answered 404, as no platform does: ", said)
        self.assertIn("this is a relay of streamrelay", said)
        self.assertIn("check --platform", said)
        self.assertIn("this is a relay of streamrelay", ask(port, "GET", "/").text)

    def test_origin(self) -> None:
        """A page of an origin that the relay doesn't have is refused, and the relay's log names it."""
        client, _ = self.common.pair()
        self.assertEqual(self.refused(client, origin="https://elsewhere.example"), 403)
        self.common.relay.wait_for("its origin 'https://elsewhere.example' is not allowed")

    def test_targets(self) -> None:
        """A target that can't be had is told with what is missing where, at the laptop and in the agent's log."""
        for target, words in (("gone", "no-such.sock"), ("noprogram", "/no/such/program: no such program")):
            said = self.says(5, "connect", HOST, target)
            self.assertIn(words, said)
            reason = said.removeprefix("streamrelay: ").strip()
            self.common.agent.wait_for(f" to {target} refused: {reason}")

    def test_dropped_proxy(self) -> None:
        """A proxy that doesn't begin with the PROXY header that the relay wants is named, with the setting."""
        port = free_port()
        options = (f"--listen=tcp:{port}:interface=127.0.0.1", "--proxy=127.0.0.1", "--proxy-protocol")
        relay = self.twistd("streamrelay", "--tokens=opaque", *options)

        def dropped() -> bool:
            try:
                ask(port, "GET", "/health")
            except OSError:
                pass
            return "dropped a connection from the proxy 127.0.0.1:" in relay.log

        until(dropped, what="the relay's word")
        self.assertIn("see the setting proxy_protocol", relay.log)


def bad_gateway(request: bytes) -> bytes:
    return b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
