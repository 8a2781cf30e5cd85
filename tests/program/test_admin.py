"""The admin listener: where it may be, what it answers and to whom, and the metrics of each program by their names."""

import sys
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from streamrelay.agent import tap as agent_tap
from streamrelay.platform import tap as platform_tap
from streamrelay.program.admin_site import MOST, TIME, AdminSite
from streamrelay.program.validation import check_admin
from streamrelay.relay import tap as relay_tap
from tests.fakes.channels import FakeTransport
from tests.program.test_options import Case

PORT = "tcp:9464:interface=127.0.0.1"
GOLDEN = Path(__file__).with_name("metrics.txt")
"""Lines of name, kind, labels and programs: what dashboards and alerts of others rely on. A name stays."""


def shape(text: str) -> dict[str, tuple[str, str]]:
    """The names of an exposition's metrics, each with its kind and its labels; no kind is unknown."""
    found = {}
    for metric in text_string_to_metric_families(text):
        labels = sorted({label for sample in metric.samples for label in sample.labels} - {"le"})
        found[metric.name + ("_total" if metric.type == "counter" else "")] = (metric.type, ",".join(labels) or "-")
    return found


def golden() -> dict[str, tuple[str, str, set[str]]]:
    """The file's names, each with its kind, its labels and its programs."""
    lines = [line.split() for line in GOLDEN.read_text().splitlines() if line and not line.startswith("#")]
    return {name: (kind, labels, set(programs.split(","))) for name, kind, labels, programs in lines}


class Unmade(Case):
    """Unix sockets whose directory isn't there."""

    def test_words(self) -> None:
        """The program doesn't start, with one line of the setting, the path and what to do."""
        for setting in ("admin", "listen"):
            where = self.where / "none" / "a.sock"
            options = ("--listen", "tcp:1:interface=127.0.0.1") if setting == "admin" else ()
            service = relay_tap.makeService(
                self.parse(relay_tap, "--tokens", "opaque", *options, f"--{setting}", f"unix:{where}:mode=600")
            )
            error = self.assertRaises(SystemExit, service.privilegedStartService)
            self.assertEqual(
                str(error),
                f"streamrelay: {setting} unix:{where}:mode=600: there is no directory {where.parent}; make it, so that "
                "the program's user may write to it (systemd: RuntimeDirectory=)",
            )


class Asked(Case):
    """A program whose admin listener is asked, without a network."""

    def relay(self, *more: str) -> Any:
        return self.made(relay_tap, "--tokens", "opaque", *more)

    def agent(self) -> Any:
        path = self.where / "agent.toml"
        path.write_text(f'host = "h"\nplatform_key = ["{self.public}"]\n[targets.log]\nkind = "log"\npath = "/x"\n')
        return self.made(agent_tap, "--config", str(path))

    def platform(self) -> Any:
        return self.made(platform_tap, "--relay", "wss://r", "--key", str(self.private), "--keys", str(self.keys))

    def made(self, tap: Any, *options: str) -> Any:
        """A program, bound and not yet started; the admin listener's factory is `self.site`."""
        service = tap.makeService(self.parse(tap, *options, "--admin", PORT))
        before = len(self.reactor.tcpServers)
        service.privilegedStartService()
        [self.site] = [each[1] for each in self.reactor.tcpServers[before:] if each[0] == 9464]
        return service

    def connect(self) -> FakeTransport:
        transport = FakeTransport()
        transport.hostAddr = IPv4Address("TCP", "127.0.0.1", 9464)
        channel: Any = self.site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 50000))
        transport.protocol = channel
        channel.makeConnection(transport)
        return transport

    def ask(self, path: str, method: str = "GET", *more: str, name: str = "localhost") -> tuple[int, str, str]:
        """Status, head and body of an answer."""
        transport = self.connect()
        lines = "".join(f"{line}\r\n" for line in more)
        transport.protocol.dataReceived(f"{method} {path} HTTP/1.1\r\nHost: {name}\r\n{lines}\r\n".encode())
        head, _, body = transport.take().decode().partition("\r\n\r\n")
        return int(head.split()[1]), head, body


class Health(Asked):
    """/health, where why is told, too."""

    def test_relay(self) -> None:
        """A relay is not ready while it starts, then it is, and says why when it drains."""
        service = self.relay()
        self.assertEqual(self.ask("/health")[::2], (503, "not ready: starting\n"))
        service.readiness.ready()
        self.assertEqual(self.ask("/health")[::2], (200, "ready\n"))
        service.readiness.drain("stopping, 3 streams run on")
        self.assertEqual(self.ask("/health")[::2], (503, "not ready: stopping, 3 streams run on\n"))

    def test_bus(self) -> None:
        """Agent and platform are not ready without their bus."""
        for make in (self.agent, self.platform):
            service = make()
            service.readiness.ready()
            self.assertEqual(self.ask("/health")[::2], (503, "not ready: no connection to NATS\n"))
            self.assertIn("\nstreamrelay_ready 0.0\n", self.ask("/metrics")[2])


class Pages(Asked):
    """What is answered, and to whom."""

    def setUp(self) -> None:
        super().setUp()
        self.service = self.relay()

    def test_paths(self) -> None:
        """There are two pages, to be read, not to be kept; nothing is told of who answers."""
        for path in ("/", "/metrics/", "/healthy", "/v1/streams"):
            self.assertEqual(self.ask(path)[0], 404, path)
        for method in ("POST", "DELETE", "OPTIONS"):
            self.assertEqual(self.ask("/metrics", method)[0], 405, method)
        status, head, body = self.ask("/metrics", "HEAD")
        self.assertEqual((status, body), (200, ""))
        self.assertIn("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n", head)
        self.assertIn("\r\nCache-Control: no-store\r\n", head)
        self.assertIn("\r\nConnection: close", head)
        self.assertNotIn("Twisted", head)

    def test_browsers(self) -> None:
        """A page of any site, of a name that leads to this machine too, is refused; a person's browser isn't."""
        for site in ("cross-site", "same-site", "same-origin"):
            self.assertEqual(self.ask("/metrics", "GET", f"Sec-Fetch-Site: {site}")[0], 403)
        self.assertEqual(self.ask("/metrics", "GET", "Sec-Fetch-Site: none")[0], 200)
        for origin in ("https://evil.example", "null"):  # of a browser that says no more
            self.assertEqual(self.ask("/metrics", "GET", f"Origin: {origin}")[0], 403)

    def test_names(self) -> None:
        """A loopback port is asked for by a name of loopback: another one that leads to it is a page's own site."""
        for name, status in (
            ("localhost:9464", 200),
            ("127.0.0.1:9464", 200),
            ("[::1]:9464", 200),
            ("evil.example:9464", 403),
            ("127.0.0.1.evil.example", 403),
            ("", 403),
        ):
            self.assertEqual(self.ask("/metrics", name=name)[0], status, name)

    def test_bodies(self) -> None:
        """A request with a body is refused before any of it is read, with a length or in chunks."""
        for line in ("Content-Length: 1000000000", "Transfer-Encoding: chunked"):
            self.assertEqual(self.ask("/metrics", "GET", line)[0], 413)

    def test_slow(self) -> None:
        """A connection that asks nothing, or takes its time for it, is dropped."""
        clock = Clock()
        self.site = AdminSite(Resource(), clock)
        transports = [self.connect(), self.connect()]
        for _ in range(2 * int(TIME)):
            self.assertFalse(transports[1].aborted)
            transports[1].protocol.dataReceived(b"G")
            clock.advance(0.5)
        self.assertEqual([transport.aborted for transport in transports], [True, True])

    def test_many(self) -> None:
        """However many connections there are, the next one is answered, as the oldest gives way."""
        transports = [self.connect() for _ in range(MOST)]
        self.assertEqual(self.ask("/health")[0], 503)
        self.assertEqual([transport.aborted for transport in transports], [True] + [False] * (MOST - 1))


class Named(Asked):
    """The metrics of all programs, by what the golden file has."""

    def test_golden(self) -> None:
        """Each program tells exactly its own metrics, with these kinds and labels, in a form that Prometheus reads."""
        expected = golden()
        for program, make in (("relay", self.relay), ("agent", self.agent), ("platform", self.platform)):
            make()
            told = shape(self.ask("/metrics")[2])
            wanted = {name for name, (_, _, programs) in expected.items() if program in programs}
            self.assertEqual(set(told), wanted, program)
            for name, (kind, labels) in told.items():
                # A metric with labels and no sample yet shows none of them.
                self.assertEqual(kind, expected[name][0], name)
                self.assertIn(labels, (expected[name][1], "-"), name)

    def test_conventions(self) -> None:
        """Names have our prefix and a base unit, counters end in _total, and every metric says what it is."""
        self.relay()
        text = self.ask("/metrics")[2]
        for name, (kind, labels, _) in golden().items():
            self.assertRegex(name, r"^(streamrelay|process)_[a-z_]+$")
            self.assertEqual(name.endswith("_total"), kind == "counter", name)
            self.assertNotRegex(name, r"_(ms|milliseconds|kb|mb|percent)(_|$)")
            self.assertFalse({"user", "host", "stream", "token", "target", "address"} & set(labels.split(",")), name)
        for name in shape(text):
            self.assertRegex(text, rf"# HELP {name} \S")

    def test_own_registry(self) -> None:
        """Nothing of ours is in the library's registry for all, and its module that installs a reactor isn't loaded."""
        from prometheus_client import REGISTRY

        self.relay()
        self.ask("/metrics")
        self.assertFalse([name for name in REGISTRY._names_to_collectors if name.startswith("streamrelay")])
        self.assertNotIn("prometheus_client.twisted", sys.modules)


class Off(Case):
    """A program without the setting."""

    def test_nothing(self) -> None:
        """Without the setting there is no listener, and the setting alone makes one."""
        options = ("--tokens", "opaque", "--listen", "tcp:1:interface=127.0.0.1")
        for more, ports in (((), [1]), (("--admin", PORT), [1, 9464])):
            self.reactor.tcpServers.clear()
            relay_tap.makeService(self.parse(relay_tap, *options, *more)).privilegedStartService()
            self.assertEqual([listening[0] for listening in self.reactor.tcpServers], ports)

    def test_missing_library(self) -> None:
        """Where the library isn't installed the program says what to install, in one line."""
        for name in ("streamrelay.program.exposition", "streamrelay.program.admin_site"):
            if loaded := sys.modules.pop(name, None):
                self.addCleanup(sys.modules.__setitem__, name, loaded)
        self.addCleanup(sys.modules.__setitem__, "prometheus_client", sys.modules["prometheus_client"])
        sys.modules["prometheus_client"] = None  # type: ignore[assignment]
        line = self.leaves(relay_tap, "--tokens", "opaque", "--admin", PORT)
        self.assertIn("pip install 'streamrelay[metrics]'", line)


class Places(SynchronousTestCase):
    """Where an admin listener may be."""

    def test_here(self) -> None:
        """Loopback and unix sockets need no further word; nor does none at all."""
        for endpoint in ("", PORT, r"tcp:1:interface=\:\:1", "unix:/run/a.sock", "unix:/run/a.sock:mode=666"):
            check_admin(endpoint, False)

    def test_elsewhere(self) -> None:
        """What other machines reach is refused, unless it is chosen."""
        for endpoint in ("tcp:9464", "tcp:9464:interface=0.0.0.0", r"tcp:9464:interface=\:\:", "tcp:127.0.0.1:9464"):
            error = self.assertRaises(ValueError, check_admin, endpoint, False)
            self.assertIn("--admin-exposed", str(error))
            check_admin(endpoint, True)

    def test_wrong(self) -> None:
        """What is no place is refused in any case."""
        for endpoint in ("tls:9464", "9464", "http://localhost", "unix:/" + "a" * 108):
            self.assertRaises(ValueError, check_admin, endpoint, True)
