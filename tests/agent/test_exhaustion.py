"""An agent that has run out of something says so: that is neither the target's fault nor the relay's."""

import gc
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from streamrelay.agent.targets.logfile.log import Log
from streamrelay.agent.targets.qemu.qemu import Qemu
from streamrelay.agent.targets.sockets.unix import Unix
from streamrelay.agent.targets.terminal.pty import Pty
from streamrelay.errors import TargetError
from streamrelay.protocol.close import CloseCode, Outcome
from streamrelay.protocol.summons import Refusal
from streamrelay.websocket.dial_errors import DialError, OutOfDescriptors, RelayBusy
from tests.agent.test_service import MET, Case
from tests.fakes.files import folder


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Let this process have no descriptor more than it has."""
    gc.collect()  # or what others have left would give its descriptors back meanwhile
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as next_one:
        most = next_one.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Exhaustion(Case):
    """An agent without a descriptor, and relays that take nothing."""

    def test_targets(self) -> None:
        """Without a descriptor left no target is connected, whatever its kind: that is busy, in words of the agent."""
        path = str(folder(self) / "there")
        with open(path, "w", encoding="utf-8"):
            pass
        targets: tuple[Any, ...] = (
            Log(path=path),
            Unix(path=path),
            Qemu(qmp=path, console="vnc"),
            Pty(command=("/bin/sh",)),
        )
        for number, target in enumerate(targets):
            self.catalogue.target = target
            with self.subTest(kind=target.kind), no_descriptor_left():
                self.summon(f"{number:022}")
            [answer] = self.answers()[number:]
            self.assertEqual((target.kind, answer.refused), (target.kind, Refusal.BUSY), answer.reason)
            words = "out of pty devices" if target.kind == "pty" else "the agent has no file descriptor left"
            self.assertIn(words, answer.reason)

    def test_dial(self) -> None:
        """A relay that takes no more is no relay that can't be reached, and neither is it when we can't dial at all."""
        for kind, code in (
            (RelayBusy, Refusal.RELAY_BUSY),
            (OutOfDescriptors, Refusal.BUSY),
            (DialError, Refusal.DIAL_FAILED),
        ):
            self.setUp()
            self.dialler.error = kind("why")
            self.summon()
            self.assertEqual([(answer.refused, answer.reason) for answer in self.answers()], [(code, "why")])

    def test_told_at_the_relay(self) -> None:
        """A client who waits at the relay hears of a busy agent by 1013, after which it may try again."""
        self.target.error = TargetError(Refusal.BUSY, "too many")
        self.summon(reply="")
        [leg] = self.dialler.legs
        leg.feed.control(MET)
        self.assertEqual(leg.closing, Outcome(CloseCode.OVERLOADED, "too many"))
