"""Requests of the native client for streams, and their bodies (protocol.rst, "The platform's API")."""

import argparse
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import msgspec
from attrs import define
from msgspec import structs

from streamrelay.client.log_place import LogPlace
from streamrelay.protocol.summons import Terms

ANY_TERMS: Final = Terms()
"""Terms on which a stream is opened without a further word."""


def always() -> bool:
    return True


@define(frozen=True)
class StreamRequest:
    """A stream that is asked for."""

    host: str
    target: str
    terms: Terms = ANY_TERMS
    channels: bool = False
    """True if it is to carry channels, if that can be."""
    is_wanted: Callable[[], bool] = always
    """Asked when its turn comes, as who wanted it may have gone."""
    zone: str = ""
    """Zone whose relays it is to go by, if there are any; empty: that of its host."""
    resume: bool = False
    """True if it is to outlive its legs, if that can be."""
    terminal: str = ""
    """Kept terminal that it is to attach to; empty: none."""

    def body(self) -> bytes:
        channels = {"channels": True} if self.channels else {}
        named = {name: value for name in ("zone", "terminal") if (value := getattr(self, name))}
        more = {**stated(self.terms), **channels, **named, **({"resume": True} if self.resume else {})}
        return msgspec.json.encode({"host": self.host, "target": self.target, **more})


@define(frozen=True)
class ResumeRequest:
    """A stream that is to go on by another leg."""

    stream: str
    host: str
    target: str
    view: bool
    zone: str
    received: int
    """Position up to which it has been received here."""
    attempt: int
    """Number of the request, which grows."""

    @property
    def path(self) -> str:
        return f"/v1/streams/{quote(self.stream, safe='')}/resume"

    def body(self) -> bytes:
        more = {**({"view": True} if self.view else {}), **({"zone": self.zone} if self.zone else {})}
        about = {"host": self.host, "target": self.target, "received": self.received, "try": self.attempt}
        return msgspec.json.encode({**about, **more})


def terms_of(arguments: argparse.Namespace, place: LogPlace | None = None) -> Terms:
    """Return the terms on which a command asks for a stream; `place` is where a log is to go on."""
    at, after = (place.place, place.after) if place else ("", 0)
    return Terms(arguments.view, at, after, lines=arguments.lines)


def stated(terms: Terms) -> dict[str, object]:
    """Return what of these terms isn't as without a word; a platform that doesn't know the others needn't."""
    return {name: value for name, value in structs.asdict(terms).items() if value != getattr(ANY_TERMS, name)}
