"""shown.py and views.py: what a user sees of the fleet."""

import json
from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.platform.auth.grants import Grant
from streamrelay.platform.fleet import views
from streamrelay.platform.fleet.inventory import Inventory
from streamrelay.platform.fleet.shown import Shown, place
from streamrelay.platform.fleet.views import Views
from streamrelay.protocol.summons import HostAnswer, TargetInfo

ALL = (Grant(),)


def has(*names: str, **labels: str) -> HostAnswer:
    """What a host tells that has these targets and labels."""
    targets = tuple(TargetInfo(name, "log", "log") for name in names)
    return HostAnswer(targets, "1", "vm", labels=labels, address="10.0.0.7")


class Case(SynchronousTestCase):
    """An inventory, and views of it."""

    def setUp(self) -> None:
        self.inventory = Inventory(lambda: 1000.0)
        self.views = Views(self.inventory)
        self.inventory.changed.append(self.views.touch)

    def names(self, view: Shown) -> list[str]:
        return [entry.host for entry in view.in_order()]

    def view(self, *grants: Grant) -> Shown:
        view = self.views.of(grants)
        view.refresh()
        return view


class Seen(Case):
    """Which hosts, and what of them."""

    def test_order(self) -> None:
        """Hosts stand as people count: web-2 before web-10, whatever the case and leading zeros."""
        order = ["9", "10", "a", "db-1", "web-1", "web-02", "web-3", "Web-4", "web-4", "web-10", "web-10.eu", "webx"]
        self.assertEqual(sorted(order, key=place), order)
        for name in reversed(order):
            self.inventory.told(name, has("log"))
        self.assertEqual(self.names(self.view(*ALL)), order)

    def test_grants(self) -> None:
        """Of each host those targets are seen that are granted; a host without any isn't, be it up or down."""
        for name in ("web-1", "web-2", "db"):
            self.inventory.told(name, has("log", "ssh"))
        self.inventory.lost("web-2")
        self.inventory.lost("db")
        view = self.view(Grant("web-*", "log"))
        self.assertEqual(self.names(view), ["web-1", "web-2"])
        [one, two] = view.in_order()
        self.assertEqual([target["name"] for target in one.shown["targets"]], ["log"])
        self.assertEqual((json.loads(two.json)["state"], view.down, len(view.entries)), ("down", 1, 2))

    def test_address(self) -> None:
        """Only who may open every target of a host is told its address."""
        self.inventory.told("a", has("log"))
        for grant, told in (
            (Grant(), "10.0.0.7"),
            (Grant("a", "*"), "10.0.0.7"),
            (Grant("*", "log"), ""),
            (Grant("*", "*", view=True), ""),
        ):
            [entry] = self.view(grant).in_order()
            self.assertEqual(entry.shown["address"], told, grant)

    def test_looks(self) -> None:
        """Who may only look sees of a host what can be looked at, and that it is for looks."""
        self.inventory.told("a", HostAnswer((TargetInfo("log", "log", "log"), TargetInfo("ssh", "tcp")), "1", "vm"))
        [entry] = self.view(Grant(view=True)).in_order()
        self.assertEqual([(target["name"], target["view"]) for target in entry.shown["targets"]], [("log", True)])

    def test_keep(self) -> None:
        """Of a target whose terminals are kept it is told for how long; of others nothing is said of that."""
        kept = TargetInfo("tmux", "pty", "terminal", keep=3600)
        self.inventory.told("a", HostAnswer((TargetInfo("log", "log", "log"), kept), "1", "vm"))
        [entry] = self.view(*ALL).in_order()
        self.assertEqual([target.get("keep", "none") for target in entry.shown["targets"]], ["none", 3600])

    def test_words(self) -> None:
        """A host is found whole by words of its name and labels; else with those of its targets that have them all."""
        self.inventory.told("web-1", has("log/nginx", "log/ssh", site="fra"))
        [entry] = self.view(*ALL).in_order()

        def found(text: str) -> list[str] | None:
            fit = entry.fit(text.split())
            return None if fit is None else [one["name"] for one in json.loads(entry.json_of(fit))["targets"]]

        both = ["log/nginx", "log/ssh"]
        for text, targets in (
            *((text, both) for text in ("", "web", "site=fra", "fra web-1", "log web", "log")),
            *(("ssh", ["log/ssh"]), ("web nginx", ["log/nginx"]), ("nginx ssh", None), ("db", None), ("fra ssh", None)),
        ):
            self.assertEqual(found(text), targets, text)


class Changes(Case):
    """What becomes of a view when hosts change."""

    def setUp(self) -> None:
        super().setUp()
        for number in range(20):
            self.inventory.told(f"web-{number}", has("log"))
        self.seen = self.view(Grant("web-*", "log"))
        self.seen.news()

    def renewed(self) -> tuple[set[str], int]:
        before = self.seen.revision
        return self.seen.news(), self.seen.revision - before

    def test_seen(self) -> None:
        """A change that is seen is news, and another revision; one that isn't, isn't."""
        self.inventory.told("web-3", has("log", "ssh"))
        self.assertEqual(self.renewed(), (set(), 0))
        self.inventory.lost("web-3")
        self.inventory.told("db", has("log"))
        self.inventory.told("web-20", has("log"))
        self.assertEqual(self.renewed(), ({"web-3", "web-20"}, 1))
        self.assertEqual((self.seen.down, self.names(self.seen)[-1]), (1, "web-20"))
        self.inventory.told("web-3", has("ssh"))
        self.inventory.forget("web-5")
        self.assertEqual(self.renewed(), ({"web-3", "web-5"}, 1))
        self.assertEqual((self.seen.down, len(self.seen.entries), len(self.names(self.seen))), (0, 19, 19))

    def test_back(self) -> None:
        """What has changed and is as it was, before anybody looked, is no news."""
        self.inventory.lost("web-3")
        self.inventory.told("web-3", has("log"))
        self.assertEqual(self.renewed(), (set(), 0))

    def test_as_if_new(self) -> None:
        """A view that was mended again and again is as one that is made anew."""
        works = (self.inventory.lost, self.inventory.forget, lambda name: self.inventory.told(name, has("log")))
        for step in range(200):
            works[step % 3](f"web-{step * 7 % 30}")
            if step % 5 == 0:
                self.seen.refresh()
        self.seen.refresh()
        new = Shown(self.seen.grants, self.inventory.hosts)
        self.assertEqual((self.seen.entries, self.seen.down), (new.entries, new.down))
        self.assertEqual(self.names(self.seen), self.names(new))


class Kept(Case):
    """Views of many users."""

    def grants(self) -> Iterable[Grant]:
        return (Grant(f"host-{number}") for number in range(10))

    def test_shared(self) -> None:
        """Users of the same grants share a view."""
        self.assertIs(self.view(Grant("a")), self.view(Grant("a")))

    def test_room(self) -> None:
        """The longest unused are dropped over the most, but none that is watched; what was dropped is made anew."""
        self.patch(views, "MOST_VIEWS", 3)
        first, *others = self.grants()
        watched = self.view(first)
        self.views.watch(watched)
        for grant in others:
            self.view(grant)
        self.assertEqual(len(self.views._views), 4)
        self.assertIs(self.view(first), watched)
        self.inventory.told("host-0", has("log"))
        self.assertEqual(watched.news(), {"host-0"})
        self.views.leave(watched)
        for grant in others:
            self.view(grant)
        self.assertEqual((len(self.views._views), self.names(self.view(first))), (3, ["host-0"]))

    def test_entries(self) -> None:
        """Few views are kept of many hosts."""
        self.patch(views, "MOST_ENTRIES", 10)
        for number in range(6):
            self.inventory.told(f"host-{number}", has("log"))
        for text in ("*", "*-*", "host-*", "h*"):
            self.view(Grant(text))
        self.assertEqual([view.grants[0].host for view in self.views._views.values()], ["h*"])
