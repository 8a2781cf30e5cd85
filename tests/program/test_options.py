"""options.py: twistd's command lines."""

from types import ModuleType
from typing import Any

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent import tap as agent_tap
from streamrelay.agent.config import AgentConfig
from streamrelay.errors import ConfigError
from streamrelay.logs import Logger
from streamrelay.platform import tap as platform_tap
from streamrelay.platform.auth.grants import Grant
from streamrelay.platform.auth.key_file import add_key
from streamrelay.platform.config import PlatformConfig
from streamrelay.program.settings import declared
from streamrelay.relay import tap as relay_tap
from streamrelay.relay.config import RelayConfig
from tests.fakes.files import folder, key_pair
from tests.fakes.reactors import install

PROGRAMS = ((relay_tap, RelayConfig), (agent_tap, AgentConfig), (platform_tap, PlatformConfig))


class Plugins(SynchronousTestCase):
    """What twistd finds."""

    def test_found(self) -> None:
        """twistd finds the three programs, each with its options and its service."""
        found = {plugin.tapname: plugin for plugin in getPlugins(IServiceMaker)}
        for name, module in (("streamrelay", relay_tap), ("streamagent", agent_tap), ("streamplatform", platform_tap)):
            self.assertIs(found[name].options, module.Options)
            self.assertIs(found[name].makeService, module.makeService)
            self.assertTrue(found[name].description)


class Case(SynchronousTestCase):
    """A fake reactor as the global one, a platform's keys, users' keys."""

    def setUp(self) -> None:
        self.reactor = install(self)
        self.private, self.public = key_pair(self)
        self.where = folder(self)
        self.keys = self.where / "keys.toml"
        add_key(self.keys, "alice", [Grant()])
        self.addCleanup(setattr, Logger, "debugging", False)

    def parse(self, module: ModuleType, *arguments: str) -> Any:
        parsed = module.Options()
        parsed.parseOptions(arguments)
        return parsed

    def leaves(self, module: ModuleType, *arguments: str) -> str:
        """The line with which a program doesn't start."""
        error = self.assertRaises(SystemExit, module.makeService, self.parse(module, *arguments))
        self.assertNotIn("\n", str(error))
        self.assertTrue(str(error).startswith("streamrelay: "))
        return str(error)


class Twice(Case):
    """Options of which only one counts."""

    def test_refused(self) -> None:
        """Each that is given twice is refused with both values: none is dropped without a word."""
        for module, settings in PROGRAMS:
            values = [setting.option_name for setting in declared(settings) if setting.option]
            once = [
                setting.option_name
                for setting in declared(settings)
                if setting.option and not setting.is_flag and not setting.is_list
            ]
            self.assertIn("admin", values)
            for name in ("config", *once):
                error = self.assertRaises(usage.UsageError, self.parse, module, f"--{name}", "7", f"--{name}=8")
                self.assertEqual(str(error), f"--{name}: given twice, as 7 and as 8; only one counts")
        self.assertRaises(usage.UsageError, self.parse, relay_tap, "-c", "a", "--config", "b")
        self.assertEqual(self.parse(relay_tap, "-c", "a")["config"], "a")
        self.assertIsNone(self.parse(relay_tap)["config"])


class Lines(Case):
    """From options to settings."""

    def test_relay(self) -> None:
        """Each option of the relay is the setting of its name; those that repeat make a list."""
        parsed = self.parse(
            relay_tap,
            *("--listen", "tls:1", "--listen", "tcp:2", "--origin", "https://a", "--platform-key", "k"),
            *("--patience", "0", "--id", "r", "--tokens", "signed", "--debug", "--insecure", "--proxy-protocol"),
            *("--certificate", "a,b", "--certificate", "c", "--agent-ca", "d", "--proxy", "10.0.0.0/8"),
        )
        expected = RelayConfig(
            ("tls:1", "tcp:2"),
            "r",
            "signed",
            ("k",),
            0.0,
            ("https://a",),
            certificates=("a,b", "c"),
            agent_ca="d",
            proxies=("10.0.0.0/8",),
            proxy_protocol=True,
            insecure=True,
            debug=True,
        )
        self.addCleanup(setattr, Logger, "debugging", False)
        self.assertEqual(parsed.config(RelayConfig), expected)
        self.assertTrue(Logger.debugging)

    def test_agent(self) -> None:
        """Each option of the agent is the setting of its name."""
        parsed = self.parse(
            agent_tap,
            *("--host", "h", "--nats", "nats://n:1", "--nats", "tls://m", "--relay", "wss://r", "--platform-key", "k"),
            *(
                "--mask",
                "always",
                "--ca",
                "c",
                "--drop-in",
                "d",
                "--nats-nkey",
                "n",
                "--nats-certificate",
                "e,f",
                "--insecure",
                "--tokens",
                "opaque",
            ),
        )
        config = parsed.config(AgentConfig)
        self.assertEqual((config.host, config.nats, config.relays), ("h", ("nats://n:1", "tls://m"), ("wss://r",)))
        self.assertEqual((config.mask, config.ca, config.drop_in, config.nats_nkey), ("always", "c", "d", "n"))
        self.assertEqual(config.nats_certificate, "e,f")
        self.assertEqual((config.insecure, config.tokens, config.platform_key), (True, "opaque", ("k",)))

    def test_platform(self) -> None:
        """Each option of the platform is the setting of its name."""
        parsed = self.parse(
            platform_tap,
            *(
                "--relay",
                "wss://r",
                "--relay-id",
                "i",
                "--key",
                "k",
                "--keys",
                "u",
                "--listen",
                "tls:1",
                "--nats",
                "tls://n",
            ),
            *("--nats-creds", "c", "--ca", "a", "--tokens", "signed", "--certificate", "x,y", "--proxy", "unix"),
        )
        config = parsed.config(PlatformConfig)
        self.assertEqual((config.relay, config.listen, config.relay_id), ("wss://r", ("tls:1",), "i"))
        self.assertEqual((config.nats, config.nats_creds, config.ca), (("tls://n",), "c", "a"))
        self.assertEqual((config.tokens, config.key, config.keys), ("signed", "k", "u"))
        self.assertEqual((config.certificates, config.proxies, config.proxy_protocol), (("x,y",), ("unix",), False))

    def test_over_a_file(self) -> None:
        """Options lie over the file; a list that is given replaces the file's."""
        path = self.where / "relay.toml"
        path.write_text('listen = ["tls:1"]\ncertificates = ["c"]\nid = "a"\nplatform_key = ["k"]\n')
        config = self.parse(relay_tap, "--config", str(path), "--listen", "tls:2").config(RelayConfig)
        self.assertEqual((config.listen, config.id), (("tls:2",), "a"))

    def test_all_settings_exist(self) -> None:
        """Every setting that is declared as an option can be given by it, in its own form; the others by none."""
        for module, kind in PROGRAMS:
            for setting in declared(kind):
                option = f"--{setting.name.replace('_', '-')}"
                if setting.option is None:
                    self.assertRaises(usage.UsageError, self.parse, module, option, "3")
                    continue
                option = f"--{setting.option_name}"
                words = (option,) if setting.is_flag else (option, "3")
                parsed = self.parse(module, *words, *(words if setting.is_list else ()))
                given = parsed.overrides()
                self.assertEqual(parsed.overrides(), given)
                expected = True if setting.is_flag else ("3", "3") if setting.is_list else "3"
                self.assertEqual(given, {setting.name: 3 if setting.is_number else expected}, option)

    def test_help(self) -> None:
        """`--help` tells each option once, with what it is, whether it may be repeated, and its default."""
        for module, kind in PROGRAMS:
            parsed = module.Options()
            shown = " ".join(str(parsed).split())
            for setting in declared(kind):
                if setting.option is None:
                    continue
                ends = "=" if not setting.is_flag else ""
                self.assertEqual(shown.count(f" --{setting.option_name}{ends} {setting.help}"), 1, setting.name)
                self.assertEqual("; may be repeated" in setting.help, setting.is_list)
            self.assertEqual(str(parsed).count("twistd [options]"), 0)
        helps = {setting.name: setting.help for setting in declared(PlatformConfig)}
        self.assertTrue(helps["listen"].endswith("; may be repeated (default: tcp:8800:interface=127.0.0.1)."))
        self.assertTrue(helps["idle"].endswith("0: never (default: 0)."))
        self.assertTrue(helps["tokens"].endswith("(default: signed)."))
        self.assertNotIn("default", helps["relay"] + helps["key"] + helps["insecure"] + helps["proxies"])

    def test_unsaid(self) -> None:
        """Without options nothing is overridden."""
        for module, _ in PROGRAMS:
            self.assertEqual(self.parse(module).overrides(), {})

    def test_no_password(self) -> None:
        """A bus' URL with a password is no option, as the process list would show it; the error doesn't show it."""
        for module in (agent_tap, platform_tap):
            for url in ("tls://u:hidden@nats.example", "nats://hidden@127.0.0.1"):
                error = self.assertRaises(usage.UsageError, self.parse, module, "--nats", url)
                self.assertNotIn("hidden", str(error))

    def test_limits(self) -> None:
        """The platform's limits may be options, and reach its streams."""
        limits = ("--idle", "1.5", "--lifetime", "60", "--quota", "9007199254740993")
        parsed = self.parse(platform_tap, *limits, "--relay", "ws://localhost", "--key", "k", "--keys", "u")
        self.assertEqual(parsed.config(PlatformConfig).claims(), {"idle": 1.5, "lifetime": 60, "quota": 2**53 + 1})
        for wrong in ("-1", "many", "1.5"):
            parsed = self.parse(platform_tap, "--quota", wrong, "--relay", "ws://localhost", "--tokens", "opaque")
            self.assertRaises(ConfigError, parsed.config, PlatformConfig)

    def test_wrong(self) -> None:
        """Unknown options, and numbers that are none, are usage errors."""
        self.assertRaises(usage.UsageError, self.parse, relay_tap, "--nonsense")
        parsed = self.parse(relay_tap, "--patience", "long", "--tokens", "opaque")
        self.assertRaises(ConfigError, parsed.config, RelayConfig)
