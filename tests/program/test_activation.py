"""activation.py: sockets of systemd's, as settings name them and as they come."""

import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import ConfigError
from streamrelay.program.activation import check_reach
from streamrelay.relay.config import RelayConfig


class Named(SynchronousTestCase):
    """Endpoints of settings."""

    def test_possible(self) -> None:
        """A socket has a name or a number; with TLS it needs a certificate, without it may be any until it comes."""
        for endpoint in ("systemd:relay", "systemd:0", "systemd:my-relay.socket"):
            RelayConfig((endpoint,), tokens="opaque")
        RelayConfig(("tls:systemd:relay",), tokens="opaque", certificates=("c",))

    def test_impossible(self) -> None:
        """What can be no socket of systemd's is told with what was expected, Twisted's own words for it, too."""
        for endpoint in ("systemd", "systemd:", "tls:systemd", "systemd:domain=INET:index=0", "tls:systemd:a b"):
            error = self.assertRaises(ValueError, RelayConfig, (endpoint,), tokens="opaque", certificates=("c",))
            self.assertIn("expected systemd:NAME or tls:systemd:NAME", str(error))
        error = self.assertRaises(ValueError, RelayConfig, ("tls:systemd:relay",), tokens="opaque")
        self.assertIn("TLS needs a certificate", str(error))


class Passed(SynchronousTestCase):
    """Sockets as they come."""

    def refused(self, endpoint: str, passed: socket.socket, insecure: bool = False) -> str:
        with passed:
            try:
                check_reach(endpoint, passed, insecure)
            except ConfigError as error:
                return str(error)
        return ""

    def test_plain(self) -> None:
        """A plain socket is refused if other machines reach it, unless that is wanted; none of this machine is."""
        everywhere = ("0.0.0.0", 0)
        why = self.refused("systemd:relay", socket.create_server(everywhere))
        self.assertIn("other machines would reach 0.0.0.0 without TLS; use tls:systemd:relay", why)
        self.assertEqual(self.refused("systemd:relay", socket.create_server(everywhere), insecure=True), "")
        self.assertEqual(self.refused("tls:systemd:relay", socket.create_server(everywhere)), "")
        self.assertEqual(self.refused("systemd:relay", socket.create_server(("127.0.0.1", 0))), "")
        unix = socket.socket(socket.AF_UNIX)
        unix.bind(f"\0streamrelay-test-{os.getpid()}")
        unix.listen()
        self.assertEqual(self.refused("systemd:relay", unix), "")

    def test_no_listener(self) -> None:
        """A socket that doesn't listen, as of a unit with Accept=yes, is told so."""
        self.assertIn("doesn't listen", self.refused("systemd:relay", socket.socket()))
