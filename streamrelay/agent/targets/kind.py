"""The settings of a target, in the form that all kinds share.

A kind is a file with a subclass of `Kind`, and its place in `catalogue.KINDS`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Final, Generic, Protocol, Self, TypeGuard, TypeVar

from attrs import define
from msgspec import Meta, Struct, structs

from streamrelay.datapath.connection import Connection
from streamrelay.protocol.limits import MOST_HOLD
from streamrelay.protocol.summons import Terms, Viewer

PART: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""A place in a text where a part of the target's name is filled in."""

Text = str | tuple[str, ...] | dict[str, str]
"""A setting that may hold ``{parts}``: a text, a list of texts, or a table with texts as its values."""


class Target(Protocol):
    """One target, as much of it as a stream needs."""

    @property
    def kind(self) -> str:
        """The kind's name, such as ``tcp``."""

    @property
    def viewer(self) -> Viewer:
        """The viewer that shows it."""

    @property
    def max_streams(self) -> int:
        """Streams of it at once; 0: as many as the host may have."""

    @property
    def hold(self) -> float | None:
        """Seconds for which a stream of it is held that has lost its legs; None: as the agent's own setting says."""

    @property
    def keep(self) -> float:
        """Seconds for which its program goes on without streams; 0: it ends with its stream."""

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of its terminal, until a client says otherwise."""

    async def connect(self, reactor: Any, terms: Terms) -> Connection:
        """Return a connection to splice, or raise `TargetError`. The caller enforces that it may only be looked at."""


T_co = TypeVar("T_co", bound=Target, covariant=True)


@define(frozen=True)
class Variant(Generic[T_co]):
    """A target that is as another one, but for how it is connected."""

    settings: T_co

    @property
    def kind(self) -> str:
        return self.settings.kind

    @property
    def viewer(self) -> Viewer:
        return self.settings.viewer

    @property
    def max_streams(self) -> int:
        return self.settings.max_streams

    @property
    def hold(self) -> float | None:
        return self.settings.hold

    @property
    def keep(self) -> float:
        return self.settings.keep

    @property
    def size(self) -> tuple[int, int]:
        return self.settings.size


class Launcher(Protocol):
    """The launcher, as much of it as a target needs."""

    async def launch(self, target: str, connection: Any) -> None:
        """Start the command of the target of this name for a connection, or raise `TargetError`."""


class Kind(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    """The settings of a target; a subclass for each kind, whose tag is the kind's name."""

    parts: dict[str, str] = {}
    """For a pattern: the regular expression that each named part must match."""
    max_streams: Annotated[int, Meta(ge=0)] = 0
    """Streams at once that the target may have, each of a pattern's by itself; 0: as many as the host."""

    hold: Annotated[float, Meta(ge=0, le=MOST_HOLD)] | None = None
    """Seconds for which a stream of it is held that has lost its legs; None: as the agent's own setting says."""

    @property
    def kind(self) -> str:
        return str(self.__struct_config__.tag)

    @property
    def viewer(self) -> Viewer:
        return "raw"

    def texts(self) -> Mapping[str, Text]:
        """Return the settings that may hold ``{parts}``, by name: all texts and lists of texts, and no table."""
        return {name: value for name, value in structs.asdict(self).items() if _is_text(value)}

    def filled(self, fill: Callable[[str], str]) -> Self:
        """Return these settings with `fill` applied to each of their texts."""
        return structs.replace(self, **{name: _each(fill, text) for name, text in self.texts().items()})

    def all_texts(self) -> Iterator[str]:
        """Yield each text by itself."""
        for text in self.texts().values():
            if isinstance(text, str):
                yield text
            else:
                yield from text.values() if isinstance(text, dict) else text

    def bounded(self) -> Self:
        """Return what stands in the agent's file with the bounds that follow from it; `ValueError` for what can't be
        whatever is filled in.
        """
        return self

    def check(self) -> None:
        """Raise `ValueError` if a setting is impossible, now that nothing remains to be filled in."""

    @property
    def keep(self) -> float:
        """Seconds for which its program goes on without streams; 0: it ends with its stream."""
        return 0.0

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of its terminal, if it has one, until a client says otherwise."""
        return 80, 24

    @property
    def runs(self) -> bool:
        """True if the target is a program that runs on this host for its client."""
        return False

    @property
    def runs_as(self) -> str:
        """The name of the user that runs the program; empty: the agent's own."""
        return ""

    def offered(self, name: str, launcher: Launcher | None) -> Target:
        """Return these settings, found by this name, as what a stream connects."""
        return self

    async def connect(self, reactor: Any, terms: Terms) -> Connection:
        raise NotImplementedError


def _is_text(value: object) -> TypeGuard[str | tuple[str, ...]]:
    return isinstance(value, str) or (isinstance(value, tuple) and all(isinstance(item, str) for item in value))


def _each(change: Callable[[str], str], text: Text) -> Text:
    if isinstance(text, str):
        return change(text)
    if isinstance(text, dict):
        return {name: change(value) for name, value in text.items()}
    return tuple(change(item) for item in text)
