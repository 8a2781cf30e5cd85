"""targets/container*.py: containers' logs and commands, by an API in memory."""

from typing import Any
from urllib.parse import parse_qs

from msgspec.json import encode
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.catalogue import read_entry
from streamrelay.agent.targets.container.container import Container
from streamrelay.agent.targets.container.exec import MARK
from streamrelay.datapath.connection import Connection
from streamrelay.errors import TargetError
from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.protocol.control import Control, decode_control
from streamrelay.protocol.summons import Refusal, Terms
from tests.agent.targets.container.test_messages import framed
from tests.documented import API_ANSWER, API_REFUSAL, CONNECT_TIME, CONTAINER_LOOK, PLACES_EVERY
from tests.fakes.connections import Ear
from tests.fakes.targets import Asked, FakeDocker

ID = "5" * 64
EXEC, OTHER = "a" * 64, "b" * 64
FRESH = Terms()
STAMP = "2026-11-25T03:12:%02d.000000001Z "


def line(second: int, text: str) -> bytes:
    return framed((STAMP % second + text + "\n").encode())


class Case(SynchronousTestCase):
    """A container, and an API that a test speaks for."""

    def setUp(self) -> None:
        self.reactor, self.ear = MemoryReactorClock(), Ear()
        self.docker = FakeDocker(self.reactor)

    def connect(self, terms: Terms = FRESH, **settings: Any) -> "Deferred[Connection]":
        chosen: dict[str, Any] = {"socket": "/run/api.sock", **settings}
        target = Container(container="web", **chosen)
        target.check()
        return Deferred.fromCoroutine(target.connect(self.reactor, terms))

    def found(self, running: bool = True, tty: bool = False, labels: object = None, **more: object) -> None:
        """Answer what the container is."""
        state = {"Running": running, "Status": "running" if running else "exited"}
        self.docker.asked("GET /containers/web/json").answer(
            {"Id": ID, "Name": "/web", "State": state, "Config": {"Tty": tty, "Labels": labels}, **more}
        )

    def refused(self, work: "Deferred[Connection]", code: str, words: str) -> TargetError:
        error: TargetError = self.failureResultOf(work, TargetError).value
        self.assertEqual(error.code, code)
        self.assertIn(words, error.reason)
        return error

    def controls(self) -> list[Control]:
        return [decode_control(message) for _, message in self.ear.named("control")]


class Settings(SynchronousTestCase):
    """What stands in the agent's file."""

    def table(self, **settings: object) -> dict[str, object]:
        return {"kind": "container", "container": "web", **settings}

    def test_viewers(self) -> None:
        """A log is shown as a log, a command as a terminal."""
        self.assertEqual(read_entry("a", self.table()).settings.viewer, "log")
        self.assertEqual(read_entry("a", self.table(show="exec")).settings.viewer, "terminal")

    def test_wrong(self) -> None:
        """Impossible settings are told."""
        settings: tuple[dict[str, object], ...] = (
            {"container": "../json"},
            {"container": ""},
            {"container": "a/b"},
            {"socket": "api.sock"},
            {"show": "attach"},
            {"command": []},
            {"size": [0, 24]},
            {"lines": -1},
            {"keep": 60},
            {"show": "exec", "keep": -1},
            {"show": "exec", "keep": 1e9},
            {"labels": {"a": 1}},
            {"labels": {"a": "{part}"}},
        )
        for wrong in settings:
            self.assertRaises(ValueError, read_entry, "a", self.table(**wrong))

    def test_parts(self) -> None:
        """Parts go into the name, the labels, the user and the command, and make no name that is none."""
        parts = {"name": ".+", "tenant": "[a-z]+"}
        table = self.table(container="{name}", labels={"of": "{tenant}"}, user="{tenant}", command=["run", "{tenant}"])
        entry = read_entry("{tenant}/{name}", {**table, "parts": parts})
        found: Any = entry.match("blue/web-1")
        self.assertEqual((found.container, found.labels, found.user), ("web-1", {"of": "blue"}, "blue"))
        self.assertEqual(found.command, ("run", "blue"))
        for name in ("blue/web/json", "blue/web@1", "blue/..", "blue/-x"):
            self.assertIsNone(entry.match(name), name)


class Refusals(Case):
    """What isn't opened."""

    def test_label(self) -> None:
        """A container without a label, or with another value, is not allowed; only the log learns which one."""
        for labels in (None, {}, {"app": "db"}, {"app": "web"}):
            work = self.connect(labels={"app": "web", "open": "yes"})
            self.found(labels=labels)
            error = self.refused(work, Refusal.NOT_ALLOWED, "this container is not allowed")
            self.assertNotIn("=", error.reason)
            self.assertIn("=", error.detail)
        self.assertEqual(self.docker.waiting, 0)

    def test_not_there(self) -> None:
        """There is no such container, or it was only found by the beginning of its id."""
        work = self.connect()
        self.docker.asked("GET /containers/web/json").answer({"message": "No such container: web"}, "404 Not Found")
        self.refused(work, Refusal.TARGET_REFUSED, "there is no container web")
        work = self.connect()
        self.found(Name="/another")
        self.refused(work, Refusal.TARGET_REFUSED, "there is no container web")

    def test_not_running(self) -> None:
        """No command is run in a container that doesn't run."""
        work = self.connect(show="exec")
        self.found(running=False)
        self.refused(work, Refusal.TARGET_REFUSED, "container web is not running (exited)")

    def test_most(self) -> None:
        """An answer of 1 MiB is taken; of a longer one nothing is."""
        for more in (1, 0):
            work = self.connect()
            answer = encode({"Id": ID, "Name": "/web", "State": {}, "Config": {}, "More": ""})
            padded = answer[:-2] + b"x" * (API_ANSWER + more - len(answer)) + answer[-2:]
            self.docker.asked("GET /containers/web/json").answer(padded)
            if more:
                self.refused(work, Refusal.TARGET_REFUSED, "an answer of more than 1048576 bytes")
        self.assertEqual(self.docker.waiting, 1)  # it goes on to the next question

    def test_api(self) -> None:
        """An API that answers with an error, with nonsense, or not at all."""
        work = self.connect()
        self.docker.asked("GET").answer({"message": "out of\norder"}, "500 Internal Server Error")
        self.refused(work, Refusal.TARGET_REFUSED, "out of?order")
        work = self.connect()
        self.docker.asked("GET").answer(b"<html>")
        self.refused(work, Refusal.TARGET_REFUSED, "does not speak Docker's API")
        work = self.connect()
        self.docker.asked("GET")
        self.reactor.advance(CONNECT_TIME)
        self.refused(work, Refusal.TARGET_UNREACHABLE, "/run/api.sock: no answer within 10 s")


class LogCase(Case):
    """A container's log."""

    def open(
        self, terms: Terms = FRESH, podman: bool = False, tty: bool = False, **settings: object
    ) -> "Deferred[Connection]":
        work = self.connect(terms, **settings)
        self.found(tty=tty)
        self.docker.asked("GET /libpod/_ping").answer(b"", "200 OK" if podman else "404 Not Found")
        if podman:
            self.docker.asked(f"GET /v4.0.0/libpod/containers/{ID}/json").answer({})
        return work

    def asked(self, **query: object) -> Asked:
        """The next request for the log, with this in its query."""
        asked = self.docker.asked(f"GET /containers/{ID}/logs?")
        found = {name: value[0] for name, value in parse_qs(asked.line.partition("?")[2]).items()}
        self.assertEqual({name: found.get(name) for name in query}, query)
        asked.answer(whole=False)
        return asked

    def follow(self, **settings: Any) -> tuple[Connection, Asked]:
        """A log with two last lines, that is followed from there."""
        work = self.open(**settings)
        backlog = self.asked(tail="100", follow=None, stdout="1", stderr="1", timestamps="1")
        connection = self.successResultOf(work)
        connection.join(self.ear, self.ear)
        backlog.more(line(1, "one") + line(2, "two"))
        backlog.more(b"")
        self.reactor.advance(0)
        bound = None if settings.get("podman") else "100000"
        return connection, self.asked(follow="1", tail=bound, since="1795576321.000000001")

    def removed(self) -> None:
        """It is looked whether the container runs again, and it is there no more."""
        self.reactor.advance(CONTAINER_LOOK)
        self.docker.asked(f"GET /containers/{ID}/json").answer({"message": "No such container"}, "404 Not Found")


class Logs(LogCase):
    """A log's last lines, what follows, and places."""

    def test_follows(self) -> None:
        """First the last lines come, then, from there on, what is new: what the API gives twice is given once."""
        _, more = self.follow()
        self.assertEqual(self.ear.data, b"one\ntwo\n")
        more.more(line(1, "one") + line(2, "two") + line(2, "three"))
        more.more(line(3, "four"))
        self.reactor.advance(0)
        self.assertEqual(self.ear.data, b"one\ntwo\nthree\nfour\n")
        self.assertEqual([control.lost for control in self.controls()], [False, False])
        self.assertEqual(self.ear.said[0][0], "control")

    def test_podman(self) -> None:
        """Podman is asked without a bound, with which it may lose lines."""
        work = self.open(podman=True)
        backlog = self.asked(tail="100")
        self.successResultOf(work).join(self.ear, self.ear)
        backlog.more(b"")
        self.asked(follow="1", tail=None, since="0.000000000")

    def test_no_lines(self) -> None:
        """Without last lines it is followed from behind the last one."""
        work = self.open(lines=0)
        glance = self.asked(tail="1", follow=None)
        glance.more(line(2, "old"))
        glance.more(b"")
        self.successResultOf(work).join(self.ear, self.ear)
        more = self.asked(follow="1")
        more.more(line(2, "old") + line(2, "new"))
        self.reactor.advance(0)
        self.assertEqual(self.ear.data, b"new\n")

    def test_terminal(self) -> None:
        """The log of a container with a terminal has no frames."""
        work = self.open(tty=True)
        backlog = self.asked(tail="100")
        self.successResultOf(work).join(self.ear, self.ear)
        backlog.more((STAMP % 1 + "one\r\n").encode())
        self.reactor.advance(0)
        self.assertEqual(self.ear.data, b"one\r\n")

    def test_ends(self) -> None:
        """It ends in order when the container is removed."""
        _, more = self.follow()
        more.more(line(2, "two") + line(3, "last"))
        more.more(b"")
        self.removed()
        self.assertEqual(self.ear.data, b"one\ntwo\nlast\n")
        self.assertEqual([event[0] for event in self.ear.said[-3:]], ["eof", "over", "gone"])
        self.assertEqual(self.ear.codes, [1000])

    def end_of_podman(self, came: bytes, there: bytes) -> Asked | None:
        """Podman's container ends when so much came, and so much is there; the request for more, if there is one."""
        _, more = self.follow(podman=True)
        more.more(line(2, "two") + came)
        more.more(b"")
        check = self.asked(follow=None, tail=None, since="1795576321.000000001")
        check.more(line(2, "two") + there)
        check.more(b"")
        self.reactor.advance(0)
        return self.asked(follow=None, tail=None) if self.docker.waiting else None

    def test_podman_ends(self) -> None:
        """When podman's log ends it is looked whether all has come; then it ends in order."""
        for rest in (b"", line(3, "three") + line(3, "four")):
            self.ear = Ear()
            self.assertIsNone(self.end_of_podman(rest, rest))
            self.removed()
            self.assertEqual(self.ear.codes, [1000])

    def test_podman_drops(self) -> None:
        """Where podman dropped lines as its container ended that is said, and they come, behind what surely came."""
        rest = self.end_of_podman(line(3, "four"), line(3, "three") + line(3, "four"))
        self.assertEqual(self.ear.codes, [])
        assert rest is not None
        rest.more(line(2, "two") + line(3, "three") + line(3, "four"))
        rest.more(b"")
        self.reactor.advance(0)
        self.assertEqual(self.ear.data, b"one\ntwo\nfour\nthree\nfour\n")
        self.assertEqual([control.lost for control in self.controls()], [False, False, True])
        self.removed()
        self.assertEqual(self.ear.codes, [1000])

    def test_podman_drops_the_last(self) -> None:
        """Where podman dropped the very last lines they come, and nothing is lost, or comes twice."""
        rest = self.end_of_podman(line(3, "three"), line(3, "three") + line(3, "four") + line(4, "five"))
        assert rest is not None
        rest.more(line(2, "two") + line(3, "three") + line(3, "four") + line(4, "five"))
        rest.more(b"")
        self.removed()
        self.assertEqual(self.ear.data, b"one\ntwo\nthree\nfour\nfive\n")
        self.assertFalse(any(control.lost for control in self.controls()))
        self.assertEqual(self.ear.codes, [1000])

    def test_podman_drops_before_a_pause(self) -> None:
        """Where podman dropped lines, then was silent, and gave more, what came last before the silence is no place in
        its log: all that came since the log was followed comes once more."""
        _, more = self.follow(podman=True)
        more.more(line(2, "two") + line(3, "four") + line(3, "six"))
        self.reactor.advance(1)
        more.more(line(3, "eight"))
        more.more(b"")
        check = self.asked(follow=None, tail=None, since="1795576322.000000001")
        there = b"".join(line(3, text) for text in ("three", "four", "five", "six", "seven", "eight"))
        check.more(there)
        check.more(b"")
        self.reactor.advance(0)
        rest = self.asked(follow=None, tail=None, since="1795576321.000000001")
        rest.more(line(2, "two") + there)
        rest.more(b"")
        self.removed()
        self.assertEqual(self.ear.data, b"one\ntwo\nfour\nsix\neight\nthree\nfour\nfive\nsix\nseven\neight\n")
        self.assertEqual([control.lost for control in self.controls() if control.lost], [True])

    def test_podman_removed(self) -> None:
        """One that is removed while it runs ends in order, also where it can't be looked any more if all has come."""
        _, more = self.follow(podman=True)
        more.more(line(2, "two") + line(3, "three"))
        more.more(b"")
        check = self.docker.asked(f"GET /containers/{ID}/logs?")
        check.answer({"message": f'no container with name or ID "{ID}" found: no such container'}, "404 Not Found")
        self.reactor.advance(0)
        self.assertEqual(self.ear.data, b"one\ntwo\nthree\n")
        self.assertEqual([control.lost for control in self.controls()], [False, False, True])
        self.assertEqual(self.ear.codes, [1000])

    def test_leaves_at_podmans_end(self) -> None:
        """A client that leaves while it is looked whether all has come ends that, too."""
        connection, more = self.follow(podman=True)
        more.more(b"")
        check = self.asked(follow=None, tail=None)
        connection.abort()
        check.more(line(2, "two"))
        self.assertTrue(check.transport.disconnecting)
        self.assertEqual((self.ear.codes, self.docker.waiting), ([1000], 0))

    def test_breaks_off(self) -> None:
        """A log that breaks off, or is none, is no end in order."""
        _, more = self.follow()
        more.lose()
        self.assertEqual(self.ear.codes, [CloseCode.TARGET_RESET])
        self.ear = Ear()
        _, more = self.follow()
        more.more(b"plain text, no frames")
        self.assertEqual(self.ear.codes, [CloseCode.TARGET_RESET])
        self.assertEqual(len(self.ear.named("eof")), 0)

    def test_unreadable(self) -> None:
        """A log that can't be read is refused, in the API's words."""
        work = self.open()
        asked = self.docker.asked(f"GET /containers/{ID}/logs?")
        asked.answer({"message": "configured logging driver does not support reading"}, "501 Not Implemented")
        self.refused(work, Refusal.TARGET_REFUSED, "does not support reading")

    def test_backpressure(self) -> None:
        """While a client has no room the API isn't read, and from the first byte on if it had none then."""
        connection, more = self.follow()
        self.assertTrue(more.transport.reading)
        connection.pause()
        self.assertFalse(more.transport.reading)
        connection.resume()
        self.assertTrue(more.transport.reading)

    def test_paused_between(self) -> None:
        """A client that had no room when the last lines were over isn't sent what follows either."""
        work = self.open()
        backlog = self.asked()
        connection = self.successResultOf(work)
        connection.join(self.ear, self.ear)
        connection.pause()
        self.assertFalse(backlog.transport.reading)
        backlog.more(b"")
        self.assertFalse(self.asked(follow="1").transport.reading)

    def test_leaves(self) -> None:
        """A client that leaves closes the API's connection, whatever it was doing."""
        connection, more = self.follow()
        connection.close(outcome(CloseCode.FINISHED))
        self.assertTrue(more.transport.disconnecting)
        self.assertEqual(self.ear.codes, [1000])
        self.ear = Ear()
        work = self.open()
        backlog = self.asked()
        self.successResultOf(work).abort()  # before it was joined
        self.assertTrue(backlog.transport.disconnecting)

    def test_leaves_early(self) -> None:
        """So does one that leaves while the API hasn't begun to answer, which it does with the first line."""
        work = self.open()
        backlog = self.asked()
        connection = self.successResultOf(work)
        connection.join(self.ear, self.ear)
        backlog.more(b"")
        more = self.docker.asked(f"GET /containers/{ID}/logs?")
        connection.abort()
        self.assertTrue(more.transport.aborted or more.transport.disconnecting)
        self.assertEqual(self.ear.codes, [1000])
        self.assertEqual(len(self.ear.named("gone")), 1)

    def place(self) -> str:
        """The place behind two lines."""
        self.follow()
        self.reactor.advance(PLACES_EVERY)
        return self.controls()[-1].place

    def test_places(self) -> None:
        """Text is followed by a place within a quarter of a second, and by no more than one."""
        _, more = self.follow()
        self.reactor.advance(PLACES_EVERY)
        count = len(self.controls())
        more.more(line(2, "two"))
        for number in range(9):
            more.more(line(3 + number, "x"))
        self.reactor.advance(0)
        self.reactor.advance(PLACES_EVERY)
        self.assertEqual(len(self.controls()), count + 1)

    def test_goes_on(self) -> None:
        """A stream that is opened at a place goes on behind it, without the bytes that the client has already."""
        place, self.ear = self.place(), Ear()
        work = self.open(Terms(place=place, after=3))
        search = self.asked(since="1795576321.000000001", follow=None)
        search.more(line(1, "one") + line(2, "two") + line(3, "three"))
        self.successResultOf(work).join(self.ear, self.ear)
        more = self.asked(since="1795576321.000000001", follow="1")
        more.more(line(1, "one") + line(2, "two") + line(3, "three") + line(4, "four"))
        self.reactor.advance(0)
        self.assertEqual(self.ear.data, b"ee\nfour\n")
        self.assertEqual([control.lost for control in self.controls()], [False])

    def test_goes_on_twice(self) -> None:
        """The first place of such a stream stands for where it is, so a client that leaves at once can use it."""
        work = self.open(Terms(place=self.place(), after=3))
        self.asked(follow=None).more(line(2, "two"))
        self.ear = Ear()
        self.successResultOf(work).join(self.ear, self.ear)
        place, self.ear = self.controls()[0].place, Ear()
        self.docker.asked("GET")
        work = self.open(Terms(place=place, after=2))
        self.asked(follow=None).more(line(2, "two"))
        self.successResultOf(work).join(self.ear, self.ear)
        self.asked(follow="1").more(line(2, "two") + line(3, "three"))
        self.reactor.advance(0)
        self.assertEqual(self.ear.data, b"\n")

    def test_lost(self) -> None:
        """A place that isn't there any more is lost, which the first message says; then the last lines come."""
        place, self.ear = self.place(), Ear()
        work = self.open(Terms(place=place, after=3))
        search = self.asked(follow=None)
        search.more(line(5, "new"))
        search.more(b"")
        backlog = self.asked(tail="100", follow=None)
        self.successResultOf(work).join(self.ear, self.ear)
        backlog.more(line(5, "new"))
        self.reactor.advance(0)
        self.assertEqual(self.ear.data, b"new\n")
        self.assertEqual([control.lost for control in self.controls()], [True, False])

    def test_lost_since(self) -> None:
        """A place that is gone when the log is followed, though it was there just before, is said to be lost then."""
        work = self.open(Terms(place=self.place(), after=3))
        self.asked(follow=None).more(line(2, "two"))
        self.ear = Ear()
        self.successResultOf(work).join(self.ear, self.ear)
        self.asked(follow="1").more(line(5, "new"))
        self.reactor.advance(0)
        self.assertEqual(self.ear.data, b"new\n")
        self.assertEqual([control.lost for control in self.controls()], [False, True])

    def test_another_log(self) -> None:
        """A place that was made up, or made for another container, is lost."""
        work = self.open(Terms(place="1.1.1~x"))
        self.asked(tail="100", follow=None)
        self.successResultOf(work).join(self.ear, self.ear)
        self.assertTrue(self.controls()[0].lost)


class Execs(Case):
    """A command in a terminal."""

    def start(self) -> tuple[Connection, Asked]:
        work = self.connect(show="exec", command=("/bin/bash", "-l"), user="app", size=(91, 31))
        self.found()
        self.created = self.docker.asked(f"POST /containers/{ID}/exec")
        self.created.answer({"Id": EXEC}, "201 Created")
        self.started = self.docker.asked(f"POST /exec/{EXEC}/start")
        self.started.upgrade(b"early ")
        self.docker.asked(f"POST /exec/{EXEC}/resize?w=91&h=31").answer()
        connection = self.successResultOf(work)
        return connection, self.started

    def test_started(self) -> None:
        """The command is made as the settings say, in a terminal of their size, and marked; then bytes go both ways."""
        connection, shell = self.start()
        body = self.created.body
        self.assertEqual((body["Cmd"], body["User"], body["Tty"]), (["/bin/bash", "-l"], "app", True))
        self.assertTrue(any(each.startswith(f"{MARK}=") for each in body["Env"]))
        self.assertIn("Upgrade: tcp", shell.head)
        self.assertEqual(shell.body, {"Detach": False, "Tty": True})
        connection.join(self.ear, self.ear)
        shell.transport.protocol.dataReceived(b"out")
        self.assertEqual(self.ear.data, b"early out")
        connection.send([memoryview(b"in")], 2)
        self.assertEqual(shell.transport.take(), b"in")

    def test_unread(self) -> None:
        """Nothing is read before it is joined, and nothing while there is no room."""
        connection, shell = self.start()
        self.assertFalse(shell.transport.reading)
        connection.join(self.ear, self.ear)
        self.assertTrue(shell.transport.reading)
        connection.pause()
        self.assertFalse(shell.transport.reading)

    def test_exit(self) -> None:
        """When the command has ended its status is asked for, until it is known, and told behind its output."""
        connection, shell = self.start()
        connection.join(self.ear, self.ear)
        shell.transport.protocol.dataReceived(b"last")
        shell.transport.protocol.readConnectionLost()
        self.docker.asked(f"GET /exec/{EXEC}/json").answer({"Running": True, "ExitCode": None})
        self.reactor.advance(1)
        self.docker.asked(f"GET /exec/{EXEC}/json").answer({"Running": False, "ExitCode": 3})
        names = [event[0] for event in self.ear.said]
        self.assertEqual(names, ["bytes", "control", "eof", "over", "gone"])
        self.assertEqual((self.controls()[0].exit, self.ear.codes), (3, [1000]))
        self.assertEqual(self.docker.waiting, 0)  # nothing is left to be ended

    def test_breaks_off(self) -> None:
        """A connection that ends while the command runs is no exit, and the command is ended."""
        connection, shell = self.start()
        connection.join(self.ear, self.ear)
        shell.lose()
        for _ in range(5):
            self.docker.asked(f"GET /exec/{EXEC}/json").answer({"Running": True, "ExitCode": None})
            self.reactor.advance(1)
        self.assertEqual(self.ear.codes, [CloseCode.TARGET_RESET])
        self.ends()

    def ends(self) -> None:
        """A command is asked for that ends all processes which have the first one's mark."""
        (mark,) = [each for each in self.created.body["Env"] if each.startswith(f"{MARK}=")]
        asked = self.docker.asked(f"POST /containers/{ID}/exec")
        self.assertEqual((asked.body["Cmd"][-1], asked.body["User"], asked.body["Tty"]), (mark, "app", False))
        asked.answer({"Id": OTHER}, "201 Created")
        asked = self.docker.asked(f"POST /exec/{OTHER}/start")
        self.assertEqual(asked.body, {"Detach": True, "Tty": False})
        asked.answer()
        self.assertEqual(self.docker.waiting, 0)

    def test_client_leaves(self) -> None:
        """When the client leaves the command is ended, once; before it was joined as well."""
        for joined in (True, False):
            connection, shell = self.start()
            if joined:
                connection.join(self.ear, self.ear)
            connection.close(outcome(CloseCode.LEG_LOST))
            connection.abort()
            self.assertTrue(shell.transport.aborted)
            self.ends()
        self.assertEqual(self.ear.codes, [1000])

    def test_nobody_ends_it(self) -> None:
        """A command that can't be ended, as its container is gone, is no fault of ours."""
        connection, _ = self.start()
        connection.abort()
        self.docker.asked(f"POST /containers/{ID}/exec").answer({"message": "no such container"}, "404 Not Found")
        self.assertEqual((self.docker.waiting, self.flushLoggedErrors()), (0, []))

    def test_resize(self) -> None:
        """A size is set; of many that come at once the last one counts, and an API that isn't ready is asked again."""
        connection, _ = self.start()
        for columns in (100, 101, 102):
            connection.send_control(b'{"resize":[%d,40]}' % columns)
        self.docker.asked(f"POST /exec/{EXEC}/resize?w=100&h=40").answer({"message": "not yet"}, "409 Conflict")
        self.reactor.advance(1)
        self.docker.asked(f"POST /exec/{EXEC}/resize?w=102&h=40").answer()
        self.assertEqual(self.docker.waiting, 0)

    def test_end_of_file(self) -> None:
        """The client's end of file is typed: once on an empty line, twice within one."""
        connection, shell = self.start()
        connection.send_eof()
        self.assertEqual(shell.transport.take(), b"\4")
        connection.send([memoryview(b"text")], 4)
        connection.send_eof()
        self.assertEqual(shell.transport.take(), b"text\4\4")

    def test_refused(self) -> None:
        """A command that can't be started is refused in the API's words."""
        for body in ({"message": "no such program"}, b"no such program\n"):
            work = self.connect(show="exec")
            self.found()
            self.docker.asked("POST /containers/").answer({"Id": EXEC}, "201 Created")
            asked = self.docker.asked(f"POST /exec/{EXEC}/start")
            asked.answer(body, "400 Bad Request")
            self.refused(work, Refusal.TARGET_REFUSED, "no such program")
            self.assertTrue(asked.transport.disconnecting)

    def test_long_refusal(self) -> None:
        """Of a refusal 64 KiB are read; of a longer one the words don't count."""
        for more, words in ((0, "no such program"), (1, "400")):
            work = self.connect(show="exec")
            self.found()
            self.docker.asked("POST /containers/").answer({"Id": EXEC}, "201 Created")
            said = b"no such program\n" + b" " * (API_REFUSAL - 16 + more)
            self.docker.asked(f"POST /exec/{EXEC}/start").answer(said, "400 Bad Request")
            self.assertEqual("no such program" in self.refused(work, Refusal.TARGET_REFUSED, words).reason, not more)

    def test_no_answer(self) -> None:
        """An API that doesn't answer is given up, and one that closes the connection."""
        work = self.connect(show="exec")
        self.found()
        self.docker.asked("POST /containers/").answer({"Id": EXEC}, "201 Created")
        asked = self.docker.asked(f"POST /exec/{EXEC}/start")
        self.reactor.advance(CONNECT_TIME)
        self.refused(work, Refusal.TARGET_UNREACHABLE, "timed out waiting for an answer")
        self.assertTrue(asked.transport.disconnecting)
