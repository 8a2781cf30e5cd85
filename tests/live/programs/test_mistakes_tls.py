"""Mistakes of an administrator with keys, certificates, clocks and the start: the line that they look at names cause
and place. (Others are in test_mistakes.py.)"""

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate
from OpenSSL import SSL

from streamrelay.agent import tap as agent_tap
from streamrelay.agent.summonses import Summonses
from streamrelay.net.certificates import split_pair
from streamrelay.platform import tap as platform_tap
from streamrelay.protocol.summons import Summons
from streamrelay.protocol.tokens import Signer, TokenError, Verifier
from streamrelay.relay import tap as relay_tap
from tests.authority import Authority, self_signed
from tests.examples import STREAM
from tests.fakes.files import key_pair
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST
from tests.live.support.processes import faked
from tests.live.support.promise import promised
from tests.live.support.waiting import WAIT, until
from tests.program.test_options import Case


class Starts(Case):
    """What stands on the terminal when a program doesn't start."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority(self.where / "ca.pem")
        self.certificate, self.key = split_pair(self.authority.issue(self.where / "web.pem", "relay.example"))

    def told(self, pair: str) -> set[str]:
        """What relay, platform, agent and the agent's bus say of a pair that they are given."""
        listen = ("--listen", "tls:1", "--certificate", pair)
        platform = ("--relay", "wss://r", "--key", str(self.private), "--keys", str(self.keys))
        agent = ("--host", "h", "--platform-key", str(self.public))
        return {
            self.leaves(relay_tap, "--tokens", "opaque", *listen),
            self.leaves(platform_tap, *platform, *listen),
            self.leaves(agent_tap, *agent, "--certificate", pair),
            self.leaves(agent_tap, *agent, "--nats-certificate", pair),
        }

    def names(self, pair: str, place: str, *causes: str) -> None:
        """All programs say the same, with the file and the cause."""
        (line,) = self.told(pair)
        for words in (place, *causes):
            self.assertIn(words, line)

    def test_swapped(self) -> None:
        """Key and certificate in the wrong order."""
        causes = ("holds a private key and no certificate", "CERTIFICATE,KEY, in this order")
        self.names(f"{self.key},{self.certificate}", f"{self.key}: ", *causes)

    def test_other_pair(self) -> None:
        """The key of another certificate."""
        _, other = split_pair(self.authority.issue(self.where / "other.pem", "other.example"))
        self.names(f"{self.certificate},{other}", f"{other}: ", "is another certificate's", self.certificate)

    def test_no_key(self) -> None:
        """A certificate without a key, and one whose key's file isn't there."""
        self.names(self.certificate, f"{self.certificate}: ", "holds no private key", "CERTIFICATE,KEY")
        gone = f"{self.where}/gone.key"
        self.names(f"{self.certificate},{gone}", f"{gone}: ", "can't be read: No such file or directory")

    def test_open_key(self) -> None:
        """A key's file that others may read: the line is the remedy."""
        os.chmod(self.key, 0o644)
        self.names(f"{self.certificate},{self.key}", f"{self.key}: ", f"run: chmod 600 {self.key}")

    def test_issuer_first(self) -> None:
        """A chain in the wrong order."""
        path = Path(self.certificate)
        path.write_bytes((self.where / "ca.pem").read_bytes() + path.read_bytes())
        self.names(f"{self.certificate},{self.key}", f"{self.certificate}: ", "its first certificate", "number 2 here")

    def test_no_ca(self) -> None:
        """A CA's file that isn't there, or holds a key."""
        agent = ("--host", "h", "--platform-key", str(self.public))
        for ca, cause in ((f"{self.where}/gone.pem", "No such file"), (self.key, "no certificate in PEM form")):
            line = self.leaves(agent_tap, *agent, "--ca", ca)
            self.assertIn(ca, line)
            self.assertIn(cause, line)


class Keys(Case):
    """A platform's key that is another's."""

    def test_other_platform(self) -> None:
        """An agent, and a relay, with the public key of another platform name the setting."""
        other, _ = key_pair(self)
        signer = Signer.load(str(other))
        order: dict[str, Any] = {"stream": STREAM, "target": "log", "relay": "wss://r", "token": "t"}
        here: Summonses[str] = Summonses(Verifier.load([str(self.public)], "web-1"))
        summons = signer.mint("web-1", role="summons", **order).encode()
        refused = (
            self.assertRaises(ValueError, here.read, summons, "summons", Summons),
            self.assertRaises(
                TokenError,
                Verifier.load([str(self.public)], "relay").leg,
                signer.mint("relay", role="client", sub=STREAM),
                "client",
            ),
        )
        for error in refused:
            self.assertEqual(str(error), "signed by an unknown key (setting platform_key)")


class Shown(LiveTest):
    """A relay's certificate that doesn't hold good, which is put in place while it runs."""

    def setUp(self) -> None:
        super().setUp()
        self.started = self.chain(tls=True)
        self.target = self.listen().target
        self.path = self.folder / "relay.pem"

    def show(self, write: Callable[[], object]) -> None:
        """Let the relay have other files, until it shows what stands there."""
        write()
        self.started.relay.process.send_signal(signal.SIGHUP)
        until(lambda: self.chain_shown() == self.path.read_bytes(), what="the certificate")

    def chain_shown(self) -> bytes:
        """The certificates that the relay shows, as they stand in its file; none if a handshake took too long."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        shown = b""
        try:
            with socket.create_connection(("127.0.0.1", self.started.relay_port), WAIT) as plain:
                plain.setblocking(True)
                secure = SSL.Connection(context, plain)
                secure.set_connect_state()
                secure.do_handshake()
                for one in secure.get_peer_cert_chain(as_cryptography=True) or ():
                    shown += one.public_bytes(Encoding.PEM)
        except (OSError, SSL.Error):
            return b""
        return shown

    def blames(self, cause: str) -> None:
        """The API's answer, and so the native client's line, and the agent's log name cause and place."""
        answer = self.started.ask("POST", "/v1/streams", {"host": HOST, "target": self.target})
        self.assertEqual((answer.status, answer.json["code"]), (502, "dial_failed"), answer.text)
        self.started.agent.wait_for(cause)
        for line in (answer.json["detail"], self.started.agent.log):
            self.assertIn(cause, line)

    def test_faults(self) -> None:
        """Expired, not yet valid, for another name, of another CA, self-signed, without its intermediate: each in its
        words; the relay's log says that one has expired, and what the agent has said."""
        authority, relay = self.started.authority, self.started.relay
        names = ("localhost", "127.0.0.1")
        self.show(lambda: authority.issue(self.path, *names, days=-1))
        day = load_pem_x509_certificate(self.path.read_bytes()).not_valid_after_utc
        with promised("certificate expired"):
            self.blames(f"TLS: the certificate of localhost expired on {day:%Y-%m-%d}")
        relay.wait_for(f"the certificate of localhost in {self.path} expired on {day:%Y-%m-%d}")
        relay.wait_for("of 127.0.0.1: TLS: to the other end the certificate that it was shown has expired")
        self.show(lambda: authority.issue(self.path, *names, since=1))
        self.blames("TLS: the certificate of localhost isn't valid before ")
        self.show(lambda: authority.issue(self.path, "relay.example"))
        self.blames("TLS: the certificate is for another host: for relay.example, not for localhost")
        self.show(lambda: Authority(self.folder / "other.pem").issue(self.path, *names))
        self.blames("TLS: the certificate of localhost has an unknown issuer, streamrelay test CA")
        self.show(lambda: self_signed(self.path, *names))
        self.blames("TLS: the certificate of localhost is self-signed, and not in ca")
        self.show(lambda: Authority(self.folder / "between.pem", authority).issue(self.path, *names))
        self.blames("an intermediate may be missing")
        self.show(lambda: self.path.write_bytes(self.path.read_bytes() + (self.folder / "between.pem").read_bytes()))
        self.assertEqual(self.started.ask("POST", "/v1/streams", {"host": HOST, "target": self.target}).status, 201)
        self.path.write_bytes(self.path.with_suffix(".key").read_bytes())
        relay.process.send_signal(signal.SIGHUP)
        relay.wait_for(f"can't read the certificates again: {self.path}: holds a private key and no certificate")
        for program in (relay, self.started.agent):
            self.assertNotIn("Traceback", program.log)


class Clocks(LiveTest):
    """A host whose clock is wrong."""

    def test_host(self) -> None:
        """A minute and a second ahead: the host's log, the API and the native client say whose clock it is, and by how
        much."""
        started = self.chain(space=faked("FAKETIME=+61s"))
        target = self.listen().target
        began = time.monotonic()
        answer = started.ask("POST", "/v1/streams", {"host": HOST, "target": target})
        self.assertEqual((answer.status, answer.json["code"]), (502, "bad_summons"), answer.text)
        done = started.streamrelay("connect", HOST, target, given=b"")
        most = 61 + int(time.monotonic() - began) + 2
        words = r"this host's clock and the platform's differ by (\d+) s.*: this host's is ahead"
        for line in (answer.json["detail"], done.stderr.decode(), started.agent.log):
            self.assertRegex(line, words)
        self.assertIn(f"host {HOST}: this host's clock", done.stderr.decode())
        self.assertEqual(done.returncode, 5, done.stderr)
        told = [int(part.split()[0]) for part in started.agent.log.split("platform's differ by ")[1:]]
        self.assertTrue(all(60 <= seconds <= most for seconds in told), told)
