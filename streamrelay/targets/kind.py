"""What the settings of all kinds have in common."""

from msgspec import Struct

from streamrelay.wire import Viewer


class Kind(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of a target, a subclass for each kind with the kind's name as its tag."""

    @property
    def kind(self) -> str:
        return str(self.__struct_config__.tag)

    @property
    def viewer(self) -> Viewer:
        """What it is shown by."""
        return "raw"
