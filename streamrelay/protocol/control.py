"""Subprotocols and control messages (protocol.rst, "Control messages")."""

from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from streamrelay.errors import PeerError
from streamrelay.protocol.close import CloseCode, Outcome, may_be_sent

SUBPROTOCOL: Final = "streamrelay.v1"
"""Subprotocol whose binary messages are the stream's bytes, and text messages control messages."""
WATCHED: Final = "streamrelay.v1.ping"
"""The same, by a relay that answers the client's pings (protocol.rst, "Liveness")."""
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


Size = tuple[Annotated[int, Meta(ge=1, le=10000)], Annotated[int, Meta(ge=1, le=10000)]]
"""A terminal's columns and rows."""


class Person(Struct, frozen=True):
    """A user who is attached to a terminal, by one stream."""

    user: Annotated[str, Meta(max_length=256)]
    view: bool = False
    """True if nothing that they do has an effect."""


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
    encoding: Annotated[str, Meta(max_length=20, pattern=r"^[a-z0-9-]*\Z")] = ""
    """With a place, the encoding of what follows: "utf-16le" or "utf-16be"; empty: UTF-8, or unknown."""
    lost: bool = False
    """True, with a place, if lines may be missing before what follows."""
    skipped: Annotated[int, Meta(ge=0)] = 0
    """Lines of a log that were left out here."""
    nuls: Annotated[int, Meta(ge=0)] = 0
    """With a place, NULs of a log that were left out here."""
    note: Note = ""
    """Words about a log for who reads it, as why nothing comes."""
    resize: Size | None = None
    size: Size | None = None
    """The size that a terminal has now, as others have it open, too."""
    people: tuple[Person, ...] | None = None
    """All who are attached to a terminal now, or as many as there is room for."""
    others: Annotated[int, Meta(ge=0)] = 0
    """People beside those, for whom there was no room."""
    exit: Annotated[int, Meta(ge=0, le=255)] | None = None
    met: Met | None = None


class Asked(Struct, frozen=True):
    """The one key of a control message that the relay itself answers, where `WATCHED` was agreed on."""

    ping: Annotated[int, Meta(ge=1, le=2**53 - 1)] | None = None


class StreamEnd(Struct, frozen=True):
    """The last word of an end of a stream that resumes: how the stream ended for it."""

    code: int
    reason: Annotated[str, Meta(max_length=200)] = ""

    def __post_init__(self) -> None:
        if not may_be_sent(self.code):
            raise ValueError(f"close code {self.code} may not be sent")

    @property
    def outcome(self) -> Outcome:
        return Outcome(self.code, self.reason)


class Word(Struct, frozen=True, omit_defaults=True):
    """A control message as it is to the ends of a stream that resumes (protocol.rst, "Streams that resume")."""

    ack: Annotated[int, Meta(ge=0, le=2**63 - 1)] | UnsetType = UNSET
    """Position that is confirmed."""
    fin: bool = False
    """True if this direction has ended."""
    end: StreamEnd | UnsetType = UNSET
    exit: Any = UNSET
    hold: Any = UNSET
    met: Any = UNSET
    ping: Any = UNSET
    pong: Any = UNSET

    @property
    def counts(self) -> bool:
        """True if it is one position of the stream."""
        return all(value is UNSET for value in (self.ack, self.hold, self.met, self.ping, self.pong))


EOF_MESSAGE: Final = b'{"eof":true}'
FIN_MESSAGE: Final = b'{"fin":true}'
_control = msgspec.json.Decoder(Control)
_asked = msgspec.json.Decoder(Asked)
_word = msgspec.json.Decoder(Word)
_T = TypeVar("_T")


def decode_control(message: bytes | bytearray) -> Control:
    """Decode a control message, or raise `PeerError`: 1007 for bad UTF-8, 1002 for what is no such JSON object."""
    return _decoded(_control, message)


def decode_ping(message: bytes | bytearray) -> int | None:
    """Return the number of a control message that is a ping, or None; or raise `PeerError` as `decode_control` does."""
    return _decoded(_asked, message).ping


def pong(word: Word) -> bytes:
    """Return the answer to a message of a stream that resumes that is a ping; empty if it is none."""
    number = word.ping
    if type(number) is not int or not 0 < number < 2**53:
        return b""
    return b'{"pong":%d}' % number


def decode_word(message: bytes | bytearray) -> Word:
    """Decode a control message of a stream that resumes, or raise `PeerError` as `decode_control` does."""
    return _decoded(_word, message)


def _decoded(decoder: msgspec.json.Decoder[_T], message: bytes | bytearray) -> _T:
    try:
        text = message.decode("utf-8")
    except UnicodeDecodeError:
        raise PeerError(CloseCode.BAD_UTF8, "a control message is not UTF-8") from None
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise PeerError(CloseCode.PROTOCOL, f"bad control message: {str(error)[:80]}") from None
