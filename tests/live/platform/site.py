"""A web server of somebody else: the issuer's keys, or the system that is asked. It counts what it is asked."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from attrs import define


@define(frozen=True)
class Asked:
    """One request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Site:
    """Answers each request as the test says: status, body, and headers; or after a time; or with raw bytes."""

    def __init__(self, certificate: Path | None = None, key: Path | None = None) -> None:
        self.asked: list[Asked] = []
        self.answer(200)
        self.gone = threading.Event()
        self._server = _Quiet(("127.0.0.1", 0), type("Answering", (_Answering,), {"site": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate, key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self.url = f"https://localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(
        self, status: int, body: bytes = b"", headers: dict[str, str] | None = None, after: float = 0, raw: bytes = b""
    ) -> None:
        self.status, self.body, self.headers, self.after, self.raw = status, body, headers or {}, after, raw

    def close(self) -> None:
        self.gone.set()
        self._server.shutdown()
        self._server.server_close()


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asks may hang up; that is nobody's error."""


class _Answering(BaseHTTPRequestHandler):
    site: Site
    protocol_version = "HTTP/1.1"

    def _respond(self) -> None:
        site = self.site
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        site.asked.append(Asked(self.command, self.path, {**self.headers}, body))
        self.close_connection = True
        if site.after:
            site.gone.wait(site.after)
        if site.raw:
            self.wfile.write(site.raw)
            return
        self.send_response(site.status)
        for name, value in {"Content-Length": str(len(site.body)), **site.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(site.body)

    do_GET = do_POST = _respond

    def log_message(self, *arguments: Any) -> None: ...
