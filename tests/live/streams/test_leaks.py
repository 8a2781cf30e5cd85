"""Nothing is left behind: descriptors, timers, tables and memory after many streams."""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import streamrelay
from streamrelay.protocol.tokens import generate
from tests.live.support.case import LiveTest
from tests.live.support.chain import Chain, shared
from tests.live.support.fake_docker import LyingDocker
from tests.live.support.nats import nats_command
from tests.live.support.pace import timed
from tests.live.support.ports import answers, free_port
from tests.live.support.processes import need_program, run
from tests.live.support.sockets import Listener, held, take
from tests.live.support.waiting import WAIT, until
from tests.live.support.websockets import RAW, V1, hang_up, websocket

MANY = 300
"""Streams; one left of them, or a descriptor of one, is seen."""
TREE = Path(__file__).resolve().parents[3]


def one_stream(chain: Chain, listener: Listener, number: int) -> None:
    """A stream with a word each way, ended by the client, by the target, or by a lost connection in turn."""
    answer = chain.ask("POST", "/v1/streams", {"host": "host-1", "target": listener.target})
    leg = websocket(answer.json["url"], RAW)
    target = listener.accept()
    leg.send(b"up")
    if take(target, 2) != b"up":
        raise AssertionError("not what was sent")
    target.sendall(b"down")
    if leg.recv(WAIT) != b"down":
        raise AssertionError("not what was sent")
    if number % 3 == 0:
        leg.close()
    elif number % 3 == 1:
        target.close()
        leg.close()
    else:
        hang_up(leg)
    target.close()
    leg.close()
    listener.accepted.clear()


KINDS = """
[targets.log]
kind = "log"
path = "HERE/log"

[targets.shell]
kind = "pty"
command = ["/bin/sh"]

[targets.journal]
kind = "journal"
directory = "HERE"

[targets."container/log"]
kind = "container"
socket = "HERE/api.sock"
container = "c"

[targets."container/shell"]
kind = "container"
socket = "HERE/api.sock"
container = "c"
show = "exec"

[targets.closed]
kind = "qemu"
qmp = "HERE/no.qmp"
console = "vnc"
"""
TARGETS = ("log", "shell", "container/log", "container/shell", "closed")
OF_EACH = 60
"""Five of each way in which one may end."""


def leave(chain: Chain, target: str, number: int) -> None:
    """A stream that its client leaves in one of three ways, or that goes on in one of them at the place it was told."""
    answer = chain.ask("POST", "/v1/streams", {"host": "host-1", "target": target, "view": number % 4 == 3})
    if answer.status != 201:
        if target != "closed":
            raise AssertionError(answer.text)
        return
    leg = websocket(answer.json["url"], V1)
    if number % 3 == 0:
        leg.recv(WAIT)
    if number % 3 == 1:
        leg.close()
    hang_up(leg)


def children(pid: int) -> list[str]:
    """The child processes of a process that live, or that it has not reaped."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


class Leaks(LiveTest):
    """After hundreds of streams all is as it was."""

    def test_descriptors(self) -> None:
        """300 streams, one after the other: relay, agent and platform hold the descriptors they held before."""
        chain, listener = shared(), self.listen()
        for number in range(30):
            one_stream(chain, listener, number)
        programs = (chain.relay, chain.agent, chain.platform)
        before, memory = self.settled(chain), [program.rss() for program in programs]
        with timed() as passed:
            for number in range(MANY):
                one_stream(chain, listener, number)
        seconds = passed()
        until(lambda: self.settled(chain) == before, what=f"the descriptors of before, {before}")
        grown = [program.rss() - was for program, was in zip(programs, memory, strict=True)]
        print(
            f"figure: {MANY} streams in {seconds:.1f} s: "
            f"relay {len(before[0])} descriptors as before and RSS {grown[0]:+.1f} MiB, "
            f"agent {len(before[1])} and {grown[1]:+.1f}, platform {len(before[2])} and {grown[2]:+.1f}"
        )

    def settled(self, chain: Chain) -> list[list[str]]:
        """The descriptors of relay, agent and platform once they have been the same for a second."""
        until(lambda: chain.streams() == [], what="the end of all streams")
        until(lambda: not (held(chain.relay_port) or held(chain.platform_port)), what="the end of all connections")
        looks: list[list[list[str]]] = []
        while len(looks) < 10 or any(look != looks[-1] for look in looks[-10:]):
            time.sleep(0.1)
            looks.append([program.descriptors() for program in (chain.relay, chain.agent, chain.platform)])
            self.assertLess(len(looks), 100, "the descriptors never come to rest")
        return looks[-1]

    def test_kinds(self) -> None:
        """60 streams of each kind that follows, runs or asks: no descriptor, no process and no connection is left."""
        self.nothing_left(*TARGETS)

    def test_journal(self) -> None:
        """Nor is any of 60 streams of a journal."""
        need_program("journalctl")
        self.nothing_left("journal")

    def nothing_left(self, *targets: str) -> None:
        folder = Path(tempfile.mkdtemp(prefix="streamrelay-leaks-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        docker = LyingDocker(str(folder / "api.sock"))
        self.addCleanup(docker.server_close)
        self.addCleanup(docker.shutdown)
        (folder / "log").write_bytes(b"line\n" * 1000)
        chain = shared(targets=KINDS.replace("HERE", str(folder)))
        for target in targets:
            for number in range(10):
                leave(chain, target, number)
            before, memory = self.settled(chain), chain.agent.rss()
            with timed() as passed:
                for number in range(OF_EACH):
                    leave(chain, target, number)
            seconds = passed()
            until(
                lambda: (self.settled(chain), docker.open, children(chain.agent.pid)) == (before, [], []),  # noqa: B023
                what=f"what there was before the streams to {target}, {before}",
            )
            grown = chain.agent.rss() - memory
            print(f"figure: {OF_EACH} streams to {target} in {seconds:.1f} s: agent RSS {grown:+.1f} MiB")

    def test_tables(self) -> None:
        """Every kind of end leaves no timer, no entry in any table, and no object behind."""
        generate(self.folder / "platform.key", self.folder / "platform.pub")
        port = free_port()
        self.program("nats-server", *nats_command(port))
        until(lambda: answers(port), what="nats-server")
        done = run(
            sys.executable,
            *("-m", "tests.live.streams.tables", f"nats://127.0.0.1:{port}"),
            *(f"{self.folder}/platform.key", f"{self.folder}/platform.pub", "100"),
            cwd=TREE,
        )
        self.assertEqual(done.stderr.decode(), "")
        self.assertTrue(done.stdout.startswith(b"{"), done.stdout)
        sizes = json.loads(done.stdout)
        remembered = sizes.pop("meetings_before")  # of 101; on a busy machine the first tokens have expired by now
        self.assertTrue(0 < remembered <= 101, remembered)
        self.assertEqual(
            {name: size for name, size in sizes.items() if size}, {}, f"left behind by {streamrelay.__file__}"
        )
