"""A chain with two agents, each a host, and admin listeners; and the log that both of them follow."""

import re
from pathlib import Path

from attrs import define

from tests.live.support.chain import HOST, Chain
from tests.live.support.http import ask_socket
from tests.live.support.ports import answers
from tests.live.support.processes import Program, twistd
from tests.live.support.waiting import until
from tests.soak.background import Background
from tests.soak.pattern import numbered

HOSTS = (HOST, "host-2")
TARGETS = """
[targets.shell]
kind = "pty"
command = ["/bin/sh", "-c", "stty raw -echo; echo here; exec cat"]

[targets.log]
kind = "log"
path = "FOLDER/soak.log"
"""


class SoakChain(Chain):
    """nats-server, relay, two agents and a platform."""

    def __init__(self, folder: Path, drain: int) -> None:
        self.drain = drain
        super().__init__(folder, relay=(f"--drain={drain}",), agent=f"drain = {drain}\n", targets=TARGETS)

    def write_files(self) -> None:
        self.admin = True
        super().write_files()
        text = (self.folder / "agent.toml").read_text()
        for old, new in ((f'"{HOST}"', f'"{HOSTS[1]}"'), ("/state", "/state-2"), ("agent-admin", "agent-2-admin")):
            text = text.replace(old, new)
        (self.folder / "agent-2.toml").write_text(text)

    def start_agent(self) -> Program:
        super().start_agent()
        second = (*twistd(), "streamagent", f"--config={self.folder}/agent-2.toml")
        self.second = self.add("streamagent-2", *second)
        return self.agent

    def wait(self) -> None:
        until(lambda: answers(self.relay_port), what="the relay")
        until(lambda: set(self.hosts()) == set(HOSTS), what="both agents")

    @property
    def by_name(self) -> dict[str, Program]:
        """Programs by short names."""
        programs = (self.nats, self.relay, self.agent, self.second, self.platform)
        return dict(zip(("nats", "relay", "agent-1", "agent-2", "platform"), programs, strict=True))

    def metrics(self, name: str) -> str:
        """What a program tells at its admin listener; raises OSError while it isn't there."""
        return ask_socket(self._admin(name), "/metrics").text

    def has_returned(self, name: str) -> bool:
        """Whether a program that was started again answers, ready or not."""
        try:
            return answers(self.nats_port) if name == "nats" else bool(ask_socket(self._admin(name), "/health").status)
        except OSError:
            return False

    def _admin(self, name: str) -> Path:
        return self.folder / f"{name.removesuffix('-1')}-admin.sock"

    def tracebacks(self) -> list[str]:
        """Return the programs in whose output there is a traceback, with its last line."""
        shape = re.compile(r"Traceback \(most recent call last\).*?^[\w.]+(?:Error|Exception)\b[^\n]*", re.S | re.M)
        return [
            f"{name}: a traceback: {found.splitlines()[-1]}"
            for name, program in self.by_name.items()
            for found in dict.fromkeys(shape.findall(program.log))
        ]


@define(eq=False)
class GrowingLog(Background):
    """A log that gets numbered lines, and is rotated by rename.

    Two old files are kept: an agent reads one on for a minute, and where it is gone when a follower comes back with a
    place in it, nobody can know whether lines are missing.
    """

    path: Path
    period: float = 75.0
    """Seconds from one rotation to the next."""
    next: int = 0

    def start(self) -> None:
        self.path.touch()
        super().start()

    def run(self) -> None:
        ticks = 0
        while not self.stopped.wait(0.02):
            self.grow()
            ticks += 1
            if ticks * 0.02 >= self.period:
                self._rotate()
                ticks = 0

    def grow(self) -> None:
        """Write the next few lines."""
        with self.path.open("ab") as file:
            for number in range(self.next, self.next + 4):
                file.write(numbered(number) + b"\n")
        self.next += 4

    def _rotate(self) -> None:
        newer, older = self.path.with_suffix(".log.1"), self.path.with_suffix(".log.2")
        if newer.exists():
            newer.rename(older)
        self.path.rename(newer)
        self.path.touch()
