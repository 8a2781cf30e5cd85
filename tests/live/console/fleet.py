"""A platform of as many hosts, streams and relays as a test wants, which only lists them (protocol.rst): GET /v1/hosts
and its changes, /v1/hosts/HOST/terminals and /v1/streams with their ends, /v1/relays with their drain."""

import gzip
import json
import queue
import re
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import cache
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from streamrelay.platform.http.assets import TEXTS, policy_for
from tests.live.support.browser import WEB
from tests.live.support.waiting import WAIT

GATHERED = 0.2
"""Seconds for which changes are gathered."""
BEAT = 1.0
"""Seconds from one comment line to the next, by which a client that has gone is noticed."""
TARGETS = [
    {"name": name, "kind": kind, "viewer": viewer, "view": False}
    for name, kind, viewer in (
        ("app/log", "log", "log"),
        ("console", "qemu", "vnc"),
        ("journal", "journal", "log"),
        ("logs/{name}", "log", "log"),
        ("shell", "pty", "terminal"),
    )
]
Entry = dict[str, Any]


@cache
def natural(name: str) -> list[Any]:
    """The platform's order of hosts: web-2 before web-10."""
    return [*(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name.lower())), name]


def entry(host: str, state: str = "up", seen: float | None = None, **more: Any) -> Entry:
    whole: Entry = {"host": host, "state": state, "seen": seen, "version": "1.2.3", "labels": {}, "address": ""}
    return {**whole, "targets": TARGETS, "complete": True, **more}


def many(count: int, down: int = 0) -> list[Entry]:
    """So many hosts on three sites, of which so many are down."""
    sites = ("fra", "ams", "lon")
    every = count // down if down else count + 1
    return [
        entry(
            f"web-{number}",
            "down" if number % every == 0 else "up",
            time.time() - 60 * number if number % every == 0 else None,
            labels={"site": sites[number % 3], "rack": f"r{number // 40}"},
        )
        for number in range(1, count + 1)
    ]


def stream(number: int, **more: Any) -> Entry:
    """A stream that is listed."""
    user, target = ("alice", "bob", "carol")[number % 3], ("shell", "app/log", "console", "db")[number % 4]
    about = {"stream": f"s{number:021}", "host": f"web-{number // 3 + 1}", "target": target, "user": user}
    counts = {"seconds": 60.0 * number + 5, "up": 120 * number, "down": 4711 * number, "waiting": False}
    return {**about, **counts, "since": time.time() - 60 * number, "end": True, **more}


def terminal(number: int, **more: Any) -> Entry:
    """A kept terminal that is listed."""
    about = {"terminal": f"t{number:021}", "host": "web-1", "target": "shell", "user": "alice", "size": [120, 40]}
    return {**about, "seconds": 3600.0 * number, "people": [], "view": False, "end": True, **more}


def relay(name: str, **more: Any) -> Entry:
    """A relay that is listed."""
    about = {"relay": name, "url": f"wss://{name}.relay.example", "zone": name.partition("-")[0], "state": "ready"}
    return {**about, "load": 0.12, "streams": 42, "version": "1.2.3", "drained": False, "drain": True, **more}


@cache
def compressed(place: Path) -> bytes:
    return gzip.compress(place.read_bytes(), 1)


class FleetPlatform:
    """The page, a session that any key begins in the name that stands behind its `srk_`, and the hosts."""

    def __init__(self, hosts: Iterable[Entry] = (), port: int = 0) -> None:
        self.hosts = {one["host"]: one for one in hosts}
        self.complete = True
        self.old = False
        """Whether it is one that has neither pages nor changes."""
        self.refuses: Entry | None = None
        """A problem by which all questions for hosts are answered."""
        self.turns: threading.Semaphore | None = None
        """If it is one, each page waits for a turn of it."""
        self.asked: list[str] = []
        """Paths and queries of all questions for hosts."""
        self.streams: dict[str, Entry] = {}
        self.whole: Entry = {"complete": True, "missing": [], "missed": 0}
        """What is said of the list of streams."""
        self.terminals: list[Entry] = []
        self.hang_up: set[str] = set()
        """Hosts that don't answer when they are asked for their terminals."""
        self.opened: list[Entry] = []
        """Streams that were asked for, none of which is given."""
        self.relays: dict[str, Entry] | None = None
        """None: nobody is told of any."""
        self.done: list[str] = []
        """Ends and drains that were asked for: method and path."""
        self.refuses_done: Entry | None = None
        """A problem by which these are answered."""
        self.listeners: list[queue.Queue[tuple[str, Any]]] = []
        self._lock = threading.Lock()
        answering = type("Answering", (_Answering,), {"platform": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), answering)
        self._server.daemon_threads = True
        self.console = f"http://127.0.0.1:{self._server.server_port}"
        self.key = "srk_alice"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def hold(self) -> None:
        """Give no page from now on, but those that are `let`: what a page has until then stays for whoever looks."""
        self.turns = threading.Semaphore(0)

    def let(self, pages: int) -> None:
        """Give so many pages more."""
        assert self.turns is not None
        self.turns.release(pages)

    def let_all(self) -> None:
        """Give all pages from now on."""
        held, self.turns = self.turns, None
        if held is not None:
            held.release(1000)

    def take_turn(self) -> None:
        if (turns := self.turns) is not None:
            turns.acquire(timeout=WAIT)

    def stop(self) -> None:
        self.let_all()
        self.tell("end", None)
        self._server.shutdown()
        self._server.server_close()

    def change(self, *hosts: Entry, gone: Iterable[str] = ()) -> None:
        """Have hosts be so from now on, and tell that."""
        with self._lock:
            self.hosts |= {one["host"]: one for one in hosts}
            for host in gone:
                self.hosts.pop(host, None)
        self.tell("change", {"hosts": list(hosts), "gone": list(gone)})

    def tell(self, event: str, told: Any) -> None:
        for listener in list(self.listeners):
            listener.put((event, told))

    def numbers(self) -> Entry:
        down = sum(one["state"] == "down" for one in self.hosts.values())
        return {"up": len(self.hosts) - down, "down": down, "complete": self.complete}

    def page(self, query: dict[str, list[str]]) -> Entry:
        """The answer of GET /v1/hosts."""
        with self._lock:
            if self.old:
                up = [one for one in self.hosts.values() if one["state"] == "up"]
                keys = ("host", "targets", "version", "complete")
                return {"hosts": [{key: one[key] for key in keys} for one in up], "complete": self.complete}
            names = sorted(self.hosts, key=natural)
            after = query.get("after", [""])[0]
            rest = names[bisect_right(names, natural(after), key=natural) :] if after else names
            limit = int(query.get("limit", [str(len(rest))])[0])
            hosts = [self.hosts[name] for name in rest[:limit]]
            following = rest[limit - 1] if len(rest) > limit else None
            return {"hosts": hosts, "found": len(names), "next": following, **self.numbers()}

    def stream_page(self, query: dict[str, list[str]]) -> Entry:
        """The answer of GET /v1/streams."""
        names = sorted(self.streams, key=lambda name: (natural(self.streams[name]["host"]), name))
        after = query.get("after", [""])[0]
        rest = names[names.index(after) + 1 :] if after in names else names
        limit = int(query.get("limit", [str(len(rest))])[0])
        following = rest[limit - 1] if len(rest) > limit else None
        about = {"found": len(names), "next": following, **self.whole}
        return {"streams": [self.streams[name] for name in rest[:limit]], **about}

    def act(self, method: str, path: str) -> Entry | None:
        """Do what is asked; the body of the answer, if it has one."""
        self.done.append(f"{method} {path}")
        name = path.split("/")[3]
        if path.startswith("/v1/hosts/"):
            self.terminals = [one for one in self.terminals if not path.endswith(one["terminal"])]
            return None
        if path.startswith("/v1/streams/"):
            self.streams.pop(name, None)
            return None
        assert self.relays is not None
        drained = method == "POST"
        state = "draining" if drained else "ready"
        self.relays[name] = {**self.relays[name], "state": state, "drained": drained}
        return self.relays[name]


def gathered(listener: "queue.Queue[tuple[str, Any]]") -> tuple[str, Any]:
    """The next event for one client; changes of a moment are one."""
    try:
        event, told = listener.get(timeout=BEAT)
    except queue.Empty:
        return "", None
    if event != "change":
        return event, told
    time.sleep(GATHERED)
    hosts, gone = {one["host"]: one for one in told["hosts"]}, dict.fromkeys(told["gone"])
    while not listener.empty() and listener.queue[0][0] == "change":
        _, more = listener.get()
        for one in more["hosts"]:
            gone.pop(one["host"], None)
        hosts |= {one["host"]: one for one in more["hosts"]}
        for host in more["gone"]:
            hosts.pop(host, None)
            gone[host] = None
    return event, {"hosts": list(hosts.values()), "gone": list(gone)}


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    platform: FleetPlatform

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        paths: dict[str, Callable[[], None]] = {
            "/v1/session": self._session,
            "/v1/hosts": lambda: self._hosts(parse_qs(parts.query)),
            "/v1/hosts/changes": self._changes,
            "/v1/streams": lambda: self._streams(parse_qs(parts.query)),
            "/v1/relays": self._relays,
        }
        if parts.path.endswith("/terminals"):
            self._terminals(parts.path.split("/")[3])
        else:
            paths.get(parts.path, lambda: self._file(parts.path))()

    def do_POST(self) -> None:
        if self.path.startswith("/v1/relays/"):
            self._act("POST")
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/v1/session":
            name = body["key"].removeprefix("srk_")
            self._send(
                201, {"user": name, "csrf": "csrf", "version": "1.2.3"}, {"Set-Cookie": f"user={name}; HttpOnly"}
            )
        else:
            self.platform.opened.append(body)
            problem = {"status": 503, "code": "host_offline", "detail": f"host {body['host']} is offline"}
            self._send(503, problem, {"Retry-After": "600"})

    def do_DELETE(self) -> None:
        if self.path != "/v1/session":
            self._act("DELETE")
            return
        self._send(200, {}, {"Set-Cookie": "user=; Max-Age=0"})

    def _streams(self, query: dict[str, list[str]]) -> None:
        if not self._refused():
            self.platform.take_turn()
            self._send(200, self.platform.stream_page(query))

    def _terminals(self, host: str) -> None:
        self.platform.asked.append(self.path)
        if host in self.platform.hang_up:
            self._send(504, {"status": 504, "code": "no_answer", "detail": f"host {host} did not answer"})
        elif not self._refused():
            self._send(200, {"terminals": [one for one in self.platform.terminals if one["host"] == host]})

    def _relays(self) -> None:
        if self._refused():
            return
        relays = self.platform.relays
        if relays is None:
            self._send(403, {"status": 403, "code": "not_granted", "detail": "no"})
        else:
            self._send(200, {"relays": [relays[name] for name in sorted(relays)]})

    def _act(self, method: str) -> None:
        problem = self.platform.refuses_done
        if self.headers.get("X-CSRF-Token") != "csrf":
            problem = {"status": 403, "code": "csrf", "detail": "no token"}
        if problem:
            self._send(problem["status"], problem)
            return
        told = self.platform.act(method, self.path)
        if told is None:
            self._raw(204, b"", {})
        else:
            self._send(200, told)

    def _user(self) -> str:
        return str((re.findall(r"user=(\w+)", self.headers.get("Cookie", "")) or [""])[0])

    def _session(self) -> None:
        name = self._user()
        self._send(200, {"user": name or None, "csrf": "csrf", "version": "1.2.3"})

    def _refused(self) -> bool:
        self.platform.asked.append(self.path)
        problem = self.platform.refuses
        if not self._user():
            problem = {"status": 401, "code": "no_key", "detail": "no session"}
        if problem:
            self._send(problem["status"], problem)
        return problem is not None

    def _hosts(self, query: dict[str, list[str]]) -> None:
        if self._refused():
            return
        self.platform.take_turn()
        body = msgspec.json.encode(self.platform.page(query))
        tag = f'W/"{sha256(body).hexdigest()[:16]}"'
        if self.headers.get("If-None-Match") == tag:
            self._raw(304, b"", {"ETag": tag})
        else:
            zipped = {"Content-Type": "application/json", "Content-Encoding": "gzip", "ETag": tag}
            self._raw(200, gzip.compress(body, 1), {"Cache-Control": "no-cache", **zipped})

    def _changes(self) -> None:
        if self.platform.old:
            self._send(404, {"status": 404, "detail": "no such path"})
        if self.platform.old or self._refused():
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        listener: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.platform.listeners.append(listener)
        event: str = "begin"
        told: Entry = {}
        try:
            while event != "end":
                numbers = self.platform.numbers() if event in ("begin", "change") else {}
                text = f"event: {event}\ndata: {json.dumps({**told, **numbers})}\n\n" if event else ": \n\n"
                self.wfile.write(text.encode())
                event, told = gathered(listener)
        except OSError:
            pass  # the page has gone
        finally:
            self.platform.listeners.remove(listener)

    def _file(self, path: str) -> None:
        place = WEB / (path.removeprefix("/") or "console.html")
        if not place.is_file() or WEB not in place.resolve().parents:
            self._raw(404, b"", {})
            return
        policy = policy_for("ws://127.0.0.1:1")
        headers = {"Content-Type": TEXTS[place.suffix], "Content-Security-Policy": policy, "Content-Encoding": "gzip"}
        self._raw(200, compressed(place), headers)

    def _send(self, status: int, body: Entry, headers: dict[str, str] | None = None) -> None:
        kind = {"Content-Type": "application/json", "Cache-Control": "no-store"}
        self._raw(status, json.dumps(body).encode(), {**kind, **(headers or {})})

    def _raw(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...
