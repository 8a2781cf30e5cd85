"""The platform's own page, under its own policy, with nothing on it but viewers.

Its document comes from the platform, so that the browser knows it for one of this machine; the console's script and
style are replaced by those below.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

from tests.live.console.console import ConsoleChain, ConsoleTest
from tests.live.support.browser import need_viewers
from tests.live.support.chain import HOST
from tests.live.support.ports import answers
from tests.live.support.sockets import MIB
from tests.live.support.waiting import WAIT, until

ANONYMOUS = '\n[anonymous]\ngrants = [{ host = "*", target = "*" }]\n'
TARGETS = """\
[targets.shell]
kind = "pty"
command = ["/bin/sh"]
environment = { PS1 = "$ " }

[targets.asks]
kind = "pty"
command = ["/bin/sh", "-c", "printf 'here\\\\033[6n'; cat"]

[targets.log]
kind = "log"
path = "FOLDER/app.log"

[targets."vnc/{number}"]
kind = "tcp"
address = "127.0.0.1:{number}"
speaks = "vnc"
parts = { number = "[0-9]+" }

[targets."spice/{number}"]
kind = "tcp"
address = "127.0.0.1:{number}"
speaks = "spice"
parts = { number = "[0-9]+" }
"""
STYLE = """:root { color-scheme: light dark } :root[data-theme="light"] { color-scheme: light }
body { margin: 0 } .panel { position: relative; width: 800px; max-width: 100vw; height: 480px }"""
SCRIPT = """
import { ask, connect, open } from '/streamrelay.js';
document.body.replaceChildren();
window.tabs = [];
// A ticket, by the port of a proxy if there is one.
const via = async (wanted) => {
  const ticket = await ask(wanted);
  return window.through ? { ...ticket, url: ticket.url.replace(/:[0-9]+/, `:${window.through}`) } : ticket;
};
// How long each of a tab's streams had no connection.
const resuming = (tab, stream) => {
  let since = 0;
  stream.addEventListener('detached', () => { since = performance.now(); });
  stream.addEventListener('attached', () => tab.away.push((performance.now() - since) / 1000));
  return stream;
};
// A tab as the console has it: a panel, a viewer in it, and the state.
window.show = async (name, host, target, view = false) => {
  const panel = document.createElement('div');
  panel.className = 'panel';
  panel.id = `tab${tabs.length}`;
  document.body.append(panel);
  const { create } = await import(`/viewers/${name}.js`);
  const tab = { state: 'new', outcome: null, error: null, said: [], away: [] };
  tabs.push(tab);
  tab.viewer = create(panel, {
    host, target, view,
    open: async (options) => {
      const resume = window.resumes ?? false;
      if (!window.through) return resuming(tab, await open({ host, target, resume, ...options }));
      const ticket = await via({ host, target, ...options });
      return connect(ticket.url, { ticket });
    },
    ask: (options) => via({ host, target, ...options }),
  });
  panel.addEventListener('said', ({ detail }) => tab.said.push(detail));
  tab.connect = async () => {
    Object.assign(tab, { state: 'connecting', outcome: null, error: null });
    try {
      const session = tab.session = await tab.viewer.connect();
      tab.state = 'connected';
      session.closed.then((outcome) => Object.assign(tab, { state: 'closed', outcome }));
    } catch (error) {
      Object.assign(tab, { state: 'failed', error: error.message, outcome: error.outcome ?? null });
    }
  };
  tab.connect();
  tab.act = (label) => {
    const action = tab.viewer.actions.find((action) => action.label === label);
    if (!action) throw new Error(`no ${label}: ${JSON.stringify(tab, ['state', 'outcome', 'error', 'words', 'code'])}`);
    return action.run();
  };
};
document.title = 'ready';
"""
FILES = {
    "console/*.js": ("text/javascript", ""),
    "console/*.css": ("text/css", ""),
    "console.css": ("text/css", STYLE),
    "console.js": ("text/javascript", SCRIPT),
}


class ViewerChain(ConsoleChain):
    """One of whose platform anybody on this machine may ask anything."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, TARGETS)
        with self.keys.open("a") as keys:
            keys.write(ANONYMOUS)


class ViewerTest(ConsoleTest):
    """Viewers on a bare page of the platform's own origin."""

    kind: type[ConsoleChain] = ViewerChain

    def setUp(self) -> None:
        need_viewers()
        super().setUp()
        self.view = self.bare()

    def bare(self, **settings: Any) -> Any:
        """The page; `settings` are the browser's."""
        page = self.browser.new_context(**{"viewport": {"width": 1000, "height": 1100}, **settings}).new_page()
        for name, (kind, text) in FILES.items():
            page.route(f"**/{name}", partial(_answer, kind, text))
        self.watch(page)
        page.goto(f"{self.common.console}/")
        page.wait_for_function("document.title === 'ready'")
        return page

    def show(self, viewer: str, target: str, view: bool = False, state: str = "connected") -> int:
        """Open a tab, wait for its state, and give its number."""
        self.view.evaluate("([...all]) => show(...all)", [viewer, HOST, target, view])
        number = int(self.view.evaluate("tabs.length - 1"))
        if state:
            self.wait_state(number, state)
        return number

    def tab(self, number: int) -> Any:
        script = "n => ({ state: tabs[n].state, outcome: tabs[n].outcome, error: tabs[n].error })"
        return self.view.evaluate(script, number)

    def wait_state(self, number: int, state: str, seconds: float = WAIT) -> Any:
        """Until a tab has this state; gives the tab."""

        def there() -> bool:
            tab = self.tab(number)
            if tab["state"] in ("failed", "closed") and tab["state"] != state:
                raise AssertionError(f"the tab is {json.dumps(tab)}; {self.complaints}")
            return bool(tab["state"] == state)

        until(there, seconds, f"the state {state} of the tab")
        return self.tab(number)

    def again(self, number: int = 0) -> None:
        """Connect a tab anew."""
        self.view.evaluate("n => tabs[n].connect()", number)
        self.wait_state(number, "connected")

    def relay_killed(self, number: int = 0) -> None:
        """Kill the relay: a tab says that it may be worth another try; then start it, and connect anew."""
        self.common.relay.kill()
        outcome = self.wait_state(number, "closed")["outcome"]
        self.assertEqual((outcome["code"], outcome["transient"]), (1006, True))
        self.common.relay.start()
        until(lambda: answers(self.common.relay_port), what="the relay")
        self.again(number)

    def held(self) -> float:
        """MiB that the page's scripts hold; what waits for the garbage collector is none of it."""
        self.view.context.new_cdp_session(self.view).send("HeapProfiler.collectGarbage")
        return float(self.view.evaluate("performance.memory.usedJSHeapSize")) / MIB

    def until(self, script: str, argument: object = None, what: str = "") -> Any:
        """Until a function of the page gives something true; gives that."""
        return until(lambda: self.view.evaluate(script, argument), what=what or script)


class TerminalTest(ViewerTest):
    """Terminals among them."""

    def lines(self, number: int = 0) -> str:
        """What a terminal shows, without blanks at the ends."""
        rows = self.view.locator(f"#tab{number} .xterm-rows > div").all_inner_texts()
        return "\n".join(row.replace("\xa0", " ").rstrip() for row in rows)

    def shows(self, text: str, number: int = 0) -> str:
        until(lambda: text in self.lines(number), what=f"{text!r} on the terminal")
        return self.lines(number)

    def run_line(self, line: str, number: int = 0) -> None:
        self.view.evaluate("n => tabs[n].viewer.focus()", number)
        self.view.keyboard.type(line)
        self.view.keyboard.press("Enter")


def _answer(kind: str, text: str, route: Any, _: object) -> None:
    route.fulfill(content_type=kind, body=text)
