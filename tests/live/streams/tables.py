"""Relay, agent, platform and client in one process, to look into: streams of every kind of end, then what is left.

Run as `python -m tests.live.streams.tables NATS-URL PLATFORM-KEY PUBLIC-KEY COUNT`; prints a JSON object of sizes.
"""

import gc
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from zope.interface import implementer

from streamrelay.program.reactor import install_reactor

install_reactor()

from attrs import define, field  # noqa: E402
from twisted.internet import reactor as installed  # noqa: E402
from twisted.internet.defer import Deferred  # noqa: E402
from twisted.internet.protocol import Factory, Protocol  # noqa: E402
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogBeginner  # noqa: E402

from streamrelay.agent import service as agents  # noqa: E402
from streamrelay.agent.catalogue import Catalogue, read_targets  # noqa: E402
from streamrelay.agent.config import AgentConfig  # noqa: E402
from streamrelay.agent.service import Agent  # noqa: E402
from streamrelay.datapath.connection import Drain, Feed  # noqa: E402
from streamrelay.datapath.heartbeat import Heartbeat  # noqa: E402
from streamrelay.datapath.splice import Splice  # noqa: E402
from streamrelay.platform import Platform, Refused, as_deferred  # noqa: E402
from streamrelay.protocol.close import FINISHED, Outcome  # noqa: E402
from streamrelay.relay.config import RelayConfig  # noqa: E402
from streamrelay.relay.service import Relay  # noqa: E402
from streamrelay.websocket.client import Dialler  # noqa: E402
from streamrelay.websocket.connection import FramedConnection  # noqa: E402
from streamrelay.websocket.server import LegFactory  # noqa: E402

reactor: Any = installed
HOST = "host-1"


class Target(Protocol):
    """Answers a word, and closes upon another."""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)
        if b"leave" in data:
            self.transport.loseConnection()
        if b"reset" in data:
            self.transport.abortConnection()  # type: ignore[attr-defined]


@define(eq=False)
class Client(Feed, Drain):
    """A client that waits for the first bytes and for the end."""

    leg: FramedConnection
    heard: "Deferred[None]" = field(factory=Deferred)
    ended: "Deferred[Outcome]" = field(factory=Deferred)

    def say(self, words: bytes) -> None:
        self.leg.join(self, self)
        self.leg.send([memoryview(words)], len(words))

    def received(self, data: Any, size: int) -> None:
        if not self.heard.called:
            self.heard.callback(None)

    def control(self, message: bytes) -> None: ...

    def eof(self) -> None:
        self.leg.send_eof()

    def over(self, outcome: Outcome) -> None:
        if not self.heard.called:
            self.heard.callback(None)
        self._why = outcome

    def gone(self) -> None:
        self.ended.callback(self._why)

    def drained(self) -> None: ...

    _why: Outcome = FINISHED


def pause(seconds: float) -> "Deferred[None]":
    done: Deferred[None] = Deferred()
    reactor.callLater(seconds, done.callback, None)
    return done


async def one(platform: Platform, dialler: Dialler, target: str, kind: int) -> None:
    """A stream: the client leaves, the target leaves, it resets, the client aborts, or nobody is met at all."""
    opened = await as_deferred(platform.open("alice", HOST, target))
    if kind == 4:
        return
    client = Client(await dialler.dial(opened.url))
    client.say((b"hello", b"leave", b"reset", b"hello")[kind])
    await client.heard
    if kind == 0:
        client.leg.close(FINISHED)
    if kind == 3:
        client.leg.abort()
    await client.ended


async def main(nats: str, key: str, public: str, count: int) -> dict[str, object]:
    vars(agents)["MEMORY"] = 1.0  # instead of 70 s, so that the run sees it end
    echo = reactor.listenTCP(0, Factory.forProtocol(Target), interface="127.0.0.1").getHost().port
    relay = Relay(RelayConfig(platform_key=(public,), patience=1.0), reactor)
    relay_pulse = Heartbeat(reactor)
    port = reactor.listenTCP(0, LegFactory(reactor, relay, relay_pulse), interface="127.0.0.1").getHost().port
    relay.startService()
    catalogue = Catalogue()
    catalogue.entries = read_targets({"echo": {"kind": "tcp", "address": f"127.0.0.1:{echo}"}}, "here")
    config = AgentConfig(host=HOST, nats=(nats,), platform_key=(public,), state=str(Path(key).with_name("state")))
    agent = Agent(config, catalogue, reactor)
    agent.startService()
    platform = Platform(f"ws://127.0.0.1:{port}", (nats,), key)
    platform.start()
    dialler = Dialler(reactor, Heartbeat(reactor))
    while True:
        await pause(0.1)
        try:
            if await as_deferred(platform.hosts()):
                break
        except Refused:
            pass
    await one(platform, dialler, "echo", 0)
    before = [""]
    while before != timers():  # the first stream's own end in their time
        before = timers()
        await pause(4.5)
    for number in range(count):
        await one(platform, dialler, "echo", number % 5)
        try:
            await as_deferred(platform.open("alice", HOST, "nothing"))
        except Refused:
            pass
    most = len(relay.rendezvous.meetings)
    for _ in range(40):
        await pause(0.25)
        if timers() == before and not relay.legs and not agent.summonses.heard:
            break
    relay.rendezvous.forget(relay.now() + 1e6)
    gc.collect()
    alive = [thing for thing in gc.get_objects() if isinstance(thing, (FramedConnection, Splice))]
    return {
        "meetings_before": most,
        "meetings": len(relay.rendezvous.meetings),
        "seats": len(relay.legs),
        "splices": relay.streams,
        "handshakes": relay.handshakes.count,
        "streams": len(agent.streams.summoned_streams),
        "heard": len(agent.summonses.heard),
        "relay_pulse": len(relay_pulse.members),
        "agent_pulse": len(agent.streams.heartbeat.members),
        "client_pulse": len(dialler.heartbeat.members),
        "new_timers": sorted(set(timers()) - set(before)),
        "more_timers": (Counter(timers()) - Counter(before)).total(),  # one that was waiting at first may be over
        "objects": len(alive),
        "errors": errors,
    }


def timers() -> list[str]:
    """What waits for its time, by name."""
    names = []
    for call in reactor.getDelayedCalls():
        names.append(getattr(call.func, "__qualname__", None) or type(call.func).__name__)
    return sorted(names)


@implementer(ILogObserver)
class Errors(list[str]):
    """What is logged as an error; and nothing else, as events hold objects."""

    def __call__(self, event: LogEvent) -> None:
        if event["log_level"] in (LogLevel.error, LogLevel.critical):
            self.append(formatEvent(event))


errors = Errors()


def run(arguments: list[str]) -> None:
    globalLogBeginner.beginLoggingTo([errors], redirectStandardIO=False, discardBuffer=True)

    def done(result: Any) -> None:
        print(json.dumps(result) if isinstance(result, dict) else result, flush=True)
        reactor.stop()

    def start() -> None:
        nats, key, public, count = arguments
        Deferred.fromCoroutine(main(nats, key, public, int(count))).addBoth(done)

    reactor.callLater(0, start)
    reactor.run()


if __name__ == "__main__":
    run(sys.argv[1:])
