"""docs/scaling.rst, the model that its tables are of, and the agents that are simulated for it."""

import asyncio
from collections import Counter
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from bench import flows, results, scaling
from bench.agents import Agent, answer, host_name, opening, subjects
from streamrelay.bus.nats_client import soon
from streamrelay.bus.permissions import BusUser
from streamrelay.protocol.limits import LOOKS_A_SECOND
from streamrelay.protocol.subjects import ALL_TARGETS, DISCONNECTS
from streamrelay.protocol.summons import HostAnswer


class Page(SynchronousTestCase):
    """Tables of the page."""

    def test_tables(self) -> None:
        """The page has every table of the model, with the figures that the constants of the code give now."""
        text = scaling.PAGE.read_text()
        self.assertEqual(scaling.filled(text, results.load()), text, "run python -m bench.scaling --write")
        kept = results.load()
        for table in (*map(scaling.table, scaling.TABLES.values()), scaling.measured(kept), scaling.costs(kept)):
            self.assertIn(f"\n\n{table}\n\n", text)

    def test_replaced(self) -> None:
        """A table that is out of date, or isn't there yet, is replaced; text about it stays."""
        for old in ("", "===\nold\n===\n\n"):
            page = scaling.filled(f"Before.\n\n.. begin tables\n\n{old}.. end tables\n\nAfter.\n", {})
            table = scaling.table(scaling.TABLES["tables"])
            self.assertEqual(page, f"Before.\n\n.. begin tables\n\n{table}\n\n.. end tables\n\nAfter.\n")


class Model(SynchronousTestCase):
    """Quantities that the model gives."""

    def test_rest(self) -> None:
        """At rest a platform gets no more answers a second than it wants, however many hosts there are."""
        for hosts in scaling.SIZES:
            self.assertLessEqual(hosts / flows.period(hosts), LOOKS_A_SECOND)

    def test_look(self) -> None:
        """A look reaches every agent once, and every agent's answer the platform."""
        found = flows.look(1000, False, 0)
        self.assertEqual((found.messages_in, found.messages_out), (1001, 2000))
        self.assertGreater(flows.look(1000, True, 0).bytes_out, found.bytes_out)

    def test_attempts(self) -> None:
        """Agents wait between two attempts as long as the model says."""
        for _ in range(100):
            self.assertTrue(flows.EARLIEST <= soon() <= flows.LATEST)
        self.assertAlmostEqual(flows.attempts(1000), 1098.6, 1)

    def test_platform(self) -> None:
        """A platform has as many subscriptions as it may have, but for those on which it is answered."""
        allowed = BusUser("platform", "").subscribe
        self.assertIn(DISCONNECTS, allowed)
        self.assertEqual(flows.PLATFORM, len(allowed))


class Simulated(SynchronousTestCase):
    """Agents that are simulated."""

    def test_subscriptions(self) -> None:
        """They subscribe to all that an agent may subscribe to, and nothing else."""
        self.assertEqual(sorted(subjects("web-1")), sorted(BusUser("host", "", "web-1").subscribe))
        for subject in subjects(host_name(7)):
            self.assertIn(f"SUB {subject}  ".encode(), opening(7))

    def test_answer(self) -> None:
        """They tell of themselves what a platform takes for a host that is up, with its targets or without."""
        self.assertEqual(len(msgspec.json.decode(answer(7, True), type=HostAnswer).targets), 5)
        who = msgspec.json.decode(answer(7, False), type=HostAnswer)
        self.assertEqual(who.targets, ())
        self.assertFalse(who.stops)

    def test_questions(self) -> None:
        """They answer a look that comes in pieces once, and a ping; a knock isn't answered."""
        written = asyncio.run(_heard(f"PING\r\nMSG {ALL_TARGETS} 1 inbox 17\r\n".encode(), b'{"targets":false}\r\n'))
        self.assertIn(b"PONG\r\n", written)
        self.assertEqual(b"".join(written).count(b"PUB inbox.host-00007 "), 1)
        written = asyncio.run(_heard(b"MSG streamrelay.v1.host.host-00007.end 4 inbox 2\r\n{}\r\n"))
        self.assertEqual([one for one in written if one != b"PING\r\n"], [opening(7)])


class _Transport(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False


async def _heard(*pieces: bytes) -> list[bytes]:
    """Return what an agent writes that gets these bytes, one at a time."""
    agent, transport = Agent(7, 0, Counter()), _Transport()
    agent.connection_made(transport)
    for piece in pieces:
        for byte in piece:
            agent.data_received(bytes([byte]))
    await asyncio.sleep(0.01)
    return transport.written
