"""The log's viewer, `<stream-log>`, on a bare page under the policy of the platform's pages, on running processes."""

import time
from pathlib import Path
from typing import Any

from tests.live.chain import Work, until
from tests.live.viewing import ViewerTest

TARGETS = """
[targets.log]
kind = "log"
path = "FOLDER/app.log"
lines = 1000

[targets.short]
kind = "log"
path = "FOLDER/app.log"
lines = 10
behind = 1_000_000
"""
TOOLS = """
window.log = document.querySelector('stream-log');
window.part = (selector) => log.shadowRoot.querySelector(selector);
window.rows = () => [...log.shadowRoot.querySelectorAll('.row')].filter((row) => {
  const [inner, outer] = [row.getBoundingClientRect(), part('.scroller').getBoundingClientRect()];
  return inner.bottom > outer.top + 1 && inner.top < outer.top + part('.scroller').clientHeight - 1;
}).map((row) => row.querySelector('.text').textContent);
window.tasks = [];
new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => tasks.push(duration)))
  .observe({ type: 'longtask' });
"""


class LogViewerTest(ViewerTest):
    """A chain with a log, and its viewer on a page."""

    def begin(self, text: str = "", target: str = "log", **settings: Any) -> None:
        self.path = self.folder / "app.log"
        self.path.write_text(text)
        self.start(TARGETS, **settings)
        self.show("log", target)
        self.page.evaluate(TOOLS)

    def append(self, text: str, path: Path | None = None) -> None:
        with (path or self.path).open("a") as file:
            file.write(text)

    def rows(self) -> list[str]:
        """What is in sight, line by line."""
        return list(self.page.evaluate("rows()"))

    def shows(self, text: str, seconds: float = 20.0) -> list[str]:
        until(lambda: any(text in row for row in self.rows()), seconds, f"{text!r} in sight")
        return self.rows()


class Following(LogViewerTest):
    """A log that grows."""

    def test_follows(self) -> None:
        """Lines come as they are written, through a rotation, and nothing complains."""
        self.begin("one\ntwo\n")
        self.shows("two")
        self.append("three\n")
        self.shows("three")
        self.path.rename(self.folder / "app.log.1")
        self.append("rest\n", self.folder / "app.log.1")
        self.append("new\n")
        self.assertEqual(self.shows("new"), ["one", "two", "three", "rest", "new"])
        self.assert_quiet()

    def write(self, lines: int, a_second: int) -> None:
        began = time.monotonic()
        with self.path.open("a") as file:
            for step in range(lines // 100):
                file.write("".join(f"{step * 100 + each:07d} {'x' * 91}\n" for each in range(100)))
                file.flush()
                time.sleep(max(0.0, began + (step + 1) * 100 / a_second - time.monotonic()))

    def test_ten_thousand_a_second(self) -> None:
        """100,000 lines at 10,000 a second all come, and no task of the page takes over 200 ms."""
        self.begin("begin\n")
        self.shows("begin")
        self.page.evaluate("tasks.length = 0")
        writing = Work(self.write, 100_000, 10_000)
        self.shows("0099999", 40)
        writing.result()
        self.assertEqual(self.page.evaluate("log.count"), 100_001)
        self.assertEqual(self.page.evaluate("part('.mark') === null"), True)
        tasks = self.page.evaluate("tasks")
        print("tasks over 50 ms:", [round(task) for task in tasks])
        self.assertLess(max(tasks, default=0), 200)
        self.assertLess(self.page.evaluate("part('.list').childElementCount"), 60)
        self.assert_quiet()
