"""What a verdict waits for: nothing may begin once it is given."""

from collections.abc import Callable

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.client.stream import ClientStream
from streamrelay.client.stream_request import StreamRequest
from streamrelay.protocol.limits import Limits
from streamrelay.protocol.subjects import open_subject
from streamrelay.resume.connection import ResumableConnection
from tests.simulation.bus import Letter, Post
from tests.simulation.campaign import Unhandled
from tests.simulation.ends import Script
from tests.simulation.kernel import Weather
from tests.simulation.plan import BEGIN, Plan, StreamPlan
from tests.simulation.surroundings import surrounded
from tests.simulation.world import World

LATE = 1.0
"""How often a letter is late."""


class UnderWay(SynchronousTestCase):
    """What may begin a stream of which no program knows any more."""

    def setUp(self) -> None:
        stream = StreamPlan(0, 1000.0, 0, 0, 0, Script(), Script())
        post = Post(late=LATE)
        self.world = World(Plan(1, Weather(), post, False, Limits(), 0.0, 1, (stream,), ()))
        self.patched = surrounded(self.world)
        self.patched.__enter__()
        self.addCleanup(self.patched.__exit__, None, None, None)
        self.world.begin()
        self.world.scheduler.run(BEGIN)

    def test_late_summons(self) -> None:
        """A summons that the bus brings late is waited for, as its agent dials then; other letters aren't."""
        server, scheduler, wait = self.world.server, self.world.scheduler, "a summons is still on its way"
        server.carry(Letter("streamrelay.v1.host.web-0.end", b"{}"))
        self.assertNotIn(wait, self.world.rules.held())
        server.carry(Letter(open_subject("web-0"), b"{}"))
        self.assertIn(wait, self.world.rules.held())
        scheduler.run(server.summoned)
        self.assertIn(wait, self.world.rules.held())
        scheduler.run(server.summoned + 0.001)
        self.assertNotIn(wait, self.world.rules.held())

    def test_left(self) -> None:
        """A stream that a client has asked for is waited for until the platform is done with it, though it left."""
        scheduler, wait = self.world.scheduler, "the platform is still asked for a stream"
        client = self.world.clients[0]
        assert client.running is not None
        client.running.enter()
        state = self.world.streams[0]
        api = self.world.users.api(client, state.plan)
        Deferred.fromCoroutine(api.open(StreamRequest("web-0", "target-0")))
        client.running.end()
        self.assertIn(wait, self.world.rules.held())
        scheduler.run(scheduler.now + 100)
        self.assertNotIn(wait, self.world.rules.held())

    def test_between_legs(self) -> None:
        """A stream that its client carries is waited for, even while neither of its legs is there."""
        client, wait = self.world.clients[0], "client-0: carried is 1, not 0"
        assert client.running is not None
        leg, local = (ResumableConnection(client.running.reactor, lambda why: None) for _ in range(2))
        stream = ClientStream(leg, local)
        client.carried.add(stream)
        self.assertIn(wait, self.world.rules.held())
        client.carried.discard(stream)
        self.assertNotIn(wait, self.world.rules.held())


class Thrown:
    """One that nobody holds but itself, and that does something as it goes."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.work, self.itself = work, self

    def __del__(self) -> None:
        self.work()


class Failures(SynchronousTestCase):
    """Failures that nobody handles."""

    def test_thrown_away(self) -> None:
        """All are found at the first look, with what failed, even those of what is thrown away by what is thrown away:
        the next schedule isn't blamed for them."""

        def lost() -> None:
            fail(ZeroDivisionError("of whom nobody hears"))

        with Unhandled() as unhandled:
            Thrown(lambda: Thrown(lambda: Thrown(lost)))
            found = unhandled.look()
            self.assertEqual(unhandled.look(), [])
        self.assertEqual(len(found), 1)
        self.assertIn("of whom nobody hears", found[0])
        self.flushLoggedErrors(ZeroDivisionError)
