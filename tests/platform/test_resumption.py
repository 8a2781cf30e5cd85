"""resumption.py: new legs for a stream that has lost its own."""

from typing import Any

from streamrelay.bus.message import TooSlow
from streamrelay.errors import Refused
from streamrelay.platform import Opened, Platform, StreamOver
from streamrelay.platform.resumption import Resumption
from streamrelay.protocol import codec
from streamrelay.protocol.limits import Limits
from streamrelay.protocol.summons import Answer, End, PastEnd, Refusal, Resume, Summons
from streamrelay.protocol.tokens import LegClaims, Verifier
from tests.fakes.reactors import awaited
from tests.platform import test_opening, test_platform
from tests.platform.test_platform import put_bus

STREAM = "s" * 22
READY = codec.encode(Answer(ready=True, kind="tcp", resume=120.0, received=99))


def again(**changes: Any) -> Resumption:
    about = {"user": "alice", "host": "web-1", "target": "shell", "stream": STREAM, "received": 7, "attempt": 2}
    return Resumption(**{**about, **changes})


class Case(test_platform.Case):
    """A platform whose bus is a fake."""

    def resume(self, **changes: Any) -> Opened:
        return awaited(self.platform.resume(again(**changes)))

    def legs(self, opened: Opened, token: str) -> tuple[LegClaims, LegClaims]:
        relay = Verifier.load([self.public], "relay-1")
        return relay.leg(opened.url.rpartition("/")[2], "client"), relay.leg(token, "agent")


class Asked(Case):
    """Summonses to resume."""

    def test_asked(self) -> None:
        """The agent is told what the client has, and of the stream; both legs have a token of another rendezvous, which
        says whose legs they are."""
        self.bus.answers.append(READY)
        opened = self.resume(limits=Limits(idle=60))
        [(subject, data)] = self.bus.asked
        self.assertEqual(subject, "streamrelay.v1.host.web-1.open")
        asked = codec.convert(Verifier.load([self.public], "web-1").claims(data.decode(), "resume"), Resume)
        self.assertEqual((asked.stream, asked.target, asked.user), (STREAM, "shell", "alice"))
        self.assertEqual((asked.received, asked.attempt, asked.view), (7, 2, False))
        self.assertEqual((opened.stream, opened.received, opened.resume), (STREAM, 99, 120.0))
        client, agent = self.legs(opened, asked.token)
        self.assertEqual(client.sub, agent.sub)
        self.assertNotEqual(client.sub, STREAM)
        self.assertEqual({client.resumes, agent.resumes}, {STREAM})
        self.assertEqual((client.idle, agent.idle), (60, 60))

    def test_first(self) -> None:
        """A stream that is to outlive its legs says so to its agent, and its first legs' tokens say whose they are."""
        self.bus.answers.append(READY)
        opened = self.open(resume=True)
        [(_, data)] = self.bus.asked
        summons = codec.convert(Verifier.load([self.public], "web-1").claims(data.decode(), "summons"), Summons)
        self.assertEqual((summons.resume, summons.links, summons.stream), (True, 0, opened.stream))
        client, agent = self.legs(opened, summons.token)
        self.assertEqual({client.sub, client.resumes, agent.sub, agent.resumes}, {opened.stream})
        self.assertEqual(opened.resume, 120.0)

    def test_refused(self) -> None:
        """Never is 410, a request that isn't the newest 409; and nothing is ended where nobody answers."""
        for code, status in ((Refusal.STREAM_OVER, 410), (Refusal.STALE, 409), (Refusal.BUSY, 503)):
            self.bus.answers.append(codec.encode(Answer(refused=code, reason="why")))
            refusal = self.refused(self.platform.resume(again()))
            self.assertEqual((refusal.status, refusal.code), (status, code))
        self.bus.answers.append(codec.encode(Answer(refused=Refusal.STREAM_OVER, ended=PastEnd(4006, "why", 3))))
        refusal = self.refused(self.platform.resume(again()))
        assert isinstance(refusal, StreamOver)
        self.assertEqual(refusal.ended, PastEnd(4006, "why", 3))
        self.bus.published.clear()
        self.bus.answers.append(TooSlow())
        self.refused(self.platform.resume(again()))
        self.assertEqual(self.bus.published, [])

    def test_unsigned(self) -> None:
        """Where tokens are opaque no stream resumes: anybody could attach to it."""
        platform = Platform("wss://relay.example/")
        put_bus(platform)
        with self.assertRaises(Refused) as refused:
            awaited(platform.resume(again()))
        self.assertEqual(refused.exception.status, 410)

    def test_early(self) -> None:
        """A client that may go to the relay early is told the id that it knows."""
        told: list[str] = []
        self.bus.answers.append(READY)
        opened = awaited(self.platform.resume(again(), lambda early: told.append(f"{early.stream} {early.url}")))
        self.assertEqual(told, [f"{STREAM} {opened.url}"])

    def test_withdrawn(self) -> None:
        """A stream of a user who may have it no longer is ended, if it is theirs."""
        self.platform.withdraw("alice", "web-1", STREAM, "not any more")
        [(subject, data)] = self.bus.published
        end = codec.convert(Verifier.load([self.public], "web-1").claims(data.decode(), "end"), End)
        self.assertEqual((subject, end.user, end.reason), ("streamrelay.v1.host.web-1.end", "alice", "not any more"))


class Elsewhere(test_opening.Case):
    """Agents that can't use the relay that was picked."""

    def test_another(self) -> None:
        """Another relay is tried in the same request, under the same number."""
        self.bus.answers += [test_opening.cannot(), READY]
        opened = awaited(self.platform.resume(again()))
        verifier = Verifier.load([self.public], "web-1")
        asked = [codec.convert(verifier.claims(data.decode(), "resume"), Resume) for _, data in self.bus.asked]
        self.assertEqual([each.attempt for each in asked], [2, 2])
        self.assertNotEqual(asked[0].relay, asked[1].relay)
        self.assertTrue(opened.url.startswith(asked[1].relay))
