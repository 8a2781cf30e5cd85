"""The search for secrets, after all other tests: no token, key or password stands where others can see it.

Its name isn't that of a test module: it is a step of its own, once all workers are done (tests.suite). It searches what
they made and saw (tests.live.support.secrets), and a small chain of its own, so that it has something when it runs
alone.
"""

from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain, stop_shared
from tests.live.support.nats import NatsClient
from tests.live.support.secrets import SUITE, gathered
from tests.live.support.waiting import until
from tests.live.support.websockets import close_code, hang_up


class Suite(LiveTest):
    """What the suite made, and where it may not be."""

    def test_nothing_leaked(self) -> None:
        """No secret of the suite is in any log, process list, HTTP answer, refusal or close reason."""
        for tokens in ("signed", "opaque"):
            self.live(tokens)
        stop_shared()
        SUITE.collect(self.folder)
        SUITE.sample()
        search = gathered()
        finds = search.find()
        secrets = ", ".join(f"{count} {kind}s" for kind, count in sorted(search.counts.items()))
        sources = ", ".join(f"{size} of {kind}s" for kind, size in sorted(search.sources.items()))
        print(f"figure: searched for {secrets}; in bytes: {sources}")
        self.assertEqual(finds, [], "\n".join(map(str, finds[:50])))
        self.assertEqual(search.left_out, 0, f"bytes beyond what can be kept, of {search.most}")
        for kind in ("token", "API key", "private key"):
            self.assertGreater(search.counts[kind], 0, kind)
        for source in ("log", "command line", "HTTP answer", "websocket refused", "close reason", "output"):
            self.assertGreater(search.sources[source], 0, source)

    def live(self, tokens: str) -> None:
        """Everything that has to do with secrets, once: a stream, a replay, a wrong key, a summons seen on the bus."""
        folder = self.folder / tokens
        folder.mkdir()
        chain = self.start_chain(Chain(folder, tokens=tokens))
        bus = NatsClient(chain.nats_port)
        bus.subscribe("streamrelay.v1.host.*.open")
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
        stream = chain.streams()[0]["stream"]
        chain.end(stream)
        self.assertEqual(close_code(leg), 4006)
        for lost in chain.pair():
            hang_up(self.websocket(lost))
        bus.close()
        chain.stop()
