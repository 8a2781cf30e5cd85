"""client_tls.py: contexts that are shared, and sessions that are taken up again."""

import contextlib
import gc
import socket
import ssl
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import Clock, deferLater
from twisted.internet.tcp import Client
from twisted.trial.unittest import SynchronousTestCase, TestCase

from streamrelay.datapath.heartbeat import Heartbeat
from streamrelay.net.certificates import ServerTls, split_pair
from streamrelay.net.client_tls import MOST, trusting
from streamrelay.net.http_client import Fetched, FetchError, HttpFetch
from streamrelay.websocket.client import Dialler
from tests.authority import Authority
from tests.datapath.loopback import drain
from tests.examples import there
from tests.fakes.files import folder
from tests.live.support.threaded_server import ThreadedServer


class Server(ThreadedServer):
    """A real server by Python's own ssl, which answers a request on each connection, and notes whether its session was
    one that it had made before."""

    def __init__(self, pair: str, client_ca: str) -> None:
        self.resumed: list[bool] = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.show(pair)
        if client_ca:
            self.context.load_verify_locations(client_ca)
            self.context.verify_mode = ssl.CERT_REQUIRED
        super().__init__()

    def show(self, pair: str) -> None:
        """Go on with another certificate; the keys of tickets stay."""
        self.context.load_cert_chain(*split_pair(pair))

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), self.context.wrap_socket(connection, server_side=True) as secured:
            self.resumed.append(bool(secured.session_reused))
            secured.recv(4096)
            secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            secured.recv(4096)


class Taken(TestCase):
    """Sessions with a real server."""

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.where = folder(self)
        self.authority = Authority(self.where / "ca.pem")
        self.ca = str(self.where / "ca.pem")

        self.addCleanup(self.gone)

    @inlineCallbacks
    def gone(self) -> Any:
        """Wait until every connection is gone."""
        while any(isinstance(reader, Client) for reader in self.reactor.getReaders()):
            yield deferLater(self.reactor, 0.01)

    def serve(self, *names: str, client_ca: str = "") -> Server:
        server = Server(self.authority.issue(self.where / "server.pem", *names), client_ca)
        self.addCleanup(server.close)
        return server

    def ask(self, server: Server, host: str = "localhost", fetch: HttpFetch | None = None) -> "Deferred[Fetched]":
        fetch = fetch or HttpFetch(self.reactor, self.ca)
        return Deferred.fromCoroutine(fetch("GET", f"https://{host}:{server.port}/", 20))

    @inlineCallbacks
    def test_again(self) -> Any:
        """Each handshake but the first takes the session of the one before up, whoever in this process it was."""
        server, kept = self.serve("localhost"), trusting(self.ca)
        for _ in range(3):
            answer = yield self.ask(server)
            self.assertEqual(answer.body, b"ok")
        self.assertEqual(server.resumed, [False, True, True])
        self.assertIs(kept, trusting(self.ca))

    @inlineCallbacks
    def test_aborted(self) -> Any:
        """A connection that was aborted spoils its session for nobody."""
        server, fetch = self.serve("localhost"), HttpFetch(self.reactor, self.ca, most=1)
        for _ in range(3):
            error = yield self.assertFailure(self.ask(server, fetch=fetch), FetchError)
            self.assertIn("more than 1 bytes", str(error))
            yield self.gone()
            gc.collect()
        self.assertEqual(server.resumed, [False, True, True])

    @inlineCallbacks
    def test_not_elsewhere(self) -> Any:
        """A session is for one name and port: others see all of the handshake, and their name is checked."""
        server, other = self.serve("localhost", "127.0.0.1"), self.serve("localhost")
        other.context = server.context  # as if they shared their tickets' keys
        fetch = HttpFetch(self.reactor, self.ca)
        for where, host in ((server, "localhost"), (server, "127.0.0.1"), (other, "localhost")):
            yield self.ask(where, host, fetch)
        self.assertEqual((server.resumed, other.resumed), ([False, False], [False]))
        server.show(self.authority.issue(self.where / "else.pem", "localhost"))
        error = yield self.assertFailure(self.ask(other, "127.0.0.1", fetch), FetchError)
        self.assertIn("for another host", str(error))
        self.assertEqual(len(fetch._tls._sessions), 3)

    @inlineCallbacks
    def test_another_trust(self) -> Any:
        """Who trusts other certificates takes no session up that was made before, and doesn't trust the server."""
        server, fetch = self.serve("localhost"), HttpFetch(self.reactor, self.ca)
        yield self.ask(server, fetch=fetch)
        Authority(Path(self.ca))
        stranger = HttpFetch(self.reactor, self.ca)
        error = yield self.assertFailure(self.ask(server, fetch=stranger), FetchError)
        self.assertIn("certificate", str(error))
        yield self.ask(server, fetch=fetch)
        self.assertEqual(server.resumed[:: len(server.resumed) - 1], [False, True])

    @inlineCallbacks
    def test_another_pair(self) -> Any:
        """A dialler with another pair than before shows it: its session with the one before is gone."""
        server = self.serve("localhost", client_ca=self.ca)
        mine = self.where / "mine.pem"
        dialler = Dialler(Clock(), Heartbeat(Clock()), self.ca, certificate=self.authority.issue(mine, "web-1"))
        fetch = HttpFetch(self.reactor, self.ca)

        def ask() -> "Deferred[Fetched]":
            fetch._tls = dialler._tls_to("localhost", server.port).context
            return self.ask(server, fetch=fetch)

        yield ask()
        yield ask()
        self.assertEqual(server.resumed, [False, True])
        self.authority.issue(mine, "web-1")
        dialler.files[0].load()
        yield ask()
        yield ask()
        self.assertEqual(server.resumed, [False, True, False, True])


class Shared(SynchronousTestCase):
    """Contexts, and what they keep."""

    def setUp(self) -> None:
        self.where = folder(self)
        self.authority = Authority(self.where / "ca.pem")
        self.ca = str(self.where / "ca.pem")

    def test_one(self) -> None:
        """All who trust the same have one context; for a file that holds something else there is another one."""
        one = trusting(self.ca)
        (self.where / "copy.pem").write_bytes((self.where / "ca.pem").read_bytes())
        self.assertIs(trusting(str(self.where / "copy.pem")), one)
        self.assertIs(Dialler(Clock(), Heartbeat(Clock()), self.ca)._tls, one)
        self.assertIs(trusting(""), trusting(""))
        Authority(self.where / "ca.pem")
        self.assertIsNot(trusting(self.ca), one)

    def test_bounded(self) -> None:
        """Sessions are kept of so many places, of the last ones."""
        context = trusting(self.ca)
        for port in range(MOST + 2):
            context.keep(("localhost", port), Connected())
        self.assertEqual(list(context._sessions), [("localhost", port) for port in range(2, MOST + 2)])
        context.keep(("localhost", 2), Connected(None))
        self.assertNotIn(("localhost", 2), context._sessions)


class Connected(SSL.Connection):
    """A connection that has a session, or none."""

    def __init__(self, session: Any = ()) -> None:
        self.session = session

    def get_session(self) -> Any:
        return self.session


class Served(SynchronousTestCase):
    """Our own servers' sessions, as Python's own client takes them up."""

    def shake(self, server: ServerTls, context: ssl.SSLContext, name: str, before: Any = None) -> ssl.SSLObject:
        """Shake hands in memory, and hear a byte of the server, so that its tickets have come."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(incoming, outgoing, server_hostname=name, session=before)
        end = server.serverConnectionForTLS(None)
        end.set_accept_state()
        for _ in range(4):
            for turn in (client.do_handshake, end.do_handshake):
                try:
                    turn()
                except (ssl.SSLWantReadError, SSL.WantReadError):
                    pass
                if outgoing.pending:
                    end.bio_write(outgoing.read())
                if sealed := drain(end):
                    incoming.write(sealed)
        end.send(b"x")
        incoming.write(drain(end))
        self.assertEqual(client.read(1), b"x")
        self.shown = end.get_peer_certificate()
        return client

    def test_again(self) -> None:
        """A session is taken up with whichever certificate the name has chosen, and with who shows a certificate; not
        after the files were read again."""
        where = folder(self)
        authority = Authority(where / "ca.pem")
        pairs = tuple(authority.issue(where / f"{name}.pem", name) for name in ("a.example", "b.example"))
        server = ServerTls(pairs, str(where / "ca.pem"))
        server.load()
        context = ssl.create_default_context(cafile=str(where / "ca.pem"))
        context.load_cert_chain(*split_pair(authority.issue(where / "web-1.pem", "web-1")))
        for name in ("a.example", "b.example"):
            first = self.shake(server, context, name)
            second = self.shake(server, context, name, first.session)
            self.assertEqual((first.session_reused, second.session_reused), (False, True))
            self.assertEqual(there(first.session).ticket_lifetime_hint, 600)
            self.assertEqual(there(self.shown).get_subject().CN, "web-1")
        server.load()
        self.assertFalse(self.shake(server, context, "a.example", second.session).session_reused)
