"""From a click on the console page to the first line of a log, in Chromium."""

import shutil
from contextlib import ExitStack
from typing import Any

from bench.fleet import LINE, Fleet
from bench.processes import Unusable
from bench.sampling import Plan, Row, Sample, interleave, say
from bench.works.work import Table, Target, Work

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
CLICK = """async (line) => {
  const button = [...document.querySelectorAll('#hosts .target')].find((one) => one.textContent.includes('log'));
  const shown = () => [...document.querySelectorAll('[role="tabpanel"] stream-log')]
    .some((log) => log.shadowRoot.textContent.includes(line));
  const began = performance.now();
  button.click();
  while (!shown()) await new Promise((next) => requestAnimationFrame(next));
  return performance.now() - began;
}"""
"""Milliseconds from a click on the target to its first line, to the frame."""


CASES = (
    ("the first of a page", True, False),
    ("the first of a page at rest", True, True),
    ("further ones", False, False),
)
"""Whether each click is in a page of its own, and in one that has nothing to load any more."""


class _Clicking:
    """One page after the other, or one tab after the other of one page."""

    name = "streamrelay"

    def __init__(self, plan: Plan, stack: ExitStack, fresh: bool, rest: bool) -> None:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        if chromium is None:
            raise Unusable("chromium: not installed")
        try:
            from playwright.sync_api import sync_playwright
        except ImportError:
            raise Unusable("playwright: not installed") from None
        self._plan, self._fresh, self._rest = plan, fresh, rest
        self._fleet = Fleet(plan.bench, 9, tls=False)
        stack.callback(self._fleet.stop)
        self._browser = stack.enter_context(sync_playwright()).chromium.launch(executable_path=chromium, args=FLAGS)
        stack.callback(self._browser.close)
        plan.versions["chromium"] = f"Chromium {self._browser.version}"
        self._page = self._new_page()
        self._click()

    def _new_page(self) -> Any:
        page = self._browser.new_page()
        page.goto(self._fleet.url)
        page.locator("#hosts .target").first.wait_for()
        if self._rest:
            page.wait_for_load_state("networkidle")
        return page

    def _click(self) -> float:
        if self._fresh:
            self._page.context.close()
            self._page = self._new_page()
        took = float(self._page.evaluate(CLICK, LINE))
        self._page.locator('[role="tab"] .cross').first.click()
        self._page.locator('[role="tab"]').first.wait_for(state="detached")
        return took

    def measure(self) -> Sample:
        count = (10 if self._plan.quick else 30) if self._fresh else (20 if self._plan.quick else 100)
        times = sorted(self._click() for _ in range(count))
        return Sample({"p50": times[count // 2], "p90": times[int(count * 0.9)]})


def run(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    for case, fresh, rest in CASES:
        with ExitStack() as stack:
            try:
                clicking = _Clicking(plan, stack, fresh, rest)
            except Unusable as reason:
                plan.skipped["clicking"] = str(reason)
                say(f"clicking is left out: {reason}")
                return rows
            rows += interleave(plan, case, [clicking], lambda subject: subject.measure())
    return rows


CLICKING = Work(
    "clicking",
    "From a click to a log's first line",
    "On the console page in Chromium, from the click on a target of kind ``log`` to the frame that shows its lines: "
    "the API, the summons, the agent, both websockets, and the page. *The first of a page*: in a browser that has "
    "nothing of this page yet the script clicks as soon as the list is drawn, sooner than anybody can, and the viewer "
    "has yet to be loaded; *at rest* it clicks 0.5 s after the last file has come, the viewer of logs among them. "
    "*Further ones* are opened in the same page, one after the other.",
    run,
    (Table("p50", "Median, milliseconds", 0), Table("p90", "90th percentile, milliseconds", 0)),
    (),
    tuple(Target(f"{case}: median, ms", "p50", case, 150.0) for case, *_ in CASES),
)
