"""sessions.py: who has signed in."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.platform.auth.sessions import Sessions, csrf_of
from tests.documented import SESSIONS_EACH
from tests.examples import there


class Lives(SynchronousTestCase):
    """Sessions that begin and end."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.sessions = Sessions(self.clock, 100, 250)

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
