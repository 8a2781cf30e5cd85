"""operations.rst and etc/: what they say of settings is what the settings declare."""

import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from attrs import define, field
from msgspec import NODEFAULT, Struct
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from streamrelay.agent import config as agent
from streamrelay.agent.catalogue import KINDS
from streamrelay.agent.config import AgentConfig
from streamrelay.errors import ConfigError
from streamrelay.platform import config as platform
from streamrelay.platform.auth.oidc import OidcConfig
from streamrelay.platform.auth.sessions import SessionsConfig
from streamrelay.platform.auth.webhook import AskConfig
from streamrelay.platform.config import PlatformConfig
from streamrelay.program.settings import Setting, declared, load
from streamrelay.relay import config as relay
from streamrelay.relay.config import RelayConfig

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS: dict[str, type[Struct]] = {"Relay": RelayConfig, "Agent": AgentConfig, "Platform": PlatformConfig}
"""The sections that have a program's settings."""
TABLES: dict[str, type[Struct]] = {
    "Users of an identity provider": OidcConfig,
    "Asking your own system": AskConfig,
    "The console": SessionsConfig,
}
"""Those of a table in the platform's file."""
LEAST: dict[type[Struct], dict[str, Any]] = {
    RelayConfig: {"tokens": "opaque"},
    AgentConfig: {"tokens": "opaque", "relays": ("wss://relay.example",), "host": "h"},
    PlatformConfig: {"tokens": "opaque", "relay": "wss://relay.example", "keys": "k"},
}
"""Settings with which a program starts."""
NOTHING = {"none", "the system's", "those of the package", "see below", "all", "the container's", "the machine's"}
"""Words for a setting that is left out."""
IN_WORDS = {("max_connections", "what the descriptors allow"): 0, ("sessions", "see below"): SessionsConfig()}
"""Defaults that aren't shown as values."""


@define
class Row:
    """A setting as the manual tells it."""

    name: str
    default: str
    meaning: str
    kinds: tuple[str, ...] = ()
    """Those of targets, in their table."""


@define
class Section:
    """A section's table of settings and its line of options."""

    rows: list[Row] = field(factory=list)
    options: str = ""


def cells(row: Any) -> list[str]:
    return [" ".join(entry.astext().split()) for entry in row.children]


def told(rows: list[list[str]]) -> Iterator[Row]:
    """The settings of a table: a name that was too long for its column is one name, and limits share their meaning."""
    at = 0
    while at < len(rows):
        *kinds, name, default, meaning = rows[at]
        if name.endswith("_"):
            at += 1
            name, meaning = name + rows[at][-3], f"{meaning} {rows[at][-1]}"
        if name == "idle" and rows[at + 1][-3] == "lifetime":
            meaning += " " + rows[at + 1][-1]
        if name in ("lifetime", "quota"):
            meaning = " ".join(row[-1] for row in rows if row[-3] in ("idle", "lifetime", "quota"))
        at += 1
        yield Row(name.strip("[]"), default, meaning, tuple(kinds[0].split(", ")) if kinds else ())


@cache
def manual() -> dict[str, Section]:
    """The sections of operations.rst that have a table of settings, by their titles."""
    try:
        from docutils import nodes
        from docutils.core import publish_doctree
    except ImportError as error:
        raise SkipTest("needs the package docutils") from error
    page = ROOT / "docs" / "operations.rst"
    sections: dict[str, Section] = {}
    for section in publish_doctree(page.read_text(), str(page)).findall(nodes.section):
        title = section.children[0].astext()
        for node in section.children:
            if isinstance(node, nodes.table):
                head, *rows = [cells(row) for row in node.findall(nodes.row)]
                if "setting" in head:
                    sections[title] = Section(list(told(rows)))
            elif isinstance(node, nodes.paragraph) and node.astext().startswith("Options: ") and title in sections:
                sections[title].options = " ".join(node.astext().split())
    return sections


def shown(default: Any) -> set[str]:
    """The ways to write a default."""
    if isinstance(default, bool):
        return {str(default).lower()}
    if isinstance(default, int | float):
        return {str(int(default)) if default == int(default) else str(default)}
    if isinstance(default, tuple):
        return {json.dumps(default), ", ".join(map(str, default))} if default else NOTHING
    return {str(default)} if default else NOTHING


def differs(row: Row, setting: Setting) -> str:
    """Why a row isn't what a setting declares; empty if it is."""
    if row.default == "required":
        fine = setting.default in (NODEFAULT, "")  # an empty one is looked at by `test_required`
    elif (row.name, row.default) in IN_WORDS:
        fine = IN_WORDS[row.name, row.default] == setting.default
    elif row.default == "see there":
        fine = str(setting.default) in row.meaning
    else:
        fine = setting.default is not NODEFAULT and row.default in shown(setting.default)
    return "" if fine else f"{row.name}: the manual says {row.default!r}, the default is {setting.default!r}"


class Manual(SynchronousTestCase):
    """The tables of operations.rst."""

    def compare(self, rows: list[Row], kind: type[Struct]) -> None:
        settings = {setting.name: setting for setting in declared(kind)}
        self.assertEqual(sorted(row.name for row in rows), sorted(settings))
        self.assertEqual([why for row in rows if (why := differs(row, settings[row.name]))], [])

    def test_defaults(self) -> None:
        """Each setting stands in its program's table, once and with its default; so do those of the inner tables."""
        sections = manual()
        for title, kind in {**PROGRAMS, **TABLES}.items():
            self.compare(sections[title].rows, kind)

    def test_targets(self) -> None:
        """Each setting of each kind of target stands in the table of targets with its default."""
        rows = manual()["Targets"].rows
        names = {str(kind.__struct_config__.tag): kind for kind in KINDS}
        self.assertEqual({name for row in rows for name in row.kinds}, {*names, "all"})
        for name, kind in names.items():
            self.compare([row for row in rows if {name, "all"} & set(row.kinds)], kind)

    def test_required(self) -> None:
        """A program starts with what the manual says is required and with opaque tokens, and not with less."""
        sections = manual()
        for title, kind in PROGRAMS.items():
            load(kind, None, LEAST[kind])
            required = {row.name for row in sections[title].rows if row.default == "required"}
            self.assertLessEqual(required, set(LEAST[kind]))
            for name in required:
                less = {key: value for key, value in LEAST[kind].items() if key != name}
                self.assertIn(name, str(self.assertRaises(ConfigError, load, kind, None, less)))

    def test_options(self) -> None:
        """The line of options names all that there are and no others, and says which may be repeated."""
        sections = manual()
        for title, kind in PROGRAMS.items():
            repeatable, _, rest = sections[title].options.partition("(repeatable)")
            options = [setting for setting in declared(kind) if setting.option is not None]
            lists = [f"--{setting.option_name}" for setting in options if setting.is_list]
            others = [f"--{setting.option_name}" for setting in options if not setting.is_list]
            self.assertEqual(sorted(re.findall(r"--[a-z-]+", repeatable)), sorted(lists))
            self.assertEqual(sorted(re.findall(r"--[a-z-]+", rest)), sorted(others))

    def test_file_only(self) -> None:
        """A setting that is no option is said to be the file's alone, and one with another name says that name."""
        sections = manual()
        for title, kind in PROGRAMS.items():
            meanings = {row.name: row.meaning for row in sections[title].rows}
            for setting in declared(kind):
                meaning = meanings[setting.name]
                self.assertEqual("File only" in meaning, setting.option is None, setting.name)
                if setting.option is not None and setting.option.named:
                    self.assertIn(f"--{setting.option_name} as an option", meaning)

    def test_noticed(self) -> None:
        """The checks above would notice a default that is another one, or one that is left out."""
        setting = Setting("idle", float, 3.5)
        self.assertEqual(differs(Row("idle", "3.5", ""), setting), "")
        for text in ("3", "none", "required", ""):
            self.assertIn("the default is 3.5", differs(Row("idle", text, ""), setting))
        self.assertTrue(differs(Row("a", "none", ""), Setting("a", str, NODEFAULT)))
        self.assertTrue(differs(Row("a", "none", ""), Setting("a", str, "x")))


class Samples(SynchronousTestCase):
    """The settings in etc/."""

    def read(self, name: str, commented: bool) -> dict[str, Any]:
        """A sample, or what it has as comments."""
        text = (ROOT / "etc" / name).read_text()
        lines = text.splitlines()
        if commented:
            lines = [line.removeprefix("# ") for line in lines if re.match(r"# (\[\w+\]$|\w+ = )", line)]
        return tomllib.loads("\n".join(lines))

    def check(self, table: dict[str, Any], kind: type[Struct], commented: bool) -> int:
        """How many defaults were compared."""
        settings = {setting.name: setting for setting in declared(kind)}
        inner: dict[str, type[Struct]] = {"oidc": OidcConfig, "ask": AskConfig, "sessions": SessionsConfig}
        compared = 0
        for name, value in table.items():
            self.assertIn(name, settings)
            default = settings[name].default
            if name in inner:
                compared += self.check(value, inner[name], commented)
            elif commented and default is not NODEFAULT and ".example" not in str(value):
                self.assertEqual(value, list(default) if isinstance(default, tuple) else default, name)
                compared += 1
        return compared

    def test_samples(self) -> None:
        """Each sample names settings that there are, and what it shows as a comment is the default or an example."""
        compared = 0
        for title, kind in PROGRAMS.items():
            for commented in (False, True):
                compared += self.check(self.read(f"{title.lower()}.toml", commented), kind, commented)
        self.assertGreaterEqual(compared, 3)


class Live(SynchronousTestCase):
    """operations.rst, "Reading again": the settings that count at once."""

    def test_same(self) -> None:
        """The table is what the programs do."""
        text = (ROOT / "docs" / "operations.rst").read_text()
        table = text.partition("program  settings that count when the file is read again\n")[2].split("\n\n")[0]
        rows = re.findall(r"^(relay|agent|platform) ((?:.|\n )*)", table, re.MULTILINE)
        found = {program: re.findall(r"``(\w+)``", names) for program, names in rows}
        kept = {"relay": relay.LIVE, "agent": agent.LIVE, "platform": platform.LIVE}
        self.assertEqual(found, {program: [*names, "debug"] for program, names in kept.items()})
