"""The agent's model of a screen beside xterm.js, which is what the console's page has."""

import base64
from random import Random
from typing import Any

from twisted.trial.unittest import SkipTest

from streamrelay.agent.screen.drawing import drawn
from streamrelay.agent.screen.screen import Screen
from tests.agent.screen.outputs import RECORDED, played, some_output
from tests.live.support.case import LiveTest
from tests.live.support.node import SCENARIOS, Scenario, need_node

XTERM = SCENARIOS.parent / "node_modules" / "@xterm" / "xterm" / "lib" / "xterm.js"


class Screens(LiveTest):
    """Outputs, and what is drawn of them, on both."""

    def setUp(self) -> None:
        need_node()
        if not XTERM.exists():
            raise SkipTest("needs the npm package @xterm/xterm (npm ci in tests/)")
        super().setUp()

    def compare(self, columns: int, rows: int, cases: list[tuple[str, Screen, bytes]]) -> None:
        """Compare a screen with what xterm.js shows of bytes, for each case."""
        outputs = [base64.b64encode(output).decode() for _, _, output in cases]
        given = {"xterm": str(XTERM), "columns": columns, "rows": rows, "outputs": outputs}
        scenario = Scenario("shown", given, "xterm-screens.mjs")
        self.addCleanup(scenario.stop)
        for (name, screen, _), told in zip(cases, scenario.result(), strict=True):
            self.assertEqual(told, self.modelled(screen), name)

    def modelled(self, screen: Screen) -> dict[str, Any]:
        lines = ["".join(row.chars) for row in screen.lines]
        return {"lines": lines, "x": screen.x + screen.wrapping, "y": screen.y, "alternate": screen.main is not None}

    def test_drawn(self) -> None:
        """What is drawn of any screen is that screen on xterm.js, too. (Emoji but for those: without an addon it gives
        them one cell.)"""
        cases = []
        for seed in range(300):
            output = some_output(Random(seed)).replace("🙂".encode(), b"").replace(b"\xc2\xad", b"")
            screen, _ = played(output)
            cases.append((f"seed {seed}", screen, drawn(screen)))
        self.compare(20, 6, cases)

    def test_recorded(self) -> None:
        """Of what vim, less and a program of curses have written the model shows what xterm.js does, at any moment; and
        so does xterm.js of what is drawn then."""
        cases = []
        for path in sorted(RECORDED.iterdir()):
            output = path.read_bytes()
            for cut in [*range(200, len(output), max(1, len(output) // 25)), len(output)]:
                screen, parser = played(output[:cut], 80, 24)
                cases.append((f"{path.name}, up to {cut}", screen, output[:cut]))
                cases.append((f"{path.name}, drawn at {cut}", screen, drawn(screen) + parser.rest))
        self.compare(80, 24, cases)
