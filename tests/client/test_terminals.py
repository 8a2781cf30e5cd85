"""terminals.py: kept terminals, as a platform lists them, and their end."""

import json
import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from streamrelay import main
from streamrelay.client import access, terminals
from streamrelay.client.platform_api import PlatformApi
from streamrelay.errors import ConfigError
from streamrelay.net.http_client import Fetched
from tests.client.test_lists import Screen
from tests.fakes.commands import CommandCase
from tests.fakes.http import FakeFetch

ONE, TWO, DASHED = "a" * 22, "b" * 22, "-" + "c" * 21
SHELL = {"name": "shell", "kind": "pty", "viewer": "terminal", "view": False}
ANN = {"user": "ann", "view": False, "stream": "s" * 22}
BOB = {"user": "b\x1bob", "view": True, "stream": "t" * 22}


def told(terminal: str = ONE, **more: Any) -> dict[str, Any]:
    about = {"terminal": terminal, "host": "web-1", "target": "shell", "user": "ann", "seconds": 3723.4}
    about |= {"people": [ANN, BOB], "size": [80, 24], "view": False, "end": True, "own": True, "later": 1}
    return {**about, **more}


def problem(status: int, code: str, detail: str) -> Fetched:
    return Fetched(status, json.dumps({"detail": detail, "code": code}).encode())


class TerminalCase(CommandCase):
    """`streamrelay terminals`, with a platform that answers as the test says."""

    def ask(self, *arguments: str, answers: list[Any]) -> tuple[int, str, str]:
        """Status, standard output and standard error of a command; what isn't an answer by itself is a good one."""
        fetched = [
            each if isinstance(each, Fetched) else Fetched(200, b"" if each is None else json.dumps(each).encode())
            for each in answers
        ]
        self.fetch = FakeFetch(fetched[0])
        self.fetch.results = fetched[1:]
        api = PlatformApi(Clock(), "https://platform.example", fetch=self.fetch)
        self.patch(access, "api", lambda *_: api)
        for stream in (self.out, self.err):
            stream.seek(0)
            stream.truncate()
        parsed = main.parser().parse_args(["terminals", *arguments])
        status = self.successResultOf(Deferred.fromCoroutine(terminals.terminals(parsed, None)))
        return status, self.out.getvalue(), self.err.getvalue()

    def asked(self) -> list[str]:
        """Method and path of each request."""
        return [f"{method} {url.removeprefix('https://platform.example')}" for method, url, *_ in self.fetch.asked]


class Listed(TerminalCase):
    """What is listed."""

    def test_host(self) -> None:
        """A host that is named is asked alone; each terminal is a line, with who is there and since when nobody is."""
        looks = told(TWO, people=[], detached=60.9, view=True, own=False, user="bob")
        status, out, said = self.ask("web-1", answers=[{"terminals": [told(), looks]}])
        lines = [line.split("\t") for line in out.splitlines()]
        about = ["web-1", "shell"]
        self.assertEqual(
            lines,
            [
                [ONE, *about, "ann", "1:02:03", "ann, b?ob (looks)"],
                [TWO, *about, "bob", "1:02:03", "", "view only, detached 0:01:00"],
            ],
        )
        self.assertEqual((status, said, self.asked()), (0, "", ["GET /v1/hosts/web-1/terminals"]))

    def test_columns(self) -> None:
        """On a terminal they are columns under a head."""
        self.out = Screen()
        self.patch(sys, "stdout", self.out)
        _, out, _ = self.ask("web-1", answers=[{"terminals": [told()]}])
        self.assertEqual(out.split()[:6], ["TERMINAL", "HOST", "TARGET", "USER", "TIME", "PEOPLE"])

    def test_all(self) -> None:
        """Without a host those are asked that have commands which may be kept, and no other; an agent that is too old
        has none, and one that doesn't answer is said to be missing."""
        log = {"name": "log", "kind": "log", "viewer": "log", "view": False}
        vm = {"name": "vm", "kind": "qemu", "viewer": "vnc", "view": False}
        hosts = [
            {"host": "a", "targets": [log, SHELL]},
            {"host": "b", "targets": [log, vm]},
            {"host": "c", "targets": [{**SHELL, "name": "sh/{who}", "kind": "container"}]},
            {"host": "d", "targets": [SHELL]},
        ]
        answers = [
            {"hosts": hosts, "complete": True, "next": None},
            {"terminals": [told(host="a")]},
            problem(502, "too_old", "the agent of c is of before kept terminals"),
            problem(504, "host_slow", "host d did not answer in time"),
        ]
        status, out, said = self.ask(answers=answers)
        self.assertEqual(self.asked()[1:], [f"GET /v1/hosts/{host}/terminals" for host in "acd"])
        self.assertEqual((status, out.count("\n")), (1, 1))
        self.assertEqual(said, "streamrelay: d: host d did not answer in time; its terminals are missing\n")
        status, out, said = self.ask("[bd]:sh*", answers=[answers[0], {"terminals": []}])
        self.assertEqual(self.asked()[1:], ["GET /v1/hosts/d/terminals"])
        words = "no terminal is kept that this key might attach to and that is asked for"
        self.assertEqual((status, out, said), (0, "", f"streamrelay: {words}\n"))

    def test_too_many(self) -> None:
        """Where that would be too many hosts it asks none, and says so."""
        hosts = [{"host": f"h{number}", "targets": [SHELL]} for number in range(101)]
        api = PlatformApi(Clock(), "https://platform.example", fetch=FakeFetch(Fetched(200, b"")))
        self.patch(access, "api", lambda *_: api)
        fetch = FakeFetch(Fetched(200, json.dumps({"hosts": hosts, "complete": True}).encode()))
        api.fetch = fetch
        parsed = main.parser().parse_args(["terminals"])
        failed = self.failureResultOf(Deferred.fromCoroutine(terminals.terminals(parsed, None)), ConfigError)
        self.assertIn("101 hosts would be asked, and 100 at most are", str(failed.value))
        self.assertEqual(len(fetch.asked), 1)

    def test_json(self) -> None:
        """As JSON they are as the platform tells them, of all hosts together."""
        answers = [{"terminals": [told(), told(TWO, target="log")]}, {"terminals": [told(DASHED, host="b")]}]
        status, out, _ = self.ask("web-1:shell", "b", "--json", answers=answers)
        self.assertEqual((status, json.loads(out)), (0, {"terminals": [told(), told(DASHED, host="b")]}))


class Ended(TerminalCase):
    """`streamrelay terminals --end`"""

    def test_host(self) -> None:
        """At a host that is named it is ended without a look, also if its id begins as an option does."""
        status, out, said = self.ask("web-1", "--end", DASHED, "--end", TWO, answers=[None, None])
        self.assertEqual((status, out, said), (0, "", ""))
        self.assertEqual(self.asked(), [f"DELETE /v1/hosts/web-1/terminals/{each}" for each in (DASHED, TWO)])

    def test_found(self) -> None:
        """Without a host it is looked for, and of what there isn't that is said."""
        hosts = {"hosts": [{"host": "a", "targets": [SHELL]}], "complete": True}
        answers = [hosts, {"terminals": [told(host="a")]}, None]
        status, _, said = self.ask("--end", TWO, "--end", ONE, answers=answers)
        self.assertEqual(self.asked()[2:], [f"DELETE /v1/hosts/a/terminals/{ONE}"])
        self.assertEqual((status, said), (4, f"streamrelay: {TWO}: {terminals.NONE}\n"))

    def test_refused(self) -> None:
        """What the platform refuses is told, for each, and the first decides the status."""
        answers = [problem(403, "not_granted", "this key may only look"), problem(503, "host_offline", "offline")]
        status, _, said = self.ask("web-1", "--end", ONE, "--end", TWO, answers=answers)
        self.assertEqual((status, said.splitlines()[0]), (4, f"streamrelay: {ONE}: this key may only look"))

    def test_odd(self) -> None:
        """What can't be a terminal's id is refused before anybody is asked."""
        self.assertEqual(self.run_command("terminals", "--end", "x"), 2)
        self.assertIn("argument --end: 'x': expected a terminal's id", self.err.getvalue())


class Meant(TerminalCase):
    """`streamrelay connect --attach`"""

    def meant(self, *arguments: str, answers: list[Any] | None = None) -> tuple[str, str, str] | str:
        """Host, target and id of the terminal; or why there is none."""
        fetched = [Fetched(200, json.dumps(each).encode()) for each in answers or [None]]
        self.fetch = FakeFetch(fetched[0])
        self.fetch.results = fetched[1:]
        api = PlatformApi(Clock(), "https://platform.example", fetch=self.fetch)
        parsed = main.parser().parse_args(["connect", *arguments])
        found: list[Any] = []
        Deferred.fromCoroutine(terminals.meant(api, parsed)).addBoth(found.append)
        return found[0] if isinstance(found[0], tuple) else str(found[0].value)

    def test_id(self) -> None:
        """With host and target nobody is asked; by its id alone it is looked for."""
        self.assertEqual(self.meant("web-1", "shell", "--attach", ONE), ("web-1", "shell", ONE))
        self.assertEqual(self.asked(), [])
        answers = [{"hosts": [{"host": "a", "targets": [SHELL]}]}, {"terminals": [told(TWO), told(host="a")]}]
        self.assertEqual(self.meant("--attach", ONE, answers=answers), ("a", "shell", ONE))
        self.assertEqual(self.meant("--attach", "d" * 22, answers=answers), f"{'d' * 22}: {terminals.NONE}")

    def test_target(self) -> None:
        """By host and target it is the only one there, or the only one of one's own."""
        others = told(TWO, own=False)
        log = told(DASHED, target="log")
        for there, found in (([told(), log], ONE), ([others, log], TWO), ([others, told()], ONE)):
            told_there = [{"terminals": there}]
            self.assertEqual(self.meant("--attach", "web-1:shell", answers=told_there), ("web-1", "shell", found))
            self.assertEqual(self.asked(), ["GET /v1/hosts/web-1/terminals"])

    def test_none(self) -> None:
        """Where there is none, or there are several, that is said, with their ids."""
        answers = [{"terminals": [told(target="log")]}]
        self.assertEqual(self.meant("--attach", "web-1:shell", answers=answers), f"web-1:shell: {terminals.NONE}")
        answers = [{"terminals": [told(), told(TWO, detached=61)]}]
        several = f"there are several: {ONE} (attached), {TWO} (detached 0:01:01); give one by its id"
        self.assertEqual(self.meant("--attach", "web-1:shell", answers=answers), f"--attach web-1:shell: {several}")

    def test_odd(self) -> None:
        """Half of it, or both ways to say it, is refused."""
        self.assertIn("give its host and its target", self.meant("web-1", "--attach", ONE))
        self.assertIn("give a terminal's id", self.meant("web-1", "shell", "--attach", "a:b"))
