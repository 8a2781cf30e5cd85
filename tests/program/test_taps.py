"""The taps and reactor.py: services from settings, on a fake reactor."""

import asyncio
import time
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.address import IPv4Address
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.python import usage
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent import tap as agent_tap
from streamrelay.agent.launcher.service import Launching
from streamrelay.agent.service import Agent
from streamrelay.errors import ConfigError
from streamrelay.files import Watched
from streamrelay.net.outbound import Outbound
from streamrelay.platform import tap as platform_tap
from streamrelay.platform.config import PlatformConfig
from streamrelay.platform.tap import PlatformService
from streamrelay.program.options import one_line
from streamrelay.program.reactor import install_reactor
from streamrelay.program.service import Looped, Ports
from streamrelay.program.settings import load
from streamrelay.relay import tap as relay_tap
from streamrelay.relay.config import RelayConfig
from streamrelay.relay.service import Relay
from tests.authority import Authority
from tests.fakes.bus import FakeBus
from tests.fakes.logs import Heard
from tests.fakes.reactors import install
from tests.program.test_options import Case


class Services(Case):
    """From settings to services, on the fake reactor."""

    def test_relay(self) -> None:
        """The relay listens on every endpoint that it was given."""
        parsed = self.parse(
            relay_tap,
            "--platform-key",
            str(self.public),
            "--listen",
            "tcp:8001:interface=127.0.0.1",
            "--listen",
            r"tcp:8002:interface=\:\:1",
        )
        service = relay_tap.makeService(parsed)
        [relay] = [each for each in service if isinstance(each, Relay)]
        self.assertIs(relay.clock, self.reactor)
        service.privilegedStartService()
        self.assertEqual([listening[0] for listening in self.reactor.tcpServers], [8001, 8002])
        self.assertEqual(self.reactor.tcpServers[1][3], "::1")

    def test_agent(self) -> None:
        """The agent has its targets, and listens nowhere."""
        path = self.where / "agent.toml"
        path.write_text(f'host = "h"\nplatform_key = ["{self.public}"]\n[targets.log]\nkind = "log"\npath = "/x"\n')
        service = agent_tap.makeService(self.parse(agent_tap, "--config", str(path)))
        launching, agent = service
        self.assertEqual((type(launching), type(agent)), (Launching, Agent))
        self.assertEqual(list(agent.catalogue.entries), ["log"])
        service.privilegedStartService()
        self.assertEqual((self.reactor.tcpServers, self.reactor.unixServers), ([], []))

    def test_platform(self) -> None:
        """The platform listens where it was told, and has its keys."""
        parsed = self.parse(
            platform_tap,
            *("--relay", "wss://r", "--key", str(self.private), "--keys", str(self.keys), "--listen"),
            "tcp:8003:interface=127.0.0.1",
        )
        service = platform_tap.makeService(parsed)
        self.assertEqual([type(each) for each in service], [PlatformService, Ports])
        service.privilegedStartService()
        self.assertEqual([listening[0] for listening in self.reactor.tcpServers], [8003])

    def test_outbound(self) -> None:
        """All that agent and platform dial is dialled by their proxy: the bus, relays, an issuer, the system to ask."""
        url = "http://proxy.example:3128"
        path = self.where / "agent.toml"
        path.write_text(f'host = "h"\nplatform_key = ["{self.public}"]\noutbound_proxy = "{url}"\n')
        *_, agent = agent_tap.makeService(self.parse(agent_tap, "--config", str(path)))
        path = self.where / "platform.toml"
        path.write_text(
            f'relay = "wss://r"\nkey = "{self.private}"\nkeys = "{self.keys}"\noutbound_proxy = "{url}"\n'
            '[oidc]\nissuer = "https://i.example/"\naudience = "a"\njwks = "https://i.example/keys"\n'
            '[ask]\nurl = "https://ask.example/"\n'
        )
        config = load(PlatformConfig, str(path), {})
        gate = platform_tap.make_gate(config, self.reactor, Outbound.of(config))
        issuer: Any = gate.issuer
        asking: Any = gate.asking
        service, _ = platform_tap.makeService(self.parse(platform_tap, "--config", str(path)))
        dialling = (agent.bus, agent.streams.legs.dialler, issuer.keys.fetch, asking.fetch, service._platform.bus)
        self.assertEqual([str(one.outbound.proxy) for one in dialling], [url] * 5)
        login = ("--outbound-proxy", "http://alice:hidden@proxy.example")
        wrong = str(self.assertRaises(usage.UsageError, self.parse, agent_tap, *login))
        self.assertIn("use the file, or --outbound-login", wrong)
        self.assertNotIn("hidden", wrong)

    def test_wrong_settings(self) -> None:
        """What is wrong with settings or files is told in one line that names it, and nothing starts."""
        self.assertIn("--platform-key", self.leaves(relay_tap))
        self.assertIn("/no/such", self.leaves(relay_tap, "--platform-key", "/no/such"))
        self.assertIn(str(self.private), self.leaves(relay_tap, "--platform-key", str(self.private)))
        self.assertIn("nonsense:1", self.leaves(relay_tap, "--tokens", "opaque", "--listen", "nonsense:1"))
        self.assertIn("/no/such", self.leaves(relay_tap, "--config", "/no/such"))
        self.assertIn("host", self.leaves(agent_tap, "--platform-key", str(self.public)))
        self.assertIn("--keys", self.leaves(platform_tap, "--relay", "wss://r", "--key", str(self.private)))
        wrong = self.leaves(platform_tap, "--relay", "wss://r", "--key", str(self.private), "--keys", "/no/such")
        self.assertIn("/no/such", wrong)

    def test_taken_port(self) -> None:
        """A port that is taken ends the program with one line."""

        def refuse(*arguments: object, **more: object) -> IListeningPort:
            raise CannotListenError("", 1, OSError(98, "in use"))

        self.patch(self.reactor, "listenTCP", refuse)
        service = relay_tap.makeService(
            self.parse(relay_tap, "--tokens", "opaque", "--listen", "tcp:1:interface=127.0.0.1")
        )
        self.assertIn("in use", str(self.assertRaises(SystemExit, service.privilegedStartService)))

    def test_loop(self) -> None:
        """A started program's loop is asyncio's current one."""
        service = Looped(self.reactor)
        service.startService()
        self.assertIs(asyncio.get_event_loop_policy().get_event_loop(), self.reactor._asyncioEventloop)

    def test_reload(self) -> None:
        """SIGHUP reads certificates again, and does nothing to a program that has none."""
        heard = Heard(self)
        service: Any = relay_tap.makeService(self.parse(relay_tap, "--tokens", "opaque"))
        service.reload()
        self.assertEqual(heard.events, [])
        pair = Authority(self.where / "ca.pem").issue(self.where / "a.pem", "a.example")
        options = ("--tokens", "opaque", "--listen", "tls:1", "--certificate", pair)
        service = relay_tap.makeService(self.parse(relay_tap, *options))
        service.reload()
        self.assertIn("certificates read again: a.example", heard.text)

    def test_all_read_again(self) -> None:
        """SIGHUP reads keys, an issuer's keys and targets again, though they have not changed."""
        heard = Heard(self)
        path = self.where / "agent.toml"
        path.write_text(f'host = "h"\nplatform_key = ["{self.public}"]\n[targets.log]\nkind = "log"\npath = "/x"\n')
        agent: Any = agent_tap.makeService(self.parse(agent_tap, "--config", str(path)))
        for each in agent:
            each.bus = FakeBus()
        agent.reload()
        self.reactor.hear_thread()
        self.assertIn("targets read again: 1", heard.text)
        platform: Any = platform_tap.makeService(
            self.parse(platform_tap, "--relay", "wss://r", "--key", str(self.private), "--keys", str(self.keys))
        )
        platform.reload()
        self.assertIn("keys read again: 1", heard.text)

    def test_looks(self) -> None:
        """Files are looked at every two seconds from the start to the end, whatever a look raises."""
        looks = []

        def news() -> None:
            looks.append(self.reactor.seconds())
            raise ZeroDivisionError

        service = Looped(self.reactor)
        service.watch(Watched("the words", lambda: [str(len(looks))], lambda: None, news))
        service.startService()
        for _ in range(3):
            self.reactor.advance(2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)
        service.stopService()
        self.reactor.advance(2)
        self.assertEqual(looks, [2, 4, 6])

    def test_certificates(self) -> None:
        """A port's certificate that has expired, or soon will, is named at the start and each day, and so is why a
        handshake came to nothing."""
        pair = Authority(self.where / "ca.pem").issue(self.where / "a.pem", "a.example", days=3.5)
        heard = Heard(self)
        config = RelayConfig(("tls:1",), certificates=(pair,), tokens="opaque")
        ports = Ports(config, Factory.forProtocol(Protocol), self.reactor)
        ports.privilegedStartService()
        ports.startService()
        words = f"the certificate of a.example in {self.where}/a.pem expires in 3 days"
        self.assertEqual([words in line for line in heard.lines], [True])
        self.reactor.advance(86400)
        self.assertEqual([words in line for line in heard.lines], [True, True])
        peer = IPv4Address("TCP", "192.0.2.7", 1)
        tls: Any = self.reactor.tcpServers[0][1].buildProtocol(peer)
        wire = StringTransport(peerAddress=peer)
        tls.makeConnection(wire)
        tls.dataReceived(b"\x16\x03\x01\x00\x05hello")
        tls.connectionLost(Failure(ConnectionDone()))
        self.assertIn("TLS handshakes failed, since the last such line 1: 1 of 192.0.2.7: TLS: ", heard.lines[2])
        ports.stopService()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_ports(self) -> None:
        """An endpoint that can't be is a `ConfigError`."""
        config = RelayConfig(("unix:/a:mode=x",), tokens="opaque")
        self.assertRaises(ConfigError, Ports, config, None, self.reactor)

    def test_one_line(self) -> None:
        """Only what is wrong with settings becomes a line; an error of ours stays one."""

        def fail(error: Exception) -> None:
            with one_line():
                raise error

        self.assertEqual(str(self.assertRaises(SystemExit, fail, ConfigError("x"))), "streamrelay: x")
        self.assertRaises(ZeroDivisionError, fail, ZeroDivisionError())


class Reactors(SynchronousTestCase):
    """The reactor that all programs need."""

    def test_other(self) -> None:
        """With another reactor installed no program starts, and the reason names both."""
        error = str(self.assertRaises(usage.UsageError, install_reactor))
        self.assertIn(type(installed).__name__, error)
        self.assertIn("asyncio", error)

    def test_monotonic(self) -> None:
        """Timers follow a clock that nobody can set."""
        reactor = install(self)
        install_reactor()
        self.assertIs(reactor.seconds, time.monotonic)
