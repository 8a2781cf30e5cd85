"""What a hostile relay does to those who dial it: bad answers, and bad frames behind a good one."""

import socket
import struct
import time
from collections.abc import Callable
from typing import NamedTuple

from tests.live.support.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, header
from tests.live.support.raw import frame as any_frame

GOOD = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: ACCEPT\r\nSec-WebSocket-Protocol: streamrelay.v1\r\n\r\n"
)
MET_WORDS = b'{"met":{"mode":"v1","from":"192.0.2.7:4711"}}'


def at_once(connection: socket.socket, data: bytes) -> None:
    connection.sendall(data)


def and_close(connection: socket.socket, data: bytes) -> None:
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def and_reset(connection: socket.socket, data: bytes) -> None:
    connection.sendall(data)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def dripping(connection: socket.socket, data: bytes) -> None:
    """A byte every 50 ms, until the other end has had enough."""
    for at in range(len(data)):
        connection.sendall(data[at : at + 1])
        time.sleep(0.05)


def in_bytes(connection: socket.socket, data: bytes) -> None:
    """Byte by byte, as fast as it goes."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(len(data)):
        connection.sendall(data[at : at + 1])


def for_seconds(connection: socket.socket, data: bytes) -> None:
    """The last 10,000 bytes again and again, for a second, and nothing is read."""
    connection.sendall(data)
    end = time.monotonic() + 1
    while time.monotonic() < end:
        connection.sendall(data[-10_000:])


class RelayCase(NamedTuple):
    """`answer` is the relay's to the request, `frames` follow it; ``ACCEPT`` stands for the right one.

    `says` is what the one who dialled must say of it. `code` is the close code that it must send, None if any will do.
    """

    name: str
    answer: bytes = GOOD
    frames: tuple[bytes, ...] = ()
    says: str = ""
    code: int | None = None
    send: Callable[[socket.socket, bytes], None] = at_once
    echoes: bool = False


def changed(old: bytes, new: bytes) -> bytes:
    assert old in GOOD
    return GOOD.replace(old, new)


def answered(status: str, body: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode("latin-1")


UNFRAMED = [
    RelayCase("a wrong accept", changed(b"ACCEPT", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), says="Accept"),
    RelayCase("the key as accept", changed(b"ACCEPT", b"dGhlIHNhbXBsZSBub25jZQ=="), says="Accept"),
    RelayCase("an accept and more", changed(b"ACCEPT", b"ACCEPTx"), says="Accept"),
    RelayCase("an empty accept", changed(b"ACCEPT", b""), says="Accept"),
    RelayCase("no accept", changed(b"Sec-WebSocket-Accept: ACCEPT\r\n", b""), says="Accept"),
    RelayCase("two accepts", changed(b"\r\n\r\n", b"\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n"), says="Accept"),
    RelayCase("no upgrade", changed(b"Upgrade: websocket\r\n", b""), says="Upgrade"),
    RelayCase("another upgrade", changed(b"Upgrade: websocket", b"Upgrade: h2c"), says="Upgrade"),
    RelayCase("no connection", changed(b"Connection: Upgrade\r\n", b""), says="Connection"),
    RelayCase("another connection", changed(b"Connection: Upgrade", b"Connection: close"), says="Connection"),
    RelayCase("a subprotocol not offered", changed(b"streamrelay.v1", b"binary"), says="subprotocol"),
    RelayCase("the subprotocol in capitals", changed(b"streamrelay.v1", b"STREAMRELAY.V1"), says="subprotocol"),
    RelayCase("two subprotocols", changed(b"streamrelay.v1", b"streamrelay.v1, binary"), says="subprotocol"),
    RelayCase("the subprotocol twice", changed(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: streamrelay.v1\r\n\r\n"),
        says="Protocol"),
    *(RelayCase(f"the extension {name}", changed(b"\r\n\r\n",
        f"\r\nSec-WebSocket-Extensions: {name}\r\n\r\n".encode()), says="extension")
      for name in ("permessage-deflate", "permessage-deflate; server_max_window_bits=10", "x-unknown", "x; y=z, w",
                   "permessage-deflate; bad=1")),
    *(RelayCase(f"status {status}", answered(status, "no\n"), says=status[:3])
      for status in ("200 OK", "100 Continue", "204 No Content", "301 Moved",
          "302 Found\r\nLocation: ws://127.0.0.1:9/", "400 Bad",
                     "401 Unauthorized", "403 Forbidden", "404 Not Found", "407 Proxy", "426 Upgrade", "500 Oops",
                         "503 Full")),
    RelayCase("status 102", changed(b"101 Switching", b"102 Switching"), says="102"),
    RelayCase("a status that is no number", changed(b"101", b"1O1"), says="status"),
    RelayCase("HTTP/1.0", changed(b"HTTP/1.1", b"HTTP/1.0"), says="version"),
    RelayCase("HTTP/2", changed(b"HTTP/1.1", b"HTTP/2"), says="version"),
    RelayCase("no status line", GOOD.split(b"\r\n", 1)[1], says="version"),
    RelayCase("an empty line", b"\r\n\r\n", says="status line"),
    RelayCase("words that take a terminal over", answered("599 \x1b[2J\x1b]0;owned\x07\xc2\x9bx", "x"),
        says="[599]: ?[2J?]0;owned?"),
    RelayCase("a status line of 5000 characters", answered("500 " + "x" * 5000), says="[500]: xxxx"),
    RelayCase("bytes that aren't text", b"HTTP/1.1 101 \xff\xfe\r\n\r\n", says="not HTTP"),
    RelayCase("garbage", bytes(range(256)) * 80, says="over 16384"),
    RelayCase("garbage and an end", b"\x00\x01\x02\r\n\r\n", says="HTTP"),
    RelayCase("a TLS alert", b"\x15\x03\x03\x00\x02\x02\x28", says="closed before", send=and_close),
    RelayCase("another protocol", b"SSH-2.0-OpenSSH_9.9\r\n", says="closed before", send=and_close),
    RelayCase("an endless header", b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"x" * 100_000, says="over 16384"),
    RelayCase("endless headers", b"HTTP/1.1 101 Switching Protocols\r\n" + b"X: y\r\n" * 20000, says="over 16384"),
    RelayCase("nothing, and an end", b"", says="closed before", send=and_close),
    RelayCase("nothing, and a reset", b"", says="", send=and_reset),
    RelayCase("half an answer, and an end", GOOD[:60], says="closed before", send=and_close),
    RelayCase("half an answer, and a reset", GOOD[:60], says="", send=and_reset),
]  # fmt: skip
"""The dial must fail."""

SLOW = [
    RelayCase("nothing at all", b"", says="no answer within 10 s"),
    RelayCase("half an answer", GOOD[:60], says="no answer within 10 s"),
    RelayCase(
        "a slow answer",
        b"HTTP/1.1 101 Switching Protocols\r\n" + b"X: y\r\n" * 100,
        says="no answer within 10 s",
        send=dripping,
    ),
]
"""The dial must be given up."""


def frame(opcode: int, payload: bytes = b"", **more: object) -> bytes:
    return any_frame(opcode, payload, None, **more)


def close(code: int, reason: bytes = b"why") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason)


FAULTS = [
    *(RelayCase(f"a masked frame, opcode {opcode}", frames=(any_frame(opcode, b"\x03\xe8"),), says="a masked frame",
        code=1002)
      for opcode in (TEXT, BINARY, CLOSE, PING)),
    *(RelayCase(f"reserved bits {bits:03b}", frames=(frame(BINARY, b"x", reserved=bits),), says="reserved bits",
        code=1002)
      for bits in (1, 2, 4, 7)),
    *(RelayCase(f"opcode {opcode}", frames=(frame(opcode, b"x"),), says="opcode", code=1002) for opcode in (3, 7, 11,
        15)),
    *(RelayCase(f"a long control frame, opcode {opcode}", frames=(frame(opcode, b"x" * 126),), says="over 125 bytes",
        code=1002)
      for opcode in (CLOSE, PING, PONG)),
    RelayCase("a fragmented ping", frames=(frame(PING, b"x", final=False),), says="fragmented", code=1002),
    RelayCase("a length that isn't minimal", frames=(frame(BINARY, b"x", form=8),), says="shortest form", code=1002),
    RelayCase("a negative length", frames=(header(BINARY, 1 << 63, 8, masked=False),), says="negative", code=1002),
    RelayCase("a length of 2^62", frames=(header(BINARY, 1 << 62, 8, masked=False),), says="a frame of", code=1009),
    RelayCase("a continuation of nothing", frames=(frame(CONTINUATION, b"x"),), says="continuation", code=1002),
    RelayCase("a control message that isn't UTF-8", frames=(frame(TEXT, b'{"a":"\xff"}'),), says="UTF-8", code=1007),
    RelayCase("a control message that isn't JSON", frames=(frame(TEXT, b"hello"),), says="bad control message",
        code=1002),
    RelayCase("a list", frames=(frame(TEXT, b"[1]"),), says="bad control message", code=1002),
    RelayCase("a nest", frames=(frame(TEXT, b'{"a":' + b"[" * 4000),), says="bad control message", code=1002),
    RelayCase("a control message that is too big", frames=(frame(TEXT, b'{"a":"' + b"x" * 5000 + b'"}'),), says="4096",
        code=1009),
    RelayCase("a flood of control messages", frames=(frame(TEXT, b"{}") * 500,), says="too many control messages",
        code=1008),
    RelayCase("a bad size", frames=(frame(TEXT, b'{"resize":[0,0]}'),), says="bad control message", code=1002),
    RelayCase("an exit status that is none", frames=(frame(TEXT, b'{"exit":99999999999999999999}'),),
        says="bad control message", code=1002),
    RelayCase("bytes after an end of file", frames=(frame(TEXT, b'{"eof":true}'), frame(BINARY, b"x")), code=1002),
    *(RelayCase(f"close code {code}", frames=(close(code),), says="may not be sent", code=1002)
      for code in (0, 999, 1004, 1005, 1006, 1015, 2000, 2999, 5000, 65535)),
    RelayCase("half a close code", frames=(frame(CLOSE, b"\x03"),), says="half a code", code=1002),
    RelayCase("a close reason that isn't UTF-8", frames=(close(4001, b"\xff"),), says="UTF-8", code=1007),
    RelayCase("a reason that takes a terminal over", frames=(close(4001, b"\x1b[2Jowned\r\nfake: line\x07"),),
            says="?[2Jowned??fake: line?", code=4001),
    RelayCase("an unknown code", frames=(close(4711),), says="4711", code=4711),
    RelayCase("going away", frames=(close(1001, b""),), says="shutting down", code=1001),
    RelayCase("byte by byte", frames=(frame(TEXT, b"{}"), frame(3)), says="opcode", code=1002, send=in_bytes),
    RelayCase("an end without a close", says="", send=and_close),
    RelayCase("a reset", says="", send=and_reset),
]  # fmt: skip
"""Both the agent and the client must end the stream."""

NOT_MET = [
    *(RelayCase(f"met: {words.decode()}", frames=(frame(TEXT, words),), says="bad control message", code=1002)
      for words in (b'{"met":1}', b'{"met":[]}', b'{"met":{}}', b'{"met":{"mode":7}}', b'{"met":{"mode":"v2"}}',
                    b'{"met":{"mode":"v1","from":1}}', b'{"met":{"mode":"v1","from":"a\\u001b[2J"}}',
                    b'{"met":{"mode":"v1","from":"a\\nfake line"}}',
                    b'{"met":{"mode":"v1","from":"' + b"x" * 101 + b'"}}')),
    RelayCase("bytes before met", frames=(frame(BINARY, b"early"), frame(TEXT, MET_WORDS)),
        says="before the client has come", code=1002),
    RelayCase("an end of file before met", frames=(frame(TEXT, b'{"eof":true}'), frame(TEXT, MET_WORDS)),
            says="before the client has come", code=1002),
    RelayCase("a flood of bytes before met", frames=(frame(BINARY, b"x" * 9996),), says="before the client has come",
        code=1002,
            send=for_seconds),
    RelayCase("never met", code=4004),
    RelayCase("pings, and never met", frames=((frame(PING, b"x" * 98) * 100),), send=for_seconds),
]  # fmt: skip
"""The agent must give up its leg before it is met."""

HARMLESS = [
    RelayCase("good", frames=(frame(TEXT, MET_WORDS),), echoes=True),
    RelayCase("met twice", frames=(frame(TEXT, MET_WORDS) * 2,), echoes=True),
    RelayCase("unknown messages around met", frames=(frame(TEXT, b'{"x":1}'), frame(TEXT, MET_WORDS), frame(TEXT,
        b'{"y":1}')), echoes=True),
    RelayCase("pings and pongs", frames=(frame(PING, b"?"), frame(TEXT, MET_WORDS), frame(PONG, b"!"), frame(PING)),
        echoes=True),
    RelayCase("met in fragments", frames=(frame(TEXT, MET_WORDS[:9], final=False), frame(PING), frame(CONTINUATION,
        MET_WORDS[9:])),
            echoes=True),
    RelayCase("met by bytes", frames=(frame(TEXT, MET_WORDS),), send=in_bytes, echoes=True),
    RelayCase("odd headers", changed(b"\r\n\r\n", b"\r\nX: \t\r\nno colon\r\nServer: x\r\n\r\n"), (frame(TEXT,
        MET_WORDS),), echoes=True),
]  # fmt: skip
"""The stream must work."""


def after_met(case: RelayCase) -> RelayCase:
    """The same once the agent has spliced its target."""
    return case._replace(name=f"after met: {case.name}", frames=(frame(TEXT, MET_WORDS), *case.frames))
