"""tcp.py, connecting.py: addresses, and what went wrong."""

import errno
import os
import socket
from collections.abc import Callable
from threading import Event
from typing import Any

from twisted.internet import error, reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from streamrelay.agent.catalogue import read_entry
from streamrelay.agent.targets.sockets import addresses
from streamrelay.agent.targets.sockets.connecting import connected
from streamrelay.agent.targets.sockets.tcp import Tcp
from streamrelay.agent.targets.sockets.unix import Unix
from streamrelay.datapath.plain import PlainConnection
from streamrelay.errors import TargetError
from streamrelay.net.addresses import split_address
from streamrelay.net.lookups import Full, Lookups
from streamrelay.protocol.summons import Refusal, Terms
from tests.documented import CONNECT_TIME
from tests.examples import there
from tests.fakes.channels import FakeTransport
from tests.fakes.connections import FakeConnection
from tests.fakes.reactors import FakeNames


class Addresses(SynchronousTestCase):
    """host:port"""

    def test_good(self) -> None:
        """A name, an IPv4 address or an IPv6 address in brackets, and a port."""
        for text, parts in (
            ("localhost:22", ("localhost", 22)),
            ("127.0.0.1:65535", ("127.0.0.1", 65535)),
            ("[::1]:1", ("::1", 1)),
        ):
            self.assertEqual(split_address(text), parts)
            Tcp(text).check()

    def test_bad(self) -> None:
        """Anything else is a `ValueError`."""
        for text in (
            "",
            "host",
            ":22",
            "host:",
            "host:0",
            "host:65536",
            "host:-1",
            "host: 1",
            "host:x",
            "::1:22",
            "[]:1",
        ):
            self.assertRaises(ValueError, split_address, text)
            self.assertRaises(ValueError, Tcp(text).check)

    def test_unix(self) -> None:
        """A unix socket's path must be absolute."""
        Unix("/run/x").check()
        self.assertRaises(ValueError, Unix("run/x").check)


class Attempts(SynchronousTestCase):
    """What an attempt came to."""

    def code(self, failure: Exception) -> str:
        attempt: Deferred[Any] = Deferred()
        result = Deferred.fromCoroutine(connected(attempt, "there:1"))
        attempt.errback(failure)
        refused: TargetError = self.failureResultOf(result, TargetError).value
        self.assertTrue(refused.reason.startswith("there:1"))
        self.assertNotIn("\n", refused.reason)
        return refused.code

    def attempt(self, transport: FakeTransport) -> tuple[Deferred[PlainConnection], FakeConnection]:
        """What comes of a connection that was made."""

        class Protocol:
            connection = FakeConnection()

            def __init__(self) -> None:
                self.transport = transport

        attempt: Deferred[Any] = Deferred()
        result = Deferred.fromCoroutine(connected(attempt, "there:1"))
        attempt.callback(Protocol())
        return result, Protocol.connection

    def test_made(self) -> None:
        """A connection that was made is given back."""
        result, connection = self.attempt(FakeTransport())
        self.assertIs(self.successResultOf(result), connection)

    def test_reset_at_once(self) -> None:
        """One that was reset while it was made is refused, where a read of it would tell an end of file."""
        result, connection = self.attempt(FakeTransport(reset=True))
        refused = self.failureResultOf(result, TargetError).value
        self.assertEqual(
            (refused.code, refused.reason), (Refusal.TARGET_REFUSED, "there:1 reset the connection at once")
        )
        self.assertTrue(connection.aborted)

    def test_refused(self) -> None:
        """Who says no has refused."""
        for failure in (
            error.ConnectionRefusedError(),
            FileNotFoundError(2, "no such file"),
            PermissionError(13, "permission denied"),
            error.ConnectError(osError=111),
            error.ConnectError(osError=2),
        ):
            self.assertEqual(self.code(failure), Refusal.TARGET_REFUSED, failure)

    def test_full(self) -> None:
        """A lack of descriptors is the agent's own: busy, and told as that, not as the target's."""
        for failure in (
            error.ConnectBindError(24, "Too many open files"),
            OSError(23, "Too many open files in system"),
        ):
            attempt: Deferred[Any] = Deferred()
            result = Deferred.fromCoroutine(connected(attempt, "there:1"))
            attempt.errback(failure)
            refused = self.failureResultOf(result, TargetError).value
            self.assertEqual(
                (refused.code, refused.reason), (Refusal.BUSY, "there:1: the agent has no file descriptor left")
            )

    def test_whatever_it_is(self) -> None:
        """Whatever the system says, or a library, is told in its words."""
        for number in errno.errorcode:
            for failure in (OSError(number, os.strerror(number)), error.getConnectError((number, "so it is"))):
                self.code(failure)
        for failure in (
            ValueError("port"),
            OverflowError("port"),
            UnicodeError("name"),
            error.InvalidAddressError("a", "b"),
        ):
            self.code(failure)

    def test_unreachable(self) -> None:
        """Who says nothing, or can't be found, is unreachable."""
        for failure in (
            error.TimeoutError(),
            error.TCPTimedOutError(),
            CancelledError(),
            error.DNSLookupError("no\nsuch name."),
            error.NoRouteError(),
            error.ConnectError(osError=113, string="no route"),
            OSError(101, "network is unreachable"),
        ):
            self.assertEqual(self.code(failure), Refusal.TARGET_UNREACHABLE, failure)


class Compared(SynchronousTestCase):
    """Addresses of tcp targets, as the agent's file gives them and names resolve."""

    NAMES = {
        "inside": ["10.1.2.3"],
        "outside": ["198.51.100.7", "2001:db8::7"],
        "rebound": ["127.0.0.1"],
        "metadata": ["169.254.169.254"],
        "mixed": ["127.0.0.1", "198.51.100.7", "fe80::1"],
        "mapped": ["::ffff:127.0.0.1"],
        "localhost": ["::1", "127.0.0.1"],
        "my_host.internal": ["10.1.2.4"],
        "_my_self": ["127.0.0.1"],
        "2130706433": ["127.0.0.1"],
        "0x7f.1": ["127.0.0.1"],
        "0177.0.0.1": ["127.0.0.1"],
    }

    def connect(self, name: str, address: str, networks: tuple[str, ...] = (), **parts: str) -> list[str]:
        """Where a target of the list connects to when each address refuses in turn, or its refusal's code."""
        self.reactor = MemoryReactorClock()
        self.reactor.nameResolver = self.names = FakeNames(self.NAMES)
        pattern = "/".join(f"{{{part}}}" for part in parts) or "x"
        table = {"kind": "tcp", "address": address, "networks": networks, "parts": dict.fromkeys(parts, ".+")}
        target = there(read_entry(pattern, table).match("/".join(parts.values()) or "x"))
        attempt = Deferred.fromCoroutine(target.connect(self.reactor, Terms()))
        tried: list[str] = []
        for _ in range(9):
            at = len(tried)
            for (host, _, factory, *_), connector in zip(
                self.reactor.tcpClients[at:], self.reactor.connectors[at:], strict=True
            ):
                tried.append(host)
                factory.clientConnectionFailed(connector, Failure(error.ConnectionRefusedError()))
            self.reactor.advance(1)
        self.error = self.failureResultOf(attempt, TargetError).value
        return tried or [self.error.code]

    def test_literal(self) -> None:
        """An address that stands in the agent's file itself is listed by that, with any port that a client chooses."""
        for address, host in (
            ("127.0.0.1:22", "127.0.0.1"),
            ("[::1]:22", "::1"),
            ("169.254.1.1:22", "169.254.1.1"),
            ("[::ffff:127.0.0.1]:22", "::ffff:127.0.0.1"),
        ):
            self.assertEqual(self.connect("x", address), [host])
        self.assertEqual(self.connect("x", "localhost:22"), ["::1", "127.0.0.1"])
        self.assertEqual(self.connect("x", "127.0.0.1:{port}", port="22"), ["127.0.0.1"])

    def test_names(self) -> None:
        """A name leads anywhere but to this machine, its link, or a cloud's metadata, whatever it resolves to."""
        self.assertEqual(self.connect("x", "inside:1"), ["10.1.2.3"])
        self.assertEqual(self.connect("x", "outside:1"), ["198.51.100.7", "2001:db8::7"])
        for name in ("rebound", "metadata", "mapped"):
            self.assertEqual(self.connect("x", f"{name}:1"), [Refusal.NOT_ALLOWED], name)

    def test_only_what_is_allowed(self) -> None:
        """Of several addresses only those that are allowed are connected, and their fault is the one that is told."""
        self.assertEqual(self.connect("x", "mixed:1"), ["198.51.100.7"])
        self.assertEqual(self.error.code, Refusal.TARGET_REFUSED)
        self.assertIn("fe80::1 is a link-local address", self.error.detail)

    def test_spellings(self) -> None:
        """Other spellings of an address are names, and don't slip through what they resolve to."""
        for spelling in ("2130706433", "0x7f.1", "0177.0.0.1"):
            self.assertEqual(self.connect("x", f"{spelling}:1"), [Refusal.NOT_ALLOWED])

    def test_chosen_by_the_client(self) -> None:
        """An address that a client fills in isn't listed by that."""
        for chosen in ("127.0.0.1", "localhost", "169.254.169.254", "rebound", "0.0.0.0", "2130706433"):
            self.assertEqual(self.connect("x", "{host}:1", host=chosen), [Refusal.NOT_ALLOWED], chosen)
        self.assertEqual(self.connect("x", "[{host}]:1", host="::1"), [Refusal.NOT_ALLOWED])
        self.assertEqual(self.connect("x", "127.0.0.{last}:1", last="1"), [Refusal.NOT_ALLOWED])
        self.assertEqual(self.connect("x", "{host}:1", host="10.0.0.1"), ["10.0.0.1"])

    def test_networks(self) -> None:
        """With networks given only those count, for names, literal addresses and what a client chooses alike."""
        local = ("127.0.0.0/8",)
        self.assertEqual(self.connect("x", "localhost:1", local), ["127.0.0.1"])
        self.assertEqual(self.connect("x", "mapped:1", local), ["::ffff:127.0.0.1"])
        self.assertEqual(self.connect("x", "{host}:1", local, host="127.0.0.9"), ["127.0.0.9"])
        for address in ("outside:1", "10.0.0.1:1", "[::1]:1"):
            self.assertEqual(self.connect("x", address, local), [Refusal.NOT_ALLOWED], address)

    def test_wrong_networks(self) -> None:
        """What is no network is an error of the settings, in patterns, too."""
        for network in ("10.0.0.0/33", "10.0.0.1/8", "here", "{host}"):
            table = {"kind": "tcp", "address": "{host}:1", "networks": [network], "parts": {"host": ".+"}}
            self.assertRaises(ValueError, read_entry, "{host}", table)

    def test_said(self) -> None:
        """The log's words name address and reason; those for whoever asked name neither."""
        self.connect("x", "metadata:1")
        self.assertIn("169.254.169.254 is a link-local address", self.error.detail)
        self.assertEqual(self.error.reason, "the target's address is not allowed")

    def test_resolved_once(self) -> None:
        """A name is resolved once: what was compared is what is connected."""
        self.connect("x", "outside:1")
        self.assertEqual(self.names.asked, ["outside"])

    def test_underscore(self) -> None:
        """A name with an underscore is looked up like any other; what isn't allowed stays so."""
        self.assertEqual(self.connect("x", "my_host.internal:1"), ["10.1.2.4"])
        self.assertEqual(self.connect("x", "_my_self:1"), [Refusal.NOT_ALLOWED])
        self.assertEqual(self.names.asked, ["_my_self"])

    def test_hyphens(self) -> None:
        """So is a name with two hyphens at the third place, which IDNA keeps for its own."""
        for name in ("ab--cd.internal", "r3---sn.internal", "a.b_--c", "xn--a.internal"):
            self.assertEqual(self.connect("x", f"{name}:1"), [Refusal.TARGET_UNREACHABLE])
            self.assertEqual(self.names.asked, [name])

    def test_no_name(self) -> None:
        """What can't be a name of a host is unreachable, and nobody is asked for it."""
        for name in ("a..b", "x" * 64, "my_" + "x" * 64, "my_host..internal", "-x", "a b", "bücher_x", "a_" * 127):
            self.assertEqual(self.connect("x", f"{name}:1"), [Refusal.TARGET_UNREACHABLE], name)
            self.assertTrue(self.error.reason.isprintable())
            self.assertEqual(self.names.asked, [])

    def test_too_many(self) -> None:
        """A name that is one too many for its user is refused as busy, so that a client of ours asks again."""
        asked: list[str] = []

        class FullNames:
            def resolveHostName(self, *_: object) -> None:
                raise Full("8 other names are being looked up")

        def of_targets(reactor: object, user: str, failed: object) -> Any:
            asked.append(user)
            return FullNames()

        self.patch(addresses, "of_targets", of_targets)
        attempt = Deferred.fromCoroutine(Tcp("inside:1").connect(MemoryReactorClock(), Terms(user="anna")))
        error = self.failureResultOf(attempt, TargetError).value
        self.assertEqual((error.code, asked), (Refusal.BUSY, ["anna"]))
        self.assertEqual(error.reason, "inside:1: 8 other names are being looked up; try again")

    def test_no_such_name(self) -> None:
        """A name that isn't there is unreachable, not forbidden, and it is the name that is named."""
        self.assertEqual(self.connect("x", "nowhere:1"), [Refusal.TARGET_UNREACHABLE])
        self.assertEqual(self.error.reason, "nowhere:1: no such name: nowhere")
        self.assertEqual(self.connect("x", "my_nowhere:1"), [Refusal.TARGET_UNREACHABLE])
        self.assertEqual(self.error.reason, "my_nowhere:1: no such name: my_nowhere")


class LookedUp(TestCase):
    """Names that the system looks up, in a thread, as it answers."""

    async def refusal(self, getaddrinfo: Callable[..., Any], timeout: bool = False) -> str:
        """The words that a client gets."""
        lookups = Lookups(reactor, getaddrinfo)
        self.addCleanup(lookups.turned_away.stop)
        self.patch(addresses, "of_targets", lambda _, user, failed: lookups.resolver(user, failed))
        clock = MemoryReactorClock()
        attempt = Deferred.fromCoroutine(Tcp("db_1.internal:5432").connect(clock, Terms()))
        if timeout:
            clock.advance(CONNECT_TIME)
        refused: Any = await self.assertFailure(attempt, TargetError)
        self.assertEqual((refused.code, self.flushLoggedErrors()), (Refusal.TARGET_UNREACHABLE, []))
        return str(refused.reason)

    async def test_failed(self) -> None:
        """A name that can't be looked up is told with the reason, at once, whatever the system's resolver raises."""
        for failure, words in (
            (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "no such name: db_1.internal"),
            (socket.gaierror(socket.EAI_NODATA, "No address associated"), "no such name: db_1.internal"),
            (
                socket.gaierror(socket.EAI_AGAIN, "Temporary failure"),
                "the name server gave no answer for db_1.internal",
            ),
            (socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure"), "db_1.internal: Non-recoverable failure"),
            (UnicodeError("label too long"), "db_1.internal: label too long"),
            (OSError(errno.EMFILE, "Too many open files"), "db_1.internal: Too many open files"),
        ):

            def fail(*what: Any, failure: Exception = failure) -> None:
                raise failure

            self.assertEqual(await self.refusal(fail), f"db_1.internal:5432: {words}")

    async def test_silent(self) -> None:
        """A name server that doesn't answer in time is what is told, not the target."""
        answer = Event()
        self.addCleanup(answer.set)
        words = "db_1.internal:5432: the name server gave no answer for db_1.internal"
        self.assertEqual(await self.refusal(lambda *what: [answer.wait()][1:], timeout=True), words)
