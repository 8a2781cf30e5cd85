"""Containers as targets, through the whole chain: logs and commands by the API of podman, and of Docker."""

import json
import re
import time
from random import Random
from typing import TYPE_CHECKING, Any

from twisted.trial.unittest import SkipTest

from tests.live.agent.targets.test_targets import Ear
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain, shared
from tests.live.support.containers import Containers, Docker, Podman, standing
from tests.live.support.waiting import WAIT, until
from tests.live.support.websockets import V1, read_all

TARGETS = r"""
[targets."log/{name}"]
kind = "container"
socket = "SOCKET"
container = "{name}"
lines = 3
parts = { name = "[a-z0-9-]+" }

[targets."shell/{name}"]
kind = "container"
socket = "SOCKET"
container = "{name}"
show = "exec"
labels = { "streamrelay" = "yes" }
parts = { name = "[a-z0-9-]+" }

[targets."kept/{name}"]
kind = "container"
socket = "SOCKET"
container = "{name}"
show = "exec"
keep = 600
parts = { name = "[a-z0-9-]+" }

[targets."tenant/{tenant}/{name}"]
kind = "container"
socket = "SOCKET"
container = "{name}"
labels = { "tenant" = "{tenant}" }
parts = { name = "[a-z0-9-]+", tenant = "[a-z]+" }

[targets."typo/{name}"]
kind = "container"
socket = "SOCKET"
container = "{name}"
show = "exec"
command = ["/bin/no-such-program"]
parts = { name = "[a-z0-9-]+" }

[targets.nowhere]
kind = "container"
socket = "FOLDER/no.sock"
container = "c"
"""

LINE = "0123456789" * 100
LINES = 41_000
"""Of `LINE`, 41 MB: more than all that is on the way holds. Short ones would show no more, and take minutes."""
MANY = 300_000
"""Short lines, of a terminal."""
TALK = "[ -p /tmp/in ] || mkfifo -m 666 /tmp/in; while :; do cat /tmp/in; done"
"""A container that says what it is told."""
ALOUD = "mkfifo -m 666 /tmp/error; (while :; do cat /tmp/error >&2; done) & "
"""Before `TALK`: it says what it is told by another pipe as an error."""
READY = "mkfifo -m 666 /tmp/go; echo ready; cat /tmp/go; "
"""A container that has more to do, and waits with it for whoever follows its log."""


class ContainerTest(LiveTest):
    """A test on a chain whose targets are containers."""

    kind: Any = None

    def setUp(self) -> None:
        super().setUp()
        if self.kind is None:
            raise SkipTest("the tests that podman's and Docker's containers have in common")
        self.containers: Containers = standing(self.kind)
        self.common: Chain = shared(targets=TARGETS.replace("SOCKET", str(self.containers.socket)))

    def tell(self, name: str, text: str, pipe: str = "in") -> None:
        """Have a container that runs `TALK` say something."""
        self.write(name, f"printf '%s' '{text}'", pipe)

    def write(self, name: str, script: str, pipe: str = "in") -> None:
        """Have what a script says said by a container, once that has made its pipe: else a file would be made."""
        wait = f"until [ -p /tmp/{pipe} ]; do sleep 0.1; done"
        self.containers.command("exec", name, "/bin/sh", "-c", f"{wait}; ({script}) >/tmp/{pipe}")

    def follow(self, name: str) -> Ear:
        """The log of a container that has begun with `READY`, from where that goes on."""
        ear = self.hear(f"log/{name}")
        ear.expect("ready\n")
        self.tell(name, "", "go")
        return ear

    def ask(self, target: str, **more: object) -> Any:
        return self.common.ask("POST", "/v1/streams", {"host": HOST, "target": target, **more})

    def hear(self, target: str, **more: object) -> Ear:
        answer = self.ask(target, **more)
        self.assertEqual(answer.status, 201, answer.text)
        return Ear(self.websocket(answer.json["url"], V1))

    def reason(self, target: str) -> str:
        """The code by which a target is refused, and why."""
        answer = self.ask(target)
        self.assertGreaterEqual(answer.status, 400, answer.text)
        return f"{answer.json['code']}: {answer.json['detail']}"


if TYPE_CHECKING:
    Mixin = ContainerTest
else:
    Mixin = object  # which trial doesn't take for tests of its own


class Logs(Mixin):
    """What both kinds do with logs."""

    def test_follows(self) -> None:
        """The last lines of both outputs come, then what is written; the first message is a place."""
        self.containers.run("talk", ALOUD + TALK)
        # Docker reads both outputs by themselves: one has an order with the other only when it has been read.
        for word, pipe in (("one", "in"), ("two", "error"), ("three", "in"), ("four", "error")):
            self.tell("talk", f"{word}\n", pipe)
            self.logged("talk", word)
        ear = self.hear("log/talk")
        self.assertIn("place", json.loads(ear.leg.recv(WAIT)))
        lines = ear.expect(r"(?s)(\w+\n){3}")[0].split()
        self.assertEqual(set(lines), {"two", "three", "four"})
        self.tell("talk", "five\n")
        self.assertEqual(ear.expect(r"(?s).*five\n")[0], "five\n")

    def logged(self, name: str, words: str) -> None:
        """Wait until these words are in a container's log."""

        def are_there() -> bool:
            done = self.containers.command("logs", name)
            return words in done.stdout + done.stderr

        until(are_there, what=f"{words!r} in the log of {name}")

    def test_ends(self) -> None:
        """The stream of one that has ended has every line, and ends in order when it is removed; until then its log is
        there, for whoever opens it.

        Podman drops lines that it hasn't passed on by then, and ends of lines. They come after all, and if not in
        order, that is said.
        """
        self.containers.run("ends", READY + "seq 1 20000; exit 4")
        ear = self.follow("ends")
        self.note(ear, "container ends has ended: waiting up to 10 s for it to be started again")
        numbers = [int(line) for line in ear.text.split()]
        if self.kind is Podman and any("lost" in control for control in ear.controls):
            numbers = sorted(set(numbers) & set(range(1, 20001)))
        self.assertEqual(numbers, list(range(1, 20001)))
        data, _, code = read_all(self.websocket(self.ask("log/ends").json["url"], V1))
        self.assertEqual((data, code), (b"19998\n19999\n20000\n", 1000))
        self.containers.command(*self.containers.remove, "ends")
        data, _, code = read_all(ear.leg)
        self.assertEqual((data, code), (b"", 1000))

    def note(self, ear: Ear, words: str) -> None:
        """Hear what comes until these words about the log do."""
        end = time.monotonic() + WAIT
        while not any(control.get("note") == words for control in ear.controls):
            message = ear.leg.recv(max(0.01, end - time.monotonic()))
            if isinstance(message, str):
                ear.controls.append(json.loads(message))
            else:
                ear.text += message.decode()

    def test_started_again(self) -> None:
        """The log of one that is started again while it is followed goes on: every line comes once, or it is said that
        podman gave some late."""
        self.containers.run("twice", "echo begin; seq 1 100; " + TALK)
        ear = self.hear("log/twice")
        ear.expect("100\n")
        self.tell("twice", "five\n")
        self.logged("twice", "five")  # it is told, and might be killed before it says so
        self.containers.command("restart", "--time=0", "twice")
        self.tell("twice", "six\n")
        text = ear.expect(r"(?s).*six\n")[0]
        lines, written = text.split(), ["five", "begin", *map(str, range(1, 101)), "six"]
        if self.kind is Podman and any("lost" in control for control in ear.controls):
            self.assertEqual(set(lines), set(written))
            return
        self.assertEqual(lines, written, ear.controls)
        if self.kind is Docker:  # podman's log may go on as if nothing had been, where it is started again at once
            self.note(ear, "container twice was started again")
        self.assertFalse(any("lost" in control for control in ear.controls), ear.controls)

    def test_not_started_yet(self) -> None:
        """One that was made and not started yet is waited for, which is said; its log comes from the first line on."""
        self.containers.make("later", "echo first; " + TALK, "create")
        ear = self.hear("log/later")
        self.note(ear, "container later is not started yet: waiting for it")
        self.containers.command("start", "later")
        self.assertEqual(ear.expect(r"(?s).*first\n")[0], "first\n")
        self.note(ear, "container later was started")

    def test_terminal(self) -> None:
        """The log of a container with a terminal comes as its terminal got it."""
        self.containers.run("tty", "stty -onlcr; echo one; echo two >&2; " + TALK, "-t")
        self.logged("tty", "two")
        ear = self.hear("log/tty")
        self.assertEqual(ear.expect(r"(?s).*two\r?\n")[0].replace("\r", ""), "one\ntwo\n")

    def test_long_lines(self) -> None:
        """A line longer than what is logged at once, 8 or 16 KiB, comes whole, and without a time in it."""
        self.containers.run("long", TALK)
        self.containers.run("longtty", "stty -onlcr; " + TALK, "-t")
        # Podman puts times into the long lines of a terminal, wherever it happens to cut them (operations.rst).
        for name in ("long",) if self.kind is Podman else ("long", "longtty"):
            ear = self.hear(f"log/{name}")
            self.write(name, "yes 0123456789 | tr -d '\\n' | head -c 100000; echo; echo end")
            text = ear.expect(r"(?s).*end\r?\n")[0].replace("\r", "")
            self.assertEqual(text, ("0123456789" * 10000) + "\nend\n")

    def test_goes_on(self) -> None:
        """A log that is cut off again and again goes on where it was: no line is lost or doubled."""
        script = (
            "i=0; while [ $i -lt 6000 ]; do i=$((i+1)); echo $i; [ $((i % 50)) = 0 ] && sleep 0.04; done; sleep 600"
        )
        self.containers.run("counts", READY + script)
        random, text, place, after = Random(5), b"", "", 0
        end = time.monotonic() + 10 * WAIT  # of some dozen streams, to each of which podman gives all lines again
        times = 0
        while not text.endswith(b"\n6000\n"):
            self.assertLess(time.monotonic(), end, text[-100:])
            ear = self.hear("log/counts", **({"place": place, "after": after} if place else {}))
            if not times:
                self.tell("counts", "", "go")
            until_then = time.monotonic() + random.choice((0.02, 0.1, 0.5, 1.3))
            room = random.choice((500, 2000, 5000))  # however slow all is, it takes several times
            times += 1
            while room and (left := until_then - time.monotonic()) > 0:
                try:
                    message = ear.leg.recv(left)
                except TimeoutError:
                    break
                if isinstance(message, str):
                    control = json.loads(message)
                    self.assertNotIn("lost", control)
                    place, after = control["place"], 0
                else:
                    message = message[:room]
                    text += message
                    after += len(message)
                    room -= len(message)
            ear.leg.close()
        numbers = [int(line) for line in text.removeprefix(b"ready\n").split()]
        self.assertEqual(numbers, list(range(numbers[0], 6001)))
        self.assertGreater(times, 4)

    def test_another_container(self) -> None:
        """A place of a container that was replaced by another of its name is lost, and its successor's log begins."""
        self.containers.run("again", "echo old; " + TALK)
        ear = self.hear("log/again")
        ear.expect("old\n")
        place = ear.controls[-1]["place"]
        self.containers.run("again", "echo new; " + TALK)
        self.logged("again", "new")
        ear = self.hear("log/again", place=place, after=4)
        self.assertEqual(ear.expect(r"(?s).*\n")[0], "new\n")
        self.assertTrue(ear.controls[0].get("lost"))

    def test_slow_client(self) -> None:
        """A client that doesn't read costs the agent no memory: the log stays where it is."""
        self.containers.run("flood", f"{READY}yes {LINE} | head -n {LINES}; sleep 600")
        ear = self.follow("flood")
        before = self.common.agent.rss()
        time.sleep(6)
        self.assertLess(self.common.agent.rss() - before, 8)
        size, whole, end = 0, (len(LINE) + 1) * LINES, time.monotonic() + 4 * WAIT
        while size < whole and time.monotonic() < end:
            message = ear.leg.recv(WAIT)
            size += len(message) if isinstance(message, bytes) else 0
        self.assertEqual(size, whole)


class Shells(Mixin):
    """What both kinds do with commands."""

    LABEL = "--label=streamrelay=yes"

    def test_size_and_status(self) -> None:
        """A shell has the terminal's size, and another one after a resize; its exit status comes."""
        self.containers.run("shell", TALK, self.LABEL)
        ear = self.hear("shell/shell")
        self.sized(ear, "24 80")
        ear.leg.send('{"resize":[111,33]}')
        self.sized(ear, "33 111")
        ear.leg.send(b"exit 3\n")
        _, controls, code = read_all(ear.leg)
        self.assertEqual((controls[0]["exit"], code), (3, 1000))

    def sized(self, ear: Ear, size: str) -> None:
        """Ask a shell until its terminal has this size: that comes by another request than what is typed."""

        def has_it() -> bool:
            ear.leg.send(b"stty size\n")
            return bool(ear.expect(r"(\d+ \d+)\r\n")[1] == size)

        until(has_it, what=f"the size {size}")

    def test_end_of_file(self) -> None:
        """A client's end of file is typed as Ctrl-D: the shell ends by it."""
        self.containers.run("shell", TALK, self.LABEL)
        ear = self.hear("shell/shell")
        ear.leg.send(b"(exit 5)\n")
        ear.leg.send('{"eof":true}')
        _, controls, code = read_all(ear.leg)
        self.assertEqual((controls[0]["exit"], code), (5, 1000))

    def test_much(self) -> None:
        """Megabytes come out of a terminal, and go into it, while both ends take their time."""
        self.containers.run("shell", TALK, self.LABEL)
        ear = self.hear("shell/shell")
        ear.leg.send(f"stty -onlcr; seq 1 {MANY} | md5sum; seq 1 {MANY}; echo d''one\n".encode())
        ear.expect(r"[0-9a-f]{32}  -\n", 60)  # all those lines first, on a machine that may be busy
        time.sleep(1)
        data = ear.text.encode()
        while b"done" not in data[-100:]:
            more = ear.leg.recv(WAIT)
            assert isinstance(more, bytes)
            data += more
        self.assertEqual(data.split()[:MANY], [b"%d" % number for number in range(1, MANY + 1)])

    def test_client_leaves(self) -> None:
        """What a client started ends when it leaves, in the foreground and in the background; all else lives."""
        self.containers.run("shell", f"sleep 654 & {TALK}", self.LABEL)
        ear = self.hear("shell/shell")
        ear.leg.send(b"sleep 987 &\n")
        ear.leg.send(b"trap '' HUP; sleep 876\n")
        until(lambda: "sleep 876" in self.containers.processes("shell"), what="the command")
        ear.leg.close()
        until(lambda: not re.search("sleep (987|876)", self.containers.processes("shell")), what="their end")
        self.assertIn("sleep 654", self.containers.processes("shell"))

    def test_kept(self) -> None:
        """One that is kept goes on when its client leaves; whoever comes back sees its screen, and types on. Ended, it
        is gone with all that it had started."""
        self.containers.run("kept", TALK)
        ear, (terminal,) = self.hear("kept/kept"), self.terminals(1)
        ear.leg.send(b"sleep 765 & stty -echo; echo fir''st; id=$$\n")
        ear.expect("first\r\n")
        ear.leg.close()
        until(lambda: "detached" in self.terminals(1)[0], what="that nobody is attached")
        again = self.hear("kept/kept", terminal=terminal["terminal"])
        again.expect("first")
        again.leg.send(b"[ $id = $$ ] && echo sa''me\n")
        again.expect("same\r\n")
        self.assertIn("sleep 765", self.containers.processes("kept"))
        path = f"/v1/hosts/{HOST}/terminals/{terminal['terminal']}"
        self.assertEqual(self.common.ask("DELETE", path).status, 204)
        self.assertEqual(read_all(again.leg)[2], 4006)
        until(lambda: "sleep 765" not in self.containers.processes("kept"), what="its end")
        self.terminals(0)

    def terminals(self, count: int) -> Any:
        """Terminals that are kept of the one container, once there are so many."""

        def those() -> Any:
            listed = self.common.ask("GET", f"/v1/hosts/{HOST}/terminals").json["terminals"]
            found = [each for each in listed if each["target"] == "kept/kept"]
            return [found] if len(found) == count else None

        return until(those, what=f"{count} terminals")[0]

    def test_for_looking_only(self) -> None:
        """A terminal that may only be looked at takes a size and nothing else."""
        self.containers.run("shell", TALK, self.LABEL)
        ear = self.hear("shell/shell", view=True)
        ear.leg.send(b"echo ty''ped\n")
        ear.expect("# ")
        time.sleep(1)
        self.assertRaises(AssertionError, ear.expect, "typed", 0.5)


class Refusals(Mixin):
    """What may not be opened, or can't."""

    def test_label(self) -> None:
        """A container without the label, or with another value, is not allowed; a label may hold a part of the name."""
        self.containers.run("plain", TALK, "--label=streamrelay=no")
        self.assertEqual(self.reason("shell/plain"), "not_allowed: this container is not allowed")
        self.containers.run("mine", "echo mine; " + TALK, "--label=tenant=blue")
        self.hear("tenant/blue/mine").expect("mine\n")
        self.assertEqual(self.reason("tenant/red/mine"), "not_allowed: this container is not allowed")

    def test_not_there(self) -> None:
        """A container that isn't there, one that is named by the beginning of its id, and an API that isn't there."""
        name = self.containers.run("plain", TALK)
        self.assertEqual(self.reason("log/none"), "target_refused: there is no container none")
        self.assertIn("there is no container", self.reason(f"log/{name[:12]}"))
        self.assertIn("no.sock", self.reason("nowhere"))

    def test_not_running(self) -> None:
        """No command can be run in a container that has ended."""
        self.containers.run("ended", "exit 0", self.LABEL)
        self.containers.command("wait", "ended")  # before that a command might well run
        self.assertIn("is not running (exited)", self.reason("shell/ended"))

    def test_no_such_program(self) -> None:
        """A command that the container hasn't got: refused, or, as some versions say it only then, an exit status."""
        self.containers.run("plain", TALK)
        answer = self.ask("typo/plain")
        if answer.status == 201:
            _, controls, code = read_all(self.websocket(answer.json["url"], V1))
            self.assertIn(controls[0]["exit"], (126, 127))  # as the version has it
            self.assertEqual(code, 1000)
        else:
            self.assertIn("no-such-program", answer.json["detail"])

    LABEL = Shells.LABEL


class PodmanContainers(Logs, Shells, Refusals, ContainerTest):
    """By `podman system service`."""

    kind = Podman

    def test_rotation(self) -> None:
        """Where podman begins a log anew as it is full, by which its readers lose lines, that is said while it runs."""
        count = (
            "i=0; while [ $i -lt 1500 ]; do i=$((i+1)); echo line $i of a log; [ $((i % 20)) = 0 ] && sleep 0.03; done"
        )
        options = ("--log-driver=k8s-file", "--log-opt=max-size=20kb")
        self.containers.run("turns", f"{READY}{count}; sleep 600", *options)
        ear, end = self.follow("turns"), time.monotonic() + WAIT
        while not any(control.get("lost") for control in ear.controls):
            message = ear.leg.recv(max(0.01, end - time.monotonic()))
            if isinstance(message, str):
                ear.controls.append(json.loads(message))


class DockerContainers(Logs, Shells, Refusals, ContainerTest):
    """By dockerd."""

    kind = Docker
