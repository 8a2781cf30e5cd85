"""Debian's Firefox, told what to do by WebDriver BiDi (https://w3c.github.io/webdriver-bidi)."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection

from tests.live.support.browser import Elsewhere, told_in, whether
from tests.live.support.processes import need_program
from tests.live.support.waiting import WAIT, until
from tests.live.support.websockets import hang_up, websocket

SETTINGS = {
    "app.normandy.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "termsofuse.acceptedVersion": 99,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}
"""So that it asks nothing of anybody when it starts."""
GONE = ("no such frame", "unknown error")
"""How a question ends whose page goes meanwhile."""


class Firefox:
    """A window with one page."""

    def __init__(self, leg: ClientConnection) -> None:
        self._leg, self._last, self._cover = leg, 0, ""
        self._asked: list[str] = []
        wanted = {"alwaysMatch": {"unhandledPromptBehavior": {"default": "ignore"}}}
        self._ask("session.new", {"capabilities": wanted}, 4 * WAIT)  # which is answered once all of it has started
        self.complaints: list[str] = []
        """Errors and warnings of the page's scripts."""
        self._do("session.subscribe", events=["browsingContext.userPromptOpened", "log.entryAdded"])
        [first, *_] = until(lambda: self._do("browsingContext.getTree")["contexts"], what="Firefox's window")
        self._context = first["context"]

    def goto(self, url: str) -> None:
        self._do("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression, or what it promises."""
        answer = self._do(
            "script.evaluate",
            expression=f"Promise.resolve({expression}).then(value => JSON.stringify(value ?? null))",
            target={"context": self._context},
            awaitPromise=True,
        )
        assert answer["type"] == "success", answer
        return json.loads(answer["result"]["value"])

    def holds(self, expression: str) -> bool:
        """Whether something is true of the page; it isn't while that is being loaded."""
        try:
            return bool(self.evaluate(whether(expression)))
        except Elsewhere:
            return False

    def scale(self, by: float) -> None:
        """Have a pixel of the page be so many of the screen's."""
        self._do("browsingContext.setViewport", context=self._context, devicePixelRatio=by)

    def picture(self) -> str:
        """What is seen of the page, as a PNG in base64."""
        return str(self._do("browsingContext.captureScreenshot", context=self._context)["data"])

    def cover(self) -> None:
        """Bring another tab of the window to the front."""
        self._cover = self._do("browsingContext.create", type="tab")["context"]
        self._do("browsingContext.activate", context=self._cover)

    def uncover(self) -> None:
        self._do("browsingContext.close", context=self._cover)
        self._do("browsingContext.activate", context=self._context)

    def freeze(self, still: bool) -> None:
        """Do nothing: this browser stops no page that it hides."""

    def offline(self, without: bool) -> None:
        """Have the browser be without a network, as by "Work Offline": connections end, but for those of loopback."""
        windows = self._do("browsingContext.getTree", **{"moz:scope": "chrome"})["contexts"]
        expression = f"Services.io.offline = {json.dumps(without)}"
        self._do(
            "script.evaluate", expression=expression, target={"context": windows[0]["context"]}, awaitPromise=False
        )

    def asked(self) -> list[str]:
        """The kinds of dialogs that the page has shown until now; none is answered but by `answer`."""
        self.evaluate("true")
        return self._asked

    def answer(self, accept: bool) -> None:
        """To the dialog that is shown."""
        self._do("browsingContext.handleUserPrompt", context=self._context, accept=accept)

    def _do(self, method: str, **parameters: Any) -> Any:
        return self._ask(method, parameters)

    def _ask(self, method: str, parameters: dict[str, Any], seconds: float = WAIT) -> Any:
        self._last += 1
        self._leg.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._leg.recv(timeout=seconds))
            self._hear(message.get("method"), message.get("params"))
            if message.get("id") == self._last:
                if message.get("error") in GONE:
                    raise Elsewhere(message)
                assert message["type"] == "success", message
                return message["result"]

    def _hear(self, event: str | None, told: Any) -> None:
        if event == "browsingContext.userPromptOpened":
            self._asked.append(told["type"])
        if event == "log.entryAdded" and told["level"] in ("error", "warn"):
            self.complaints.append(told["text"])


@contextmanager
def firefox(folder: Path, environment: dict[str, str]) -> Iterator[Firefox]:
    """A browser with a profile of its own in a folder."""
    command = [need_program("firefox-esr"), "--no-remote", "--new-instance", "--remote-debugging-port", "0"]
    command.append("--remote-allow-system-access")  # for `offline`
    profile, log = folder / "firefox", folder / "firefox.out"
    profile.mkdir()
    lines = (f'user_pref("{name}", {json.dumps(value)});\n' for name, value in SETTINGS.items())
    (profile / "user.js").write_text("".join(lines))
    with log.open("wb") as output:
        running = subprocess.Popen([*command, "--profile", str(profile)], env=environment, stdout=output, stderr=output)
    with ExitStack() as stack:
        stack.callback(running.wait)
        stack.callback(running.terminate)
        address = told_in(log, r"BiDi listening on (ws://\S+)\n", running)
        leg = websocket(f"{address}/session", None)
        stack.callback(hang_up, leg)
        yield Firefox(leg)
