"""view_only.py: what may only be looked at."""

import struct

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.targets.view_only import PIECE, check_view, view_only
from streamrelay.datapath.connection import HIGH
from streamrelay.datapath.splice import Splice
from streamrelay.errors import TargetError
from streamrelay.protocol.close import FINISHED, CloseCode
from streamrelay.protocol.summons import VIEWERS, Refusal, Viewer
from tests.fakes.connections import FakeConnection
from tests.fakes.targets import FakeVncServer

KEY = struct.pack(">BBxxI", 4, 1, 0x78)
UPDATE = struct.pack(">BBHHHH", 3, 1, 0, 0, 640, 480)


class Checks(SynchronousTestCase):
    """Before anything is connected."""

    def test_viewers(self) -> None:
        """Terminals, logs and VNC can be looked at only; whatever can't be is refused as not allowed."""
        for viewer in VIEWERS:
            if viewer in ("terminal", "log", "vnc"):
                check_view(viewer)
            else:
                self.assertEqual(self.assertRaises(TargetError, check_view, viewer).code, Refusal.NOT_ALLOWED)
                self.assertRaises(TargetError, view_only, FakeConnection(), viewer, Clock())


class Case(SynchronousTestCase):
    """A client's leg, spliced with a target that may only be looked at."""

    viewer: Viewer = "terminal"

    def setUp(self) -> None:
        self.leg, self.target, self.clock = FakeConnection(), FakeConnection(), Clock()
        self.gone: list[Splice] = []
        self.splice = Splice(self.leg, view_only(self.target, self.viewer, self.clock), self.gone.append)
        self.splice.start()


class Terminals(Case):
    """Terminals and logs."""

    def test_input(self) -> None:
        """Bytes, an end of file and unknown control messages of the client go nowhere; output comes."""
        self.leg.receive(b"rm -rf /\n")
        self.leg.feed.control(b'{"exit":3}')
        self.leg.feed.control(b"nonsense")
        self.leg.feed.eof()
        self.target.receive(b"$ ")
        self.target.feed.control(b'{"exit":0}')
        self.assertEqual(self.target.order, [])
        self.assertEqual((self.leg.sent, self.leg.controls), (b"$ ", [b'{"exit":0}']))

    def test_resize(self) -> None:
        """The size of the client's window passes, and nothing else that is said with it."""
        self.leg.feed.control(b'{"resize":[80,25],"exit":3,"x":1}')
        self.assertEqual(self.target.controls, [b'{"resize":[80,25]}'])

    def test_ends(self) -> None:
        """An end of either side is that of the other."""
        self.leg.lose()
        self.assertEqual(self.target.closed, FINISHED)

    def test_backpressure(self) -> None:
        """A target is paused while its onlooker doesn't read."""
        self.leg.slow = True
        self.target.receive(bytes(HIGH + 1))
        self.assertTrue(self.target.paused)
        self.leg.drain()
        self.assertFalse(self.target.paused)


class Screens(Case):
    """VNC."""

    viewer = "vnc"

    def setUp(self) -> None:
        super().setUp()
        self.server = FakeVncServer()

    def settle(self) -> None:
        """Until neither has anything left."""
        self.clock.advance(0)
        while said := self.server.take():
            self.target.receive(said)
            self.hear()

    def hear(self) -> None:
        sent = bytes(self.target.sent)
        self.target.sent.clear()
        self.server.hear(sent)

    def say(self, *pieces: bytes) -> None:
        for data in pieces:
            self.leg.receive(data)
            self.hear()
            self.settle()

    def begin(self) -> None:
        self.settle()
        self.say(b"RFB 003.008\n", b"\1", b"\0")

    def test_looks(self) -> None:
        """Who looks gets the screen, and no key of theirs passes."""
        self.begin()
        self.say(KEY, UPDATE)
        self.target.receive(b"pixels")
        self.assertEqual(self.server.messages, [UPDATE])
        self.assertTrue(self.leg.sent.endswith(b"name" + b"pixels"))

    def test_early(self) -> None:
        """What a client has said before its turn passes as soon as the server has answered."""
        self.leg.receive(b"RFB 003.008\n\1\0" + KEY + UPDATE)
        self.settle()
        self.assertEqual(self.server.messages, [UPDATE])

    def test_fault(self) -> None:
        """A message that can't be followed ends the stream with 4001 and the reason, and cuts the target."""
        self.begin()
        self.say(b"\xc8")
        self.assertEqual(self.leg.closing.code, CloseCode.TARGET_REFUSED)
        self.assertIn("view only: a message of the unknown type 200", self.leg.closing.reason)
        self.assertTrue(self.target.aborted)
        self.leg.receive(UPDATE)
        self.target.receive(b"late")
        self.target.lose()
        self.leg.lose()
        self.assertEqual(self.server.messages, [])
        self.assertFalse(self.leg.sent.endswith(b"late"))
        self.assertEqual(self.gone, [self.splice])

    def test_server(self) -> None:
        """A server that can't be followed ends it, too."""
        self.target.receive(b"RFB 003.003\n")
        self.assertEqual(self.leg.closing.code, CloseCode.TARGET_REFUSED)
        self.assertTrue(self.target.aborted)

    def test_flood(self) -> None:
        """A flood is read in pieces, a turn of the reactor each; its client waits for it, and nothing gets lost."""
        self.begin()
        count = 3 * HIGH // len(UPDATE)
        self.leg.receive(UPDATE * count)
        self.assertLessEqual(len(self.target.sent), PIECE)
        self.assertTrue(self.leg.paused)
        self.clock.advance(0)
        self.assertGreaterEqual(self.target.order.count("bytes"), 3 * HIGH // PIECE - 1)
        self.assertFalse(self.leg.paused)
        self.hear()
        self.assertEqual(self.server.messages, [UPDATE] * count)

    def test_slow_target(self) -> None:
        """The client waits while the target takes no more."""
        self.begin()
        self.target.slow = True
        self.leg.receive(UPDATE * (HIGH // len(UPDATE) + 1))
        self.clock.advance(0)
        self.assertTrue(self.leg.paused)
        self.target.drain()
        self.assertFalse(self.leg.paused)

    def test_end_of_file(self) -> None:
        """A client's end of file follows what it said before."""
        self.begin()
        self.leg.receive(UPDATE * PIECE)
        self.leg.feed.eof()
        self.assertFalse(self.target.eof_sent)
        self.clock.advance(0)
        self.assertTrue(self.target.eof_sent)
        self.assertEqual(len(self.target.sent), PIECE * len(UPDATE))

    def test_ends_amid_flood(self) -> None:
        """A stream that ends leaves no timer behind, whoever ends it."""
        for how in ("leg", "target", "operator", "abort"):
            self.setUp()
            self.begin()
            self.leg.receive(UPDATE * PIECE)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
            ends = {"leg": self.leg.lose, "target": self.target.lose, "abort": self.splice.abort}
            ends.get(how, lambda: self.splice.end(FINISHED))()
            self.assertEqual(self.clock.getDelayedCalls(), [], how)
