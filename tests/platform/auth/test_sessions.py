"""sessions.py: who has signed in."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.platform.auth.session_token import csrf_of
from streamrelay.platform.auth.sessions import Sessions
from tests.documented import SESSIONS_EACH
from tests.examples import there


class Lives(SynchronousTestCase):
    """Sessions that begin and end."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.sessions = Sessions(self.clock, 100, 250, b"secret", self.clock.seconds)

    def test_found(self) -> None:
        """A session is found by its token alone, which nothing that is kept tells."""
        token = self.sessions.begin("alice", "sha256:1")
        self.assertGreaterEqual(len(token), 43)
        session = there(self.sessions.find(token))
        self.assertEqual((session.name, session.key_hash), ("alice", "sha256:1"))
        for other in ("", token[:-1], token + "x", token.swapcase(), "é\ud800"):
            self.assertIsNone(self.sessions.find(other))
        self.assertNotIn(token, repr(self.sessions))
        self.assertNotEqual(token, self.sessions.begin("alice", "sha256:1"))

    def test_ended(self) -> None:
        """A session that was ended is not found, and ending another changes nothing."""
        first, second = (self.sessions.begin("alice", "h") for _ in range(2))
        self.sessions.end(first)
        self.sessions.end("other")
        self.assertIsNone(self.sessions.find(first))
        self.assertIsNotNone(self.sessions.find(second))

    def test_idle(self) -> None:
        """A session ends when it isn't used for its idle time."""
        used, idle = (self.sessions.begin("alice", "h") for _ in range(2))
        self.clock.advance(99)
        self.assertIsNotNone(self.sessions.find(used))
        self.clock.advance(1)
        self.assertIsNotNone(self.sessions.find(used))
        self.assertIsNone(self.sessions.find(idle))
        self.assertEqual(len(self.sessions), 1)

    def test_life(self) -> None:
        """However much it is used, a session ends after its life."""
        token = self.sessions.begin("alice", "h")
        for _ in range(4):
            self.clock.advance(60)
            self.assertIsNotNone(self.sessions.find(token))
        self.clock.advance(10)
        self.assertIsNone(self.sessions.find(token))

    def test_bounded(self) -> None:
        """A key has so many sessions at most, the oldest ends; those of others stay, and what is over is dropped."""
        other = self.sessions.begin("bob", "h")
        tokens = [self.sessions.begin("alice", "h") for _ in range(SESSIONS_EACH + 3)]
        self.assertEqual([self.sessions.find(token) is None for token in tokens], [True] * 3 + [False] * SESSIONS_EACH)
        self.assertIsNotNone(self.sessions.find(other))
        self.assertEqual(len(self.sessions), SESSIONS_EACH + 1)
        self.clock.advance(100)
        self.sessions.begin("carol", "h")
        self.assertEqual(len(self.sessions), 1)

    def test_csrf(self) -> None:
        """Each session has a CSRF token of its own, that stays and doesn't tell the session's."""
        first, second = (self.sessions.begin("alice", "h") for _ in range(2))
        self.assertEqual(csrf_of(first), csrf_of(first))
        self.assertNotEqual(csrf_of(first), csrf_of(second))
        self.assertNotIn(first, csrf_of(first))


class Elsewhere(SynchronousTestCase):
    """Sessions that were begun at another platform, whose clock of durations began at another time."""

    def setUp(self) -> None:
        self.clock, self.other_clock = Clock(), Clock()
        self.other_clock.advance(5000)
        self.here = Sessions(self.clock, 100, 250, b"secret", self.clock.seconds)
        self.there = Sessions(self.other_clock, 100, 250, b"secret", self.clock.seconds)
        self.token = self.there.begin("alice", "h")

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.other_clock.advance(seconds)

    def test_taken_up(self) -> None:
        """A session is known wherever the secret is the same, and nowhere else."""
        session = there(self.here.find(self.token))
        self.assertEqual((session.name, session.key_hash, len(self.here)), ("alice", "h", 1))
        self.assertIsNone(Sessions(self.clock, 100, 250, b"other", self.clock.seconds).find(self.token))
        self.assertIsNone(Sessions(self.clock, 100, 250).find(self.token))

    def test_forged(self) -> None:
        """No token holds good whose id, content or seal are of different ones."""
        one, other = (self.there.begin(name, "h").split(".") for name in ("bob", "carol"))
        for mixed in ([other[0], *one[1:]], [one[0], other[1], one[2]], [*one[:2], other[2]], one[:2], ["", "", ""]):
            self.assertIsNone(self.here.find(".".join(mixed)), mixed)

    def test_idle(self) -> None:
        """Without use a session is over everywhere; one in use goes on by its newer token, until its life ends."""
        self.advance(60)
        there(self.there.find(self.token))
        newer = there(self.there.renew(self.token))
        self.assertIsNone(self.there.renew(newer))
        self.assertEqual(csrf_of(newer), csrf_of(self.token))
        self.advance(60)
        self.assertIsNone(self.here.find(self.token))
        there(self.here.find(newer))
        for _ in range(2):
            self.advance(60)
            newer = self.here.renew(newer) or newer
            self.assertEqual(self.here.find(newer) is None, self.clock.seconds() >= 250)
        self.advance(60)
        self.assertIsNone(self.here.find(newer))

    def test_ended(self) -> None:
        """A session that has ended here isn't taken up again, by none of its tokens."""
        self.advance(60)
        newer = there(self.there.renew(self.token))
        there(self.here.find(self.token))
        self.here.end(self.token)
        self.assertEqual([self.here.find(token) for token in (self.token, newer)], [None, None])

    def test_bounded(self) -> None:
        """Those that are taken up count among the sessions of a key, and those that gave way stay away."""
        tokens = [self.there.begin("alice", "h") for _ in range(SESSIONS_EACH)]
        for token in (self.token, *tokens):
            self.here.find(token)
        self.assertEqual(len(self.here), SESSIONS_EACH)
        self.assertIsNone(self.here.find(self.token))

    def test_from_the_future(self) -> None:
        """A token of a later time than the clocks' tolerance isn't taken."""
        early = Sessions(self.clock, 100, 250, b"secret", lambda: -3600.0)
        self.assertIsNone(early.find(self.token))
