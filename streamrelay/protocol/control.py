"""Subprotocols and control messages (protocol.rst, "Control messages")."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from streamrelay.errors import PeerError
from streamrelay.protocol.close import CloseCode

SUBPROTOCOL: Final = "streamrelay.v1"
"""Binary messages are the stream's bytes, text messages are control messages."""
RAW: Final = "binary"
"""Every message is bytes; what noVNC, spice-html5 and websockify's clients offer."""

MAX_CONTROL: Final = 4096
"""Bytes of one control message."""
CONTROL_RATE: Final = 16
"""Control messages a second that one leg may send on average."""
CONTROL_BURST: Final = 80
"""Control messages that a leg may send at once before the rate counts."""

Place = Annotated[str, Meta(max_length=256, pattern=r"^[!-~]*\Z")]
"""A place in a log, in the agent's own words."""


class Met(Struct, frozen=True):
    """The relay tells an agent's leg that its client has come."""

    mode: Annotated[str, Meta(pattern=r"^(?:v1|raw)\Z")]
    """"v1": the client takes control messages; "raw": they stop at the relay."""
    from_: Annotated[str, Meta(max_length=100, pattern=r"^[!-~]*\Z")] = msgspec.field(name="from", default="")
    """The client's address, for the agent's log."""


class Control(Struct, frozen=True, omit_defaults=True):
    """One control message; unknown keys are ignored (protocol.rst, "Control messages")."""

    eof: bool = False
    hold: bool | None = None
    """Whether its sender has no room for more now."""
    place: Place = ""
    """Where in a log the next bytes come from."""
    lost: bool = False
    """With a place: it isn't where the stream was to go on."""
    skipped: Annotated[int, Meta(ge=0)] = 0
    """Lines of a log that were left out here."""
    resize: tuple[Annotated[int, Meta(ge=1, le=10000)], Annotated[int, Meta(ge=1, le=10000)]] | None = None
    exit: Annotated[int, Meta(ge=0, le=255)] | None = None
    met: Met | None = None


EOF_MESSAGE: Final = b'{"eof":true}'
_control = msgspec.json.Decoder(Control)


def decode_control(message: bytes | bytearray) -> Control:
    """Raise `PeerError` 1007 for bad UTF-8 and 1002 for what is not a JSON object of known meaning."""
    try:
        text = message.decode("utf-8")
    except UnicodeDecodeError:
        raise PeerError(CloseCode.BAD_UTF8, "a control message is not UTF-8") from None
    try:
        return _control.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise PeerError(CloseCode.PROTOCOL, f"bad control message: {str(error)[:80]}") from None
