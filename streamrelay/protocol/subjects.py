"""Subjects of the bus, and the names of agents and the platform there."""

from typing import Final


def subject_part(host: str) -> str:
    """Return a host's name, or a relay's, as one part of a subject: with colons, which no name has, for its dots."""
    return host.replace(".", ":")


def host_of(part: str) -> str:
    """Return the host, or the relay, whose name is this part of a subject."""
    return part.replace(":", ".")


def open_subject(host: str) -> str:
    return f"streamrelay.v1.host.{subject_part(host)}.open"


def end_subject(host: str) -> str:
    return f"streamrelay.v1.host.{subject_part(host)}.end"


def streams_subject(host: str) -> str:
    return f"streamrelay.v1.host.{subject_part(host)}.streams"


def event_subject(host: str, kind: str) -> str:
    return f"streamrelay.v1.event.{subject_part(host)}.{kind}"


def relay_subject(relay: str, kind: str) -> str:
    return f"streamrelay.v1.relay.{subject_part(relay)}.{kind}"


def drain_subject(relay: str) -> str:
    return f"streamrelay.v1.drain.{subject_part(relay)}"


def relay_and_kind(subject: str) -> tuple[str, str]:
    """Return the relay that alone may publish on a subject of `relay_subject`, and what it says there.

    `ValueError` if it is another subject.
    """
    match subject.split("."):
        case ["streamrelay", "v1", "relay", part, kind] if subject_part(host_of(part)) == part:
            return host_of(part), kind
    raise ValueError(f"{subject!r} is no subject of a relay")


ALL_TARGETS: Final = "streamrelay.v1.hosts.targets"
ALL_STREAMS: Final = "streamrelay.v1.hosts.streams"
"""Subjects on which all agents are asked at once; each answers under its own name (protocol.rst, "Discovery")."""
AGENT_NAME: Final = "streamagent "
"""Beginning of the name of an agent's connection to the bus; its host's follows."""
SERVICE: Final = "streamagent"
"""The name of all agents in NATS' own service discovery; a host's name is its id there, as a part of a subject."""
DISCONNECTS: Final = "$SYS.ACCOUNT.*.DISCONNECT"
"""Subject on which nats-server tells who has left it; an account has to import that from the system's."""
RELAY_SERVICE: Final = "streamrelay"
"""The name of all relays there; a relay's id is its id, as a part of a subject."""
PLATFORM_INBOX: Final = "_INBOX_platform"
"""Prefix of every subject on which a platform hears answers; no host may listen there."""
