"""The JavaScript client in Node, where the platform picks one of many relays."""

import contextlib

from tests.live.relay.test_many_relays import ManyRelays
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST
from tests.live.support.node import Scenario, need_node
from tests.live.support.sockets import reset

SERVER = """\
listen: "127.0.0.1:{port}"
pid_file: "{folder}/nats.pid"
include "nats-users.conf"
"""


class PlainRelays(ManyRelays):
    """The same without TLS, as Node would have to be told of the CA."""

    server, scheme = SERVER, "nats"
    base, port_kind = "ws://127.0.0.1", "tcp"


class Relays(LiveTest):
    """A client that is told of a relay which its host can't reach."""

    def test_other_relay(self) -> None:
        """It leaves the relay that it was told first, and comes by the one that the last line names."""
        need_node()
        chain = self.start_chain(PlainRelays(self.folder))
        chain.cut_off("fra-1", "fra-2")
        listener = self.listen()
        platform = f"http://127.0.0.1:{chain.platform_port}/"
        wanted = {"host": HOST, "target": listener.target, "platform": platform, "key": chain.key, "zone": "fra"}
        scenario = Scenario("ended", {"wanted": wanted})
        self.addCleanup(scenario.stop)
        self.assertEqual(scenario.hear(), "open")
        for _ in range(3):  # the target was connected for each relay that was tried
            target = listener.accept()
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(target.recv(4), b"here")
                break
        reset(target)
        self.assertEqual(scenario.result()["outcome"]["code"], 4003)
        self.assertIn("can't use relay fra", chain.platform.log)
