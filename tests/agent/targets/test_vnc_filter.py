"""vnc_filter.py: a VNC client that may only look, whatever it sends."""

import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.targets.vnc_filter import DRAWING, Spectator
from streamrelay.errors import PeerError
from streamrelay.protocol.close import CloseCode
from tests.documented import VNC_EARLY, VNC_ENCODINGS
from tests.examples import examples
from tests.fakes.frames import cut
from tests.fakes.targets import FakeVncServer

V7, V8 = b"RFB 003.007\n", b"RFB 003.008\n"
PIXEL_FORMAT = b"\0xxx" + bytes(range(16))
UPDATE = struct.pack(">BBHHHH", 3, 1, 0, 0, 640, 480)


def encodings(*numbers: int) -> bytes:
    return struct.pack(f">BxH{len(numbers)}i", 2, len(numbers), *numbers)


ACTING = {
    "KeyEvent": struct.pack(">BBxxI", 4, 1, 0x78),
    "PointerEvent": struct.pack(">BBHH", 5, 1, 3, 4),
    "ClientCutText": struct.pack(">BxxxI", 6, 5) + b"paste",
    "its extended form": struct.pack(">BxxxiI", 6, -8, 1 << 25) + b"more",
    "a long one": struct.pack(">BxxxI", 6, 20_000) + b"\4\1\0\0\0\0\0x" * 2500,
    "EnableContinuousUpdates": struct.pack(">BBHHHH", 150, 1, 0, 0, 9, 9),
    "ClientFence": struct.pack(">BxxxIB", 248, 1, 8) + b"\4\1\0\0\0\0\0x",
    "xvp": b"\xfa\0\1\2",
    "SetDesktopSize": struct.pack(">BxHHBx", 251, 800, 600, 1) + bytes(16),
    "a key of QEMU's": struct.pack(">BBHII", 255, 0, 1, 0x78, 0x2D),
    "audio": b"\xff\1\0\0",
    "a format of audio": b"\xff\1\0\2" + bytes(6),
}
"""A message of each kind that may not pass; what is within one looks like a key."""
GOOD = [PIXEL_FORMAT, UPDATE, encodings(0, 7, 16, -239), encodings()]


class Talk:
    """A client and a server with a spectator between them."""

    def __init__(self, server: FakeVncServer | None = None, places: list[int] | None = None) -> None:
        self.server = server or FakeVncServer()
        self.spectator = Spectator()
        self.shown = bytearray()
        self._places = places or []
        self.settle()

    def settle(self) -> None:
        """The server says what it has to, until neither has anything left."""
        while said := self.server.take():
            for piece in cut(said, self._places) if self._places else [said]:
                shown, passed = self.spectator.from_server(piece)
                self.shown += shown
                self.server.hear(passed)

    def say(self, data: bytes) -> "Talk":
        """The client's bytes, one piece."""
        self.server.hear(self.spectator.from_client(data))
        self.settle()
        return self

    def begin(self) -> "Talk":
        for data in (V8, b"\1", b"\1"):
            self.say(data)
        return self


class Case(SynchronousTestCase):
    """A test that ends some conversations."""

    def ends(self, talk: Talk, data: bytes, words: str) -> None:
        error = self.assertRaises(PeerError, talk.say, data)
        self.assertEqual(error.code, CloseCode.TARGET_REFUSED)
        self.assertTrue(error.reason.startswith("view only: "), error.reason)
        self.assertIn(words, error.reason)


class Handshakes(Case):
    """RFC 6143 §7.1 to §7.3, each way."""

    def test_ways(self) -> None:
        """3.7 and 3.8, without a password and with one, lead to a screen that others may have open, too."""
        for version in (V7, V8):
            for kind in (b"\1", b"\2"):
                for shared in (b"\0", b"\1", b"\xff"):
                    talk = Talk(FakeVncServer(version)).say(version).say(kind)
                    if kind == b"\2":
                        self.assertTrue(talk.shown.endswith(bytes(range(16))))
                        talk.say(bytes(16))
                    talk.say(shared).say(UPDATE)
                    self.assertEqual(talk.server.messages, [UPDATE])
                    self.assertTrue(talk.shown.endswith(b"name"))
                    self.assertFalse(talk.spectator.following)

    def test_older_client(self) -> None:
        """A client of 3.7 may talk to a server of 3.8, not the other way round."""
        self.assertEqual(Talk().say(V7).say(b"\1").say(b"\0").server.stage, "in")
        self.ends(Talk(FakeVncServer(V7)), V8, "the client speaks RFB 003.008")

    def test_versions(self) -> None:
        """Versions that can't be followed end it, of servers and of clients."""
        for version in (b"RFB 003.003\n", b"RFB 003.889\n", b"RFB 004.001\n", b"RFB 3.8\n\0\0\0\0", b"HTTP/1.1 200"):
            self.ends(Talk(), version, "the client speaks")
            error = self.assertRaises(PeerError, Talk, FakeVncServer(version))
            self.assertIn("only RFB 3.7 and 3.8 can be followed", error.reason)

    def test_types(self) -> None:
        """A client is shown the security types that can be followed, and no others."""
        talk = Talk(FakeVncServer(types=b"\x13\x02\x10\x01")).say(V8)
        self.assertEqual(talk.shown, V8 + b"\2\2\1")
        error = self.assertRaises(PeerError, Talk(FakeVncServer(types=b"\x13\x05")).say, V8)
        self.assertIn("security type (19, 5) that can't be followed", error.reason)

    def test_not_offered(self) -> None:
        """A security type that wasn't offered can't be chosen, as the server would go on in its own way."""
        for types, chosen in ((b"\2", b"\1"), (b"\1", b"\2"), (b"\1\2\x13", b"\x13"), (b"\1", b"\0")):
            self.ends(Talk(FakeVncServer(types=types)).say(V8), chosen, "that it was not offered")

    def test_refused(self) -> None:
        """A server that refuses is heard to the end; what the client says then goes nowhere."""
        talk = Talk(FakeVncServer(types=b"")).say(V8)
        self.assertEqual(talk.shown, V8 + b"\0\0\0\0\4busy")
        self.ends(talk, b"\1", "the VNC server sent messages before the client was admitted")
        for chosen, response in ((b"\2", bytes(16)), (b"\1", b"")):
            talk = Talk(FakeVncServer(lets_in=False)).say(V8).say(chosen).say(response)
            self.assertTrue(talk.shown.endswith(b"\0\0\0\1\0\0\0\5wrong"))
            self.ends(talk, b"\1", "the VNC server sent messages before the client was admitted")
            self.assertEqual(talk.server.stage, "closed")

    def test_before_its_turn(self) -> None:
        """What a client says before its turn waits for the server; more than it could need ends it."""
        spectator, server = Spectator(), FakeVncServer()
        self.assertEqual(spectator.from_client(V8 + b"\1\0" + UPDATE), b"")
        while said := server.take():
            server.hear(spectator.from_server(said)[1])
        self.assertEqual((server.stage, server.messages), ("in", [UPDATE]))
        talk = Talk(FakeVncServer()).say(V8).say(b"\2")
        talk.server.take()
        talk = Talk()
        self.patch(talk.server, "hear", lambda data: None)  # it doesn't answer
        talk.say(V8 + bytes(VNC_EARLY))
        self.ends(talk, b"\1", "without the server's answers")

    def test_server_before_its_turn(self) -> None:
        """A server that goes on before the client's turn is over ends it, too, before much of it is held."""
        for said in (b"", V8, V8 + b"\2"):
            talk = Talk(FakeVncServer(types=b"\2")).say(said)
            with self.assertRaises(PeerError) as caught:
                for _ in range(3):
                    talk.spectator.from_server(bytes([7]) * VNC_EARLY)
            self.assertTrue(caught.exception.reason.startswith("view only: "))
            self.assertLess(len(talk.spectator._early["server"]), 3 * VNC_EARLY)


class Messages(Case):
    """Once it is let in."""

    def test_good(self) -> None:
        """What draws passes as it is."""
        talk = Talk().begin()
        for message in GOOD:
            talk.say(message)
        self.assertEqual(talk.server.messages, GOOD)

    def test_acting(self) -> None:
        """No message that acts passes, and what comes behind it does."""
        for name, message in ACTING.items():
            talk = Talk().begin().say(message + UPDATE)
            self.assertEqual(talk.server.messages, [UPDATE], name)

    def test_encodings(self) -> None:
        """Encodings by which a client would act, or change what the server expects, aren't asked for."""
        acting = (-257, -258, -259, -305, -308, -309, -312, -313, -316, -0x3F5E1DC4, 0x574D5668, -65535)
        self.assertFalse(DRAWING & set(acting))
        talk = Talk().begin().say(encodings(7, *acting, -239, 99))
        self.assertEqual(talk.server.messages, [encodings(7, -239)])

    def test_too_many(self) -> None:
        """So many encodings as no client has end it, before they are held."""
        Talk().begin().say(encodings(*[0] * VNC_ENCODINGS))
        self.ends(Talk().begin(), struct.pack(">BxH", 2, VNC_ENCODINGS + 1), "more than 512 encodings")

    def test_unknown(self) -> None:
        """A message of an unknown type ends it, as nobody knows its length."""
        known = {0, 2, 3} | {message[0] for message in ACTING.values()}
        for kind in set(range(256)) - known:
            self.ends(Talk().begin(), bytes([kind]), f"unknown type {kind}")
        for message in (b"\xff\2\0\0", b"\xff\1\0\3"):
            self.ends(Talk().begin(), message, "a message of QEMU's of the unknown type")

    def test_memory(self) -> None:
        """A message of 2 GiB that is dropped is never held."""
        spectator = Talk().begin().spectator
        self.assertEqual(spectator.from_client(struct.pack(">BxxxI", 6, 0x7FFFFFFF)), b"")
        for _ in range(100):
            self.assertEqual(spectator.from_client(bytes(65536)), b"")
            self.assertLess(len(spectator._early["client"]), 4096)


said = st.lists(
    st.one_of(
        st.sampled_from([*GOOD, *ACTING.values()]),
        st.binary(min_size=1, max_size=12),
        st.lists(st.integers(-600, 20), max_size=4).map(lambda numbers: encodings(*numbers)),
    ),
    max_size=8,
).map(b"".join)
begun = st.sampled_from([b"", V7, V8, V8 + b"\1", V8 + b"\1\0", V7 + b"\1\0", V8 + b"\2" + bytes(17), V8 + b"\1\1"])
servers = st.builds(
    FakeVncServer,
    st.sampled_from([V7, V8, V8, b"RFB 003.003\n"]),
    st.sampled_from([b"\1", b"\2", b"\1\2", b"\x13\1", b"", b"\x13"]),
    st.sampled_from([True, True, False]),
)


EARLY_REASON = "without the server's answers"


def heard(server: FakeVncServer, data: bytes, places: list[int]) -> tuple[list[bytes], str, bytes]:
    """What a server makes of a client's bytes: its messages, how it stands, and what the client was shown."""
    server = FakeVncServer(server.version, server.types, server.lets_in)
    talk = None
    try:
        talk = Talk(server, places)
        for piece in cut(data, places):
            talk.say(piece)
    except PeerError as error:
        server.stage = error.reason
    return server.messages, server.stage, bytes(talk.shown) if talk else b""


class Whatever(SynchronousTestCase):
    """Any client with any server."""

    @given(servers, begun, said, st.lists(st.integers(0, 5000), max_size=12))
    @examples(400)
    def test_split(self, server: FakeVncServer, begun: bytes, said: bytes, places: list[int]) -> None:
        """However the bytes are split, the server reads the same messages, each as a whole, and none that acts."""
        whole, split = heard(server, begun + said, []), heard(server, begun + said, places)
        self.assertNotEqual(split[1], "within")
        self.assertEqual({message[0] for message in split[0]} - {0, 2, 3}, set())
        if EARLY_REASON in (whole[1] + split[1]):  # it depends on how soon the server answers
            return
        self.assertEqual(split[1], whole[1])
        if not whole[1].startswith("view only"):  # else what came just before is lost with it
            self.assertEqual(split, whole)
