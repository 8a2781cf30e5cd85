"""Hosts that are named by their domain names, beside others whose names are alike, on a real server as it is set up."""

import json

from streamrelay.platform.auth.grants import Grant
from tests.live.bus.secured_bus import INBOX, LockedChain, User
from tests.live.support.case import LiveTest
from tests.live.support.ports import answers
from tests.live.support.sockets import take
from tests.live.support.waiting import WAIT, Work, until

NAMED = "a.b.example"
PART = "a:b:example"
ALIKE = ("a", "a_b_example", "A.b.example")
LONGEST = ".".join(["x" * 62] * 4) + ".y"


class NamedChain(LockedChain):
    """Hosts whose names differ by dots and case."""

    enrolled = (NAMED, *ALIKE, LONGEST)


class DomainNames(LiveTest):
    """The whole chain, over TLS."""

    def setUp(self) -> None:
        super().setUp()
        self.own = NamedChain(self.folder)
        self.addCleanup(self.own.stop)
        self.own.start_nats()

    def user(self, who: str) -> User:
        user = self.own.user(who)
        self.addCleanup(user.close)
        self.assertEqual(user.welcome, "+OK", who)
        return user

    def test_whole(self) -> None:
        """Such a host is listed, opened by the API and the native client, seen, ended and told of under its name."""
        self.own.start_relay()
        self.own.start_platform()
        agents = [self.own.start_agent(host) for host in (NAMED, "a", LONGEST)]
        until(lambda: self.own.hosts() == ["a", NAMED, LONGEST], what="the hosts")
        until(lambda: answers(self.own.relay_port), what="the relay")
        audit = self.user("audit")
        for subject in (f"streamrelay.v1.event.{PART}.*", "_INBOX_audit.a"):
            self.assertTrue(audit.may_hear(subject))
        listener = self.listen()
        key = self.own.add_key("carol", Grant("*.example", "port/*"))
        until(lambda: self.own.ask("GET", "/v1/hosts", key=key).status == 200, what="the new key")
        self.assertEqual([host["host"] for host in self.own.ask("GET", "/v1/hosts", key=key).json["hosts"]], [NAMED])
        answer = self.own.ask("POST", "/v1/streams", {"host": NAMED, "target": listener.target}, key)
        leg = self.websocket(answer.json["url"], ca=str(self.folder / "ca.pem"))
        target = listener.accept()
        leg.send(b"to and")
        self.assertEqual(take(target, 6), b"to and")
        [stream] = self.own.streams()
        self.assertEqual((stream["host"], stream["user"]), (NAMED, "carol"))
        self.own.end(stream["stream"])
        self.assert_closed(leg, 4006)
        told = audit.events("opened", "ended")
        self.assertEqual(told, [f"streamrelay.v1.event.{PART}.{kind}" for kind in ("opened", "ended")])
        self.assertTrue(audit.may_say(f"$SRV.INFO.streamagent.{PART}", "", "_INBOX_audit.a"))
        while (message := audit.message())[0] != "_INBOX_audit.a":
            pass
        self.assertEqual(json.loads(message[2])["metadata"]["host"], NAMED)
        self.connect(LONGEST)
        self.connect(NAMED)
        for host, status in ((ALIKE[1], 503), (f"{NAMED}.", 404), (PART, 404), ("A.b.example", 503)):
            answer = self.own.ask("POST", "/v1/streams", {"host": host, "target": listener.target})
            self.assertEqual(answer.status, status, host)
        for program in (*agents, self.own.platform):
            self.assertNotIn("Traceback", program.log)
            self.assertNotIn("refused a permission", program.log)
        self.assertNotIn("Violation", self.own.nats.log)

    def connect(self, host: str) -> None:
        """The native client brings both directions to a host's target."""
        listener = self.listen()

        def serve() -> bytes:
            with listener.accept() as target:
                got = take(target, 2)
                target.sendall(b"fro")
                return got

        serving = Work(serve)
        more = {"STREAMRELAY_CA": str(self.folder / "ca.pem")}
        done = self.own.streamrelay("connect", host, listener.target, given=b"to", more=more, seconds=WAIT)
        self.assertEqual((done.returncode, done.stdout), (0, b"fro"), done.stderr)
        self.assertEqual(serving.result(), b"to")

    def test_alike(self) -> None:
        """A host can neither hear, answer nor speak for another one whose name is alike but for dots, ends and case."""
        users = {host: self.user(host) for host in (NAMED, *ALIKE)}
        parts = {host: host.replace(".", ":") for host in users}
        for host, user in users.items():
            for other, part in parts.items():
                same = other == host
                for word in ("open", "end", "streams"):
                    self.assertEqual(user.may_hear(f"streamrelay.v1.host.{part}.{word}"), same, (host, part))
                    self.assertFalse(user.may_say(f"streamrelay.v1.host.{part}.{word}"))
                self.assertEqual(user.may_hear(f"$SRV.PING.streamagent.{part}"), same, (host, part))
                self.assertEqual(user.may_say(f"{INBOX}.x.{part}"), same, (host, part))
                self.assertEqual(user.may_say(f"streamrelay.v1.event.{part}.up"), same, (host, part))
            dotted = ("a.b.example", "a.b", "a.*", "a.>", "a:b", "b:example", "a:b:example:", "*")
            for part in dotted:
                self.assertFalse(user.may_hear(f"streamrelay.v1.host.{part}.open"), (host, part))
                self.assertFalse(user.may_say(f"{INBOX}.x.{part.replace('*', 'y').replace('>', 'y')}"), (host, part))
