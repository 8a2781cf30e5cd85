"""platform.py: minting, summoning, asking who is up."""

import json
from collections.abc import Coroutine
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.summonses import Summonses
from streamrelay.bus.message import Down, Nobody, TooSlow
from streamrelay.errors import Refused
from streamrelay.platform import Opened, Platform
from streamrelay.platform.refusals import AGAIN
from streamrelay.protocol import codec
from streamrelay.protocol.limits import Limits, strictest
from streamrelay.protocol.names import is_opaque
from streamrelay.protocol.summons import (
    SPICE_LINKS,
    Answer,
    HostAnswer,
    HostInfo,
    Refusal,
    Summons,
    TargetInfo,
    Terms,
)
from streamrelay.protocol.tokens import Verifier
from tests.documented import ASKED_LIFE, CLOCK_SKEW, OPEN_TIME
from tests.fakes.bus import FakeBus
from tests.fakes.files import key_pair
from tests.fakes.reactors import awaited

READY = codec.encode(Answer(ready=True, kind="log"))


def put_bus(platform: Platform) -> FakeBus:
    """Give a platform a bus that is a fake."""
    platform.bus = platform.lookout.bus = platform.asking.bus = platform.live_streams.bus = bus = FakeBus()
    platform.lookout.listen()
    return bus


class Case(SynchronousTestCase):
    """A platform whose bus is a fake."""

    def setUp(self) -> None:
        private, public = key_pair(self)
        self.platform = Platform("wss://relay.example/", key=str(private), relay_id="relay-1")
        self.bus = put_bus(self.platform)
        self.public = str(public)

    def open(self, host: str = "web-1", target: str = "log/nginx", **more: Any) -> Opened:
        return awaited(self.platform.open("alice", host, target, **more))

    def refused(self, work: Coroutine[Any, Any, object]) -> Refused:
        refusal: Refused = self.assertRaises(Refused, awaited, work)
        return refusal


class Opening(Case):
    """POST /v1/streams, below the HTTP."""

    def test_ready(self) -> None:
        """An agent that is ready makes a URL with a client's token for the relay, of the stream that it was told."""
        self.bus.answers.append(codec.encode(Answer(ready=True, kind="log", viewer="log", links=2)))
        opened = self.open(links=2)
        [(subject, data)] = self.bus.asked
        self.assertEqual(subject, "streamrelay.v1.host.web-1.open")
        claims = Verifier.load([self.public], "web-1").claims(data.decode(), "summons")
        summons = codec.convert(claims, Summons)
        self.assertEqual((summons.stream, summons.target, summons.user), (opened.stream, "log/nginx", "alice"))
        self.assertEqual((summons.relay, summons.links), ("wss://relay.example/", 2))
        relay = Verifier.load([self.public], "relay-1")
        agent = relay.leg(summons.token, "agent")
        self.assertTrue(opened.url.startswith("wss://relay.example/client/"))
        client = relay.leg(opened.url.rpartition("/")[2], "client")
        self.assertEqual({agent.sub, client.sub}, {opened.stream})
        self.assertEqual((client.user, client.host, client.target, client.links), ("alice", "web-1", "log/nginx", 2))
        self.assertNotEqual(agent.jti, client.jti)
        self.assertEqual(opened.kind, "log")

    def test_several_websockets(self) -> None:
        """What is asked to resume may take several websockets, as its host alone knows; then it doesn't resume."""
        self.bus.answers.append(codec.encode(Answer(ready=True, kind="qemu", viewer="spice", links=5)))
        opened = self.open(resume=True)
        self.assertEqual((opened.links, opened.resume), (5, 0))

    def test_no_longer_than_waited_for(self) -> None:
        """A summons is good, by a clock that is right, no longer than its answer is waited for, signed or plain."""
        self.bus.answers.append(READY)
        self.open()
        claims = Verifier.load([self.public], "web-1").claims(self.bus.asked[0][1].decode(), "summons")
        self.assertLessEqual(claims["exp"] + CLOCK_SKEW - claims["iat"], OPEN_TIME)
        opaque = Platform("wss://relay.example/", now=lambda: 1000.0)
        bus = put_bus(opaque)
        bus.answers.append(READY)
        awaited(opaque.open("alice", "web-1", "log"))
        summonses: Summonses[str] = Summonses(None, lambda: 1000.0 + OPEN_TIME)
        self.assertTrue(summonses.read(bus.asked[0][1], "summons", Summons))
        summonses.now = lambda: 1000.0 + OPEN_TIME + 0.1
        self.assertRaises(ValueError, summonses.read, bus.asked[0][1], "summons", Summons)

    def test_given_up(self) -> None:
        """When the platform gives up waiting it has the stream ended, whatever the host still makes of its summons."""
        verifier = Verifier.load([self.public], "web-1")
        for given_up, status in ((TooSlow(), 504), (Down(), 503)):
            self.bus.answers.append(given_up)
            self.assertEqual(self.refused(self.platform.open("alice", "web-1", "log")).status, status)
            subject, data = self.bus.published[-1]
            self.assertEqual(subject, "streamrelay.v1.host.web-1.end")
            summons = verifier.claims(self.bus.asked[-1][1].decode(), "summons")
            self.assertEqual(verifier.claims(data.decode(), "end")["stream"], summons["stream"])

    def test_links(self) -> None:
        """Without a number the agent says how many legs the target needs; the client's token admits no more."""
        relay = Verifier.load([self.public], "relay-1")
        for said, links in ((1, 1), (12, 12), (32, SPICE_LINKS)):
            self.bus.answers.append(codec.encode(Answer(ready=True, kind="qemu", viewer="spice", links=said)))
            opened = self.open()
            claims = Verifier.load([self.public], "web-1").claims(self.bus.asked[-1][1].decode(), "summons")
            summons = codec.convert(claims, Summons)
            self.assertEqual((summons.links, relay.leg(summons.token, "agent").links), (0, SPICE_LINKS))
            self.assertEqual((opened.links, relay.leg(opened.url.rpartition("/")[2], "client").links), (links, links))
            self.assertEqual(opened.viewer, "spice")

    def test_terms(self) -> None:
        """The terms of a stream stand in its summons."""
        self.bus.answers.append(codec.encode(Answer(ready=True, kind="log", viewer="log")))
        opened = self.open(terms=Terms(True, "a-place", 5, lines=7))
        claims = Verifier.load([self.public], "web-1").claims(self.bus.asked[-1][1].decode(), "summons")
        summons = codec.convert(claims, Summons)
        self.assertEqual((summons.view, summons.place, summons.after, opened.view), (True, "a-place", 5, True))
        self.assertEqual(summons.terms, Terms(True, "a-place", 5, "alice", 7))

    def test_refusals(self) -> None:
        """Each word of an agent has a status of its class; only where it is worth asking again it is said when."""
        for code, status in (
            *((Refusal.TARGET_REFUSED, 502), (Refusal.TARGET_UNREACHABLE, 504), (Refusal.DIAL_FAILED, 502)),
            *((Refusal.BUSY, 503), (Refusal.RELAY_BUSY, 503), ("of_a_newer_agent", 502)),
        ):
            self.bus.answers.append(codec.encode(Answer(refused=code, reason="why")))
            refused = self.refused(self.platform.open("u", "h", "t"))
            again = AGAIN if status == 503 else 0
            self.assertEqual((refused.status, refused.code, refused.retry_after), (status, code, again))

    def test_looks_not_kept(self) -> None:
        """An agent that doesn't say what can be looked at only may not know of it, so its stream isn't given out."""
        for answer in (b'{"ready":true,"kind":"pty"}', codec.encode(Answer(ready=True, kind="qemu", viewer="spice"))):
            self.bus.answers.append(answer)
            refused = self.refused(self.platform.open("u", "h", "t", terms=Terms(view=True)))
            self.assertEqual((refused.status, refused.code), (502, "bad_answer"))

    def test_lying_words(self) -> None:
        """What an agent says of itself is words, and a reason in one short line without control characters."""
        for name in ("kind", "viewer", "refused"):
            for word in ("a b", "\x1b]0;x\x07", "a" * 65, "<script>"):
                self.bus.answers.append(codec.encode({"ready": name != "refused", name: word}))
                self.assertEqual(self.refused(self.platform.open("u", "h", "t")).code, "bad_answer")
        reason = "no\n\x1b[2J\u202e" + "x" * 5000
        self.bus.answers.append(codec.encode(Answer(refused="busy", reason=reason)))
        refused = self.refused(self.platform.open("u", "h", "t"))
        self.assertEqual((refused.reason[:8], len(refused.reason)), ("no??[2J?", 200))

    def test_limits(self) -> None:
        """Limits go into both tokens and the summons: those that are given, or the platform's own."""
        relay = Verifier.load([self.public], "relay-1")
        self.platform.limits = Limits(idle=600, quota=1 << 40)
        for given, wanted in ((None, self.platform.limits), (Limits(lifetime=1.5), Limits(lifetime=1.5))):
            self.bus.answers.append(READY)
            opened = self.open(limits=given)
            claims = Verifier.load([self.public], "web-1").claims(self.bus.asked[-1][1].decode(), "summons")
            summons = codec.convert(claims, Summons)
            legs = relay.leg(summons.token, "agent"), relay.leg(opened.url.rpartition("/")[2], "client")
            self.assertEqual([strictest(each) for each in (summons, *legs)], [wanted] * 3)

    def test_opaque(self) -> None:
        """Without a key both legs get the same string, and the summons is plain JSON that expires."""
        self.platform = Platform("wss://relay.example")
        self.bus = put_bus(self.platform)
        self.bus.answers.append(READY)
        opened = self.open()
        summons = codec.decode(self.bus.asked[0][1], Summons)
        self.assertEqual(opened.url, f"wss://relay.example/client/{summons.token}")
        self.assertTrue(is_opaque(summons.token))
        self.assertNotEqual(summons.token, opened.stream)
        self.assertLess(abs(summons.exp - self.platform.now() - ASKED_LIFE), 3)

    def test_each_is_new(self) -> None:
        """Two streams share no id and no token."""
        self.bus.answers += [READY, READY]
        one, two = self.open(), self.open()
        self.assertNotEqual(one.stream, two.stream)
        self.assertNotEqual(one.url, two.url)

    def test_impossible_names(self) -> None:
        """A host or target that can't be is refused with 404, and nothing is asked on the bus."""
        hosts = [(host, "x") for host in ("a..b", "a:b", "a.", "*", ">", "", "a\n")]
        for host, target in (*hosts, ("a", ""), ("a", "../x y")):
            self.assertEqual(self.refused(self.platform.open("u", host, target)).status, 404)
        self.assertEqual(self.bus.asked, [])

    def test_no_answer(self) -> None:
        """What the bus says is told in HTTP's terms, with a word for programs."""
        for failure, status, code in (
            (Nobody(), 503, "host_offline"),
            (TooSlow(), 504, "host_slow"),
            (Down(), 503, "bus_down"),
        ):
            self.bus.answers.append(failure)
            refused = self.refused(self.platform.open("u", "h", "t"))
            self.assertEqual((refused.status, refused.code), (status, code))

    def test_refused(self) -> None:
        """What the agent says is told with its reason and in HTTP's terms, unknown codes as 502."""
        for code, status in (
            (Refusal.NO_SUCH_TARGET, 404),
            (Refusal.TARGET_REFUSED, 502),
            (Refusal.TARGET_UNREACHABLE, 504),
            (Refusal.DIAL_FAILED, 502),
            (Refusal.NOT_ALLOWED, 403),
            (Refusal.BAD_SUMMONS, 502),
            (Refusal.BUSY, 503),
            ("new_word", 502),
        ):
            self.bus.answers.append(codec.encode(Answer(refused=code, reason="why")))
            refused = self.refused(self.platform.open("u", "h", "t"))
            self.assertEqual((refused.status, refused.code, refused.reason), (status, code, "why"))

    def test_nonsense(self) -> None:
        """An answer that is none is refused with 502."""
        for answer in (b"", b"[]", b"\xff", b'{"ready": "yes"}'):
            self.bus.answers.append(answer)
            self.assertEqual(self.refused(self.platform.open("u", "h", "t")).code, "bad_answer")


class Asking(Case):
    """What is up."""

    def test_hosts(self) -> None:
        """Hosts that are up are listed in order, without asking anybody; one that is down isn't."""
        for host in ("b", "a", "c"):
            self.platform.inventory.told(host, HostAnswer((TargetInfo("a", "tcp"),), "1.2.3", "vm"))
        self.platform.inventory.lost("c")
        self.platform.inventory.be_complete(True)
        hosts = awaited(self.platform.hosts())
        expected = [HostInfo(host, (TargetInfo("a", "tcp"),), "1.2.3") for host in "ab"]
        self.assertEqual((hosts, hosts.complete, self.bus.asked, self.bus.published), (expected, True, [], []))

    def test_incomplete(self) -> None:
        """Lists say whether they are whole, and which hosts are missing: of streams where not all hosts are known, one
        hasn't answered, or hangs."""
        ask, missed = self.platform.live_streams.ask, list[str]()
        self.platform.live_streams.missed = missed.extend
        self.assertEqual((awaited(ask()).complete, awaited(ask()).cut), (False, True))
        self.platform.inventory.be_complete(True)
        for complete in (True, False):
            self.bus.complete = complete
            self.assertEqual(awaited(ask()).complete, complete)
        self.bus.missing = frozenset(("b:c",))
        found = awaited(ask())
        self.assertEqual((found.complete, found.cut, found.missing), (False, False, {"b.c"}))
        self.assertEqual(missed, ["b.c"])
        self.bus.complete, self.bus.missing = True, frozenset()
        self.platform.inventory.told("a", HostAnswer((), "1", "vm"))
        self.platform.inventory.hangs("a")
        self.assertEqual((awaited(ask()).complete, awaited(ask()).missing), (False, {"a"}))
        self.platform.inventory.lost("a")
        for nonsense in (b"{}", b"[{}]", b""):
            self.bus.gathered = [("d", nonsense)]
            self.assertEqual((awaited(ask()).complete, awaited(ask()).missing), (False, {"d"}))

    def test_once(self) -> None:
        """Within two seconds all who ask get the same list of streams; after an opening or an end they are asked
        anew."""

        async def work() -> list[int]:
            counts = []
            for step in (
                self.platform.streams,
                self.platform.streams,
                lambda: self.platform.open("alice", "web-1", "log"),
                self.platform.streams,
                lambda: self.platform.end("web-1", "s" * 22),
                self.platform.streams,
                lambda: self.platform.streams(anew=True),
            ):
                await step()
                counts.append(len([subject for subject, _ in self.bus.asked if ".hosts." in subject]))
            return counts

        self.bus.answers += [READY, READY]
        self.assertEqual(awaited(work()), [1, 1, 1, 2, 2, 3, 4])

    def test_known_by_opening(self) -> None:
        """What the bus says when a stream is opened is known of the host from then on."""
        self.platform.inventory.told("web-1", HostAnswer((), "1", "vm"))
        for answer, state in ((TooSlow(), "silent"), (READY, "up"), (Nobody(), "down")):
            self.bus.answers.append(answer)
            try:
                awaited(self.platform.open("u", "web-1", "t"))
            except Refused:
                pass
            self.assertEqual(self.platform.inventory.state("web-1"), state)

    def test_dots(self) -> None:
        """A host with dots in its name is summoned, listed and believed under that name alone."""
        told = {"stream": "s" * 22, "target": "t", "user": "u", "seconds": 1, "up": 1, "down": 2}
        others = [{**told, "host": host} for host in ("a", "a:b", "a_b", "b")]
        self.bus.gathered = [("a:b", codec.encode([*others, {**told, "host": "a.b"}])), ("a", codec.encode([]))]
        self.assertEqual([info.host for info in awaited(self.platform.streams())], ["a.b"])
        for part in ("a:b", "a_b", "a", ":", "a:", ":a", "a::b", "x" * 65):
            inbox = self.platform.lookout.inbox
            self.bus.hear(f"{inbox}.{part}", b'[{"name":"x","kind":"tcp"}]', f"{inbox}.*")
        self.platform.inventory.be_complete(True)
        self.assertEqual([info.host for info in awaited(self.platform.hosts())], ["a", "a.b", "a_b"])
        self.bus.answers.append(codec.encode(Answer(ready=True, kind="log", viewer="log")))
        awaited(self.platform.open("alice", "a.b", "log"))
        subject, data = self.bus.asked[-1]
        self.assertEqual(subject, "streamrelay.v1.host.a:b.open")
        Verifier.load([self.public], "a.b").claims(data.decode(), "summons")

    def test_streams(self) -> None:
        """Live streams are listed, the oldest first, and no host tells of another's; nonsense is left out."""

        def told(host: str, name: str, age: float) -> dict[str, object]:
            return {"stream": name, "host": host, "target": "t", "user": "u", "seconds": age, "up": 1, "down": 2}

        self.bus.gathered = [
            ("h", json.dumps([told("h", "young", 1), told("i", "another's", 99), told("h", "old", 9)]).encode()),
            ("i", json.dumps([told("i", "middle", 5)]).encode()),
            ("j", b"{}"),
            ("k", b"[{}]"),
        ]
        self.assertEqual([info.stream for info in awaited(self.platform.streams())], ["old", "middle", "young"])
        self.assertEqual(self.bus.asked, [("streamrelay.v1.hosts.streams", b"")])

    def test_down(self) -> None:
        """Without a bus the lists are refused with 503, though they were told a moment ago."""
        self.platform.inventory.be_complete(True)
        for work in (self.platform.hosts, self.platform.streams):
            awaited(work())
        self.bus.down = True
        for work in (self.platform.hosts, self.platform.streams):
            self.assertEqual(self.refused(work()).code, "bus_down")

    def test_end(self) -> None:
        """A stream is ended by a signed request to its host; one that isn't there is refused with 404."""
        self.bus.answers.append(codec.encode(Answer(ready=True)))
        awaited(self.platform.end("web-1", "s" * 22))
        [(subject, data)] = self.bus.asked
        self.assertEqual(subject, "streamrelay.v1.host.web-1.end")
        claims = Verifier.load([self.public], "web-1").claims(data.decode(), "end")
        self.assertEqual(claims["stream"], "s" * 22)
        self.bus.answers.append(codec.encode(Answer(refused=Refusal.NO_SUCH_STREAM)))
        self.assertEqual(self.refused(self.platform.end("web-1", "x" * 22)).status, 404)
