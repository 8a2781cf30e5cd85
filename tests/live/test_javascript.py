"""The JavaScript client in Node, against the real chain."""

import hashlib
from typing import Any

from tests.live.chain import HOST, MIB, Chain, LiveTest, Work, seeded, shared, take_all
from tests.live.node import Scenario, need_node

SIZE = 20 * MIB


class JavaScript(LiveTest):
    """A scenario of tests/javascript/client.mjs, and the target that it talks to."""

    def setUp(self) -> None:
        need_node()
        super().setUp()
        self.common = shared()

    def wanted(self, target: str, **more: Any) -> dict[str, Any]:
        """What the client asks for."""
        platform = f"http://127.0.0.1:{self.common.platform_port}"
        return {"host": HOST, "target": target, "platform": platform, "key": self.common.key, **more}

    def scenario(self, name: str, **given: Any) -> Scenario:
        scenario = Scenario(name, given)
        self.addCleanup(scenario.process.wait, 5)
        self.addCleanup(scenario.process.kill)
        return scenario


class Bytes(JavaScript):
    """What goes through a stream."""

    def test_both_ways(self) -> None:
        """20 MiB each way at once arrive unchanged; then the stream ends in order, with both ends' end of file."""
        listener = self.listen()
        down = seeded(SIZE)

        def serve() -> str:
            target = listener.accept()
            sending = Work(target.sendall, down)
            got = take_all(target)
            sending.result()
            target.close()
            return hashlib.sha256(got).hexdigest()

        serving = Work(serve)
        result = self.scenario("both_ways", wanted=self.wanted(listener.target), size=SIZE).result()
        self.assertEqual(result["got"], {"count": SIZE, "sum": hashlib.sha256(down).hexdigest()})
        self.assertEqual(result["sent"], serving.result())
        self.assertEqual(result["outcome"]["code"], 1000)
