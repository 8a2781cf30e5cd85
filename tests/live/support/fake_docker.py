"""What answers as Docker's API as a test says, truly or not."""

import json
import re
import socket
import socketserver
import threading
from collections.abc import Callable
from typing import Any

ID = "a1" * 32
COMMAND = "b2" * 32
Answer = Callable[[socket.socket], None]


def told(status: str, body: object, *more: str) -> Answer:
    """An answer in good form."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = (f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Connection: close", *more)
    return lambda peer: peer.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + content)


def endless(head: bytes, piece: bytes) -> Answer:
    """An answer that goes on until its reader leaves, or 256 MiB were taken."""

    def send(peer: socket.socket) -> None:
        peer.sendall(head)
        for _ in range((256 << 20) // len(piece)):
            peer.sendall(piece)

    return send


def hang(peer: socket.socket) -> None:
    """Say nothing until the other end leaves."""
    while peer.recv(65536):
        pass


def upgrade(peer: socket.socket) -> None:
    """Let a command begin that never ends."""
    peer.sendall(b"HTTP/1.1 101 UPGRADED\r\n\r\n# ")
    hang(peer)


class LyingDocker(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A server at a unix socket that answers as a test says."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str) -> None:
        self.answers: dict[str, Answer] = {}
        """By method and path, without the query; what isn't here is as it should be."""
        self.asked: list[str] = []
        """The first lines of all requests, and the bodies of commands that were made."""
        self.open: list[str] = []
        """Of what is asked on connections that the agent has not closed, the first lines."""
        super().__init__(path, socketserver.BaseRequestHandler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def usual(self, place: str, detached: bool) -> Answer:
        container = {"Id": ID, "Name": "/c", "State": {"Status": "running", "Running": True}, "Config": {"Tty": False}}
        if detached:
            return told("200 OK", b"")
        if place.endswith("/start"):
            return upgrade
        if place.endswith("/exec"):
            return told("201 Created", {"Id": COMMAND})
        if place.startswith(f"GET /exec/{COMMAND}"):
            return told("200 OK", {"Running": False, "ExitCode": 3})
        if place.endswith("/logs"):
            return told("200 OK", b"")
        return told("404 Not Found", {"message": "no"}) if "libpod" in place else told("200 OK", container)

    def finish_request(self, request: Any, client_address: Any) -> None:
        line = ""
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                head += request.recv(65536) or b"\r\n\r\n"
            text = head.decode("latin-1")
            length = int((re.search(r"Content-Length: (\d+)", text, re.IGNORECASE) or [0, 0])[1])
            body = text.partition("\r\n\r\n")[2]
            while len(body) < length:
                body += request.recv(65536).decode("latin-1")
            line = text.split(" HTTP/1.1", 1)[0]
            self.asked.append(f"{line} {body}" if line.endswith("/exec") else line)
            place = line.split("?", 1)[0]
            self.open.append(line)
            self.answers.get(place, self.usual(place, '"Detach":true' in body))(request)
        except OSError:
            pass  # the agent has left
        finally:
            if line:
                self.open.remove(line)
