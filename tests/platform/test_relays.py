"""relays.py: which relay a stream goes by."""

import random
from collections import Counter
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.bus.message import Message
from streamrelay.errors import ConfigError, Refused
from streamrelay.platform import Platform
from streamrelay.platform.relays import AVOID, MOST_AVOIDED, SAID, PickedRelay, RelayChoice
from streamrelay.program.relay_urls import check_pattern, fits, source
from streamrelay.protocol import codec
from streamrelay.protocol.relay_state import DOWN, MOST_RELAYS, STATE, RelayState, State
from streamrelay.protocol.subjects import relay_subject
from tests.documented import RELAY_SILENCE
from tests.fakes.logs import Heard
from tests.fakes.reactors import awaited


class Case(SynchronousTestCase):
    """A choice of relays, which tell of themselves by the test."""

    def setUp(self) -> None:
        self.time = 1000.0
        self.choice = RelayChoice(lambda: self.time, allowed=("wss://{id}.relay.example",), draw=random.Random(4711))
        self.choice.patience = 0

    def tell(self, relay: str, load: float = 0.0, zone: str = "", state: State = "ready", **more: Any) -> None:
        url = more.pop("url", f"wss://{relay}.relay.example")
        told = RelayState(url, zone, state, load)
        self.say(relay, STATE, codec.encode(told))

    def say(self, relay: str, kind: str, data: bytes) -> None:
        self.choice.hear(Message(data, "", relay_subject(relay, kind)))

    def picked(self, zone: str = "", host: str = "web-1", times: int = 400) -> Counter[str]:
        """How often each was picked."""
        found = [self.choice.pick(host, zone) for _ in range(times)]
        return Counter(each.id if each is not None else "" for each in found)


class Picking(Case):
    """Relays that are well, and others."""

    def test_spread(self) -> None:
        """Relays that are equally loaded get about equally many streams, and a stream goes by the picked one's URL."""
        for relay in ("a", "b", "c", "d"):
            self.tell(relay, 0.5)
        counts = self.picked()
        self.assertEqual(set(counts), {"a", "b", "c", "d"})
        self.assertTrue(all(50 < count < 150 for count in counts.values()), counts)
        self.tell("e")
        self.choice.allowed = ("wss://e.relay.example",)
        self.assertEqual(self.choice.pick("web-1", ""), PickedRelay("e", "wss://e.relay.example"))

    def test_less_loaded(self) -> None:
        """Of two that are drawn the less loaded one is taken: the most loaded of all never, the least one in at most
        twice its share."""
        for relay, load in (("a", 0.9), ("b", 0.5), ("c", 0.5), ("d", 0.0)):
            self.tell(relay, load)
        counts = self.picked()
        self.assertEqual(counts["a"], 0)
        self.assertTrue(150 < counts["d"] < 250, counts)

    def test_about_equal(self) -> None:
        """Loads that differ by noise count as equal: none is left out for it, and none draws more by telling less."""
        for relay, load in (("a", 0.04), ("b", 0.02), ("c", 0.0)):
            self.tell(relay, load)
        counts = self.picked()
        self.assertTrue(all(count > 90 for count in counts.values()) and len(counts) == 3, counts)

    def test_zones(self) -> None:
        """One of the wanted zone is picked, however loaded; another one only if there is none that takes streams."""
        self.tell("a", 0.99, "fra")
        self.tell("b", 0.0, "nyc")
        self.tell("c")
        self.assertEqual(set(self.picked("fra")), {"a"})
        self.assertEqual(set(self.picked("nyc")), {"b"})
        self.assertEqual(set(self.picked("sgp")), {"b", "c"})
        self.tell("a", 0.99, "fra", "draining")
        self.assertEqual(set(self.picked("fra")), {"b", "c"})

    def test_states(self) -> None:
        """One that drains, is full, or has said that it stops isn't picked from then on."""
        for relay in ("a", "b", "c", "d"):
            self.tell(relay)
        self.tell("a", state="draining")
        self.tell("b", state="full")
        self.say("c", DOWN, b"{}")
        self.assertEqual(set(self.picked()), {"d"})
        self.tell("b")
        self.assertEqual(set(self.picked()), {"b", "d"})

    def test_silence(self) -> None:
        """One that has said nothing for five seconds isn't picked, and is again once it speaks."""
        self.tell("a")
        self.time += RELAY_SILENCE - 0.1
        self.assertEqual(set(self.picked()), {"a"})
        self.time += 0.1
        self.assertIsNone(self.choice.pick("web-1", ""))
        self.tell("a")
        self.assertEqual(set(self.picked()), {"a"})

    def test_none(self) -> None:
        """Where there is none, who asks is told so, and when to ask again."""
        self.tell("a", state="draining")
        refusal = self.assertRaises(Refused, awaited, self.choice.first("web-1", ""))
        self.assertEqual((refusal.status, refusal.code), (503, "no_relay"))
        self.assertGreater(refusal.retry_after, 0)

    def test_waits_for_the_first(self) -> None:
        """While no relay is known one is waited for, as the platform may have just come to the bus."""
        self.choice.patience = 30

        async def later() -> PickedRelay:
            import asyncio

            loop = asyncio.get_running_loop()
            loop.call_soon(lambda: loop.call_soon(lambda: self.tell("a")))
            return (await asyncio.gather(*(self.choice.first("web-1", "") for _ in range(3))))[2]

        self.assertEqual(awaited(later()).id, "a")

    def test_tried(self) -> None:
        """One that was tried for this stream isn't picked for it again."""
        self.tell("a")
        self.tell("b")
        picked = {self.choice.pick("web-1", "", tried=["a"]) for _ in range(50)}
        self.assertEqual({each and each.id for each in picked}, {"b"})
        self.assertIsNone(self.choice.pick("web-1", "", tried=["a", "b"]))

    def test_avoided(self) -> None:
        """One that a host couldn't use is avoided for this host alone, for ten seconds, and while another one is left;
        a host that says so of all relays keeps nobody else from them."""
        self.tell("a", zone="fra")
        self.tell("b")
        self.choice.avoid("web-1", "a")
        self.assertEqual(set(self.picked("fra")), {"b"})
        self.assertEqual(set(self.picked("fra", "web-2")), {"a"})
        self.choice.avoid("web-1", "b")
        self.assertEqual(set(self.picked()), {"a", "b"})
        self.time += AVOID
        self.tell("a", zone="fra")
        self.assertEqual(set(self.picked("fra")), {"a"})

    def test_avoided_are_few(self) -> None:
        """What hosts couldn't use is forgotten in time, and the oldest of too much of it at once."""
        for number in range(MOST_AVOIDED + 5):
            self.choice.avoid(f"host-{number}", "a")
        self.assertEqual(len(self.choice._avoided), MOST_AVOIDED)
        self.time += AVOID
        self.choice.avoid("web-1", "a")
        self.assertEqual(list(self.choice._avoided), [("web-1", "a")])

    def test_fixed(self) -> None:
        """With one relay by the settings it is that one, whatever the bus says, and no other in its place."""
        fixed = PickedRelay("relay", "wss://relay.example/x")
        choice = RelayChoice(lambda: 0.0, fixed)
        self.assertEqual(awaited(choice.first("web-1", "fra")), fixed)
        choice.avoid("web-1", "relay")
        self.assertEqual(choice.pick("web-1", ""), fixed)
        self.assertIsNone(choice.pick("web-1", "", ["relay"]))
        self.assertEqual((choice.sources, str(choice)), ("wss://relay.example", "wss://relay.example/x"))


class Told(Case):
    """What relays say of themselves, true or not."""

    def test_url(self) -> None:
        """A URL that the settings don't allow is never picked: not another relay's, nor one elsewhere; the log says so
        once a minute."""
        heard = Heard(self)
        self.tell("a")
        for url in ("wss://b.relay.example", "wss://a.relay.example.evil.example", "ws://a.relay.example"):
            self.tell("a", url=url)
            self.assertIsNone(self.choice.pick("web-1", ""))
        self.assertEqual(len(heard.lines), 1)
        self.assertIn("relay a tells a URL that setting relays doesn't allow, wss://b.relay.example", heard.lines[0])
        self.time += SAID
        self.tell("a", url="wss://b.relay.example")
        self.assertEqual(len(heard.lines), 2)

    def test_two_of_one_id(self) -> None:
        """Two that have one id, as of a copied folder, are told of, once; one that moves, there and back, isn't."""
        heard = Heard(self)
        self.choice.allowed = ("wss://*.relay.example",)
        for urls, seconds, lines in (("aabbaa", RELAY_SILENCE - 1, 0), ("bababa", 1, 1)):
            for url in urls:
                self.tell("a", url=f"wss://{url}.relay.example")
                self.time += seconds
            self.assertEqual(["in turn; two have that id" in line for line in heard.lines], [True] * lines)

    def test_settings_read_again(self) -> None:
        """A pattern that is taken out of the settings counts at once, for what was heard before as well."""
        self.tell("a")
        self.choice.allowed = ("wss://*.other.example",)
        self.assertIsNone(self.choice.pick("web-1", ""))

    def test_nonsense(self) -> None:
        """What is no state of a relay changes nothing, whoever says it, and is said in the log once."""
        heard = Heard(self)
        self.tell("a")
        good = codec.decode(codec.encode(RelayState("wss://a.relay.example")), dict)
        for change in (
            *({"load": 2}, {"load": -0.1}, {"load": "x"}, {"streams": -1}, {"state": "best"}, {"zone": "a b"}),
            *({"url": "https://a.relay.example"}, {"url": "wss://u@a.relay.example"}, {"version": "\x1b[2J"}),
        ):
            self.say("a", STATE, codec.encode({**good, **change}))
        for data in (b"", b"[]", b"\xff", b"{" * 5000):
            self.say("a", STATE, data)
        self.say("a", "another-kind", b"")
        self.assertEqual(set(self.picked()), {"a"})
        self.assertEqual(len(heard.lines), 1)

    def test_subjects(self) -> None:
        """Who it is stands in the subject alone; one that is none of a relay's is passed over."""
        told = codec.encode(RelayState("wss://a.relay.example"))
        for subject in ("streamrelay.v1.relay.a", "streamrelay.v1.event.a.state", "", "streamrelay.v1.relay.a.b.state"):
            self.choice.hear(Message(told, "", subject))
        self.choice.hear(Message(told, "", "streamrelay.v1.relay.a b.state"))
        self.assertEqual(list(self.choice.standing()), [])
        self.choice.allowed = ("wss://*.relay.example",)
        self.choice.hear(Message(told, "", "streamrelay.v1.relay.a:example.state"))
        self.assertEqual([heard.id for heard in self.choice.standing()], ["a.example"])

    def test_many(self) -> None:
        """On a bus that is open to all, names that are invented without end don't count beyond a bound, and make few
        lines; those that fell silent leave their place."""
        heard = Heard(self)
        for number in range(MOST_RELAYS + 50):
            self.tell(f"r{number}")
        self.assertEqual(len(list(self.choice.standing())), MOST_RELAYS)
        for number in range(2000):
            self.tell(f"x{number}", url="wss://elsewhere.example")
        self.assertLess(len(self.choice._said), MOST_RELAYS + 1)
        self.assertLess(len(heard.lines), MOST_RELAYS + 1)
        self.time += RELAY_SILENCE
        self.tell("late")
        self.assertEqual(set(self.picked()), {"late"})

    def test_sources(self) -> None:
        """Pages may connect where the settings say, whatever relays tell."""
        self.choice.allowed = ("wss://*.relay.example/fra", "wss://{id}.relay.example", "ws://127.0.0.1:*")
        self.tell("a", url="ws://127.0.0.1:4711")
        self.assertEqual(self.choice.sources, "wss://*.relay.example ws://127.0.0.1:*")


class Patterns(SynchronousTestCase):
    """URLs as an operator allows them."""

    def test_fits(self) -> None:
        """A star is one label of a name or any port, the id is the relay's own, and all else is compared as it is."""
        for pattern, url, right in (
            ("wss://relay.example", "wss://relay.example", True),
            ("wss://relay.example", "wss://relay.example/", True),
            ("wss://relay.example", "wss://relay.example/x", False),
            ("wss://relay.example", "wss://relayxexample", False),
            ("wss://relay.example", "ws://relay.example", False),
            ("wss://relay.example:8443/fra", "wss://relay.example:8443/fra", True),
            ("wss://relay.example:8443", "wss://relay.example", False),
            ("wss://*.relay.example", "wss://fra-1.relay.example", True),
            ("wss://*.relay.example", "wss://relay.example", False),
            ("wss://*.relay.example", "wss://a.b.relay.example", False),
            ("wss://*.relay.example", "wss://a.relay.example:8443", False),
            ("wss://*.relay.example", "wss://evil.example/.relay.example", False),
            ("wss://{id}.relay.example", "wss://r.1.relay.example", True),
            ("wss://{id}.relay.example", "wss://rx1.relay.example", False),
            ("ws://127.0.0.1:*", "ws://127.0.0.1:80", True),
            ("ws://127.0.0.1:*", "ws://127.0.0.1", False),
            ("ws://127.0.0.1:*", "ws://127.0.0.1:80/x", False),
            ("wss://[::1]:*/x", "wss://[::1]:5/x", True),
        ):
            self.assertEqual(fits(pattern, "r.1", url), right, (pattern, url))
        self.assertEqual(source("wss://{id}.relay.example:8443/x"), "wss://*.relay.example:8443")

    def test_checked(self) -> None:
        """What is no such pattern keeps the platform from starting, and so does a plain one beyond this machine."""
        for pattern in ("wss://relay.example", "wss://*.a.example:*/x", "ws://127.0.0.1:*", "wss://{id}.a.example:1"):
            check_pattern(pattern, False)
        check_pattern("ws://*.relay.example", True)
        for pattern in (
            *("", "*", "wss://*", "wss://*:443", "wss://a.*.example", "wss://*a.example", "wss://a.example/*", "wss:"),
            *("wss://{id}", "wss://{x}.example", "wss://*.*.example", "https://a.example", "wss://u@a.example"),
            *(
                "wss://a.example?x",
                "ws://relay.example",
                "ws://*.relay.example",
                "wss://a.example:x",
                "wss://a b.example",
            ),
            *("wss://a.example; script-src *", "wss://a.example:99999"),
        ):
            self.assertRaises(ValueError, check_pattern, pattern, False)

    def test_either(self) -> None:
        """A platform has one relay or those of the bus, never both nor none."""
        self.assertRaises(ConfigError, Platform)
        self.assertRaises(ConfigError, Platform, "wss://r.example", relays=("wss://r.example",))
