"""operations.rst, etc/alerts.yml and etc/grafana.json: every metric that they name is one that a program tells."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import define
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.platform.http.tally import CODES
from streamrelay.protocol.close import OUTCOMES
from streamrelay.protocol.summons import REFUSALS
from streamrelay.websocket.refusal_words import WORDS
from tests.program.test_admin import golden

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^   \* - ``([a-z_]+)``\n     - (.+)\n     - (all|[a-z, ]+)\n     - \S", re.MULTILINE)
GIVEN = {"job", "instance"}
"""Labels that Prometheus adds."""
WORDS_OF_PROMQL = {
    *("and", "or", "by", "ignoring", "group_left", "sum", "min", "count"),
    *("rate", "increase", "changes", "time", "histogram_quantile"),
}
VALUES = {
    "outcome": {*OUTCOMES},
    "reason": {*WORDS},
    "answer": {"ready", *REFUSALS},
    "code": {"ok", "other", *CODES},
}
"""What labels may be, of those that expressions look for."""
RULE = re.compile(
    r"      - alert: (?P<alert>Streamrelay[A-Za-z]+)\n"
    r"        expr: (?P<expr>\".+\")\n"
    r"(?:        for: \d+m\n)?"
    r"        labels:\n          severity: (?:warning|critical)\n"
    r"        annotations:\n          summary: (?P<summary>\".+\")\n"
)


def series() -> dict[str, set[str]]:
    """The labels of each series that a program tells; a histogram has three."""
    found: dict[str, set[str]] = {}
    for name, (kind, labels, _) in golden().items():
        own = set(labels.split(",")) - {"-"}
        if kind == "histogram":
            found |= {f"{name}_bucket": own | {"le"}, f"{name}_sum": own, f"{name}_count": own}
        else:
            found[name] = own
    return found


@define
class Expression:
    """An expression of PromQL, with the labels that its words for people name."""

    where: str
    text: str
    shown: set[str]

    def faults(self) -> Iterator[str]:
        """Yield what no program tells of: series, labels, values of labels."""
        known, used = series(), set[str]()
        plain = re.sub(r"(?<=[0-9\]])(?:[smhd])\b|\[[^\]]*\]", "", self.text)
        outside = re.sub(r"\{[^}]*\}|\b(?:by|ignoring|group_left)\s*\([^)]*\)", " ", plain)
        for name in re.findall(r"[a-zA-Z_][a-zA-Z_0-9]*", outside):
            if name in known:
                used |= known[name]
            elif name not in WORDS_OF_PROMQL:
                yield f"{self.where}: no metric {name}"
        for name, inside in re.findall(r"([a-z_]+)\{([^}]*)\}", plain):
            for label, _, value in re.findall(r"([a-z_]+)\s*(=~|!~|!=|=)\s*\"([^\"]*)\"", inside):
                if label not in known.get(name, set()) | GIVEN:
                    yield f"{self.where}: {name} has no label {label}"
                elif label in VALUES and (wrong := set(value.split("|")) - VALUES[label]):
                    yield f"{self.where}: {label} is never {wrong}"
        listed = {one for some in re.findall(r"\b(?:by|ignoring)\s*\(([^)]*)\)", plain) for one in some.split(", ")}
        for label in (listed | self.shown) - used - GIVEN:
            yield f"{self.where}: none of its metrics has the label {label}"


def alerts() -> list[Expression]:
    text = (ROOT / "etc" / "alerts.yml").read_text()
    rules = text[text.index("    rules:\n") + len("    rules:\n") :]
    found = []
    for rule in RULE.finditer(rules):
        shown = set(re.findall(r"\$labels\.(\w+)", rule["summary"]))
        found.append(Expression(rule["alert"], json.loads(rule["expr"]), shown))
    assert RULE.sub("", rules) == "", "a rule that isn't written as the others"
    return found


def panels() -> list[Expression]:
    board = json.loads((ROOT / "etc" / "grafana.json").read_text())
    return [
        Expression(panel["title"], target["expr"], set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])))
        for panel in board["panels"]
        for target in panel.get("targets", ())
    ]


class Names(SynchronousTestCase):
    """What others are told of metrics, held to the golden file."""

    def faults(self, expressions: list[Expression]) -> list[str]:
        return [fault for expression in expressions for fault in expression.faults()]

    def test_manual(self) -> None:
        """The manual's table has each metric once, with its labels and its programs, and no other."""
        text = (ROOT / "docs" / "operations.rst").read_text()
        section = text[text.index("\nHealth and metrics\n=====") : text.index("\nTLS\n===")]
        told: dict[str, tuple[str, set[str]]] = {}
        for name, labels, programs in ROW.findall(section):
            self.assertNotIn(name, told)
            own = ",".join(sorted(re.findall(r"``(\w+)``", labels))) or "-"
            told[name] = (own, {"relay", "agent", "platform"} if programs == "all" else set(programs.split(", ")))
        self.assertEqual(told, {name: (labels, programs) for name, (_, labels, programs) in golden().items()})

    def test_codes(self) -> None:
        """The platform counts by every code that protocol.rst has for its problems, and by no other."""
        text = (ROOT / "docs" / "protocol.rst").read_text()
        self.assertEqual(set(re.findall(r"^[45]\d\d    ``(\w+)``", text, re.MULTILINE)), CODES)

    def test_alerts(self) -> None:
        """Each alert is of metrics, labels and values that there are, and so are its words."""
        rules = alerts()
        self.assertGreater(len(rules), 10)
        self.assertEqual(len({rule.where for rule in rules}), len(rules))
        self.assertEqual(self.faults(rules), [])

    def test_dashboard(self) -> None:
        """Each panel is of metrics, labels and values that there are, and each metric of ours is on one."""
        shown = panels()
        self.assertEqual(self.faults(shown), [])
        drawn = " ".join(panel.text for panel in shown)
        own = [name for name in golden() if name.startswith("streamrelay") and name != "streamrelay_draining"]
        self.assertEqual([name for name in own if name not in drawn], [])

    def test_laid_out(self) -> None:
        """No two panels overlap, and every one has a place of its own number."""
        board: dict[str, Any] = json.loads((ROOT / "etc" / "grafana.json").read_text())
        taken = set[tuple[int, int]]()
        for panel in board["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            self.assertFalse(cells & taken, panel["title"])
            self.assertLessEqual(place["x"] + place["w"], 24)
            taken |= cells
        self.assertEqual(len({panel["id"] for panel in board["panels"]}), len(board["panels"]))

    def test_planted(self) -> None:
        """A metric, a label or a value that there isn't would be found, in words for people, too."""
        for text, shown, fault in (
            ("rate(streamrelay_relay_byte_total[5m])", set[str](), "no metric streamrelay_relay_byte_total"),
            ('streamrelay_relay_streams{outcome="x"}', set[str](), "has no label outcome"),
            ('streamrelay_relay_streams_ended_total{outcome="crashed"}', set[str](), "is never {'crashed'}"),
            ("sum by (user) (streamrelay_relay_streams)", set[str](), "the label user"),
            ("streamrelay_ready", {"host"}, "the label host"),
            ("streamrelay_event_loop_lag_seconds", set[str](), "no metric"),
        ):
            faults = list(Expression("x", text, shown).faults())
            self.assertTrue(any(fault in one for one in faults), (text, faults))
