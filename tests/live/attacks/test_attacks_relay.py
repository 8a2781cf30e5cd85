"""What a relay's legs can take from each other: the name of a stream."""

from typing import Any

from websockets.sync.client import ClientConnection

from streamrelay.protocol.tokens import Signer, generate, new_id
from tests.live.support.case import LiveTest
from tests.live.support.chain import RelayAlone


def start(case: LiveTest, **settings: Any) -> RelayAlone:
    """A relay alone, which ends with the test."""
    relay = RelayAlone(case.folder, **settings)
    case.addCleanup(relay.stop)
    relay.start()
    return relay


def greet(case: LiveTest, client: ClientConnection, agent: ClientConnection) -> None:
    """The two are one stream."""
    case.assertIn("met", agent.recv(5))
    client.send(b"hello")
    case.assertEqual(agent.recv(5), b"hello")


class Platforms(LiveTest):
    """A relay that two platforms share."""

    def test_same_id(self) -> None:
        """Who signs tokens for another platform's stream meets nobody of it, and takes none of its legs' places."""
        generate(self.folder / "other.key", self.folder / "other.pub")
        relay = start(self, relay=(f"--platform-key={self.folder}/other.pub",))
        stream = new_id()
        signers = (relay.signer, Signer.load(str(self.folder / "other.key")))
        legs = []
        for role in ("agent", "client"):
            for signer in signers if role == "agent" else signers[::-1]:
                token = signer.mint("relay", role=role, sub=stream)
                legs.append(self.websocket(relay.leg_url(role, token)))
        ours, theirs, their_client, our_client = legs
        for agent, client in ((ours, our_client), (theirs, their_client)):
            greet(self, client, agent)
