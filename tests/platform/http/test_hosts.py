"""hosts.py: the list of hosts, by pages and by what is searched for."""

import gzip
import json
from typing import Any

from streamrelay.protocol.summons import HostInfo, TargetInfo
from tests.platform.http.test_api import Case

LOG = TargetInfo("log/nginx", "log", "log")


class Listed(Case):
    """GET /v1/hosts of a fleet."""

    def setUp(self) -> None:
        super().setUp()
        self.platform.there = [
            HostInfo(
                f"web-{number}",
                (LOG, TargetInfo("log/db", "log", "log")),
                "1.2",
                state="down" if number == 4 else "silent" if number == 5 else "up",
                seen=1795471972.1234 if number in (4, 5) else None,
                labels={"site": "fra" if number % 2 else "ams"},
            )
            for number in range(1, 13)
        ]

    def hosts(self, query: str = "", **headers: str) -> dict[str, Any]:
        status, _, body = self.ask("GET", f"/v1/hosts{query}", **headers)
        self.assertEqual(status, 200, body)
        found: dict[str, Any] = json.loads(body)
        return found

    def names(self, query: str) -> list[int]:
        return [int(host["host"].removeprefix("web-")) for host in self.hosts(query)["hosts"]]

    def test_whole(self) -> None:
        """Without a query all that are up are listed in order, and it is told how many there are."""
        found = self.hosts()
        self.assertEqual([host["host"] for host in found["hosts"]], [f"web-{n}" for n in range(1, 13) if n != 4])
        about = {"complete": True, "up": 11, "down": 1, "found": 11, "next": None}
        self.assertEqual({name: value for name, value in found.items() if name != "hosts"}, about)
        looks = {"kind": "log", "viewer": "log", "view": False}
        self.assertEqual(
            found["hosts"][3],
            {
                **{"host": "web-5", "state": "silent", "seen": 1795471972.123, "version": "1.2"},
                **{"labels": {"site": "fra"}, "address": "", "complete": True},
                "targets": [{"name": "log/nginx", **looks}, {"name": "log/db", **looks}],
            },
        )

    def test_pages(self) -> None:
        """Page by page the whole list comes, whatever comes and goes meanwhile."""
        seen: list[str] = []
        after: str | None = ""
        while after is not None:
            found = self.hosts(f"?limit=3&state=all&after={after}")
            self.assertEqual(found["found"], 12 - ("web-2" in seen))
            seen += [host["host"] for host in found["hosts"]]
            after = found["next"]
            if len(seen) == 3:
                self.platform.there = []
                self.platform.inventory.forget("web-3")
        self.assertEqual(seen, [f"web-{number}" for number in range(1, 13)])
        self.assertEqual(self.hosts("?limit=12&state=all")["next"], None)

    def test_search(self) -> None:
        """What is searched for is found by name, target, label and state; several count together."""
        for query, names in (
            ("?state=down", [4]),
            ("?state=silent", [5]),
            ("?q=web-1", [1, 10, 11, 12]),
            ("?q=WEB-1+nginx", [1, 10, 11, 12]),
            ("?q=fra+web-1", [1, 11]),
            ("?label=site=fra&q=web-1", [1, 11]),
            ("?label=site=fra&label=site=ams", []),
            ("?label=site=", []),
            ("?q=nothing", []),
            ("?state=all&q=ams&limit=2&after=web-2", [4, 6]),
        ):
            self.assertEqual(self.names(query), names, query)
        [host] = self.hosts("?q=web-12+db")["hosts"]
        self.assertEqual([target["name"] for target in host["targets"]], ["log/db"])

    def test_wrong(self) -> None:
        """A query that isn't one is refused, with what is wrong."""
        for query in (
            "limit=0",
            "limit=2001",
            "limit=x",
            "limit",
            "state=gone",
            "label=site",
            "more=1",
            "q=" + "x" * 501,
        ):
            status, code = self.problem("GET", f"/v1/hosts?{query}")
            self.assertEqual((status, code), (400, "bad_request"), query)

    def test_known(self) -> None:
        """Who has a list already isn't sent it again, until it changes; another part of it is another list."""
        path = "/v1/hosts"
        tag = self.etag(path)
        self.assertEqual(self.ask("GET", path)[1]["cache-control"], "private, no-cache")
        self.assertEqual(self.ask("GET", path, If_None_Match=tag)[0], 304)
        self.assertEqual(self.ask("GET", f"{path}?limit=5", If_None_Match=tag)[0], 200)
        self.assertEqual(self.ask("GET", path, If_None_Match=tag, Accept_Encoding="gzip")[0], 200)
        self.platform.there = []
        self.platform.inventory.lost("web-1")
        self.assertEqual(self.ask("GET", path, If_None_Match=tag)[0], 200)
        tag = self.etag(path)
        self.platform.complete = False
        self.assertEqual(self.ask("GET", path, If_None_Match=tag)[0], 200)

    def bytes_of(self, path: str, *lines: str) -> tuple[list[str], bytes]:
        """The lines and the body of an answer."""
        more = "".join(f"{line}\r\n" for line in lines)
        head = f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {self.key}\r\n{more}\r\n"
        top, _, body = self.send(head.encode()).value().partition(b"\r\n\r\n")
        return top.decode("latin-1").split("\r\n"), body

    def etag(self, path: str) -> str:
        [line] = [line for line in self.bytes_of(path)[0] if line.lower().startswith("etag: ")]
        return line[6:]

    def test_compressed(self) -> None:
        """A long list is compressed for who takes that."""
        lines, body = self.bytes_of("/v1/hosts", "Accept-Encoding: gzip")
        self.assertIn("content-encoding: gzip", [line.lower() for line in lines])
        self.assertEqual(json.loads(gzip.decompress(body)), self.hosts())

    def test_unfinished(self) -> None:
        """While not all hosts are known the list says so."""
        self.platform.complete = False
        self.assertFalse(self.hosts()["complete"])
