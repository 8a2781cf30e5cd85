"""lists.py: what a platform lists, as lines, columns and JSON; and the end of streams."""

import io
import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from streamrelay import main
from streamrelay.client import access, lists, statuses
from streamrelay.client.platform_api import PlatformApi
from streamrelay.net.http_client import Fetched
from tests.fakes.commands import CommandCase
from tests.fakes.http import FakeFetch

NEVER = "z" * 22
LIVES = "-" + "a" * 21
WEB = {
    "host": "web-1",
    "targets": [
        {"name": "log", "kind": "log", "viewer": "log", "view": False},
        {"name": "vm/{name}", "kind": "qemu", "viewer": "vnc", "view": True},
    ],
    "version": "1.2.3",
    "complete": True,
    "later": "unknown here",
}
DATABASE = {**WEB, "host": "database-1.example", "targets": [WEB["targets"][0]]}  # type: ignore[index]
STREAM = {"stream": LIVES, "host": "web-1", "target": "log", "user": "al\x1bice", "seconds": 3723.4, "up": 0, "down": 9}


class Screen(io.StringIO):
    """Standard output of a terminal."""

    def isatty(self) -> bool:
        return True


class ListCase(CommandCase):
    """Commands with a platform that answers as the test says."""

    def ask(
        self, answer: object, *arguments: str, out: io.StringIO | None = None, further: Sequence[Fetched] = ()
    ) -> tuple[int, str, str]:
        """Status, standard output and standard error of a command."""
        out, said = out or io.StringIO(), io.StringIO()
        self.fetch = FakeFetch(answer if isinstance(answer, Fetched) else Fetched(200, json.dumps(answer).encode()))
        self.fetch.results = list(further)
        api = PlatformApi(Clock(), "https://platform.example", fetch=self.fetch)
        self.patch(access, "api", lambda *_: api)
        commands: dict[str, Callable[..., Any]] = {"hosts": lists.hosts, "streams": lists.streams, "end": lists.end}
        commands |= {"relays": lists.relays, "drain": lists.drain}
        with redirect_stdout(out), redirect_stderr(said):
            parsed = main.parser().parse_args(list(arguments))
            status = self.successResultOf(Deferred.fromCoroutine(commands[arguments[0]](parsed, None)))
        return status, out.getvalue(), said.getvalue()


class Hosts(ListCase):
    """`streamrelay hosts`."""

    def hosts(self, *options: str, **more: Any) -> tuple[int, str, str]:
        listed = {"hosts": [WEB, DATABASE], "complete": True, "later": 1, **more}
        return self.ask(listed, "hosts", *options)

    def test_lines(self) -> None:
        """A line for each target, with tabs between its fields, and nothing else; the last word is of looks only."""
        lines = "web-1\tlog\tlog\nweb-1\tvm/{name}\tqemu\tview only\ndatabase-1.example\tlog\tlog\n"
        self.assertEqual(self.hosts(), (0, lines, ""))

    def test_columns(self) -> None:
        """On a terminal they are columns under a head, without blanks at the end."""
        _, out, _ = self.ask({"hosts": [WEB, DATABASE], "complete": True}, "hosts", out=Screen())
        self.assertEqual(
            out.splitlines(),
            [
                "HOST                TARGET     KIND",
                "web-1               log        log",
                "web-1               vm/{name}  qemu  view only",
                "database-1.example  log        log",
            ],
        )

    def test_all(self) -> None:
        """With those that are down each says since when, and one that hangs that; such a list is asked for by pages."""
        self.addCleanup(time.tzset)
        self.patch(os, "environ", {**os.environ, "TZ": "UTC"})
        time.tzset()
        down, silent = (
            {**DATABASE, "state": "down", "seen": 1e9},
            {**WEB, "host": "web-2", "state": "silent", "seen": 1e9},
        )
        status, out, _ = self.ask({"hosts": [down, silent], "complete": True}, "hosts", "--all", "--label", "site=fra")
        self.assertEqual(
            [line.split("\t")[3:] for line in out.splitlines()],
            [["down since 2001-09-09 01:46"], ["no answer"], ["view only, no answer"]],
        )
        [asked] = self.fetch.asked
        self.assertEqual((status, asked[1].partition("?")[2]), (0, "state=all&label=site%3Dfra&limit=1000"))
        _, _, said = self.ask({"hosts": [], "complete": True}, "hosts", "--label", "site=fra")
        self.assertIn("no host is up with a target that this key may open and that is asked for", said)

    def test_pages(self) -> None:
        """All pages of a list are one; it is whole if each of them is."""
        pages = [
            {"hosts": [WEB], "complete": True, "next": "web-1"},
            {"hosts": [DATABASE], "complete": False, "next": None},
        ]
        answers = [Fetched(200, json.dumps(page).encode()) for page in pages]
        status, out, said = self.ask(answers[0], "hosts", "--json", further=answers[1:])
        self.assertEqual((status, "not all hosts" in said), (1, True))
        self.assertEqual(json.loads(out), {"hosts": [WEB, DATABASE], "complete": False, "next": None})
        self.assertIn("after=web-1", self.fetch.asked[1][1])

    def test_narrow(self) -> None:
        """Where a name is too long for the terminal its row alone is longer, and whole; no other is padded."""
        long = {"name": "production/" * 8, "kind": "tcp", "viewer": "raw", "view": True}
        other = {"name": "log/of-a-middling-length", "kind": "log", "viewer": "log", "view": False}
        hosts = [{**WEB, "targets": [*WEB["targets"], long, other]}]  # type: ignore[misc]
        for columns, width in ((80, len(str(other["name"]))), (40, len("vm/{name}")), (200, 88)):
            os.environ["COLUMNS"] = str(columns)
            _, out, _ = self.ask({"hosts": hosts, "complete": True}, "hosts", out=Screen())
            lines = out.splitlines()
            self.assertEqual(lines[0].index("KIND"), len("web-1  ") + width + 2, columns)
            self.assertEqual(lines[3].split(maxsplit=3), ["web-1", long["name"], "tcp", "view only"])

    def test_json(self) -> None:
        """As JSON it is what the platform has answered, also of what we don't know."""
        status, out, _ = self.hosts("--json")
        self.assertEqual(status, 0)
        self.assertEqual(json.loads(out), {"hosts": [WEB, DATABASE], "complete": True, "later": 1})

    def test_filters(self) -> None:
        """Globs of hosts, or of hosts and targets, choose lines, and JSON alike."""
        for patterns, expected in (
            (["web-*"], {"web-1": ["log", "vm/{name}"]}),
            (["*:log"], {"web-1": ["log"], "database-1.example": ["log"]}),
            (["web-1:vm/*", "data*"], {"web-1": ["vm/{name}"], "database-1.example": ["log"]}),
            (["WEB-1"], {}),
            (["web-1:"], {"web-1": ["log", "vm/{name}"]}),
        ):
            lines = [f"{host}\t{target}" for host, targets in expected.items() for target in targets]
            _, out, said = self.hosts(*patterns)
            self.assertEqual(["\t".join(line.split("\t")[:2]) for line in out.splitlines()], lines)
            _, out, _ = self.hosts("--json", *patterns)
            hosts = json.loads(out)["hosts"]
            self.assertEqual({host["host"]: [one["name"] for one in host["targets"]] for host in hosts}, expected)
            nothing = "streamrelay: no host is up with a target that this key may open and that is asked for\n"
            self.assertEqual(said, "" if expected else nothing)

    def test_none(self) -> None:
        """An empty list is told in words, on standard error."""
        answer = (0, "", "streamrelay: no host is up with a target that this key may open\n")
        self.assertEqual(self.ask({"hosts": [], "complete": True}, "hosts"), answer)

    def test_incomplete(self) -> None:
        """A list that may lack hosts is printed all the same, with a word about it, and isn't a success."""
        for options in ((), ("--json",)):
            status, out, said = self.hosts(*options, complete=False)
            self.assertEqual((status, "web-1" in out, "not all hosts answered" in said), (1, True, True))
        self.assertIs(json.loads(out)["complete"], False)

    def test_cut(self) -> None:
        """A host with more targets than are listed is named, and the list is no success, unless nobody asks for it."""
        cut = [{**WEB, "complete": False}, DATABASE]
        for options in ((), ("--json",), ("web-1:shell", "--json")):
            status, out, said = self.hosts(*options, hosts=cut)
            self.assertEqual((status, "web-1" in out), (1, True))
            self.assertIn("web-1 has more targets than are listed; they can be opened by their names", said)
        self.assertIs(json.loads(out)["hosts"][0]["complete"], False)
        self.assertEqual(self.hosts("data*", hosts=cut)[0], 0)


class Streams(ListCase):
    """`streamrelay streams` and `streamrelay end`."""

    def test_lines(self) -> None:
        """A line for each stream; what a user's name may hold does nothing to a terminal."""
        answer = {"streams": [STREAM, {**STREAM, "host": "b", "waiting": True}], "complete": True}
        line = f"{LIVES}\tweb-1\tlog\tal?ice\t1:02:03\t0\t9\n"
        waiting = f"{LIVES}\tb\tlog\tal?ice\t1:02:03\t0\t9\twaiting\n"
        self.assertEqual(self.ask(answer, "streams"), (0, line + waiting, ""))
        self.assertEqual(self.ask(answer, "streams", "b"), (0, waiting, ""))
        self.assertEqual(self.ask(answer, "streams", "b:shell"), (0, "", "streamrelay: " + NONE))
        _, out, _ = self.ask(answer, "streams", out=Screen())
        self.assertTrue(out.startswith("STREAM                  HOST   TARGET  USER    TIME     UP  DOWN\n"), out)

    def test_json(self) -> None:
        """As JSON it is what the platform has answered."""
        answer = {"streams": [STREAM], "complete": False, "later": 1}
        status, out, said = self.ask(answer, "streams", "--json")
        self.assertEqual((status, json.loads(out)), (1, answer))
        self.assertIn("not all hosts answered", said)
        _, out, _ = self.ask(answer, "streams", "--json", "none")
        self.assertEqual(json.loads(out), {**answer, "streams": []})

    def test_pages(self) -> None:
        """All pages of a list are one; it is whole if each of them is, and who hasn't answered is named."""
        missing = [f"web-{number}" for number in range(20)]
        pages = [
            {"streams": [STREAM], "complete": False, "missing": missing, "next": "web-1/log/x"},
            {"streams": [{**STREAM, "host": "b"}], "complete": True, "missing": [], "next": None},
        ]
        answers = [Fetched(200, json.dumps(page).encode()) for page in pages]
        status, out, said = self.ask(answers[0], "streams", further=answers[1:])
        self.assertEqual((status, [line.split("\t")[1] for line in out.splitlines()]), (1, ["web-1", "b"]))
        self.assertIn("not all hosts answered (web-0, web-1, web-2, web-3, web-4, web-5, web-6, web-7 …); this", said)
        self.assertEqual(self.fetch.asked[1][1].partition("?")[2], "after=web-1%2Flog%2Fx&limit=1000")

    def test_end(self) -> None:
        """Each stream is ended, also one whose name begins with a dash, wherever that stands."""
        for given in ((NEVER, LIVES), (LIVES, NEVER, "--insecure"), ("--insecure", "--", NEVER, LIVES)):
            self.assertEqual(self.ask(Fetched(204, b""), "end", *given), (0, "", ""))
            asked = {(method, os.path.basename(url)) for method, url, *_ in self.fetch.asked}
            self.assertEqual(asked, {("DELETE", NEVER), ("DELETE", LIVES)})

    def test_not_ended(self) -> None:
        """One that can't be ended is named with the reason, and the others are ended all the same."""
        problem = Fetched(404, b'{"detail": "no such stream", "code": "no_such_stream"}')
        status, _, said = self.ask(problem, "end", NEVER, LIVES)
        self.assertEqual(status, statuses.DENIED)
        self.assertEqual(said, "".join(f"streamrelay: {name}: no such stream\n" for name in (NEVER, LIVES)))


NONE = "no stream lives that this key might open and that is asked for\n"


class Relays(ListCase):
    """`streamrelay relays`."""

    ANSWER = {
        "relays": [
            {
                "relay": "fra-1",
                "url": "wss://fra-1.example",
                "zone": "fra",
                "state": "ready",
                "load": 0.124,
                "streams": 7,
            },
            {"relay": "relay", "url": "wss://relay.example", "state": "unknown", "later": "unknown here"},
        ]
    }

    def test_rows(self) -> None:
        """Each relay has its line, with its load as people read it; an answer that is none of a platform's is told."""
        status, out, said = self.ask(self.ANSWER, "relays")
        rows = ["fra-1\twss://fra-1.example\tfra\tready\t12%\t7", "relay\twss://relay.example\t\tunknown\t0%\t0"]
        self.assertEqual((status, out.splitlines(), said), (0, rows, ""))
        self.assertEqual(self.ask({"relays": []}, "relays")[2], "streamrelay: no relay is heard of\n")

    def test_json(self) -> None:
        """As JSON it is what the platform has answered."""
        self.assertEqual(json.loads(self.ask(self.ANSWER, "relays", "--json")[1]), self.ANSWER)


class Drain(ListCase):
    """`streamrelay drain`."""

    FRA = {**Relays.ANSWER["relays"][0], "state": "draining", "drained": True}  # type: ignore[dict-item]

    def test_drained(self) -> None:
        """Each relay is asked, in its name, and told as it is then: that it is drained, not that it stops."""
        status, out, said = self.ask(self.FRA, "drain", "fra-1")
        self.assertEqual((status, out, said), (0, "fra-1\twss://fra-1.example\tfra\tdrained\t12%\t7\n", ""))
        [(method, url, *_)] = self.fetch.asked
        self.assertEqual((method, url), ("POST", "https://platform.example/v1/relays/fra-1/drain"))

    def test_undone(self) -> None:
        """The same takes it back, and as JSON it is what the platform has answered, of each."""
        back = {**self.FRA, "state": "ready", "drained": False, "later": 1}
        answer = Fetched(200, json.dumps(back).encode())
        status, out, _ = self.ask(answer, "drain", "--undo", "--json", "fra-1", "a/b", further=[answer])
        self.assertEqual((status, json.loads(out)), (0, {"relays": [back, back]}))
        self.assertEqual(
            {(method, url) for method, url, *_ in self.fetch.asked},
            {("DELETE", f"https://platform.example/v1/relays/{name}/drain") for name in ("fra-1", "a%2Fb")},
        )

    def test_refused(self) -> None:
        """One that can't be drained is named with the reason, and the others are drained all the same."""
        problem = Fetched(403, b'{"detail": "no grant to drain that relay", "code": "not_granted"}')
        good = Fetched(200, json.dumps(self.FRA).encode())
        status, out, said = self.ask(problem, "drain", "nyc-1", "fra-1", further=[good])
        self.assertEqual((status, said), (statuses.DENIED, "streamrelay: nyc-1: no grant to drain that relay\n"))
        self.assertTrue(out.startswith("fra-1\t"))
        self.assertEqual(self.ask(problem, "drain", "nyc-1", "--json")[1], "")
