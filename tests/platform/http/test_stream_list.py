"""stream_list.py: the list of streams, by pages and by what is searched for."""

import gzip
import json
from typing import Any

from streamrelay.platform.auth.grants import Grant, User
from streamrelay.platform.auth.key_file import add_key
from streamrelay.platform.live_streams import Listing
from streamrelay.protocol.summons import StreamInfo
from tests.fakes.platform import FakePlatform
from tests.platform.http.test_api import Case


def info(number: int, host: str = "", target: str = "log/app", user: str = "alice", **more: Any) -> StreamInfo:
    return StreamInfo(f"s{number:03}", host or f"web-{number}", target, user, 1.5, 20, 30, since=5.0, **more)


class ListCase(Case):
    """GET /v1/streams of hosts with streams, for somebody who may do everything."""

    def setUp(self) -> None:
        super().setUp()
        self.all = add_key(self.path, "root", [Grant("*", "*")])
        self.ring.files.refresh(force=True)
        self.listing: Listing[StreamInfo] = Listing([info(number) for number in (3, 1, 10, 2)])
        self.patch(FakePlatform, "streams", self.give)

    async def give(self, anew: bool = False) -> Listing[StreamInfo]:
        return self.listing

    def listed(self, query: str = "", key: str = "", **headers: str) -> dict[str, Any]:
        status, _, body = self.ask("GET", f"/v1/streams{query}", key=key or self.all, **headers)
        self.assertEqual(status, 200, body)
        found: dict[str, Any] = json.loads(body)
        return found

    def names(self, query: str = "", key: str = "") -> list[str]:
        return [f"{one['host']}:{one['stream']}" for one in self.listed(query, key)["streams"]]


class Listed(ListCase):
    """What is listed."""

    def test_whole(self) -> None:
        """Without a query all are listed, in the order of hosts, each with all that is told of it and whether the user
        may end it."""
        self.listing[0] = info(3, channels=2, waiting=True)
        found = self.listed()
        self.assertEqual(self.names(), ["web-1:s001", "web-2:s002", "web-3:s003", "web-10:s010"])
        about = {"complete": True, "missing": [], "missed": 0, "found": 4, "next": None}
        self.assertEqual({name: value for name, value in found.items() if name != "streams"}, about)
        one = {"target": "log/app", "user": "alice", "seconds": 1.5, "up": 20, "down": 30, "since": 5.0, "end": True}
        self.assertEqual(found["streams"][0], {"stream": "s001", "host": "web-1", "waiting": False, **one})
        self.assertEqual((found["streams"][2]["channels"], found["streams"][2]["waiting"]), (2, True))

    def test_granted(self) -> None:
        """Others' streams aren't listed, nor counted; who may only look at one is told so."""
        self.listing += [info(4, "db", "shell"), info(5, "web-5", "shell")]
        looks = add_key(self.path, "looks", [Grant("web-*", "log/*", view=True), Grant("db", "shell")])
        self.ring.files.refresh(force=True)
        found = self.listed(key=looks)
        rows = [(one["host"], one["end"]) for one in found["streams"]]
        self.assertEqual(rows, [("db", True), *((f"web-{n}", False) for n in (1, 2, 3, 10))])
        self.assertEqual(found["found"], 5)

    def test_pages(self) -> None:
        """Page by page the whole list comes, whatever comes and goes meanwhile, and none twice."""
        self.listing = Listing([info(number, f"web-{number // 3}", f"log/{number % 2}") for number in range(30)])
        seen: list[str] = []
        after: str | None = ""
        while after is not None:
            found = self.listed(f"?limit=4&after={after}")
            seen += [one["stream"] for one in found["streams"]]
            after = found["next"]
            gone = [one for one in self.listing if one.stream != seen[-1]]
            self.listing = Listing([*gone, info(100 + len(seen), "a-first")])
        self.assertEqual(sorted(seen), [f"s{number:03}" for number in range(30)])
        self.assertEqual(self.listed("?limit=1000")["next"], None)

    def test_search(self) -> None:
        """Words and globs are looked for; what fits is counted."""
        self.listing += [info(20, "db-1", "shell", "Bob"), info(21, "db-1", "log/app", "carol")]
        for query, numbers in (
            ("?q=BOB", [20]),
            ("?q=db-1+shell", [20]),
            ("?q=s021", [21]),
            ("?q=log+db", [21]),
            ("?host=db-*", [21, 20]),
            ("?host=db-*&target=log/*", [21]),
            ("?user=B*", [20]),
            ("?user=b*", []),
            ("?host=web-1", [1]),
            ("?q=nothing", []),
        ):
            found = self.listed(query)
            self.assertEqual([one["stream"] for one in found["streams"]], [f"s{n:03}" for n in numbers], query)
            self.assertEqual(found["found"], len(numbers))

    def test_wrong(self) -> None:
        """A query that is wrong is refused, rather than taken for another one."""
        for query in ("?limit=0", "?limit=2001", "?limit=x", "?limit", "?hosts=web-1", "?q=" + "x" * 501, "?state=up"):
            self.assertEqual(self.problem("GET", f"/v1/streams{query}", key=self.all), (400, "bad_request"), query)

    def test_missing(self) -> None:
        """Hosts that haven't answered are named to who may open something there, 100 of them, and counted; to who may
        not the list is whole."""
        self.listing.complete, self.listing.missing = False, frozenset(f"web-{n}" for n in range(150))
        found = self.listed()
        self.assertEqual((found["complete"], found["missed"], len(found["missing"])), (False, 150, 100))
        self.assertEqual(found["missing"][:3], ["web-0", "web-1", "web-2"])
        other = add_key(self.path, "db", [Grant("db", "*")])
        self.ring.files.refresh(force=True)
        found = self.listed(key=other)
        self.assertEqual((found["complete"], found["missed"], found["missing"]), (True, 0, []))
        self.listing = Listing(self.listing)
        self.listing.complete, self.listing.cut = False, True
        found = self.listed(key=other)
        self.assertEqual((found["complete"], found["missed"], found["missing"]), (False, 0, []))

    def test_changes(self) -> None:
        """What was opened and ended since the hosts' answer stands in its place, for who may see it alone."""
        told = self.listing
        self.listed()
        changed = Listing([*(one for one in told if one.stream != "s002"), info(5), info(6, "db")])
        changed.told, changed.more, changed.gone = told, [info(5), info(6, "db")], {("web-2", "s002")}
        self.listing = changed
        self.assertEqual(self.names(), ["db:s006", "web-1:s001", "web-3:s003", "web-5:s005", "web-10:s010"])
        self.assertEqual(self.names(key=self.key), ["web-1:s001", "web-3:s003", "web-5:s005", "web-10:s010"])
        self.listing = told
        self.assertEqual(len(self.names()), 4)


class Sent(ListCase):
    """How it is sent."""

    def tag(self, query: str = "", key: str = "", **headers: str) -> tuple[int, str]:
        status, told, _ = self.ask("GET", f"/v1/streams{query}", key=key or self.all, **headers)
        return status, told["etag"].replace("w/", "W/")

    def test_etag(self) -> None:
        """Who has the answer isn't sent it again, until it is another: another list, another query, others' grants."""
        _, first = self.tag()
        self.assertEqual(self.tag(If_None_Match=first), (304, first))
        self.assertEqual(self.tag("?q=web", If_None_Match=first)[0], 200)
        self.assertEqual(self.tag(key=self.key, If_None_Match=first)[0], 200)
        self.listing = Listing(self.listing)
        self.assertEqual(self.tag(If_None_Match=first)[0], 200)
        status, headers, body = self.ask("GET", "/v1/streams?q=web-1", key=self.all)
        self.assertEqual((status, headers["cache-control"]), (200, "private, no-cache"))
        self.assertEqual(len(json.loads(body)["streams"]), 2)

    def test_gzip(self) -> None:
        """It is compressed for who takes that."""
        self.listing = Listing([info(number) for number in range(100)])
        status, headers, body = self.ask("GET", "/v1/streams", key=self.all, Accept_Encoding="gzip")
        self.assertEqual((status, headers["content-encoding"]), (200, "gzip"))
        self.assertEqual(len(json.loads(gzip.decompress(body.encode("latin-1")))["streams"]), 100)

    def test_views(self) -> None:
        """What is worked out for each set of grants is bounded, and is of one answer alone."""
        lists = self.root.stream_lists
        for number in range(120):
            lists._rows(self.user(number), self.listing)
        self.assertLess(len(lists._views), 110)
        self.listing = Listing(self.listing)
        lists._rows(self.user(0), self.listing)
        self.assertEqual(len(lists._views), 1)

    def user(self, number: int) -> User:
        return User("u", (Grant(f"web-{number}", "*"),))


class Ended(ListCase):
    """DELETE /v1/streams/<id>, by the list."""

    def test_known(self) -> None:
        """A stream that is listed is ended without a further question; for one that isn't all hosts are asked anew."""
        asked: list[bool] = []

        async def give(_: object, anew: bool = False) -> Listing[StreamInfo]:
            asked.append(anew)
            return Listing([*self.listing, info(99)]) if anew else self.listing

        self.patch(FakePlatform, "streams", give)
        self.assertEqual(self.ask("DELETE", "/v1/streams/s001", key=self.all)[0], 204)
        self.assertEqual(asked, [False])
        self.assertEqual(self.ask("DELETE", "/v1/streams/s099", key=self.all)[0], 204)
        self.assertEqual(asked, [False, False, True])
        self.assertEqual(self.platform.ended, [("web-1", "s001"), ("web-99", "s099")])
