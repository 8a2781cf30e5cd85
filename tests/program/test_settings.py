"""settings.py: settings, checked once."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.config import AgentConfig
from streamrelay.bus.settings import without_password
from streamrelay.errors import ConfigError
from streamrelay.platform.config import PlatformConfig
from streamrelay.program.settings import load, read_toml
from streamrelay.relay.config import RelayConfig
from tests.fakes.files import folder

Program = RelayConfig | AgentConfig | PlatformConfig

RELAY: dict[str, Any] = {"platform_key": ("k",)}
AGENT: dict[str, Any] = {"host": "h", "platform_key": ("k",)}
PLATFORM: dict[str, Any] = {"relay": "wss://relay.example", "keys": "k", "key": "k"}


class Files(SynchronousTestCase):
    """A TOML file below the command line."""

    def setUp(self) -> None:
        self.path = folder(self) / "config.toml"

    def load(self, text: str, kind: type[Program] = RelayConfig, **overrides: object) -> Any:
        self.path.write_text(text)
        return load(kind, str(self.path), overrides)

    def test_overridden(self) -> None:
        """What the command line gives counts over the file, the file over the defaults."""
        config = self.load('patience = 5\nid = "a"\nplatform_key = ["k"]\n', id="b")
        self.assertEqual((config.patience, config.id, config.max_connections), (5.0, "b", 50_000))

    def test_meant(self) -> None:
        """A setting with a letter wrong is told which may be meant, and one that is missing that it is, in a line that
        can be read."""
        kinds: tuple[tuple[type[Program], dict[str, Any], str], ...] = (
            (
                PlatformConfig,
                {**PLATFORM, "outbound_prox": "x"},
                "`outbound_prox`; is outbound_proxy or outbound_login meant?",
            ),
            (
                PlatformConfig,
                {**PLATFORM, "max_conections": 1},
                "is max_connections or max_connections_per_address meant?",
            ),
            (
                PlatformConfig,
                {},
                "no relay is set; give --relay, or setting relays for those on the bus",
            ),
            (AgentConfig, {}, "missing required field `host`; give --config FILE, or --host"),
        )
        for kind, change, words in kinds:
            error = str(self.assertRaises(ConfigError, load, kind, None, change))
            self.assertTrue(error.endswith(words), error)
            self.assertLess(len(error), 200)

    def test_missing(self) -> None:
        """Who has given a file isn't told to give one."""
        error = str(self.assertRaises(ConfigError, self.load, "", AgentConfig))
        self.assertEqual(error, f"{self.path}: Object missing required field `host`")

    def test_unknown(self) -> None:
        """An unknown setting is refused, with the file's name and the settings that there are."""
        error = str(self.assertRaises(ConfigError, self.load, 'patients = 5\nplatform_key = ["k"]\n'))
        self.assertIn(str(self.path), error)
        self.assertIn("patients", error)
        self.assertIn("patience", error.replace("patients", ""))

    def test_hosts(self) -> None:
        """A name that no host can have is refused in words, by its setting."""
        self.assertEqual(
            self.load('host = "web-1.example.com"\nplatform_key = ["k"]\n', AgentConfig).host[:6], "web-1."
        )
        for name in ("", "web-1.", "a..b", "a b", "a:b"):
            text = f'host = "{name}"\nplatform_key = ["k"]\n'
            error = str(self.assertRaises(ConfigError, self.load, text, AgentConfig))
            self.assertIn(f"{self.path}: host {name!r}: expected 1 to 253 of A-Za-z0-9_-, with single dots", error)

    def test_broken(self) -> None:
        """A file that is missing, no TOML or not UTF-8 is refused by its name."""
        self.path.write_bytes(b"\xff")
        self.assertIn(str(self.path), str(self.assertRaises(ConfigError, read_toml, str(self.path))))
        self.path.write_text("x = ")
        self.assertRaises(ConfigError, read_toml, str(self.path))
        self.path.unlink()
        self.assertRaises(ConfigError, read_toml, str(self.path))

    def test_byte_order_mark(self) -> None:
        """A file that an editor on Windows has saved is read; one in UTF-16 is refused as that."""
        text = 'patience = 5\nplatform_key = ["k"]\n'
        self.path.write_bytes(text.encode("utf-8-sig"))
        self.assertEqual(load(RelayConfig, str(self.path), {}).patience, 5)
        for encoding in ("utf-16", "utf-16-be", "utf-16-le"):
            mark = b"" if encoding == "utf-16" else "\ufeff".encode(encoding)
            self.path.write_bytes(mark + text.encode(encoding))
            error = str(self.assertRaises(ConfigError, load, RelayConfig, str(self.path), {}))
            self.assertEqual(error, f"{self.path}: not TOML: it is UTF-16; save it as UTF-8")

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

    def refused(self, kind: type[Program], *changes: dict[str, Any]) -> None:
        bases: dict[type[Program], dict[str, Any]] = {RelayConfig: RELAY, AgentConfig: AGENT, PlatformConfig: PLATFORM}
        base = bases[kind]
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
            {"id": "a..b"},
            {"id": ""},
            {"max_connections": 0},
            {"max_handshakes": 0},
            {"max_handshakes_per_address": 0},
            {"listen": ("tcp:1",)},
            {"listen": ("tcp:1:interface=192.0.2.1",)},
            {"listen": ("tcp:1:interface=127.0.0.1.evil.example",)},
            {"listen": ("tcp6:1:interface=\\:\\:",)},
            {"listen": ("tls:1",)},
            {"listen": ("ssl:1:privateKey=k",)},
            {"listen": ("haproxy:tcp:1",)},
            {"listen": (f"unix:/{'a' * 107}",)},
            {"listen": (f"unix:address=/{'a' * 107}:mode=600",)},
            {"listen": ("systemd:domain=INET:index=0",)},
            {"listen": ("unix",)},
            {"agent_ca": "ca.pem"},
            {"proxies": ("10.0.0.1/8",)},
            {"proxies": ("proxy.example",)},
            *(
                {"origin": (origin,)}
                for origin in ("panel", "null", "*", "https://a/", "https://A", "https://a?b", "//a", "")
            ),
        )
        load(RelayConfig, None, {"tokens": "opaque"})
        for endpoint in ("tcp:1:interface=127.0.0.1", "tcp6:1:interface=\\:\\:1", "unix:/run/a.sock:mode=660"):
            load(RelayConfig, None, {**RELAY, "listen": (endpoint,)})
        load(RelayConfig, None, {**RELAY, "listen": ("tls:443", "tls:8443:interface=\\:\\:"), "certificates": ("c,k",)})
        load(RelayConfig, None, {**RELAY, "listen": ("tcp:1",), "insecure": True})
        load(RelayConfig, None, {**RELAY, "proxies": ("10.0.0.0/8", "2001:db8::/32", "192.0.2.1", "unix")})
        load(RelayConfig, None, {**RELAY, "origin": ("https://a.example:8443", "http://127.0.0.1:1")})

    def test_agent(self) -> None:
        """An agent needs a name and a platform's key, or relays; nothing plain leaves its machine unasked."""
        self.refused(
            AgentConfig,
            {"host": "a..b"},
            {"host": "x" * 65},
            {"platform_key": ()},
            {"tokens": "opaque"},
            {"relays": ("http://relay",)},
            {"relays": ("wss://",)},
            {"relays": ("wss://a?b=c",)},
            {"nats": ("nats://nats.example",)},
            {"nats": ("http://nats.example",)},
            {"nats": ("nats",)},
            {"nats": ("https://nats.example",)},
            {"nats": ("ws://nats.example",)},
            {"nats": ("wss://nats.example", "tls://nats.example")},
            {"nats": ("tls://nats.example:port",)},
            {"outbound_proxy": "ftp://proxy.example"},
            {"outbound_proxy": "http://proxy.example:port"},
            {"no_proxy": ("10.0.0.0/33",)},
            {"nats": ("http://nats.example",), "insecure": True},
            {"nats": ()},
            {"nats_nkey": "a", "nats_creds": "b"},
            {"mask": "never"},
            {"patience": 0},
            {"max_streams": 0},
            {"more": 1},
        )
        load(AgentConfig, None, {"host": "h", "tokens": "opaque", "relays": ("wss://relay.example",)})
        load(AgentConfig, None, {**AGENT, "nats": ("tls://nats.example", "nats://127.0.0.1:4222", "nats://localhost")})
        load(AgentConfig, None, {**AGENT, "nats": ("nats://nats.example",), "insecure": True})
        load(AgentConfig, None, {**AGENT, "nats": ("wss://nats.example", "wss://nats.example:8443/nats")})
        for proxy in ("none", "proxy.example", "http://alice:p%40@proxy.example:3128", "socks5h://[::1]"):
            load(AgentConfig, None, {**AGENT, "outbound_proxy": proxy, "no_proxy": ("a.example:1", "10.0.0.0/8", "*")})
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
            {"listen": ("tcp:8800",)},
            {"listen": ("tls:8800",)},
            {"nats": ("nats://nats.example",)},
            {"nats_nkey": "a", "nats_creds": "b"},
        )
        load(PlatformConfig, None, {**PLATFORM, "key": "", "tokens": "opaque"})
        load(PlatformConfig, None, {**PLATFORM, "relay": "ws://127.0.0.1:1"})
        load(PlatformConfig, None, {**PLATFORM, "relay": "ws://relay.example", "insecure": True})

    def test_passwords(self) -> None:
        """No complaint about a bus' URL shows the password in it, whatever is wrong with the URL."""
        for url in (
            "http://u:hidden@h",
            "u:hidden@h:1",
            "tls://u:hid@hidden@h:x",
            "nats://hidden@nats.example",
            "//hidden@",
        ):
            for kind, base in ((AgentConfig, AGENT), (PlatformConfig, PLATFORM)):
                error = str(self.assertRaises(ConfigError, load, kind, None, {**base, "nats": (url,)}))
                self.assertNotIn("hid", error)

    def test_shown(self) -> None:
        """A URL, or a text with one, is shown without who logs in."""
        for text, shown in (
            ("tls://u:p@nats.example:4222", "tls://…@nats.example:4222"),
            ("nats://u:p@ss@h", "nats://…@h"),
            ("nats://token@h", "nats://…@h"),
            ("tls://h", "tls://h"),
            ("u:p@h", "…@h"),
            ("can't reach tls://u:p@h now", "can't reach tls://…@h now"),
            ("", ""),
        ):
            self.assertEqual(without_password(text), shown)

    def test_issuer(self) -> None:
        """An issuer needs its name, an audience and keys that nobody can alter on their way; no secret verifies."""
        oidc = {"issuer": "https://i", "audience": "a", "jwks": "/etc/jwks.json"}
        wrong: list[dict[str, object]] = [{name: text} for name in oidc for text in ("", None)]
        wrong += [
            {"jwks": url} for url in ("http://i.example/k", "ftp://i/k", "https://", "https://u:p@i/k", "file:///k")
        ]
        wrong += [{"algorithms": names} for names in ((), ("HS256",), ("none",), ("RS256", "HS512"), "RS256")]
        wrong += [{"fresh": 1}, {"stale": float("inf")}, {"secret": "x"}]
        self.refused(
            PlatformConfig, *({"oidc": {**oidc, **more}} for more in wrong), {"oidc": {}}, {"oidc": "https://i"}
        )
        for url in ("https://i.example/k", "http://127.0.0.1:1/k", "http://localhost/k", "jwks.json"):
            load(PlatformConfig, None, {**PLATFORM, "oidc": {**oidc, "jwks": url}})
        load(PlatformConfig, None, {**PLATFORM, "insecure": True, "oidc": {**oidc, "jwks": "http://i.example/k"}})

    def test_ask(self) -> None:
        """Questions go out encrypted or stay on this machine, and wait for a bounded time."""
        url = "https://panel.example/ask"
        wrong: list[dict[str, object]] = [
            {},
            {"url": ""},
            {"url": "panel"},
            {"url": "http://panel.example/"},
            {"url": "https://u:p@panel.example"},
        ]
        wrong += [{"url": "https://panel.example/\u00e9"}, {"url": url, "timeout": 0}, {"url": url, "timeout": 31}]
        wrong += [{"url": url, "forward": "cookie"}, {"url": url, "more": 1}]
        self.refused(PlatformConfig, *({"ask": ask} for ask in wrong))
        for good in (url, "http://127.0.0.1:1/ask", "http://[::1]/ask"):
            load(PlatformConfig, None, {**PLATFORM, "ask": {"url": good}})
        load(PlatformConfig, None, {**PLATFORM, "insecure": True, "ask": {"url": "http://panel.example/"}})

    def test_sessions(self) -> None:
        """A session's times are bounded."""
        for name in ("idle", "life"):
            self.refused(PlatformConfig, *({"sessions": {name: time}} for time in (0, -1, 1e9, float("inf"), "1")))
        load(PlatformConfig, None, {**PLATFORM, "sessions": {"idle": 60}})
