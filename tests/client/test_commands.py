"""commands.py: asking a platform, up to what needs a network."""

import os

from twisted.internet.defer import Deferred

from streamrelay import main
from streamrelay.client import access, commands, local_port, statuses
from streamrelay.client.outbound_options import choose_outbound
from streamrelay.client.platform_api import PlatformError
from streamrelay.errors import ConfigError
from streamrelay.websocket.dial_errors import DialError, RelayBusy
from tests.fakes.commands import CommandCase


class Lines(CommandCase):
    """What isn't even asked."""

    def test_platform(self) -> None:
        """A platform must be given, and must be encrypted beyond this machine unless that is allowed."""
        for url, more in (("", ()), ("relay.example", ()), ("ftp://a", ()), ("http://platform.example", ())):
            arguments = main.parser().parse_args(["hosts", "--platform", url, *more])
            self.assertRaises(ConfigError, access.api, arguments, None)

    def test_wrong_platform(self) -> None:
        """A URL that is no platform's is named, and what is expected; a relay's is known for one."""
        for url, words in (
            ("", "no platform is set"),
            ("platform.example:8444", "platform.example:8444: expected https://host[:port]"),
            ("https://", "https://: expected https://host[:port]"),
            ("https://[", "https://[: expected https://host[:port]"),
            ("https://a/?b", "https://a/?b: expected https://host[:port]"),
            ("https://a#b", "https://a#b: expected https://host[:port]"),
            ("https://a:port", "https://a:port: expected https://host[:port]"),
            ("wss://relay.example", "wss://relay.example is a relay's URL; that of the platform begins with https://"),
            ("ws://localhost:1", "ws://localhost:1 is a relay's URL; that of the platform begins with https://"),
            ("http://platform.example", "http://platform.example is not encrypted; use https:// or --insecure"),
        ):
            arguments = main.parser().parse_args(["hosts", "--platform", url])
            self.assertIn(words, str(self.assertRaises(ConfigError, access.api, arguments, None)))

    def test_no_secrets(self) -> None:
        """A key given as a file's name or in a URL, where the process list shows it, is refused and not repeated."""
        for options in (
            ("--platform", "http://localhost", "--key-file", "srk_secret"),
            ("--platform", "http://alice:srk_secret@localhost"),
            ("--platform", "http://srk_secret@localhost"),
            ("--platform", "wss://srk_secret@localhost"),
            ("--platform", "srk_secret"),
        ):
            arguments = main.parser().parse_args(["hosts", *options])
            self.assertNotIn("srk_", str(self.assertRaises(ConfigError, access.api, arguments, None)))

    def test_proxy_login(self) -> None:
        """A login in a proxy's URL, where the process list shows it, is refused and not repeated."""
        arguments = main.parser().parse_args(["hosts", "--outbound-proxy", "http://alice:hidden@proxy.example:3128"])
        error = str(self.assertRaises(ConfigError, choose_outbound, arguments))
        self.assertIn("use --outbound-login", error)
        self.assertNotIn("hidden", error)

    def test_no_proxy(self) -> None:
        """What isn't understood of NO_PROXY is said in one line, and stops no command; the rest of it counts."""
        os.environ.update(HTTPS_PROXY="http://proxy.example:3128", NO_PROXY="10.*,a:b,near.example")
        outbound = choose_outbound(main.parser().parse_args(["hosts"]))
        self.assertIsNone(outbound.proxy_for("near.example", 443))
        self.assertEqual(
            self.err.getvalue(),
            "streamrelay: left out of what is reached without the proxy: NO_PROXY: 'a:b': expected a name, an address "
            "or a network such as 10.0.0.0/8\n",
        )

    def test_key_file(self) -> None:
        """A file's key is the same whatever editor has written it: with a byte order mark, or other ends of lines."""
        path = self.mktemp()
        for content in (b"srk_secret", b" srk_secret\r\n", b"\xef\xbb\xbfsrk_secret\r\n"):
            with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(content)
            self.assertEqual(access.read_key(path), "srk_secret", content)

    def test_listen(self) -> None:
        """A port that others reach is opened only if that is allowed, and an address must be one."""
        for address in ("0.0.0.0:1", "192.168.0.1:1", "1x", ":1", "99999", "localhost", "localhost:x"):
            arguments = main.parser().parse_args(["connect", "h", "t", "--listen", address])
            self.failureResultOf(Deferred.fromCoroutine(local_port.listen(arguments, None)), ConfigError)

    def test_port_alone(self) -> None:
        """A port without an address is one of this machine, and only that."""
        arguments = main.parser().parse_args(["connect", "h", "t", "--listen", "8022"])
        self.assertEqual(local_port.local_address(arguments), ("127.0.0.1", 8022))

    def test_odd_names(self) -> None:
        """What can't be a target, a stream, a pattern or a number is refused before anybody is asked, in one line."""
        for words, *given in (
            ("TARGET: '' is not a valid target name (1 to 8 parts", "connect", "h", ""),
            ("TARGET: 'no such' is not a valid target name", "connect", "h", "no such"),
            ("STREAM: expected a stream's name", "end", " "),
            ("HOST[:TARGET]: '': expected HOST or HOST:TARGET", "hosts", ""),
            ("HOST[:TARGET]: ':log': expected HOST or HOST:TARGET", "streams", "web-1", ":log"),
            ("--attach: 'x': expected a terminal's id, or HOST:TARGET", "connect", "--attach", "x"),
            ("--attach: 'a:': expected a terminal's id, or HOST:TARGET", "connect", "--attach", "a:"),
            ("--lines: '-1': expected a number, 0 to 100000", "connect", "h", "t", "--lines", "-1"),
            ("--lines: '100001': expected a number, 0 to 100000", "connect", "h", "t", "--lines=100001"),
            ("--after: 'x': expected a number, 0 or more", "connect", "h", "t", "--after", "x"),
        ):
            self.err.seek(0)
            self.err.truncate()
            self.assertEqual(self.run_command(*given), statuses.USAGE, given)
            self.assertIn(f"streamrelay: argument {words}", self.err.getvalue())
            self.assertEqual(self.err.getvalue().count("\n"), 1)

    def test_missing(self) -> None:
        """Host and target are wanted, but where a terminal says them; options may stand between the two."""
        for names, *given in (("HOST, TARGET", "connect"), ("TARGET", "connect", "h", "--view")):
            self.err.truncate(0)
            self.assertEqual(self.run_command(*given), statuses.USAGE)
            self.assertIn(f"the following arguments are required: {names} (streamrelay conn", self.err.getvalue())
        for given in (["h", "--view", "t"], ["h", "t"], ["--view", "h", "t", "--attach", "-" + "a" * 21]):
            parsed = main.parser().parse_args(["connect", *given])
            self.assertEqual((parsed.host, parsed.target), ("h", "t"))
        self.assertEqual(parsed.attach, "-" + "a" * 21)
        parsed = main.parser().parse_args(["connect", "--attach", "h:t"])
        self.assertEqual((parsed.host, parsed.target, parsed.attach), (None, None, "h:t"))
        self.assertEqual(self.run_command("connect", "--attach", "h:t", "--listen", "0"), statuses.USAGE)
        self.assertIn("--attach: a terminal is for standard input and output alone", self.err.getvalue())

    def test_nothing_given(self) -> None:
        """An address or a file that is empty, as an unset variable of a script is, is refused rather than left out."""
        for option in ("--listen", "--place-file"):
            self.assertEqual(self.run_command("connect", "h", "t", option, ""), statuses.USAGE)
            self.assertIn(f"argument {option}: expected", self.err.getvalue())


class Keys(CommandCase):
    """The user's own key."""

    def key(self, mode: int) -> str:
        path = self.where / "key"
        path.write_text("srk_x\n")
        path.chmod(mode)
        return access.read_key(str(path))

    def test_file(self) -> None:
        """A key's file is read if nobody else may read it."""
        self.assertEqual(self.key(0o600), "srk_x")
        for mode in (0o640, 0o604, 0o666):
            self.assertIn("chmod 600", str(self.assertRaises(ConfigError, self.key, mode)))

    def test_no_file(self) -> None:
        """A file that isn't there, or no text, is an error; without a file the environment counts."""
        self.assertRaises(ConfigError, access.read_key, "/no/such")
        (self.where / "binary").write_bytes(b"\xff")
        (self.where / "binary").chmod(0o600)
        error = str(self.assertRaises(ConfigError, access.read_key, str(self.where / "binary")))
        self.assertIn("expected UTF-8", error)
        self.assertNotIn("ff", error.removeprefix(str(self.where)))
        (self.where / "empty").write_bytes(b"\n")
        (self.where / "empty").chmod(0o600)
        self.assertIn("holds no key", str(self.assertRaises(ConfigError, access.read_key, str(self.where / "empty"))))
        self.assertEqual(access.read_key(""), "")
        self.patch(os, "environ", {"STREAMRELAY_KEY": "srk_y"})
        self.assertEqual(access.read_key(""), "srk_y")

    def test_no_key(self) -> None:
        """What can't be a key, as no header would hold it, isn't tried as one, nor told."""
        for odd in (os.fsdecode(b"srk_\xff"), "srk_\u20ac", "srk_a\r\nb", "srk a"):
            self.patch(os, "environ", {"STREAMRELAY_KEY": odd})
            error = str(self.assertRaises(ConfigError, access.read_key, ""))
            self.assertIn("STREAMRELAY_KEY: ", error)
            self.assertNotIn(odd, error)


class Statuses(CommandCase):
    """What went wrong, as an exit status."""

    def told(self, error: Exception) -> int:
        async def fail() -> int:
            raise error

        return self.successResultOf(Deferred.fromCoroutine(commands._told(fail())))

    def test_statuses(self) -> None:
        """Each kind of failure has its status, and one line that says it."""
        for error, status in (
            (PlatformError(0, "gone"), statuses.UNREACHED),
            (PlatformError(401, "why"), statuses.DENIED),
            (PlatformError(403, "why"), statuses.DENIED),
            (PlatformError(404, "why"), statuses.DENIED),
            (PlatformError(410, "why"), statuses.DENIED),
            (PlatformError(429, "why"), statuses.DENIED),
            (PlatformError(502, "why"), statuses.TARGET),
            (PlatformError(503, "why"), statuses.OFFLINE),
            (PlatformError(504, "why"), statuses.TARGET),
            (PlatformError(500, "why"), statuses.UNREACHED),
            (PlatformError(statuses.WRONG_URL, "why"), statuses.USAGE),
            (DialError("why"), statuses.UNREACHED),
            (RelayBusy("why"), statuses.OFFLINE),
            (ConfigError("why"), statuses.USAGE),
        ):
            self.err.truncate(0)
            self.assertEqual(self.told(error), status)
            self.assertEqual(self.err.getvalue().count("\n"), 1)

    def test_our_fault(self) -> None:
        """An error of ours shows its traceback."""
        self.assertEqual(self.told(ZeroDivisionError("x")), statuses.BROKE)
        self.assertIn("Traceback", self.err.getvalue())
