"""One HTTP request to a program on loopback."""

import http.client
import json
import socket
from pathlib import Path
from typing import Any

from tests.live.support.secrets import SUITE
from tests.live.support.waiting import WAIT


class Answer:
    """An HTTP answer."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers = response.status, response.headers
        body = response.read()
        SUITE.answer("HTTP answer", self.status, self.headers.items(), body)
        self.text = body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class UnixConnection(http.client.HTTPConnection):
    """A connection to a program's unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=WAIT)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(WAIT)
        self.sock.connect(str(self.path))


def ask_socket(path: Path, asked: str) -> Answer:
    connection = UnixConnection(path)
    try:
        connection.request("GET", asked)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def ask(
    port: int,
    method: str,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
    source: str = "",
) -> Answer:
    """Ask, from another address of loopback than usual if one is given."""
    own = (source, 0) if source else None
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT, source_address=own)
    try:
        connection.request(method, path, body, headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()
