"""targets/container/rotation.py: podman's own rotation, by which its readers lose lines."""

from streamrelay.datapath.connection import Connection
from tests.agent.targets.container.test_container import FRESH, ID, LogCase, line
from tests.documented import PODMAN_ROTATION
from tests.fakes.targets import Asked


class Rotations(LogCase):
    """A log that podman begins anew when it is full."""

    def configured(self, kind: str = "k8s-file", size: str = "20kB") -> Asked:
        """Open a log that is configured so; the request that follows."""
        work = self.connect(FRESH)
        self.found()
        self.docker.asked("GET /libpod/_ping").answer()
        config = {"HostConfig": {"LogConfig": {"Type": kind, "Size": size}}}
        self.docker.asked(f"GET /v4.0.0/libpod/containers/{ID}/json").answer(config)
        backlog = self.asked(tail="100", follow=None)
        self.connection: Connection = self.successResultOf(work)
        self.connection.join(self.ear, self.ear)
        return backlog

    def first(self, data: bytes) -> Asked:
        """It is looked which message is the log's first one."""
        asked = self.asked(follow=None, tail=None, since=None)
        asked.more(data)
        return asked

    def followed(self) -> Asked:
        backlog = self.configured()
        looked = self.first(line(1, "one") + line(2, "two"))
        self.assertTrue(looked.transport.disconnecting)  # it reads no further
        backlog.more(line(1, "one") + line(2, "two"))
        backlog.more(b"")
        more = self.asked(follow="1")
        more.more(line(2, "two"))
        self.reactor.advance(PODMAN_ROTATION)
        return more

    def lost(self) -> list[bool]:
        return [control.lost for control in self.controls() if control.lost]

    def test_lost(self) -> None:
        """When the log has another first message lines may be missing, which is said once, at a place that is good."""
        more = self.followed()
        self.first(line(1, "one"))
        self.reactor.advance(PODMAN_ROTATION)
        self.assertEqual(self.lost(), [])
        more.more(line(7, "seven"))
        self.first(line(6, "six"))
        self.assertEqual((self.lost(), self.ear.data), ([True], b"one\ntwo\nseven\n"))
        self.reactor.advance(PODMAN_ROTATION)
        self.first(line(6, "six"))
        self.assertEqual(self.lost(), [True])
        self.assertEqual(self.ear.codes, [])

    def test_at_a_place(self) -> None:
        """Within a message, and while the client has no room, it isn't said, but as soon as it can be."""
        more = self.followed()
        whole = line(7, "seven" * 20)
        more.more(whole[:-3])
        self.first(line(6, "six"))
        self.assertEqual(self.lost(), [])
        more.more(whole[-3:])
        self.connection.pause()
        self.reactor.advance(PODMAN_ROTATION)
        self.first(line(6, "six"))
        self.assertEqual(self.lost(), [])
        self.connection.resume()
        self.reactor.advance(PODMAN_ROTATION)
        self.first(line(6, "six"))
        self.assertEqual(self.lost(), [True])

    def test_without_a_bound(self) -> None:
        """A log without a bound, or by a driver that loses nothing, isn't looked at."""
        for kind, size in (("k8s-file", "0B"), ("k8s-file", ""), ("journald", "20kB")):
            self.configured(kind, size)
            self.assertEqual(self.docker.waiting, 0)

    def test_not_told(self) -> None:
        """Where podman, or what stands before it, doesn't tell of a bound the log is followed all the same."""
        work = self.connect(FRESH)
        self.found()
        self.docker.asked("GET /libpod/_ping").answer()
        self.docker.asked("GET /v4.0.0/libpod").answer({"message": "no"}, "403 Forbidden")
        self.asked(tail="100")
        self.successResultOf(work).abort()

    def test_leaves(self) -> None:
        """A client that leaves ends the looks, at whatever moment."""
        self.followed()
        looked = self.asked(follow=None, since=None)
        self.connection.abort()
        self.assertTrue(looked.transport.disconnecting or looked.transport.aborted)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_cannot_look(self) -> None:
        """A look that fails says nothing, and there is another one."""
        self.followed()
        self.docker.asked(f"GET /containers/{ID}/logs?").answer({"message": "busy"}, "500 Internal Server Error")
        self.reactor.advance(PODMAN_ROTATION)
        self.first(line(6, "six"))
        self.assertEqual(self.lost(), [True])
