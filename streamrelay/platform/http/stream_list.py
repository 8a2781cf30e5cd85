"""The list of streams: ``GET /v1/streams``, whole or by pages, and what of it is searched for."""

from bisect import bisect_right, insort
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from attrs import define, field
from msgspec import UNSET, Meta, Struct, structs
from twisted.web.server import Request

from streamrelay.platform.auth.grants import Grant, User
from streamrelay.platform.fleet.shown import Place, place
from streamrelay.platform.http.lists import MOST_LISTED, read_query, send_list
from streamrelay.platform.live_streams import Listing, is_of
from streamrelay.protocol.summons import StreamInfo

MOST_VIEWS: Final = 100
"""Sets of grants whose holders' rows are kept of one answer."""
MOST_MISSING: Final = 100
"""Hosts at most that are named of those that haven't answered."""

Key = tuple[Place, str, str]
_place = lru_cache(20_000)(place)


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """The query of ``GET /v1/streams``."""

    limit: Annotated[int, Meta(ge=1, le=MOST_LISTED)] | None = None
    after: Annotated[str, Meta(max_length=900)] = ""
    q: Annotated[str, Meta(max_length=500)] = ""
    host: Annotated[str, Meta(max_length=300)] = "*"
    target: Annotated[str, Meta(max_length=300)] = "*"
    user: Annotated[str, Meta(max_length=300)] = "*"

    @property
    def start(self) -> Key | None:
        """Place behind which the page begins; None: at the top."""
        host, _, rest = self.after.partition("/")
        target, _, stream = rest.rpartition("/")
        return (_place(host), target, stream) if self.after else None

    def find(self, rows: list["Row"]) -> "tuple[list[Row], int, str | None]":
        """Return the rows of one page, how many there are on all, and what to go on behind."""
        globs = [(glob, name) for name in ("host", "target", "user") if (glob := getattr(self, name)) != "*"]
        words = self.q.lower().split()
        if globs or words:
            rows = [row for row in rows if row.fits(globs, words)]
        begin = bisect_right(rows, self.start, key=lambda row: row.key) if self.start is not None else 0
        page = rows[begin:] if self.limit is None else rows[begin : begin + self.limit]
        return page, len(rows), page[-1].name if page and begin + len(page) < len(rows) else None


class Row(NamedTuple):
    """One stream as a user sees it."""

    key: Key
    info: StreamInfo
    end: bool
    """True if the user may end it."""

    @property
    def name(self) -> str:
        """Words for its place, as ``after`` has them."""
        return f"{self.info.host}/{self.info.target}/{self.info.stream}"

    def fits(self, globs: Iterable[tuple[str, str]], words: Iterable[str]) -> bool:
        info = self.info
        if not all(fnmatchcase(getattr(info, name), glob) for glob, name in globs):
            return False
        text = f"{info.host}\n{info.target}\n{info.user}\n{info.stream}".lower()
        return all(word in text for word in words)

    @property
    def shown(self) -> dict[str, Any]:
        told = {name: value for name, value in structs.asdict(self.info).items() if value is not UNSET}
        return {**told, "end": self.end}


@define(eq=False)
class StreamLists:
    """Lists of streams as users see them. Users of the same grants share what is worked out of one answer."""

    _listing: Listing[StreamInfo] | None = None
    _serial: int = 0  # of the listing
    _told: Listing[StreamInfo] | None = None
    _views: dict[tuple[Grant, ...], list[Row]] = field(factory=dict)

    def send(self, request: Request, user: User, listing: Listing[StreamInfo]) -> None:
        """Answer a request with those that this user might open, or raise `Refused` where its query is wrong."""
        wanted = read_query(request, Wanted)
        if listing is not self._listing:
            self._listing, self._serial = listing, self._serial + 1
        make = partial(body_of, wanted, self._rows(user, listing), user, listing)
        send_list(request, f"s{self._serial}.{hash(user.grants):x}", make)

    def _rows(self, user: User, listing: Listing[StreamInfo]) -> list[Row]:
        told = listing.told or listing
        if told is not self._told or len(self._views) > MOST_VIEWS:
            self._told, self._views = told, {}
        rows = self._views.get(user.grants)
        if rows is None:
            rows = self._views[user.grants] = sorted(rows_of(told, user), key=lambda row: row.key)
        if listing is told:
            return rows
        left = [row for row in rows if not is_of(row.info, listing.gone)]
        for row in rows_of(listing.more, user):
            insort(left, row, key=lambda row: row.key)
        return left


def rows_of(streams: Iterable[StreamInfo], user: User) -> Iterable[Row]:
    """Yield the rows of those streams that a user might open."""
    known: dict[tuple[str, str], tuple[bool, bool]] = {}
    for info in streams:
        what = info.host, info.target
        if what not in known:
            known[what] = user.may(*what), user.may(*what, act=True)
        sees, acts = known[what]
        if sees:
            yield Row((_place(info.host), info.target, info.stream), info, acts)


def body_of(wanted: Wanted, rows: list[Row], user: User, listing: Listing[StreamInfo]) -> bytes:
    """Return one page of a list as JSON."""
    page, found, following = wanted.find(rows)
    theirs = sorted((host for host in listing.missing if user.fits(host)), key=place)
    others = bool(listing.missing) and not theirs and not listing.cut  # whose hosts alone are missing
    about = {"complete": listing.complete or others, "missing": theirs[:MOST_MISSING], "missed": len(theirs)}
    return msgspec.json.encode({"streams": [row.shown for row in page], **about, "found": found, "next": following})
