"""Subjects of the bus, and the names of agents and the platform there."""

from typing import Final


def open_subject(host: str) -> str:
    return f"streamrelay.v1.host.{host}.open"


def end_subject(host: str) -> str:
    return f"streamrelay.v1.host.{host}.end"


def streams_subject(host: str) -> str:
    return f"streamrelay.v1.host.{host}.streams"


def event_subject(host: str, kind: str) -> str:
    return f"streamrelay.v1.event.{host}.{kind}"


ALL_TARGETS: Final = "streamrelay.v1.hosts.targets"
ALL_STREAMS: Final = "streamrelay.v1.hosts.streams"
"""Subjects on which all agents are asked at once; each answers under its own name (protocol.rst, "Discovery")."""
SERVICE: Final = "streamagent"
"""The name of all agents in NATS' own service discovery; a host's name is its id there."""
PLATFORM_INBOX: Final = "_INBOX_platform"
"""Prefix of every subject on which a platform hears answers; no host may listen there."""
