"""Terminals that are kept, with real programs: who comes late, or back, sees what the others see."""

import json
import re
import shutil
import signal
import time
from statistics import median
from typing import IO, Any

from attrs import define, field
from twisted.trial.unittest import SkipTest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from streamrelay.agent.screen.parser import Parser
from streamrelay.agent.screen.screen import Screen
from streamrelay.protocol.subjects import end_subject, open_subject
from streamrelay.protocol.tokens import new_id
from tests.live.attacks.dropped import Dropped
from tests.live.streams.cut_stream import PIPES, CutStream
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain, shared
from tests.live.support.nats import NatsClient
from tests.live.support.pace import timed
from tests.live.support.processes import alive, need_root
from tests.live.support.waiting import WAIT, until
from tests.live.support.websockets import V1

TARGETS = """
[targets.shell]
kind = "pty"
command = ["/bin/bash", "--norc", "--noprofile"]
directory = "FOLDER"
environment = { PS1 = "ready> ", HISTFILE = "" }
keep = 600

[targets.stubborn]
kind = "pty"
command = ["/bin/sh", "-c", "trap '' HUP; echo pid=$$=; sleep 1000; sleep 1000"]
keep = 600

[targets.unkept]
kind = "pty"
command = ["/bin/sh", "-c", "trap '' HUP; echo pid=$$=; sleep 1000; sleep 1000"]

[targets.brief]
kind = "pty"
command = ["/bin/sh"]
keep = 0.2
"""


@define(eq=False)
class Viewer:
    """A client with a terminal, which shows what it gets."""

    leg: ClientConnection
    screen: Screen = field(factory=lambda: Screen(80, 24))
    controls: list[Any] = field(factory=list)
    ended: ConnectionClosed | None = None
    taken: int = 0
    """Bytes that came."""
    parser: Parser = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.parser = Parser(self.screen)

    def type(self, keys: str) -> None:
        self.leg.send(keys.encode())

    def say(self, **message: Any) -> None:
        self.leg.send(json.dumps(message))

    @property
    def lines(self) -> list[str]:
        return ["".join(row.chars).rstrip(" ") for row in self.screen.lines]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def look(self, seconds: float = 0.05) -> bool:
        """Take what has come, for a moment; return False."""
        try:
            message = self.leg.recv(seconds)
        except TimeoutError:
            return False
        except ConnectionClosed as closed:
            self.ended = closed
            return False
        if isinstance(message, bytes):
            self.taken += len(message)
            self.parser.feed(message)
            self.parser.work(1 << 40)
            return False
        self.controls.append(json.loads(message))
        if size := self.controls[-1].get("size"):
            self.screen.resize(*size)
        return False

    def until(self, shown: str, seconds: float = WAIT) -> None:
        """Look until a text is shown."""
        end = time.monotonic() + seconds
        while shown not in self.text:
            assert self.ended is None and time.monotonic() < end, f"{shown!r} isn't shown: {self.text}\n{self.ended}"
            self.look()

    def until_found(self, pattern: str) -> re.Match[str]:
        """Look until a pattern is shown; return what was found."""
        found: re.Match[str] = until(lambda: self.look() or re.search(pattern, self.text), what=f"{pattern!r}")
        return found

    def until_ended(self) -> ConnectionClosed:
        end = time.monotonic() + WAIT
        while self.ended is None:
            assert time.monotonic() < end, f"it doesn't end: {self.text}"
            self.look()
        return self.ended

    def told(self, word: str) -> Any:
        """Return what was said last under a word of control messages; None before the first."""
        return next((message[word] for message in reversed(self.controls) if word in message), None)


class Case(LiveTest):
    """A platform of the test's own, which summons an agent with these targets."""

    common: Chain

    def setUp(self) -> None:
        super().setUp()
        self.common = self.common_chain()
        self.nats = NatsClient(self.common.nats_port)
        self.addCleanup(self.nats.close)

    def common_chain(self) -> Chain:
        return shared(targets=TARGETS)

    def ask(self, subject: str, role: str, **claims: Any) -> Any:
        order = self.common.signer.mint(HOST, role=role, **claims).encode()
        return self.nats.ask(subject, order)

    def summon(self, target: str = "shell", user: str = "ann", **claims: Any) -> tuple[Any, str]:
        """Summon the agent; return its answer and the client's URL."""
        stream, mint = new_id(), self.common.signer.mint
        client, agent = (mint("relay", role=role, sub=stream) for role in ("client", "agent"))
        about = {"stream": stream, "target": target, "relay": self.common.relay_url, "token": agent, "user": user}
        answer = self.ask(open_subject(HOST), "summons", **about, **claims)
        return answer, self.common.leg_url("client", client)

    def begin(self, target: str = "shell", user: str = "ann", **claims: Any) -> tuple[Viewer, str]:
        """Open a stream; return its client, and its terminal's id."""
        answer, url = self.summon(target, user, **claims)
        self.assertTrue(answer.get("ready"), answer)
        viewer = Viewer(self.websocket(url, V1))
        return viewer, answer.get("terminal", "")

    def terminals(self) -> list[Any]:
        told: list[Any] = self.ask(end_subject(HOST), "terminals", terminals=True)["terminals"]
        return told

    def end(self, terminal: str) -> Any:
        return self.ask(end_subject(HOST), "end_terminal", terminal=terminal)

    def same(self, *viewers: Viewer) -> None:
        """Look until all show the same, modes and cursor too."""

        def alike() -> bool:
            for viewer in viewers:
                viewer.look()
            first, *others = (
                (viewer.lines, viewer.screen.x, viewer.screen.y, viewer.screen.modes.on) for viewer in viewers
            )
            return all(other == first for other in others)

        until(alike, what="screens that are alike")


class Kept(Case):
    """Programs that outlive their streams."""

    def test_comes_back(self) -> None:
        """A shell goes on after its client has left; who comes back finds it as it was."""
        viewer, terminal = self.begin()
        viewer.until("ready>")
        viewer.type("mark=$((40 + 2)); echo first $mark\r")
        viewer.until("first 42")
        viewer.leg.close()
        until(lambda: [each for each in self.terminals() if each["terminal"] == terminal and "detached" in each])
        again, same = self.begin(terminal=terminal)
        self.assertEqual(same, terminal)
        again.until("first 42")
        again.type("echo second $mark\r")
        again.until("second 42")
        again.type("exit 3\r")
        closed = again.until_ended()
        self.assertEqual(closed.rcvd and closed.rcvd.code, 1000)
        self.assertEqual(again.told("exit"), 3)
        answer, _ = self.summon(terminal=terminal)
        self.assertEqual(answer["refused"], "no_such_terminal")

    def test_two(self) -> None:
        """Two see the same and both type; each is told who is there, and the size is that of who has acted last."""
        one, terminal = self.begin()
        one.say(resize=[100, 30])
        one.until("ready>")
        two, _ = self.begin(user="bob", terminal=terminal, share=True)
        two.type("echo from two\r")
        for viewer in (one, two):
            viewer.until("from two")
        two.say(resize=[70, 20])
        until(lambda: two.look() or two.told("size") == [70, 20], what="the size, which changes twice a second at most")
        two.type("stty size\r")
        for viewer in (one, two):
            viewer.until("20 70")
        self.same(one, two)
        until(lambda: one.look() or one.told("size") == [70, 20], what="the size")
        # Who is there may be told right behind the size, in a message of its own.
        until(lambda: one.look() or [person["user"] for person in one.told("people")] == ["ann", "bob"], what="both")
        self.assertTrue(self.end(terminal)["ready"])
        for viewer in (one, two):
            closed = viewer.until_ended()
            self.assertEqual(closed.rcvd and closed.rcvd.code, 4006)

    def test_vim(self) -> None:
        """Who attaches within a full-screen program sees the same as who started it, and so after what either types."""
        vim = shutil.which("vim")
        if vim is None:
            raise SkipTest("needs the program vim")
        one, terminal = self.begin()
        one.until("ready>")
        one.type(f"{vim} -u NONE -N +'set nu hls title' NAME-OF-A-FILE\r")
        one.until("\n~\n~")  # lines that vim shows below its text: the name was echoed before it was there
        one.type("iüber 漢字 and more\x1b")
        one.until("漢字 and more")
        two, _ = self.begin(terminal=terminal)
        two.until("漢字 and more")
        self.same(one, two)
        two.type("oanother line\x1byy50p")
        two.until("another line")
        self.same(one, two)
        one.type(":q!\r")
        one.until("ready>")
        two.until("ready>")
        self.same(one, two)
        self.end(terminal)

    def test_ends(self) -> None:
        """A terminal whose client doesn't come isn't kept, nor longer than its target says; it is listed no more."""
        viewer, brief = self.begin("brief")
        viewer.leg.close()
        until(lambda: brief not in [each["terminal"] for each in self.terminals()], what="the end of its keep")


class Floods(Case):
    """Programs that write without end, and clients that don't read."""

    def test_others_live(self) -> None:
        """A flood that nobody sees holds up no other stream, and its terminal can be used again."""
        viewer, terminal = self.begin()
        viewer.until("ready>")
        viewer.type("yes\r")
        viewer.until("y\ny\ny")
        viewer.leg.close()
        other, another = self.begin()
        other.until("ready>")
        echoes = []
        for number in range(10):
            with timed() as taken:
                other.type(f"echo $(({number} + 100))\r")
                other.until(f"\n{number + 100}\n")
                echoes.append(taken.fair)
        self.assertLess(median(echoes), 2, echoes)  # a flood would hold up each of them, a busy machine one or two
        again, _ = self.begin(terminal=terminal)
        again.type("\x03")
        again.until("ready>")
        again.type("echo calm\r")
        again.until("\ncalm\n")
        for each in (terminal, another):
            self.end(each)

    def test_slow(self) -> None:
        """A client that reads nothing stops no other; once it reads, it shows what the other one does."""
        fast, terminal = self.begin()
        fast.until("ready>")
        slow, _ = self.begin(terminal=terminal)
        fast.type(f"line={'x' * 300}\r")
        fast.type("for i in {1..40000}; do echo $line $i; done; echo all of $i\r")
        for viewer in (fast, slow):
            viewer.until("all of 40000", 4 * WAIT)  # 12 MB, each of which both ends draw
        self.same(fast, slow)
        self.assertLess(slow.taken, fast.taken)
        self.end(terminal)


class Stopped(Case):
    """An agent that is told to stop."""

    def common_chain(self) -> Chain:
        return self.chain(targets=TARGETS)

    def test_told(self) -> None:
        """Its clients are told that the terminals end with it, and their programs end."""
        viewer, _ = self.begin()
        viewer.until("ready>")
        alone, _ = self.begin()
        alone.until("ready>")
        alone.type("echo pid=$$=\r")
        found = alone.until_found(r"pid=(\d+)=\nready>")
        alone.leg.close()
        until(lambda: [each for each in self.terminals() if "detached" in each])
        self.common.agent.process.send_signal(signal.SIGTERM)
        closed = viewer.until_ended()
        self.assertIn("the terminal ends with it", closed.rcvd.reason if closed.rcvd else "")
        self.common.agent.process.wait(WAIT)
        until(lambda: not alive(int(found[1])), what="the end of the program that nobody was attached to")

    def test_ignored(self) -> None:
        """A program that ignores SIGHUP doesn't outlive the agent either, be its terminal kept or not."""
        pids = []
        for target in ("stubborn", "unkept"):
            viewer, _ = self.begin(target)
            pids.append(int(viewer.until_found(r"pid=(\d+)=")[1]))
        self.common.agent.process.send_signal(signal.SIGTERM)
        self.common.agent.process.wait(WAIT)
        until(lambda: not any(map(alive, pids)), what="the end of what ignores SIGHUP")


class OfAnother(Case):
    """A command of another user, which the launcher of an agent that has given root up has started."""

    def common_chain(self) -> Chain:
        need_root("an agent that can change users")
        chain = Dropped(self.folder, targets=TARGETS.replace("keep = 600", 'keep = 600\nuser = "nobody"'))
        self.start_chain(chain)
        return chain

    def test_kept(self) -> None:
        """It goes on without a client, too, is another's to come back to, and ends with its terminal."""
        viewer, terminal = self.begin()
        viewer.until("ready>")
        viewer.type("echo $(id -un) pid=$$=\r")
        found = viewer.until_found(r"nobody pid=(\d+)=")
        viewer.leg.close()
        until(lambda: [each for each in self.terminals() if "detached" in each])
        again, _ = self.begin(terminal=terminal)
        again.until(found[0])
        self.assertTrue(self.end(terminal)["ready"])
        until(lambda: not alive(int(found[1])), what="the shell's end")


class Resumed(Case, CutStream):
    """A stream that resumes, at a terminal."""

    def common_chain(self) -> Chain:
        return self.own

    def chain(self, **settings: Any) -> Chain:
        return super().chain(targets=TARGETS, **settings)

    def test_relay_killed(self) -> None:
        """A relay that is killed costs a native client neither its terminal nor a byte, while another client comes and
        leaves."""
        pipes: dict[str, Any] = PIPES
        client = self.start(HOST, "shell", chain=self.own, **pipes)
        assert client.stdin is not None and client.stdout is not None
        client.stdin.write(b"mark=$((40 + 2)); echo first $mark\n")
        client.stdin.flush()
        self.assertIn(b"first 42", read_until(client.stdout, b"first 42"))
        [info] = self.terminals()
        self.assertEqual(info["people"][0]["user"], "alice")
        other, _ = self.begin(terminal=info["terminal"], user="alice")
        other.until("first 42")
        self.kill_relay()
        other.until_ended()
        client.stdin.write(b"echo second $mark\n")
        client.stdin.flush()
        self.assertIn(b"second 42", read_until(client.stdout, b"second 42"))
        again, _ = self.begin(terminal=info["terminal"], user="alice")
        again.until("second 42")
        self.assertEqual(len(self.terminals()), 1)
        self.assertTrue(self.end(info["terminal"])["ready"])
        self.assertNotEqual(client.wait(WAIT), 0)


def read_until(pipe: IO[bytes], text: bytes) -> bytes:
    """Read from a pipe, which isn't buffered or by bytes, until a text has come."""
    read = b""
    while text not in read:
        piece = pipe.read(1)
        assert piece, f"{text!r} did not come: {read!r}"
        read += piece
    return read
