"""A request of the platform's HTTP API, refused before its resource is looked for: too long, of no host, no room."""

from typing import Final

from twisted.web.server import Request

from streamrelay.errors import Refused
from streamrelay.platform.http.responses import send_problem
from streamrelay.websocket.request_grammar import HOST

MAX_BODY: Final = 16384
"""Bytes of a request's body. Twisted bounds its head: 16 KiB, 500 headers."""


class BoundedRequest(Request):
    """A request whose body is no longer than `MAX_BODY`, and which names one host."""

    def gotLength(self, length: int | None) -> None:
        """Answer 411 to a body without a length (it comes in chunks; no client of this API needs that), 413 to one
        that is too long, and close the connection."""
        super().gotLength(length)
        if length is None or length > MAX_BODY:
            status = b"411 Length Required" if length is None else b"413 Content Too Large"
            self.channel.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.channel.loseConnection()

    def process(self) -> None:
        """Answer 503 if there is no room, and 400 to a request without a Host, which HTTP/1.0 alone may lack, with
        several, or with one that can be none (RFC 9112 §3.2)."""
        hosts = self.requestHeaders.getRawHeaders(b"host", [])
        malformed = any(HOST.fullmatch(host.decode("latin-1").strip("\t ")) is None for host in hosts)
        if getattr(self.channel, "turned_away", False):
            send_problem(self, Refused(503, "the platform has too many connections", retry_after=2))
        elif malformed or len(hosts) > 1 or (not hosts and self.clientproto == b"HTTP/1.1"):
            send_problem(self, Refused(400, "expected one Host"))
        else:
            super().process()
