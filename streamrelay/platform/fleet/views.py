"""The fleet as its users see it: one view for all who have the same grants, kept while it is asked for."""

from typing import Final

from attrs import define, field

from streamrelay.platform.auth.grants import Grant
from streamrelay.platform.fleet.inventory import Inventory
from streamrelay.platform.fleet.shown import Shown

MOST_VIEWS: Final = 100
"""Views that are kept, beside those that somebody watches."""
MOST_ENTRIES: Final = 500_000
"""Hosts in all of these views, over which the longest unused are dropped; each takes a kilobyte or two."""


@define(eq=False)
class Views:
    """Views by their grants, the longest unused first."""

    inventory: Inventory
    watched: dict[Shown, int] = field(factory=dict)
    """Views that somebody watches, and how many do."""
    _views: dict[tuple[Grant, ...], Shown] = field(factory=dict)

    def of(self, grants: tuple[Grant, ...]) -> Shown:
        """Return what the holders of these grants see; it may have changes that are to be made good yet."""
        view = self._views.pop(grants, None) or Shown(grants, self.inventory.hosts)
        self._views[grants] = view
        self._make_room()
        return view

    def touch(self, host: str) -> None:
        """Take note that a host has changed."""
        for view in self._views.values():
            view.touch(host)

    def watch(self, view: Shown) -> None:
        """Keep a view, until it is left as often."""
        self.watched[view] = self.watched.get(view, 0) + 1

    def leave(self, view: Shown) -> None:
        """Take note that one who has watched a view doesn't any more."""
        self.watched[view] -= 1
        if not self.watched[view]:
            del self.watched[view]

    def _make_room(self) -> None:
        spare = [view for view in self._views.values() if view not in self.watched]
        size = sum(len(view.entries) for view in spare)
        while len(spare) > 1 and (len(spare) > MOST_VIEWS or size > MOST_ENTRIES):
            oldest = spare.pop(0)
            size -= len(oldest.entries)
            del self._views[oldest.grants]
