"""protocol.rst: which client has what, compared with the API, the page's files, the command line and the libraries."""

import argparse
import re
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamrelay import main
from streamrelay.platform import Opened, Platform, StreamOver, Terms
from streamrelay.platform.http import api, changes, hosts, stream_list
from streamrelay.platform.http.open_request import OpenRequest
from streamrelay.platform.http.relays import OneDrain, RelayList
from streamrelay.platform.http.resume import ResumeStream
from streamrelay.platform.http.terminals import OneTerminal, TerminalList
from tests.docs.test_twins import literals, table
from tests.examples import there

WEB = Path(main.__file__).parent / "web"
HEAD = ("what", "API", "page", "``streamrelay``", "JavaScript", "Python")
OF_ITS_OWN = {
    *("--help", "--platform", "--key-file", "--ca", "--mask", "--insecure", "--outbound-proxy", "--outbound-login"),
    *("--escape", "--verbose", "--early-dial", "--json"),
}
"""Options of the native client that are about itself, not about what it asks for."""
PATHS = {
    "/v1/streams": (api.Streams, api.OneStream, ResumeStream),
    "/v1/hosts": (hosts.Hosts,),
    "/v1/hosts/changes": (changes.Changes,),
    "/v1/hosts/terminals": (TerminalList, OneTerminal),
    "/v1/relays": (RelayList,),
    "/v1/relays/drain": (OneDrain,),
}


def commands() -> dict[str, argparse.ArgumentParser]:
    """The parsers of the commands."""
    [found] = [action for action in main.parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(found.choices)


class Clients(SynchronousTestCase):
    """Each cell against what it names, and what the API has against the rows."""

    def setUp(self) -> None:
        self.rows = table("protocol.rst", *HEAD)

    def named(self, column: str) -> list[str]:
        at = HEAD.index(column)
        for row in self.rows:
            self.assertTrue(row[at], f"an empty cell in {row}")
        return [name for row in self.rows for name in literals(row[at])]

    def test_api(self) -> None:
        """Each field of a request for a stream has a row, each way to choose hosts, and what the paths do."""
        named = self.named("API")
        asked = set(OpenRequest.__struct_fields__) - {"host", "target"}
        for wanted in (hosts.Wanted, stream_list.Wanted):
            asked |= set(wanted.__struct_fields__) - {"limit", "after"}
        self.assertEqual(asked - set(named), set())
        told = {"ended", *Opened.__struct_fields__}
        self.assertEqual({name for name in named if name.isalpha()} - asked - told, set())
        does = {
            f"{method.removeprefix('answer_').upper()} {path}"
            for path, resources in PATHS.items()
            for resource in resources
            for method in vars(resource)
            if method.startswith("answer_")
        }
        self.assertEqual({name for name in named if " /" in name}, does)

    def test_page(self) -> None:
        """Each file of the page is there."""
        self.assertEqual([name for name in self.named("page") if not (WEB / name).is_file()], [])

    def test_native(self) -> None:
        """Each command and option is there, and each option that is not of the client's own has a row."""
        named, known = self.named("``streamrelay``"), commands()
        found = [known[name]._option_string_actions for name in ("connect", "hosts", "drain", "terminals")]
        options = {option for each in found for option in each if option.startswith("--")}
        self.assertEqual({name for name in named if name.startswith("--")}, options - OF_ITS_OWN)
        asking = {name for name, parser in known.items() if "--platform" in parser._option_string_actions}
        self.assertEqual({name for name in named if not name.startswith("--")}, asking)

    def test_javascript(self) -> None:
        """Each member and function is declared in the library's types."""
        types = (WEB / "streamrelay.d.ts").read_text()
        for name in self.named("JavaScript"):
            self.assertTrue(re.search(rf"\b{name}\??[:(<]", types), name)

    def test_python(self) -> None:
        """Each name of the library is there, and each of a stream's terms has a row."""
        named = self.named("Python")
        kinds: dict[str, Any] = {"Platform": Platform, "Terms": Terms, "Opened": Opened, "StreamOver": StreamOver}
        for name in named:
            kind, member = there(re.fullmatch(r"(\w+)\.(\w+)", name)).groups()
            self.assertTrue(hasattr(kinds[kind], member), name)
        terms = {f"Terms.{name}" for name in Terms.__struct_fields__ if name != "user"}  # that is who opens it
        self.assertEqual({name for name in named if name.startswith("Terms.")}, terms)
