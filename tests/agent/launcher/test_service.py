"""service.py: which agents start a launcher, and what they say of the shells that nobody keeps apart."""

import os
import pwd
from types import SimpleNamespace
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.catalogue import Catalogue, read_targets
from streamrelay.agent.launcher.service import Launching
from streamrelay.agent.targets.terminal.pty import own_user
from streamrelay.errors import ConfigError, TargetError
from streamrelay.files import check_roots
from streamrelay.protocol.summons import Refusal, Terms
from tests.fakes.files import folder

TABLE = {"kind": "pty", "command": ["/bin/sh"]}


class Told(SynchronousTestCase):
    """An agent without root."""

    def start(self, tables: dict[str, object]) -> list[str]:
        """What is logged at the start."""
        self.patch(os, "geteuid", lambda: 4711)
        events: list[LogEvent] = []
        hear: Any = events.append
        globalLogPublisher.addObserver(hear)
        self.addCleanup(globalLogPublisher.removeObserver, hear)
        self.catalogue = Catalogue(entries=read_targets(tables, "agent.toml"))
        service = Launching(self.catalogue, 5, MemoryReactorClock())
        service.privilegedStartService()
        service.startService()
        return [formatEvent(event) for event in events]

    def test_told(self) -> None:
        """It says at each start which targets amount to the agent, and names no others."""
        [own] = self.start({"own": TABLE, "other": {**TABLE, "user": "nobody"}, "t": LOG})
        self.assertIn("whoever may open own can do all", own)
        self.assertEqual(self.start({"t": LOG, "other": {**TABLE, "user": "nobody"}}), [])

    def test_told_of_many(self) -> None:
        """Of many it names some, with the count of the others."""
        [own] = self.start({f"own{number}": TABLE for number in range(12)})
        self.assertIn("own0, own1, own2, own3, own4, own5, own6, own7, own8, own9 and 2 others can", own)

    def test_another_name(self) -> None:
        """A user who is the agent's own by another name is no other user."""
        self.patch(pwd, "getpwnam", lambda name: SimpleNamespace(pw_uid=4711 if name == "alias" else 1))
        [own] = self.start({"own": {**TABLE, "user": "alias"}, "other": {**TABLE, "user": "nobody"}})
        self.assertIn("whoever may open own can do all", own)

    def test_refused(self) -> None:
        """A target of another user is refused: never does the agent's own user run it instead."""
        self.start({"other": {**TABLE, "user": "nobody"}})
        target = self.catalogue.find("other")
        work = target.connect(MemoryReactorClock(), Terms())
        error: TargetError = self.assertRaises(TargetError, work.send, None)
        self.assertEqual(error.code, Refusal.TARGET_REFUSED)
        self.assertIn("as nobody", error.detail)

    def test_refused_at_load(self) -> None:
        """Files with a user whom the agent can't become are refused in one line, also once it runs; its own is none."""
        path = folder(self) / "agent.toml"
        path.write_text(PTY.format(user="nobody"))
        catalogue = Catalogue(str(path))
        error = self.assertRaises(ConfigError, catalogue.load)
        self.assertEqual(
            str(error),
            f"{path}: targets.'a': user: only an agent that was started as root, with such a target in its files, can "
            "run commands as nobody",
        )
        path.write_text(PTY.format(user=own_user()))
        catalogue.load()
        Launching(catalogue, 5, MemoryReactorClock()).startService()
        path.write_text(PTY.format(user="nobody"))
        catalogue.files.refresh(force=True)
        self.assertEqual(catalogue.entries["a"].settings.runs_as, own_user())


PTY = '[targets.a]\nkind = "pty"\ncommand = ["sh"]\nuser = "{user}"\n'
LOG = {"kind": "log", "path": "/var/log/x"}


class Files(SynchronousTestCase):
    """Who could change what root is asked for."""

    def test_user_of_a_part(self) -> None:
        """No part of a name that a client sends chooses a user or a group."""
        for more in ({"user": "{who}"}, {"user": "x", "groups": ["{who}"]}):
            table = {**TABLE, **more, "parts": {"who": "[a-z]+"}}
            self.assertRaises(ConfigError, read_targets, {"shell/{who}": table}, "agent.toml")

    def test_only_with_a_user(self) -> None:
        """Settings that need a user are refused without one."""
        for more in ({"groups": ["x"]}, {"sudo": True}, {"leftovers": "kill"}):
            self.assertRaises(ConfigError, read_targets, {"shell": {**TABLE, **more}}, "agent.toml")
            read_targets({"shell": {**TABLE, **more, "user": "x"}}, "agent.toml")

    def test_own(self) -> None:
        """The agent's own user, named or not, is no other user."""
        entries = read_targets({"a": TABLE, "b": {**TABLE, "user": own_user()}, "c": {**TABLE, "user": "x"}}, "f")
        self.assertEqual([getattr(entry.settings, "is_own", None) for entry in entries.values()], [True, True, False])

    def test_changeable(self) -> None:
        """A file that others than root can change, or whose directory they can, names no users; the remedy is told."""
        if os.geteuid() != 0:
            self.assertRaises(ConfigError, check_roots, __file__, "it names users")
            return
        inner = folder(self) / "inner"
        inner.mkdir(mode=0o755)
        path = inner / "agent.toml"
        path.write_text(PTY.format(user="nobody"))
        catalogue = Catalogue(str(path), may_change_users=True)
        catalogue.load()
        for place, mode, owner in ((path, 0o666, 0), (path, 0o644, 1), (inner, 0o777, 0), (inner, 0o755, 1)):
            place.chmod(mode)
            os.chown(place, owner, -1)
            words = str(self.assertRaises(ConfigError, catalogue.load))
            self.assertIn(f"{place}: make it root's" if owner else f"; run: chmod go-w {place}", words)
            place.chmod(0o755)
            os.chown(place, 0, -1)
        catalogue.load()
        link = inner.parent / "link.toml"
        link.symlink_to(path)
        os.chown(link, 1, -1, follow_symlinks=False)
        self.assertRaises(ConfigError, Catalogue(str(link), may_change_users=True).load)
