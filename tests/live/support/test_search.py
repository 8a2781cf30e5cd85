"""Tests of the search for secrets: what it finds, and what it lets pass."""

import base64
import subprocess
import sys
import urllib.parse
from pathlib import Path

from streamrelay.protocol.tokens import new_id
from tests.live.support.case import LiveTest
from tests.live.support.collection import Collection, replay
from tests.live.support.command_lines import PAGES, YOUNG, CommandLines, command_line
from tests.live.support.secrets import CHUNK, STRANGER, Find, Search
from tests.live.support.waiting import until


class TheSearch(LiveTest):
    """The search finds what it is there to find."""

    TOKEN = "q7Xr-2Lk_9vBzT4mYc81Wd"
    JWT = f"eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJub2JvZHkifQ.{'kV3_s9Qe-'.join(('Zx1', 'Pw2', 'Jb7', 'Mh5', 'Ta0'))}"

    def found(self, text: bytes, *, before: bytes = b"") -> list[Find]:
        """What a search of its own finds of a token, a JWT and a key in one log."""
        search = Search()
        for secret in (self.TOKEN, self.JWT, f"srk_{'aB3dE6gH9-' * 4}xyz"):
            search.secret("planted token", secret)
        search.seen("log: harmless", b"nothing here\n" + before)
        search.seen("log: leaky", b"a line\nwith this in it: " + text + b" and more\n")
        search.seen("log: later", b"nothing here either")
        return search.find()

    def test_planted(self) -> None:
        """A planted secret is found whole, by its last 16 characters, percent-encoded, and in base64 at any place."""
        for secret in (self.TOKEN, self.JWT):
            raw = secret.encode()
            every = "".join(f"%{byte:02X}" for byte in raw)
            for text in (
                raw,
                raw[-16:],
                b"https://relay.example/client/" + raw + b"?x=1",
                every.encode(),
                urllib.parse.quote(f"a/{secret}=", safe="").encode(),
                *(base64.b64encode(b"x" * offset + raw + b"y") for offset in range(3)),
                *(base64.urlsafe_b64encode(b"x" * offset + raw) for offset in range(3)),
            ):
                finds = self.found(text)
                self.assertTrue(finds, text)
                self.assertEqual({find.source for find in finds}, {"log: leaky"}, text)
                self.assertNotIn(secret[-16:], str(finds))

    def test_anywhere(self) -> None:
        """It is found where two pieces of the file meet as well."""
        for shift in range(-60, 61, 7):
            before = b"." * (CHUNK - len(b"nothing here\n") - 30 + shift)
            self.assertTrue(self.found(self.TOKEN.encode(), before=before), shift)

    def test_shapes(self) -> None:
        """What looks like a secret is found though nobody handed it over; fingerprints and ids are none."""
        for text in (
            b"eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiY2xpZW50In0.c2lnbmF0dXJlLW9mLXNvbWVib2R5",
            b"srk_" + b"k" * 43,
            b"SUAIBDPBAUTWCWBKIO6XHQNINK5FWJW4OHLXC3HQ2KFE4PEJUA44CNHTC4",
            b"nats://web-1:hunter2@nats.example:4222",
            b"-----BEGIN PRIVATE KEY-----",
        ):
            self.assertTrue(self.found(text), text)
        for text in (
            new_id().encode(),
            b"1a2b3c4d",
            b"nats://...@nats.example",
            b"A" * 100,
            b"tls://nats.example:4222",
        ):
            self.assertEqual(self.found(text), [], text)

    def test_collected(self) -> None:
        """The harness hands over what programs print, what they are started with, and the keys in their files."""
        search = Search()
        (self.folder / "a.out").write_text(f"a token: {self.TOKEN}\n")
        (self.folder / "nats.conf").write_text('password: "0123456789abcdef0123456789abcdef"\n')
        search.secret("token", self.TOKEN)
        search.collect(self.folder)
        search.command(b"twistd\0--nats\0nats://web-1:0123456789abcdef0123456789abcdef@127.0.0.1\0")
        self.assertEqual(search.counts["password"], 1)
        kinds = {(find.kind, find.source) for find in search.find()}
        self.assertIn(("token", "log: a.out"), kinds)
        self.assertIn(("password", "command line"), kinds)

    def test_processes(self) -> None:
        """A secret on a command line is seen in the process list while the program runs."""
        search = Search()
        search.secret("token", self.TOKEN[::-1])
        sleeper = self.program("sleeper", "sh", "-c", f"kill -STOP $$ # {self.TOKEN[1:]}")
        other = self.program("other", "sleep", "1000")
        search.secret("token", self.TOKEN[1:])

        def seen() -> object:
            search.sample()
            return search.find()

        until(seen, what="the command line")
        for program in (sleeper, other):
            program.kill()
        self.assertEqual({find.source for find in search.find()}, {"command line"})

    def test_old_process(self) -> None:
        """One that has been there for long and becomes another program is seen as that, too; whatever its length."""
        long, lines = "x" * PAGES, CommandLines()
        command = ("sh", "-c", "read line; exec sleep 1000", long, f"{long}end")
        process = subprocess.Popen(command, stdin=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        until(lambda: command_line(str(process.pid)), what="its command line")  # which is there a moment later
        looks = [dict(lines.look()).get(process.pid, b"") for _ in range(3 * YOUNG)]
        self.assertEqual([bool(look) for look in looks], [n < YOUNG or n % YOUNG == 0 for n in range(3 * YOUNG)])
        self.assertTrue(looks[0].endswith(b"xend\0"), looks[0][:100])
        assert process.stdin is not None
        process.stdin.write(b"now\n")
        process.stdin.flush()
        until(lambda: dict(lines.look()).get(process.pid, b"") == b"sleep\x001000\0", what="the other")

    def test_turn(self) -> None:
        """One process of a run looks at all the machine's processes, for as long as it lives, and another after it."""
        look = "import sys; from tests.live.support.collection import Collection; from pathlib import Path; "
        look += f"it = Collection(Path({str(self.folder)!r})); print(it.is_turn(), flush=True); sys.stdin.read()"
        pipe, root = subprocess.PIPE, Path(__file__).parents[3]
        with subprocess.Popen((sys.executable, "-c", look), cwd=root, stdin=pipe, stdout=pipe) as first:
            assert first.stdout is not None
            self.assertEqual(first.stdout.readline(), b"True\n")
            second = Collection(self.folder)
            self.assertFalse(second.is_turn())
        self.assertTrue(second.is_turn())
        self.assertTrue(second.is_turn())

    def test_strangers(self) -> None:
        """A stranger's command line may hold a key of its own, and none of the suite's."""
        search = Search()
        search.secret("token", self.TOKEN)
        search.command(b"curl\0-H\0Bearer srk_" + b"k" * 43, STRANGER)
        self.assertEqual(search.find(), [])
        search.command(b"curl\0-H\0Bearer " + self.TOKEN.encode(), STRANGER)
        self.assertEqual([(find.kind, find.source) for find in search.find()], [("token", STRANGER)])

    def test_bound(self) -> None:
        """What is beyond the bound is counted as left out, not forgotten in silence."""
        search = Search(most=100)
        search.seen("log: long", b"x" * 150)
        search.seen("log: next", b"y" * 10)
        self.assertEqual(search.left_out, 60)
        self.assertEqual(search.find(), [])

    def test_gathered(self) -> None:
        """What one process saw is searched for another's secrets, though both have ended."""
        collection = Collection(self.folder)
        first = Search(collection=collection)
        first.secret("planted token", self.TOKEN)
        second = Search(collection=collection)
        second.seen("log: a", b"nothing\n")
        second.seen("log: b", b"here: " + self.TOKEN.encode() + b"\n")
        whole = Search()
        replay(self.folder, whole.secret, whole.seen)
        self.assertEqual([(find.kind, find.source) for find in whole.find()], [("planted token", "log: b")])
