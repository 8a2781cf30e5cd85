"""etc/haproxy-many.cfg: two relays and two platforms behind one port of HAProxy, on a bus with its own users."""

import signal
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from tests.live.bus.secured_bus import LockedChain
from tests.live.relay.by_relays import ByRelays
from tests.live.support.chain import HOST
from tests.live.support.ports import answers, free_port
from tests.live.support.processes import Program, need_program, twistd
from tests.live.support.waiting import until

SAMPLE = Path(__file__).resolve().parents[3] / "etc/haproxy-many.cfg"
RELAYS = ("r1", "r2")
PLATFORMS = ("platform1", "platform2")
PLATFORM = """\
relays = ["PUBLIC/r1", "PUBLIC/r2"]
proxies = ["127.0.0.1"]
nats = ["{scheme}://localhost:{port}"]
nats_nkey = "{folder}/platform.nkey"
key = "{folder}/platform.key"
keys = "{folder}/keys.toml"
ca = "{folder}/ca.pem"
"""


class SeveralChain(LockedChain):
    """A chain whose relays and platforms are reached through HAProxy alone: `platform_port` is its port."""

    enrolled = (HOST,)
    platforms: dict[str, Program]
    relays: dict[str, Program]

    @property
    def public(self) -> str:
        return f"ws://127.0.0.1:{self.platform_port}"

    @property
    def settings(self) -> str:  # type: ignore[override]
        return PLATFORM.replace("PUBLIC", self.public)

    def write_files(self) -> None:
        super().write_files()
        self.ports = {name: free_port() for name in (*RELAYS, *PLATFORMS)}
        self.relays, self.platforms = {}, {}
        for relay in RELAYS:
            self.enrol_relay(relay, f"{self.public}/{relay}")
        text = SAMPLE.read_text()
        for old, new in (
            ("bind :443 ssl crt /etc/streamrelay/haproxy/ alpn http/1.1", f"bind 127.0.0.1:{self.platform_port}"),
            ("maxconn 50000", "maxconn 200\n    nbthread 1"),  # few descriptors; one after the other
            ("timeout connect 2s", "timeout connect 2s\n    timeout check 20s"),  # who is late isn't down
            ("127.0.0.1:8781", f"127.0.0.1:{self.ports['r1']}"),
            ("127.0.0.1:8782", f"127.0.0.1:{self.ports['r2']}"),
            ("127.0.0.1:8801", f"127.0.0.1:{self.ports['platform1']}"),
            ("127.0.0.1:8802", f"127.0.0.1:{self.ports['platform2']}"),
        ):
            if old not in text:
                raise AssertionError(f"{SAMPLE}: {old} is missing")
            text = text.replace(old, new)
        (self.folder / "haproxy.cfg").write_text(text)

    def start_relay(self) -> None:
        for relay in RELAYS:
            self.start_one(relay)
        self.relay = self.relays["r1"]

    def start_one(self, relay: str) -> None:
        self.relays[relay] = self.add(
            *(relay, *twistd(), "streamrelay", f"--config={self.folder}/relays/{relay}/relay.toml"),
            f"--listen=tcp:{self.ports[relay]}:interface=127.0.0.1",
            *("--proxy=127.0.0.1", "--proxy-protocol", "--drain=30"),
        )

    def start_platform(self) -> None:
        for name in PLATFORMS:
            listen = f"--listen=tcp:{self.ports[name]}:interface=127.0.0.1"
            self.platforms[name] = self.add(
                *(name, *twistd(), "streamplatform", f"--config={self.folder}/platform.toml", listen)
            )
        self.platform = self.platforms["platform1"]

    def wait(self) -> None:
        for port in self.ports.values():
            until(lambda port=port: answers(port), what="a program")
        for program in self.platforms.values():
            program.wait_for("connected to NATS")
        self.haproxy = self.add("haproxy", need_program("haproxy"), "-db", "-f", str(self.folder / "haproxy.cfg"))
        until(lambda: HOST in self.hosts(), what="the agent, through HAProxy")
        until(lambda: {self.opened_by() for _ in range(4)} == set(RELAYS), what="streams by both relays")

    def opened_by(self) -> str:
        """The relay by which a stream is opened, to a target that is none; empty if it isn't."""
        answer = self.ask("POST", "/v1/streams", {"host": HOST, "target": f"port/{self.nats_port}"})
        return self.relay_of(answer.json["url"]) if answer.status == 201 else ""

    def relay_of(self, url: str) -> str:
        return next(relay for relay in RELAYS if url.startswith(f"{self.public}/{relay}/client/"))


class Case(ByRelays):
    """Two relays and two platforms behind HAProxy, and an agent."""

    own: SeveralChain

    def setUp(self) -> None:
        super().setUp()
        need_program("haproxy")
        self.own = self.start_chain(SeveralChain(self.folder))


class Relays(Case):
    """Relays that one public port leads to, by paths."""

    def test_stopped(self) -> None:
        """Streams go by both relays. One that is told to stop is taken out by its health check and picked no more,
        while all streams go on, its own, too; once it is back it is picked again."""
        streams = {relay: self.stream_by(relay) for relay in RELAYS}
        for stream in streams.values():
            self.carries(*stream)
        self.own.relays["r1"].process.send_signal(signal.SIGTERM)
        self.own.haproxy.wait_for("Server r1/r1 is DOWN")
        until(lambda: {self.own.opened_by() for _ in range(6)} == {"r2"}, what="streams by the other relay alone")
        for stream in streams.values():
            self.carries(*stream)
        streams["r1"][0].close()
        self.own.relays["r1"].stop()
        self.own.start_one("r1")
        self.own.haproxy.wait_for("Server r1/r1 is UP")
        until(lambda: self.own.opened_by() == "r1", what="streams by the relay that is back")
        self.carries(*streams["r2"])
        self.assertNotIn("Traceback", "".join(program.log for program in self.own.programs))


class Platforms(Case):
    """Platforms with the same key and the same users' keys."""

    def page(self) -> dict[str, str]:
        """Headers of the page of somebody who has signed in at one of the platforms."""
        answer = self.own.ask("POST", "/v1/session", {"key": self.own.key}, None)
        self.assertEqual(answer.status, 201, answer.text)
        [(name, cookie)] = SimpleCookie(answer.headers["Set-Cookie"]).items()
        return {"Cookie": f"{name}={cookie.value}", "X-CSRF-Token": answer.json["csrf"]}

    def lists(self, page: dict[str, str]) -> Any:
        """What one of the platforms lists, without what changes in time."""
        told = []
        for path in ("/v1/hosts", "/v1/streams", "/v1/relays"):
            answer = self.own.ask("GET", path, None, None, page)
            self.assertEqual(answer.status, 200, answer.text)
            told.append(answer.json)
        hosts, streams, relays = told
        return (
            [(host["host"], host["targets"]) for host in hosts["hosts"]],
            sorted(stream["stream"] for stream in streams["streams"]),
            sorted(relay["relay"] for relay in relays["relays"]),
        )

    def opens(self, page: dict[str, str]) -> int:
        wanted = {"host": HOST, "target": f"port/{self.own.nats_port}"}
        return self.own.ask("POST", "/v1/streams", wanted, None, page).status

    def test_killed(self) -> None:
        """Who has signed in at a platform is known at both, which list the same. When the one of the sign-in is killed
        the page's session goes on at the other, as do streams; signing out there ends it."""
        leg, target = self.stream_by("r1")
        page = self.page()
        [where] = [name for name, program in self.own.platforms.items() if "alice signed in" in program.log]
        until(lambda: self.lists(page) == self.lists(page) == self.lists(page), what="the same lists of both")
        self.assertEqual([self.opens(page) for _ in range(4)], [201] * 4)
        self.own.platforms[where].kill()
        for _ in range(4):
            self.lists(page)
            self.assertEqual(self.opens(page), 201)
        self.carries(leg, target)
        forged = {**page, "X-CSRF-Token": "0" * 64}
        self.assertEqual(self.opens(forged), 403)
        self.assertEqual(self.own.ask("DELETE", "/v1/session", None, None, page).status, 204)
        self.assertEqual(self.own.ask("GET", "/v1/hosts", None, None, page).status, 401)
