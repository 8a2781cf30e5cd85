"""Opening requests and the status that answers each (RFC 6455 §4.2, RFC 9112; protocol.rst, "Refused before 101")."""

from typing import Any, NamedTuple

from tests.live.support.raw import HEADERS, NONCE, TOKEN, frame, request

ORIGIN = "https://panel.example"
"""The one that the relay allows."""
LIMIT = 16384


class Row(NamedTuple):
    """`status` is 0 where the connection is cut without an answer. `head` must stand in the answer."""

    name: str
    sent: bytes
    status: int
    head: str = ""


def line(text: str) -> bytes:
    return request(text)


def path(text: str) -> bytes:
    return request(f"GET {text} HTTP/1.1")


def changed(changes: dict[str, str | None], more: bytes = b"") -> bytes:
    """A good request with other headers; None: without."""
    named: dict[str, Any] = {**changes}
    return request(more=more, **named)


def extra(text: bytes) -> bytes:
    """A good request with one more line."""
    return request(more=text + b"\r\n")


def sized(size: int) -> bytes:
    """A good request of so many bytes."""
    return request(X=f"{'x' * (size - len(request(X='')))}")


REQUEST_LINES = [
    Row("good", request(), 101, "Upgrade: WebSocket\r\nConnection: Upgrade\r\n"),
    *(Row(f"method {method!r}", line(f"{method} /client/{TOKEN} HTTP/1.1"), 405)
      for method in ("POST", "HEAD", "get", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "GETT", "M-SEARCH")),
    Row("version 'HTTP/1.0'", line(f"GET /client/{TOKEN} HTTP/1.0"), 426),
    *(Row(f"version {version!r}", line(f"GET /client/{TOKEN} {version}"), 505)
      for version in ("HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "HTTP/9.9")),
    *(Row(f"version {version!r}", line(f"GET /client/{TOKEN} {version}"), 400)
      for version in ("http/1.1", "HTTP/1", "HTTP/11.1", "HTTP/1.10", "HTTP/1.1 ", "HTTP /1.1", "HTTPS/1.1", "HTTP/1,1",
                      "HTTP/1.1\t", "HTTP/-1.1", "FTP/1.1", "HTTP/1.1 HTTP/1.1", "")),
    *(Row(f"line {text!r}", line(text), 400)
      for text in ("", " ", "GET", "GET ", f"GET  /client/{TOKEN} HTTP/1.1", f"GET /client/{TOKEN}  HTTP/1.1",
                   f"GET\t/client/{TOKEN}\tHTTP/1.1", f" GET /client/{TOKEN} HTTP/1.1", "GET  HTTP/1.1",
                   f"G@T /client/{TOKEN} HTTP/1.1", f"GET /client/{TOKEN}", f"GET\x0b/client/{TOKEN} HTTP/1.1",
                   f"GET\xa0/client/{TOKEN} HTTP/1.1", "\r", "\x00", "\x16\x03\x01\x02")),
    Row("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 508, 400),
    Row("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 405),
    Row("empty line before", b"\r\n" + request(), 400),
    Row("line feeds alone, then an empty line", request().replace(b"\r\n", b"\n") + b"\r\n\r\n", 400),
    Row("one line feed alone", request().replace(b"\r\nUpgrade", b"\nUpgrade"), 400),
    Row("carriage return alone", request().replace(b"\r\nUpgrade", b"\rUpgrade"), 400),
]  # fmt: skip

PATHS = [
    *(Row(f"path {text!r}", path(text), 404)
      for text in ("/", "*", "/client/", "/agent/", "/clientx", f"/CLIENT/{TOKEN}", f"//client/{TOKEN}", "/x",
                   f"/client?t={TOKEN}", f"/../client/{TOKEN}", f"/./client/{TOKEN}", f"/relay/{TOKEN}", "client",
                   f"http://relay.example/client/{TOKEN}", f"/%63lient/{TOKEN}", f"/client\\{TOKEN}", "/favicon.ico",
                   f"/client;{TOKEN}", f"x/client/{TOKEN}", f"ws://relay.example/client/{TOKEN}", "relay.example:80")),
    *(Row(f"path {text!r}", path(text), 401)
      for text in ("/client", "/agent", f"/client//{TOKEN}", f"/client/{TOKEN}/", f"/client/{TOKEN}?x=1",
                   f"/client/{TOKEN}%20", f"/client/%54{TOKEN[1:]}", f"/client/{TOKEN[1:]}", f"/client/{TOKEN}.",
                   f"/client/{'T' * 257}", f"/client/{TOKEN}~", f"/client/..{TOKEN}", f"/client/{TOKEN},{TOKEN}",
                   f"/client/{TOKEN}%00", f"/client/{TOKEN}%0d%0aX:y", "/client/null", f"/client/{'T' * 7000}")),
    *(Row(f"path {text!r}", path(text), 400)
      for text in (f"/client/{TOKEN}#part", f"/client/{TOKEN}\x00", f"/client/{TOKEN}\x7f", f"/client/{TOKEN}\xe9",
                   f"/client/{TOKEN}\tx", f"/client/{TOKEN}\x85", f"/client/{TOKEN}\x1b[2J", f"/client/ {TOKEN}",
                   f"/client/{TOKEN}\r", f"/client/{TOKEN}\x0b", "http://[x")),
    Row("agent's path", path(f"/agent/{TOKEN}"), 101),
    Row("256 characters", path(f"/client/{TOKEN}{'u' * 234}"), 101),
    Row("all that a token may have", path(f"/client/{TOKEN}-_azAZ09"), 101),
]  # fmt: skip

TOKENS = [
    Row("bearer", request("GET /client HTTP/1.1", Authorization=f"Bearer {TOKEN}"), 101),
    Row("bearer, small", request("GET /client HTTP/1.1", Authorization=f"bearer {TOKEN}"), 101),
    Row("bearer, blanks", request("GET /client HTTP/1.1", Authorization=f"Bearer   {TOKEN} "), 101),
    Row("no bearer", request("GET /client HTTP/1.1", Authorization=f"Basic {TOKEN}"), 401),
    Row("bearer alone", request("GET /client HTTP/1.1", Authorization="Bearer"), 401),
    Row("two in one", request("GET /client HTTP/1.1", Authorization=f"Bearer {TOKEN}, Bearer {TOKEN}"), 401),
    Row("path and bearer", request(Authorization=f"Bearer {TOKEN}"), 400),
    Row("path and subprotocol", request(Sec_WebSocket_Protocol=f"token.{TOKEN}"), 400),
    Row("another scheme beside the path", request(Authorization="Basic eA=="), 101),
    Row("two headers", request("GET /client HTTP/1.1", f"Authorization: Bearer {TOKEN}\r\n".encode() * 2), 400),
    Row("subprotocol", request("GET /client HTTP/1.1", Sec_WebSocket_Protocol=f"token.{TOKEN}"), 101),
    Row("subprotocol among others",
        request("GET /agent HTTP/1.1", Sec_WebSocket_Protocol=f"binary, token.{TOKEN}"), 101, "Protocol: binary\r\n"),
    Row("two subprotocols",
        request("GET /client HTTP/1.1", Sec_WebSocket_Protocol=f"token.{TOKEN}, token.u{TOKEN[1:]}"), 400),
    Row("Token in capitals", request("GET /client HTTP/1.1", Sec_WebSocket_Protocol=f"Token.{TOKEN}"), 401),
    Row("empty token", request("GET /client HTTP/1.1", Sec_WebSocket_Protocol="token."), 401),
    Row("cookie", request("GET /client HTTP/1.1", Cookie=f"token={TOKEN}"), 401),
]  # fmt: skip

HEADER_ROWS = [
    *(Row(f"without {name}", changed({name: None}), 426 if name == "Upgrade" else 400) for name in HEADERS),
    *(Row(f"empty {name}", changed({name: ""}), 101 if name == "Host" else 400) for name in HEADERS),
    *(Row(f"{name} in capitals", changed({name: None, name.upper(): HEADERS[name]}), 101) for name in HEADERS),
    *(Row(f"{name} in small letters", changed({name: None, name.lower(): HEADERS[name]}), 101) for name in HEADERS),
    *(Row(f"{name} without a blank", changed({name: None}, f"{name}:{HEADERS[name]}\r\n".encode()), 101)
      for name in HEADERS),
    *(Row(f"{name} among blanks", changed({name: f"\t  {HEADERS[name]} \t"}), 101) for name in HEADERS),
    *(Row(f"{name} with a blank before its colon",
          changed({name: None}, f"{name} : {HEADERS[name]}\r\n".encode()), 400) for name in HEADERS),
    *(Row(f"{name} folded", changed({name: f"\r\n {HEADERS[name]}"}), 400) for name in HEADERS),
    *(Row(f"{name} twice", extra(f"{name}: {HEADERS[name]}".encode()), 101 if name in ("Upgrade",
        "Connection") else 400)
      for name in HEADERS),
    *(Row(f"Host {host!r}", request(Host=host), 101)
      for host in ("a", "a:80", "127.0.0.1:8780", "[::1]", "[::1]:8780", "xn--e1afmkfd.example", "a_b")),
    *(Row(f"Host {host!r}", request(Host=host), 400)
      for host in ("a b", "a:b", "a:-1", "[::1", "a:80:80", "a/b", "a,b:x", "http://a", "a\x85", "user@a", "a:1_0")),
    *(Row(f"Upgrade {value!r}", request(Upgrade=value), 101)
      for value in ("WebSocket", "WEBSOCKET", "h2c, websocket", "websocket,h2c", "foo/1 , websocket")),
    *(Row(f"Upgrade {value!r}", request(Upgrade=value), 400)
      for value in ("websocket/13", "web socket", "websockets", "h2c", ",", "xwebsocket", '"websocket"', "websocket;")),
    *(Row(f"Connection {value!r}", request(Connection=value), 101)
      for value in ("upgrade", "UPGRADE", "keep-alive, Upgrade", "Upgrade,keep-alive", ",Upgrade,")),
    *(Row(f"Connection {value!r}", request(Connection=value), 400)
      for value in ("close", "keep-alive", "upgraded", "keep-alive Upgrade", "Upgrade;", "websocket")),
    *(Row(f"version {value!r}", request(Sec_WebSocket_Version=value), 400, "Sec-WebSocket-Version: 13\r\n")
      for value in ("0", "7", "8", "12", "14", "25", "255")),
    *(Row(f"version {value!r}", request(Sec_WebSocket_Version=value), 400)
      for value in ("013", "+13", "13.0", "1_3", "13, 8", "8, 13", "0x0d", "-13", "1 3", "13;", "9999", "thirteen")),
]  # fmt: skip

KEYS = [
    *(Row(f"key {value!r}", request(Sec_WebSocket_Key=value), 400)
      for value in (NONCE[:-1], NONCE + "=", NONCE[:-2], "=" * 24, "A" * 24, "A" * 23 + "=", NONCE.replace("G", "-"),
                    NONCE.replace("G", "_"), NONCE.replace("G", " "), NONCE.replace("G", "="), "A" * 20 + "==",
                    "A" * 26 + "==", NONCE + NONCE, NONCE + ",", '"' + NONCE[:-4] + '=="', "A" * 4000 + "==")),
    Row("key of zeros", request(Sec_WebSocket_Key="A" * 22 + "=="), 101, "ICX+Yqv66kxgM0FcWaLWlFLwTAI="),
    Row("key of ones", request(Sec_WebSocket_Key="/" * 21 + "w=="), 101, "XXpj4jYzLM2yUE0C7TIgMwTQh2g="),
]  # fmt: skip

_PROTOCOL = "Sec-WebSocket-Protocol"


def offered(value: str, chosen: str) -> Row:
    return Row(
        f"subprotocols {value!r}",
        request(Sec_WebSocket_Protocol=value),
        101,
        f"{_PROTOCOL}: {chosen}\r\n" if chosen else "Connection: Upgrade\r\nSec-WebSocket-Accept",
    )


SUBPROTOCOLS = [
    Row("none offered", request(), 101, "Connection: Upgrade\r\nSec-WebSocket-Accept"),
    *(offered(value, "streamrelay.v1")
      for value in ("streamrelay.v1", "binary, streamrelay.v1", "streamrelay.v1,binary", "x,streamrelay.v1,y",
                    ",streamrelay.v1", "\tstreamrelay.v1\t,\tx", "base64, binary, streamrelay.v1")),
    *(offered(value, "streamrelay.v1.ping")
      for value in ("streamrelay.v1.ping", "streamrelay.v1.ping, streamrelay.v1", "binary,streamrelay.v1.ping")),
    *(offered(value, "binary") for value in ("binary", "base64, binary", "Streamrelay.V1, binary",
        "binary,streamrelay")),
    *(offered(value, "")
      for value in ("", "base64", "BINARY", "streamrelay.v2", "streamrelay.v1.x", "streamrelay.v1 binary",
                    '"binary"', "streamrelay.v1;q=1", "binary/1", "mqtt", "x" * 6000)),
    Row("in two headers", request(more=f"{_PROTOCOL}: binary\r\n{_PROTOCOL}: streamrelay.v1\r\n".encode()), 101,
        f"{_PROTOCOL}: streamrelay.v1\r\n"),
    Row("no element", request(Sec_WebSocket_Protocol=","), 400),
    Row("one twice", request(Sec_WebSocket_Protocol="binary, binary"), 400),
    Row("one twice in two headers", request(more=f"{_PROTOCOL}: binary\r\n".encode() * 2), 400),
    Row("a line end inside", request(Sec_WebSocket_Protocol="binary\x85Set-Cookie: a"), 101,
        "Upgrade\r\nSec-WebSocket-A"),
]  # fmt: skip

_DEFLATE = "permessage-deflate"

EXTENSIONS = [
    *(Row(f"offer {value!r}", request(Sec_WebSocket_Extensions=value), 101)
      for value in (_DEFLATE, f"{_DEFLATE}; client_max_window_bits", f"{_DEFLATE};server_max_window_bits=10",
                    f"{_DEFLATE}; server_max_window_bits=99", f"{_DEFLATE}; client_no_context_takeover; x",
                    f'{_DEFLATE}; server_max_window_bits="15"', f"{_DEFLATE}, {_DEFLATE}", "unknown",
                        "x-webkit-deflate-frame",
                    "unknown; a=b; c, other", f",{_DEFLATE},,", f"{_DEFLATE}; no_such=1", "permessage-bzip2",
                    "permessage-snappy", "a" * 6000, "a,b,c,d,e,f,g", f"{_DEFLATE} ; a = b".replace(" = ", "="))),
    *(Row(f"offer {value!r}", request(Sec_WebSocket_Extensions=value), 400)
      for value in ("", ",", ";", "=", "a;", "a;=b", "a; b=", "a b", 'a; b="', 'a; b="c d"', "a; b=c d", "a/b", "a;;b",
                    'a; b=""', "(a)", "a; b==c", "a\xe9", "," * 6000 + "(", "a;" * 3000)),
    Row("two headers", request(more=f"Sec-WebSocket-Extensions: {_DEFLATE}\r\n".encode() * 2), 101),
]  # fmt: skip

ORIGINS = [
    Row("the allowed one", request(Origin=ORIGIN), 101),
    Row("the allowed one among blanks", request(Origin=f" {ORIGIN}\t"), 101),
    *(Row(f"origin {value!r}", request(Origin=value), 403)
      for value in ("null", "", "NULL", "https://panel.example.evil.example", "https://evil.example", "*", "file://",
                    "http://panel.example", "https://panel.example:443", "https://panel.example:8443",
                    "https://PANEL.example", "HTTPS://panel.example", "https://panel.example/", "panel.example",
                    "https://panel.exampl", "https://xpanel.example", "https://panel.example.",
                        "https://user@panel.example",
                    "https://panel.example%00", "https://panel.example\x85", "\xa0https://panel.example", "https://[",
                    "https://panel.example:99999", f"{ORIGIN}, {ORIGIN}", f"{ORIGIN} {ORIGIN}",
                        "https://pane\xadl.example")),
    Row("twice", request(more=f"Origin: {ORIGIN}\r\n".encode() * 2), 403),
    Row("a bad one before a bad token", request("GET /client/x HTTP/1.1", Origin="https://evil.example"), 403),
    Row("Sec-WebSocket-Origin says nothing", request(more=b"Sec-WebSocket-Origin: https://evil.example\r\n"), 101),
    Row("a header behind a line end that isn't one", request(Upgrade=None, X="a\x85Upgrade: websocket"), 426),
    Row("a line end that isn't one", request(X=f"a\x85Origin: {ORIGIN}", Origin="https://evil.example"), 403),
]  # fmt: skip

LINES = [
    *(Row(f"line {text!r}", extra(text), 400)
      for text in (b"no colon", b": x", b"X\x00: y", b"X y: z", b"X\t: y", b"(X): y", b"X@: y", b'"X": y', b"X\xe9: y",
                   b" X: folded", b"\tX: folded", b"X: \x00", b"X: \x01", b"X: \x08", b"X: \x0b", b"X: \x0c",
                       b"X: \x1b[2J",
                   b"X: \x1c", b"X: \x1d", b"X: \x1e", b"X: \x7f", b"X: a\rY: b", b"X: a\nY: b", b"X: a\r Y", b"X:\r",
                   b"\x00", b"[X]: y", b"X{}: y", b"X/Y: z", b"X,Y: z", b"X=Y: z", b"X;Y: z", b"GET / HTTP/1.1")),
    *(Row(f"line {text!r}", extra(text), 101)
      for text in (b"X:", b"X: ", b"X: \xe9", b"X: caf\xc3\xa9", b"X: \x85", b"X: \xa0", b"X: \xff", b"X: a:b",
          b"!#$%&'*+.^_`|~: x",
                   b"X: \ty", b"1: 2", b"X: y\r\nX: z", b"Cookie: a=\xc3\x85; b", b"X-Forwarded-For: 1.2.3.4",
                       b"Expect: x",
                   b"Content-Length: 0", b"Content-Length: 00", b"Keep-Alive: 300", b"Proxy-Connection: x",
                       b"TE: trailers")),
    *(Row(f"line {text!r}", extra(text), 400)
      for text in (b"Content-Length: 1", b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: +0",
          b"Content-Length:",
                   b"Content-Length: 0, 5", b"Content-Length: 0\r\nContent-Length: 5", b"content-length: 0x0",
                   b"Transfer-Encoding: chunked", b"transfer-encoding: identity", b"Transfer-Encoding:")),
]  # fmt: skip

SIZES = [
    Row("at the limit", sized(LIMIT), 101),
    Row("one less", sized(LIMIT - 1), 101),
    Row("one more", sized(LIMIT + 1), 431),
    Row("twice as much", sized(2 * LIMIT), 431),
    Row("without an end", sized(LIMIT + 5)[:-4], 431),
    Row("a line without an end", b"G" * (LIMIT + 1), 431),
    Row("empty lines without an end", b"\n" * (LIMIT + 1), 431),
    Row("hundreds of headers", request(more=b"X: y\r\n" * 1000), 101),
    Row("too many headers", request(more=b"X: y\r\n" * 2800), 431),
    Row("a long name", request(more=b"X" * 7000 + b": y\r\n"), 101),
    Row("at the limit, and a byte", sized(LIMIT) + b"\x00", 431),
]

PIPELINED = [
    Row("a byte", request() + b"\x00", 0),
    Row("an empty line", request() + b"\r\n", 0),
    Row("a good frame", request() + frame(2, b"early"), 0),
    Row("half a frame", request() + frame(2, b"early")[:4], 0),
    Row("a second request", request() + request(), 0),
    Row("a second request for another path", request() + request("GET /agent/x HTTP/1.1"), 0),
    Row("a plain request", request() + b"GET / HTTP/1.1\r\n\r\n", 0),
    Row("a refused one and a good one", request("GET / HTTP/1.1") + request(), 404),
    Row("a bad token and a good request", request("GET /client/x HTTP/1.1") + request(), 401),
    Row("a plain one and a good one", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + request(), 404),
]

TABLES = {
    "request lines": REQUEST_LINES,
    "paths": PATHS,
    "tokens": TOKENS,
    "headers": HEADER_ROWS,
    "keys": KEYS,
    "subprotocols": SUBPROTOCOLS,
    "extensions": EXTENSIONS,
    "origins": ORIGINS,
    "lines": LINES,
    "sizes": SIZES,
    "pipelined": PIPELINED,
}

SLOW = {
    "nothing": b"",
    "half a line": b"GET /cli",
    "all but the last byte": request()[:-1],
    "line feeds alone": request().replace(b"\r\n", b"\n"),
    "garbage": bytes(range(256)),
}
"""What is no request yet: cut when the handshake's time is over."""
