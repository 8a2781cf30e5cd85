"""Lists of a platform, as its API answers them."""

from msgspec import Struct

from streamrelay.protocol.summons import StreamInfo, TargetInfo
from streamrelay.protocol.terminals import TerminalInfo


class ListedTarget(TargetInfo, frozen=True):
    """A target that the user may open."""

    view: bool = False
    """True if the user may only look at it."""


class ListedHost(Struct, frozen=True):
    """One host, with targets that the user may open."""

    host: str
    targets: tuple[ListedTarget, ...]
    version: str = ""
    complete: bool = True
    """False if it has more targets than are listed."""
    state: str = "up"
    """``up``, ``silent`` if it doesn't answer, or ``down``."""
    seen: float | None = None
    """Seconds since the epoch at which one was last heard that isn't up."""


class HostList(Struct, frozen=True):
    """The answer to ``GET /v1/hosts``."""

    hosts: tuple[ListedHost, ...]
    complete: bool = True
    """True if all hosts have answered."""


class ListedRelay(Struct, frozen=True):
    """One relay, as it says itself."""

    relay: str
    url: str
    zone: str = ""
    state: str = ""
    load: float = 0
    streams: int = 0
    version: str = ""
    drained: bool = False
    """True if an operator has drained it, which can be undone."""


class RelayList(Struct, frozen=True):
    """The answer to ``GET /v1/relays``."""

    relays: tuple[ListedRelay, ...]


class ListedTerminal(TerminalInfo, frozen=True):
    """A kept terminal that the user might attach to."""

    view: bool = False
    """True if the user may only look at it."""
    end: bool = False
    """True if the user may end it."""
    own: bool = False
    """True if the user has started it."""


class TerminalList(Struct, frozen=True):
    """The answer to ``GET /v1/hosts/HOST/terminals``."""

    terminals: tuple[ListedTerminal, ...]


class StreamList(Struct, frozen=True):
    """The answer to ``GET /v1/streams``."""

    streams: tuple[StreamInfo, ...]
    complete: bool = True
    """True if all hosts have answered."""
    missing: tuple[str, ...] = ()
    """Names of hosts that haven't answered, perhaps not of all."""
