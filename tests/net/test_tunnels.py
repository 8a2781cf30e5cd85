"""tunnels.py: the opening of a tunnel at a proxy, as it comes in whatever pieces."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.net.outbound_proxy import OutboundProxy, ProxyError, wire_name
from streamrelay.net.tunnels import Tunnel, tunnel
from tests.examples import examples

LOGIN = "alice:s3cr3t@"


def opening(scheme: str, login: str = "", host: str = "relay.example", port: int = 443) -> Tunnel:
    return tunnel(OutboundProxy.parse(f"{scheme}://{login}proxy.example:1", "x"), wire_name(host), port)


def chunks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


class Refusals(SynchronousTestCase):
    """What all tests of refusals share."""

    def refuse(self, scheme: str, login: str, answer: bytes, words: str) -> None:
        """Whatever the pieces, the error is one line that names the proxy and says why, without the password."""
        for size in (1, len(answer)):
            tried = opening(scheme, login)
            tried.begin()
            error = self.assertRaises(ProxyError, lambda: [tried.receive(piece) for piece in chunks(answer, size)])  # noqa: B023
            self.assertEqual(str(error), f"the proxy {scheme}://proxy.example:1 {words}")


class Http(Refusals):
    """HTTP's CONNECT."""

    def test_request(self) -> None:
        """The request names the place, an IPv6 one in brackets, and carries Basic's login if there is one."""
        for host, place in (("relay.example", b"relay.example:443"), ("2001:db8::7", b"[2001:db8::7]:443")):
            sent = opening("http", LOGIN, host).begin()
            self.assertTrue(sent.startswith(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n" % (place, place)), sent)
            self.assertIn(b"\r\nProxy-Authorization: Basic YWxpY2U6czNjcjN0\r\n", sent)
        self.assertNotIn(b"Authorization", opening("http").begin())
        self.assertIn(b"CONNECT xn--bcher-kva.example:443", opening("http", host="b\xfccher.example").begin())

    def test_stands(self) -> None:
        """After 2xx the tunnel stands, and what came behind the answer is the other end's, byte for byte."""
        for head in (
            b"HTTP/1.1 200 Connection established\r\n\r\n",
            b"HTTP/1.0 200 OK\r\nVia: x\r\n\r\n",
            b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
        ):
            one, other = opening("http"), opening("http")
            for tried in (one, other):
                tried.begin()
            self.assertEqual(one.receive(head + b"INFO {}\r\n"), b"")
            self.assertTrue(one.done)
            self.assertEqual(one.rest, b"INFO {}\r\n")
            for piece in chunks(head, 1):
                self.assertFalse(other.done)
                other.receive(piece)
            self.assertTrue(other.done)

    def test_refused(self) -> None:
        """Each refusal says its status and what it means."""
        login = "give them in outbound_login, or in the proxy's URL"
        ntlm = "Proxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n"
        for status, header, user, words in (
            (407, "", "", f"answered 407: it wants a user and password; {login}"),
            (407, 'Proxy-Authenticate: basic realm="x"\r\n', LOGIN, "answered 407: it refused this user and password"),
            (401, "", LOGIN, "answered 401: it refused this user and password"),
            (407, ntlm, LOGIN, "answered 407: it wants another kind of login than Basic"),
            (403, "", "", "answered 403: it doesn't allow a connection to relay.example:443"),
            (405, "", "", "answered 405: it doesn't do CONNECT; is it a proxy?"),
            (502, "", "", "answered 502: it can't reach relay.example:443"),
            (503, "", "", "answered 503: it can't reach relay.example:443, or is full"),
            (504, "", "", "answered 504: it got no answer from relay.example:443"),
            (418, "", "", "answered 418: it doesn't connect us to relay.example:443"),
        ):
            self.refuse("http", user, f"HTTP/1.1 {status} \x80evil\r\n{header}\r\n".encode("latin-1"), words)

    def test_no_proxy(self) -> None:
        """Who doesn't speak HTTP, or without end, is no proxy."""
        for answer in (
            b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
            b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n",
            b"HTTP/1.1 2x0\r\n\r\n",
        ):
            self.refuse("http", "", answer, "doesn't answer as an HTTP proxy does")
        tried = opening("http")
        tried.begin()
        endless = b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 10_000
        self.assertRaises(ProxyError, tried.receive, endless)
        tried = opening("http")
        tried.begin()
        self.assertIn("is it a SOCKS proxy?", str(self.assertRaises(ProxyError, tried.receive, b"\x05\xff")))


class Socks(Refusals):
    """SOCKS5."""

    def test_name(self) -> None:
        """A name is the proxy's to resolve, whichever way SOCKS5 is called; an address goes as one."""
        for scheme in ("socks5", "socks5h"):
            for host, place in (
                ("relay.example", b"\x03\x0drelay.example"),
                ("192.0.2.7", b"\x01\xc0\x00\x02\x07"),
                ("2001:db8::7", b"\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x07"),
            ):
                tried = opening(scheme, host=host, port=0x1234)
                self.assertEqual(tried.begin(), b"\x05\x01\x00")
                self.assertEqual(tried.receive(b"\x05\x00"), b"\x05\x01\x00" + place + b"\x12\x34")

    def test_login(self) -> None:
        """User and password are told only to a proxy that asks for them."""
        tried = opening("socks5", LOGIN)
        self.assertEqual(tried.begin(), b"\x05\x02\x00\x02")
        self.assertEqual(tried.receive(b"\x05\x02"), b"\x01\x05alice\x06s3cr3t")
        self.assertTrue(tried.receive(b"\x01\x00").startswith(b"\x05\x01\x00\x03"))
        self.assertTrue(opening("socks5", LOGIN).receive(b"\x05\x00").startswith(b"\x05\x01\x00\x03"))

    def test_stands(self) -> None:
        """The tunnel stands once the whole answer is there, of whatever kind of address, and the rest is kept."""
        for address in (b"\x01" + bytes(4), b"\x04" + bytes(16), b"\x03\x04name"):
            answer = b"\x05\x00\x00" + address + b"\x00\x50"
            one, other = opening("socks5"), opening("socks5")
            one.receive(b"\x05\x00" + answer + b"INFO")
            self.assertEqual((one.done, one.rest), (True, b"INFO"))
            for piece in chunks(b"\x05\x00" + answer, 1):
                self.assertFalse(other.done)
                other.receive(piece)
            self.assertEqual((other.done, other.rest), (True, b""))

    def test_refused(self) -> None:
        """Each refusal says its number and what it means."""
        login = "give them in outbound_login, or in the proxy's URL"
        where = "relay.example:443"
        for user, answer, words in (
            ("", b"\x05\xff", f"wants a user and password; {login}"),
            (LOGIN, b"\x05\xff", "accepts no user and password"),
            (LOGIN, b"\x05\x02\x01\x01", "refused this user and password"),
            ("", b"\x05\x00\x05\x01", f"answered 1: it can't serve {where} (general failure)"),
            ("", b"\x05\x00\x05\x02", f"answered 2: it doesn't allow a connection to {where}"),
            ("", b"\x05\x00\x05\x03", f"answered 3: the network of {where} is unreachable from it"),
            ("", b"\x05\x00\x05\x04", f"answered 4: {where} is unreachable from it, or it doesn't know the name"),
            ("", b"\x05\x00\x05\x05", f"answered 5: {where} refused the connection"),
            ("", b"\x05\x00\x05\x06", f"answered 6: {where} is too far away from it (TTL expired)"),
            ("", b"\x05\x00\x05\x07", "answered 7: it doesn't do CONNECT"),
            ("", b"\x05\x00\x05\x08", "answered 8: it doesn't know this kind of address"),
            ("", b"\x05\x00\x05\x63", f"answered 99: it doesn't connect us to {where}"),
        ):
            self.refuse("socks5", user, answer, words)

    def test_no_proxy(self) -> None:
        """Who doesn't speak SOCKS5 is none, and if it can be known what it speaks, that is said."""
        for answer, hint in (
            (b"HTTP/1.1 400 Bad", "; it speaks HTTP; use http://"),
            (b"\x15\x03\x01", "; it speaks TLS"),
            (b"\x00\x5b", "; it speaks SOCKS4"),
            (b"SSH-2.0", ""),
        ):
            self.refuse("socks5h", "", answer, f"doesn't answer as a SOCKS5 proxy does{hint}")

    @examples(300)
    @given(st.sampled_from(["http", "socks5"]), st.lists(st.binary(max_size=40), max_size=6))
    def test_any_bytes(self, scheme: str, pieces: list[bytes]) -> None:
        """Whatever a proxy answers, the tunnel stands, is waited for, or is a `ProxyError`."""
        tried = opening(scheme, LOGIN)
        tried.begin()
        try:
            for piece in pieces:
                if not tried.done:
                    tried.receive(piece)
        except ProxyError as error:
            self.assertNotIn("s3cr3t", str(error))
