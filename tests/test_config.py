"""config.py: settings, checked once."""

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.config import AgentConfig, PlatformConfig, RelayConfig, load, read_toml
from streamrelay.errors import ConfigError
from tests.fakes import folder

RELAY = {"platform_key": ("k",)}
AGENT = {"host": "h", "platform_key": ("k",)}
PLATFORM = {"relay": "wss://relay.example", "keys": "k", "key": "k"}


class Files(SynchronousTestCase):
    """A TOML file below the command line."""

    def setUp(self) -> None:
        self.path = folder(self) / "config.toml"

    def load(self, text: str, kind=RelayConfig, **overrides):
        self.path.write_text(text)
        return load(kind, str(self.path), overrides)

    def test_overridden(self) -> None:
        """What the command line gives counts over the file, the file over the defaults."""
        config = self.load('patience = 5\nid = "a"\nplatform_key = ["k"]\n', id="b")
        self.assertEqual((config.patience, config.id, config.max_connections), (5.0, "b", 50_000))

    def test_unknown(self) -> None:
        """An unknown setting is refused, with the file's name and the settings that there are."""
        error = str(self.assertRaises(ConfigError, self.load, 'patients = 5\nplatform_key = ["k"]\n'))
        self.assertIn(str(self.path), error)
        self.assertIn("patients", error)
        self.assertIn("patience", error.replace("patients", ""))

    def test_broken(self) -> None:
        """A file that is missing, no TOML or not UTF-8 is refused by its name."""
        self.path.write_bytes(b"\xff")
        self.assertIn(str(self.path), str(self.assertRaises(ConfigError, read_toml, str(self.path))))
        self.path.write_text("x = ")
        self.assertRaises(ConfigError, read_toml, str(self.path))
        self.path.unlink()
        self.assertRaises(ConfigError, read_toml, str(self.path))

    def test_endless(self) -> None:
        """A file that nests too deep or has a number too long is refused like any that is no TOML."""
        path = folder(self) / "deep.toml"
        for text in ("a = " + "[" * 5000, "a = " + "9" * 5000):
            path.write_text(text)
            self.assertIn(str(path), str(self.assertRaises(ConfigError, load, RelayConfig, str(path), {})))

    def test_frozen(self) -> None:
        """Settings don't change once they are checked."""
        config = load(RelayConfig, None, RELAY)
        self.assertRaises(AttributeError, setattr, config, "patience", 1)


class Checks(SynchronousTestCase):
    """What no program starts with."""

    def refused(self, kind, *changes: dict) -> None:
        base = {RelayConfig: RELAY, AgentConfig: AGENT, PlatformConfig: PLATFORM}[kind]
        load(kind, None, base)
        for change in changes:
            error = self.assertRaises(ConfigError, load, kind, None, {**base, **change})
            self.assertNotIn("\n", str(error))

    def test_relay(self) -> None:
        """A relay needs keys or opaque tokens, somewhere to listen, and possible limits and origins."""
        self.refused(
            RelayConfig,
            {"platform_key": ()},
            {"listen": ()},
            {"tokens": "none"},
            {"patience": -1},
            {"patience": float("nan")},
            {"patience": float("inf")},
            {"patience": "5"},
            {"id": "a.b"},
            {"id": ""},
            {"max_connections": 0},
            {"max_handshakes": 0},
            *(
                {"origin": (origin,)}
                for origin in ("panel", "null", "*", "https://a/", "https://A", "https://a?b", "//a", "")
            ),
        )
        load(RelayConfig, None, {"tokens": "opaque"})
        load(RelayConfig, None, {**RELAY, "origin": ("https://a.example:8443", "http://127.0.0.1:1")})

    def test_agent(self) -> None:
        """An agent needs a name and a platform's key, or relays; nothing plain leaves its machine unasked."""
        self.refused(
            AgentConfig,
            {"host": "a.b"},
            {"host": "x" * 65},
            {"platform_key": ()},
            {"tokens": "opaque"},
            {"relays": ("http://relay",)},
            {"relays": ("wss://",)},
            {"relays": ("wss://a?b=c",)},
            {"nats": ("nats://nats.example",)},
            {"nats": ("http://nats.example",)},
            {"nats": ("nats",)},
            {"mask": "never"},
            {"patience": 0},
            {"max_streams": 0},
            {"more": 1},
        )
        load(AgentConfig, None, {"host": "h", "tokens": "opaque", "relays": ("wss://relay.example",)})
        load(AgentConfig, None, {**AGENT, "nats": ("tls://nats.example", "nats://127.0.0.1:4222", "nats://localhost")})
        load(AgentConfig, None, {**AGENT, "nats": ("nats://nats.example",), "insecure": True})
        self.assertRaises(ConfigError, load, AgentConfig, None, {"platform_key": ("k",)})

    def test_platform(self) -> None:
        """A platform needs a relay, users' keys, and its own key or opaque tokens; nothing plain leaves unasked."""
        self.refused(
            PlatformConfig,
            {"keys": ""},
            {"key": ""},
            {"listen": ()},
            {"relay": "https://relay.example"},
            {"relay": "ws://relay.example"},
            {"relay": ""},
            {"relay_id": "a b"},
            {"nats": ("nats://nats.example",)},
        )
        load(PlatformConfig, None, {**PLATFORM, "key": "", "tokens": "opaque"})
        load(PlatformConfig, None, {**PLATFORM, "relay": "ws://127.0.0.1:1"})
        load(PlatformConfig, None, {**PLATFORM, "relay": "ws://relay.example", "insecure": True})
