"""Messages between agent and launcher, one JSON object in each packet of a socket that only they have."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class Order(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A wish of the agent: to start a target's command, or to end one. The launcher does nothing else."""

    id: Annotated[int, Meta(ge=1, lt=1 << 53)]
    target: Annotated[str, Meta(max_length=1024)] = ""
    """The name of the target whose command is started; what that is the launcher reads from the files itself."""
    signal: Literal["", "hangup", "kill"] = ""
    """The way to end the command's process group."""


class Report(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """News of an order: started, with the terminal's descriptor beside it; or one of these."""

    id: int
    """The order's; 0: the launcher itself ends."""
    refused: str = ""
    """The reason why nothing was started, or goes on."""
    busy: bool = False
    """True if it would be, were there fewer of them: nothing is wrong with the target."""
    status: int | None = None
    """The command's status, as a shell tells it."""
