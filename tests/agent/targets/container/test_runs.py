"""targets/container/runs.py and log.py: containers that are started, or started again, while followed."""

from streamrelay.protocol.close import CloseCode
from streamrelay.protocol.summons import Terms
from tests.agent.targets.container.test_container import FRESH, ID, LogCase, line
from tests.documented import CONTAINER_LINGER, CONTAINER_LOOK
from tests.fakes.connections import Ear
from tests.fakes.targets import Asked

NEVER, FIRST, SECOND = "0001-01-01T00:00:00Z", "2026-11-25T03:12:00.1Z", "2026-11-25T03:12:04.2Z"


class Runs(LogCase):
    """A container that runs, ends, and runs again."""

    def state(self, status: str, started: str = FIRST) -> dict[str, object]:
        running = status in ("running", "restarting")
        state = {"Running": running, "Status": status, "StartedAt": started}
        return {"Id": ID, "Name": "/web", "State": state, "Config": {"Tty": False}}

    def look(self, status: str, started: str = FIRST, after: float = CONTAINER_LOOK) -> None:
        """It is looked how it is."""
        self.reactor.advance(after)
        self.docker.asked(f"GET /containers/{ID}/json").answer(self.state(status, started))

    def begin(self, status: str, started: str = FIRST, podman: bool = False, terms: Terms = FRESH) -> Asked:
        """Open its log; the first request for it."""
        work = self.connect(terms)
        self.docker.asked("GET /containers/web/json").answer(self.state(status, started))
        self.docker.asked("GET /libpod/_ping").answer(b"", "200 OK" if podman else "404 Not Found")
        if podman:
            self.docker.asked(f"GET /v4.0.0/libpod/containers/{ID}/json").answer({})
        asked = self.asked(follow=None)
        self.connection = self.successResultOf(work)
        self.connection.join(self.ear, self.ear)
        return asked

    def followed(self, **more: object) -> Asked:
        """The log of one that runs, with two lines, as it is followed."""
        backlog = self.begin("running")
        backlog.more(line(1, "one") + line(2, "two"))
        backlog.more(b"")
        following = self.asked(follow="1")
        following.more(line(2, "two"))
        return following

    def notes(self) -> list[str]:
        return [control.note for control in self.controls() if control.note]

    def test_started_again(self) -> None:
        """The log goes on when the container is started again, behind what came: nothing is lost, or comes twice."""
        self.followed().more(b"")
        self.look("exited")
        self.look("running", SECOND, 2 * CONTAINER_LOOK)
        more = self.asked(follow="1", tail="100000", since="1795576321.000000001")
        more.more(line(1, "one") + line(2, "two") + line(3, "three"))
        self.reactor.advance(0)
        self.assertEqual(self.ear.data, b"one\ntwo\nthree\n")
        self.assertFalse(any(control.lost for control in self.controls()))
        waits = "container web has ended: waiting up to 10 s for it to be started again"
        self.assertEqual(self.notes(), [waits, "container web was started again"])
        more.more(b"")
        self.look("running", "2026-11-25T03:12:05Z")
        self.asked(follow="1").more(line(2, "two") + line(3, "three") + line(4, "four"))
        self.reactor.advance(0)
        self.assertEqual(self.ear.data, b"one\ntwo\nthree\nfour\n")
        self.assertEqual(self.ear.codes, [])

    def test_ends(self) -> None:
        """One that isn't started again in time has ended, in order."""
        self.followed().more(b"")
        pause, waited = CONTAINER_LOOK, 0.0
        while not self.ear.codes:
            self.assertLess(waited, CONTAINER_LINGER)
            self.look("exited", after=pause)
            waited, pause = waited + pause, min(2 * pause, 2)
        self.assertGreaterEqual(waited, CONTAINER_LINGER)
        self.assertEqual(self.ear.codes, [1000])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_ran_between(self) -> None:
        """One that ran, and ended again, between two looks has its lines read, and is waited for as long once more."""
        self.followed().more(b"")
        self.look("exited")
        self.look("exited", SECOND, 2 * CONTAINER_LOOK)
        more = self.asked(follow="1")
        more.more(line(2, "two") + line(3, "three"))
        more.more(b"")
        self.reactor.advance(0)
        self.assertEqual(self.ear.data, b"one\ntwo\nthree\n")
        self.look("exited", SECOND)
        self.assertEqual(self.ear.codes, [])

    def test_had_ended(self) -> None:
        """The log of one that had ended when it was opened is read, and ends at once, as before."""
        backlog = self.begin("exited")
        backlog.more(line(1, "one"))
        backlog.more(b"")
        self.asked(follow="1").more(b"")
        self.assertEqual((self.ear.data, self.ear.codes, self.notes()), (b"one\n", [1000], []))

    def test_not_started_yet(self) -> None:
        """One that was made and not started yet is waited for without end, which is said once; then its log begins."""
        self.begin("created", NEVER).more(b"")
        self.asked(follow="1").more(b"")
        pause = CONTAINER_LOOK
        for _ in range(20):
            self.look("created", NEVER, pause)
            pause = min(2 * pause, 2)
        self.assertEqual(self.notes(), ["container web is not started yet: waiting for it"])
        self.look("running", after=pause)
        self.asked(follow="1", since="0.000000000").more(line(1, "first"))
        self.reactor.advance(0)
        self.assertEqual(self.notes()[1:], ["container web was started"])
        self.assertEqual((self.ear.data, self.ear.codes), (b"first\n", []))

    def test_restarting(self) -> None:
        """One that Docker is to start again is waited for as long as that takes, though it counts as running."""
        self.followed().more(b"")
        pause = CONTAINER_LOOK
        for _ in range(20):
            self.look("restarting", after=pause)
            pause = min(2 * pause, 2)
        self.look("running", SECOND, pause)
        self.asked(follow="1")
        waits = "container web has ended: waiting for it, as it is to be started again"
        self.assertEqual(self.notes(), [waits, "container web was started again"])

    def test_log_ends_and_it_runs(self) -> None:
        """Where a log ends though its container runs on it is followed again, more and more seldom, without a word."""
        following, pause = self.followed(), CONTAINER_LOOK
        for _ in range(6):
            following.more(b"")
            self.look("running", after=pause)
            following, pause = self.asked(follow="1"), min(2 * pause, 2)
            self.reactor.advance(0)
        self.assertEqual((self.notes(), self.ear.codes), ([], []))

    def test_leaves(self) -> None:
        """A client that leaves while its container is waited for ends that."""
        self.followed().more(b"")
        self.look("exited")
        self.connection.abort()
        self.assertEqual((self.ear.codes, self.reactor.getDelayedCalls()), ([1000], []))
        self.ear = Ear()
        self.followed().more(b"")
        self.reactor.advance(CONTAINER_LOOK)
        asked = self.docker.asked(f"GET /containers/{ID}/json")
        self.connection.abort()
        self.assertTrue(asked.transport.aborted or asked.transport.disconnecting)
        self.assertEqual(self.ear.codes, [1000])

    def test_cannot_look(self) -> None:
        """An API that can't say whether it runs breaks the log off, with its words."""
        self.followed().more(b"")
        self.reactor.advance(CONTAINER_LOOK)
        answer = {"message": "out of order"}, "500 Internal Server Error"
        self.docker.asked(f"GET /containers/{ID}/json").answer(*answer)
        (over,) = self.ear.named("over")
        self.assertEqual((over[1].code, over[1].reason), (CloseCode.TARGET_RESET, "out of order"))

    def test_removed(self) -> None:
        """One that is removed has ended, in order, also in podman's words of one that is just being removed."""
        for status, words in (
            ("404 Not Found", "No such container: web"),
            ("500 Internal Server Error", "container 5 does not exist in database: no such container"),
        ):
            self.ear = Ear()
            self.followed().more(b"")
            self.reactor.advance(CONTAINER_LOOK)
            self.docker.asked(f"GET /containers/{ID}/json").answer({"message": words}, status)
            self.assertEqual(self.ear.codes, [1000])

    def test_podman(self) -> None:
        """With podman it is looked at each end whether all has come, and then whether it runs again."""
        backlog = self.begin("running", podman=True)
        backlog.more(line(1, "one"))
        backlog.more(b"")
        whole = line(1, "one")
        for second, word in ((2, "two"), (3, "three")):
            whole += line(second, word)
            more = self.asked(follow="1", tail=None)
            more.more(whole)
            more.more(b"")
            check = self.asked(follow=None, tail=None)
            check.more(whole)
            check.more(b"")
            self.look("running", f"2026-11-25T03:12:0{second}.5Z")
        self.asked(follow="1")
        self.assertEqual(self.ear.data, b"one\ntwo\nthree\n")
        self.assertFalse(any(control.lost for control in self.controls()))
        self.assertEqual(self.notes(), ["container web was started again"] * 2)
