"""Regular expressions that read what strangers send: none takes long on the worst that gets to it.

An operator's own, of targets, are in tests/agent/test_catalogue.py: they are RE2's.
"""

import time
from collections.abc import Callable
from fnmatch import fnmatchcase

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.bus.settings import without_password
from streamrelay.errors import ConfigError, Refused
from streamrelay.net.certificates import read_certificates
from streamrelay.platform.auth.grants import Grant, User
from streamrelay.protocol import codec
from streamrelay.protocol.limits import MAX_HANDSHAKE
from streamrelay.protocol.names import is_host, is_loopback, is_opaque, is_target
from streamrelay.protocol.summons import Summons
from streamrelay.protocol.tokens import TokenError, Verifier
from streamrelay.websocket.admission import read_request
from tests.fakes.files import folder

LONG = MAX_HANDSHAKE
GLOBS = ("*a" * 60 + "b", "*" * 120 + "b", "?*" * 60 + "b", "[a-z]*" * 40 + "!", "*[!b]" * 40 + "b")


def ignored(*errors: type[Exception]) -> Callable[..., None]:
    """Call something whose refusal is as good as its answer."""

    def call(function: Callable[..., object], *arguments: object) -> None:
        try:
            function(*arguments)
        except errors:
            pass

    return call


class Worst(SynchronousTestCase):
    """What comes near to a match in as many ways as there are."""

    def check(self, what: str, function: Callable[..., object], *arguments: object, within: float = 0.05) -> None:
        began = time.process_time()
        function(*arguments)
        took = time.process_time() - began
        self.assertLess(took, within, what)

    def test_names(self) -> None:
        """Hosts, targets, tokens and URLs."""
        half = LONG // 2
        for text in ("a" * LONG, "a." * half, "a/" * half, ("a" * 128 + "/") * 60, "127." * (half // 2), "1" * LONG):
            for end in ("", "/", "\n", "!", "é"):
                for known in (is_host, is_target, is_opaque, is_loopback):
                    self.check(f"{known.__name__} {text[:9]}", known, text + end)

    def test_tokens(self) -> None:
        """What looks like a JWT but for its end."""
        refused = ignored(TokenError)
        for text in ("a" * 8191, "a." * 4095, "a" * 2048 + "." + "a" * 4096 + "." + "a" * 129, "." * 8192):
            self.check("token", refused, Verifier({}, "relay").leg, text + "!", "client")

    def test_requests(self) -> None:
        """The path of a leg."""
        refused = ignored(Refused)
        for path in ("/client/" + "x" * 8000, "/client" * 1000, "/" * LONG, "/agent/" + "x" * 7999 + " "):
            self.check("path", refused, read_request, path, {}, ["token."] * 9, "")

    def test_messages(self) -> None:
        """Names in messages of the bus, within the 16 KiB that are read of one."""
        refused = ignored(ValueError)
        for name, text in (("target", "a/" * 8000), ("relay", "wss://" + "x" * 16000), ("stream", "a" * 16000)):
            said = {"stream": "s" * 22, "target": "t", "relay": "ws://x", "token": "t", "jti": "j" * 22, "exp": 1}
            self.check(name, refused, codec.decode, codec.encode(said | {name: text + "\n"}), Summons)

    def test_globs(self) -> None:
        """Grants: globs of an operator, names of a user."""
        for glob in GLOBS:
            for name in ("a" * 256, "a" * 255 + "!", "ab" * 128):
                fnmatchcase("x", glob)  # its translation is remembered
                user = User("alice", (Grant("*", glob),))
                self.check(glob[:9], user.may, "web-1", name)
                self.check(glob[:9], user.may_see, "web-1", name)

    def test_addresses(self) -> None:
        """Passwords are taken out of URLs, and reply subjects are looked at, in no time."""
        for text in ("//" * 8000, "nats://" + "a:" * 8000, "@" * 16000, "//@" * 5000):
            self.check("url", without_password, text)

    def test_certificates(self) -> None:
        """A file that begins a certificate again and again is refused at once."""
        path = folder(self) / "endless.pem"
        path.write_text("-----BEGIN CERTIFICATE-----\n" * 36_000)
        self.check("certificates", ignored(ConfigError), read_certificates, str(path), within=0.5)
