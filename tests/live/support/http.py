"""One HTTP request to a program on loopback."""

import http.client
import json
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


def ask(port: int, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT)
    try:
        connection.request(method, path, body, headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()
