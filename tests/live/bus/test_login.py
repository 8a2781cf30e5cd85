"""Who logs in to the bus, and how: programs that are refused, certificates, JWTs, passwords."""

import os
import time

import nkeys

from streamrelay.protocol.tokens import new_id
from tests.authority import Authority
from tests.bus.test_credentials import CREDS
from tests.live.bus.secured_bus import INBOX, OTHER, WEBSOCKET, LockedChain, LockedTest, jwt_of, public
from tests.live.support.case import LiveTest
from tests.live.support.certificates import certificates
from tests.live.support.chain import HOST, Chain
from tests.live.support.nats import nats_command
from tests.live.support.pace import timed
from tests.live.support.ports import answers
from tests.live.support.processes import run_forked, twistd
from tests.live.support.sockets import take
from tests.live.support.waiting import WAIT, until

LIFE = 4
"""Seconds for which credentials are good that expire while an agent is connected."""


class Refusals(LockedTest):
    """Programs that may not do what they must."""

    def test_wrong_name(self) -> None:
        """An agent that may not hear its summonses says so as an error, stands nowhere, and stands once it may."""
        self.own.start_nats()
        path = self.own.agent_file()
        path.write_text(path.read_text().replace(f'host = "{HOST}"', 'host = "host-9"'))
        agent = self.own.start_agent()
        agent.wait_for("NATS refused a permission at tls://localhost:")
        agent.wait_for("check this user's permissions")
        self.assertIn('"streamrelay.v1.host.host-9.open"', agent.log.split("NATS refused a permission at ")[1])
        self.assertNotIn("connected to NATS", agent.log)
        users = self.folder / "nats-users.conf"
        users.write_text(users.read_text().replace(HOST, "host-9"))
        self.own.reload()
        agent.wait_for("connected to NATS")

    def test_wrong_platform(self) -> None:
        """A platform that may not hear answers says so, and requests are answered 503 at once."""
        self.own.start_nats()
        seed = self.folder / "platform.nkey"
        seed.write_bytes(self.own.seed(HOST))
        self.own.start_platform()
        self.own.platform.wait_for("NATS refused a permission at ")
        self.assertIn(f'subscription to "{INBOX}.'.lower(), self.own.platform.log.lower())
        with timed() as passed:
            answer = self.own.ask("POST", "/v1/streams", {"host": HOST, "target": "port/1"})
        self.assertEqual((answer.status, answer.json["code"]), (503, "bus_down"))
        self.assertLess(passed.fair, 5)  # an answer would be waited for for 10 s

    def test_unknown(self) -> None:
        """An agent whose key the server doesn't know says so as an error, once."""
        self.own.host("remove", HOST)
        self.own.start_nats()
        agent = self.own.start_agent()
        agent.wait_for("NATS refused this user at ")
        until(lambda: self.own.nats.log.count("Authorization") >= 2 or self.own.nats.log.count("authentication") >= 2)
        self.assertEqual(agent.log.count("NATS refused"), 1)

    def test_untrusted(self) -> None:
        """A server whose certificate nobody vouches for hears nothing of an agent; nor does one at plain nats://."""
        path = self.own.agent_file()
        text = path.read_text()
        (self.folder / "else").mkdir()
        certificates(self.folder / "else")
        path.write_text(text.replace(str(self.own.home(HOST) / "ca.pem"), str(self.folder / "else" / "ca.pem")))
        self.own.start_nats()
        agent = self.own.start_agent()
        agent.wait_for("an unknown issuer")
        self.assertNotIn("connected to NATS", agent.log)

    def test_plain_elsewhere(self) -> None:
        """A plain bus beyond this machine keeps agent and platform from starting, with one line and no password."""
        agent = self.own.agent_file()
        agent.write_text(agent.read_text().replace("tls://localhost", "nats://u:hidden@192.0.2.1"))
        platform = self.folder / "platform.toml"
        platform.write_text(platform.read_text().replace("tls://localhost", "nats://u:hidden@192.0.2.1"))
        for name, path in (("streamagent", agent), ("streamplatform", platform)):
            done = run_forked(*twistd(), name, f"--config={path}", folder=self.folder)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"nats://192.0.2.1 is not encrypted", done.stderr)
            self.assertNotIn(b"hidden", done.stdout + done.stderr)
            self.assertNotIn(b"Traceback", done.stderr)


class Certificates(LiveTest):
    """A server that asks for a client's certificate, beside the NKEY."""

    def test_verify(self) -> None:
        """With `verify` a client without a certificate stays out, and the programs with one get in."""
        more = f', ca_file: "{self.folder}/ca.pem", verify: true'
        cert = f'nats_certificate = "{self.folder}/relay.pem,{self.folder}/relay.key"\n'
        own = self.start_chain(LockedChain(self.folder, more, cert))
        leg, target = self.stream(own)
        leg.send(b"through")
        self.assertEqual(take(target, 7), b"through")
        bare = own.agent_file(OTHER)
        bare.write_text(bare.read_text().replace(cert, ""))
        agent = own.start_agent(OTHER)
        # By TLS 1.3 the server's reason may come after the handshake, and be overtaken by the end of the connection.
        words = ("wants a certificate of this program; check nats_certificate", "can't connect to NATS")
        until(lambda: any(each in agent.log for each in words), what="why the agent is left out")
        self.assertEqual(own.hosts(), [HOST])
        self.assertNotIn("connected to NATS", agent.log)

    def test_handshake_first(self) -> None:
        """A server that begins with TLS: programs with `nats_handshake_first` get in, one without names it."""
        first = "nats_handshake_first = true\n"
        own = LockedChain(self.folder, ", handshake_first: true", first)
        own.own = ""  # `host add` has written it into the agents' files, too
        self.addCleanup(own.stop)
        own.start()
        first_agent = own.agent
        leg, target = self.stream(own)
        leg.send(b"through")
        self.assertEqual(take(target, 7), b"through")
        for program in (own.agent, own.platform):
            program.wait_for(f"connected to NATS at tls://localhost:{own.nats_port}")
        bare = own.agent_file(OTHER)
        bare.write_text(bare.read_text().replace(first, ""))
        agent = own.start_agent(OTHER)
        agent.wait_for(f"can't connect to NATS at tls://localhost:{own.nats_port}: what listens there isn't NATS; ")
        agent.wait_for("if it begins with TLS (handshake_first), set nats_handshake_first; trying again")
        self.assertEqual(own.hosts(), [HOST])
        own.nats.restart()
        first_agent.wait_for("connected to NATS", count=2)
        for program in (first_agent, own.platform, agent):
            self.assertNotIn("eof_received", program.log)


class WebsocketChain(LockedChain):
    """A chain whose bus has a port for websockets, with TLS, and hosts that were enrolled for that."""

    server, scheme = WEBSOCKET, "wss"


class Websockets(LiveTest):
    """``wss://``"""

    def test_stream(self) -> None:
        """NATS by websocket: programs log in by their NKEYs, a stream works, and a new server is found again; who knows
        another CA says which one is wrong."""
        own = self.start_chain(WebsocketChain(self.folder))
        first, url = own.agent, f"wss://localhost:{own.nats_port}"
        for count in (1, 2):
            leg, target = self.stream(own)
            leg.send(b"through")
            self.assertEqual(take(target, 7), b"through")
            for program in (first, own.platform):
                program.wait_for(f"connected to NATS at {url}", count=count)
            if count == 1:
                own.nats.restart()
                first.wait_for(f"lost the connection to NATS at {url}")
                first.wait_for("connected to NATS", count=2)
                until(own.hosts, what="the platform")
        trust = own.home(OTHER) / "ca.pem"
        Authority(trust)
        own.start_agent(OTHER).wait_for(f"can't connect to NATS at {url}: TLS: ")
        for program in (first, own.platform):
            self.assertNotIn("Traceback", program.log)


class CredentialsFiles(LiveTest):
    """A bus with accounts, whose users show a JWT; as NATS' `nsc` sets it up."""

    def setUp(self) -> None:
        super().setUp()
        self.operator, self.account = (
            nkeys.encode_seed(os.urandom(32), kind) for kind in (nkeys.PREFIX_BYTE_OPERATOR, nkeys.PREFIX_BYTE_ACCOUNT)
        )
        operator = jwt_of(self.operator, self.operator, {"type": "operator", "version": 2})
        limits = {"subs": -1, "conn": -1, "leaf": -1, "imports": -1, "exports": -1, "data": -1, "payload": -1}
        account = jwt_of(
            self.operator, self.account, {"type": "account", "version": 2, "limits": {**limits, "wildcards": True}}
        )
        self.own = Chain(self.folder, agent=f'nats_creds = "{self.folder}/agent.creds"\n')
        self.addCleanup(self.own.stop)
        (self.folder / "nats.conf").write_text(
            f'listen: "127.0.0.1:{self.own.nats_port}"\noperator: "{operator}"\nresolver: MEMORY\n'
            f'resolver_preload: {{ {public(self.account)}: "{account}" }}\n'
        )
        self.program("nats-server", nats_command(0)[0], "-c", str(self.folder / "nats.conf"))
        until(lambda: answers(self.own.nats_port), what="the bus")

    def write(self, life: float) -> None:
        """New credentials of the agent, good for so many seconds."""
        seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
        nats = {"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1}
        token = jwt_of(self.account, seed, nats, int(time.time() + life))
        path = self.folder / "agent.creds.new"
        path.write_text(CREDS.format(jwt=token, seed=seed.decode()))
        path.chmod(0o600)
        path.replace(self.folder / "agent.creds")  # at once: the agent may read them at any time

    def test_expired(self) -> None:
        """An agent whose JWT expires says so, once, and takes the next one from the same file by itself."""
        self.write(LIFE)
        agent = self.own.start_agent()

        def connected() -> bool:
            """Whether it is, by credentials that are good from about now on, however long it takes to start."""
            self.write(LIFE)
            return "connected to NATS" in agent.log

        until(connected, what="the agent's first connection")
        agent.wait_for("NATS refused this user", LIFE + WAIT)
        (self.folder / "agent.creds").write_text("")  # as it may be seen while it is written
        agent.wait_for("not logging in to NATS at ")
        self.write(60)
        agent.wait_for("connected to NATS", WAIT, 2)
        self.assertNotIn("Traceback", agent.log)


class Passwords(LiveTest):
    """A password in a bus' URL."""

    def test_not_logged(self) -> None:
        """It appears in no log: not when the bus refuses it, takes it, or is lost."""
        own = Chain(self.folder)
        self.addCleanup(own.stop)
        secret = new_id()
        conf = self.folder / "nats.conf"
        where = f'listen: "127.0.0.1:{own.nats_port}"\n'
        conf.write_text(f'{where}authorization {{ user: "u", password: "other" }}\n')
        own.nats_url = f"nats://u:{secret}@127.0.0.1:{own.nats_port}"
        own.write_agent("")
        (self.folder / "platform.toml").write_text(
            f'relay = "{own.relay_url}"\nnats = ["{own.nats_url}"]\nkey = "{self.folder}/platform.key"\n'
            f'keys = "{own.keys}"\n'
        )
        nats = self.program("nats-server", nats_command(0)[0], "-c", str(conf))
        agent = self.twistd("streamagent", f"--config={self.folder}/agent.toml", "--debug")
        platform = self.twistd(
            "streamplatform", f"--config={self.folder}/platform.toml", "--listen=tcp:0:interface=127.0.0.1", "--debug"
        )
        for program in (agent, platform):
            program.wait_for("NATS refused this user")
        conf.write_text(f'{where}authorization {{ user: "u", password: "{secret}" }}\n')
        nats.restart()
        for program in (agent, platform):
            program.wait_for("connected to NATS at nats://…@127.0.0.1")
        nats.kill()
        for program in (agent, platform):
            program.wait_for("can't connect to NATS")
            self.assertNotIn(secret, program.log)
