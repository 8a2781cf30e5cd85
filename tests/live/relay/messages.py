"""Texts that one leg of a pair sends: UTF-8 in raw text, and control messages (RFC 6455 §8.1; protocol.rst)."""

from tests.live.relay.framings import Row
from tests.live.support.raw import BINARY, CONTINUATION, PING, TEXT, frame

GOOD_TEXT = {
    "nothing": b"",
    "ASCII": b"plain",
    "controls": b"\x00\x01\x1b\x7f\r\n",
    "the first of two": b"\xc2\x80",
    "the last of two": b"\xdf\xbf",
    "the first of three": b"\xe0\xa0\x80",
    "the last before the surrogates": b"\xed\x9f\xbf",
    "the first after the surrogates": b"\xee\x80\x80",
    "the byte order mark": b"\xef\xbb\xbf",
    "a noncharacter": b"\xef\xbf\xbe",
    "the last of three": b"\xef\xbf\xbf",
    "the first of four": b"\xf0\x90\x80\x80",
    "a noncharacter of four": b"\xf0\x9f\xbf\xbf",
    "the last there is": b"\xf4\x8f\xbf\xbf",
    "a mixture": "κόσμε, größer, €, 😀".encode(),
    "a lot": "€".encode() * 30000,
}
BAD_TEXT = {
    "a continuation alone": b"\x80",
    "the last continuation alone": b"\xbf",
    "two continuations": b"\x80\xbf",
    "two for one": b"\xc0\x80",
    "two for the last of one": b"\xc1\xbf",
    "three for one": b"\xe0\x80\xaf",
    "three for the last of two": b"\xe0\x9f\xbf",
    "four for one": b"\xf0\x80\x80\xaf",
    "four for the last of three": b"\xf0\x8f\xbf\xbf",
    "five": b"\xf8\x88\x80\x80\x80",
    "six": b"\xfc\x84\x80\x80\x80\x80",
    "the first surrogate": b"\xed\xa0\x80",
    "the last surrogate": b"\xed\xbf\xbf",
    "a pair of surrogates": b"\xed\xa0\x81\xed\xb0\x80",
    "above the last there is": b"\xf4\x90\x80\x80",
    "far above": b"\xf7\xbf\xbf\xbf",
    "fe": b"\xfe",
    "ff": b"\xff",
    "two without its second": b"\xc2",
    "two with a letter": b"\xc2a",
    "three without its third": b"\xe2\x82",
    "three with a letter": b"\xe2\x82a",
    "four without its fourth": b"\xf0\x9f\x98",
    "four with a letter": b"\xf0\x9f\x98a",
    "four without its third": b"\xf0\x9f",
    "after good ones": "größer".encode() + b"\xfc",
}
CUT = "aä€😀z".encode()
BAD_CUT = "ä€".encode() + b"\xf4\x90\x80\x80"
RAW = ("raw",)

UTF8 = [
    *(Row(f"text: {name}", frame(TEXT, text), passed=text, modes=RAW) for name, text in GOOD_TEXT.items()),
    *(Row(f"bad text: {name}", frame(TEXT, text), 1007, modes=RAW) for name, text in BAD_TEXT.items()),
    *(Row(f"binary: {name}", frame(BINARY, text), passed=text) for name, text in BAD_TEXT.items()),
    *(Row(f"cut at {at}", frame(TEXT, CUT[:at], final=False) + frame(CONTINUATION, CUT[at:]), passed=CUT, modes=RAW)
      for at in range(len(CUT) + 1)),
    *(Row(f"cut at {at}, a ping between", frame(TEXT, CUT[:at], final=False) + frame(PING, b"\xff") +
          frame(CONTINUATION, CUT[at:]), passed=CUT, pongs=(b"\xff",), modes=RAW) for at in range(1, len(CUT))),
    *(Row(f"bad, cut at {at}", frame(TEXT, BAD_CUT[:at], final=False) + frame(CONTINUATION, BAD_CUT[at:]), 1007,
          BAD_CUT[:at] if at < 7 else b"", modes=RAW) for at in range(1, len(BAD_CUT))),
    Row("single bytes", frame(TEXT, final=False) + b"".join(frame(CONTINUATION, CUT[at : at + 1], final=False)
        for at in range(len(CUT))) + frame(CONTINUATION), passed=CUT, modes=RAW),
    Row("a character that is cut by the end", frame(TEXT, b"\xe2", final=False) + frame(CONTINUATION, b"\x82"), 1007,
        b"\xe2", modes=RAW),
    Row("a character that goes on in the next message", frame(TEXT, b"\xe2\x82") + frame(TEXT, b"\xac"), 1007,
        modes=RAW),
    Row("bad from the start of a long message", frame(TEXT, b"\xff" + b"a" * 100, final=False), 1007, modes=RAW),
    Row("a bad character that is not whole", frame(TEXT, b"\xf4\x90", final=False), 1007, modes=RAW),
    Row("good text after binary of no UTF-8", frame(BINARY, b"\xe2") + frame(TEXT, b"a"), passed=b"\xe2a", modes=RAW),
]  # fmt: skip

V1 = ("v1",)


def fine(text: bytes) -> Row:
    """A control message that is passed on as it is."""
    return Row(f"passed on: {text[:60]!r}", frame(TEXT, text), texts=(text,), modes=V1)


def bad(text: bytes, code: int = 1002) -> Row:
    return Row(f"{code}: {text[:60]!r}", frame(TEXT, text), code, modes=V1)


def padded(size: int) -> bytes:
    """A control message of so many bytes."""
    return b'{"pad":"' + b"x" * (size - 10) + b'"}'


GOOD_CONTROL = (
    b"{}", b' { } ', b'{"resize":[80,24]}', b'{"resize":[1,1]}', b'{"resize":[10000,10000]}', b'{"resize":null}',
    b'{"exit":0}', b'{"exit":1}', b'{"exit":255}', b'{"exit":null}', b'{"eof":false}', b'{"ack":17,"resume":"later"}',
    b'{"unknown":{"a":[1,2,{"b":null}]}}', b'{"":0}', b'{"EOF":true}', '{"name":"größer €😀"}'.encode(),
    b'{"name":"\\u00e9\\n\\u0000"}', b'{"n":1e308,"m":-0.5}', b'\t\r\n{"a":1}\n', b'{"met":null}', padded(4095),
        padded(4096),
    b'{"a":1,"a":2}', '{"a":"\uffff\U0010ffff"}'.encode(),
)  # fmt: skip
BAD_CONTROL = (
    b"", b" ", b"[]", b"1", b"null", b"true", b'"x"', b"{", b"}", b"{}{}", b"{} x", b"{'a':1}", b'{"a":}', b'{"a"}',
        b'{a:1}',
    b'{"a":1,}', b'{"eof":1}', b'{"eof":"true"}', b'{"eof":null}', b'{"eof":[true]}', b'{"eof":True}',
        b'{"resize":[0,1]}',
    b'{"resize":[1,0]}', b'{"resize":[10001,1]}', b'{"resize":[1,10001]}', b'{"resize":[-1,1]}', b'{"resize":[1]}',
    b'{"resize":[1,2,3]}', b'{"resize":[]}', b'{"resize":[1.5,2]}', b'{"resize":["80","24"]}', b'{"resize":"80x24"}',
    b'{"resize":{"0":1}}', b'{"resize":[null,1]}', b'{"resize":[1e99,1]}', b'{"exit":"0"}', b'{"exit":1.5}',
        b'{"exit":[]}', b'{"exit":-1}', b'{"exit":256}', b'{"exit":99999999999999999999}',
    b'{"met":1}', b'{"met":"v1"}', b'{"met":{}}', b'{"met":{"mode":1}}', b'{"met":{"mode":"v2"}}',
    b'{"met":{"mode":"v1","from":1}}', b'{"met":{"mode":"v1","from":"a\\nb"}}', b'{"a":NaN}', b'{"a":Infinity}',
        b'{"a":01}',
    b'{"a":"\x01"}', b'{"a":"\\x"}', b'\xef\xbb\xbf{}', b'{"a":' + b"[" * 2000, b"[" * 4000, b'{"a":' * 800, b"\x00",
        b"hello",
    b'{"a":' + b"[" * 1900 + b"]" * 1900 + b"}",
)  # fmt: skip
MET = b'{"met":{"mode":"v1","from":"1.2.3.4:5"}}'

CONTROL_MESSAGES = [
    *map(fine, GOOD_CONTROL),
    *map(bad, BAD_CONTROL),
    *(Row(f"not UTF-8: {name}", frame(TEXT, b'{"a":"' + text + b'"}'), 1007, modes=V1) for name,
        text in BAD_TEXT.items()),
    *(bad(padded(size), 1009) for size in (4097, 5000, 65536)),
    Row("too big in fragments", frame(TEXT, padded(4096), final=False) + frame(CONTINUATION, b" "), 1009, modes=V1),
    Row("at the limit in fragments", frame(TEXT, padded(4096)[:100], final=False) + frame(CONTINUATION,
        padded(4096)[100:]),
        texts=(padded(4096),), modes=V1),
    *(Row(f"cut at {at}", frame(TEXT, b'{"a":"\xe2\x82\xac"}'[:at], final=False) +
          frame(CONTINUATION, b'{"a":"\xe2\x82\xac"}'[at:]), texts=(b'{"a":"\xe2\x82\xac"}',), modes=V1)
              for at in range(12)),
    Row("in order with bytes", frame(BINARY, b"1") + frame(TEXT, b"{}") + frame(BINARY, b"2"), passed=b"12",
        texts=(b"{}",), modes=V1),
    Row("met, which only the relay says", frame(TEXT, MET), modes=V1),
    Row("met between others", frame(TEXT, b'{"a":1}') + frame(TEXT, MET) + frame(TEXT, b'{"a":2}'),
        texts=(b'{"a":1}', b'{"a":2}'), modes=V1),
    Row("bytes after an end of file", frame(TEXT, b'{"eof":true}') + frame(BINARY, b"x"), 1002,
        texts=(b'{"eof":true}',), modes=V1),
    Row("a fragment after an end of file", frame(TEXT, b'{"eof":true}') + frame(BINARY, b"x", final=False), 1002,
        texts=(b'{"eof":true}',), modes=V1),
    Row("an end of file after bytes", frame(BINARY, b"x") + frame(TEXT, b'{"eof":true,"a":1}') + frame(BINARY, b"y"),
        1002, b"x",
        texts=(b'{"eof":true}',), modes=V1),
    Row("eighty at once", frame(TEXT, b"{}") * 80, texts=(b"{}",) * 80, modes=V1),
    Row("eighty-one at once", frame(TEXT, b"{}") * 81, 1008, texts=(b"{}",) * 80, modes=V1),
    Row("a flood", frame(TEXT, b"{}") * 500, 1008, texts=(b"{}",) * 80, modes=V1),
]  # fmt: skip

TABLES = {"UTF-8": UTF8, "control messages": CONTROL_MESSAGES}
