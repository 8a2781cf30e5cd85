"""VNC to look at only: RFB (RFC 6143) from a client, reduced to the messages that draw. No I/O.

Who may only look writes a client of their own, so nothing is passed on that the server might read as something else
than what is read here:

* The handshake is followed in both directions. Only what the server offered can be chosen, and what the client says
  before its turn waits for the server's answer.
* Behind it only four messages pass that every server knows, each as a whole and in its one form.
* Encodings are let through by a list. Any other may change what the server expects from the client, or let it act.
"""

import struct
from collections.abc import Callable, Generator
from typing import Final

from attrs import define, field

from streamrelay.errors import PeerError
from streamrelay.protocol.close import CloseCode

CLIENT: Final = "client"
SERVER: Final = "server"
Script = Generator[tuple[str, int], bytes, None]
"""A conversation that asks for so many bytes of one of the two sides, and is sent them."""

VERSIONS: Final = (b"RFB 003.007\n", b"RFB 003.008\n")
"""Versions of RFB that can be followed: older ones let the server alone choose the security type, newer ones aren't
public."""
NONE: Final = 1
VNC_AUTHENTICATION: Final = 2
EARLY: Final = 1024
"""Bytes that either side may say before its turn in the handshake, in which a client says 30 and a server 300."""
MOST_ENCODINGS: Final = 512
"""Encodings in one message; clients know about 30."""
PIECE: Final = 4096
"""Bytes of a dropped message that are held at once."""

DRAWING: Final = frozenset(
    (
        *(0, 1, 2, 4, 5, 6, 7, 8, 15, 16, 17),  # Raw, CopyRect, RRE, CoRRE, Hextile, zlib, Tight, zlibhex, *RLE
        *(21, 50, -260),  # JPEG, H.264, TightPng
        *(-223, -224, -232, -239, -240, -261, -307, -314),  # size, last rectangle, pointer and its shape, LEDs, name
        *range(-32, -22),  # JPEG quality
        *range(-256, -246),  # compression
        *range(-512, -411),  # fine quality
        *range(-768, -762),  # subsampling
    )
)
"""Encodings that only say how to draw (RFC 6143 §7.7, and IANA's registry of RFB). Not among them are those by which a
client learns that the server takes more messages: keys of QEMU (-258), audio (-259), sizes (-308), xvp (-309), fences
(-312), continuous updates (-313), mouse buttons (-316), the extended clipboard."""

SET_PIXEL_FORMAT: Final = 0
SET_ENCODINGS: Final = 2
FRAMEBUFFER_UPDATE_REQUEST: Final = 3
PASSED: Final = {SET_PIXEL_FORMAT: 20, FRAMEBUFFER_UPDATE_REQUEST: 10}
"""Messages that pass as they are, with their sizes."""


def _cut_text(head: bytes) -> int:
    """Return the length of the text behind this head; a negative one is that of the extended form."""
    return abs(int.from_bytes(head[4:8], "big", signed=True))


def _qemu(head: bytes) -> int:
    """Return how much follows the head of QEMU's own messages: a key, or audio, whose operation 2 has a format."""
    kind, operation = head[1], int.from_bytes(head[2:4], "big")
    if kind == 0:
        return 8
    if kind == 1 and operation <= 2:
        return 6 if operation == 2 else 0
    raise _end(f"a message of QEMU's of the unknown type {kind}, {operation}")


def _nothing(head: bytes) -> int:
    return 0


DROPPED: Final[dict[int, tuple[int, Callable[[bytes], int]]]] = {
    4: (8, _nothing),  # KeyEvent
    5: (6, _nothing),  # PointerEvent
    6: (8, _cut_text),  # ClientCutText
    150: (10, _nothing),  # EnableContinuousUpdates
    248: (9, lambda head: head[8]),  # ClientFence
    250: (4, _nothing),  # xvp
    251: (8, lambda head: 16 * head[6]),  # SetDesktopSize
    255: (4, _qemu),
}
"""Messages that don't pass: the size of what they begin with, and how much more follows it."""


def _end(reason: str) -> PeerError:
    return PeerError(CloseCode.TARGET_REFUSED, f"view only: {reason}")


@define(eq=False)
class Spectator:
    """The conversation of a client that may only look with its server.

    `from_client` and `from_server` take what was received, in pieces of any size, and give what goes on to the
    other side. They raise `PeerError` where nothing more can be followed.
    """

    following: bool = True
    """True while the server's direction is looked at; after that all of it goes on as it is."""
    _script: Script = field(init=False)
    _turn: tuple[str, int] = field(init=False)
    _early: dict[str, bytearray] = field(factory=lambda: {CLIENT: bytearray(), SERVER: bytearray()})
    _on: dict[str, bytearray] = field(factory=lambda: {CLIENT: bytearray(), SERVER: bytearray()})
    """Bytes that go on to the other side, by who said them."""

    def __attrs_post_init__(self) -> None:
        self._script = self._conversation()
        self._turn = next(self._script)

    def from_client(self, data: bytes | memoryview) -> bytes:
        """Take what the client said, and return what the server is to be sent."""
        self._early[CLIENT] += data
        self._advance()
        if self._turn[0] == SERVER and len(self._early[CLIENT]) > EARLY:
            raise _end("the client goes on without the server's answers")
        return self._take(CLIENT)

    def from_server(self, data: bytes | memoryview) -> tuple[bytes, bytes]:
        """Take what the server said, and return what the client is to be sent, and what the server is.

        The latter is what the client had said before its turn.
        """
        self._early[SERVER] += data
        self._advance()
        if not self.following:
            self._on[SERVER] += self._early[SERVER]
            self._early[SERVER].clear()
        elif self._turn[0] == CLIENT and len(self._early[SERVER]) > EARLY:
            raise _end("the console goes on without the client's answers")
        return self._take(SERVER), self._take(CLIENT)

    def _advance(self) -> None:
        side, size = self._turn
        while len(self._early[side]) >= size:
            said = bytes(self._early[side][:size])
            del self._early[side][:size]
            self._turn = side, size = self._script.send(said)

    def _take(self, side: str) -> bytes:
        taken = bytes(self._on[side])
        self._on[side].clear()
        return taken

    # -- the conversation ------------------------------------------------------------------------------------

    def _conversation(self) -> Script:
        version = yield from self._versions()
        security = yield from self._security_type()
        if security and (yield from self._authentication(version, security)):
            yield CLIENT, 1
            self._on[CLIENT] += b"\x01"  # ClientInit: shared, so that nobody else's console ends
            self.following = False
            yield from self._messages()
        self.following = False  # the server says why not, and closes
        yield CLIENT, 1
        raise _end("the VNC server sent messages before the client was admitted")

    def _versions(self) -> Generator[tuple[str, int], bytes, bytes]:
        """Let both sides agree on a version (RFC 6143 §7.1.1)."""
        offered = yield SERVER, 12
        if offered not in VERSIONS:
            raise _end(f"the console speaks {_text(offered)}, and only RFB 3.7 and 3.8 can be followed")
        self._on[SERVER] += offered
        version = yield CLIENT, 12
        if version not in VERSIONS or version > offered:
            raise _end(f"the client speaks {_text(version)}; expected {_text(offered)}")
        self._on[CLIENT] += version
        return version

    def _security_type(self) -> Generator[tuple[str, int], bytes, int]:
        """Let the client choose a security type (RFC 6143 §7.1.2); 0 if the server refuses."""
        count = yield SERVER, 1
        if count == b"\0":
            self._on[SERVER] += count
            return 0
        offered = yield SERVER, count[0]
        known = bytes(kind for kind in offered if kind in (NONE, VNC_AUTHENTICATION))
        if not known:
            kinds = ", ".join(map(str, offered))
            raise _end(f"the console wants a security type ({kinds}) that can't be followed; only 1 and 2 can")
        self._on[SERVER] += bytes([len(known)]) + known
        chosen = yield CLIENT, 1
        if chosen not in known:
            raise _end(f"the client chose a security type ({chosen[0]}) that it was not offered")
        self._on[CLIENT] += chosen
        return chosen[0]

    def _authentication(self, version: bytes, security: int) -> Generator[tuple[str, int], bytes, bool]:
        """Let the client authenticate itself (RFC 6143 §7.1.3, §7.2); True if the server lets it in."""
        if security == VNC_AUTHENTICATION:
            self._on[SERVER] += yield SERVER, 16
            self._on[CLIENT] += yield CLIENT, 16
        elif version == VERSIONS[0]:
            return True  # without a word
        result = yield SERVER, 4
        self._on[SERVER] += result
        return result == bytes(4)

    def _messages(self) -> Script:
        """Pass on the client's messages that draw, and no others (RFC 6143 §7.5)."""
        while True:
            kind = yield CLIENT, 1
            if kind[0] in PASSED:
                self._on[CLIENT] += kind + (yield CLIENT, PASSED[kind[0]] - 1)
            elif kind[0] == SET_ENCODINGS:
                yield from self._encodings()
            elif kind[0] in DROPPED:
                yield from self._drop(kind, *DROPPED[kind[0]])
            else:
                raise _end(f"a message of the unknown type {kind[0]}")

    def _encodings(self) -> Script:
        """Pass on SetEncodings with those that only draw (RFC 6143 §7.5.2)."""
        head = yield CLIENT, 3
        count = int.from_bytes(head[1:], "big")
        if count > MOST_ENCODINGS:
            raise _end(f"more than {MOST_ENCODINGS} encodings")
        asked = struct.unpack(f">{count}i", (yield CLIENT, 4 * count))
        kept = [encoding for encoding in asked if encoding in DRAWING]
        self._on[CLIENT] += struct.pack(f">BxH{len(kept)}i", SET_ENCODINGS, len(kept), *kept)

    def _drop(self, kind: bytes, size: int, more: Callable[[bytes], int]) -> Script:
        rest = more(kind + (yield CLIENT, size - 1))
        while rest > 0:
            rest -= len((yield CLIENT, min(rest, PIECE)))


def _text(version: bytes) -> str:
    return version.decode("ascii", "replace").strip()
