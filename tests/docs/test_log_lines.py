"""docs/operations.rst, "Logs": its table is every line that the programs may log at info and above, with its level."""

import ast
import re
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[2]
LEVELS = {"info", "warn", "error", "failure", "critical"}
PROGRAMS = {"relay", "agent", "platform"}
ROW = re.compile(r"^   \* - (\w+)\n     - (.+)\n     - ``(.+)``\n     - (\S.*)", re.MULTILINE)


@cache
def calls(path: Path) -> list[tuple[str, ast.Call]]:
    """The calls of a module's logger, with their levels."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
            named = isinstance(node.func.value, ast.Name) and node.func.value.id == "log"
            made = isinstance(node.func.value, ast.Call) and ast.unparse(node.func.value) == "Logger()"
            if named or made:
                found.append((node.func.attr, node))
    return found


class LogLines(SynchronousTestCase):
    """Code and documentation, compared both ways."""

    def setUp(self) -> None:
        self.rows = ROW.findall((ROOT / "docs" / "operations.rst").read_text())
        self.code: list[tuple[str, str, str]] = []
        for path in sorted((ROOT / "streamrelay").rglob("*.py")):
            for level, call in calls(path):
                format = call.args[0]
                where = f"{path.relative_to(ROOT)}:{call.lineno}"
                assert isinstance(format, ast.Constant) and isinstance(format.value, str), f"{where}: no plain text"
                self.code.append((level, format.value, path.relative_to(ROOT / "streamrelay").parts[0]))

    def test_same(self) -> None:
        """Each line of the code is in the table once, with its level, and each of the table is in the code."""
        self.assertGreater(len(self.code), 50)
        documented = sorted((level, line) for level, _, line, _ in self.rows)
        self.assertEqual(documented, sorted({(level, line) for level, line, _ in self.code}))

    def test_programs(self) -> None:
        """Lines of a program's own package are told of that program, others of programs that there are."""
        packages: dict[str, set[str]] = {}
        for _, line, package in self.code:
            packages.setdefault(line, set()).add(package)
        for _, programs, line, _ in self.rows:
            named = PROGRAMS if programs == "all" else set(programs.split(", "))
            self.assertLessEqual(named, PROGRAMS, line)
            own = packages[line] & PROGRAMS
            self.assertEqual(named if own else set(), own, line)

    def test_first(self) -> None:
        """Each program has a line that tells its version."""
        told = {package for _, line, package in self.code if line.startswith("streamrelay {version}: ")}
        self.assertEqual(told, PROGRAMS)
