"""protocol.rst, "Vectors" of streams that resume: our ends count, keep and refuse what the tables say.

tests/javascript/promises-resume-vectors.mjs reads the same tables.
"""

import re

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import PeerError
from streamrelay.protocol.close import CloseCode
from streamrelay.resume.connection import ResumableConnection
from streamrelay.resume.outgoing import OutOfReach
from tests.docs.test_twins import literals, table
from tests.fakes.connections import Ear, FakeConnection

SENT = 20
"""Bytes that the other end has sent before."""
CONVERSATION = ("1", "2", "4", "14")
"""Steps that are resumed."""
CONFIRMED = 2


def messages(cell: str) -> list[bytes | str]:
    """What a cell of the tables sends."""
    found = re.findall(r"(bytes|text) ``(.*?)``", cell)
    return [text.encode() if kind == "bytes" else text for kind, text in found]


class End:
    """An end that was sent what the tables say, by a leg."""

    def __init__(self) -> None:
        self.ear = Ear()
        self.connection = ResumableConnection(Clock(), lambda why: None)
        self.connection.join(self.ear, self.ear)
        self.leg = FakeConnection()
        self.connection.attach(self.leg, 0)

    def send(self, data: bytes) -> None:
        self.connection.send([memoryview(data)], len(data))

    def receive(self, message: bytes | str) -> None:
        if isinstance(message, bytes):
            self.leg.receive(message)
        elif message == '{"eof":true}':  # as a relay and a websocket tell it
            self.leg.feed.eof()
        else:
            self.leg.feed.control(message.encode())


class Vectors(SynchronousTestCase):
    """Each row, by the class that the agent and the native client use."""

    def test_positions(self) -> None:
        """The position after each message is that of the table, for who receives it."""
        end = End()
        end.send(bytes(SENT))
        rows = table("protocol.rst", "step", "sent", "position after it")
        for step, sent, position in rows:
            self.assertTrue(messages(sent), step)
            for message in messages(sent):
                end.receive(message)
            self.assertEqual(end.connection.incoming.received, int(position), f"step {step}")
        self.assertEqual(end.ear.codes, [1000])
        self.assertEqual(end.ear.data, b"abcdef")

    def test_resumed(self) -> None:
        """What is sent anew is that of the table, and nothing goes on at a position that it calls never."""
        steps = {step: messages(sent) for step, sent, _ in table("protocol.rst", "step", "sent", "position after it")}
        for received, anew in table("protocol.rst", "received", "sent anew, in this order"):
            end = End()
            for message in [each for step in CONVERSATION for each in steps[step]]:
                if isinstance(message, bytes):
                    end.send(message)
                elif message == '{"fin":true}':
                    end.connection.send_eof()
                else:
                    end.connection.send_control(message.encode())
            end.leg.feed.control(b'{"ack":%d}' % CONFIRMED)
            leg = FakeConnection()
            if "never" in anew:
                self.assertRaises(OutOfReach, end.connection.attach, leg, int(received))
                continue
            end.connection.attach(leg, int(received))
            expected = literals(anew)
            self.assertEqual([each.decode() for each in leg.controls], [each for each in expected if "{" in each])
            self.assertEqual(leg.sent.decode(), "".join(each for each in expected if "{" not in each), received)

    def test_faults(self) -> None:
        """What costs the leg does so, at its last message."""
        rows = table("protocol.rst", "fault", "sent")
        self.assertGreater(len(rows), 10)
        for fault, sent in rows:
            end = End()
            end.send(bytes(SENT))
            *before, last = messages(sent)
            for message in before:
                end.receive(message)
            error = self.assertRaises(PeerError, end.receive, last)
            self.assertEqual(error.code, CloseCode.PROTOCOL, f"fault {fault}")
