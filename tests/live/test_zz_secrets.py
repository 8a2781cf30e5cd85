"""The search for secrets, after all other live tests: no token, key or password stands where others can see it.

By its name this module is the last of the live suite. It searches what all that ran before it in this process made
and saw (tests.live.secrets), and a small chain of its own, so that it has something to search when it runs alone.
"""

import base64
import urllib.parse

from streamrelay.tokens import new_id
from tests.live.chain import HOST, Chain, LiveTest, NatsClient, close_code, hang_up, stop_shared, until
from tests.live.secrets import CHUNK, SUITE, Find, Search


class Suite(LiveTest):
    """What the suite made, and where it may not be."""

    def test_nothing_leaked(self) -> None:
        """No secret of the suite is in any log, process list, HTTP answer, refusal or close reason."""
        for tokens in ("signed", "opaque"):
            self.live(tokens)
        stop_shared()
        SUITE.collect(self.folder)
        SUITE.sample()
        finds = SUITE.find()
        secrets = ", ".join(f"{count} {kind}s" for kind, count in sorted(SUITE.counts.items()))
        sources = ", ".join(f"{size} of {kind}s" for kind, size in sorted(SUITE.sources.items()))
        print(f"figure: searched for {secrets}; in bytes: {sources}")
        self.assertEqual(finds, [], "\n".join(map(str, finds[:50])))
        self.assertEqual(SUITE.left_out, 0, f"bytes beyond what can be kept, of {SUITE.most}")
        for kind in ("token", "API key", "private key"):
            self.assertGreater(SUITE.counts[kind], 0, kind)
        for source in ("log", "command line", "HTTP answer", "websocket refused", "close reason", "output"):
            self.assertGreater(SUITE.sources[source], 0, source)

    def live(self, tokens: str) -> None:
        """Everything that has to do with secrets, once: a stream, a replay, a wrong key, a summons seen on the bus."""
        folder = self.folder / tokens
        folder.mkdir()
        chain = Chain(folder, tokens=tokens)
        self.addCleanup(chain.stop)
        chain.start()
        bus = NatsClient(chain.nats_port)
        bus.subscribe("streamrelay.v1.host.>")
        listener = self.listen()
        url = self.open(chain, listener.target)
        until(bus.message, what="the summons")  # which holds the agent's token
        leg = self.websocket(url)
        listener.accept()
        self.assertEqual(self.refused(url), 401)
        self.assertEqual(chain.ask("GET", "/v1/hosts", key=chain.key[:-1]).status, 401)
        self.assertEqual(chain.ask("POST", "/v1/streams", "{", key=chain.key).status, 400)
        self.assertEqual(chain.streamrelay("hosts").returncode, 0)
        self.assertEqual(chain.streamrelay("connect", HOST, "nothing").returncode, 4)
        stream = chain.ask("GET", "/v1/streams").json["streams"][0]["stream"]
        self.assertEqual(chain.ask("DELETE", f"/v1/streams/{stream}").status, 204)
        self.assertEqual(close_code(leg), 4006)
        for lost in chain.pair():
            hang_up(self.websocket(lost))
        bus.close()
        chain.stop()


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
        sleeper = self.program("sleeper", "sh", "-c", f"sleep 5 # {self.TOKEN[1:]}")
        other = self.program("other", "sleep", "5")
        search.secret("token", self.TOKEN[1:])

        def seen() -> object:
            search.sample()
            return search.find()

        until(seen, 5, "the command line")
        for program in (sleeper, other):
            program.kill()
        self.assertEqual({find.source for find in search.find()}, {"command line"})

    def test_bound(self) -> None:
        """What is beyond the bound is counted as left out, not forgotten in silence."""
        search = Search(most=100)
        search.seen("log: long", b"x" * 150)
        search.seen("log: next", b"y" * 10)
        self.assertEqual(search.left_out, 60)
        self.assertEqual(search.find(), [])
