"""catalogue.py: a host's own list, and nothing beside it."""

import os
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.catalogue import Catalogue, Entry, read_entry, read_targets
from streamrelay.errors import ConfigError, TargetError
from streamrelay.protocol.summons import Refusal, Terms
from tests.documented import MOST_TARGETS
from tests.examples import examples
from tests.fakes.files import folder
from tests.fakes.logs import Heard

CONSOLE = {"kind": "unix", "path": "/vm/{name}.sock", "parts": {"name": "[a-z]+"}}


def matched(entry: Entry, name: str) -> Any:
    """The target of this name, with the settings of its kind."""
    return entry.match(name)


class Entries(SynchronousTestCase):
    """One entry of the list."""

    def test_kinds(self) -> None:
        """Each kind is read with its settings."""
        for table, kind in (
            ({"kind": "tcp", "address": "127.0.0.1:22"}, "tcp"),
            ({"kind": "unix", "path": "/x"}, "unix"),
            ({"kind": "log", "path": "/x", "lines": 5}, "log"),
            ({"kind": "pty", "command": ["/bin/sh"]}, "pty"),
        ):
            entry = read_entry("name", table)
            self.assertEqual(entry.settings.kind, kind)
            self.assertIs(entry.match("name"), entry.settings)

    def test_wrong(self) -> None:
        """Unknown kinds, unknown keys, missing and impossible settings are errors."""
        for name, table in (
            ("x", {"kind": "ssh", "address": "a:1"}),
            ("x", {"address": "a:1"}),
            ("x", {"kind": "tcp"}),
            ("x", {"kind": "tcp", "address": "a:1", "port": 2}),
            ("x", {"kind": "tcp", "address": "a"}),
            ("x", {"kind": "tcp", "address": 5}),
            ("x", {"kind": "unix", "path": "relative"}),
            ("x", {"kind": "log", "path": "/x", "lines": -1}),
            ("x", {"kind": "log", "path": "/x", "lines": "1"}),
            ("x", {"kind": "pty", "command": []}),
            ("x", {"kind": "pty", "command": "/bin/sh"}),
            ("x", "tcp"),
            ("x", None),
            ("", {"kind": "log", "path": "/x"}),
            ("a b", {"kind": "log", "path": "/x"}),
            ("/a", {"kind": "log", "path": "/x"}),
            ("a{B}", {"kind": "log", "path": "/x"}),
            ("vm/{name}", {"kind": "log", "path": "/x"}),
            ("vm/{name}", {"kind": "log", "path": "/{other}", "parts": {"name": "x"}}),
            ("vm/{name}", {"kind": "log", "path": "/x", "parts": {"name": "x", "more": "y"}}),
            ("vm/{name}", {"kind": "log", "path": "/x", "parts": {"name": "("}}),
            ("vm/{name}", {"kind": "log", "path": "/x", "parts": {"name": "x)|(y"}}),
            ("vm/{name}", {"kind": "log", "path": "/x", "parts": {"name": "(?:(?:x{1,1000}){1,1000}){1,1000}"}}),
            ("vm/{name}", {"kind": "log", "path": "/x", "parts": {"name": "(?=x)x"}}),
            ("{a}/{a}", {"kind": "log", "path": "/{a}", "parts": {"a": "x"}}),
            ("vm", {"kind": "log", "path": "/x", "parts": {"name": "x"}}),
        ):
            self.assertRaises((ValueError), read_entry, name, table)

    def entry(self, name: str, path: str, /, **parts: str) -> Entry:
        return read_entry(name, {"kind": "log", "path": path, "parts": parts})

    def test_filled_in(self) -> None:
        """The parts of a name are filled into its settings, at each place."""
        entry = self.entry("{app}/{name}", "/{app}/{name}/{app}.log", app="[a-z]+", name="[0-9]+")
        self.assertEqual(matched(entry, "web/12").path, "/web/12/web.log")

    def test_anchored(self) -> None:
        """A part must match in full, alternatives too, and nothing may stand before or behind the name."""
        entry = self.entry("vm/{name}", "/{name}", name="ab|cd")
        self.assertEqual(matched(entry, "vm/cd").path, "/cd")
        for name in ("vm/abx", "vm/xcd", "xvm/ab", "vm/ab/x", "vm/", "vm/ab\n", "VM/ab", "vm/abcd"):
            self.assertIsNone(entry.match(name), name)

    def test_literal(self) -> None:
        """What isn't a part means itself, not a regular expression."""
        entry = self.entry("a.b+{name}", "/{name}", name="x")
        self.assertIsNotNone(entry.match("a.b+x"))
        for name in ("acb+x", "a.bbx"):
            self.assertIsNone(entry.match(name))

    def test_ascii(self) -> None:
        """Digits and letters of a part are ASCII's."""
        entry = self.entry("{name}", "/{name}", name=r"\w+")
        self.assertIsNone(entry.match("é"))
        self.assertIsNone(self.entry("{name}", "/{name}", name=r"\d+").match("\u0661"))

    def test_no_way_up(self) -> None:
        """A part never becomes a step upwards, whatever its expression allows."""
        entry = self.entry("f/{name}", "/logs/{name}", name=".+")
        for name in ("..", ".", "../x", "a/..", "a/../b", "./a"):
            self.assertIsNone(entry.match(f"f/{name}"), name)
        self.assertEqual(matched(entry, "f/a..b").path, "/logs/a..b")

    def test_no_way_up_by_the_operators_dots(self) -> None:
        """What is left out between an operator's own dots makes no step upwards of them."""
        self.assertIsNone(self.entry("f{a}.{b}", "/logs/.{a}.{b}", a="x?", b="y?").match("f."))
        self.assertEqual(matched(self.entry("f{a}", "/logs/./{a}", a="x?"), "fx").path, "/logs/./x")

    def test_linear(self) -> None:
        """No expression and no name makes matching slow, as one thread serves all streams of a host."""
        for expression in (
            "(?:a+)+",
            "(?:a|aa)+",
            "(?:a|a)*",
            "a*a*a*a*a*a*b",
            "(?:(?:a{0,30}){0,30})*",
            "(?:.*a){20}",
        ):
            entry = self.entry("{name}", "/{name}", name=expression)
            for name in ("a" * 255 + "!", "a" * 256):
                began = time.process_time()
                entry.match(name)
                self.assertLess(time.process_time() - began, 0.2, expression)

    def test_no_option(self) -> None:
        """A part never turns an argument into an option; within one, or behind a given dash, it may have dashes."""
        table = {"kind": "pty", "command": ["/bin/show", "{name}", "--unit={name}"], "parts": {"name": ".+"}}
        entry = read_entry("u/{name}", table)
        self.assertEqual(matched(entry, "u/a-b").command, ("/bin/show", "a-b", "--unit=a-b"))
        for name in ("-x", "--help"):
            self.assertIsNone(entry.match(f"u/{name}"))

    def test_checked_when_filled(self) -> None:
        """Settings that the parts make impossible are no target."""
        entry = read_entry("p/{port}", {"kind": "tcp", "address": "127.0.0.1:{port}", "parts": {"port": "[0-9]+"}})
        self.assertEqual(matched(entry, "p/80").address, "127.0.0.1:80")
        for port in ("0", "65536", "99999999"):
            self.assertIsNone(entry.match(f"p/{port}"))

    def test_parts_are_not_filled_again(self) -> None:
        """What is filled in isn't looked at for further parts."""
        entry = self.entry("{a}/{b}", "/{a}/{b}", a=r"[{}b]+", b="x")
        self.assertEqual(matched(entry, "{b}/x").path, "/{b}/x")

    @examples(200)
    @given(st.text(alphabet="ab./-{}\n", max_size=12))
    def test_any_name(self, name: str) -> None:
        """Whatever name is asked for, a path that is filled in stays below its directory."""
        target: Any = self.entry("{name}", "/logs/{name}", name="(?:.|\n)*").match(name)
        assume(target is not None)
        self.assertTrue(target.path.startswith("/logs/"))
        self.assertNotIn("..", target.path.split("/"))


class Files(SynchronousTestCase):
    """The agent's own file, and the directory beside it."""

    def setUp(self) -> None:
        self.where = folder(self)
        self.path, self.drop_in = self.where / "agent.toml", self.where / "targets"
        self.drop_in.mkdir(0o755)
        self.write(self.path, "ssh")
        self.catalogue = Catalogue(str(self.path), str(self.drop_in))

    def write(self, path: Path, name: str, table: str = 'kind = "tcp"\naddress = "127.0.0.1:22"') -> None:
        path.write_text(f'[targets."{name}"]\n{table}\n')
        path.chmod(0o644)  # whatever the umask

    def changes(self) -> bool:
        """Whether another look brings a new list."""
        told: list[None] = []
        self.catalogue.changed = lambda: told.append(None)
        self.catalogue.files.refresh()
        return bool(told)

    def names(self) -> list[str]:
        return [info.name for info in self.catalogue.infos()]

    def test_own_and_dropped_in(self) -> None:
        """The targets of the file and of each `*.toml` of the directory are one list."""
        self.write(self.drop_in / "b.toml", "db")
        self.write(self.drop_in / "ignored.txt", "other")
        self.catalogue.load()
        self.assertEqual(self.names(), ["ssh", "db"])
        self.assertEqual(self.catalogue.find("db").kind, "tcp")

    def test_leftovers(self) -> None:
        """Hidden files, and what editors leave beside a file, are no settings."""
        hidden = (".hidden.toml", ".#b.toml", "._b.toml", ".toml")
        for name in (*hidden, ".b.toml.swp", "b.toml~", "b.toml.bak", "#b.toml#"):
            self.write(self.drop_in / name, "left")
        self.catalogue.load()
        self.assertEqual(self.names(), ["ssh"])
        self.assertFalse(self.changes())

    def test_writable_by_others(self) -> None:
        """A dropped-in file that others may write to is refused, and so is one in a directory that they may write to:
        nothing of it counts, what was read before stays in force, and one line says what mends it."""
        path = self.drop_in / "b.toml"
        self.write(path, "db")
        self.catalogue.load()
        for wrong, modes in ((path, (0o664, 0o646)), (self.drop_in, (0o775, 0o757))):
            for mode in modes:
                heard, good = Heard(self), wrong.stat().st_mode
                wrong.chmod(mode)
                for _ in range(3):
                    self.assertFalse(self.changes())
                self.assertEqual(len(heard.events), 1)
                started = Catalogue("", str(self.drop_in))
                if wrong == self.drop_in:
                    error = self.assertRaises(ConfigError, started.load)
                    self.assertIn(f"run: chmod go-w {wrong}", str(error))
                else:
                    started.load()
                self.assertEqual(started.entries, {})
                self.assertIn(f"{wrong}: others may write to this", heard.text)
                self.assertIn(f"run: chmod go-w {wrong}", heard.text)
                wrong.chmod(good)
                self.changes()
                self.assertEqual(self.names(), ["ssh", "db"])

    def test_new_and_writable(self) -> None:
        """A new file that others may write to adds no target until that is mended."""
        self.catalogue.load()
        path = self.drop_in / "b.toml"
        self.write(path, "db")
        path.chmod(0o664)
        self.assertFalse(self.changes())
        self.assertEqual(self.names(), ["ssh"])
        path.chmod(0o644)
        self.assertTrue(self.changes())
        self.assertEqual(self.names(), ["ssh", "db"])

    def test_very_many(self) -> None:
        """Of more targets than are listed the first ones are told, with the word that there are more, and the log says
        so at each reading; all can be opened."""
        self.write(self.drop_in / "b.toml", "t0")
        with (self.drop_in / "b.toml").open("a") as file:
            for number in range(1, MOST_TARGETS - 1):
                file.write(f'[targets.t{number}]\nkind = "log"\npath = "/x"\n')
        self.catalogue.load()
        self.assertEqual((len(self.catalogue.listed().targets), self.catalogue.listed().complete), (MOST_TARGETS, True))
        heard = Heard(self)
        self.write(self.drop_in / "c.toml", "last")
        self.assertTrue(self.changes())
        self.assertEqual(
            (len(self.catalogue.listed().targets), self.catalogue.listed().complete), (MOST_TARGETS, False)
        )
        self.assertIn(f"lists show {MOST_TARGETS} of the {MOST_TARGETS + 1} targets", heard.lines[-1])
        self.assertEqual(self.catalogue.find("last").kind, "tcp")

    def test_default_deny(self) -> None:
        """What isn't in the list is no target, and without a list nothing is."""
        self.catalogue.load()
        for catalogue in (self.catalogue, Catalogue()):
            for name in ("", "x", "SSH", "ssh/", "ssh ", "127.0.0.1:22", "ssh\n", "../ssh", "{name}"):
                error = self.assertRaises(TargetError, catalogue.find, name)
                self.assertEqual(error.code, Refusal.NO_SUCH_TARGET)

    def test_pattern_is_no_name(self) -> None:
        """A pattern can't be asked for by its own text."""
        self.write(self.path, "vm/{name}", 'kind = "log"\npath = "/{name}"\nparts = { name = ".+" }')
        self.catalogue.load()
        self.assertRaises(TargetError, self.catalogue.find, "vm/{name}")
        found: Any = self.catalogue.find("vm/a")
        self.assertEqual(found.path, "/a")

    def test_exact_first(self) -> None:
        """A name that stands in the list means that entry, though a pattern would match it."""
        with self.path.open("a") as file:
            file.write('[targets."{name}"]\nkind = "log"\npath = "/{name}"\nparts = { name = ".+" }\n')
        self.catalogue.load()
        self.assertEqual(self.catalogue.find("ssh").kind, "tcp")
        self.assertEqual(self.catalogue.find("other").kind, "log")

    def test_twice(self) -> None:
        """Of a name that stands in two files the first one counts; the target and both files are told, once, and what
        else is in them counts. When the first one has gone the other counts."""
        self.write(self.drop_in / "a.toml", "db")
        self.write(self.drop_in / "b.toml", "ssh", 'kind = "log"\npath = "/x"\n[targets.db]\nkind = "log"\npath = "/x"')
        with (self.drop_in / "b.toml").open("a") as file:
            file.write('[targets.more]\nkind = "log"\npath = "/x"\n')
        heard = Heard(self)
        self.catalogue.load()
        self.assertEqual(self.names(), ["ssh", "db", "more"])
        self.assertEqual([self.catalogue.find(name).kind for name in self.names()], ["tcp", "tcp", "log"])
        [line] = heard.lines
        self.assertIn(f"{self.drop_in}/b.toml: targets.'ssh' is in another file already, {self.path}", line)
        self.assertFalse(self.changes())
        (self.drop_in / "a.toml").unlink()
        self.assertTrue(self.changes())
        self.assertEqual([self.catalogue.find(name).kind for name in ("ssh", "db")], ["tcp", "log"])
        self.assertEqual(len(heard.lines), 2)

    def broken(self) -> Iterator[Path]:
        """The path of a dropped-in file that is wrong in one way after the other."""
        path = self.drop_in / "b.toml"
        for text in (
            "[targets",
            'host = "other"\n',
            "[targets.x]\n",
            '[targets.web.log]\nkind = "log"\npath = "/x"\n',
            '[targets.x]\nkind = "pty"\ncommand = ["sh"]\nuser = "nobody"\n',
        ):
            path.write_text(text)
            path.chmod(0o644)
            yield path
        path.write_bytes(b"\xff\xfe\0")
        yield path
        self.write(path, "x")
        path.chmod(0o664)
        yield path
        path.unlink()
        path.symlink_to("nowhere")
        yield path
        path.unlink()
        path.mkdir()
        yield path
        path.rmdir()
        os.mkfifo(path, 0o644)
        yield path

    def test_broken_alone(self) -> None:
        """A dropped-in file that is wrong, whatever it is, keeps only its own targets back: the others count at a
        start, new ones are taken up, and so is that file once it is mended. One line says so."""
        other, later = self.drop_in / "a.toml", self.drop_in / "c.toml"
        self.write(other, "other")
        for path in self.broken():
            heard = Heard(self)
            self.catalogue = Catalogue(str(self.path), str(self.drop_in))
            self.catalogue.load()
            self.assertFalse(self.changes())
            self.assertEqual(self.names(), ["ssh", "other"])
            self.write(later, "later")
            self.assertTrue(self.changes())
            self.assertEqual(self.names(), ["ssh", "other", "later"])
            later.unlink()
            self.assertTrue(self.changes())
            self.assertEqual([line for line in heard.lines if "again" not in line], heard.lines[:1])
            self.assertIn(f"kept back, while other targets count: {path}: ", heard.lines[0])
        path.unlink()
        self.write(path, "mended")
        self.assertTrue(self.changes())
        self.assertEqual(self.names(), ["ssh", "other", "mended"])

    def test_broken_later(self) -> None:
        """Of a dropped-in file that becomes wrong what was read before stays in force, and one line says so."""
        other = self.drop_in / "a.toml"
        self.write(other, "other")
        self.write(self.drop_in / "b.toml", "old")
        self.catalogue.load()
        for path in self.broken():
            heard = Heard(self)
            self.write(other, f"other{path.lstat().st_mtime_ns}")
            self.assertTrue(self.changes())
            self.assertFalse(self.changes())
            self.assertEqual((len(self.names()), self.names()[-1]), (3, "old"))
            told = [line for line in heard.lines if str(path) in line]
            self.assertEqual(len(told), 1, heard.lines)
            self.assertIn(f"can't read the targets again: {path}: ", told[0])
        path.unlink()
        self.assertTrue(self.changes())
        self.assertEqual(len(self.names()), 2)

    def test_launchers(self) -> None:
        """The launcher, which glances at the files, has a new list, and nobody to tell of it."""
        self.catalogue.load()
        self.write(self.drop_in / "b.toml", "db")
        told: list[None] = []
        self.catalogue.changed = lambda: told.append(None)
        self.catalogue.files.glance()
        self.assertEqual((self.names(), told), (["ssh", "db"], []))

    def test_long_sockets(self) -> None:
        """A path that no unix socket can have is refused when it is read, by its setting, length and limit; one that
        becomes too long by what is filled in is refused in words when it is connected."""
        long = "/" + "é" * 54
        for kind, setting, more in (
            ("unix", "path", ""),
            ("qemu", "qmp", 'console = "vnc"\n'),
            ("container", "socket", 'container = "c"\n'),
        ):
            for name, path, parts in (("x", long, ""), ("{n}", "/{n}" + long, 'parts = { n = ".*" }\n')):
                text = f'kind = "{kind}"\n{setting} = "{path}"\n{more}{parts}'
                self.write(self.path, name, text)
                size = 109 if name == "x" else 110
                why = f"{setting}: a unix socket's path has at most 107 bytes, this one {size}"
                self.assertIn(why, str(self.assertRaises(ConfigError, self.catalogue.load)))
            self.write(self.path, "{n}", f'kind = "{kind}"\n{setting} = "/{{n}}"\n{more}parts = {{ n = ".*" }}\n')
            self.catalogue.load()
            connecting = self.catalogue.find("a" * 107).connect(MemoryReactorClock(), Terms())
            error = self.failureResultOf(Deferred.fromCoroutine(connecting), TargetError).value
            self.assertIn("has at most 107 bytes, this one 108", error.reason)

    def test_refreshed(self) -> None:
        """Changed, new and removed files are read again; unchanged ones are not."""
        self.catalogue.load()
        self.assertFalse(self.changes())
        self.write(self.path, "ssh-2")
        self.assertTrue(self.changes())
        self.assertEqual(self.names(), ["ssh-2"])
        self.write(self.drop_in / "b.toml", "db")
        self.assertTrue(self.changes())
        self.assertEqual(self.names(), ["ssh-2", "db"])
        (self.drop_in / "b.toml").unlink()
        self.assertTrue(self.changes())
        self.assertEqual(self.names(), ["ssh-2"])

    def test_broken_keeps_the_old(self) -> None:
        """A file that becomes wrong or vanishes changes nothing; once it is mended it counts."""
        self.catalogue.load()
        for text in (
            "[targets",
            '[targets.x]\nkind = "tcp"\n',
            '[targets.x]\nkind = "tcp"\naddress = "a:1"\nmore = 1\n',
        ):
            self.path.write_text(text)
            self.assertFalse(self.changes())
            self.assertEqual(self.names(), ["ssh"])
        self.path.unlink()
        self.assertFalse(self.changes())
        self.assertEqual(self.names(), ["ssh"])
        self.write(self.path, "new")
        self.assertTrue(self.changes())
        self.assertEqual(self.names(), ["new"])


class OddFiles(SynchronousTestCase):
    """Files that are TOML and yet no list."""

    def test_targets_is_no_table(self) -> None:
        """A file whose `targets` is no table is an error, and at a refresh it changes nothing."""
        path = folder(self) / "agent.toml"
        for text in ("targets = 1\n", 'targets = ["x"]\n', 'targets = "x"\n'):
            path.write_text(text)
            self.assertRaises(ConfigError, Catalogue(str(path)).load)

    def test_no_such_kind(self) -> None:
        """A kind that there isn't is told with all that there are."""
        error = self.assertRaises(ConfigError, read_targets, {"a": {"kind": "logs", "path": "/x"}}, "agent.toml")
        kinds = "tcp, unix, log, pty, qemu, container, journal"
        self.assertEqual(str(error), f"agent.toml: targets.'a': kind 'logs': expected one of {kinds}")

    def test_unquoted(self) -> None:
        """A name with a dot and without quotes is told as that, with the name; what is no such name isn't."""
        log = 'kind = "log"\npath = "/x"\n'
        for text, name in (
            (f"[targets.web.log]\n{log}", "web.log"),
            (f"[targets.web]\n{log}[targets.web.log]\n{log}", "web.log"),
            (f"[targets.a.b.parts]\n{log}", "a.b.parts"),
            (f'[targets."a.b".c]\n{log}', "a.b.c"),
            (f'[targets.web]\npath = "/x"\n[targets.web.parts]\n{log}', "web.parts"),
        ):
            error = self.assertRaises(ConfigError, read_targets, tomllib.loads(text)["targets"], "agent.toml")
            self.assertIn(f'; a name with a dot needs quotes: "{name}"', str(error))
            self.assertTrue(str(error).startswith("agent.toml: targets."), error)
        for text in (
            '[targets.web]\npath = "/x"\n',
            f"[targets.web]\n{log}more = {{ a = 1 }}\n",
            f'[targets.web]\n{log}[targets.web.parts]\nkind = "x"\n',
            "[targets.a.b.c.d]\n",
            f"[targets{'.a' * 5000}]\n{log}",
            "[targets]\nweb = 1\n",
        ):
            error = self.assertRaises(ConfigError, read_targets, tomllib.loads(text)["targets"], "agent.toml")
            self.assertNotIn("quotes", str(error))

    def test_group_that_did_not_take_part(self) -> None:
        """A named group within a part's expression is refused, or matches without an error."""
        table = {"kind": "log", "path": "/{name}", "parts": {"name": "(?P<x>a)|b"}}
        try:
            entry = read_entry("{name}", table)
        except ValueError:
            return
        self.assertEqual(matched(entry, "b").path, "/b")
