"""Messages on the bus (protocol.rst): summonses, the agents' answers, what discovery tells, the event of an end."""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from streamrelay.protocol.control import Place
from streamrelay.protocol.fields import (
    Address,
    Host,
    Labels,
    Stream,
    StreamOrChannel,
    Target,
    TerminalOrNone,
    Url,
    Version,
    Word,
)
from streamrelay.protocol.limits import MOST_AGENTS, MOST_SPREAD, Bytes, Limits, Lines, Seconds


class Refusal:
    """Codes of an agent's answer to a summons that it doesn't follow (protocol.rst, "Answers")."""

    NO_SUCH_TARGET: Final = "no_such_target"
    TARGET_REFUSED: Final = "target_refused"
    TARGET_UNREACHABLE: Final = "target_unreachable"
    DIAL_FAILED: Final = "dial_failed"
    NOT_ALLOWED: Final = "not_allowed"
    BAD_SUMMONS: Final = "bad_summons"
    BUSY: Final = "busy"
    RELAY_BUSY: Final = "relay_busy"
    NO_SUCH_STREAM: Final = "no_such_stream"
    STREAM_OVER: Final = "stream_over"
    STALE: Final = "stale"
    NO_SUCH_TERMINAL: Final = "no_such_terminal"


REFUSALS: Final = tuple(value for name, value in vars(Refusal).items() if name.isupper())
"""All of these codes."""
VIEWERS: Final = ("raw", "terminal", "log", "vnc", "spice")
"""Viewers by which a page shows targets; "raw" is any bytes."""
Viewer = Literal["raw", "terminal", "log", "vnc", "spice"]
LOOKED_AT: Final = ("terminal", "log", "vnc")
"""Viewers of targets that can be opened to be looked at only."""
SPICE_LINKS: Final = 16
"""Legs of a stream whose viewer opens a websocket for each of its channels; a VM with four screens needs twelve."""


class Terms(Struct, frozen=True):
    """Terms on which a target is connected, as a summons says them."""

    view: bool = False
    """True if nothing that the client does may have an effect on the target (protocol.rst, "View only")."""
    place: Place = ""
    """Place in a log at which to go on; empty: with its last lines."""
    after: Bytes = 0
    """Bytes behind that place which the client has already."""
    user: str = ""
    """Name of the user for whom it is connected; empty if the summons names nobody."""
    lines: Lines | None = None
    """Last lines of a log with which it begins, if it doesn't go on at a place; None: as many as the target says."""


class Summons(Limits, frozen=True):
    """A request to an agent to come: connect `target`, dial `relay` with `token` (protocol.rst, "Summons")."""

    stream: Stream
    target: Target
    relay: Url
    token: Annotated[str, Meta(max_length=8192)]
    jti: Annotated[str, Meta(min_length=8, max_length=64)]
    exp: float
    """Seconds since the epoch after which the summons is stale."""
    iat: float | None = None
    """When it was signed; None of one that isn't."""
    user: Annotated[str, Meta(max_length=256)] = ""
    """Name of the user who opened the stream, for the agent's log and events."""
    links: Annotated[int, Meta(ge=0, le=32)] = 1
    """Legs that the agent may send, one after the other is met; 0: as many as the target's viewer needs."""
    channels: bool = False
    """True if the stream is to carry channels, where the agent can."""
    dial: Annotated[float, Meta(ge=0, le=60)] = 0
    """Seconds that the first leg may take to be open at the relay, as there is another one; 0: as many as ever."""
    resume: bool = False
    """True if the stream is to outlive its legs, where the agent can."""
    terminal: TerminalOrNone = ""
    """Id of the kept terminal that the stream is to attach to; empty: the target is connected anew."""
    share: bool = False
    """True if that terminal may be another user's."""
    view: bool = False
    """True if the stream is to look only; it is one of the stream's `Terms`, as are the next three."""
    place: Place = ""
    after: Bytes = 0
    lines: Lines | None = None

    @property
    def terms(self) -> Terms:
        return Terms(self.view, self.place, self.after, self.user, self.lines)


class Resume(Struct, frozen=True):
    """A request to an agent to give a stream another leg (protocol.rst, "Streams that resume"); always signed."""

    stream: Stream
    target: Target
    relay: Url
    token: Annotated[str, Meta(max_length=8192)]
    jti: Annotated[str, Meta(min_length=8, max_length=64)]
    exp: float
    received: Bytes
    """Position up to which the client has received the stream."""
    attempt: Annotated[int, Meta(ge=1, le=2**53 - 1)] = field(name="try")
    """Number of the request, which grows."""
    iat: float | None = None
    user: Annotated[str, Meta(max_length=256)] = ""
    view: bool = False
    share: bool = False
    """True if it may still be of a terminal that another user has started."""
    dial: Annotated[float, Meta(ge=0, le=60)] = 0
    """As a summons's."""


class End(Struct, frozen=True):
    """A request to an agent to end one stream."""

    stream: StreamOrChannel
    jti: Annotated[str, Meta(min_length=8, max_length=64)]
    exp: float
    user: Annotated[str, Meta(max_length=256)] | None = None
    """Name of the user whose stream it must be; None: anybody's."""
    reason: Annotated[str, Meta(max_length=120)] = ""
    """Reason in one line; empty: an operator wants it."""


class PastEnd(Struct, frozen=True, omit_defaults=True):
    """The end of a stream for which somebody has come back too late."""

    code: Annotated[int, Meta(ge=1000, le=4999)]
    """Close code by which it has ended (protocol.rst, "Close codes")."""
    reason: Annotated[str, Meta(max_length=300)] = ""
    """Reason in one line."""
    exit: Annotated[int, Meta(ge=0, le=255)] | UnsetType = UNSET
    """Status with which its program has ended; unset where there was none, or it goes on."""


class Answer(Struct, frozen=True, omit_defaults=True):
    """An agent's answer: ready, or refused with one of `Refusal` and a reason in one line."""

    ready: bool = False
    refused: Word = ""
    reason: str = ""
    kind: Word = ""
    viewer: Word = "raw"
    """Viewer that shows the target."""
    links: Annotated[int, Meta(ge=1, le=32)] = 1
    """Legs that the agent will send."""
    channels: Annotated[int, Meta(ge=0, le=65536)] = 0
    """Channels that may be open at once; 0: it is an ordinary stream."""
    resume: Seconds = 0
    """Seconds for which a stream that has lost its legs is held; 0: it ends with them."""
    received: Bytes = 0
    """Position up to which the agent has received a stream that is resumed."""
    ended: PastEnd | UnsetType = UNSET
    """End of a stream that was to be resumed, where that is refused and it is known."""
    terminal: TerminalOrNone = ""
    """Id of the kept terminal that the stream is attached to; empty: of none."""


class TargetInfo(Struct, frozen=True, omit_defaults=True):
    """A target as discovery shows it; a pattern keeps its ``{parts}``."""

    name: Annotated[str, Meta(max_length=1024, pattern=r"^[A-Za-z0-9_.:@+{}/-]+\Z")]
    kind: Word
    viewer: Word = "raw"
    """Viewer that shows the target, one of `VIEWERS`; an agent may know more than we do."""
    keep: Seconds = 0
    """Seconds for which its terminals are kept while nobody is attached; 0: they aren't."""


Agent = Annotated[str, Meta(max_length=160)]
"""One agent among those of its host: machine, process and start, for people."""


class HostQuestion(Struct, frozen=True, omit_defaults=True):
    """A platform's question to all agents; older agents answer to each with all that they have."""

    targets: bool = True
    """False: nobody wants to know the targets, only who is there."""
    spread: Annotated[float, Meta(ge=0, le=MOST_SPREAD)] = 0
    """Seconds over which the agents answer, each at a time of its own, so that their answers don't come all at once."""


class HostAnswer(Struct, frozen=True, omit_defaults=True):
    """An agent's answer to a `HostQuestion`; older agents answer with their targets alone."""

    targets: tuple[TargetInfo, ...]
    version: Version = ""
    agent: Agent = ""
    """The agent that answers; empty if it is too old to say so, or stops."""
    complete: bool = True
    """False if the host has more targets than these."""
    labels: Labels = {}
    """Words of agent.toml about the host."""
    address: Address = ""
    """The host's address, from which it has connected the bus."""

    @property
    def stops(self) -> bool:
        """True if the agent is one that stops, which names no targets nor itself."""
        return not self.agent and not self.targets and bool(self.version)


class Agents(Struct, frozen=True):
    """Word of a platform to the agents of a host that there are several of them."""

    agents: Annotated[tuple[Agent, ...], Meta(max_length=MOST_AGENTS)]
    jti: Annotated[str, Meta(min_length=8, max_length=64)]
    exp: float


State = Literal["up", "silent", "down"]
"""State of a host: it is up; it is on the bus and doesn't answer; it is not there."""


class HostInfo(Struct, frozen=True):
    """One host, with its targets; of one that is down those that it had."""

    host: Host
    targets: tuple[TargetInfo, ...]
    version: Version = ""
    """The agent's version; empty if that is too old to say so."""
    complete: bool = True
    """False if the host has more targets than are listed."""
    state: State = "up"
    seen: float | None = None
    """Seconds since the epoch at which a host was last heard that isn't up."""
    labels: Labels = {}
    address: Address = ""


class StreamInfo(Struct, frozen=True):
    """A stream, as its agent tells it, from the summons on."""

    stream: str
    host: str
    target: str
    user: str
    seconds: float
    """Seconds since the stream's client has come; while it waits, since its summons."""
    up: int
    """Bytes from the client to the target."""
    down: int
    """Bytes from the target to the client."""
    waiting: bool = False
    """True if no client has come yet."""
    detached: float | UnsetType = UNSET
    """Seconds since it has lost its legs; unset of a stream that has some."""
    channels: int | UnsetType = UNSET
    """Channels that it carries now, each of which is a stream of the list by itself; unset for any other stream."""
    since: float | UnsetType = UNSET
    """Seconds since the epoch, by the platform's clock, at which `seconds` began; unset in an agent's answer."""


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
    terminal: str | UnsetType = UNSET
    """The kept terminal that it was attached to; unset where there was none."""
