"""unix.py, local.py, paths.py: paths that stay where they must, whatever a link does."""

import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.catalogue import read_entry
from streamrelay.agent.targets.sockets.connecting import connected
from streamrelay.agent.targets.sockets.local import AGAIN, connect_socket
from streamrelay.agent.targets.sockets.paths import Outside, held
from streamrelay.agent.targets.sockets.unix import Unix
from streamrelay.errors import TargetError
from streamrelay.protocol.summons import Refusal
from tests.documented import CONNECT_TIME
from tests.fakes.files import folder


class Within(SynchronousTestCase):
    """Paths of unix targets."""

    def setUp(self) -> None:
        self.where = folder(self)
        (self.where / "vms" / "a").mkdir(parents=True)
        for name in ("vms/b.sock", "vms/a/in.sock", "vms/a/x.sock", "outside.sock"):
            (self.where / name).touch()
        os.symlink("/run/docker.sock", self.where / "vms" / "out.sock")
        os.symlink("a/in.sock", self.where / "vms" / "in.sock")
        os.symlink(self.where / "vms", self.where / "vms-too")
        os.symlink("/run", self.where / "vms" / "away")
        os.symlink("../outside.sock", self.where / "vms" / "there.sock")

    def path(self, name: str, path: str, **more: str) -> str:
        """Where a target leads, below this directory."""
        table = {"kind": "unix", "path": f"{self.where}/{path}", "parts": {"name": ".+"}, **more}
        target: Any = read_entry("{name}", table).match(name)
        with held(target.path, target.within) as place:
            return os.readlink(place).removeprefix(f"{os.path.realpath(self.where)}/")

    def test_inside(self) -> None:
        """A pattern's path may have symbolic links before its first part, and those that stay inside."""
        self.assertEqual(self.path("b", "vms/{name}.sock"), "vms/b.sock")
        self.assertEqual(self.path("in", "vms/{name}.sock"), "vms/a/in.sock")
        self.assertEqual(self.path("b", "vms-too/{name}.sock"), "vms/b.sock")

    def test_outside(self) -> None:
        """One that leads out of the directory before the first part isn't connected, and only the log says why."""
        for name, path in (
            ("out", "vms/{name}.sock"),
            ("away", "vms/{name}/docker.sock"),
            ("there", "vms/{name}.sock"),
        ):
            refused = self.assertRaises(Outside, self.path, name, path).refusal()
            self.assertEqual(refused.code, Refusal.NOT_ALLOWED)
            self.assertRegex(refused.detail, r"it leads to .*/(docker|outside)\.sock, which is not within")
            self.assertNotIn("/", refused.reason)

    def test_allowed(self) -> None:
        """`within` says otherwise, narrower too."""
        self.assertEqual(self.path("there", "vms/{name}.sock", within="/"), "outside.sock")
        self.assertEqual(self.path("a", "vms/{name}/x.sock", within=f"{self.where}/vms/{{name}}"), "vms/a/x.sock")
        narrow = {"within": f"{self.where}/vms/a"}
        self.assertRaises(Outside, self.path, "b", "vms/{name}.sock", **narrow)

    def test_another_name_beside(self) -> None:
        """A directory whose name only begins like the bound isn't within it."""
        evil = self.where / "vms-evil"
        evil.mkdir()
        (evil / "x.sock").touch()
        os.symlink(evil / "x.sock", self.where / "vms" / "x.sock")
        self.assertRaises(Outside, self.path, "x", "vms/{name}.sock")

    def test_own_path(self) -> None:
        """A path without parts is the agent's own business."""
        path = str(self.where / "vms" / "out.sock")
        self.assertEqual(Unix(path).bounded().within, "")
        self.assertRaises(ValueError, Unix(path, "relative").check)


class Connected(SynchronousTestCase):
    """A socket within a directory, and one outside of it."""

    def setUp(self) -> None:
        self.where = folder(self)
        self.path = self.where / "vms" / "a.sock"
        self.path.parent.mkdir()
        self.ours, self.theirs = self.listener(self.path), self.listener(self.where / "evil.sock")
        self.clock = Clock()

    def listener(self, path: Any) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(path))
        listener.listen(0)
        listener.setblocking(False)
        return listener

    def attempt(self) -> "Deferred[socket.socket]":
        return Deferred.fromCoroutine(connect_socket(self.clock, str(self.path), str(self.path.parent)))

    def swap(self) -> None:
        """Let the path lead outside, by a link that takes the place of the socket."""
        self.path.rename(self.path.with_name("aside.sock"))
        self.path.symlink_to(self.where / "evil.sock")

    def upon(self, name: str, then: Callable[[], None]) -> None:
        """Do something once, behind the first call of a function of the system."""
        before, pending = getattr(os, name), [then]

        def call(*arguments: Any, **named: Any) -> Any:
            result = before(*arguments, **named)
            if pending:
                pending.pop()()
            return result

        self.patch(os, name, call)

    def test_swapped(self) -> None:
        """A path that is swapped once it was opened, or once it was checked, leads a connection nowhere else."""
        for moment in ("open", "readlink"):
            with self.subTest(moment):
                self.upon(moment, self.swap)
                self.successResultOf(self.attempt()).close()
                self.assertRaises(BlockingIOError, self.theirs.accept)
                self.ours.accept()[0].close()
            self.path.with_name("aside.sock").replace(self.path)

    def test_swapped_before(self) -> None:
        """A path that leads outside when it is opened is refused, and nothing is connected."""
        self.swap()
        refused = self.failureResultOf(self.attempt(), TargetError).value
        self.assertEqual((refused.code, refused.reason), (Refusal.NOT_ALLOWED, "the target's path is not allowed"))
        self.assertRaises(BlockingIOError, self.theirs.accept)

    def test_full(self) -> None:
        """A queue that is full is asked again ten times a second, and no longer than a target has."""
        waiting = [self.successResultOf(self.attempt())]
        attempt = self.attempt()
        self.clock.pump([AGAIN] * 9)
        self.assertEqual((AGAIN, len(self.clock.getDelayedCalls())), (0.1, 1))
        self.ours.accept()[0].close()
        self.clock.advance(AGAIN)
        waiting.append(self.successResultOf(attempt))
        attempt = self.attempt()
        self.clock.pump([AGAIN] * round(CONNECT_TIME / AGAIN + 2))
        refused = self.failureResultOf(Deferred.fromCoroutine(connected(attempt, "x")), TargetError).value
        self.assertEqual(
            (refused.code, refused.reason), (Refusal.TARGET_UNREACHABLE, "x: timed out waiting for an answer")
        )
        for sock in waiting:
            sock.close()

    def test_nothing_left(self) -> None:
        """A refusal, a failure and a connection leave no descriptor behind."""
        before = os.listdir("/proc/self/fd")
        self.successResultOf(self.attempt()).close()
        self.ours.close()
        self.failureResultOf(self.attempt(), ConnectionRefusedError)
        self.path.unlink()
        self.failureResultOf(self.attempt(), FileNotFoundError)
        self.path.symlink_to(self.where / "evil.sock")
        self.failureResultOf(self.attempt(), TargetError)
        self.assertEqual(len(os.listdir("/proc/self/fd")), len(before) - 1)
