"""platform.py, new_stream.py: a stream that is to carry channels."""

from typing import Any

from streamrelay.platform import Early
from streamrelay.protocol import codec
from streamrelay.protocol.limits import Limits
from streamrelay.protocol.summons import Answer, Summons, Terms
from streamrelay.protocol.tokens import LegClaims, Verifier
from tests.documented import CHANNELS_TAKEN
from tests.platform.test_platform import Case

LIMITS = Limits(idle=30, lifetime=60, quota=1000)


class Asked(Case):
    """A client that has many connections."""

    def opened(self, channels: int, **more: Any) -> tuple[Summons, LegClaims, LegClaims, int]:
        """Open one; return the summons, what both tokens claim, and what the client is told."""
        self.bus.answers.append(codec.encode(Answer(ready=True, kind="tcp", channels=channels)))
        opened = self.open(channels=True, **more)
        claims = Verifier.load([self.public], "web-1").claims(self.bus.asked[-1][1].decode(), "summons")
        summons, relay = codec.convert(claims, Summons), Verifier.load([self.public], "relay-1")
        client = relay.leg(opened.url.rpartition("/")[2], "client")
        return summons, relay.leg(summons.token, "agent"), client, opened.channels

    def test_asked(self) -> None:
        """The agent is asked for channels on one leg, and the client is told how many there may be."""
        summons, agent, client, channels = self.opened(256)
        self.assertEqual((summons.channels, summons.links, agent.links, client.links, channels), (True, 1, 1, 1, 256))
        summons, _, _, channels = self.opened(0)
        self.assertEqual((summons.channels, channels), (True, 0))

    def test_not_asked(self) -> None:
        """Who doesn't ask for channels, or only looks, gets none, whatever an agent says."""
        asked: list[dict[str, Any]] = [{}, {"channels": True, "terms": Terms(view=True)}]
        for more in asked:
            self.bus.answers.append(codec.encode(Answer(ready=True, kind="tcp", viewer="vnc", channels=256)))
            self.assertEqual(self.open(**more).channels, 0)
            claims = Verifier.load([self.public], "web-1").claims(self.bus.asked[-1][1].decode(), "summons")
            self.assertNotIn("channels", claims)

    def test_limits(self) -> None:
        """The summons has the limits, to which the agent holds each channel; the tokens of what carries them leave a
        quota out, and let it live until the last channel has lived its life."""
        summons, agent, client, _ = self.opened(256, limits=LIMITS)
        self.assertEqual((summons.idle, summons.lifetime, summons.quota), (30, 60, 1000))
        for token in (agent, client):
            self.assertEqual((token.idle, token.lifetime, token.quota), (30, 60 + CHANNELS_TAKEN, 0))

    def test_ordinary(self) -> None:
        """Where the agent can't, the relay holds the stream to all limits, by the client's token."""
        _, _, client, _ = self.opened(0, limits=LIMITS)
        self.assertEqual((client.idle, client.lifetime, client.quota), (30, 60, 1000))

    def test_early(self) -> None:
        """The URL is told early, but where the claims of its token depend on what the agent can."""
        told: list[Early] = []
        self.opened(256, early=told.append, limits=Limits(idle=30))
        self.assertEqual(len(told), 1)
        for limits in (Limits(lifetime=60), Limits(quota=1000)):
            self.opened(256, early=told.append, limits=limits)
        self.assertEqual(len(told), 1)

    def test_long_lives(self) -> None:
        """A lifetime that is as long as may be stays one that relays take."""
        _, agent, _, _ = self.opened(256, limits=Limits(lifetime=1e9))
        self.assertEqual(agent.lifetime, 1e9)
