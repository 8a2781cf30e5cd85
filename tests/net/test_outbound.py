"""outbound.py: by which proxy a place is reached."""

from pathlib import Path

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.errors import ConfigError
from streamrelay.net.outbound import DIRECT, Exceptions, Outbound
from streamrelay.net.outbound_proxy import OutboundProxy
from tests.examples import there
from tests.fakes.files import folder
from tests.fakes.logs import Heard
from tests.fakes.reactors import FakeNames

PROXY = "http://proxy.example:3128"
SECRET = "pa%3A%40ss"
LEFT_OUT = "left out of what is reached without the proxy: NO_PROXY: 'a:b': expected a name, an address or a network"


class Chosen(SynchronousTestCase):
    """The choice between settings and the environment."""

    def test_variables(self) -> None:
        """The setting comes first, then https_proxy, HTTPS_PROXY, all_proxy and ALL_PROXY; none is no proxy."""
        environment: dict[str, str] = {}
        self.assertEqual(Outbound.chosen(environment=environment), DIRECT)
        for name in ("ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"):
            environment[name] = f"http://{name.lower().replace('_', '-')}.{len(environment)}:1"
            found = Outbound.chosen(environment=environment)
            self.assertEqual((str(found.proxy), found.origin), (environment[name].lower(), name))
        found = Outbound.chosen(PROXY, environment=environment)
        self.assertEqual((str(found.proxy), found.origin), (PROXY, "outbound_proxy"))
        self.assertEqual(Outbound.chosen("none", environment=environment), DIRECT)
        self.assertEqual(Outbound.chosen(environment={"HTTP_PROXY": PROXY, "http_proxy": PROXY}), DIRECT)  # CGI's

    def test_forms(self) -> None:
        """A proxy's URL may lack its scheme and port, may hold an IPv6 address and a login in percent signs."""
        for text, shown in (
            ("proxy.example:3128", PROXY),
            ("http://proxy.example", "http://proxy.example:80"),
            ("http://proxy.example:3128/", PROXY),
            ("socks5://[::1]:1081", "socks5://[::1]:1081"),
            ("socks5h://10.0.0.1", "socks5h://10.0.0.1:1080"),
        ):
            self.assertEqual(str(OutboundProxy.parse(text, "x")), shown)
        found = OutboundProxy.parse(f"http://al%65x:{SECRET}@proxy.example", "x")
        self.assertEqual((found.user, found.password), ("alex", "pa:@ss"))

    def test_wrong(self) -> None:
        """What is no proxy's URL is refused in one line that names the setting or variable, never with the password."""
        for url in (
            f"ftp://u:{SECRET}@h:1",
            f"http://u:{SECRET}@h:99999",
            f"http://u:{SECRET}@:1",
            f"https://u:{SECRET}@h:1",
            f"http://u:{SECRET}@[h",
            f"http://u:{SECRET}@h/path",
            f"u:{SECRET}@h:0",
        ):
            for name in ("outbound_proxy", "HTTPS_PROXY"):
                given = (url, {}) if name == "outbound_proxy" else ("", {name: url})
                error = self.assertRaises(ConfigError, Outbound.chosen, given[0], environment=given[1])
                self.assertTrue(str(error).startswith(f"{name}: "), error)
                self.assertIn("expected http://", str(error))
                self.assertNotIn("ss@", str(error))
        error = self.assertRaises(ConfigError, Outbound.chosen, PROXY, "", ["10.0.0.0/33"], {})
        self.assertIn("no_proxy: '10.0.0.0/33'", str(error))

    def test_too_long(self) -> None:
        """A login that SOCKS5 has no room for, and a name that no proxy can be told, are errors, never cut."""
        for login in (f"{'u' * 256}:p", f"u:{'p' * 256}", f"u:{'%c3%bc' * 128}"):
            error = self.assertRaises(ConfigError, Outbound.chosen, f"socks5://{login}@h", environment={})
            self.assertEqual(str(error), "outbound_proxy: SOCKS5 has room for 255 bytes of a user, and of a password")
            Outbound.chosen(f"http://{login}@h", environment={})
        for name in ("a" * 256, "\xfc" * 70, "a..\xfc", "", "a b", "a\rb"):
            ways = Outbound.chosen("socks5://h", environment={})
            self.assertRaises(ValueError, ways.endpoint, MemoryReactorClock(), name, 1, None)

    def test_not_shown(self) -> None:
        """Neither user nor password stands in what is shown of a proxy, or of all the ways out."""
        found = Outbound.chosen(f"http://somebody:{SECRET}@proxy.example:3128", environment={})
        self.assertEqual(str(found.proxy), PROXY)
        for text in (str(found.proxy), repr(found)):
            self.assertNotIn("somebody", text)
            self.assertNotIn("ss", text.replace("proxies", ""))

    def test_login(self) -> None:
        """The login of a file counts as it is at each connection; others mustn't read it, and it must be one."""
        path = Path(folder(self)) / "login"
        path.write_text("alice:a b:c\n")
        path.chmod(0o600)
        ways = Outbound.chosen(PROXY, str(path), environment={})
        found = there(ways.proxy_for("relay.example", 443))
        self.assertEqual((found.user, found.password), ("alice", "a b:c"))
        path.write_text("bob:new")
        self.assertEqual(there(ways.proxy_for("relay.example", 443)).user, "bob")
        for content, mode, words in (("bob", 0o600, "expected USER:PASSWORD"), ("b:c", 0o644, "chmod 600")):
            path.write_text(content)
            path.chmod(mode)
            error = str(self.assertRaises(ConfigError, Outbound.chosen, PROXY, str(path), (), {}))
            self.assertTrue(error.startswith(f"outbound_login: {path}: "), error)
            self.assertIn(words, error)
        path.unlink()
        self.assertEqual(Outbound.chosen("none", str(path), environment={}), DIRECT)
        self.assertIn("and no proxy", str(self.assertRaises(ConfigError, Outbound.chosen, "", str(path), (), {})))
        self.assertIn("can't be read", str(self.assertRaises(ConfigError, ways.proxy_for, "relay.example", 443)))


class Direct(SynchronousTestCase):
    """Places that are reached without the proxy."""

    def test_forms(self) -> None:
        """NO_PROXY has names, suffixes, addresses, networks, ports and ``*``, between commas or blanks."""
        for text, inside, outside in (
            ("example.com", ["example.com", "a.example.com", "A.B.Example.COM."], ["badexample.com", "example.org"]),
            (".example.com", ["example.com", "a.example.com"], ["badexample.com"]),
            ("*.example.com", ["a.example.com"], ["badexample.com"]),
            ("a.example, b.example c.example", ["a.example", "b.example", "c.example"], ["d.example"]),
            ("10.0.0.0/8,192.0.2.7", ["10.1.2.3", "192.0.2.7", "::ffff:10.1.2.3"], ["11.0.0.1", "192.0.2.8"]),
            ("10.1.2.3/8", ["10.9.9.9"], ["11.0.0.1"]),
            ("2001:db8::/32", ["2001:db8::7", "2001:DB8:0:0::7"], ["2001:db9::7", "10.0.0.1", "db8"]),
            ("[2001:db8::7],2001:db8::9", ["2001:db8::7", "2001:db8:0::9"], ["2001:db8::8"]),
            ("*", ["anything.example", "10.0.0.1"], []),
            ("10.1.*", ["10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3"], ["10.10.0.1", "10.2.0.1", "10.1.example"]),
            ("10.1.*.*,11.*,12.1.2.*", ["10.1.2.3", "11.2.3.4", "12.1.2.3"], ["10.2.2.3", "12.1.3.3"]),
            ("10.", ["10.1.2.3"], ["100.1.2.3", "10.example"]),
            ("192.168.,example.com.", ["192.168.7.7", "a.example.com"], ["192.169.7.7"]),
            (
                "fe80::1%eth0,a_b.example,B\xfccher.example",
                ["fe80::1", "a_b.example", "b\xfccher.example"],
                ["fe80::2"],
            ),
            ("", [], ["anything.example"]),
        ):
            found = Exceptions.parse([text])
            for host in inside + outside:
                self.assertEqual(found.holds(host, 443), host in inside, (text, host))

    def test_ports(self) -> None:
        """An entry with a port is for that port alone."""
        found = Exceptions.parse(["a.example:8443,[2001:db8::7]:8443,10.0.0.1:8443"])
        for host in ("a.example", "b.a.example", "2001:db8::7", "10.0.0.1"):
            self.assertTrue(found.holds(host, 8443), host)
            self.assertFalse(found.holds(host, 443), host)

    def test_unclear(self) -> None:
        """What isn't understood of the variable stands for no place, is named in one line, and stops nothing."""
        odd = (
            'a:b;10.1;.;*.;:443;10.0.0.0/33;10.0.0.0/8:1;http://a/;a.example:99999;"q";<local>;1.2.3.4.5;300.;web-*;[a]'
        )
        odd_ones = [*odd.split(";"), "a;b", "\udcff"]
        ways = Outbound.chosen(PROXY, environment={"NO_PROXY": ",".join([*odd_ones, "near.example", "10.*"])})
        self.assertEqual(list(ways.exceptions.unclear), odd_ones)
        self.assertTrue(ways.doubt.startswith("NO_PROXY: 'a:b', '10.1', "), ways.doubt)
        self.assertEqual(ways.doubt.count("\n"), 0)
        for host, direct in (("near.example", True), ("10.1.2.3", True), ("a.example", False), ("web-1", False)):
            self.assertIs(ways.proxy_for(host, 443) is None, direct, host)

    def test_announced(self) -> None:
        """A program logs once at its start what isn't understood, and nothing if all is."""
        for value, warned in (("a.example", []), ("a:b", [LEFT_OUT])):
            heard = Heard(self)
            Outbound.chosen(PROXY, environment={"NO_PROXY": value}).announce()
            self.assertEqual([line.partition(" such")[0] for line in heard.lines[1:]], warned)

    def test_this_machine(self) -> None:
        """What stands on this machine is never asked for at a proxy, all else is."""
        ways = Outbound.chosen(PROXY, environment={})
        for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1"):
            self.assertIsNone(ways.proxy_for(host, 443))
        self.assertIsNotNone(ways.proxy_for("localhost.example", 443))

    def test_setting(self) -> None:
        """The setting no_proxy stands in place of the variable; without one the variable counts also there."""
        environment = {"NO_PROXY": "a.example"}
        for setting, direct in (((), "a.example"), (("b.example",), "b.example")):
            ways = Outbound.chosen(PROXY, "", setting, environment)
            self.assertEqual([host for host in ("a.example", "b.example") if ways.proxy_for(host, 1) is None], [direct])


class Endpoints(SynchronousTestCase):
    """Whom we connect to in the end."""

    def test_whom(self) -> None:
        """By a proxy only the proxy's name is looked up and only it is connected; an exception is connected itself."""
        reactor = MemoryReactorClock()
        names = {"proxy.example": ["10.0.0.9"], "near.example": ["10.0.0.7"]}
        reactor.nameResolver = asked = FakeNames(names)
        ways = Outbound.chosen(PROXY, "", ["near.example"], {})
        for host, address in (("far.example", ("10.0.0.9", 3128)), ("near.example", ("10.0.0.7", 443))):
            ways.endpoint(reactor, host, 443, None).connect(None)
            self.assertEqual(reactor.tcpClients[-1][:2], address)
        self.assertEqual(asked.asked, ["proxy.example", "near.example"])
