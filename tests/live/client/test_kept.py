"""Kept terminals at the native client: left and come back to, shared as grants say, listed, ended, attached to anew."""

import json
import os
import re
import termios
from typing import Any

from streamrelay.platform.auth.grants import Grant
from tests.live.client.test_connect import Screen, Starting
from tests.live.support.chain import HOST
from tests.live.support.files import change
from tests.live.support.ports import answers
from tests.live.support.waiting import WAIT, until

TARGETS = """
[targets.shell]
kind = "pty"
command = ["/bin/sh"]
environment = { PS1 = "ready> ", TERM = "xterm" }
keep = 600

[targets.plain]
kind = "pty"
command = ["/bin/sh"]
environment = { PS1 = "ready> ", TERM = "xterm" }
"""


class Seat:
    """Somebody at a terminal of their own, with a client on it."""

    def __init__(self, case: "KeptCase", user: str, *arguments: str) -> None:
        self.case = case
        self.master, slave = os.openpty()
        case.addCleanup(os.close, self.master)
        termios.tcsetwinsize(slave, (24, 80))
        self.before, self.screen = termios.tcgetattr(slave), Screen(self.master)
        three: dict[str, Any] = {"stdin": slave, "stdout": slave, "stderr": slave}
        case.addCleanup(os.close, slave)
        self.process = case.start(*arguments, key=case.keys[user], start_new_session=True, **three)
        self.slave = slave

    def type(self, text: bytes) -> None:
        os.write(self.master, text)

    def shows(self, text: bytes) -> bytes:
        return self.screen.expect(text)

    def answers(self, text: bytes, shown: bytes) -> bool:
        """Type a text, and tell whether what it shows has come: it is dropped while there is no stream."""
        self.type(text)
        return shown in self.screen.read()

    def ends(self, status: int) -> str:
        """It ends with this status, and its terminal is as it was; return what it shows at the end."""
        self.case.assertEqual(self.process.wait(WAIT), status, self.screen.read())
        self.case.assertEqual(termios.tcgetattr(self.slave), self.before)
        return self.screen.read().decode("utf-8", "replace")


class KeptCase(Starting):
    """A host with kept terminals, and users with several grants."""

    agent = "hold = 2\n"
    tokens = "signed"
    grants = {
        "ann": Grant(HOST, "*"),
        "dan": Grant(HOST, "*"),
        "helper": Grant(HOST, "shell", share=True),
        "watcher": Grant(HOST, "shell", view=True, share=True),
    }

    def setUp(self) -> None:
        super().setUp()
        self.own = self.common = self.chain(targets=TARGETS, agent=self.agent, tokens=self.tokens)
        self.keys = {name: self.own.add_key(name, grant) for name, grant in self.grants.items()}

    def sit(self, user: str, *arguments: str) -> Seat:
        return Seat(self, user, *arguments)

    def begin(self, user: str = "ann") -> Seat:
        """Somebody at a new terminal."""
        seat = self.sit(user, HOST, "shell")
        seat.shows(b"~d at the beginning of a line leaves this terminal, which goes on")
        seat.shows(b"ready>")
        return seat

    def anew(self) -> Seat:
        """Somebody whose stream is lost for good, in whose shell x is 42; the relay is there again."""
        seat = self.begin()
        seat.type(b"x=4''2; echo be''fore\r")
        seat.shows(b"before\r\n")
        self.own.relay.kill()
        seat.shows(b"its terminal is attached to anew")
        self.own.relay.start()
        return seat

    def run_command(self, user: str, *arguments: str) -> tuple[int, str, str]:
        """Status, standard output and standard error of a command."""
        done = self.own.streamrelay(*arguments, more={"STREAMRELAY_KEY": self.keys[user]}, given=b"")
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def listed(self, user: str) -> list[dict[str, Any]]:
        asked = (user, "terminals", HOST, "--json")
        done = until(lambda: (done := self.run_command(*asked))[::2] == (0, "") and done, what="a whole list")
        found: list[dict[str, Any]] = json.loads(done[1])["terminals"]
        return found

    def one(self, user: str = "ann") -> str:
        """The id of the only terminal that a user sees."""
        [found] = self.listed(user)
        terminal: str = found["terminal"]
        return terminal


class Left(KeptCase):
    """Terminals that are left, and come back to."""

    def test_detach(self) -> None:
        """~d leaves a terminal, which goes on; who attaches again sees what was there, and goes on, until it ends."""
        seat = self.begin()
        seat.type(b"echo o''ne; cd /tmp\r")
        seat.shows(b"one\r\n")
        seat.type(b"\r~d")
        words = seat.ends(0)
        until(lambda: "detached" in self.listed("ann")[0], what="nobody at the terminal")
        terminal = self.one()
        self.assertIn(f"streamrelay connect {HOST} shell --attach={terminal} attaches to it again", words)
        status, out, _ = self.run_command("ann", "terminals")
        self.assertRegex(out, rf"^{re.escape(terminal)}\t{HOST}\tshell\tann\t0:\d\d:\d\d\t\tdetached 0:\d\d:\d\d\n$")
        again = self.sit("ann", "--attach", f"{HOST}:shell")
        again.shows(b"one")
        again.shows(b"ready>")
        again.type(b"pwd; exit 7\r")
        again.shows(b"/tmp")
        self.assertNotIn("goes on", again.ends(7))
        until(lambda: self.listed("ann") == [], what="no terminal")
        status, _, said = self.run_command("ann", "connect", HOST, "shell", f"--attach={terminal}")
        self.assertEqual((status, said), (4, "streamrelay: no such terminal\n"))

    def test_cut(self) -> None:
        """A client that is killed, or has left by ~., leaves it behind, too; two that are opened are two."""
        for leave in (lambda seat: seat.process.kill(), lambda seat: seat.type(b"~.")):
            seat = self.begin()
            leave(seat)
            seat.process.wait(WAIT)
        until(lambda: all("detached" in one for one in self.listed("ann")), what="nobody at the terminals")
        self.assertEqual(len(self.listed("ann")), 2)
        status, _, said = self.run_command("ann", "connect", "--attach", f"{HOST}:shell")
        self.assertEqual(status, 2)
        self.assertIn("there are several", said)

    def test_plain(self) -> None:
        """A target that keeps none has no such key, and no such terminal."""
        seat = self.sit("ann", HOST, "plain")
        self.assertIn(b"~. at the beginning of a line ends this terminal", seat.shows(b"ready>"))
        self.assertEqual(self.listed("ann"), [])
        seat.type(b"~.")
        self.assertNotIn("goes on", seat.ends(130))


class Shared(KeptCase):
    """Several who are attached to one terminal."""

    def test_two(self) -> None:
        """Who may share it types into the same shell, from a second client; both see all, and one leaves the other."""
        first = self.begin()
        second = self.sit("helper", HOST, "shell", f"--attach={self.one()}", "-v")
        second.shows(b"attached to this terminal: ann, helper")
        second.shows(b"ready>")
        second.type(b"x=4''2; echo from-helper\r")
        first.shows(b"from-helper\r\n")
        first.type(b"echo $x-$x\r")
        second.shows(b"42-42\r\n")
        [found] = self.listed("helper")
        self.assertEqual([person["user"] for person in found["people"]], ["ann", "helper"])
        self.assertEqual((found["user"], found["own"], found["view"]), ("ann", False, False))
        second.type(b"\r~d")
        second.ends(0)
        first.type(b"echo still $x\r")
        first.shows(b"still 42\r\n")

    def test_not_shared(self) -> None:
        """Who may not share it is told that there is none, as of one that never was; what they open is their own."""
        self.begin()
        terminal = self.one()
        self.assertEqual(self.listed("dan"), [])
        told = [
            self.run_command("dan", "connect", HOST, "shell", f"--attach={each}")[::2] for each in (terminal, "a" * 22)
        ]
        self.assertEqual(told, [(4, "streamrelay: no such terminal\n")] * 2)
        ended = self.run_command("dan", "terminals", HOST, f"--end={'a' * 22}")
        self.assertEqual(ended[::2], (4, f"streamrelay: {'a' * 22}: no such terminal\n"))
        own = self.begin("dan")
        own.type(b"~d")
        own.ends(0)
        self.assertEqual([one["user"] for one in self.listed("dan")], ["dan"])
        self.assertEqual([one["user"] for one in self.listed("ann")], ["ann"])

    def test_watcher(self) -> None:
        """Who may only look sees what is typed, and nothing that they type comes there; nor may they end it."""
        first = self.begin()
        terminal = self.one()
        watcher = self.sit("watcher", HOST, "shell", f"--attach={terminal}")
        watcher.shows(b"view only")
        watcher.shows(b"ready>")
        watcher.type(b"echo in''truder\r")
        first.type(b"echo fr''om-ann\r")
        watcher.shows(b"from-ann\r\n")
        self.assertNotIn(b"intruder", first.screen.read())
        status, _, said = self.run_command("watcher", "terminals", HOST, f"--end={terminal}")
        self.assertEqual(status, 4, said)
        self.assertIn("may only look", said)
        watcher.type(b"~d")
        watcher.ends(0)

    def test_withdrawn(self) -> None:
        """A share that is withdrawn lets nobody attach any more."""
        self.begin()
        terminal = self.one()
        change(self.own.keys, (", share = true", ""))
        status, _, said = self.run_command("helper", "connect", HOST, "shell", f"--attach={terminal}")
        self.assertEqual((status, said), (4, "streamrelay: no such terminal\n"))

    def test_withdrawn_meanwhile(self) -> None:
        """Who is attached when a share is withdrawn doesn't come back once their stream is cut; its starter does."""
        first = self.begin()
        second = self.sit("helper", HOST, "shell", f"--attach={self.one()}")
        second.shows(b"ready>")
        change(self.own.keys, (", share = true", ""))
        self.own.relay.kill()
        self.own.relay.start()
        self.assertIn("no such terminal", second.ends(1))
        until(lambda: first.answers(b"echo sti''ll\r", b"still\r\n"), what="the terminal of who has started it")
        until(lambda: [person["user"] for person in self.listed("ann")[0]["people"]] == ["ann"], what="only ann there")


class Ended(KeptCase):
    """The end of terminals."""

    def test_ended(self) -> None:
        """A terminal that is ended takes its program and all its streams along, with a word why."""
        first = self.begin()
        terminal = self.one()
        second = self.sit("helper", HOST, "shell", f"--attach={terminal}")
        second.shows(b"ready>")
        self.assertEqual(self.run_command("ann", "terminals", HOST, f"--end={terminal}"), (0, "", ""))
        for seat in (first, second):
            self.assertIn("4006", seat.ends(1))
        until(lambda: self.listed("ann") == [], what="no terminal")
        self.own.platform.wait_for(f"terminal {terminal} of {HOST} ended by ann")
        self.own.platform.wait_for(f"attached to terminal {terminal}")


class Anew(KeptCase):
    """Streams that can't be resumed any more."""

    def test_anew(self) -> None:
        """A client whose stream was held no longer attaches to its terminal anew by itself, says so in one line, and
        goes on in the very shell."""
        seat = self.anew()
        until(lambda: answers(self.own.relay_port), what="the relay")
        seat.shows(b"before")
        seat.shows(b"ready>")
        seat.type(b"echo $x-$x\r")
        seat.shows(b"42-42\r\n")
        self.assertEqual(len(self.listed("ann")), 1)
        seat.type(b"exit 3\r")
        seat.ends(3)

    def test_gone(self) -> None:
        """One whose terminal has ended meanwhile, with its agent, is told that it is over."""
        seat = self.begin()
        self.own.agent.kill()
        self.own.agent.start()
        words = seat.ends(1)
        self.assertIn("no such terminal", words)


class Plain(KeptCase):
    """A platform that signs nothing: streams don't resume."""

    tokens = "opaque"

    def test_anew(self) -> None:
        """A stream that is lost is followed by another one; terminals are listed, shared, and ended likewise."""
        seat = self.anew()
        seat.shows(b"before")
        seat.shows(b"ready>")
        other = self.sit("helper", HOST, "shell", f"--attach={self.one()}")
        other.shows(b"ready>")
        other.type(b"echo $x-$x\r")
        seat.shows(b"42-42\r\n")
        self.assertEqual(self.listed("dan"), [])
        self.assertEqual(self.run_command("ann", "terminals", HOST, f"--end={self.one()}"), (0, "", ""))
        for each in (seat, other):
            each.ends(1)
        until(lambda: self.listed("ann") == [], what="no terminal")
