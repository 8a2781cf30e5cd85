"""The JavaScript client in Node whose streams are aborted while they open: nothing of them is left at their host."""

import json
import urllib.request
from typing import Any

from tests.live.support.chain import HOST, Chain
from tests.live.support.node import JavaScript, Scenario
from tests.live.support.waiting import WAIT, until

KEPT = '[targets.kept]\nkind = "pty"\ncommand = ["/bin/sh"]\nenvironment = { PS1 = "ready> " }\nkeep = 600\n'
SOON = range(0, 70, 3)
"""Milliseconds after which a stream is aborted: before it is asked for, while it connects, and as it is open."""
SEEN = 5000


class Abandoned(JavaScript):
    """Streams of a target that keeps its terminals."""

    def test_abandoned(self) -> None:
        """Streams that are aborted at any moment while they open leave no stream and no terminal at their host, also
        where they resume; one that has been read for a while keeps its terminal."""
        chain = self.start_chain(Chain(self.folder, targets=KEPT))
        for resume in (True, False):
            self.abandon(chain, SOON, resume=resume)
            until(lambda: not chain.streams() and not self.terminals(chain), what="no stream, and no terminal")
        self.assertEqual(self.abandon(chain, [SEEN], resume=True), 1)
        self.assertEqual(len(self.terminals(chain)), 1)

    def abandon(self, chain: Chain, waits: Any, **more: Any) -> int:
        """Abort a stream after each of these times; return how many were open by then."""
        given = {"wanted": self.wanted("kept", chain, **more), "waits": list(waits)}
        scenario = Scenario("abandoned", given, "abandoned.mjs")
        self.addCleanup(scenario.stop)
        opened: int = scenario.result()["opened"]
        return opened

    def terminals(self, chain: Chain) -> list[Any]:
        url = f"http://127.0.0.1:{chain.platform_port}/v1/hosts/{HOST}/terminals"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {chain.key}"})
        with urllib.request.urlopen(request, timeout=WAIT) as answer:
            found: list[Any] = json.load(answer)["terminals"]
            return found
