"""nats_client.py: what a server hears of us before it has proved itself."""

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.bus import credentials
from streamrelay.bus.connection import Bus
from streamrelay.bus.nats_client import NatsClient
from streamrelay.bus.tls import tls_context
from streamrelay.errors import ConfigError
from tests.bus.test_credentials import CREDS, JWT
from tests.examples import there
from tests.fakes.files import folder
from tests.fakes.reactors import awaited

INFO = {"server_id": "x", "version": "2.10.0", "max_payload": 1 << 20, "headers": True, "nonce": "abc"}


Load = Callable[[], credentials.Credentials | None]


class Given(Exception):
    """The first error that nats-py reports."""


class Server:
    """A server that says INFO, offers no TLS, and keeps what it hears."""

    def __init__(self) -> None:
        self.heard = b""

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"INFO {json.dumps(INFO)}\r\n".encode())
        while line := await reader.readline():
            self.heard += line
            if line == b"PING\r\n":
                writer.write(b"PONG\r\n")
        writer.close()

    def connect(self, scheme: str, plain: bool, load: Load = lambda: None) -> dict[str, Any]:
        """What a client says first, as a table."""
        return awaited(self._connect(scheme, plain, load))

    async def _connect(self, scheme: str, plain: bool, load: Load) -> dict[str, Any]:
        server = await asyncio.start_server(self.meet, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = NatsClient(frozenset([("127.0.0.1", port)] if plain else []), load)

        async def give_up(error: Exception) -> None:
            raise Given(str(error))

        try:
            await client.connect(f"{scheme}://somebody:hidden@127.0.0.1:{port}", error_cb=give_up, connect_timeout=60)
        finally:
            await client.close()
            server.close()
            await asyncio.sleep(0.02)
        said: dict[str, Any] = json.loads(self.heard.split(b"\r\n")[0].removeprefix(b"CONNECT "))
        return said


class First(SynchronousTestCase):
    """The first line to a server."""

    def setUp(self) -> None:
        self.server = Server()
        self.seed, self.public = credentials.generate()
        self.path = folder(self) / "secret"

    def load(self, creds: bool = False) -> credentials.Credentials | None:
        return credentials.load("" if creds else str(self.path), str(self.path) if creds else "")

    def write(self, text: str) -> None:
        self.path.write_text(text)
        self.path.chmod(0o600)

    def test_no_tls(self) -> None:
        """A server at tls:// that offers no TLS hears nothing at all: no password, no key, no signature."""
        self.write(self.seed.decode())
        for scheme in ("tls", "nats"):
            error = self.assertRaises(Given, self.server.connect, scheme, False, self.load)
            self.assertIn("no TLS", str(error))
            self.assertNotIn("hidden", str(error))
        self.assertEqual(self.server.heard, b"")

    def test_nkey(self) -> None:
        """Where plain is allowed the public key is shown, and that its seed is ours."""
        self.write(self.seed.decode())
        said = self.server.connect("nats", True, self.load)
        self.assertEqual((said["nkey"], "pass" in said, "jwt" in said), (self.public, False, False))
        self.assertEqual(said["sig"], there(self.load()).sign("abc").decode())
        self.assertNotIn(self.seed, self.server.heard)

    def test_jwt(self) -> None:
        """A credentials file brings its JWT."""
        self.write(CREDS.format(jwt=JWT, seed=self.seed.decode()))
        said = self.server.connect("nats", True, lambda: self.load(True))
        self.assertEqual((said["jwt"], "nkey" in said), (JWT, False))

    def test_password(self) -> None:
        """Without a file the URL's user is shown."""
        said = self.server.connect("nats", True)
        self.assertEqual((said["user"], said["pass"]), ("somebody", "hidden"))

    def test_broken_file(self) -> None:
        """A file that has become wrong is an error of this attempt, so that the next one may find it mended."""
        self.write("")
        for creds in (False, True):
            error = self.assertRaises(Given, self.server.connect, "nats", True, lambda creds=creds: self.load(creds))
            self.assertIn(str(self.path), str(error))
        self.assertEqual(self.server.heard, b"")


class Certificates(SynchronousTestCase):
    """TLS of our own."""

    def test_renewed(self) -> None:
        """A renewed certificate counts from the next connection on; a broken one leaves the one before in force."""
        where = folder(self)
        cert, key = self.pair(where, "a")
        bus = Bus(("tls://127.0.0.1:1",), "test", ca=cert, certificate=f"{cert},{key}")
        client = NatsClient(frozenset(), lambda: None, lambda: bus._tls)
        first = client.ssl_context
        bus.files.refresh()
        self.assertIs(client.ssl_context, first)
        Path(cert).write_text("broken")
        bus.files.refresh()
        self.assertIs(client.ssl_context, first)
        self.pair(where, "a")
        bus.files.refresh()
        self.assertIsNot(client.ssl_context, first)
        self.assertNotEqual(client.ssl_context.get_ca_certs(), first.get_ca_certs())

    def pair(self, where: Path, name: str) -> tuple[str, str]:
        cert, key = where / f"{name}.pem", where / f"{name}.key"
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x"
        subprocess.run([*command.split(), "-keyout", key, "-out", cert], check=True, capture_output=True)
        key.chmod(0o600)
        return str(cert), str(key)

    def test_own(self) -> None:
        """A certificate goes with its own key alone, which nobody else may read; files are named in errors."""
        where = folder(self)
        cert, key = self.pair(where, "a")
        other, other_key = self.pair(where, "b")
        tls_context("", f"{cert},{key}")
        for wrong in ((other, key), (cert, other_key), (key, key), (str(where / "none"), key)):
            self.assertIn(wrong[0], str(self.assertRaises(ConfigError, tls_context, "", ",".join(wrong))))
        self.assertIn("none", str(self.assertRaises(ConfigError, tls_context, "", f"{cert},{where}/none")))
        Path(key).chmod(0o640)
        self.assertIn("chmod 600", str(self.assertRaises(ConfigError, tls_context, "", f"{cert},{key}")))
