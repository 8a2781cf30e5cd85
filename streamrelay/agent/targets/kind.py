"""What the settings of all kinds have in common."""

from typing import Any, Protocol

from msgspec import Struct

from streamrelay.datapath.connection import Connection
from streamrelay.protocol.summons import Terms, Viewer


class Target(Protocol):
    """What every kind's settings can do."""

    def check(self) -> None:
        """Raise `ValueError` if a setting is impossible."""

    @property
    def kind(self) -> str:
        """tcp, unix, log, pty …"""

    @property
    def viewer(self) -> Viewer:
        """What it is shown by."""

    async def connect(self, reactor: Any, terms: Terms) -> Connection:
        """A connection to splice, or `TargetError`. Whether it may only be looked at is the caller's to enforce."""


class Kind(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of a target, a subclass for each kind with the kind's name as its tag."""

    @property
    def kind(self) -> str:
        return str(self.__struct_config__.tag)

    @property
    def viewer(self) -> Viewer:
        """What it is shown by."""
        return "raw"
