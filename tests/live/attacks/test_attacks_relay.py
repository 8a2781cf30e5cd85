"""What a relay's legs can take from each other: room to wait, and the name of a stream."""

import socket
from typing import Any

from websockets.sync.client import ClientConnection

from streamrelay.protocol.tokens import Signer, generate, new_id
from tests.live.support.case import LiveTest
from tests.live.support.chain import RelayAlone
from tests.live.support.waiting import WAIT
from tests.live.support.websockets import websocket

MOST = 20


def start(case: LiveTest, **settings: Any) -> RelayAlone:
    """A relay alone, which ends with the test."""
    relay = RelayAlone(case.folder, **settings)
    case.addCleanup(relay.stop)
    relay.start()
    return relay


def greet(case: LiveTest, client: ClientConnection, agent: ClientConnection) -> None:
    """The two are one stream."""
    case.assertIn("met", agent.recv(WAIT))
    client.send(b"hello")
    case.assertEqual(agent.recv(WAIT), b"hello")


class Waiting(LiveTest):
    """A relay for opaque tokens, and somebody who makes them up."""

    def leg(self, role: str, token: str, source: str) -> ClientConnection:
        connection = socket.create_connection(("127.0.0.1", self.port), WAIT, (source, 0))
        return self.websocket(f"ws://127.0.0.1:{self.port}/{role}/{token}", sock=connection)

    def test_one_address(self) -> None:
        """Of a hundred that one address lets wait, those beyond the limit are refused; nobody else notices."""
        settings = self.folder / "relay.toml"
        settings.write_text(f"max_waiting_per_address = {MOST}\n")
        # They wait for longer than the hundred take to come, which is long on a busy machine.
        relay = start(self, tokens="opaque", relay=(f"--config={settings}", "--patience=600"))
        self.port = relay.relay_port
        expected = new_id()
        self.leg("agent", expected, "127.0.0.2")
        for _ in range(MOST):
            self.leg("agent", new_id(), "127.0.0.1")
        refused = [self.refused(relay.leg_url("agent", new_id())) for _ in range(100 - MOST)]
        self.assertEqual(set(refused), {503})
        websocket(relay.leg_url("client", expected)).close()  # of the crowd's own address, but waited for
        token = new_id()
        agent, client = self.leg("agent", token, "127.0.0.2"), self.leg("client", token, "127.0.0.3")
        greet(self, client, agent)
        relay.relay.wait_for(f"connections were dropped by max_waiting_per_address = {MOST}")
        self.assertNotIn("refused the agent", relay.relay.log)


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
