"""changes.py: who looks at the list of hosts is told of its changes."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from streamrelay.platform.auth.grants import Grant
from streamrelay.platform.auth.key_file import add_key
from streamrelay.platform.http import changes
from streamrelay.protocol.summons import HostAnswer, TargetInfo
from tests.fakes.bus import FakeBus
from tests.fakes.channels import FakeTransport
from tests.fakes.reactors import LeapingLoop
from tests.platform.http.test_api import Case

Event = tuple[str, Any]
UP = HostAnswer((TargetInfo("log/a", "log", "log"),), "1", "vm")


class Changes(Case):
    """GET /v1/hosts/changes, on a loop whose time leaps."""

    def setUp(self) -> None:
        super().setUp()
        self.loop = LeapingLoop()
        self.addCleanup(self.loop.close)
        self.platform.bus = self.platform.asking.bus = FakeBus()
        self.inventory = self.platform.inventory
        for number in (1, 2):
            self.inventory.told(f"web-{number}", UP)
        self.inventory.complete = True
        self.transports: list[FakeTransport] = []

    def come(self, key: str = "") -> FakeTransport:
        head = f"GET /v1/hosts/changes HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key or self.key}\r\n\r\n"
        self.transports.append(self.send(head.encode()))
        return self.transports[-1]

    def run_for(self, seconds: float, *work: tuple[float, Callable[[], object]]) -> None:
        """Do work at these times."""

        async def run() -> None:
            for when, each in work:
                self.loop.call_later(when, each)
            await asyncio.sleep(seconds)
            for watcher in tuple(self.root.watchers.here):
                watcher.end()

        self.loop.run_until_complete(run())

    def producer(self) -> Any:
        """What writes to the first transport, and is told when that is full."""
        return self.transports[0].producer

    def told(self, transport: FakeTransport | None = None) -> list[Event]:
        """What was told, but for signs of life."""
        _, _, body = (transport or self.transports[0]).value().decode().partition("\r\n\r\n")
        text = "".join(body.split("\r\n")[1::2])
        found = []
        for block in text.split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and line[0] != ":")
            if lines:
                found.append((lines["event"], json.loads(lines["data"])))
        return found

    def names(self, event: Event) -> tuple[list[tuple[str, str]], list[str]]:
        return [(host["host"], host["state"]) for host in event[1]["hosts"]], event[1]["gone"]

    def test_told(self) -> None:
        """Who comes is told how many there are, then of each change, gathered, as the list shows it."""

        def change() -> None:
            self.inventory.lost("web-1")
            self.inventory.told("web-3", UP)
            self.inventory.told("db", UP)

        self.run_for(3, (0, self.come), (1, change), (2, lambda: self.inventory.forget("web-2")))
        begin, first, second = self.told()
        self.assertEqual(begin, ("begin", {"up": 2, "down": 0, "complete": True}))
        self.assertEqual(self.names(first), ([("web-1", "down"), ("web-3", "up")], []))
        self.assertEqual((first[1]["up"], first[1]["down"], first[1]["complete"]), (2, 1, True))
        self.assertEqual(self.names(second), ([], ["web-2"]))
        self.assertEqual(json.loads(self.ask("GET", "/v1/hosts?state=down")[2])["hosts"], first[1]["hosts"][:1])
        head = self.transports[0].value().decode().lower()
        self.assertIn("content-type: text/event-stream", head)

    def test_list_between(self) -> None:
        """A list that is asked for between takes no change from who watches."""
        self.run_for(
            3,
            (0, self.come),
            (1, lambda: self.inventory.lost("web-1")),
            (1.1, lambda: self.ask("GET", "/v1/hosts")),
        )
        self.assertEqual(self.names(self.told()[1]), ([("web-1", "down")], []))

    def test_unseen(self) -> None:
        """Of what a user doesn't see they aren't told."""
        self.run_for(3, (0, self.come), (1, lambda: self.inventory.told("db", UP)))
        self.assertEqual(len(self.told()), 1)

    def test_bus(self) -> None:
        """When the bus is lost it is told why nothing is known; when all hosts are known again, that."""

        def lose() -> None:
            bus.down = True
            self.inventory.be_complete(False)

        def back() -> None:
            bus.down = False
            self.inventory.be_complete(True)

        bus: Any = self.platform.bus
        self.run_for(3, (0, self.come), (1, lose), (2, back))
        _, trouble, change, again = self.told()
        self.assertEqual((trouble[0], trouble[1]["code"], trouble[1]["status"]), ("trouble", "bus_down", 503))
        self.assertEqual((change[1]["complete"], again[1]["complete"]), (False, True))

    def test_slow(self) -> None:
        """Who doesn't take what is written is written nothing more, and told later what is so by then, once."""

        def stop() -> None:
            self.producer().pauseProducing()

        def flap() -> None:
            for _ in range(5):
                self.inventory.lost("web-1")
                self.inventory.told("web-1", UP)
            self.inventory.lost("web-2")

        def go_on() -> None:
            self.producer().resumeProducing()

        counts: list[int] = []
        look = (3, lambda: counts.append(len(self.told())))
        self.run_for(6, (0, self.come), (1, stop), (2, flap), look, (4, go_on))
        self.assertEqual((counts, self.names(self.told()[1])), ([1], ([("web-2", "down")], [])))

    def test_many(self) -> None:
        """Many changes at once come in several events."""
        self.patch(changes, "MOST_AT_ONCE", 10)
        self.run_for(2, (0, self.come), *((1, lambda n=n: self.inventory.told(f"web-{n}", UP)) for n in range(10, 35)))
        self.assertEqual([len(event[1]["hosts"]) for event in self.told()[1:]], [10, 10, 5])

    def test_alive(self) -> None:
        """Every 15 s comes a sign of life, and for as long the fleet is looked at more closely."""
        watched: list[bool] = []
        look = lambda: watched.append(self.platform.lookout._watched > self.loop.time())  # noqa: E731
        self.run_for(50, (0, self.come), (40, look))
        self.assertEqual((self.transports[0].value().count(b": \n\n"), watched), (3, [True]))

    def test_withdrawn(self) -> None:
        """A key that is revoked, or has other grants, ends it with the reason."""
        for text, code in (("", "no_key"), ('target = "log/b"', "changed")):
            before = self.path.read_text()

            def change(text: str = text, before: str = before) -> None:
                new = before.replace('target = "log/*"', text) if text else before.partition("[keys")[0]
                self.path.write_text(new)
                self.clock.advance(5)

            self.run_for(20, (0, self.come), (1, change))
            self.assertEqual(
                [(event, data["code"]) for event, data in self.told(self.transports[-1])[1:]], [("over", code)]
            )
            self.path.write_text(before)
            self.ring.load()

    def test_most(self) -> None:
        """A user has a hundred of them, whoever else has how many."""
        self.patch(changes, "MOST_WATCHERS", 2)
        other = add_key(self.path, "bob", [Grant("*", "*")])
        self.run_for(1, *((0, self.come) for _ in range(3)), (0, lambda: self.come(other)))
        statuses = [transport.value().split(b" ")[1] for transport in self.transports]
        self.assertEqual(statuses, [b"200", b"200", b"429", b"200"])

    def test_left(self) -> None:
        """Who leaves is told nothing more, and counts no more."""

        def leave() -> None:
            self.channel.connectionLost(self.gone())

        self.run_for(3, (0, self.come), (1, leave), (2, lambda: self.inventory.lost("web-1")))
        self.assertEqual((len(self.told()), self.root.watchers.here, self.root.views.watched), (1, {}, {}))

    def gone(self) -> Any:
        from twisted.internet.error import ConnectionDone
        from twisted.python.failure import Failure

        return Failure(ConnectionDone())

    def test_stop(self) -> None:
        """When the platform stops, all are told, and nobody is let in any more."""
        self.run_for(3, (0, self.come), (1, self.root.watchers.end), (2, self.come))
        self.assertEqual([(event, data["status"]) for event, data in self.told()[1:]], [("over", 503)])
        self.assertIn(b" 503 ", self.transports[1].value()[:30])
