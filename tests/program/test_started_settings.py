"""started_settings.py: what a changed file of settings is told to change, and when."""

import os
from typing import Any

from streamrelay.agent import tap as agent_tap
from streamrelay.agent.service import Agent
from streamrelay.agent.target_files import at_once
from streamrelay.logs import Logger
from streamrelay.platform import tap as platform_tap
from streamrelay.platform.tap import PlatformService
from streamrelay.program.service import Looped
from streamrelay.program.started_settings import StartedSettings
from streamrelay.protocol.tokens import Verifier
from streamrelay.relay import tap as relay_tap
from streamrelay.relay.config import RelayConfig
from streamrelay.relay.service import Relay
from tests.fakes.bus import FakeBus
from tests.fakes.files import key_pair
from tests.fakes.logs import Heard
from tests.program.test_options import Case

NOW = "and in force from now on: "
NEXT = "and not in force before the next start: "
LOG = '[targets.{name}]\nkind = "log"\npath = "/x"\n'


class Changed(Case):
    """Each program, as it looks at its file when that has changed."""

    def setUp(self) -> None:
        super().setUp()
        self.path = self.where / "settings.toml"
        self.heard = Heard(self)

    def start(self, tap: Any, text: str, *options: str) -> Looped:
        self.path.write_text(text)
        service: Looped = tap.makeService(self.parse(tap, f"--config={self.path}", *options))
        for each in service:
            if isinstance(each, Agent):
                each.catalogue.files.apart, each.bus = at_once, FakeBus()
        return service

    def told(self, service: Looped, text: str) -> list[str]:
        """The lines that a change to this text brings, and none at the next look."""
        self.heard.events.clear()
        self.path.write_text(text)
        for _ in range(2):
            service._look()
        return self.heard.lines

    def test_relay(self) -> None:
        """A relay names the settings that have changed; what the command line gives has not, nor what is as at the
        start again."""
        text = f'platform_key = ["{self.public}"]\npatience = 5\n'
        relay = self.start(relay_tap, text, "--id=a")
        self.assertEqual(self.told(relay, text), [])
        self.assertEqual(
            self.told(relay, text.replace("patience = 5", "patience = 6") + 'id = "b"\nmax_connections = 9\n'),
            [f"changed in {self.path}, {NOW}patience", f"changed in {self.path}, {NEXT}max_connections"],
        )
        self.assertEqual(self.told(relay, text), [f"changed in {self.path}, {NOW}patience"])
        self.assertEqual(self.told(relay, text + 'id = "b"\n'), [])

    def test_platform(self) -> None:
        """A platform names tables as a whole, and shows no value: one may hold a password."""
        text = f'relay = "wss://r"\nkey = "{self.private}"\nkeys = "{self.keys}"\nnats = ["nats://127.0.0.1"]\n'
        platform = self.start(platform_tap, text)
        [line] = self.told(platform, text.replace("//127", "//x:secret@127") + "[sessions]\nidle = 99\n")
        self.assertEqual(line, f"changed in {self.path}, {NEXT}nats, sessions")

    def test_agent(self) -> None:
        """An agent reads its targets again, and names the other settings that have changed beside them."""
        text = f'host = "h"\nplatform_key = ["{self.public}"]\n'
        agent = self.start(agent_tap, text + LOG.format(name="a"))
        more = 'relays = ["wss://r"]\n'
        lines = self.told(agent, text + more + LOG.format(name="b"))
        self.assertEqual(lines, ["targets read again: 1", f"changed in {self.path}, {NOW}relays"])
        lines = self.told(agent, text + 'mask = "always"\n' + LOG.format(name="b"))
        now, after = f"changed in {self.path}, {NOW}relays", f"changed in {self.path}, {NEXT}mask"
        self.assertEqual(lines, ["targets read again: 1", now, after])

    def test_relay_takes(self) -> None:
        """What counts at once counts for a relay from its next look on: origins, keys, limits, drain, debug lines."""
        text = f'platform_key = ["{self.public}"]\n'
        service = self.start(relay_tap, text)
        [relay] = [each for each in service if isinstance(each, Relay)]
        _, other = key_pair(self)
        more = f'platform_key = ["{other}"]\norigin = ["https://a"]\nlifetime = 9\ndrain = 3\ndebug = true\n'
        self.addCleanup(setattr, Logger, "debugging", False)
        [line] = self.told(service, more)
        self.assertEqual(line, f"changed in {self.path}, {NOW}platform_key, origin, drain, debug, lifetime")
        self.assertEqual((relay.config.origin, relay.config.lifetime), (("https://a",), 9))
        self.assertEqual((service.stopping.seconds, Logger.debugging), (3, True))
        assert relay.verifier is not None
        self.assertEqual(list(relay.verifier.keys), list(Verifier.load([str(other)], "relay").keys))

    def test_all_or_nothing(self) -> None:
        """Of a file that names a key which can't be read nothing counts, until it can; each is told once."""
        text = f'platform_key = ["{self.public}"]\n'
        service = self.start(relay_tap, text)
        [relay] = [each for each in service if isinstance(each, Relay)]
        before, missing = relay.verifier, self.where / "missing.pub"
        lines = self.told(service, f'platform_key = ["{missing}"]\norigin = ["https://a"]\n')
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(f"can't read the settings again: {missing}", lines[0])
        self.assertEqual((relay.verifier, relay.config.origin), (before, ()))
        missing.write_bytes(self.public.read_bytes())
        self.heard.events.clear()
        service._look()
        self.assertIn(f"{NOW}platform_key, origin", self.heard.lines[0])
        self.assertEqual(relay.config.origin, ("https://a",))

    def test_agent_takes(self) -> None:
        """An agent's relays, limits and keys count at once, for its streams and its quota, too; what names a key that
        can't be read changes nothing but the targets."""
        text = f'host = "h"\nplatform_key = ["{self.public}"]\n'
        service = self.start(agent_tap, text)
        [agent] = [each for each in service if isinstance(each, Agent)]
        self.told(service, text + 'relays = ["wss://r"]\nmax_streams = 3\nidle = 5\n')
        for config in (agent.config, agent.streams.config, agent.streams.quota.config):
            self.assertEqual((config.relays, config.max_streams, config.idle), (("wss://r",), 3, 5))
        before = agent.summonses.verifier
        lines = self.told(service, 'host = "h"\nplatform_key = ["/no/such"]\nmax_streams = 4\n' + LOG.format(name="a"))
        self.assertEqual((agent.summonses.verifier, agent.config.max_streams), (before, 3))
        self.assertIn("can't read the settings again: /no/such", "".join(lines))
        self.assertIn("targets read again: 1", lines)

    def test_platform_takes(self) -> None:
        """A platform's origins and limits count at once."""
        text = f'relay = "wss://r"\nkey = "{self.private}"\nkeys = "{self.keys}"\n'
        service = self.start(platform_tap, text)
        [line] = self.told(service, text + 'origin = ["https://a"]\nearly = false\nquota = 7\n')
        self.assertEqual(line, f"changed in {self.path}, {NOW}quota, origin, early")
        [platform] = [each._platform for each in service if isinstance(each, PlatformService)]
        self.assertEqual((platform.limits.quota, platform.early), (7, False))

    def test_wrong(self) -> None:
        """A file with which no program would start is told at once, by its fault, and not at the next start."""
        relay = self.start(relay_tap, f'platform_key = ["{self.public}"]\n')
        [line] = self.told(relay, f'platform_key = ["{self.public}"]\npatients = 5\n')
        self.assertIn(f"the next start would fail: {self.path}: Object contains unknown field `patients`", line)
        [line] = self.told(relay, "[patience")
        self.assertIn(f"can't read the settings again: {self.path}: not TOML", line)
        self.path.unlink()
        self.heard.events.clear()
        relay._look()
        self.assertIn("No such file", self.heard.lines[0])

    def test_none(self) -> None:
        """A program without a file has none that changes."""
        relay: Any = relay_tap.makeService(self.parse(relay_tap, f"--platform-key={self.public}"))
        relay.reload()
        self.assertEqual(self.heard.lines, [f"the platforms' public keys read again: {self.public}"])

    def test_pipe(self) -> None:
        """A file that can be read but once, as `<(…)` of a shell is one, is read once."""
        path = self.where / "pipe"
        os.mkfifo(path)
        started = StartedSettings(RelayConfig(tokens="opaque"), str(path), {})
        self.assertEqual(started.path, "")  # else it would be waited for below
        started.load()
        started.files.refresh(force=True)
        self.assertEqual(self.heard.lines, [])
