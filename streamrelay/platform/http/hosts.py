"""The list of hosts: ``GET /v1/hosts``, whole or by pages, and what of it is searched for."""

from functools import partial
from typing import Annotated, Literal

import msgspec
from attrs import define, field
from msgspec import Meta, Struct
from twisted.web.server import Request

from streamrelay.bus.connection import as_deferred
from streamrelay.platform.fleet.shown import Entry, Shown
from streamrelay.platform.fleet.views import Views
from streamrelay.platform.http.api_resource import SENT, ApiResource, Result
from streamrelay.platform.http.authenticate import Authenticator, Caller
from streamrelay.platform.http.lists import MOST_LISTED, read_query, send_list
from streamrelay.platform.http.tally import AnswerTally
from streamrelay.platform.platform import Platform
from streamrelay.protocol.names import LONGEST_HOST


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """The query of ``GET /v1/hosts``."""

    limit: Annotated[int, Meta(ge=1, le=MOST_LISTED)] | None = None
    after: Annotated[str, Meta(max_length=LONGEST_HOST)] = ""
    q: Annotated[str, Meta(max_length=500)] = ""
    label: Annotated[tuple[Annotated[str, Meta(max_length=130, pattern="=")], ...], Meta(max_length=16)] = ()
    state: Literal["up", "silent", "down", "all"] = "up"

    @classmethod
    def read(cls, request: Request) -> "Wanted":
        """Read a request's query, or raise `Refused`."""
        return read_query(request, cls, several="label")

    def has_state(self, entry: Entry) -> bool:
        return self.state in ("all", entry.state) or (self.state == "up" and entry.state == "silent")

    def is_labelled(self, entry: Entry) -> bool:
        labels = entry.shown["labels"]
        return all(labels.get(name) == value for name, _, value in (label.partition("=") for label in self.label))

    def find(self, view: Shown) -> "Found":
        """Return the hosts of one page, and what there is beside them."""
        start = view.number_of(self.after)
        if not (self.q or self.label) and self.state in ("up", "all"):
            return self._listed(view, start)
        words, found = self.q.lower().split(), Found()
        for number, entry in enumerate(view.in_order()):
            if not (self.has_state(entry) and entry.may_fit(words) and self.is_labelled(entry)):
                continue
            fit = entry.fit(words)
            if fit is not None:
                found.count += 1
                if number >= start:
                    found.add(entry, self.limit, fit)
        return found

    def _listed(self, view: Shown, start: int) -> "Found":
        """Return a page of the list as it is, without looking at all that stands before and behind it."""
        found = Found(count=len(view.entries) - (0 if self.state == "all" else view.down))
        for entry in view.in_order(start):
            if found.more:
                break
            if self.has_state(entry):
                found.add(entry, self.limit)
        return found


@define
class Found:
    """One page of a list."""

    hosts: list[bytes] = field(factory=list)
    count: int = 0
    """Hosts that fit, on all pages together."""
    last: str = ""
    """Host at the end of the page."""
    more: bool = False
    """True if there are further pages."""

    def add(self, entry: Entry, limit: int | None, targets: frozenset[int] | None = None) -> None:
        """Take a host, with all of its targets or some, unless the page is full."""
        if len(self.hosts) == limit:
            self.more = True
        else:
            self.hosts.append(entry.json if targets is None else entry.json_of(targets))
            self.last = entry.host


class Hosts(ApiResource):
    """The path ``/v1/hosts``: lists the hosts with the targets that the caller may see (GET)."""

    path = "/v1/hosts"

    def __init__(self, platform: Platform, authenticator: Authenticator, tally: AnswerTally, views: Views) -> None:
        super().__init__(platform, authenticator, tally)
        self.views = views

    async def answer_get(self, request: Request, caller: Caller) -> Result:
        wanted, user = Wanted.read(request), await self.authenticator.listing(caller)
        if user.grants:
            await as_deferred(self.platform.know_hosts())
        complete, view = self.platform.inventory.complete or not user.grants, self.views.of(user.grants)
        view.refresh()
        send_list(request, f"{view.name}.{view.revision}.{complete:d}", partial(body_of, wanted, view, complete))
        return SENT


def body_of(wanted: Wanted, view: Shown, complete: bool) -> bytes:
    """Return one page of a list as JSON."""
    found = wanted.find(view)
    more = {"complete": complete, **counts(view), "found": found.count, "next": found.last if found.more else None}
    return b'{"hosts":[' + b",".join(found.hosts) + b"]," + msgspec.json.encode(more)[1:]


def counts(view: Shown) -> dict[str, int]:
    """Return how many hosts there are in all, by whether they are up."""
    return {"up": len(view.entries) - view.down, "down": view.down}
