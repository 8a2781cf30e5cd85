"""discovery.py: what an agent tells whoever asks."""

import json
from typing import Any

from nats.micro.service import ServiceInfo, ServicePing, ServiceStats
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.bus.discovery import Discovery
from streamrelay.bus.message import Message
from streamrelay.protocol.subjects import ALL_STREAMS, ALL_TARGETS
from streamrelay.protocol.summons import HostAnswer, StreamInfo, TargetInfo
from tests.fakes.bus import HOST_QUESTION, WHO_QUESTION, FakeBus

TARGETS = (TargetInfo("log", "log"),)
STREAMS = [StreamInfo("s" * 22, "web-1", "log", "alice", 1.5, 1, 2)]


class Answers(SynchronousTestCase):
    """An agent of web-1 on a bus that is a fake."""

    def setUp(self) -> None:
        self.bus, self.agent = FakeBus(), "vm-a"
        told = (lambda: HostAnswer(TARGETS), lambda: STREAMS, lambda: self.agent)
        Discovery(self.bus, "web-1", "1.2.3.dev0", "2026-01-01T00:00:00.000000Z", *told).listen()

    def ask(self, subject: str, reply: str = "_INBOX.a", question: bytes = b"") -> list[tuple[str, Any]]:
        self.bus.published.clear()
        self.bus.listeners[subject](Message(question, reply))
        return [(where, json.loads(answer)) for where, answer in self.bus.published]

    def test_all(self) -> None:
        """What all agents are asked is answered on a subject that ends in the host's name."""
        [(where, targets)] = self.ask(ALL_TARGETS)
        self.assertEqual((where, targets), ("_INBOX.a.web-1", [{"name": "log", "kind": "log"}]))
        [(where, streams)] = self.ask(ALL_STREAMS)
        self.assertEqual((where, streams[0]["user"]), ("_INBOX.a.web-1", "alice"))

    def test_version(self) -> None:
        """A platform that asks for it is told the agent's version with the targets."""
        [(where, told)] = self.ask(ALL_TARGETS, question=HOST_QUESTION)
        self.assertEqual(where, "_INBOX.a.web-1")
        about = {"version": "1.2.3.dev0", "targets": [{"name": "log", "kind": "log"}], "agent": "vm-a"}
        self.assertEqual(told, about)
        [(_, told)] = self.ask(ALL_TARGETS, question=b'{"targets":"of a newer platform"}')
        self.assertEqual(told, about)

    def test_spread(self) -> None:
        """Where answers are to be spread each comes after a part of that time; of who is asked so by chance."""
        clock, bus = Clock(), FakeBus()
        told = (lambda: HostAnswer(TARGETS), lambda: STREAMS)
        Discovery(bus, "web-1", "1", "", *told, clock=clock, part=lambda: 0.5).listen()
        bus.listeners[ALL_TARGETS](Message(b'{"spread":20}', "_INBOX.a"))
        clock.advance(9.9)
        self.assertEqual(bus.published, [])
        clock.advance(0.1)
        self.assertEqual(len(bus.published), 1)
        bus.listeners[ALL_TARGETS](Message(b'{"spread":601}', "_INBOX.a"))  # of none that we know
        self.assertEqual(len(bus.published), 2)

    def test_who(self) -> None:
        """Who asks only who is there is told no targets; an agent that stops tells no name of its own."""
        [(where, told)] = self.ask(ALL_TARGETS, question=WHO_QUESTION)
        self.assertEqual((where, told), ("_INBOX.a.web-1", {"version": "1.2.3.dev0", "targets": [], "agent": "vm-a"}))
        self.agent = ""
        self.assertNotIn("agent", self.ask(ALL_TARGETS, question=WHO_QUESTION)[0][1])

    def test_cut(self) -> None:
        """A list of targets that isn't whole says so to platforms and to tools."""
        self.bus = FakeBus()
        Discovery(self.bus, "h", "1.2.3", "", lambda: HostAnswer(TARGETS, complete=False), lambda: STREAMS).listen()
        [(_, told)] = self.ask(ALL_TARGETS, question=HOST_QUESTION)
        self.assertEqual((told["complete"], told["version"], len(told["targets"])), (False, "1.2.3", 1))
        [(_, told)] = self.ask("$SRV.INFO")
        self.assertEqual(told["metadata"]["complete"], "false")

    def test_dots(self) -> None:
        """A host with dots in its name answers by one part of a subject, and tools know it by that and by its name."""
        self.bus = FakeBus()
        Discovery(self.bus, "web-1.example.com", "1.2.3", "", lambda: HostAnswer(TARGETS), lambda: STREAMS).listen()
        for subject in (ALL_TARGETS, ALL_STREAMS):
            [(where, _)] = self.ask(subject)
            self.assertEqual(where, "_INBOX.a.web-1:example:com")
        [(_, told)] = self.ask("$SRV.PING")
        self.assertEqual((told["id"], told["metadata"]["host"]), ("web-1:example:com", "web-1.example.com"))
        [(_, stats)] = self.ask(f"$SRV.STATS.streamagent.{told['id']}")
        [(where, _)] = self.ask(stats["endpoints"][0]["subject"])
        self.assertEqual(where, "_INBOX.a")

    def test_own(self) -> None:
        """What this host alone is asked is answered where the asker listens."""
        [(where, streams)] = self.ask("streamrelay.v1.host.web-1.streams")
        self.assertEqual((where, len(streams)), ("_INBOX.a", 1))

    def test_inbox_only(self) -> None:
        """No question is answered on a subject that is no inbox."""
        for subject in self.bus.listeners:
            for reply in ("", "streamrelay.v1.host.web-2.open", "$SRV.PING", "_INBOX"):
                self.assertEqual(self.ask(subject, reply), [], (subject, reply))

    def test_nats(self) -> None:
        """NATS' own library understands the answers to its service discovery, which know the host by its name."""
        kinds: dict[str, type[ServicePing | ServiceInfo | ServiceStats]] = {
            "PING": ServicePing,
            "INFO": ServiceInfo,
            "STATS": ServiceStats,
        }
        asked = [subject for subject in self.bus.listeners if subject.startswith("$SRV.")]
        self.assertEqual(len(asked), 9)
        for subject in asked:
            verb = subject.split(".")[1]
            [(where, told)] = self.ask(subject)
            self.assertEqual((where, told["type"]), ("_INBOX.a", f"io.nats.micro.v1.{verb.lower()}_response"))
            read = kinds[verb].from_dict(told)
            self.assertEqual((read.name, read.id, read.version), ("streamagent", "web-1", "1.2.3"))
            self.assertEqual(json.loads(read.metadata["targets"]), [{"name": "log", "kind": "log"}])
        [(_, stats)] = self.ask("$SRV.STATS.streamagent.web-1")
        self.assertEqual(stats["endpoints"][0]["data"][0]["target"], "log")
        self.assertEqual(stats["endpoints"][0]["subject"], "streamrelay.v1.host.web-1.streams")
