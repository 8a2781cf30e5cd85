"""summonses.py: what the platform asks of a host."""

import time
from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.summonses import Summonses
from streamrelay.protocol import codec
from streamrelay.protocol.requests import ClocksDiffer
from streamrelay.protocol.summons import Answer, End, Summons
from streamrelay.protocol.tokens import Signer, Verifier
from tests.documented import SUMMONS_LONGEST
from tests.examples import STREAM
from tests.fakes.files import key_pair

ORDER = {"stream": STREAM, "target": "log", "relay": "wss://relay.example", "token": "t"}


class Signed(SynchronousTestCase):
    """Requests that a platform signs."""

    def setUp(self) -> None:
        private, public = key_pair(self)
        self.signer = Signer.load(str(private))
        self.here: Summonses[str] = Summonses(Verifier.load([str(public)], "web-1"))

    def mint(self, audience: str = "web-1", role: str = "summons", **more: Any) -> bytes:
        return self.signer.mint(audience, role=role, **{**ORDER, **more}).encode()

    def test_good(self) -> None:
        """A summons for this host is read, and so is a request to end a stream."""
        self.assertEqual(self.here.read(self.mint(), "summons", Summons).target, "log")
        self.assertEqual(self.here.read(self.mint(role="end"), "end", End).stream, STREAM)

    def test_refused(self) -> None:
        """A summons for another host, of another role, tampered, plain or odd is refused."""
        plain = codec.encode({**ORDER, "jti": "j" * 22, "exp": time.time() + 20})
        for data in (
            self.mint("web-2"),
            self.mint(role="client"),
            self.mint(role="end"),
            self.mint()[:-4],
            plain,
            b"",
            b"\xff",
            self.mint(target="a b"),
            self.mint(relay="http://x"),
            self.signer.mint("web-1", life=60, role="summons", **ORDER).encode(),
            self.mint(exp=10**400, iat=time.time()),
            self.mint(user="\ud800"),
        ):
            self.assertRaises(ValueError, self.here.read, data, "summons", Summons)

    def test_clocks(self) -> None:
        """One that was signed too early or too late says by how many seconds the clocks differ, and whose is ahead."""
        for shift, which in ((-61, "ahead"), (61, "behind")):
            self.signer.now = partial(lambda shift: time.time() + shift, shift)
            for role, kind in (("summons", Summons), ("end", End)):
                error = self.assertRaises(ClocksDiffer, self.here.read, self.mint(role=role), role, kind)
                self.assertRegex(
                    str(error), f"this host's clock and the platform's differ by 6[0-4] s.*: this host's is {which}$"
                )
        error = self.assertRaises(ValueError, self.here.read, self.mint("web-2"), "summons", Summons)
        self.assertNotIsInstance(error, ClocksDiffer)


class Plain(SynchronousTestCase):
    """Requests in opaque mode."""

    def test_expiry(self) -> None:
        """A plain summons is good until its expiry and can't live longer than thirty seconds, give or take five."""
        here: Summonses[str] = Summonses(None, lambda: 1000.0)
        for left, good in ((20, True), (30, True), (35, True), (36, False), (-5, True), (-6, False), (1e9, False)):
            data = codec.encode({**ORDER, "jti": "j" * 22, "exp": 1000.0 + left})
            if good:
                self.assertEqual(here.read(data, "summons", Summons).target, "log")
            else:
                self.assertRaises(ValueError, here.read, data, "summons", Summons)

    def test_clocks(self) -> None:
        """An unsigned one that comes too early or too late says by how much the clocks differ at least."""
        here: Summonses[str] = Summonses(None, lambda: 1000.0)
        for left, words in ((-61, "differ by 61 s or more.* is ahead$"), (91, "differ by 61 s or more.* is behind$")):
            data = codec.encode({**ORDER, "jti": "j" * 22, "exp": 1000.0 + left})
            self.assertRegex(str(self.assertRaises(ClocksDiffer, here.read, data, "summons", Summons)), words)

    def test_length(self) -> None:
        """A summons of 16384 bytes is read, one of a byte more is refused, though nothing else is wrong with it."""
        here: Summonses[str] = Summonses(None, lambda: 1000.0)
        data = codec.encode({**ORDER, "jti": "j" * 22, "exp": 1020.0})
        self.assertEqual(here.read(data.ljust(SUMMONS_LONGEST), "summons", Summons).target, "log")
        self.assertRaises(ValueError, here.read, data.ljust(SUMMONS_LONGEST + 1), "summons", Summons)

    def test_remembered(self) -> None:
        """A copy of a summons waits for the same answer, or gets it; it is never new again until it is forgotten."""
        here: Summonses[str] = Summonses(None)
        pending, new = here.hear("j", "one")
        self.assertTrue(new)
        again, new = here.hear("j", "two")
        self.assertFalse(new)
        self.assertIs(again, pending)
        self.assertEqual(pending.waiting, ["one", "two"])
        pending.answer = Answer(ready=True)
        _, new = here.hear("j", "three")
        self.assertFalse(new)
        self.assertEqual(pending.waiting, ["one", "two"])
        here.forget("j")
        self.assertTrue(here.hear("j", "four")[1])
