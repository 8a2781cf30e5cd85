"""service.py: what an endpoint of `listen` doesn't say is added."""

from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.program.service import BACKLOG, spelt_out


class SpeltOut(SynchronousTestCase):
    """Endpoints as Twisted gets them."""

    def made(self, endpoint: str) -> Any:
        kind, _, where = endpoint.partition(":")
        return serverFromString(reactor, spelt_out(kind, where))

    def test_backlog(self) -> None:
        """Thousands may wait to be accepted, unless it is told how many, by its name or in its place."""
        for endpoint, backlog in (
            *(("tcp:0", BACKLOG), ("tls:0", BACKLOG), ("tcp6:0", BACKLOG), ("tls:0:interface=\\:\\:1", BACKLOG)),
            *(("tcp:0:backlog=7", 7), ("tcp:0:127.0.0.1", BACKLOG), ("tcp:0:127.0.0.1:7", 7), ("tls:0::7", 7)),
        ):
            self.assertEqual(self.made(endpoint)._backlog, backlog, endpoint)
        self.assertEqual(self.made("unix:/run/x")._backlog, BACKLOG)

    def test_mode(self) -> None:
        """A unix socket is its owner's and group's, unless it is told otherwise, by its name or in its place."""
        for endpoint, mode in (("unix:/run/x", 0o660), ("unix:/run/x:mode=666", 0o666), ("unix:/run/x:600", 0o600)):
            self.assertEqual(self.made(endpoint)._mode, mode, endpoint)
