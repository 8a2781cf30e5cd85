"""The bus as `streamrelay host` sets it up: what each of its users may do, by a real server, with the generated files.

The programs of the chain run on it, over TLS. Strangers here are users that hold a host's seed: the worst that a host
can do that was taken over.
"""

import json
import os
import shutil
import socket
import ssl
import threading
import time
from typing import Any

import nkeys

from streamrelay.platform.fleet.lookout import KNOCK_EACH
from streamrelay.protocol.tokens import Signer, new_id
from tests.fakes.bus import HOST_QUESTION
from tests.live.bus.secured_bus import INBOX, OTHER, LockedTest, User
from tests.live.support.chain import HOST
from tests.live.support.pace import timed
from tests.live.support.ports import answers
from tests.live.support.sockets import take
from tests.live.support.waiting import WAIT, Work, until


class Permissions(LockedTest):
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

    def test_left(self) -> None:
        """The platform is told by the server who has left it; nobody else is, and nobody can say so in its place."""
        left = "$SYS.ACCOUNT.*.DISCONNECT"
        self.assertTrue(self.platform.may_hear(left))
        for user in (self.host, self.other):
            self.assertFalse(user.may_hear(left))
            self.assertFalse(user.may_say("$SYS.ACCOUNT.STREAMRELAY.DISCONNECT", "{}"))
        self.other.close()
        subject, _, text = self.platform.message()
        self.assertEqual(subject, "$SYS.ACCOUNT.STREAMRELAY.DISCONNECT")
        self.assertEqual(json.loads(text)["client"]["acc"], "STREAMRELAY")

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


class Whole(LockedTest):
    """Relay, platform and both agents on the locked bus, over TLS."""

    def setUp(self) -> None:
        super().setUp()
        self.own.start_nats()
        self.own.start_relay()
        self.own.start_platform()
        self.agents = {host: self.own.start_agent(host) for host in (HOST, OTHER)}
        until(lambda: self.own.hosts() == [HOST, OTHER], what="both hosts")
        until(lambda: answers(self.own.relay_port), what="the relay")

    def test_works(self) -> None:
        """Hosts are listed and streams open, are listed and end; nobody is refused anything on the way."""
        listed = self.own.streamrelay("hosts").stdout.decode()
        self.assertEqual(listed, f"{HOST}\tport/{{number}}\ttcp\n{OTHER}\tport/{{number}}\ttcp\n")
        audit = self.user("audit")
        self.assertTrue(audit.may_hear(f"streamrelay.v1.event.{HOST}.*"))
        leg, target = self.stream(self.own)
        leg.send(b"to and")
        self.assertEqual(take(target, 6), b"to and")
        target.sendall(b"fro")
        self.assertEqual(leg.recv(WAIT), b"fro")
        [stream] = self.own.streams()
        self.assertEqual((stream["host"], stream["user"]), (HOST, "alice"))
        self.own.end(stream["stream"])
        self.assert_closed(leg, 4006)
        event = f"streamrelay.v1.event.{HOST}"
        self.assertEqual(audit.events("opened", "ended"), [f"{event}.opened", f"{event}.ended"])
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
        """Whoever has a host's seed hears who asks, but can neither speak in another's name nor hush others."""
        thief = self.user(HOST)
        asked = ("streamrelay.v1.hosts.targets", "streamrelay.v1.hosts.streams", f"streamrelay.v1.host.{HOST}.end")
        for subject in asked:
            self.assertTrue(thief.may_hear(subject))
        self.agents[HOST].stop()
        self.own.platform.stop()
        thief.catch_up()  # what that one has asked is answered to nobody
        self.own.start_platform()
        lie = json.dumps([{"name": "trap", "kind": "tcp"}])
        inbox = thief.asked(HOST_QUESTION)
        thief.may_say(inbox)  # as the server says that nobody is there
        self.assertFalse(thief.may_say(f"{inbox}.{OTHER}", lie))
        self.assertTrue(thief.may_say(f"{inbox}.{HOST}", lie))
        for kind in ("up", "down"):
            self.assertFalse(thief.may_say(f"streamrelay.v1.event.{OTHER}.{kind}", "{}"))
        self.assertFalse(thief.may_say("$SYS.ACCOUNT.A.DISCONNECT", "{}"))
        expected = {HOST: ["trap"], OTHER: ["port/{number}"]}
        until(lambda: self.hosts() == expected, what="the hosts as each tells of itself")
        time.sleep(2 * KNOCK_EACH)  # in which each is knocked at
        self.assertEqual(self.hosts(), expected)

    def hosts(self) -> dict[str, list[str]]:
        hosts = self.own.ask("GET", "/v1/hosts").json.get("hosts", [])
        return {host["host"]: [target["name"] for target in host["targets"]] for host in hosts}

    def test_lies_about_streams(self) -> None:
        """A host that claims a stream of another isn't believed."""
        thief = self.user(HOST)
        self.assertTrue(thief.may_hear("streamrelay.v1.hosts.streams"))
        self.agents[HOST].stop()

        def told(host: str) -> dict[str, Any]:
            return {"stream": new_id(), "host": host, "target": "x", "user": "u", "seconds": 1, "up": 0, "down": 0}

        def lie() -> None:
            """To each question, as one of the answers may come too late."""
            while not heard.is_set():
                inbox = thief.message()[1]
                thief.may_say(f"{inbox}.{HOST}", json.dumps([told(HOST), told(OTHER)]))

        heard = threading.Event()
        lying = Work(lie)
        streams = until(self.own.streams, what="the streams")
        heard.set()
        until(lambda: self.own.streams() and not lying.is_alive(), what="the last question")
        lying.result()
        self.assertEqual([stream["host"] for stream in streams], [HOST])

    def test_stolen_seed(self) -> None:
        """A host's seed summons nobody, not even by the platform's own key; a summons to that host opens nothing."""
        thief, listener = self.user(HOST), self.listen()
        signer = Signer.load(str(self.folder / "platform.key"))
        about: dict[str, Any] = {
            "role": "summons",
            "stream": new_id(),
            "target": listener.target,
            "relay": self.own.relay_url,
        }
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
            until(lambda: self.own.hosts() == [OTHER], what="the list without the host")
            answer = self.own.ask("POST", "/v1/streams", {"host": HOST, "target": "port/1"})
        self.assertEqual((answer.status, answer.json["code"]), (503, "host_offline"))
        print(f"figure: a removed host is offline {passed():.2f} s after the reload")
        self.agents[HOST].wait_for("NATS refused this user")
        self.own.host("add", HOST, "--hosts", str(self.folder / "new"))
        shutil.copy(self.folder / "new" / HOST / "host.nkey", self.own.home(HOST))
        self.own.reload()
        until(lambda: self.own.hosts() == [HOST, OTHER], WAIT, "the host with its new seed")
        self.assertEqual(self.agents[HOST].log.count("NATS refused this user"), 1)

    def test_lost_credentials(self) -> None:
        """An agent whose seed has become unreadable says so, once, and comes back when it is mended."""
        seed = self.own.home(HOST) / "host.nkey"
        seed.chmod(0o644)
        self.own.nats.restart()
        until(lambda: self.own.hosts() == [OTHER], WAIT, "the other host alone")
        self.agents[HOST].wait_for(f": {seed}: others may read")
        self.assertEqual(self.agents[HOST].log.count("chmod 600"), 1)
        seed.chmod(0o600)
        until(lambda: self.own.hosts() == [HOST, OTHER], WAIT, "both hosts")
