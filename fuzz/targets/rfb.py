"""What a VNC client sends who may only look, beside a server that reads to the letter (RFC 6143).

Whatever the client sends, and however it is split, the server reads whole messages that draw and nothing else, and
the spectator holds no more than a piece of a message.
"""

from typing import Final

from fuzz.choices import Choices
from streamrelay.agent.targets.vnc_filter import EARLY, PIECE, Spectator
from streamrelay.errors import PeerError
from streamrelay.protocol.close import CloseCode
from tests.fakes.targets import FakeVncServer

_V7, _V8 = b"RFB 003.007\n", b"RFB 003.008\n"
_IN: Final = _V8 + b"\1\1"
_UPDATE: Final = b"\3\1\0\0\0\0\2\x80\1\xe0"

SEEDS: Final = [
    b"\0\0\0\0" + bytes(7) + said
    for said in (
        _IN + _UPDATE,
        _V7 + b"\1\0" + _UPDATE,
        _V8 + b"\2" + bytes(16) + b"\1" + _UPDATE,
        _IN + b"\0xxx" + bytes(16) + b"\2\0\0\2\0\0\0\7\xff\xff\xff\x11" + _UPDATE,
        _IN + b"\4\1\0\0\0\0\0x\5\1\0\1\0\2" + _UPDATE,
        _IN + b"\6\0\0\0\0\0\0\5paste\6\0\0\0\xff\xff\xff\xf8\2\0\0\0more" + _UPDATE,
        _IN + b"\xfb\0\3\x20\2\x58\1\0" + bytes(16) + b"\xfa\0\1\2" + _UPDATE,
        _IN + b"\xff\0\0\1\0\0\0x\0\0\0-\xff\1\0\2" + bytes(6) + _UPDATE,
        _IN + b"\x96\1" + bytes(8) + b"\xf8\0\0\0\0\0\0\1\4abcd" + _UPDATE,
        _IN + b"\2\0\xff\xff",
        _IN + b"\xc8",
        b"RFB 003.003\n",
    )
] + [
    bytes(choice) + bytes(7) + _V8 + b"\2" + bytes(16) + b"\1" for choice in ((1, 1, 1, 0), (0, 2, 0, 1), (0, 4, 0, 0))
]
WORDS: Final = [_V7, _V8, _IN, _UPDATE, b"\1\1", b"\2", b"\4\1\0\0\0\0\0x", b"\6\0\0\0\x7f\xff\xff\xff", b"\xff\1\0\2"]


def fuzz(source: bytes) -> None:
    choices = Choices(source)
    version = choices.pick((_V8, _V7, b"RFB 003.003\n", b"RFB 004.001\n"))
    types = choices.pick((b"\1\2", b"\1", b"\2", b"\x13\2\1", b"", b"\x13"))
    lets_in, early = not choices.flag(), choices.flag()
    cuts, said = Choices(choices.take(7)), choices.rest()
    whole = _read(FakeVncServer(version, types, lets_in), [said], False)
    split = _read(FakeVncServer(version, types, lets_in), cuts.pieces(said), early)
    for server in (whole, split):
        assert not server.within, "the server has read half of a message"
    if not (whole.stage + split.stage).count("view only"):
        assert whole.messages == split.messages, "it matters how the bytes were split"


def _read(server: FakeVncServer, pieces: list[bytes], early: bool) -> FakeVncServer:
    """Each piece is said once the server has answered the one before; or, `early`, before it has said anything."""
    spectator = Spectator()
    try:
        if not early:
            _answer(server, spectator)
        for piece in pieces:
            server.hear(spectator.from_client(piece))
            held = len(spectator._early["client"])
            assert held < max(PIECE, EARLY) + 1, f"{held} bytes are held"
            if not early:
                _answer(server, spectator)
        _answer(server, spectator)
    except PeerError as error:
        assert error.code == CloseCode.TARGET_REFUSED and error.reason.startswith("view only: ")
        server.stage = error.reason
    return server


def _answer(server: FakeVncServer, spectator: Spectator) -> None:
    while said := server.take():
        _, passed = spectator.from_server(said)
        server.hear(passed)
