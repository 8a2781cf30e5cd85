"""Messages of the bus about hosts, as far as they can be believed: what nobody could have said is None."""

from typing import Any

from msgspec import Struct

from streamrelay.protocol import codec
from streamrelay.protocol.names import is_host
from streamrelay.protocol.subjects import AGENT_NAME, host_of, subject_part
from streamrelay.protocol.summons import HostAnswer, TargetInfo

_SAID: Any = HostAnswer | tuple[TargetInfo, ...]


class _Client(Struct, frozen=True):
    name: str = ""


class Disconnect(Struct, frozen=True):
    """Word of nats-server that a client has left it (``io.nats.server.advisory.v1.client_disconnect``)."""

    client: _Client


def vouched_host(subject: str) -> str | None:
    """Return the host on whose own subject something came, event or answer; None if no host has that name."""
    own = subject.rpartition(".")[0] if subject.startswith("streamrelay.v1.event.") else subject
    return host_named(own.rpartition(".")[2])


def host_named(part: str) -> str | None:
    """Return the host whose name is this part of a subject, or None if no host has such a name."""
    host = host_of(part)
    return host if is_host(host) and subject_part(host) == part else None


def read_answer(data: bytes) -> HostAnswer | None:
    """Return what an agent says of its host, be it its targets alone, as an old one does; None if it is nonsense."""
    try:
        told: Any = codec.decode(data, _SAID)
    except ValueError:
        return None
    return told if isinstance(told, HostAnswer) else HostAnswer(told)


def left_host(data: bytes) -> str | None:
    """Return the host whose agent has left the bus, by the name that it gave itself there; None if it was no agent."""
    try:
        name = codec.decode(data, Disconnect).client.name
    except ValueError:
        return None
    return name.removeprefix(AGENT_NAME) if name.startswith(AGENT_NAME) else None
