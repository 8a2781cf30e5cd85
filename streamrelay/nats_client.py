"""How a connection to NATS begins: nats-py's client, with TLS and credentials as we want them."""

import ssl
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from nats import errors as nats_errors
from nats.aio.client import Client

from streamrelay.certificates import split_pair
from streamrelay.credentials import Credentials
from streamrelay.errors import ConfigError
from streamrelay.files import read_secret

PORT: Final = 4222


class Withheld(nats_errors.Error):
    """Nothing was said to the server: not here, or not by these credentials."""


class NatsClient(Client):
    """nats-py's client, which shows its credentials and certificate as their files hold them now, and nothing in plain.

    nats-py by itself keeps the public key that it read first, hangs on a credentials file without a JWT, and goes on in
    plain where a server, or who poses as one, doesn't ask for TLS. `plain` are the places where that is allowed.
    """

    def __init__(
        self,
        plain: frozenset[tuple[str | None, int]],
        load: Callable[[], Credentials | None],
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
    ) -> None:
        super().__init__()
        self._plain_places, self._load_credentials, self._load_tls = plain, load, tls

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """Asked for at every connection."""
        return self._load_tls() or super().ssl_context

    def _connect_command(self) -> bytes:
        """The first that a server hears of us."""
        server = self._current_server
        if not self._is_encrypted() and (server is None or place(server.uri.geturl()) not in self._plain_places):
            raise Withheld("the server offers no TLS, and its URL is not nats://")
        try:
            shown = self._load_credentials()
        except ConfigError as error:
            raise Withheld(str(error)) from None
        if shown is not None:
            self._auth_configured = True
            self._signature_cb = shown.sign
            if shown.jwt:
                self._user_jwt_cb = shown.jwt.encode
            else:
                self._public_nkey = shown.public
        return super()._connect_command()

    def _is_encrypted(self) -> bool:
        writer = getattr(self._transport, "_io_writer", None)
        return writer is not None and writer.get_extra_info("ssl_object") is not None


def place(url: str) -> tuple[str | None, int]:
    parts = urlsplit(url)
    return parts.hostname, parts.port or PORT


def tls_context(ca: str, pair: str) -> ssl.SSLContext:
    """TLS that trusts `ca`, or the system's certificates, and shows a certificate of ours if there is one."""
    try:
        context = ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{ca}: can't be used as certificates: {error}") from None
    if pair:
        certificate, key = split_pair(pair)
        read_secret(key, "private key")
        try:
            context.load_cert_chain(certificate, key, password=lambda: "")
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"{certificate} with {key}: can't be used as certificate and key: {error}") from None
    return context
