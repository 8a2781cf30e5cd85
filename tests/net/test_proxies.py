"""proxies.py: whose word about a client's address is taken."""

import struct
from ipaddress import ip_address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.net.proxies import (
    SIGNATURE,
    BehindProxies,
    Preface,
    Proxies,
    neighbourhood,
    parse_address,
    parse_header,
)
from tests.documented import HANDSHAKE_TIME, PROXY_HEADER
from tests.examples import examples, there
from tests.fakes.channels import FakeTransport

PROXY = "10.0.0.9"


def header(source: str = "192.0.2.7", port: int = 4711, command: int = 0x21, more: bytes = b"") -> bytes:
    """A PROXY header, version 2, as a proxy sends it for a client."""
    address = ip_address(source)
    family = 0x11 if address.version == 4 else 0x21
    body = address.packed * 2 + struct.pack("!HH", port, 443) + more
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


class Trust(SynchronousTestCase):
    """X-Forwarded-For."""

    def setUp(self) -> None:
        self.proxies = Proxies.named(["10.0.0.0/8", "2001:db8::/32", "unix"], False)

    def test_strangers_are_not_believed(self) -> None:
        """What comes from anybody but a proxy is who it is, whatever it says."""
        for told in (None, "192.0.2.7", "127.0.0.1", "10.0.0.1, 192.0.2.7"):
            self.assertEqual(self.proxies.client("198.51.100.1", told), "198.51.100.1")

    def test_last_but_proxies(self) -> None:
        """Through proxies a client is the last address that isn't one of them; what it claims before isn't read."""
        for told, client in (
            ("192.0.2.7", "192.0.2.7"),
            ("127.0.0.1, 192.0.2.7", "192.0.2.7"),
            ("127.0.0.1,192.0.2.7,10.3.3.3 ,  2001:db8::5", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("10.3.3.3", "10.3.3.3"),
            ("evil", PROXY),
            ("192.0.2.7, unknown", PROXY),
            ("192.0.2.7:4711", "192.0.2.7"),
            ("127.0.0.1, 192.0.2.7:80, 10.3.3.3:443", "192.0.2.7"),
            ("[2001:db9::7]", "2001:db9::7"),
            ("[2001:db9::7]:4711, [2001:db8::5]:1", "2001:db9::7"),
            ("[::ffff:192.0.2.7]:80", "192.0.2.7"),
            ("192.0.2.7, 1.2.3.4:port", PROXY),
            ("192.0.2.7, 1.2.3.4:", PROXY),
            ("192.0.2.7, [1.2.3.4]:80", PROXY),
            ("192.0.2.7, [2001:db9::7", PROXY),
            ("192.0.2.7, [2001:db9::7]x", PROXY),
            ("192.0.2.7, 1.2.3.4:999999", PROXY),
            ("", PROXY),
            ("192.0.2.7\r\nx", PROXY),
        ):
            self.assertEqual(self.proxies.client(PROXY, told), client, told)
        self.assertEqual(self.proxies.client(None, "192.0.2.7"), "192.0.2.7")
        self.assertEqual(self.proxies.client(PROXY, None), PROXY)

    def test_one_way_only(self) -> None:
        """Proxies that begin with a PROXY header are not believed by X-Forwarded-For, and none is by default."""
        self.assertEqual(Proxies.named([PROXY], True).client(PROXY, "192.0.2.7"), PROXY)
        self.assertEqual(Proxies().client(PROXY, "192.0.2.7"), PROXY)
        self.assertFalse(Proxies().trusts(None))

    @examples(200)
    @given(st.text(max_size=40))
    def test_any_text(self, told: str) -> None:
        """Whatever is told, the answer is an address."""
        self.assertIsNotNone(parse_address(str(self.proxies.client(PROXY, told))))

    def test_neighbourhoods(self) -> None:
        """A /64 of IPv6 is one neighbour, IPv4 in IPv6 is IPv4."""
        self.assertEqual(neighbourhood("2001:db8::1"), neighbourhood("2001:db8::ffff"))
        self.assertNotEqual(neighbourhood("2001:db8::1"), neighbourhood("2001:db8:0:1::1"))
        self.assertEqual(neighbourhood("::ffff:192.0.2.1"), "192.0.2.1")


class Headers(SynchronousTestCase):
    """The PROXY protocol, version 2."""

    def test_addresses(self) -> None:
        """The client's address is read from a header for IPv4 and IPv6, whatever is added to it."""
        for source in ("192.0.2.7", "2001:db8::7"):
            for more in (b"", b"\x04\x00\x01x" * 20):
                found = parse_header(header(source, more=more) + b"GET")
                length, address = there(found)
                self.assertEqual((address.host, address.port), (source, 4711))
                self.assertEqual(length, len(header(source, more=more)))

    def test_without_address(self) -> None:
        """The proxy's own checks, and clients without an IP address, leave the address as it is."""
        self.assertEqual(parse_header(header(command=0x20)), (len(header()), None))
        self.assertEqual(parse_header(SIGNATURE + b"\x21\x00\x00\x00"), (16, None))

    def test_in_pieces(self) -> None:
        """A header is waited for, wherever it is cut."""
        whole = header()
        for at in range(len(whole)):
            self.assertIsNone(parse_header(whole[:at]), at)

    def test_wrong(self) -> None:
        """What is no header of version 2, is too long, or has no room for its addresses, is refused at once."""
        for data in (
            b"GET / HTTP/1.1",
            b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n",
            SIGNATURE + b"\x11\x11\x00\x0c" + bytes(12),
            SIGNATURE + b"\x22\x11\x00\x0c" + bytes(12),
            SIGNATURE + b"\x21\x11\x00\x0b" + bytes(11),
            SIGNATURE + b"\x21\x21\x00\x0c" + bytes(12),
        ):
            self.assertRaises(ValueError, parse_header, data)

    def test_longest(self) -> None:
        """A header is as long as the documents say at most."""
        longest = header(more=bytes(PROXY_HEADER - len(header())))
        self.assertEqual(there(parse_header(longest))[0], PROXY_HEADER)
        self.assertRaises(ValueError, parse_header, header(more=bytes(PROXY_HEADER + 1 - len(header()))))

    @examples(300)
    @given(st.binary(max_size=80))
    def test_any_bytes(self, data: bytes) -> None:
        """Bytes behind the signature are refused, waited for, or a header within the longest; nothing else happens."""
        try:
            found = parse_header(SIGNATURE + data)
        except ValueError:
            return
        self.assertTrue(found is None or 16 <= found[0] <= PROXY_HEADER)


class Greeter(Protocol):
    """Remembers whom it met, and what it was told."""

    def connectionMade(self) -> None:
        peer: Any = there(self.transport).getPeer()
        self.met, self.heard, self.gone = peer.host, b"", False

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: object = None) -> None:
        self.gone = True


class Connections(SynchronousTestCase):
    """Connections of proxies."""

    def setUp(self) -> None:
        self.clock = Clock()
        behind = Factory.forProtocol(Greeter)
        self.factory = BehindProxies(behind, Proxies.named(["10.0.0.0/8"], True), self.clock)

    def connect(self, host: str) -> FakeTransport:
        transport = FakeTransport()
        address = IPv4Address("TCP", host, 1)
        transport.peerAddr = address
        transport.protocol = self.factory.buildProtocol(address)
        transport.protocol.makeConnection(transport)
        return transport

    def test_taken_over(self) -> None:
        """Behind the header the protocol takes over, meets the client by its address, and gets what followed."""
        for cut in (3, len(header()), len(header()) + 2):
            transport = self.connect(PROXY)
            data = header() + b"GET /"
            transport.receive(data[:cut])
            transport.receive(data[cut:])
            self.assertIsInstance(transport.protocol, Greeter)
            self.assertEqual((transport.protocol.met, transport.protocol.heard), ("192.0.2.7", b"GET /"))
            transport.protocol.connectionLost(None)
            self.assertTrue(transport.protocol.gone)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_others(self) -> None:
        """Whoever isn't a proxy is taken as it comes: its header would be a malformed request."""
        transport = self.connect("192.0.2.1")
        transport.receive(header())
        self.assertEqual((transport.protocol.met, transport.protocol.heard), ("192.0.2.1", header()))

    def test_dropped(self) -> None:
        """A proxy that begins otherwise is dropped, and one that is silent after five seconds."""
        transport = self.connect(PROXY)
        transport.receive(b"GET / HTTP/1.1\r\n")
        self.assertTrue(transport.aborted)
        self.assertIsInstance(transport.protocol, Preface)
        silent = self.connect(PROXY)
        silent.receive(header()[:20])
        self.clock.advance(HANDSHAKE_TIME - 0.1)
        self.assertFalse(silent.aborted)
        self.clock.advance(0.2)
        self.assertTrue(silent.aborted)
