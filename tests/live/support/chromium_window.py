"""Debian's Chromium in a window as people have it, told what to do by its DevTools protocol.

Playwright's pages are never hidden: it has them believe that they have the focus.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest
from websockets.sync.client import ClientConnection

from tests.live.support.browser import CHROMIUM, FLAGS, Elsewhere, told_in, whether
from tests.live.support.waiting import WAIT, until
from tests.live.support.websockets import hang_up, websocket

GONE = (
    "Inspected target navigated or closed",
    "Execution context was destroyed.",
    "Cannot find default execution context",
)
"""How a question ends whose page goes meanwhile."""


class Chromium:
    """A window with one page."""

    def __init__(self, leg: ClientConnection) -> None:
        self._leg, self._last, self._session, self._page, self._cover = leg, 0, "", "", ""
        self._asked: list[str] = []
        self._page = until(self._first_page, what="Chromium's window")
        self._session = self._do("Target.attachToTarget", targetId=self._page, flatten=True)["sessionId"]
        self.complaints: list[str] = []
        """Errors and warnings of the page and its scripts."""
        for domain in ("Page", "Runtime", "Log"):
            self._do(f"{domain}.enable")

    def _first_page(self) -> str:
        """The page of its window, which may come after the browser has begun to listen; "" until then."""
        pages = [one for one in self._do("Target.getTargets")["targetInfos"] if one["type"] == "page"]
        return str(pages[0]["targetId"]) if pages else ""

    def goto(self, url: str) -> None:
        self._do("Page.navigate", url=url)
        until(lambda: self.holds("document.readyState === 'complete' && location.href !== 'about:blank'"), what=url)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression, or what it promises."""
        answer = self._do("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def holds(self, expression: str) -> bool:
        """Whether something is true of the page; it isn't while that is being loaded."""
        try:
            return bool(self.evaluate(whether(expression)))
        except Elsewhere:
            return False

    def scale(self, by: float) -> None:
        """Have a pixel of the page be so many of the screen's."""
        self._do("Emulation.setDeviceMetricsOverride", width=0, height=0, mobile=False, deviceScaleFactor=by)

    def picture(self) -> str:
        """What is seen of the page, as a PNG in base64."""
        return str(self._do("Page.captureScreenshot")["data"])

    def cover(self) -> None:
        """Bring another tab of the window to the front."""
        self._cover = self._do("Target.createTarget", of=False, url="about:blank")["targetId"]

    def uncover(self) -> None:
        self._do("Target.closeTarget", of=False, targetId=self._cover)

    def freeze(self, still: bool) -> None:
        """Have the page stand still, as one that is hidden for long, or go on."""
        self._do("Page.setWebLifecycleState", state="frozen" if still else "active")

    def offline(self, without: bool) -> None:
        """Have the page be without a network: requests fail, and what its websockets send or get waits. Those that were
        opened before this was first called go on.

        The newer Network.overrideNetworkState tells the page alone: in Chromium 156 its websockets go on.
        """
        self._do("Network.enable")
        speed: dict[str, Any] = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self._do("Network.emulateNetworkConditions", offline=without, **speed)

    def asked(self) -> list[str]:
        """The kinds of dialogs that the page has shown until now; none is answered but by `answer`."""
        self._do("Browser.getVersion", of=False)
        return self._asked

    def answer(self, accept: bool) -> None:
        """To the dialog that is shown."""
        self._do("Page.handleJavaScriptDialog", accept=accept)

    def _do(self, method: str, of: bool = True, **parameters: Any) -> Any:
        """A command, `of` the page or of the browser."""
        self._last += 1
        session = {"sessionId": self._session} if of and self._session else {}
        self._leg.send(json.dumps({"id": self._last, "method": method, "params": parameters, **session}))
        while True:
            message = json.loads(self._leg.recv(timeout=WAIT))
            self._hear(message.get("method"), message.get("params"))
            if message.get("id") == self._last:
                if message.get("error", {}).get("message") in GONE:
                    raise Elsewhere(message)
                assert "error" not in message, message
                return message["result"]

    def _hear(self, event: str | None, told: Any) -> None:
        if event == "Page.javascriptDialogOpening":
            self._asked.append(told["type"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(told["exceptionDetails"]["text"])
        elif event == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(one.get("value", one.get("description"))) for one in told["args"]))
        elif event == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.complaints.append(told["entry"]["text"])


@contextmanager
def chromium_window(folder: Path, environment: dict[str, str]) -> Iterator[Chromium]:
    """A browser with a profile of its own in a folder."""
    if CHROMIUM is None:
        raise SkipTest("needs chromium")
    log = folder / "chromium.out"
    options = ("--no-first-run", "--remote-debugging-port=0", f"--user-data-dir={folder / 'chromium'}", "about:blank")
    with log.open("wb") as output:
        running = subprocess.Popen([CHROMIUM, *FLAGS, *options], env=environment, stdout=output, stderr=output)
    with ExitStack() as stack:
        stack.callback(running.wait)
        stack.callback(running.terminate)
        leg = websocket(told_in(log, r"DevTools listening on (ws://\S+)\n", running), None)
        stack.callback(hang_up, leg)
        yield Chromium(leg)
