"""Everything that has a name on a wire: messages, close codes, subjects and limits (protocol.rst)."""

import ipaddress
import re
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from streamrelay.endings import Close
from streamrelay.errors import PeerError

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
MAX_HANDSHAKE: Final = 8192
"""Bytes of a websocket's opening request, or of its answer."""
HANDSHAKE_TIME: Final = 5.0
"""Seconds from accept to 101."""
CONNECT_TIME: Final = 10.0
"""Seconds that a target or a relay may take to be connected."""
SUMMONS_LIFE: Final = 30
"""Seconds in which a summons, and a leg's token, may be used."""
CLOCK_SKEW: Final = 5
"""Seconds by which clocks may differ."""

HOST = r"[A-Za-z0-9_-]{1,64}"
TARGET = r"[A-Za-z0-9_.:@+-]{1,128}(?:/[A-Za-z0-9_.:@+-]{1,128}){0,7}"
OPAQUE = r"[A-Za-z0-9_-]{22,256}"
JWT = r"[A-Za-z0-9_-]{1,2048}\.[A-Za-z0-9_-]{1,4096}\.[A-Za-z0-9_-]{1,128}"

Host = Annotated[str, Meta(pattern=f"^{HOST}\\Z")]
Target = Annotated[str, Meta(pattern=f"^{TARGET}\\Z", max_length=256)]
Stream = Annotated[str, Meta(pattern=f"^{OPAQUE}\\Z")]
Url = Annotated[str, Meta(pattern=r"^wss?://[!-?A-~]{1,500}\Z")]  # no user@, as logs show it


class Refusal:
    """Why an agent does not come: the codes of its answer to a summons."""

    NO_SUCH_TARGET: Final = "no_such_target"
    TARGET_REFUSED: Final = "target_refused"
    TARGET_UNREACHABLE: Final = "target_unreachable"
    DIAL_FAILED: Final = "dial_failed"
    NOT_ALLOWED: Final = "not_allowed"
    BAD_SUMMONS: Final = "bad_summons"
    BUSY: Final = "busy"
    NO_SUCH_STREAM: Final = "no_such_stream"


# -- limits ----------------------------------------------------------------------------------------------------

Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Bytes = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Limits(Struct, frozen=True, kw_only=True):
    """What one stream may use up (protocol.rst, "Limits"); 0 is no limit. Tokens, summonses and settings have them."""

    idle: Seconds = 0
    """Seconds without a byte in either direction."""
    lifetime: Seconds = 0
    """Seconds from the pairing of its first legs."""
    quota: Bytes = 0
    """Bytes of both directions together."""

    def claims(self) -> dict[str, float]:
        """Those that are set, by name; whatever else a subclass holds is left out."""
        return {name: value for name in Limits.__struct_fields__ if (value := getattr(self, name))}


def strictest(*given: Limits) -> Limits:
    """Of each limit the least that is set anywhere."""
    least: dict[str, float] = {}
    for limits in given:
        for name, value in limits.claims().items():
            least[name] = min(value, least.get(name, value))
    return msgspec.convert(least, Limits)


# -- on what terms ---------------------------------------------------------------------------------------------

VIEWERS: Final = ("raw", "terminal", "log", "vnc", "spice")
"""What a page may show a target by; "raw" is any bytes."""
Viewer = Literal["raw", "terminal", "log", "vnc", "spice"]
LOOKED_AT: Final = ("terminal", "log", "vnc")
"""Viewers of what can be opened to be looked at only."""
SPICE_LINKS: Final = 16
"""Legs of a stream whose viewer opens a websocket for each of its channels; a VM with four screens needs twelve."""
Place = Annotated[str, Meta(max_length=256, pattern=r"^[!-~]*\Z")]
"""A place in a log, in the agent's own words."""


class Terms(Struct, frozen=True):
    """On what terms a target is connected; a summons says so."""

    view: bool = False
    """Nothing that the client does may have an effect on the target."""
    place: Place = ""
    """Of a log: where to go on; empty: from its last lines."""
    after: Bytes = 0
    """Bytes after that place which the client has already."""


# -- control messages ------------------------------------------------------------------------------------------


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
        raise PeerError(Close.BAD_UTF8, "a control message is not UTF-8") from None
    try:
        return _control.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise PeerError(Close.PROTOCOL, f"bad control message: {str(error)[:80]}") from None


# -- the bus ---------------------------------------------------------------------------------------------------


class Summons(Limits, frozen=True):
    """Asks an agent to come: connect `target`, dial `relay` with `token`."""

    stream: Stream
    target: Target
    relay: Url
    token: Annotated[str, Meta(max_length=8192)]
    jti: Annotated[str, Meta(min_length=8, max_length=64)]
    exp: float
    """Seconds since the epoch after which it is stale."""
    user: Annotated[str, Meta(max_length=256)] = ""
    """Who opened the stream, for the agent's log and events."""
    links: Annotated[int, Meta(ge=0, le=32)] = 1
    """Legs that the agent may send, one after the other is met; 0: as many as the target's viewer needs."""
    view: bool = False
    """Its `Terms`, as are the next two."""
    place: Place = ""
    after: Bytes = 0

    @property
    def terms(self) -> Terms:
        return Terms(self.view, self.place, self.after)


class End(Struct, frozen=True):
    """Asks an agent to end one stream."""

    stream: Stream
    jti: Annotated[str, Meta(min_length=8, max_length=64)]
    exp: float


Word = Annotated[str, Meta(max_length=64, pattern=r"^[a-z0-9_-]*\Z")]
"""One word for programs, such as a kind; there may be others than we know."""


class Answer(Struct, frozen=True, omit_defaults=True):
    """An agent's answer: ready, or refused with one of `Refusal` and a reason in one line."""

    ready: bool = False
    refused: Word = ""
    reason: str = ""
    kind: Word = ""
    viewer: Word = "raw"
    """What the target is shown by."""
    links: Annotated[int, Meta(ge=1, le=32)] = 1
    """Legs that the agent will send."""


class TargetInfo(Struct, frozen=True, omit_defaults=True):
    """A target as discovery shows it; a pattern keeps its ``{parts}``."""

    name: Annotated[str, Meta(max_length=1024, pattern=r"^[A-Za-z0-9_.:@+{}/-]+\Z")]
    kind: Word
    viewer: Word = "raw"
    """What it is shown by, one of `VIEWERS`; an agent may know more than we do."""


class HostInfo(Struct, frozen=True):
    """One host that is up, with its targets."""

    host: Host
    targets: tuple[TargetInfo, ...]


class StreamInfo(Struct, frozen=True):
    """A stream, as its agent tells it, from the summons on."""

    stream: str
    host: str
    target: str
    user: str
    seconds: float
    """Since its client has come; while it waits, since its summons."""
    up: int
    """Bytes from the client to the target."""
    down: int
    """Bytes from the target to the client."""
    waiting: bool = False
    """Whether no client has come yet."""


class Ended(Struct, frozen=True):
    """The event that a stream is over."""

    stream: str
    target: str
    user: str
    code: int
    reason: str
    seconds: float
    up: int
    down: int


def open_subject(host: str) -> str:
    return f"streamrelay.v1.host.{host}.open"


def end_subject(host: str) -> str:
    return f"streamrelay.v1.host.{host}.end"


def streams_subject(host: str) -> str:
    return f"streamrelay.v1.host.{host}.streams"


def event_subject(host: str, kind: str) -> str:
    return f"streamrelay.v1.event.{host}.{kind}"


MOST_TARGETS: Final = 2000
"""Targets of one host that are listed; a host that invents many would keep the pages of all users busy."""
ALL_TARGETS: Final = "streamrelay.v1.hosts.targets"
ALL_STREAMS: Final = "streamrelay.v1.hosts.streams"
"""What every agent is asked at once; each answers under its own name (protocol.rst, "Discovery")."""
SERVICE: Final = "streamagent"
"""The name of all agents in NATS' own service discovery; a host's name is its id there."""
PLATFORM_INBOX: Final = "_INBOX_platform"
"""Begins every subject on which a platform hears answers; no host may listen there."""


T = TypeVar("T")


def decode(data: bytes | str, kind: type[T]) -> T:
    """A message that a stranger sent as JSON; `ValueError` in one line if it is not one."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def convert(claims: dict[str, Any], kind: type[T]) -> T:
    """The claims of a verified JWT as a message; `ValueError` in one line if they are not one."""
    try:
        message = msgspec.convert(claims, type=kind, strict=True)
        encode(message)  # a JWT's JSON may hold halves of surrogate pairs, which nobody could pass on
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise ValueError(str(error)) from None
    return message


encode = msgspec.json.encode


def is_host(name: str) -> bool:
    return re.fullmatch(HOST, name) is not None


def is_opaque(token: str) -> bool:
    return re.fullmatch(OPAQUE, token) is not None


def is_target(name: str) -> bool:
    return len(name) <= 256 and re.fullmatch(TARGET, name) is not None


def is_loopback(host: str) -> bool:
    """Whether this is a name of the machine itself."""
    if host == "localhost":
        return True
    try:
        return "%" not in host and ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, perhaps one that looks like an address
        return False
