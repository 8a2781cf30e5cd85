"""Relays on the bus that an operator drains by the platform: a real server with the permissions that `streamrelay relay
add` writes, over TLS."""

import http.client
import json
import ssl
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from streamrelay.protocol.tokens import Signer
from tests.documented import SUMMONS_LIFE
from tests.live.relay.test_many_relays import RELAYS, RelayCase
from tests.live.support.chain import HOST
from tests.live.support.waiting import WAIT, until


class Drained(RelayCase):
    """Relays that an operator drains by the platform."""

    def setUp(self) -> None:
        super().setUp()
        self.operator = {"STREAMRELAY_KEY": self.own.add_key("operator", drain=("fra-*",))}

    def drain(self, *words: str) -> Any:
        done = self.own.streamrelay("drain", "--json", *words, more=self.operator)
        self.assertEqual(done.returncode, 0, done.stderr)
        [relay] = json.loads(done.stdout)["relays"]
        return relay

    def test_drained(self) -> None:
        """From the answer on no stream goes by it, on its own state's word; what lives goes on, and one of which a leg
        waits there is met. It is taken back by the same command, and by its restart."""
        beside = self.stream_by("fra-1")
        listener, url = self.waiting("fra-1")
        relay = self.drain("fra-1")
        self.assertEqual((relay["relay"], relay["state"], relay["drained"]), ("fra-1", "draining", True))
        self.carries(self.websocket(url, ca=str(self.folder / "ca.pem")), listener.accept())  # in the token's time
        self.assertNotIn("fra-1", {self.own.opened_by("fra") for _ in range(20)})
        self.carries(*beside)
        self.assertEqual(self.health("fra-1"), 503)
        self.assertEqual(self.drain("--undo", "fra-1")["state"], "ready")
        self.assertEqual(self.health("fra-1"), 200)
        until(lambda: self.own.opened_by("fra") == "fra-1", what="the relay that was taken back")
        self.drain("fra-1")
        self.own.relays["fra-1"].kill()
        self.own.start_one("fra-1")
        until(lambda: "fra-1" in self.own.ready(), what="the relay that was started again")
        self.assertIn("relay fra-1 is drained, as operator wants it", self.own.platform.log)
        self.assertIn("drained, as operator wants it: no stream begins here, 1 stream", self.own.relays["fra-1"].log)
        self.assertNotIn("Violation", self.own.nats.log)

    def waiting(self, relay: str) -> tuple[Any, str]:
        """A stream whose client has yet to come: what listens as its target, and its URL."""
        while True:
            listener = self.listen()
            url = self.open(self.own, listener.target)
            if self.own.relay_of(url) == relay:
                return listener, url

    def health(self, relay: str) -> int:
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        connection = http.client.HTTPSConnection("localhost", self.own.ports[relay], timeout=WAIT, context=context)
        self.addCleanup(connection.close)
        connection.request("GET", "/health")
        return connection.getresponse().status

    def test_not_granted(self) -> None:
        """A key that may open everything drains nothing, nor does one for other relays; a platform without the word of
        an operator's key leaves all as they are."""
        done = self.own.streamrelay("drain", "fra-1")
        self.assertEqual((done.returncode, done.stderr), (4, b"streamrelay: fra-1: no grant to drain that relay\n"))
        done = self.own.streamrelay("drain", "nyc-1", more=self.operator)
        self.assertEqual(done.returncode, 4)
        listed = self.own.streamrelay("relays", more=self.operator)
        self.assertEqual([line.split(b"\t")[0] for line in listed.stdout.splitlines()], [b"fra-1", b"fra-2"])
        self.assertEqual(self.own.ready(), set(RELAYS))

    def good(self) -> str:
        """A request to drain fra-1 that is to be followed, for as long as there may be one."""
        return str(self.own.signer.mint("fra-1", SUMMONS_LIFE, role="drain", drain=True))

    def test_forged(self) -> None:
        """No user of the bus can have a relay drained: none may say so but the platform's, and what that says without
        the platform's key isn't followed, nor what was signed for another relay, nor a copy."""
        subject, signer = "streamrelay.v1.drain.fra-1", self.own.signer
        for who in (HOST, "fra-1", "fra-2", "audit"):
            self.assertFalse(self.user(who).may_say(subject, self.good()), who)
        for who in (HOST, "fra-2", "audit"):
            for heard in (subject, "streamrelay.v1.drain.*", "streamrelay.v1.drain.>"):
                self.assertFalse(self.user(who).may_hear(heard), (who, heard))
        thief = self.user("platform")
        stranger = Signer(Ed25519PrivateKey.generate(), signer.kid)
        for forged in (
            *("{}", json.dumps({"drain": True, "jti": "j" * 22, "exp": time.time() + SUMMONS_LIFE})),
            stranger.mint("fra-1", SUMMONS_LIFE, role="drain", drain=True),
            signer.mint("fra-2", SUMMONS_LIFE, role="drain", drain=True),
            signer.mint("fra-1", SUMMONS_LIFE, role="agent", drain=True, sub="s" * 22),
        ):
            self.assertTrue(thief.may_say(subject, forged))
        self.own.relays["fra-1"].wait_for("refused a request to drain", count=5)
        good = self.good()
        self.assertTrue(thief.may_say(subject, good))
        until(lambda: "fra-1" not in self.own.ready(), what="what is signed to be followed")
        self.drain("--undo", "fra-1")
        self.assertTrue(thief.may_say(subject, good))
        self.assertTrue(thief.may_say(subject, "{}"))
        self.own.relays["fra-1"].wait_for("refused a request to drain", count=6)  # behind the copy
        self.assertIn("fra-1", self.own.ready())

    def test_older_users(self) -> None:
        """Where the bus has users of before, nothing else changes: the relay is picked, and who drains it is told why
        it can't be."""
        users = self.folder / "nats-users.conf"
        users.write_text(users.read_text().replace("streamrelay.v1.drain.fra-1", "streamrelay.v1.before"))
        self.own.reload()
        with self.own.relays["fra-1"].saying("connected to NATS"):
            self.own.relays["fra-1"].restart()
        until(lambda: "fra-1" in self.own.ready(), what="the relay")
        done = self.own.streamrelay("drain", "fra-1", more=self.operator)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn(b"relay fra-1 doesn't listen", done.stderr)
