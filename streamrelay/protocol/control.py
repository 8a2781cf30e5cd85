"""Subprotocols and control messages (protocol.rst, "Control messages")."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from streamrelay.errors import PeerError
from streamrelay.protocol.close import CloseCode

SUBPROTOCOL: Final = "streamrelay.v1"
"""Subprotocol whose binary messages are the stream's bytes, and text messages control messages."""
RAW: Final = "binary"
"""Subprotocol whose every message is bytes; noVNC, spice-html5 and websockify's clients offer it."""

MAX_CONTROL: Final = 4096
"""Bytes of one control message."""
CONTROL_RATE: Final = 16
"""Control messages a second that one leg may send on average (protocol.rst, "Rate")."""
CONTROL_BURST: Final = 80
"""Control messages that a leg may send at once before the rate counts."""

Place = Annotated[str, Meta(max_length=256, pattern=r"^[!-~]*\Z")]
"""A place in a log, in the agent's own words."""


Note = Annotated[str, Meta(max_length=300)]
"""One line of words for people."""


class Met(Struct, frozen=True):
    """The relay's word to an agent's leg that its client has come."""

    mode: Annotated[str, Meta(pattern=r"^(?:v1|raw)\Z")]
    """Form of the client's leg: "v1" takes control messages, for "raw" they stop at the relay."""
    from_: Annotated[str, Meta(max_length=100, pattern=r"^[!-~]*\Z")] = msgspec.field(name="from", default="")
    """The client's address, for the agent's log."""


class Control(Struct, frozen=True, omit_defaults=True):
    """One control message; unknown keys are ignored (protocol.rst, "Control messages")."""

    eof: bool = False
    hold: bool | None = None
    """True if the sender has no room for more now, False if it has again; None: not said."""
    place: Place = ""
    """Place in a log behind which the next bytes come."""
    lost: bool = False
    """True, with a place, if lines may be missing before what follows."""
    skipped: Annotated[int, Meta(ge=0)] = 0
    """Lines of a log that were left out here."""
    note: Note = ""
    """Words about a log for who reads it, as why nothing comes."""
    resize: tuple[Annotated[int, Meta(ge=1, le=10000)], Annotated[int, Meta(ge=1, le=10000)]] | None = None
    exit: Annotated[int, Meta(ge=0, le=255)] | None = None
    met: Met | None = None


EOF_MESSAGE: Final = b'{"eof":true}'
_control = msgspec.json.Decoder(Control)


def decode_control(message: bytes | bytearray) -> Control:
    """Decode a control message, or raise `PeerError`: 1007 for bad UTF-8, 1002 for what is no such JSON object."""
    try:
        text = message.decode("utf-8")
    except UnicodeDecodeError:
        raise PeerError(CloseCode.BAD_UTF8, "a control message is not UTF-8") from None
    try:
        return _control.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise PeerError(CloseCode.PROTOCOL, f"bad control message: {str(error)[:80]}") from None
