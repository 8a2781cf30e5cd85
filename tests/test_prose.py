"""What the package says of itself: the first line of each public docstring can be read alone."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import streamrelay

ROOT = Path(streamrelay.__file__).parent
LEANING = re.compile(
    r"(?:What|Whatever|Which|Who|Whom|Whose|Whoever|How|Whether|Where|Wherever|When|Whenever|Why|"
    r"That|This|Those|These|It|Its|They|Them|Their|He|His|Others|Of|The same|All of (?:it|them)|"
    r"(?:One|Another|Some|Any|Either|Neither) (?:of|that|who|whose))\b"
)
"""Begins a line that leans on another one, or on the name above it."""
MOST = 0.01
"""Share of the lines that may begin so."""


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of each public one: of modules, classes and functions, and of names below which one stands."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        text = ast.get_docstring(node)
        if text and (isinstance(node, ast.Module) or is_public(node.name)):
            yield node.body[0].lineno, text
        for named, below in pairwise(node.body):
            match named, below:
                case (
                    (ast.Assign(targets=[target]) | ast.AnnAssign(target=target)),
                    ast.Expr(value=ast.Constant(value=str() as text)),
                ) if is_public(ast.unparse(target).removeprefix("self.")):
                    yield below.lineno, text


def is_public(name: str) -> bool:
    return not name.startswith("_")


class Docstrings(SynchronousTestCase):
    """Docstrings of the package."""

    def test_read_alone(self) -> None:
        """None begins with a relative or indefinite word, but for few in a hundred."""
        found = [
            (f"{path.relative_to(ROOT.parent)}:{line}:", text.strip().splitlines()[0])
            for path in sorted(ROOT.rglob("*.py"))
            for line, text in docstrings(ast.parse(path.read_text()))
        ]
        leaning = [f"{where} {first}" for where, first in found if LEANING.match(first)]
        self.assertLess(len(leaning), MOST * len(found), "\n".join(["these lean on others:", *leaning]))

    def test_found(self) -> None:
        """Docstrings of modules, classes, functions and names are found; private ones aren't."""
        source = '"""M."""\nN = 1\n"""N."""\n_P = 2\n"""P."""\n'
        source += 'class C:\n    """C."""\n    x: int = 1\n    """X."""\n'
        source += '    def f(self):\n        """F."""\n    def _g(self):\n        """G."""\n'
        self.assertEqual(sorted(text for _, text in docstrings(ast.parse(source))), ["C.", "F.", "M.", "N.", "X."])

    def test_leaning(self) -> None:
        """Words are told from their beginnings, and a pronoun from a number."""
        for text in ("What it is.", "Of the leg.", "Whether it is.", "One of two.", "The same again.", "All of them."):
            self.assertTrue(LEANING.match(text), text)
        for text in ("The leg.", "One request.", "Offers.", "Itself.", "Thistle.", "All legs.", "Whoa."):
            self.assertFalse(LEANING.match(text), text)
