"""liveness.py: when a peer is pinged, and when it is dead."""

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.datapath.heartbeat import DEAD_BEATS, PING_BEATS
from streamrelay.websocket.liveness import Action, Liveness
from tests.documented import BEAT, SLOWEST, UNREAD

NOTHING, PING, PING_UNREAD, DEAD = Action


class Case(SynchronousTestCase):
    """One peer, joined, and its kernel."""

    dialled = False

    def setUp(self) -> None:
        self.liveness = Liveness(self.dialled, joined=True)
        self.silent_for = 0.0
        self.asked = 0

    def kernel_is_silent(self, seconds: float) -> bool:
        self.asked += 1
        return self.silent_for >= seconds

    def beat(self, unsent: int = 0) -> Action:
        return self.liveness.beat(unsent, self.kernel_is_silent)

    def beats(self, count: int, before: Callable[[], object] = lambda: None, unsent: int = 0) -> list[Action]:
        said = []
        for _ in range(count):
            before()
            said.append(self.beat(unsent))
        return said

    def hear(self) -> None:
        self.liveness.heard = True


class Served(Case):
    """The relay's side."""

    def test_quiet(self) -> None:
        """A new peer counts as heard; then a quiet one is pinged at each fourth beat and dead from the ninth."""
        self.assertEqual(self.beat(), NOTHING)
        quiet = [PING if beat in (4, 8) else NOTHING for beat in range(1, DEAD_BEATS)]
        self.assertEqual(self.beats(DEAD_BEATS + 1), [*quiet, DEAD, DEAD])

    def test_outlived(self) -> None:
        """Of a leg that its stream outlives it is the second and the third; its kernel has 15 s."""
        self.liveness.outlived = True
        self.assertEqual(self.beats(4), [NOTHING, NOTHING, PING, DEAD])
        self.assertEqual(self.liveness.patience, 3 * BEAT)
        self.hear()
        self.beat()
        self.silent_for = 3 * BEAT - 1
        self.assertEqual(set(self.beats(20, unsent=5)), {NOTHING})
        self.silent_for = 3 * BEAT
        self.assertEqual(self.beat(5), DEAD)

    def test_heard(self) -> None:
        """A peer that is heard between any two beats is neither pinged nor dead, and its kernel isn't asked."""
        self.assertEqual(set(self.beats(100, self.hear)), {NOTHING})
        self.assertEqual(set(self.beats(100, self.hear, unsent=5)), {NOTHING})
        self.assertEqual(self.asked, 0)

    def test_heard_at_last(self) -> None:
        """A sign of life begins the count anew."""
        self.beats(DEAD_BEATS)
        self.hear()
        self.assertEqual(self.beats(DEAD_BEATS).count(DEAD), 0)
        self.assertEqual(self.beat(), DEAD)

    def test_waits(self) -> None:
        """A peer that nobody has joined is pinged at each fourth beat, heard or not, and never dead; its kernel isn't
        asked."""
        self.liveness.joined = False
        self.assertEqual(self.beats(40), [PING if beat % PING_BEATS == 0 else NOTHING for beat in range(1, 41)])
        self.assertEqual(self.beats(8, unsent=5), [NOTHING] * 8)
        self.assertEqual(self.asked, 0)

    def test_paused(self) -> None:
        """A peer that isn't read is pinged at each beat; the count of quiet ones stands still and goes on later."""
        self.beats(6)
        self.liveness.paused = True
        self.assertEqual(set(self.beats(50)), {PING_UNREAD})
        self.liveness.paused = False
        self.assertEqual(self.beats(4), [NOTHING, NOTHING, PING, DEAD])

    def test_unsent(self) -> None:
        """While something is unsent the count stands still and nothing is pinged behind it."""
        self.beat()
        self.assertEqual(set(self.beats(50, unsent=5)), {NOTHING})
        self.liveness.paused = True
        self.assertEqual(set(self.beats(50, unsent=5)), {NOTHING})
        self.assertEqual(self.asked, 100)

    def test_silent_kernel(self) -> None:
        """A peer that isn't read, or doesn't read, is dead once its kernel has been silent for forty-five seconds."""
        for paused, unsent in ((True, 0), (False, 5), (True, 5)):
            self.setUp()
            self.beat()
            self.liveness.paused, self.silent_for = paused, BEAT * DEAD_BEATS - 1
            self.assertNotIn(DEAD, self.beats(3, unsent=unsent))
            self.silent_for += 1
            self.assertEqual(self.beat(unsent), DEAD)

    def test_slow_reader(self) -> None:
        """Who was sent much is dead only once there was time to read it, a second for each 32 KiB, or if its kernel is
        silent; until then it is pinged at each beat."""
        self.beat()
        self.liveness.sent = 5 * BEAT * SLOWEST
        self.beats(DEAD_BEATS - 1)
        self.assertEqual(self.beats(6), [*[PING_UNREAD] * 5, DEAD])
        self.setUp()
        self.beat()
        self.liveness.sent = 5 * BEAT * SLOWEST
        self.silent_for = BEAT * DEAD_BEATS
        self.beats(DEAD_BEATS - 1)
        self.assertEqual(self.beat(), DEAD)

    def test_slow_reader_of_much(self) -> None:
        """More than kernels hold gives no more time."""
        self.beat()
        self.liveness.sent = 1 << 40
        self.assertEqual(self.beats(200).index(DEAD) + 1, DEAD_BEATS + UNREAD // (BEAT * SLOWEST))

    def test_slow_reader_heard(self) -> None:
        """What was sent up to the beat at which a peer is heard may still be unread; what was sent before isn't."""
        self.liveness.sent = 2 * BEAT * SLOWEST
        self.assertEqual(self.beats(DEAD_BEATS + 3).index(DEAD), DEAD_BEATS + 2)
        self.liveness.sent = 2 * BEAT * SLOWEST
        for _ in range(2):
            self.hear()
            self.beat()
        self.assertEqual(self.beats(DEAD_BEATS).index(DEAD), DEAD_BEATS - 1)

    def test_stuck(self) -> None:
        """A peer is stuck when it has taken nothing of the same unsent bytes at eight beats after the first; a byte
        that it takes, or that is added, begins this anew."""
        self.beats(DEAD_BEATS - 1, unsent=5)
        self.assertFalse(self.liveness.stuck)
        self.beat(5)
        self.assertTrue(self.liveness.stuck)
        self.beat(4)
        self.assertFalse(self.liveness.stuck)
        self.beats(50)
        self.assertFalse(self.liveness.stuck)


class Dialled(Case):
    """The side that dialled."""

    dialled = True

    def test_whatever_it_hears(self) -> None:
        """A relay is pinged at each fourth beat, also while it is heard, but not behind unsent bytes."""
        self.assertEqual(self.beats(12, self.hear), [NOTHING, NOTHING, NOTHING, PING] * 3)
        self.assertEqual(self.beats(12, self.hear, unsent=5), [NOTHING] * 12)

    def test_heard_while_paused(self) -> None:
        """A relay that was heard before it was paused is pinged by its age alone at that beat."""
        self.liveness.paused = True
        self.assertEqual(self.beats(4), [NOTHING, PING_UNREAD, PING_UNREAD, PING_UNREAD])
        self.beats(3)
        self.hear()
        self.assertEqual(self.beat(), PING)

    def test_dead(self) -> None:
        """A relay that is quiet at nine beats is dead, too."""
        said = self.beats(10)
        self.assertEqual((said[-1], said[:-1].count(DEAD)), (DEAD, 0))
