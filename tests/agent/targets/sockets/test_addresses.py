"""addresses.py: which addresses a target may lead to."""

from ipaddress import IPv4Address, ip_address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.targets.sockets.addresses import LOCALHOST, literal, why_not
from tests.examples import examples


def clothed(address: IPv4Address) -> list[str]:
    """IPv6 addresses that lead to an IPv4 address: mapped, 6to4, NAT64."""
    return [f"::ffff:{address}", str(ip_address((0x2002 << 112) | int(address) << 80)), f"64:ff9b::{address}"]


class Refused(SynchronousTestCase):
    """Addresses that are refused unless they are listed."""

    def test_refused(self) -> None:
        """Loopback, link-local, unspecified, multicast, reserved and metadata addresses are refused, with a reason."""
        for address in (
            *("127.0.0.1", "127.255.255.255", "169.254.0.1", "169.254.169.254", "0.0.0.0", "0.1.2.3"),
            *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "100.100.100.200", "168.63.129.16"),
            *("::1", "::", "fe80::1", "fe80::1%eth0", "ff02::1", "::7f00:1", "fd00:ec2::254", "100::1"),
        ):
            self.assertTrue(why_not(address), address)

    def test_allowed(self) -> None:
        """Public and private addresses are not, as private networks are where targets live."""
        for address in ("10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "8.8.8.8", "fd00::1", "2a00::1"):
            for each in [address] if ":" in address else [address, *clothed(IPv4Address(address))]:
                self.assertEqual(why_not(each), "", each)

    @examples(100)
    @given(st.ip_addresses(v=4))
    def test_clothed(self, address: IPv4Address) -> None:
        """An IPv6 address that leads to an IPv4 address counts as that one."""
        for each in clothed(address):
            self.assertEqual(why_not(each), why_not(str(address)))
            self.assertEqual(why_not(each, [f"{address}/32"]), "")

    @examples(100)
    @given(st.ip_addresses(v=4, network="127.0.0.0/8") | st.ip_addresses(v=6, network="fe80::/10"))
    def test_whole_networks(self, address: object) -> None:
        """No loopback or link-local address slips through."""
        self.assertTrue(why_not(str(address)))

    def test_listed(self) -> None:
        """Networks, where there are some, say all: what is in one is allowed, and nothing else."""
        self.assertEqual(why_not("127.0.0.1", ["10.0.0.0/8", "127.0.0.0/8"]), "")
        self.assertEqual(why_not("fe80::1%eth0", ["fe80::/10"]), "")
        self.assertEqual(why_not("8.8.8.8", ["10.0.0.0/8"]), "8.8.8.8 is in none of 10.0.0.0/8")
        self.assertTrue(why_not("::1", ["127.0.0.0/8"]))

    def test_literal(self) -> None:
        """An address in the file lists itself, `localhost` what it is; names and odd spellings list nothing."""
        self.assertEqual(literal("127.0.0.1"), ("127.0.0.1/32",))
        self.assertEqual(literal("fe80::1%eth0"), ("fe80::1/128",))
        self.assertEqual(literal("localhost"), LOCALHOST)
        for host in ("db.example", "0x7f.1", "2130706433", "0177.0.0.1", "127.1", "{host}", "127.0.0.{last}", ""):
            self.assertEqual(literal(host), (), host)
