"""The bus as `streamrelay host` sets it up: what each of its users may do, by a real server, with the generated files.

The programs of the chain run on it, over TLS. Strangers here are users that hold a host's seed: the worst that a host
can do that was taken over.
"""

import base64
import json
import os
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import nkeys

from streamrelay.tokens import Signer, new_id
from tests.live.chain import (
    HOST,
    PROGRAMS,
    WAIT,
    Chain,
    LiveTest,
    Program,
    Work,
    answers,
    certificates,
    nats_command,
    run,
    take,
    timed,
    twistd,
    until,
)
from tests.test_credentials import CREDS

OTHER = "host-2"
INBOX = "_INBOX_platform"
SERVER = """\
listen: "127.0.0.1:{port}"
pid_file: "{folder}/nats.pid"
tls {{ cert_file: "{folder}/relay.pem", key_file: "{folder}/relay.key"{more} }}
include "nats-users.conf"
"""
PLATFORM = """\
relay = "{relay}"
nats = ["tls://localhost:{port}"]
nats_nkey = "{folder}/platform.nkey"
key = "{folder}/platform.key"
keys = "{folder}/keys.toml"
ca = "{folder}/ca.pem"
"""


class LockedChain(Chain):
    """A chain whose bus is set up by `streamrelay host add`, and whose agent starts with what that wrote."""

    def __init__(self, folder: Path, tls_more: str = "", own: str = "") -> None:
        self.tls_more, self.own = tls_more, own
        super().__init__(folder)

    def write_files(self) -> None:
        super().write_files()
        certificates(self.folder)
        values = {"relay": self.relay_url, "port": self.nats_port, "folder": self.folder, "more": self.tls_more}
        (self.folder / "platform.toml").write_text(PLATFORM.format(**values) + self.own)
        (self.folder / "nats-server.conf").write_text(SERVER.format(**values))
        for host in (HOST, OTHER):
            self.host("add", host, "--at", str(self.home(host)))

    def host(self, *arguments: str) -> str:
        """`streamrelay host`, in the platform's directory."""
        done = run(str(PROGRAMS / "streamrelay"), "host", *arguments, cwd=self.folder)
        if done.returncode:
            raise AssertionError(done.stderr)
        return str(done.stdout.decode())

    def home(self, host: str) -> Path:
        return self.folder / "hosts" / host

    def agent_file(self, host: str = HOST) -> Path:
        """An agent's settings as they were written, with a target."""
        path = self.home(host) / "agent.toml"
        if '[targets."port' not in path.read_text():
            target = '\n[targets."port/{number}"]\nkind = "tcp"\naddress = "127.0.0.1:{number}"\n'
            with path.open("a") as file:
                file.write(f'{self.own}{target}parts = {{ number = "[0-9]{{1,5}}" }}\n')
        return path

    def start_nats(self) -> None:
        server = nats_command(0)[0]
        self.nats = self.add("nats-server", server, "-c", str(self.folder / "nats-server.conf"))
        until(lambda: answers(self.nats_port), what="the bus")

    def start_agent(self, host: str = HOST) -> Program:
        self.agent = self.twistd(f"streamagent-{host}", "streamagent", f"--config={self.agent_file(host)}")
        return self.agent

    def start_platform(self) -> None:
        listen = f"--listen=tcp:{self.platform_port}:interface=127.0.0.1"
        config = f"--config={self.folder}/platform.toml"
        self.platform = self.twistd("streamplatform", "streamplatform", config, listen)

    def twistd(self, name: str, *arguments: str) -> Program:
        return self.add(name, *twistd(), *arguments)

    def reload(self) -> None:
        """Let the server read its files again, as the manual says."""
        reloaded = self.nats.log.count("Reloaded server configuration")
        command = (nats_command(0)[0], "--signal", f"reload={self.folder}/nats.pid")
        subprocess.run(command, check=True, capture_output=True, timeout=10)
        self.nats.wait_for("Reloaded server configuration", count=reloaded + 1)

    def seed(self, who: str) -> bytes:
        own = self.folder / f"{who}.nkey"
        return (own if own.exists() else self.home(who) / "host.nkey").read_bytes().strip()

    def user(self, who: str) -> "User":
        return User(self.nats_port, self.seed(who), self.folder / "ca.pem")


class User:
    """A raw connection to the server by somebody's seed; the server answers every command."""

    def __init__(self, port: int, seed: bytes, ca: Path) -> None:
        plain = socket.create_connection(("127.0.0.1", port), WAIT)
        about = b""
        while not about.endswith(b"\r\n"):
            about += plain.recv(1)
        pair = nkeys.from_seed(bytearray(seed))
        signature = base64.b64encode(pair.sign(json.loads(about.removeprefix(b"INFO "))["nonce"].encode()))
        context = ssl.create_default_context(cafile=str(ca))
        self.socket = context.wrap_socket(plain, server_hostname="localhost")
        self.lines = self.socket.makefile("rb")
        options = {"nkey": pair.public_key.decode(), "sig": signature.decode(), "verbose": True}
        self.welcome = self.say(f"CONNECT {json.dumps({**options, 'headers': True, 'no_responders': True})}")
        self.number = 0

    def say(self, command: str) -> str:
        self.socket.sendall(f"{command}\r\n".encode())
        return self.hear()

    def hear(self) -> str:
        """The next line of the server, but for what keeps the connection; empty at its end."""
        while line := self.lines.readline().decode():
            if line.startswith("PING"):
                self.socket.sendall(b"PONG\r\n")
            elif line.strip() and not line.startswith("INFO"):
                return line.strip()
        return ""

    def may_hear(self, subject: str) -> bool:
        self.number += 1
        return self._allowed(self.say(f"SUB {subject} {self.number}"), subject)

    def may_say(self, subject: str, text: str = "", reply: str = "") -> bool:
        return self._allowed(self.say(f"PUB {subject} {reply} {len(text)}\r\n{text}"), subject)

    def _allowed(self, answer: str, subject: str) -> bool:
        """Only the two answers that there are count as one."""
        if answer == "+OK":
            return True
        if answer.lower().startswith("-err 'permissions violation for"):
            return False
        raise AssertionError(f"{subject}: {answer!r}")

    def message(self) -> tuple[str, str, str]:
        """The next message: its subject, its reply subject and its text."""
        words = self.hear().split()
        assert words[0] == "MSG", words
        text = self.lines.read(int(words[-1]) + 2)[:-2].decode()
        return words[1], words[3] if len(words) == 5 else "", text

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


class Case(LiveTest):
    """A bus of two hosts."""

    def setUp(self) -> None:
        super().setUp()
        self.own = LockedChain(self.folder)
        self.addCleanup(self.own.stop)

    def user(self, who: str) -> User:
        user = self.own.user(who)
        self.addCleanup(user.close)
        self.assertEqual(user.welcome, "+OK", who)
        return user


class Permissions(Case):
    """What each user may do; no program of ours is there."""

    def setUp(self) -> None:
        super().setUp()
        self.own.start_nats()
        self.host, self.other, self.platform = self.user(HOST), self.user(OTHER), self.user("platform")

    def test_host_hears(self) -> None:
        """A host hears what is asked of it and of all, and nothing else: no wildcard, no other's, no answers."""
        own = [f"streamrelay.v1.host.{HOST}.{word}" for word in ("open", "end", "streams")]
        everybody = ["streamrelay.v1.hosts.targets", "streamrelay.v1.hosts.streams"]
        discovery = [f"$SRV.{verb}{whom}" for verb in ("PING", "INFO", "STATS") for whom in ("", ".streamagent")]
        for subject in [*own, *everybody, *discovery, f"$SRV.INFO.streamagent.{HOST}"]:
            self.assertTrue(self.host.may_hear(subject), subject)
        others = [
            *(">", "*", "*.>", "streamrelay.>", "streamrelay.v1.>", "streamrelay.v1.*.>", "streamrelay.v1.host.>"),
            *("streamrelay.v1.host.*.open", "streamrelay.v1.host.*.>", f"streamrelay.v1.host.{OTHER}.open"),
            *(f"streamrelay.v1.host.{OTHER}.end", f"streamrelay.v1.host.{OTHER}.streams", f"*.*.*.{OTHER}.open"),
            *(f"streamrelay.v1.host.{HOST}.*", f"streamrelay.v1.host.{HOST}.>", "streamrelay.v1.hosts.>"),
            *("streamrelay.v1.event.>", f"streamrelay.v1.event.{OTHER}.up", f"streamrelay.v1.event.{HOST}.up"),
            *("_INBOX.>", "_INBOX.*", f"{INBOX}.>", f"{INBOX}.*.{HOST}", f"{INBOX}.a.*", f"_INBOX_{HOST}.>"),
            *("$SRV.>", "$SRV.*", "$SRV.*.>", "$SRV.INFO.*", "$SRV.INFO.streamagent.*"),
            *(f"$SRV.INFO.streamagent.{OTHER}", "$SRV.INFO.streamagent.>", "$SYS.>", "$JS.>", "$SYS.REQ.USER.INFO"),
            *(f"{subject} group" for subject in (f"streamrelay.v1.host.{OTHER}.open", ">", f"{INBOX}.>")),
        ]
        self.assertEqual([subject for subject in others if self.host.may_hear(subject)], [])

    def test_host_says(self) -> None:
        """A host publishes its own events and answers under its own name, and nothing else: it can summon nobody."""
        for subject in (f"streamrelay.v1.event.{HOST}.up", f"{INBOX}.abc.{HOST}"):
            self.assertTrue(self.host.may_say(subject), subject)
        others = [
            *(f"streamrelay.v1.host.{host}.{word}" for host in (HOST, OTHER) for word in ("open", "end", "streams")),
            *(f"streamrelay.v1.event.{OTHER}.up", f"streamrelay.v1.event.{OTHER}.ended", "streamrelay.v1.event.up"),
            *(f"streamrelay.v1.event.{HOST}", f"streamrelay.v1.event.{HOST}.up.x", "streamrelay.v1.hosts.targets"),
            *(f"{INBOX}.abc", f"{INBOX}.abc.{OTHER}", f"{INBOX}.abc.def", f"{INBOX}.{HOST}", f"{INBOX}.a.b.{HOST}"),
            *("_INBOX.abc", "_INBOX_audit.abc", "$SRV.PING", "$SRV.INFO.streamagent", f"$SRV.PING.streamagent.{OTHER}"),
            *("$SYS.REQ.SERVER.PING", "$JS.API.INFO", "anything"),
        ]
        self.assertEqual([subject for subject in others if self.host.may_say(subject)], [])

    def test_answers(self) -> None:
        """A host answers what it was asked, once, there; never what another was asked, and hears no such answer."""
        question, inbox = f"streamrelay.v1.host.{HOST}.open", f"{INBOX}.mux.1"
        self.assertTrue(self.platform.may_hear(f"{INBOX}.mux.*"))
        self.assertTrue(self.host.may_hear(question))
        self.assertFalse(self.host.may_say(inbox, "early"))
        self.assertTrue(self.platform.may_say(question, "summons", inbox))
        self.assertEqual(self.host.message(), (question, inbox, "summons"))
        self.assertFalse(self.other.may_say(inbox, "another's"))
        self.assertTrue(self.host.may_say(inbox, "ready"))
        self.assertFalse(self.host.may_say(inbox, "again"))
        self.assertEqual(self.platform.message(), (inbox, "", "ready"))
        self.assertEqual(self.platform.say("PING"), "PONG")  # and nothing else has come

    def test_platform(self) -> None:
        """The platform asks hosts and hears answers; it hears no summons or event, and can't pose as a host."""
        asked = [f"streamrelay.v1.host.{OTHER}.open", f"streamrelay.v1.host.{OTHER}.end"]
        for subject in [*asked, "streamrelay.v1.hosts.targets", "streamrelay.v1.hosts.streams"]:
            self.assertTrue(self.platform.may_say(subject), subject)
        self.assertTrue(self.platform.may_hear(f"{INBOX}.a.*"))
        said = [f"streamrelay.v1.event.{HOST}.up", f"{INBOX}.a.{HOST}", "_INBOX.a", "$SRV.INFO", "x"]
        self.assertEqual([subject for subject in said if self.platform.may_say(subject)], [])
        heard = [*asked, ">", "streamrelay.>", "_INBOX.>", "_INBOX_audit.>", "streamrelay.v1.event.>", "$SRV.>"]
        self.assertEqual([subject for subject in heard if self.platform.may_hear(subject)], [])

    def test_audit(self) -> None:
        """Whoever collects events hears those of every host and asks who is there; it can summon and end nothing."""
        audit = self.user("audit")
        for subject in ("streamrelay.v1.event.*.*", f"streamrelay.v1.event.{HOST}.ended", "_INBOX_audit.a"):
            self.assertTrue(audit.may_hear(subject), subject)
        self.assertTrue(audit.may_say("$SRV.INFO.streamagent", "", "_INBOX_audit.b"))
        said = [f"streamrelay.v1.host.{HOST}.{word}" for word in ("open", "end", "streams")]
        said += [f"streamrelay.v1.event.{HOST}.up", f"{INBOX}.a.{HOST}", "streamrelay.v1.hosts.targets", "_INBOX.a"]
        self.assertEqual([subject for subject in said if audit.may_say(subject)], [])
        heard = [">", f"streamrelay.v1.host.{HOST}.open", f"{INBOX}.>", "_INBOX.>", "streamrelay.>"]
        self.assertEqual([subject for subject in heard if audit.may_hear(subject)], [])

    def test_strangers(self) -> None:
        """Nobody else gets in: no user, an unknown key, a known public key with another's signature."""
        seed = bytes(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER))
        stranger = User(self.own.nats_port, seed, self.folder / "ca.pem")
        self.addCleanup(stranger.close)
        self.assertIn("Authorization Violation", stranger.welcome)
        for options in ({}, {"user": "platform", "pass": ""}, {"nkey": self._public("platform"), "sig": "AAAA"}):
            self.assertIn("Authorization Violation", self._connect(options))

    def _public(self, who: str) -> str:
        return str(nkeys.from_seed(bytearray(self.own.seed(who))).public_key.decode())

    def _connect(self, options: dict[str, str]) -> str:
        with socket.create_connection(("127.0.0.1", self.own.nats_port), WAIT) as plain:
            while plain.recv(1) != b"\n":
                pass
            context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                secure.sendall(f"CONNECT {json.dumps(options)}\r\nPING\r\n".encode())
                return secure.makefile("rb").readline().decode()

    def test_removed(self) -> None:
        """A host that is removed is cut off as soon as the server has read its files again, and doesn't come back."""
        self.own.host("remove", HOST)
        self.own.reload()
        while said := self.host.hear():
            self.assertIn("-ERR", said)
        again = self.own.user(HOST)
        self.addCleanup(again.close)
        self.assertIn("Authorization Violation", again.welcome)
        self.assertEqual(self.other.say("PING"), "PONG")


class Whole(Case):
    """Relay, platform and both agents on the locked bus, over TLS."""

    def setUp(self) -> None:
        super().setUp()
        self.own.start_nats()
        self.own.start_relay()
        self.own.start_platform()
        self.agents = {host: self.own.start_agent(host) for host in (HOST, OTHER)}
        until(lambda: self.own.hosts() == [HOST, OTHER], what="both hosts")

    def test_works(self) -> None:
        """Hosts are listed and streams open, are listed and end; nobody is refused anything on the way."""
        listed = self.own.streamrelay("hosts", text=True).stdout
        self.assertEqual(listed, f"{HOST}\tport/{{number}}\ttcp\n{OTHER}\tport/{{number}}\ttcp\n")
        audit = self.user("audit")
        self.assertTrue(audit.may_hear(f"streamrelay.v1.event.{HOST}.*"))
        leg, target = self.stream(self.own)
        leg.send(b"to and")
        self.assertEqual(take(target, 6), b"to and")
        target.sendall(b"fro")
        self.assertEqual(leg.recv(5), b"fro")
        [stream] = self.own.ask("GET", "/v1/streams").json["streams"]
        self.assertEqual((stream["host"], stream["user"]), (HOST, "alice"))
        self.assertEqual(self.own.ask("DELETE", f"/v1/streams/{stream['stream']}").status, 204)
        self.assert_closed(leg, 4006)
        kinds = [audit.message()[0].rpartition(".")[2] for _ in range(2)]
        self.assertEqual(kinds, ["opened", "ended"])
        for program in (*self.agents.values(), self.own.platform):
            self.assertNotIn("refuses", program.log)
            self.assertNotIn("Traceback", program.log)
        self.assertNotIn("Violation", self.own.nats.log)

    def test_discovery(self) -> None:
        """Tools find agents by NATS' own discovery, through the user that may ask so."""
        audit = self.user("audit")
        self.assertTrue(audit.may_hear("_INBOX_audit.a"))
        self.assertTrue(audit.may_say("$SRV.INFO.streamagent", "", "_INBOX_audit.a"))
        found = {json.loads(audit.message()[2])["id"] for _ in range(2)}
        self.assertEqual(found, {HOST, OTHER})
        self.assertTrue(audit.may_say(f"$SRV.PING.streamagent.{OTHER}", "", "_INBOX_audit.a"))
        self.assertEqual(json.loads(audit.message()[2])["id"], OTHER)
        self.assertEqual(audit.say("PING"), "PONG")

    def test_imitation(self) -> None:
        """Whoever has a host's seed hears who asks, but can neither answer in another's name nor hush others."""
        thief = self.user(HOST)
        for subject in ("streamrelay.v1.hosts.targets", "streamrelay.v1.hosts.streams"):
            self.assertTrue(thief.may_hear(subject))
        self.agents[HOST].stop()
        lie = json.dumps([{"name": "trap", "kind": "tcp"}])
        hushed = False
        for _ in range(3):
            asking = self.ask_hosts()
            _, inbox, _ = thief.message()
            hushed |= thief.may_say(inbox)  # as the server says that nobody is there
            self.assertFalse(thief.may_say(f"{inbox}.{OTHER}", lie))
            self.assertTrue(thief.may_say(f"{inbox}.{HOST}", lie))
            hosts = {host["host"]: [target["name"] for target in host["targets"]] for host in asking.result()}
            self.assertEqual(hosts, {HOST: ["trap"], OTHER: ["port/{number}"]})
        self.assertTrue(hushed)

    def ask_hosts(self) -> Any:
        return Work(lambda: self.own.ask("GET", "/v1/hosts").json["hosts"])

    def test_lies_about_streams(self) -> None:
        """A host that claims a stream of another isn't believed."""
        thief = self.user(HOST)
        self.assertTrue(thief.may_hear("streamrelay.v1.hosts.streams"))
        self.agents[HOST].stop()

        def told(host: str) -> dict[str, Any]:
            return {"stream": new_id(), "host": host, "target": "x", "user": "u", "seconds": 1, "up": 0, "down": 0}

        asking = Work(lambda: self.own.ask("GET", "/v1/streams").json["streams"])
        _, inbox, _ = thief.message()
        self.assertTrue(thief.may_say(f"{inbox}.{HOST}", json.dumps([told(HOST), told(OTHER)])))
        self.assertEqual([stream["host"] for stream in asking.result()], [HOST])

    def test_stolen_seed(self) -> None:
        """A host's seed summons nobody, not even by the platform's own key; a summons to that host opens nothing."""
        thief, listener = self.user(HOST), self.listen()
        signer = Signer.load(str(self.folder / "platform.key"))
        about = {"role": "summons", "stream": new_id(), "target": listener.target, "relay": self.own.relay_url}
        for host in (HOST, OTHER):
            token = signer.mint("relay", role="agent", sub=about["stream"])
            summons = signer.mint(host, token=token, **about)
            self.assertFalse(thief.may_say(f"streamrelay.v1.host.{host}.open", summons))
        listener.socket.settimeout(0.5)
        self.assertRaises(TimeoutError, listener.accept)

    def test_removed(self) -> None:
        """A host that is removed is offline at once, and its agent says why; a new seed brings it back by itself."""
        self.own.host("remove", HOST)
        self.own.reload()
        with timed() as passed:
            until(lambda: self.own.hosts() == [OTHER], 5, "the list without the host")
            answer = self.own.ask("POST", "/v1/streams", {"host": HOST, "target": "port/1"})
        self.assertEqual((answer.status, answer.json["code"]), (503, "host_offline"))
        print(f"figure: a removed host is offline {passed():.2f} s after the reload")
        self.agents[HOST].wait_for("the bus refuses this user")
        self.own.host("add", HOST, "--hosts", str(self.folder / "new"))
        shutil.copy(self.folder / "new" / HOST / "host.nkey", self.own.home(HOST))
        self.own.reload()
        until(lambda: self.own.hosts() == [HOST, OTHER], WAIT, "the host with its new seed")
        self.assertEqual(self.agents[HOST].log.count("the bus refuses this user"), 1)

    def test_lost_credentials(self) -> None:
        """An agent whose seed has become unreadable says so, once, and comes back when it is mended."""
        seed = self.own.home(HOST) / "host.nkey"
        seed.chmod(0o644)
        self.own.nats.restart()
        until(lambda: self.own.hosts() == [OTHER], WAIT, "the other host alone")
        self.agents[HOST].wait_for(f"nothing is said to the bus: {seed}: others may read")
        self.assertEqual(self.agents[HOST].log.count("chmod 600"), 1)
        seed.chmod(0o600)
        until(lambda: self.own.hosts() == [HOST, OTHER], WAIT, "both hosts")


class Refusals(Case):
    """Programs that may not do what they must."""

    def test_wrong_name(self) -> None:
        """An agent that may not hear its summonses says so as an error, stands nowhere, and stands once it may."""
        self.own.start_nats()
        path = self.own.agent_file()
        path.write_text(path.read_text().replace(f'host = "{HOST}"', 'host = "host-9"'))
        agent = self.own.start_agent()
        agent.wait_for("the bus refuses: ")
        agent.wait_for("check this user's permissions")
        self.assertIn('"streamrelay.v1.host.host-9.open"', agent.log.split("the bus refuses: ")[1])
        self.assertNotIn("the bus stands", agent.log)
        users = self.folder / "nats-users.conf"
        users.write_text(users.read_text().replace(HOST, "host-9"))
        self.own.reload()
        agent.wait_for("the bus stands", 15)

    def test_wrong_platform(self) -> None:
        """A platform that may not hear answers says so, and requests are answered 503 at once."""
        self.own.start_nats()
        seed = self.folder / "platform.nkey"
        seed.write_bytes(self.own.seed(HOST))
        self.own.start_platform()
        self.own.platform.wait_for("the bus refuses: ")
        self.assertIn(f'subscription to "{INBOX}.'.lower(), self.own.platform.log.lower())
        with timed() as passed:
            answer = self.own.ask("POST", "/v1/streams", {"host": HOST, "target": "port/1"})
        self.assertEqual((answer.status, answer.json["code"]), (503, "bus_down"))
        self.assertLess(passed(), 1)

    def test_unknown(self) -> None:
        """An agent whose key the server doesn't know says so as an error, once."""
        self.own.host("remove", HOST)
        self.own.start_nats()
        agent = self.own.start_agent()
        agent.wait_for("the bus refuses this user: ")
        until(lambda: self.own.nats.log.count("Authorization") >= 2 or self.own.nats.log.count("authentication") >= 2)
        self.assertEqual(agent.log.count("the bus refuses"), 1)

    def test_untrusted(self) -> None:
        """A server whose certificate nobody vouches for hears nothing of an agent; nor does one at plain nats://."""
        path = self.own.agent_file()
        text = path.read_text()
        (self.folder / "else").mkdir()
        certificates(self.folder / "else")
        path.write_text(text.replace(str(self.own.home(HOST) / "ca.pem"), str(self.folder / "else" / "ca.pem")))
        self.own.start_nats()
        agent = self.own.start_agent()
        agent.wait_for("CERTIFICATE_VERIFY_FAILED")
        self.assertNotIn("the bus stands", agent.log)

    def test_plain_elsewhere(self) -> None:
        """A plain bus beyond this machine keeps agent and platform from starting, with one line and no password."""
        agent = self.own.agent_file()
        agent.write_text(agent.read_text().replace("tls://localhost", "nats://u:hidden@192.0.2.1"))
        platform = self.folder / "platform.toml"
        platform.write_text(platform.read_text().replace("tls://localhost", "nats://u:hidden@192.0.2.1"))
        for name, path in (("streamagent", agent), ("streamplatform", platform)):
            done = run(str(PROGRAMS / "twistd"), "-n", "--pidfile=", name, f"--config={path}", text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn("nats://192.0.2.1 is not encrypted", done.stderr)
            self.assertNotIn("hidden", done.stdout + done.stderr)
            self.assertNotIn("Traceback", done.stderr)


class Certificates(LiveTest):
    """A server that asks for a client's certificate, beside the NKEY."""

    def test_verify(self) -> None:
        """With `verify` a client without a certificate stays out, and the programs with one get in."""
        more = f', ca_file: "{self.folder}/ca.pem", verify: true'
        cert = f'nats_cert = "{self.folder}/relay.pem"\nnats_cert_key = "{self.folder}/relay.key"\n'
        own = LockedChain(self.folder, more, cert)
        self.addCleanup(own.stop)
        own.start()
        leg, target = self.stream(own)
        leg.send(b"through")
        self.assertEqual(take(target, 7), b"through")
        bare = own.agent_file(OTHER)
        bare.write_text(bare.read_text().replace(cert, ""))
        agent = own.start_agent(OTHER)
        agent.wait_for("the bus can't be reached")
        self.assertEqual(own.hosts(), [HOST])
        self.assertNotIn("the bus stands", agent.log)


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
        path = self.folder / "agent.creds"
        path.write_text(CREDS.format(jwt=token, seed=seed.decode()))
        path.chmod(0o600)

    def test_expired(self) -> None:
        """An agent whose JWT expires says so, once, and takes the next one from the same file by itself."""
        self.write(3)
        self.own.start_agent()
        agent = self.own.agent
        agent.wait_for("the bus stands")
        agent.wait_for("the bus refuses this user")
        (self.folder / "agent.creds").write_text("")  # as it may be seen while it is written
        agent.wait_for("nothing is said to the bus: ")
        self.write(60)
        agent.wait_for("the bus stands", WAIT, 2)
        self.assertNotIn("Traceback", agent.log)


def public(seed: bytes) -> str:
    return str(nkeys.from_seed(bytearray(seed)).public_key.decode())


def jwt_of(issuer: bytes, subject: bytes, nats: dict[str, Any], expires: int = 0) -> str:
    """A JWT as NATS has them: signed by an NKEY."""
    claims = {"jti": new_id(), "iat": int(time.time()), "iss": public(issuer), "sub": public(subject), "nats": nats}
    parts = [{"typ": "JWT", "alg": "ed25519-nkey"}, {**claims, **({"exp": expires} if expires else {})}]
    text = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    signature = nkeys.from_seed(bytearray(issuer)).sign(text.encode())
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


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
        platform = self.twistd("streamplatform", f"--config={self.folder}/platform.toml", "--listen=tcp:0", "--debug")
        for program in (agent, platform):
            program.wait_for("the bus refuses this user")
        conf.write_text(f'{where}authorization {{ user: "u", password: "{secret}" }}\n')
        nats.restart()
        for program in (agent, platform):
            program.wait_for("the bus stands: nats://…@127.0.0.1")
        nats.kill()
        for program in (agent, platform):
            program.wait_for("the bus can't be reached")
            self.assertNotIn(secret, program.log)
