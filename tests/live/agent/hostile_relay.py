"""A relay that means harm: it answers each dial as the row says that the URL names. And a platform that leads to it."""

import contextlib
import http.server
import json
import re
import socket
import threading
from collections.abc import Callable
from typing import Any

from tests.live.agent.hostile_relay_cases import RelayCase
from tests.live.support.raw import RawSocket, accept
from tests.live.support.threaded_server import ThreadedServer
from tests.live.support.waiting import WAIT


class Server(ThreadedServer):
    """A port whose every connection is served by a function."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._answer = serve
        super().__init__()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(WAIT)
            try:
                self._answer(connection)
            except OSError:
                pass  # the other end has had enough, as it should


class HostileRelay(Server):
    """Plays the case number N to whoever dials a path with ``/row-N``; keeps what it was told in return."""

    def __init__(self, cases: list[RelayCase]) -> None:
        self.cases = cases
        self.codes: dict[int, int] = {}
        """The close code that each row was answered with; 0 for none."""
        self.heard: dict[int, bytes] = {}
        """The stream's bytes that came."""
        self.ended = threading.Condition()
        super().__init__(self._play)

    def url(self, number: int) -> str:
        return f"ws://127.0.0.1:{self.port}/row-{number}"

    def _play(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            more = connection.recv(4096)
            if not more:
                return  # who dialled has left before all was asked
            head += more
        found = re.match(rb"GET /row-(\d+)/", head)
        key = re.search(rb"Sec-WebSocket-Key: (\S+)", head)
        assert found and key, head
        number = int(found[1])
        case = self.cases[number]
        answer = case.answer.replace(b"ACCEPT", accept(key[1].decode()).encode())
        try:
            # Whoever has had enough may be gone while there is more to send: what it has said can be read all the same.
            with contextlib.suppress(OSError):
                case.send(connection, answer + b"".join(case.frames))
            self._listen(connection, number, case)
        finally:
            with self.ended:
                self.codes.setdefault(number, 0)
                self.ended.notify_all()

    def _listen(self, connection: socket.socket, number: int, case: RelayCase) -> None:
        """Read the frames of the other end until it goes, and hold its close frame's code."""
        reader = Masked(connection)
        while True:
            try:
                opcode, payload = reader.frame()
            except (EOFError, OSError):
                return
            if opcode == 2:
                self.heard[number] = self.heard.get(number, b"") + payload
                if case.echoes:
                    connection.sendall(bytes((0x82, len(payload))) + payload)
            if opcode == 8:
                self.codes[number] = int.from_bytes(payload[:2], "big")
                return

    def code(self, number: int) -> int:
        """The close code that a row got, once it is over."""
        with self.ended:
            assert self.ended.wait_for(lambda: number in self.codes, WAIT), self.cases[number].name
            return self.codes[number]


class Masked(RawSocket):
    """Reads a client's frames, which must be masked."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket, self.buffer = connection, b""

    def frame(self) -> tuple[int, bytes]:
        first, second = self.take(2)
        if first & 0x70 or second < 0x80:
            raise AssertionError(f"a client sent {first:#x} {second:#x}")
        size = second & 127
        if size > 125:
            size = int.from_bytes(self.take(2 if size == 126 else 8), "big")
        key, payload = self.take(4), self.take(size)
        return first & 15, bytes(byte ^ key[at & 3] for at, byte in enumerate(payload))


class LeadingPlatform:
    """Answers ``POST /v1/streams`` with a URL of the hostile relay: the target ``row-N`` leads to row N."""

    def __init__(self, url: Callable[[int], str]) -> None:
        class Request(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                number = int(wanted["target"].removeprefix("row-"))
                stream: dict[str, Any] = {"stream": "s" * 22, "url": f"{url(number)}/client/{'t' * 22}", "kind": "tcp"}
                body = json.dumps(stream).encode()
                self.send_response(201)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words: object) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Request)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
