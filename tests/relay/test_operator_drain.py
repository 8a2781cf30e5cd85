"""operator_drain.py: a relay that an operator drains by the platform."""

import time
from functools import partial
from typing import Any

from streamrelay.bus.message import Message
from streamrelay.protocol import codec
from streamrelay.protocol.requests import MEMORY
from streamrelay.protocol.subjects import drain_subject
from streamrelay.protocol.summons import Answer
from streamrelay.protocol.tokens import Signer, new_id
from tests.examples import STREAM
from tests.fakes.files import key_pair
from tests.fakes.logs import Heard
from tests.relay.test_presence import Case as PresenceCase

OTHER = "w" * 22


class Case(PresenceCase):
    """A relay on the bus, and who asks it for something there."""

    def asked(self, drain: object = True, **more: Any) -> bytes:
        """A request as the platform signs it."""
        about = {"life": 5, "role": "drain", "user": "alice", **more}
        return self.signer.mint(about.pop("aud", "fra.1"), drain=drain, **about).encode()

    def ask(self, data: bytes, reply: str = "_INBOX.a") -> Answer | None:
        """What a request is answered; the states that it made the relay tell are left to `told`."""
        subject, before = "streamrelay.v1.drain.fra:1", len(self.bus.published)
        self.assertEqual(drain_subject("fra.1"), subject)
        self.bus.listeners[subject](Message(data, reply, subject))
        answers = [told for where, told in self.bus.published[before:] if where == reply]
        self.bus.published = [told for told in self.bus.published if told[0] != reply]
        return codec.decode(answers[0], Answer) if answers else None

    def admits(self, role: str, stream: str) -> int:
        """HTTP's status of one more leg; 101 if it is let in."""
        return self.status(role, self.signer.mint("fra.1", role=role, sub=stream))

    @property
    def state(self) -> tuple[str, bool]:
        return self.presence.state.state, self.presence.state.drained


class Drained(Case):
    """A relay that is asked to drain."""

    def test_drained(self) -> None:
        """It says at once that it drains, by whom in its log, and lets in no leg of a stream that it doesn't know; live
        streams go on, and one of which a leg waits gets its other one."""
        heard = Heard(self)
        legs = self.leg("client"), self.leg("agent")
        self.leg("agent", OTHER)
        self.bus.published.clear()
        self.assertEqual(self.ask(self.asked()), Answer(ready=True))
        [told] = self.told()
        self.assertEqual((told.state, told.drained, told.streams), ("draining", True, 1))
        self.assertIn("drained, as alice wants it: no stream begins here, 1 stream still running", heard.lines[0])
        self.assertEqual(self.admits("client", "n" * 22), 503)
        self.assertEqual(self.admits("agent", "n" * 22), 503)
        self.assertEqual(self.admits("client", OTHER), 101)
        for leg in legs:
            leg.frames()
        legs[0].send(b"up")
        self.assertEqual(legs[1].frames(), [(2, b"up")])
        self.assertEqual(self.readiness.reason, "drained, as alice wants it")

    def test_undone(self) -> None:
        """Once it is taken back streams begin there again; to ask twice changes nothing, and both are said once."""
        heard = Heard(self)
        for drain in (True, True, False, False):
            self.assertEqual(self.ask(self.asked(drain)), Answer(ready=True))
            self.assertEqual(self.state, ("draining", True) if drain else ("ready", False))
        self.assertEqual([state.state for state in self.told()], ["draining", "ready"])
        self.assertEqual(len(heard.lines), 2)
        self.assertEqual(self.admits("client", STREAM), 101)
        self.assertTrue(self.readiness.is_ready)

    def test_copy(self) -> None:
        """A copy of what was asked gets the first one's answer and changes nothing, as long as it could be valid."""
        drain = self.asked()
        self.ask(drain)
        self.ask(self.asked(False))
        self.assertEqual(self.ask(drain), Answer(ready=True))
        self.assertEqual(self.state, ("ready", False))
        self.clock.advance(MEMORY)
        self.assertEqual(self.presence.operator_drain._followed, {})

    def test_full(self) -> None:
        """One that is full is drained all the same, and is what it was once that is undone."""
        self.begin(max_connections=2)
        self.leg("agent")
        self.clock.advance(2)
        self.assertEqual(self.state, ("full", False))
        self.ask(self.asked())
        self.assertEqual(self.state, ("draining", True))
        self.ask(self.asked(False))
        self.assertEqual(self.state, ("full", False))

    def test_stops(self) -> None:
        """One that stops can neither be drained nor taken back, and isn't told to be one that can."""
        self.ask(self.asked())
        self.readiness.drain("stopping")
        self.assertEqual(self.state, ("draining", False))
        for drain in (True, False):
            answer = self.ask(self.asked(drain))
            assert answer is not None
            self.assertEqual((answer.refused, answer.reason), ("relay_busy", STOPS))
        self.assertFalse(self.readiness.is_ready)

    def test_unasked(self) -> None:
        """A request that wants no answer is followed, and answers go to inboxes alone."""
        for reply in ("", "streamrelay.v1.relay.fra-2.state"):
            self.assertIsNone(self.ask(self.asked(), reply))
        self.assertEqual(self.state, ("draining", True))

    def test_old_permissions(self) -> None:
        """Where the bus doesn't let the relay hear it, as with users of before, the relay works as before."""
        self.assertNotIn("streamrelay.v1.drain.fra:1", self.bus.needed)


STOPS = "relay fra.1 stops; started again it takes streams"


class Forged(Case):
    """What isn't of this relay's platform, for this relay, now."""

    def test_forged(self) -> None:
        """Whatever is wrong with a request, it changes nothing, and who sent it isn't told what; the log is."""
        heard = Heard(self)
        stranger = Signer.load(str(key_pair(self)[0]))
        plain = codec.encode({"drain": True, "jti": new_id(), "exp": time.time() + 5})
        good = self.asked().decode()
        wrong = (
            *(plain, b"", b"\xff", b"{}", good.encode() + b"x", self.asked(aud="fra.2"), self.asked(aud="web-1")),
            *(self.asked(role="end"), self.asked(role="client"), self.asked(life=31), self.asked(drain=5)),
            *(self.asked(jti=5), self.asked(user="x" * 257), self.signer.mint("fra.1", role="drain").encode()),
            stranger.mint("fra.1", 5, role="drain", drain=True).encode(),
        )
        for data in wrong:
            answer = self.ask(data)
            assert answer is not None
            self.assertEqual(answer.refused, "bad_summons", data)
            self.assertEqual(answer.reason, "relay fra.1: the request is invalid here; the relay's log says why")
            self.assertEqual(self.state, ("ready", False), data)
        self.assertEqual(len(heard.lines), len(wrong))
        self.assertIn("refused a request to drain: ", heard.lines[0])
        self.assertEqual(self.told(), [])

    def test_clocks(self) -> None:
        """One of another time isn't followed, and says by how much the clocks differ."""
        for shift, which in ((-61, "ahead"), (61, "behind")):
            self.signer.now = partial(lambda shift: time.time() + shift, shift)
            answer = self.ask(self.asked())
            assert answer is not None
            self.assertRegex(
                answer.reason, f"this relay's clock and the platform's differ by .*: this relay's is {which}$"
            )
        self.assertEqual(self.state, ("ready", False))

    def test_words(self) -> None:
        """What a user is called does nothing to who reads the log."""
        heard = Heard(self)
        self.ask(self.asked(user="al\x1b[2Jice\n"))
        self.assertIn("as al?[2Jice? wants it", heard.lines[0])
